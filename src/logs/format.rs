//! How the lines of a log begin: header formats as LogHub writes them, such as `<Date> <Time> <Level>: <Content>`.
//!
//! Between fields stands a regular expression in which a run of blanks means one or more. A field takes as little as
//! it can. Most formats are plain enough to be split by hand, ten times faster; lines that this does not split, and
//! formats that are not plain, go to the regular expression, so that both ways always say the same.

mod builtin;
mod plan;

pub use builtin::{BUILT_IN, BuiltIn, built_in};

use std::borrow::Cow;
use std::ops::Range;

use regex::bytes::Regex;

use plan::Plan;

/// The field that is parsed into templates.
const CONTENT: &str = "Content";
/// The field with the alert tag.
const LABEL: &str = "Label";
/// The fields that tell where a line comes from, the best first.
const NODES: [&str; 5] = ["Node", "Location", "Host", "Hostname", "Server"];
/// The alert tag of a normal line.
const NORMAL_TAG: &[u8] = b"-";

/// Why a header format cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It does not say where the message is.
    #[error("the format \"{0}\" has no <Content>: that field holds the message")]
    NoContent(String),
    /// A field stands twice.
    #[error("the format \"{format}\" has <{field}> twice")]
    Twice {
        /// The format.
        format: String,
        /// The field.
        field: String,
    },
    /// Two fields with nothing between them.
    #[error("the format \"{format}\" has nothing between <{field}> and the next field")]
    Touching {
        /// The format.
        format: String,
        /// The first of the two.
        field: String,
    },
    /// What stands between fields is no regular expression.
    #[error("the format \"{format}\" is no regular expression between its fields: {why}")]
    Regex {
        /// The format.
        format: String,
        /// What is wrong.
        why: String,
    },
}

/// What a line's header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'l> {
    /// The message, without blanks around it.
    pub content: &'l [u8],
    /// The alert tag, in formats that have one.
    pub tag: Option<&'l [u8]>,
    /// Where the line comes from, in formats that tell.
    pub node: Option<&'l [u8]>,
}

impl Header<'_> {
    /// The alert tag, unless it says that the line is normal.
    pub fn alert(&self) -> Option<&[u8]> {
        self.tag.filter(|tag| *tag != NORMAL_TAG)
    }
}

/// What a field is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Content,
    Tag,
    Node,
    Other,
}

/// A header format, ready to read lines with.
#[derive(Debug, Clone)]
pub struct LineFormat {
    header: String,
    roles: Vec<Role>,
    plan: Option<Plan>,
    regex: Regex,
    /// Whether lines start with the alert tag.
    tag_first: bool,
}

impl LineFormat {
    /// A format from its text, such as `<Date> <Time> \[<Level>\] <Content>`.
    ///
    /// # Errors
    /// When it has no `<Content>`, a field twice, or is no regular expression between its fields.
    pub fn new(header: &str) -> Result<Self, FormatError> {
        let (names, between) = fields(header);
        let format = || header.to_owned();
        if let Some((index, name)) = names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
            debug_assert!(index > 0);
            return Err(FormatError::Twice { format: format(), field: (*name).to_owned() });
        }
        if !names.contains(&CONTENT) {
            return Err(FormatError::NoContent(format()));
        }
        let inner = between.get(1..names.len()).unwrap_or_default();
        if let Some(index) = inner.iter().position(|text| text.is_empty()) {
            return Err(FormatError::Touching { format: format(), field: names[index].to_owned() });
        }
        let node = NODES.iter().find_map(|node| names.iter().position(|name| name == node));
        let roles: Vec<Role> = names
            .iter()
            .enumerate()
            .map(|(index, name)| match *name {
                CONTENT => Role::Content,
                LABEL => Role::Tag,
                _ if Some(index) == node => Role::Node,
                _ => Role::Other,
            })
            .collect();
        let regex = regex_of(&roles, &between)
            .map_err(|error| FormatError::Regex { format: format(), why: last_line(&error.to_string()) })?;
        let tag_first = between[0].is_empty() && roles.first() == Some(&Role::Tag);
        Ok(Self { plan: Plan::new(&roles, &between), header: format(), roles, regex, tag_first })
    }

    /// The format as it is written.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// Whether lines carry an alert tag.
    pub fn has_tags(&self) -> bool {
        self.roles.contains(&Role::Tag)
    }

    /// Whether lines tell where they come from.
    pub fn has_nodes(&self) -> bool {
        self.roles.contains(&Role::Node)
    }

    /// What a line's header tells, if the line is of this format and has a message.
    pub fn read<'l>(&self, line: &'l [u8]) -> Option<Header<'l>> {
        let line = trim(line);
        let read = match &self.plan {
            Some(plan) => plan.read(line).or_else(|| self.read_by_regex(line)),
            None => self.read_by_regex(line),
        };
        let header = read?;
        let content = trim(header.content);
        (!content.is_empty()).then_some(Header { content, ..header })
    }

    fn read_by_regex<'l>(&self, line: &'l [u8]) -> Option<Header<'l>> {
        // Telling that a line does not match is much faster than finding where its fields are.
        if !self.regex.is_match(line) {
            return None;
        }
        let captures = self.regex.captures(line)?;
        let field = |name| captures.name(name).map(|found| found.as_bytes());
        Some(Header { content: field(CONTENT)?, tag: field(LABEL), node: field(NODES[0]) })
    }

    /// The line as annotators see it: without its alert tag and line end.
    pub fn untagged<'l>(&self, line: &'l [u8]) -> Cow<'l, [u8]> {
        let end = line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
        let line = &line[..end];
        if self.tag_first {
            // Also where the rest is not of the format: the tag must not show.
            let line = trim_start(line);
            let tag = line.iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
            return Cow::Borrowed(trim_start(&line[tag..]));
        }
        let tag = self.has_tags().then(|| self.read(line)).flatten().and_then(|header| header.tag);
        match tag.and_then(|tag| range_of(tag, line)) {
            Some(tag) => Cow::Owned([&line[..tag.start], trim_start(&line[tag.end..])].concat()),
            None => Cow::Borrowed(line),
        }
    }
}

/// Where `part` stands in `whole`, of which it is a slice.
fn range_of(part: &[u8], whole: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    (start + part.len() <= whole.len()).then(|| start..start + part.len())
}

/// The names of a format's fields, and the texts before, between and after them.
fn fields(header: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut names, mut between) = (Vec::new(), Vec::new());
    let mut rest = header;
    let mut from = 0;
    while let Some(open) = rest[from..].find('<').map(|at| from + at) {
        let name = rest[open + 1..].find(['<', '>']).map(|at| open + 1 + at);
        match name {
            Some(close) if close > open + 1 && rest.as_bytes()[close] == b'>' => {
                between.push(&rest[..open]);
                names.push(&rest[open + 1..close]);
                rest = &rest[close + 1..];
                from = 0;
            }
            Some(next) => from = next.max(open + 1),
            None => break,
        }
    }
    between.push(rest);
    (names, between)
}

/// The whole format as one regular expression; only the fields that tell something are captured.
fn regex_of(roles: &[Role], between: &[&str]) -> Result<Regex, regex::Error> {
    let mut pattern = String::from("^");
    for (index, text) in between.iter().enumerate() {
        let mut blank = false;
        for character in text.chars() {
            if character != ' ' {
                pattern.push(character);
            } else if !blank {
                pattern.push_str(r"(?-u:[\t-\r ]+)");
            }
            blank = character == ' ';
        }
        match roles.get(index) {
            Some(Role::Content) => pattern.push_str(&format!("(?P<{CONTENT}>(?s-u:.)*?)")),
            Some(Role::Tag) => pattern.push_str(&format!("(?P<{LABEL}>(?s-u:.)*?)")),
            Some(Role::Node) => pattern.push_str(&format!("(?P<{}>(?s-u:.)*?)", NODES[0])),
            Some(Role::Other) => pattern.push_str("(?s-u:.)*?"),
            None => {}
        }
    }
    pattern.push('$');
    Regex::new(&pattern)
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// What `\s` means: blank, tab, line feed, vertical tab, form feed, carriage return.
fn is_blank(byte: u8) -> bool {
    byte == b' ' || (b'\t'..=b'\r').contains(&byte)
}

fn trim_start(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len());
    &text[start..]
}

fn trim(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
    trim_start(&text[..end])
}

#[cfg(test)]
mod tests;
