//! Plain header formats, split by hand: each field ends at the first place where what follows it stands.

use super::{Header, Role, is_blank};

/// Text between fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// One or more blanks, all there are.
    Blanks,
    Byte(u8),
}

/// What stands between two fields.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Separator {
    /// Whether a field in brackets may stand before it, as in `(\[<PID>\])?: `.
    bracketed: bool,
    pieces: Vec<Piece>,
}

/// A format's fields in order, each with what ends it; the last ends with the line.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    start: Vec<Piece>,
    fields: Vec<(Role, Separator)>,
    last: Role,
}

impl Plan {
    /// The plan of a format, if it is plain: literal text, blanks, and brackets that may be missing.
    pub fn new(roles: &[Role], between: &[&str]) -> Option<Self> {
        let start = pieces(between.first()?)?;
        if !between.last()?.is_empty() {
            return None;
        }
        let mut fields = Vec::new();
        let mut index = 0;
        while index + 1 < roles.len() {
            let text = between[index + 1];
            if text == r"(\[" && index + 2 < roles.len() {
                // A field that may be missing tells nothing: it would not be known as missing.
                let rest = between[index + 2].strip_prefix(r"\])?")?;
                if roles[index + 1] != Role::Other {
                    return None;
                }
                fields.push((roles[index], Separator { bracketed: true, pieces: pieces(rest)? }));
                index += 2;
            } else {
                fields.push((roles[index], Separator { bracketed: false, pieces: pieces(text)? }));
                index += 1;
            }
        }
        if fields.iter().any(|(_, separator)| separator.pieces.is_empty()) {
            return None;
        }
        Some(Self { start, fields, last: *roles.get(index)? })
    }

    /// What the header of a line without blanks around it tells. `None` does not mean that the line is of another
    /// format: a field may have to be longer than it can be for the rest to fit.
    pub fn read<'l>(&self, line: &'l [u8]) -> Option<Header<'l>> {
        let mut header = Header { content: &[], tag: None, node: None };
        let mut at = after(line, 0, &self.start)?;
        for (role, separator) in &self.fields {
            let (end, next) = separator.find(line, at)?;
            set(&mut header, *role, &line[at..end]);
            at = next;
        }
        set(&mut header, self.last, &line[at..]);
        Some(header)
    }
}

fn set<'l>(header: &mut Header<'l>, role: Role, field: &'l [u8]) {
    match role {
        Role::Content => header.content = field,
        Role::Tag => header.tag = Some(field),
        Role::Node => header.node = Some(field),
        Role::Other => {}
    }
}

impl Separator {
    /// Where it first stands in `line` from `from` on, and where what follows it begins.
    fn find(&self, line: &[u8], from: usize) -> Option<(usize, usize)> {
        if self.bracketed {
            return self.find_bracketed(line, from);
        }
        match self.pieces[0] {
            Piece::Blanks => (from..line.len())
                .filter(|&at| is_blank(line[at]))
                .find_map(|at| after(line, at, &self.pieces).map(|next| (at, next))),
            Piece::Byte(byte) => memchr::memchr_iter(byte, &line[from..])
                .find_map(|offset| after(line, from + offset, &self.pieces).map(|next| (from + offset, next))),
        }
    }

    fn find_bracketed(&self, line: &[u8], from: usize) -> Option<(usize, usize)> {
        // Once no bracket closes as it must, none later does.
        let mut may_close = true;
        for at in from..line.len() {
            if line[at] == b'[' && may_close {
                let closed = memchr::memchr_iter(b']', &line[at + 1..])
                    .find_map(|offset| after(line, at + 1 + offset + 1, &self.pieces));
                match closed {
                    Some(next) => return Some((at, next)),
                    None => may_close = false,
                }
            }
            if let Some(next) = after(line, at, &self.pieces) {
                return Some((at, next));
            }
        }
        None
    }
}

/// Where `line` goes on if the pieces stand at `at`.
fn after(line: &[u8], at: usize, pieces: &[Piece]) -> Option<usize> {
    let mut at = at;
    for piece in pieces {
        match piece {
            Piece::Byte(byte) => {
                if line.get(at) != Some(byte) {
                    return None;
                }
                at += 1;
            }
            Piece::Blanks => {
                let blanks = line.get(at..)?.iter().take_while(|byte| is_blank(**byte)).count();
                if blanks == 0 {
                    return None;
                }
                at += blanks;
            }
        }
    }
    Some(at)
}

/// The pieces of a text without anything that a regular expression would act on.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' => {
                if pieces.last() != Some(&Piece::Blanks) {
                    pieces.push(Piece::Blanks);
                }
            }
            b'\\' => match bytes.next() {
                Some(escaped) if escaped.is_ascii_punctuation() => pieces.push(Piece::Byte(escaped)),
                _ => return None,
            },
            b'.' | b'^' | b'$' | b'*' | b'+' | b'?' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'|' => return None,
            // Blanks of another kind are literal, and would be taken for part of a run.
            _ if is_blank(byte) => return None,
            _ => pieces.push(Piece::Byte(byte)),
        }
    }
    Some(pieces)
}
