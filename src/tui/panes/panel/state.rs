//! What the Panel pane shows.

use crate::labels::agreement::Agreement;
use crate::labels::{Category, GoldSource, Judgement, Label};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::panes::label::OtherVote;
use crate::tui::widgets::ListView;

/// Everything that the panel has before it, as one annotator may see it.
#[derive(Clone, Debug)]
pub struct Board {
    /// The coefficients over the blind votes.
    pub agreement: Box<Agreement>,
    /// What the annotators disagree on.
    pub cases: Vec<Case>,
    /// What the gold labels correct.
    pub corrections: Vec<CorrectionRow>,
}

/// A template whose annotators do not agree.
#[derive(Clone, Debug)]
pub struct Case {
    /// Which template.
    pub key: TemplateKey,
    /// Its name on the screen.
    pub name: SafeText,
    /// Its text, on one line.
    pub text: SafeText,
    /// How often it occurred.
    pub count: u64,
    /// The label that it came with.
    pub original: Option<(Label, Option<Category>)>,
    /// Every annotator's newest vote.
    pub votes: Vec<OtherVote>,
    /// The gold label, once there is one.
    pub settled: Option<Settled>,
    /// Whether this annotator may see the votes and the original label.
    pub open_to_see: bool,
}

impl Case {
    /// How many said normal, and how many abnormal.
    pub fn tally(&self) -> (usize, usize) {
        let said = |label| self.votes.iter().filter(|vote| vote.judgement.label() == Some(label)).count();
        (said(Label::Normal), said(Label::Abnormal))
    }
}

/// A gold label and how it came about.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The label, with its category.
    pub judgement: Judgement,
    /// How it came about.
    pub source: GoldSource,
    /// Who ruled.
    pub by: Option<SafeText>,
    /// Why.
    pub reason: Option<SafeText>,
}

/// A template whose gold differs from its original label.
#[derive(Clone, Debug)]
pub struct CorrectionRow {
    /// Which template.
    pub key: TemplateKey,
    /// Its name on the screen.
    pub name: SafeText,
    /// Its text, on one line.
    pub text: SafeText,
    /// The label that it came with.
    pub original: Label,
    /// The gold label.
    pub gold: Settled,
}

/// Which list is in front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Front {
    /// What the annotators disagree on.
    #[default]
    Cases,
    /// What is corrected.
    Corrections,
}

/// A ruling whose reason is being asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub template: TemplateKey,
    pub label: Label,
    pub category: Option<Category>,
}

/// The Panel pane.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What is before the panel, or why it cannot be read; `None` while it is on its way for the first time.
    pub(super) board: Option<Result<Board, SafeText>>,
    pub(super) front: Front,
    pub(super) case: usize,
    pub(super) correction: usize,
    pub(super) case_rows: ListView,
    pub(super) correction_rows: ListView,
    pub(super) choosing: bool,
    pub(super) pending: Option<Pending>,
    /// Whether a ruling is on its way to the disk; until it is there no other can be made.
    pub(super) saving: bool,
    pub(super) wanted: Option<String>,
}

impl State {
    pub(super) fn board(&self) -> Option<&Board> {
        self.board.as_ref()?.as_ref().ok()
    }

    /// The template of the selected row.
    pub(super) fn selected_key(&self) -> Option<&TemplateKey> {
        let board = self.board()?;
        match self.front {
            Front::Cases => board.cases.get(self.case).map(|case| &case.key),
            Front::Corrections => board.corrections.get(self.correction).map(|row| &row.key),
        }
    }

    /// Moves the selection of the list in front by rows, staying within it.
    pub(super) fn step(&mut self, rows: isize) {
        let Some(board) = self.board() else { return };
        let (cases, corrections) = (board.cases.len(), board.corrections.len());
        let (selected, len) = match self.front {
            Front::Cases => (&mut self.case, cases),
            Front::Corrections => (&mut self.correction, corrections),
        };
        *selected = selected.saturating_add_signed(rows).min(len.saturating_sub(1));
    }

    /// Selects the next disagreement without a gold label, after the selected one and round to it again.
    pub(super) fn select_next_open(&mut self) -> bool {
        let Some(board) = self.board() else { return false };
        let len = board.cases.len();
        let open = (1..=len).map(|ahead| (self.case + ahead) % len).find(|&at| board.cases[at].settled.is_none());
        if let Some(at) = open {
            self.case = at;
            self.front = Front::Cases;
        }
        open.is_some()
    }
}
