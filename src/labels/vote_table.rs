//! The table that agreement is computed from: one small number for each vote, however long the names behind it.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;
use rustc_hash::FxBuildHasher;

use super::{Category, Gold, GoldSource, Judgement, Label, Round, Vote};
use crate::logs::TemplateKey;

/// What stands in a cell of a [`VoteTable`]: nothing, `normal`, `abnormal`, or `abnormal` of a category.
pub(super) type Cell = u16;

/// No vote, or one that gives no label.
pub(super) const ABSENT: Cell = 0;
/// `normal`.
pub(super) const NORMAL: Cell = 1;
/// `abnormal`, of no category; the categories follow.
pub(super) const ABNORMAL: Cell = 2;

/// Templates × annotators: the label that each gave, where they gave one, and the gold label beside them.
///
/// A missing vote, `unsure` and `skip` are absent, never a category of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteTable {
    annotators: Vec<String>,
    categories: Vec<Category>,
    /// Row-major: as many rows as `gold` has, of `annotators.len()` cells.
    cells: Vec<Cell>,
    /// For each row [`ABSENT`], [`NORMAL`] or [`ABNORMAL`].
    gold: Vec<Cell>,
    /// How many rows have gold of each source.
    gold_sources: BTreeMap<GoldSource, usize>,
}

impl VoteTable {
    /// The table of the votes of one round, with the gold labels of the templates voted on. Where an annotator voted
    /// twice on a template, the later vote in `votes` counts. A vote of the blind round that was cast in sight of the
    /// original label or a suggestion is no blind vote.
    ///
    /// Only templates with at least one label have a row, in the order of their first votes; only annotators with at
    /// least one label have a column, by name.
    pub fn of_round<'a>(
        votes: impl IntoIterator<Item = &'a Vote>,
        round: Round,
        gold: &BTreeMap<TemplateKey, Gold>,
    ) -> Self {
        let mut gathered = Gathered::default();
        // At least as many templates as have gold, most often; a map that grows hashes every key again.
        gathered.rows.reserve(gold.len());
        for vote in votes.into_iter().filter(|vote| vote.counts_in(round)) {
            gathered.add(vote);
        }
        gathered.into_table(gold)
    }

    /// A table from its rows, each as long as `annotators`, without categories and gold.
    pub fn from_rows(annotators: &[&str], rows: &[Vec<Option<Label>>]) -> Self {
        debug_assert!(rows.iter().all(|row| row.len() == annotators.len()));
        Self {
            annotators: annotators.iter().map(|&name| name.to_owned()).collect(),
            categories: Vec::new(),
            cells: rows.iter().flatten().map(|&label| cell_of_label(label)).collect(),
            gold: vec![ABSENT; rows.len()],
            gold_sources: BTreeMap::new(),
        }
    }

    /// The same votes beside these gold labels, one for each row, all brought by import.
    #[must_use]
    pub fn beside_gold(mut self, gold: &[Option<Label>]) -> Self {
        debug_assert_eq!(gold.len(), self.gold.len());
        self.gold = gold.iter().map(|&label| cell_of_label(label)).collect();
        self.gold_sources = BTreeMap::from([(GoldSource::Import, gold.iter().flatten().count())]);
        self
    }

    /// Who voted, in the order of the columns.
    pub fn annotators(&self) -> &[String] {
        &self.annotators
    }

    /// The categories that were named, by name.
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.gold.len()
    }

    /// Whether nobody gave a label.
    pub fn is_empty(&self) -> bool {
        self.gold.is_empty()
    }

    /// How many rows have a gold label of each source.
    pub fn gold_sources(&self) -> &BTreeMap<GoldSource, usize> {
        &self.gold_sources
    }

    /// The label of a row's gold and of each annotator's vote, row by row.
    pub fn rows(&self) -> impl Iterator<Item = (Option<Label>, impl Iterator<Item = Option<Label>>)> {
        let rows = self.cells.chunks(self.annotators.len().max(1));
        self.gold
            .iter()
            .zip(rows)
            .map(|(&gold, row)| (label_of_cell(gold), row.iter().map(|&cell| label_of_cell(cell))))
    }

    /// All cells, row by row, and each row's gold.
    pub(super) fn cells(&self) -> (&[Cell], &[Cell]) {
        (&self.cells, &self.gold)
    }
}

fn cell_of_label(label: Option<Label>) -> Cell {
    match label {
        None => ABSENT,
        Some(Label::Normal) => NORMAL,
        Some(Label::Abnormal) => ABNORMAL,
    }
}

fn label_of_cell(cell: Cell) -> Option<Label> {
    match cell {
        ABSENT => None,
        NORMAL => Some(Label::Normal),
        _ => Some(Label::Abnormal),
    }
}

/// Votes on their way into a table: names become numbers as they come, and every vote three numbers.
#[derive(Default)]
struct Gathered<'a> {
    rows: HashMap<&'a TemplateKey, u32, FxBuildHasher>,
    /// The templates in the order of their rows, and the row of the last vote.
    templates: Vec<&'a TemplateKey>,
    last_row: u32,
    columns: HashMap<&'a str, u32, FxBuildHasher>,
    categories: HashMap<&'a Category, Cell, FxBuildHasher>,
    votes: Vec<(u32, u32, Cell)>,
}

impl<'a> Gathered<'a> {
    fn add(&mut self, vote: &'a Vote) {
        let cell = match &vote.judgement {
            Judgement::Unsure | Judgement::Skip => ABSENT,
            Judgement::Normal => NORMAL,
            Judgement::Abnormal(None) => ABNORMAL,
            Judgement::Abnormal(Some(category)) => {
                // Nobody has more categories than a cell can tell apart; what is beyond counts as unnamed.
                let next = self.categories.len() + usize::from(ABNORMAL) + 1;
                Cell::try_from(next).map_or(ABNORMAL, |next| *self.categories.entry(category).or_insert(next))
            }
        };
        let row = self.row(&vote.template);
        let columns = self.columns.len() as u32;
        let column = *self.columns.entry(&vote.annotator).or_insert(columns);
        self.votes.push((row, column, cell));
    }

    fn row(&mut self, template: &'a TemplateKey) -> u32 {
        // Annotators mostly go through the templates in the same order; looking at the next one first saves a search.
        let next = self.last_row + 1;
        self.last_row = match self.templates.get(next as usize) {
            Some(ahead) if *ahead == template => next,
            _ => {
                let (rows, templates) = (self.rows.len() as u32, &mut self.templates);
                *self.rows.entry(template).or_insert_with(|| {
                    templates.push(template);
                    rows
                })
            }
        };
        self.last_row
    }

    fn into_table(self, gold: &BTreeMap<TemplateKey, Gold>) -> VoteTable {
        let mut names: Vec<(&str, u32)> = self.columns.into_iter().collect();
        names.sort_unstable();
        let mut column_of = vec![0; names.len()];
        for (place, (_, column)) in names.iter().enumerate() {
            column_of[*column as usize] = place;
        }
        let mut categories: Vec<(&Category, Cell)> = self.categories.into_iter().collect();
        categories.sort_unstable();
        let mut cell_of: Vec<Cell> = (0..=ABNORMAL).collect();
        cell_of.resize(cell_of.len() + categories.len(), ABNORMAL);
        for ((_, cell), place) in categories.iter().zip(ABNORMAL + 1..) {
            cell_of[usize::from(*cell)] = place;
        }

        let width = names.len();
        let mut cells = vec![ABSENT; self.rows.len() * width];
        for (row, column, cell) in self.votes {
            cells[row as usize * width + column_of[column as usize]] = cell_of[usize::from(cell)];
        }
        let mut gold_column = vec![(ABSENT, None); self.rows.len()];
        let gold_of_rows: Vec<(u32, &Gold)> =
            gold.par_iter().filter_map(|(template, gold)| Some((*self.rows.get(template)?, gold))).collect();
        for (row, gold) in gold_of_rows {
            gold_column[row as usize] = (cell_of_label(Some(gold.label)), Some(gold.source));
        }
        let annotators = names.into_iter().map(|(name, _)| name.to_owned()).collect();
        let categories = categories.into_iter().map(|(category, _)| category.clone()).collect();
        without_the_silent(annotators, categories, cells, gold_column)
    }
}

/// Leaves out annotators, templates and categories that a later `unsure` or another vote has emptied.
fn without_the_silent(
    annotators: Vec<String>,
    categories: Vec<Category>,
    cells: Vec<Cell>,
    gold: Vec<(Cell, Option<GoldSource>)>,
) -> VoteTable {
    let width = annotators.len().max(1);
    let mut speaks = vec![false; width];
    let mut named = vec![false; categories.len() + usize::from(ABNORMAL) + 1];
    for row in cells.chunks_exact(width) {
        for (speaks, &cell) in speaks.iter_mut().zip(row) {
            *speaks |= cell != ABSENT;
            named[usize::from(cell)] = true;
        }
    }
    let mut renamed: Vec<Cell> = (0..=ABNORMAL).collect();
    let mut next = ABNORMAL;
    for &named in &named[usize::from(ABNORMAL) + 1..] {
        next += Cell::from(named);
        renamed.push(next);
    }
    let mut kept = Vec::with_capacity(cells.len());
    let mut kept_gold = Vec::with_capacity(gold.len());
    let mut gold_sources = BTreeMap::new();
    for (row, (gold, source)) in cells.chunks_exact(width).zip(gold) {
        if row.iter().all(|&cell| cell == ABSENT) {
            continue;
        }
        let spoken = row.iter().zip(&speaks).filter(|(_, speaks)| **speaks);
        kept.extend(spoken.map(|(&cell, _)| renamed[usize::from(cell)]));
        kept_gold.push(gold);
        if let Some(source) = source {
            *gold_sources.entry(source).or_default() += 1;
        }
    }
    let of_speakers = |(name, speaks): (String, &bool)| speaks.then_some(name);
    let of_named = |(category, named): (Category, &bool)| named.then_some(category);
    VoteTable {
        annotators: annotators.into_iter().zip(&speaks).filter_map(of_speakers).collect(),
        categories: categories.into_iter().zip(&named[usize::from(ABNORMAL) + 1..]).filter_map(of_named).collect(),
        cells: kept,
        gold: kept_gold,
        gold_sources,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::testing::vote;

    fn rows(table: &VoteTable) -> Vec<Vec<Option<Label>>> {
        table.rows().map(|(_, row)| row.collect()).collect()
    }

    #[test]
    fn the_newest_vote_of_the_round_counts_and_unsure_is_absent() {
        let votes = [
            vote("1", "ana", "normal", Round::Blind),
            vote("1", "bao", "unsure", Round::Blind),
            vote("1", "ana", "abnormal", Round::Blind),
            vote("1", "ana", "normal", Round::Panel),
            vote("2", "bao", "normal", Round::Blind),
            vote("3", "bao", "normal", Round::Blind),
            vote("3", "bao", "skip", Round::Blind),
            vote("4", "zoe", "unsure", Round::Blind),
            Vote { revealed: true, ..vote("1", "ana", "normal", Round::Blind) },
        ];
        let table = VoteTable::of_round(&votes, Round::Blind, &BTreeMap::new());
        assert_eq!(table.annotators(), ["ana", "bao"]);
        assert_eq!(rows(&table), [[Some(Label::Abnormal), None], [None, Some(Label::Normal)]]);
    }

    #[test]
    fn categories_are_sorted_and_forgotten_when_nobody_stands_by_them() {
        let votes = [
            vote("1", "ana", "abnormal:network issue", Round::Blind),
            vote("1", "bao", "abnormal:hardware failure", Round::Blind),
            vote("2", "bao", "abnormal:zeal", Round::Blind),
            vote("2", "bao", "abnormal:system error", Round::Blind),
            vote("2", "ana", "abnormal", Round::Blind),
        ];
        let table = VoteTable::of_round(&votes, Round::Blind, &BTreeMap::new());
        let names: Vec<&str> = table.categories().iter().map(Category::as_str).collect();
        assert_eq!(names, ["hardware failure", "network issue", "system error"]);
        assert_eq!(table.cells().0, [4, 3, 2, 5]);
    }

    #[test]
    fn gold_stands_beside_the_votes_that_it_belongs_to() {
        let gold = |label| Gold { label, category: None, source: GoldSource::Ruling, by: None, reason: None, at: None };
        let votes = [vote("1", "ana", "normal", Round::Blind), vote("2", "ana", "normal", Round::Blind)];
        let golds = ["0", "2"].map(|id| (TemplateKey::new("bgl", id), gold(Label::Abnormal))).into_iter().collect();
        let table = VoteTable::of_round(&votes, Round::Blind, &golds);
        let column: Vec<_> = table.rows().map(|(gold, _)| gold).collect();
        assert_eq!(column, [None, Some(Label::Abnormal)]);
        assert_eq!(table.gold_sources(), &BTreeMap::from([(GoldSource::Ruling, 1)]));
    }
}
