//! What the verdict would be if the log said something else: words of it masked or replaced, asked at once as the
//! evidence is, so that the answer comes in one short batch and no reasoning has to be written for it.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::asking::{AskError, Asked};
use super::verdict::{Margins, words};
use crate::logs::VARIABLE;

/// A stretch of a log, and what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where, in bytes.
    pub range: Range<usize>,
    /// What stands there instead.
    pub with: String,
}

impl Change {
    /// The stretch as a variable: `<*>`.
    pub fn mask(range: Range<usize>) -> Self {
        Self { range, with: VARIABLE.to_owned() }
    }
}

/// What the verdict would be if the log said something else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counterfactual {
    /// What was masked or replaced, in the order of the log.
    pub masked: Vec<String>,
    /// The log as it reads then.
    pub input: String,
    /// The log-odds of `abnormal` then, with the answer right behind the question.
    pub margin: f64,
    /// That less the same margin of the log as it is.
    pub delta: f64,
}

/// For people, in a line.
impl fmt::Display for Counterfactual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked: Vec<String> = self.masked.iter().map(|word| format!("{word:?}")).collect();
        let (words, margin, delta) = (masked.join(", "), self.margin, self.delta);
        write!(f, "without {words} the margin asked at once is {margin:+.2} ({delta:+.2}): {:?}", self.input)
    }
}

/// What cannot be masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log does not say {0:?}: give a word as it stands there")]
pub struct NotThere(pub String);

/// Where the words of a log stand, in bytes.
pub fn log_words(log: &str) -> Vec<Range<usize>> {
    words(log).collect()
}

/// Every place where `log` says `said` as whole words.
///
/// # Errors
/// When it does not say it.
pub fn places(log: &str, said: &str) -> Result<Vec<Range<usize>>, NotThere> {
    let said = said.trim();
    let whole = |at: usize| {
        let (before, after) = (&log[..at], &log[at + said.len()..]);
        let joins = |inside: Option<char>, outside: Option<char>| {
            inside.is_some_and(char::is_alphanumeric) && outside.is_some_and(char::is_alphanumeric)
        };
        !joins(said.chars().next(), before.chars().next_back())
            && !joins(said.chars().next_back(), after.chars().next())
    };
    let found = log.match_indices(said).map(|(at, _)| at).filter(|_| !said.is_empty()).filter(|at| whole(*at));
    let places: Vec<Range<usize>> = found.map(|at| at..at + said.len()).collect();
    if places.is_empty() { Err(NotThere(said.to_owned())) } else { Ok(places) }
}

/// The log with the changes made; of two that overlap the first counts.
pub fn changed(log: &str, changes: &[Change]) -> String {
    let mut text = String::new();
    let mut at = 0;
    for change in in_order(changes) {
        if let Some(kept) = log.get(at..change.range.start)
            && log.is_char_boundary(change.range.end)
        {
            text.push_str(kept);
            text.push_str(&change.with);
            at = change.range.end;
        }
    }
    text.push_str(&log[at..]);
    text
}

fn in_order(changes: &[Change]) -> Vec<&Change> {
    let mut changes: Vec<&Change> = changes.iter().collect();
    changes.sort_by_key(|change| change.range.start);
    changes
}

/// Asks for the margin of the log with the changes made. `as_it_is` is the margin at once of the log as it is, if that is
/// known already. `None` if `go_on` said no.
///
/// # Errors
/// When nothing of the log is left, or the model fails.
pub fn what_if(
    asked: Asked<'_>,
    log: &str,
    as_it_is: Option<f64>,
    changes: &[Change],
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<Counterfactual>, AskError> {
    let input = changed(log, changes);
    let mut logs = vec![input.as_str()];
    if as_it_is.is_none() {
        logs.push(log);
    }
    let Some(margins) = Margins::new(asked).at_once(&logs, go_on)? else { return Ok(None) };
    let margin = margins[0];
    let before = as_it_is.unwrap_or_else(|| margins[1]);
    let masked = in_order(changes).into_iter().filter_map(|change| log.get(change.range.clone()));
    let masked = masked.map(str::to_owned).collect();
    Ok(Some(Counterfactual { masked, input, margin, delta: margin - before }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_word_is_masked_wherever_it_stands_alone() {
        let log = "ciod: Error in ciod2, Error: é-Error";
        let mask = |said: &str| {
            let changes: Vec<Change> = places(log, said).unwrap().into_iter().map(Change::mask).collect();
            changed(log, &changes)
        };
        assert_eq!(mask("ciod"), "<*>: Error in ciod2, Error: é-Error");
        assert_eq!(mask(" Error "), "ciod: <*> in ciod2, <*>: é-<*>");
        assert_eq!(mask("Error in ciod2,"), "ciod: <*> Error: é-Error");
        assert_eq!(places(log, "cio"), Err(NotThere("cio".into())));
        assert!(places(log, "").is_err());
    }

    #[test]
    fn changes_are_made_in_the_order_of_the_log_and_overlaps_once() {
        let change = |range: Range<usize>, with: &str| Change { range, with: with.to_owned() };
        assert_eq!(changed("a b c", &[change(4..5, "z"), change(0..1, "x")]), "x b z");
        assert_eq!(changed("a b c", &[change(0..3, "x"), change(2..5, "y")]), "x c");
        assert_eq!(changed("é", &[change(0..1, "x")]), "é");
        assert_eq!(changed("a", &[change(3..9, "x")]), "a");
    }

    proptest! {
        #[test]
        fn what_is_not_changed_stays(log in "\\PC{0,30}", from in 0usize..40, to in 0usize..40, with in "[a-z]{0,4}") {
            let text = changed(&log, &[Change { range: from.min(to)..from.max(to), with: with.clone() }]);
            if log.get(from.min(to)..from.max(to)).is_none() {
                prop_assert_eq!(text, log);
            } else {
                prop_assert_eq!(text, format!("{}{with}{}", &log[..from.min(to)], &log[from.max(to)..]));
            }
        }

        #[test]
        fn words_can_be_found_where_they_stand(log in "[a-z:. ]{1,30}") {
            for word in log_words(&log) {
                prop_assert!(places(&log, &log[word.clone()]).unwrap().contains(&word));
            }
        }
    }
}
