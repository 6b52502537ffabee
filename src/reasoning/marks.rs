//! What reviewers say of single steps: right, wrong, or nothing yet.
//!
//! A mark is on a step as it read then. Where the text was edited since, the mark goes with the step that still reads so,
//! and is gone with a step that does not.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ItemKind, Step};

/// What a reviewer says of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It holds.
    Right,
    /// It does not.
    Wrong,
    /// Nothing, or nothing any more.
    #[default]
    Unjudged,
}

impl Mark {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Unjudged => "unjudged",
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Mark {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.trim().to_ascii_lowercase().as_str() {
            "right" => Ok(Self::Right),
            "wrong" => Ok(Self::Wrong),
            "unjudged" => Ok(Self::Unjudged),
            _ => Err(format!("\"{word}\" is none of right, wrong, unjudged")),
        }
    }
}

/// A reviewer's mark on a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepMark {
    /// What kind of item.
    pub kind: ItemKind,
    /// Its id.
    pub item: String,
    /// Who marked.
    pub reviewer: String,
    /// Which step, from 1, as the text was then.
    pub step: usize,
    /// The step's text then.
    pub text: String,
    /// What was said.
    pub mark: Mark,
    /// When.
    pub at: Timestamp,
}

/// What one reviewer says of an item's steps as they are now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepMarks {
    /// Who.
    pub reviewer: String,
    /// A mark for each step.
    pub marks: Vec<Mark>,
}

impl StepMarks {
    /// What each reviewer says of `steps`, by name. `marks` are in the order in which they were made: the newest counts.
    pub fn of(steps: &[Step], marks: &[StepMark]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for mark in marks {
            let Some(place) = place(steps, mark) else { continue };
            let at = all.iter().position(|known| known.reviewer == mark.reviewer).unwrap_or_else(|| {
                all.push(Self { reviewer: mark.reviewer.clone(), marks: vec![Mark::Unjudged; steps.len()] });
                all.len() - 1
            });
            all[at].marks[place] = mark.mark;
        }
        all.sort_by(|a, b| a.reviewer.cmp(&b.reviewer));
        all
    }

    /// The first step that is marked wrong, from 1.
    pub fn first_wrong(&self) -> Option<usize> {
        self.marks.iter().position(|mark| *mark == Mark::Wrong).map(|place| place + 1)
    }
}

/// The step that a mark is on: the one of its number if it reads the same still, else the only one that does.
fn place(steps: &[Step], mark: &StepMark) -> Option<usize> {
    let reads_so = |step: &Step| step.text == mark.text;
    let numbered = mark.step.checked_sub(1).filter(|&place| steps.get(place).is_some_and(reads_so));
    numbered.or_else(|| {
        let mut same = steps.iter().enumerate().filter(|(_, step)| reads_so(step));
        let first = same.next()?;
        same.next().is_none().then_some(first.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasoning::parse;

    fn mark(reviewer: &str, step: usize, text: &str, mark: Mark) -> StepMark {
        let (kind, item, at) = (ItemKind::Rationale, "r".to_owned(), Timestamp::UNIX_EPOCH);
        StepMark { kind, item, reviewer: reviewer.into(), step, text: text.into(), mark, at }
    }

    #[test]
    fn the_newest_mark_of_each_reviewer_counts_and_goes_with_its_step() {
        let before = [
            mark("ana", 1, "1. a", Mark::Right),
            mark("bo", 2, "2. b", Mark::Wrong),
            mark("ana", 2, "2. b", Mark::Right),
            mark("ana", 2, "2. b", Mark::Wrong),
        ];
        let steps = parse("<think>1. a\n2. b</think>").steps;
        let marks = StepMarks::of(&steps, &before);
        assert_eq!(marks.iter().map(|one| one.reviewer.as_str()).collect::<Vec<_>>(), ["ana", "bo"]);
        assert_eq!(marks[0].marks, [Mark::Right, Mark::Wrong]);
        assert_eq!((marks[0].first_wrong(), marks[1].marks[0]), (Some(2), Mark::Unjudged));
        let edited = parse("<think>1. new\n2. a step\n2. b</think>").steps;
        let after = StepMarks::of(&edited, &before);
        assert_eq!(after[0].marks, [Mark::Unjudged, Mark::Unjudged, Mark::Wrong], "step 1 reads otherwise now");
    }
}
