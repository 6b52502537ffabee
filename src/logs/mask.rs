//! Masks: what certainly varies in a message (addresses, block numbers) becomes `<*>` before templates are looked for.

use std::ops::Range;

use memchr::memmem::Finder;
use regex::bytes::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::VARIABLE;

/// Why a masking rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("mask \"{pattern}\" {why}")]
pub struct MaskError {
    /// The rule.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

/// One rule, and what a message must have for it to be worth a try.
#[derive(Debug, Clone)]
struct Rule {
    regex: Regex,
    needs: Needs,
}

#[derive(Debug, Clone)]
enum Needs {
    Nothing,
    Digit,
    Text(Box<Finder<'static>>),
}

impl Needs {
    fn of(hir: &Hir) -> Self {
        let literal = needed_literal(hir);
        if literal.is_empty() {
            return if needs_digit(hir) { Self::Digit } else { Self::Nothing };
        }
        Self::Text(Box::new(Finder::new(&literal).into_owned()))
    }

    fn met_by(&self, text: &[u8]) -> bool {
        match self {
            Self::Nothing => true,
            // Beyond ASCII there are digits too.
            Self::Digit => text.iter().any(|byte| byte.is_ascii_digit() || !byte.is_ascii()),
            Self::Text(finder) => finder.find(text).is_some(),
        }
    }
}

/// The longest text that every match contains, as far as is easily told.
fn needed_literal(hir: &Hir) -> Vec<u8> {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.to_vec(),
        HirKind::Capture(capture) => needed_literal(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => needed_literal(&repetition.sub),
        // The first of the longest.
        HirKind::Concat(parts) => parts.iter().map(needed_literal).rev().max_by_key(Vec::len).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Whether every match contains a decimal digit.
fn needs_digit(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().first().is_some_and(|range| range.start() == '0' && range.end() <= '9')
                && class.ranges().iter().all(|range| range.end() <= '9' || range.start() > '\u{7f}')
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().all(|range| range.start() >= b'0' && range.end() <= b'9')
        }
        HirKind::Capture(capture) => needs_digit(&capture.sub),
        HirKind::Repetition(repetition) => repetition.min > 0 && needs_digit(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().any(needs_digit),
        _ => false,
    }
}

/// Masking rules, used one after the other as in Python's `re.sub`.
#[derive(Debug, Clone, Default)]
pub struct Masks {
    rules: Vec<Rule>,
}

/// Room for masked messages, kept between them.
#[derive(Debug, Default)]
pub struct MaskBuffers {
    masked: Vec<u8>,
    spare: Vec<u8>,
}

impl Masks {
    /// Rules from their regular expressions.
    ///
    /// # Errors
    /// When one is no regular expression, or would match nothing at all everywhere.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, MaskError> {
        patterns.iter().map(|pattern| rule(pattern.as_ref())).collect::<Result<_, _>>().map(|rules| Self { rules })
    }

    /// The message with `<*>` for whatever a rule matches.
    pub fn apply<'a>(&self, message: &'a [u8], buffers: &'a mut MaskBuffers) -> &'a [u8] {
        let mut masked = false;
        for rule in &self.rules {
            let text: &[u8] = if masked { &buffers.masked } else { message };
            if !rule.needs.met_by(text) {
                continue;
            }
            let mut matches = rule.regex.find_iter(text).map(|found| found.range()).peekable();
            if matches.peek().is_some() {
                replace(text, matches, &mut buffers.spare);
                std::mem::swap(&mut buffers.masked, &mut buffers.spare);
                masked = true;
            }
        }
        if masked { &buffers.masked } else { message }
    }
}

fn rule(pattern: &str) -> Result<Rule, MaskError> {
    let complaint = |why: String| MaskError { pattern: pattern.to_owned(), why };
    let first_line = |error: &dyn std::fmt::Display| {
        let text = error.to_string();
        text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    };
    let regex =
        Regex::new(pattern).map_err(|error| complaint(format!("is no regular expression: {}", first_line(&error))))?;
    if regex.is_match(b"") {
        return Err(complaint("matches where nothing is: make it match at least one character".into()));
    }
    let hir = regex_syntax::ParserBuilder::new().utf8(false).build().parse(pattern);
    let needs = hir.map_or(Needs::Nothing, |hir| Needs::of(&hir));
    Ok(Rule { regex, needs })
}

fn replace(text: &[u8], matches: impl Iterator<Item = Range<usize>>, into: &mut Vec<u8>) {
    into.clear();
    let mut from = 0;
    for found in matches {
        into.extend_from_slice(&text[from..found.start]);
        into.extend_from_slice(VARIABLE.as_bytes());
        from = found.end;
    }
    into.extend_from_slice(&text[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masked(patterns: &[&str], message: &str) -> String {
        let mut buffers = MaskBuffers::default();
        let masks = Masks::new(patterns).unwrap();
        String::from_utf8(masks.apply(message.as_bytes(), &mut buffers).to_vec()).unwrap()
    }

    #[test]
    fn rules_follow_one_another() {
        let hdfs = [r"blk_-?\d+", r"(\d+\.){3}\d+(:\d+)?"];
        assert_eq!(masked(&hdfs, "stored blk_-42 at /10.0.0.7:50010, blk_7"), "stored <*> at /<*>, <*>");
        assert_eq!(masked(&hdfs, "nothing here"), "nothing here");
        assert_eq!(masked(&[], "as it is 7"), "as it is 7");
        assert_eq!(masked(&[r"/.+?\s", r"\d+"], "GET /a/7 took 12 ms"), "GET <*>took <*> ms");
    }

    #[test]
    fn a_rule_that_cannot_be_used_is_told_with_its_text() {
        let error = Masks::new(&[r"core\.\d+", "(core"]).unwrap_err();
        assert_eq!(error.to_string(), "mask \"(core\" is no regular expression: unclosed group");
        assert!(Masks::new(&["x*"]).unwrap_err().to_string().contains("matches where nothing is"));
    }

    #[test]
    fn bytes_that_are_no_text_pass() {
        let mut buffers = MaskBuffers::default();
        let masks = Masks::new(&[r"\d+"]).unwrap();
        assert_eq!(masks.apply(b"\xff 12 \xfe", &mut buffers), b"\xff <*> \xfe");
    }

    #[test]
    fn what_a_match_needs_is_read_off_its_rule() {
        let needs = |pattern: &str| match rule(pattern).unwrap().needs {
            Needs::Nothing => "nothing".to_owned(),
            Needs::Digit => "digit".to_owned(),
            Needs::Text(finder) => String::from_utf8(finder.needle().to_vec()).unwrap(),
        };
        assert_eq!(needs(r"core\.\d+"), "core.");
        assert_eq!(needs(r"(/|)(\d+\.){3}\d+(:\d+)?"), ".");
        assert_eq!(needs(r"\d{2}:\d{2}:\d{2}"), ":");
        assert_eq!(needs(r"\d+"), "digit");
        assert_eq!(needs(r"((\d+\.){3}\d+,?)+"), ".");
        assert_eq!(needs(r"a|b"), "nothing");
        assert_eq!(needs(r"(?i)core"), "nothing");
        assert_eq!(needs(r"[\d.]+"), "nothing");
    }

    proptest! {
        #[test]
        fn a_look_ahead_changes_nothing(message in "[a-e0-3.:/= ٣-]{0,40}") {
            for pattern in [r"(/|)(\d+\.){3}\d+(:\d+)?", r"\d+", r"=\d+", r"\d{2}:\d{2}:\d{2}", r"/.+?\s", r"(a|b.)+c?", r"[\d.]+", r"a(\d+)"] {
                let plain = Regex::new(pattern).unwrap().replace_all(message.as_bytes(), b"<*>" as &[u8]).into_owned();
                prop_assert_eq!(masked(&[pattern], &message).into_bytes(), plain);
            }
        }
    }
}
