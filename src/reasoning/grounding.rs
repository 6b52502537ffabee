//! Grounding: what a step of reasoning claims of the log, and whether the log says it.
//!
//! A claim is something that a step says as if it stood in the log: a quotation, a number, an identifier, or a word. The
//! first three are hard claims: one that the log does not contain is made up. A word that the log does not contain may
//! be an inference ("hardware"), so it is marked and does not make a step ungrounded.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// What a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimKind {
    /// Text between quotation marks or backticks.
    Quotation,
    /// A number, decimal or hexadecimal.
    Number,
    /// A name with digits, punctuation or a capital inside, such as `ciod`'s `R02-M1-N0` or `dfs.DataNode`.
    Identifier,
    /// A plain word that is not one of those that any reasoning needs.
    Word,
}

impl ClaimKind {
    /// Whether saying it of a log that does not contain it is making it up.
    pub fn is_hard(self) -> bool {
        self != Self::Word
    }
}

/// Something that a step says of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed, as the step has it, without quotation marks.
    pub text: String,
    /// What it is.
    pub kind: ClaimKind,
    /// Where it stands in the step, in bytes.
    pub range: Range<usize>,
    /// Whether the log contains it.
    pub in_log: bool,
}

/// A log, ready to be looked up in.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// In lower case, white space collapsed.
    text: String,
    words: HashSet<String>,
    numbers: HashSet<String>,
}

impl Evidence {
    /// What `log` says.
    pub fn of(log: &str) -> Self {
        let text = normal(log);
        let pieces = || text.split(|c: char| !c.is_alphanumeric()).filter(|piece| !piece.is_empty());
        let words = pieces().map(stem).collect();
        let whole = text.split(|c: char| c.is_whitespace() || "()[]{},;=\"'`".contains(c));
        let numbers = whole.chain(pieces()).filter_map(number).collect();
        Self { text, words, numbers }
    }

    fn contains(&self, claim: &str, kind: ClaimKind) -> bool {
        let claim = normal(claim);
        match kind {
            ClaimKind::Number => number(&claim).is_some_and(|number| self.numbers.contains(&number)),
            ClaimKind::Word => self.words.contains(&stem(&claim)),
            // The full stop of the sentence may stand inside the quotation marks.
            ClaimKind::Quotation => {
                let whole = ["⟨*⟩", "...", "…"].iter().fold(claim, |claim, left_out| claim.replace(left_out, "<*>"));
                self.has(&whole) || self.has(whole.trim_end_matches(['.', ',', ';', ':', '!', '?']))
            }
            // "r13/r14" names two things.
            ClaimKind::Identifier => {
                let several = claim.contains('/') && claim.split('/').all(|part| !part.is_empty());
                self.has(&claim) || several && claim.split('/').all(|part| self.has(part))
            }
        }
    }

    /// Whether the text has this, in which a template's variable stands for anything.
    fn has(&self, claim: &str) -> bool {
        let mut rest = self.text.as_str();
        claim.split("<*>").map(str::trim).filter(|part| !part.is_empty()).all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }
}

/// What `step` claims of the log, in the order in which it says it.
pub fn claims(step: &str, log: &Evidence) -> Vec<Claim> {
    let mut claims = Vec::new();
    let mut push = |range: Range<usize>, kind: ClaimKind| {
        let text = &step[range.clone()];
        claims.push(Claim { text: text.to_owned(), kind, in_log: log.contains(text, kind), range });
    };
    let mut at = lead(step);
    while let Some(character) = step[at..].chars().next() {
        if let Some(inside) = quotation(step, at) {
            let after = inside.end + step[inside.end..].chars().next().map_or(0, char::len_utf8);
            push(inside, ClaimKind::Quotation);
            at = after;
        } else if character.is_alphanumeric() || character == '/' {
            let token = token(step, at);
            at = token.end;
            if let Some(kind) = kind_of(&step[token.clone()]).filter(|kind| !refers_to_a_step(step, &token, *kind)) {
                push(token, kind);
            }
        } else {
            at += character.len_utf8();
        }
    }
    claims
}

/// Whether a word of a log is one of those that a claim of this kind rests on: the claim itself in any of its forms, or a
/// word of what it quotes.
pub fn supports(word: &str, claim: &str, kind: ClaimKind) -> bool {
    let said = || normal(word);
    Evidence::of(word).contains(claim, kind)
        || (kind == ClaimKind::Quotation && normal(claim).split(' ').any(|part| part == said()))
}

/// Whether every hard claim of a step stands in the log; `None` where it makes none.
pub fn is_grounded(claims: &[Claim]) -> Option<bool> {
    let hard: Vec<&Claim> = claims.iter().filter(|claim| claim.kind.is_hard()).collect();
    (!hard.is_empty()).then(|| hard.iter().all(|claim| claim.in_log))
}

/// The length of the step's own number: `1. `, `2) `, `Step 3: `.
fn lead(step: &str) -> usize {
    let after = step.trim_start_matches(|c: char| c.is_whitespace() || "#*-".contains(c));
    let named = after.strip_prefix("Step ").or_else(|| after.strip_prefix("step ")).unwrap_or(after);
    let rest = named.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = rest.len() < named.len() && rest.starts_with(['.', ')', ':']);
    // "1.5 volts" is no step number.
    let decimal = rest.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if numbered && !decimal { step.len() - rest.len() + 1 } else { 0 }
}

/// "as step 4 says" counts nothing in the log.
fn refers_to_a_step(step: &str, token: &Range<usize>, kind: ClaimKind) -> bool {
    let before = step[..token.start].trim_end().to_lowercase();
    kind == ClaimKind::Number && ["step", "steps", "rule", "point"].iter().any(|word| before.ends_with(word))
}

/// The inside of the quotation that opens at `at`, if one does and closes within the step.
fn quotation(step: &str, at: usize) -> Option<Range<usize>> {
    let open = step[at..].chars().next()?;
    let close = match open {
        '"' | '`' => open,
        '“' => '”',
        '‘' => '’',
        // An apostrophe stands after a letter; a quotation mark does not.
        '\'' if !step[..at].ends_with(char::is_alphanumeric) => '\'',
        _ => return None,
    };
    let start = at + open.len_utf8();
    let rest = &step[start..];
    let end = match close {
        // Inside single quotes "doesn't" does not close.
        '\'' => rest.match_indices('\'').find(|(at, _)| !rest[at + 1..].starts_with(char::is_alphanumeric))?.0,
        _ => rest.find(close)?,
    };
    let inside = rest[..end].trim();
    (!inside.is_empty()).then(|| {
        let lead = rest[..end].len() - rest[..end].trim_start().len();
        start + lead..start + lead + inside.len()
    })
}

/// The word, number or name that starts at `at`, without the punctuation of the sentence around it.
fn token(step: &str, at: usize) -> Range<usize> {
    let inside = |c: char| c.is_alphanumeric() || "._/:-@$%#+<*>".contains(c);
    let length = step[at..].find(|c| !inside(c)).unwrap_or(step.len() - at);
    let length = sentence_end(&step[at..at + length]).unwrap_or(length);
    let trimmed = step[at..at + length].trim_end_matches(['.', ':', '-', '/', '+', '<', '#']);
    at..at + trimmed.len().max(step[at..].chars().next().map_or(1, char::len_utf8))
}

/// Where a sentence ends inside a token, as in "of its directory.First": before a full stop that an ordinary word with a
/// capital follows.
fn sentence_end(token: &str) -> Option<usize> {
    token.match_indices('.').map(|(at, _)| at).find(|at| {
        let (before, after) = (&token[..*at], &token[at + 1..]);
        let capital = after.starts_with(char::is_uppercase);
        !before.is_empty()
            && before.chars().all(char::is_alphabetic)
            && capital
            && ORDINARY.contains(after.to_lowercase().as_str())
    })
}

/// A word in capitals, or several joined by a stroke or a hyphen: "CPU", "I/O", "BIOS/firmware". It names a kind of thing, as
/// "processor" does, and no particular one.
fn is_abbreviation(token: &str) -> bool {
    token.split(['/', '-']).all(|part| {
        let all = |is: fn(char) -> bool| !part.is_empty() && part.chars().all(is);
        all(char::is_uppercase)
            || all(char::is_lowercase)
            || part.strip_suffix('s').is_some_and(|one| one.len() > 1 && one.chars().all(char::is_uppercase))
    })
}

fn kind_of(token: &str) -> Option<ClaimKind> {
    if number(&token.to_lowercase()).is_some() {
        return Some(ClaimKind::Number);
    }
    if ["e.g", "i.e"].contains(&token.to_lowercase().as_str()) {
        return None;
    }
    let letters = token.chars().filter(|c| c.is_alphabetic()).count();
    let capitals = token.chars().skip(1).filter(|c| c.is_uppercase()).count();
    let digits = token.chars().any(|c| c.is_ascii_digit());
    // "read-only" and "and/or" are words; "R02-M1" and "/bgl/job" are names.
    let joined = token.contains(['.', '_', ':', '@', '$', '#', '<']) || token.starts_with('/');
    let named = capitals > 0 && letters > 1 && !is_abbreviation(token);
    if letters + usize::from(digits) > 0 && (digits || joined || named) {
        return Some(ClaimKind::Identifier);
    }
    let plain = token.to_lowercase();
    (letters > 2 && !ORDINARY.contains(plain.as_str())).then_some(ClaimKind::Word)
}

/// Lower case, each run of white space one blank.
fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// A number in one form: no leading zeros, commas or plus, no zeros after the last decimal; hexadecimal as it is.
fn number(word: &str) -> Option<String> {
    let word = word.trim_matches(['.', ',', ':', ';', '%', '+']);
    if let Some(hex) = word.strip_prefix("0x") {
        let trimmed = hex.trim_start_matches('0');
        return (!hex.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit())).then(|| format!("0x{trimmed}"));
    }
    let (sign, plain) = word.strip_prefix('-').map_or(("", word), |rest| ("-", rest));
    let plain = plain.replace(',', "");
    let (whole, part) = plain.split_once('.').unwrap_or((&plain, ""));
    let all_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(part) {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    match part.trim_end_matches('0') {
        "" => Some(format!("{sign}{whole}")),
        part => Some(format!("{sign}{whole}.{part}")),
    }
}

/// A word without the commonest English endings, so that "errors" finds "error" and "failed" finds "failing".
fn stem(word: &str) -> String {
    let word = word.trim_end_matches("'s");
    for ending in ["ing", "ed", "es", "s"] {
        if let Some(stem) = word.strip_suffix(ending).filter(|stem| stem.chars().count() >= 3) {
            return stem.trim_end_matches('e').to_owned();
        }
    }
    word.trim_end_matches('e').to_owned()
}

/// Words that any reasoning about a log needs; they claim nothing of it.
static ORDINARY: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("../../assets/ordinary_words.txt").split_whitespace().collect());

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(step: &str, log: &str) -> Vec<(String, ClaimKind, bool)> {
        claims(step, &Evidence::of(log)).into_iter().map(|claim| (claim.text, claim.kind, claim.in_log)).collect()
    }

    fn hard(step: &str, log: &str) -> Vec<(String, bool)> {
        told(step, log)
            .into_iter()
            .filter(|(_, kind, _)| kind.is_hard())
            .map(|(text, _, found)| (text, found))
            .collect()
    }

    #[test]
    fn quotations_numbers_and_names_are_looked_up_in_the_log() {
        let log = "ciod: Error loading /bgl/apps/job.exe: invalid image on R02-M1-N0, rank 007";
        let step = "2. \"Error  loading\" at /bgl/apps/job.exe on R02-M1-N0 for rank 7, and `segfault` at 0x1f.";
        let expected = [
            ("Error  loading", true),
            ("/bgl/apps/job.exe", true),
            ("R02-M1-N0", true),
            ("7", true),
            ("segfault", false),
            ("0x1f", false),
        ];
        assert_eq!(hard(step, log), expected.map(|(text, found)| (text.to_owned(), found)));
        assert_eq!(is_grounded(&claims(step, &Evidence::of(log))), Some(false));
        assert_eq!(is_grounded(&claims("1. It says so.", &Evidence::of(log))), None);
    }

    #[test]
    fn a_word_of_the_log_supports_what_is_said_of_it() {
        assert!(supports("Error", "errors", ClaimKind::Word) && !supports("Error", "terror", ClaimKind::Word));
        assert!(supports("rank=007,", "7", ClaimKind::Number) && !supports("rank=17", "7", ClaimKind::Number));
        assert!(supports("R02-M1-N0:", "R02-M1", ClaimKind::Identifier));
        let quoted = "Error  loading";
        assert!(supports("loading", quoted, ClaimKind::Quotation) && !supports("load", quoted, ClaimKind::Quotation));
    }

    #[test]
    fn a_steps_own_number_is_no_claim_and_a_measure_is() {
        assert!(hard("1. It fails.", "x").is_empty());
        assert!(hard("Step 12: It fails.", "x").is_empty());
        assert_eq!(hard("1.5 volts is low", "supply at 1.50 V"), [("1.5".to_owned(), true)]);
        assert_eq!(hard("- 3 retries", "retried 3 times"), [("3".to_owned(), true)]);
    }

    #[test]
    fn a_word_of_the_log_is_found_in_its_other_forms_and_an_inference_is_marked() {
        let words = told("The links failed, so the hardware is suspect", "link failing on node");
        let expected = [("links", true), ("failed", true), ("hardware", false), ("suspect", false)];
        assert_eq!(words, expected.map(|(text, found)| (text.to_owned(), ClaimKind::Word, found)));
    }

    #[test]
    fn what_names_a_kind_of_thing_or_a_step_is_no_claim_of_the_log() {
        let log = "ciod: r13=0x1 r14=0x2 program image too big";
        assert!(
            hard("As step 4 says, the CPU, the I/O nodes and the BIOS/firmware (e.g. its clock) are fine.", log)
                .is_empty()
        );
        let found = hard("It says \"image too big.\" of r13/r14, \"program ... big\" and r13/r15.", log);
        let expected = [("image too big.", true), ("r13/r14", true), ("program ... big", true), ("r13/r15", false)];
        assert_eq!(found, expected.map(|(text, found)| (text.to_owned(), found)));
        assert!(hard("It names a directory.First I look.", log).is_empty(), "a full stop without a blank");
        assert_eq!(hard("dfs.DataNode", log), [("dfs.DataNode".to_owned(), false)]);
    }

    #[test]
    fn apostrophes_do_not_quote_and_variables_match_anything() {
        assert!(hard("It doesn't say why the node's down", "x").is_empty());
        let found = hard("'torus receiver <*> retraining' isn't rare", "torus receiver y+ retraining: 200 attempts");
        assert_eq!(found, [("torus receiver <*> retraining".to_owned(), true)]);
    }

    proptest! {
        #[test]
        fn every_claim_is_where_it_says(step in "\\PC{0,80}", log in "\\PC{0,40}") {
            for claim in claims(&step, &Evidence::of(&log)) {
                prop_assert_eq!(&step[claim.range.clone()], &claim.text);
            }
        }

        #[test]
        fn a_log_that_is_quoted_contains_itself(log in "[a-z0-9./: -]{1,40}") {
            let step = format!("It says \"{log}\"");
            for claim in claims(&step, &Evidence::of(&log)) {
                prop_assert!(claim.in_log || claim.kind != ClaimKind::Quotation, "{:?}", claim);
            }
        }
    }
}
