//! Votes, the rounds they are cast in, and the table that agreement is computed from.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Judgement, Label};
use crate::logs::TemplateKey;

/// When in the process a vote is cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Round {
    /// Alone, without sight of the original label or anybody's vote.
    #[default]
    Blind,
    /// After seeing the blind votes of the panel.
    Panel,
}

impl Round {
    /// Both rounds, in order.
    pub const ALL: [Self; 2] = [Self::Blind, Self::Panel];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blind => "blind",
            Self::Panel => "panel",
        }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Round {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.trim().to_ascii_lowercase().as_str() {
            "blind" => Ok(Self::Blind),
            "panel" => Ok(Self::Panel),
            _ => Err(format!("round \"{word}\" is neither blind nor panel")),
        }
    }
}

/// One annotator's judgement of one template in one round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Which template.
    #[serde(flatten)]
    pub template: TemplateKey,
    /// Whose vote.
    pub annotator: String,
    /// What was said.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// In which round.
    pub round: Round,
    /// What the annotator added in words.
    pub comment: Option<String>,
    /// Whether the annotator had seen the original label or a suggestion: such a vote is never a blind one.
    pub revealed: bool,
    /// How long the annotator looked, in milliseconds, where that is known.
    pub elapsed_ms: Option<u64>,
    /// For a panel vote: what the others said as it was cast.
    pub others: Option<Tally>,
    /// When.
    pub at: Timestamp,
}

impl Vote {
    /// Whether this is a vote of `round`, cast under its rules.
    pub fn counts_in(&self, round: Round) -> bool {
        self.round == round && !(round == Round::Blind && self.revealed)
    }
}

/// How many annotators gave each label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// How many said normal.
    pub normal: u32,
    /// How many said abnormal.
    pub abnormal: u32,
}

impl Tally {
    /// The label that more gave; none on a tie.
    pub fn majority(self) -> Option<Label> {
        match self.normal.cmp(&self.abnormal) {
            Ordering::Greater => Some(Label::Normal),
            Ordering::Less => Some(Label::Abnormal),
            Ordering::Equal => None,
        }
    }

    /// Counts one more label.
    pub fn add(&mut self, label: Label) {
        match label {
            Label::Normal => self.normal += 1,
            Label::Abnormal => self.abnormal += 1,
        }
    }
}

/// Templates × annotators: the label that each gave, where they gave one.
///
/// A missing vote, `unsure` and `skip` are absent, never a category of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteTable {
    annotators: Vec<String>,
    templates: Vec<TemplateKey>,
    /// Row-major: `templates.len()` rows of `annotators.len()` cells.
    cells: Vec<Option<Label>>,
}

impl VoteTable {
    /// The table of the votes of one round. Where an annotator voted twice on a template, the later vote in `votes`
    /// counts. A vote of the blind round that was cast in sight of the original label or a suggestion is no blind vote.
    /// Rows and columns are sorted by name; only templates with at least one label have a row, and only annotators with
    /// at least one label have a column.
    pub fn of_round<'a>(votes: impl IntoIterator<Item = &'a Vote>, round: Round) -> Self {
        let mut newest: BTreeMap<(&TemplateKey, &str), Option<Label>> = BTreeMap::new();
        for vote in votes.into_iter().filter(|vote| vote.counts_in(round)) {
            newest.insert((&vote.template, &vote.annotator), vote.judgement.label());
        }
        newest.retain(|_, label| label.is_some());
        let names: BTreeSet<&str> = newest.keys().map(|(_, annotator)| *annotator).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let mut templates: Vec<TemplateKey> = Vec::new();
        let mut cells: Vec<Option<Label>> = Vec::new();
        for ((template, annotator), label) in newest {
            if templates.last() != Some(template) {
                templates.push(template.clone());
                cells.resize(templates.len() * names.len(), None);
            }
            let column = names.binary_search(&annotator).expect("every voter has a column");
            let row = templates.len() - 1;
            cells[row * names.len() + column] = label;
        }
        Self { annotators: names.into_iter().map(str::to_owned).collect(), templates, cells }
    }

    /// A table from its rows, each as long as `annotators`; templates are numbered.
    pub fn from_rows(annotators: &[&str], rows: &[Vec<Option<Label>>]) -> Self {
        debug_assert!(rows.iter().all(|row| row.len() == annotators.len()));
        Self {
            annotators: annotators.iter().map(|&name| name.to_owned()).collect(),
            templates: (0..rows.len()).map(|row| TemplateKey::new("", row.to_string())).collect(),
            cells: rows.concat(),
        }
    }

    /// Who voted, in the order of the columns.
    pub fn annotators(&self) -> &[String] {
        &self.annotators
    }

    /// The rows: a template and each annotator's label.
    pub fn rows(&self) -> impl Iterator<Item = (&TemplateKey, &[Option<Label>])> {
        self.templates.iter().zip(self.cells.chunks(self.annotators.len().max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vote(id: &str, annotator: &str, word: &str, round: Round) -> Vote {
        Vote {
            template: TemplateKey::new("bgl", id),
            annotator: annotator.into(),
            judgement: Judgement::parse(word, None).unwrap(),
            round,
            comment: None,
            revealed: false,
            elapsed_ms: None,
            others: None,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_newest_vote_of_the_round_counts_and_unsure_is_absent() {
        let votes = [
            vote("1", "ana", "normal", Round::Blind),
            vote("1", "ana", "abnormal", Round::Blind),
            vote("1", "ana", "normal", Round::Panel),
            vote("1", "bao", "unsure", Round::Blind),
            vote("2", "bao", "normal", Round::Blind),
            vote("3", "bao", "normal", Round::Blind),
            vote("3", "bao", "skip", Round::Blind),
            Vote { revealed: true, ..vote("1", "ana", "normal", Round::Blind) },
        ];
        let table = VoteTable::of_round(&votes, Round::Blind);
        assert_eq!(table.annotators(), ["ana", "bao"]);
        let rows: Vec<_> = table.rows().map(|(key, row)| (key.id.as_str(), row.to_vec())).collect();
        assert_eq!(rows, [("1", vec![Some(Label::Abnormal), None]), ("2", vec![None, Some(Label::Normal)])]);
    }
}
