//! The keyword rule: what a list of alarming words is worth. A model that does not beat it has learnt nothing.
//!
//! A text is abnormal if it holds a word of [`GRAVE`], or a word of [`ALARMING`] and none of [`CALMING`]; what only reads
//! out a counter is neither. The lists name no machine, no daemon and no dataset, but they were written with the BGL and
//! Spirit templates in view, so on those the rule is a little better than it would be elsewhere.

use crate::labels::Label;

/// Alarming whatever else is said.
const GRAVE: &[&str] = &["emergency", "fatal", "panic*", "uncorrectable", "uncorrected", "unrecoverable"];

/// Alarming unless something calming is said too. `*` stands for any letters at the start or the end of a word.
const ALARMING: &[&str] = &[
    "*error",
    "*exception",
    "abnormal*",
    "abort*",
    "assert",
    "assertion",
    "bad",
    "broken pipe",
    "can't",
    "cannot",
    "check condition",
    "corrupt*",
    "could not",
    "crash*",
    "deactivated",
    "deadlock*",
    "denied",
    "disconnected",
    "do not match",
    "does not exist",
    "errors",
    "exceeds threshold",
    "exploit",
    "fail",
    "failed",
    "fails",
    "failure",
    "failures",
    "fault",
    "faults",
    "faulty",
    "halted",
    "hung",
    "illegal",
    "incorrect*",
    "invalid",
    "leaked",
    "lost",
    "machine check",
    "mismatch",
    "no route",
    "no such",
    "not available",
    "not found",
    "not fully functional",
    "not ready",
    "not responding",
    "oops",
    "orphan",
    "out of memory",
    "overflow",
    "overheat*",
    "parity",
    "problem",
    "problems",
    "refused",
    "segfault*",
    "segmentation violation",
    "terminated",
    "timed out",
    "timeout",
    "unable",
    "unauthorized",
    "unexpected",
    "unreachable",
    "unrecognized",
];

/// What makes an alarm routine: it was dealt with, it is a notice, or it is a user's slip.
const CALMING: &[&str] = &[
    "0 error",
    "0 errors",
    "assuming",
    "attempting to correct",
    "authentication",
    "cache decay",
    "corrected",
    "enabled",
    "has been started",
    "login",
    "no alerts",
    "no error",
    "no errors",
    "recovered",
    "reset is",
    "retry*",
    "reverting",
    "simulating",
    "still trying",
    "success*",
    "supported",
    "suppressing",
    "try again",
    "usage",
    "using",
    "warning",
    "without error",
    "without errors",
];

/// The keyword rule, its lists taken apart once.
#[derive(Debug, Clone)]
pub struct KeywordRule {
    grave: Vec<Phrase>,
    alarming: Vec<Phrase>,
    calming: Vec<Phrase>,
}

impl Default for KeywordRule {
    fn default() -> Self {
        let phrases = |list: &[&str]| list.iter().map(|phrase| Phrase::new(phrase)).collect();
        Self { grave: phrases(GRAVE), alarming: phrases(ALARMING), calming: phrases(CALMING) }
    }
}

impl KeywordRule {
    /// What it is called as the source of a suggestion.
    pub const SOURCE: &str = "keyword rule";

    /// The name that reports and the command line know it by.
    pub const NAME: &'static str = "keyword";

    /// What the rule says of a log. It always says something.
    pub fn judge(&self, log: &str) -> Label {
        let words = words(log);
        let holds = |phrases: &[Phrase]| phrases.iter().any(|phrase| phrase.is_in(&words));
        let alarmed =
            !reads_out_a_counter(log) && (holds(&self.grave) || (holds(&self.alarming) && !holds(&self.calming)));
        if alarmed { Label::Abnormal } else { Label::Normal }
    }
}

/// Words in a row.
#[derive(Debug, Clone)]
struct Phrase(Vec<Pattern>);

#[derive(Debug, Clone)]
struct Pattern {
    letters: String,
    any_before: bool,
    any_after: bool,
}

impl Phrase {
    fn new(phrase: &str) -> Self {
        Self(
            phrase
                .split(' ')
                .map(|word| Pattern {
                    letters: word.trim_matches('*').to_owned(),
                    any_before: word.starts_with('*'),
                    any_after: word.ends_with('*'),
                })
                .collect(),
        )
    }

    fn is_in(&self, words: &[String]) -> bool {
        words.windows(self.0.len()).any(|window| self.0.iter().zip(window).all(|(pattern, word)| pattern.fits(word)))
    }
}

impl Pattern {
    fn fits(&self, word: &str) -> bool {
        match (self.any_before, self.any_after) {
            (false, false) => word == self.letters,
            (true, false) => word.ends_with(&self.letters),
            (false, true) => word.starts_with(&self.letters),
            (true, true) => word.contains(&self.letters),
        }
    }
}

/// Lower-case words and numbers: runs of letters (an apostrophe within counts as one), and runs of digits.
fn words(text: &str) -> Vec<String> {
    #[derive(PartialEq, Clone, Copy)]
    enum Kind {
        Letters,
        Digits,
    }
    let mut words: Vec<String> = Vec::new();
    let mut last: Option<Kind> = None;
    for character in text.chars() {
        let kind = if character.is_alphabetic() || (character == '\'' && last == Some(Kind::Letters)) {
            Some(Kind::Letters)
        } else if character.is_ascii_digit() {
            Some(Kind::Digits)
        } else {
            None
        };
        match (kind, words.last_mut()) {
            (Some(_), Some(word)) if kind == last => word.extend(character.to_lowercase()),
            (Some(_), _) => words.push(character.to_lowercase().collect()),
            (None, _) => {}
        }
        last = kind;
    }
    words
}

/// Whether a line ends as a read-out does: leader dots and a zero or a variable, such as `parity error.......0`.
fn reads_out_a_counter(log: &str) -> bool {
    let log = log.trim_end();
    let value = log.strip_suffix("<*>").or_else(|| log.strip_suffix('0')).unwrap_or("").trim_end();
    value.ends_with("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarms(log: &str) -> bool {
        KeywordRule::default().judge(log) == Label::Abnormal
    }

    #[test]
    fn alarming_words_alarm_as_whole_words() {
        for log in ["kernel panic", "LustreError: <*>", "connect: Connection refused", "error-46:SRAM", "can't open x"]
        {
            assert!(alarms(log), "{log}");
        }
        for log in ["session opened for user root", "terrorist", "badge reader attached", "generating core.<*>"] {
            assert!(!alarms(log), "{log}");
        }
    }

    #[test]
    fn what_was_dealt_with_does_not_alarm_but_what_is_grave_does() {
        assert!(!alarms("total of <*> ddr error(s) detected and corrected"));
        assert!(!alarms("im_eof, No error from addr <*>"));
        assert!(!alarms("completed with 0 errors"));
        assert!(alarms("WARNING: hpasmd: An Unrecoverable System Error (NMI) has occurred"));
    }

    #[test]
    fn a_counter_that_is_read_out_does_not_alarm() {
        assert!(!alarms("parity error.......0"));
        assert!(!alarms("overflow exception.......................<*>"));
        assert!(alarms("parity error in unit 0"));
    }

    #[test]
    fn words_break_where_letters_and_digits_meet() {
        assert_eq!(words("CPU0: can't 'read' 12x"), ["cpu", "0", "can't", "read'", "12", "x"]);
    }
}
