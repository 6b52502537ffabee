//! What the Panel pane shows.

use std::cell::Cell;

use crate::labels::{Category, GoldSource, Judgement, Label, PanelReason, Phase, Table1, Tally};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::widgets::ListView;
use crate::workspace::BothAgreements;

/// Everything that the panel has before it, as one member may see it.
#[derive(Clone, Debug)]
pub struct Board {
    /// Where the process stands.
    pub phase: Phase,
    /// Where the open round stands, in words.
    pub standing: SafeText,
    /// When votes alone settle a template, and what is sampled, in words.
    pub rule: String,
    /// Whether this member may close rounds and rule.
    pub senior: bool,
    /// How many cases this member may not see yet.
    pub hidden: usize,
    /// The coefficients of both rounds.
    pub agreements: BothAgreements,
    /// What is before the panel.
    pub cases: Vec<Case>,
    /// What the gold labels correct.
    pub corrections: Vec<CorrectionRow>,
    /// The corrections, counted.
    pub table: Table1,
}

/// A template before the panel.
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
    /// Why it is before the panel.
    pub why: PanelReason,
    /// The label that it came with.
    pub original: Option<(Label, Option<Category>)>,
    /// What everybody says, under letters.
    pub voices: Vec<VoiceRow>,
    /// What was remarked: by whom, and what.
    pub remarks: Vec<Remark>,
    /// How many say what now.
    pub tally: Tally,
    /// The gold label, once there is one.
    pub settled: Option<Settled>,
    /// Whether this member has dealt with it: voted, while the panel round is open; ruled, since the board was read.
    pub acted: bool,
}

impl Case {
    /// Whether it waits for somebody: in the panel round for this member's vote, else for a gold label.
    pub fn is_open(&self, phase: Phase) -> bool {
        let ruled = self.settled.as_ref().is_some_and(|settled| settled.source == GoldSource::Ruling);
        match phase {
            Phase::Panel => !self.acted && !ruled,
            Phase::Blind | Phase::Ruling => !self.acted && self.settled.is_none(),
        }
    }
}

/// What one member says, under a letter.
#[derive(Clone, Debug)]
pub struct VoiceRow {
    /// The letter, and `you` beside one's own.
    pub who: String,
    /// The name, for a senior who may know.
    pub name: Option<SafeText>,
    /// The blind vote.
    pub blind: Option<Opinion>,
    /// The panel vote.
    pub panel: Option<Opinion>,
}

/// A judgement and what was added.
#[derive(Clone, Debug)]
pub struct Opinion {
    /// What was said.
    pub judgement: Judgement,
    /// What was added.
    pub comment: Option<SafeText>,
    /// What the others said then.
    pub others: Option<Tally>,
}

/// A comment.
#[derive(Clone, Debug)]
pub struct Remark {
    /// The letter of its author, or `-`.
    pub who: String,
    /// The name, for a senior who may know.
    pub name: Option<SafeText>,
    /// What it says; may have lines.
    pub text: SafeText,
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

/// What is in front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Front {
    /// What is before the panel.
    #[default]
    Cases,
    /// All coefficients.
    Agreement,
    /// The corrections, counted.
    Table,
    /// The corrections, one by one.
    Corrections,
}

impl Front {
    const ALL: [Self; 4] = [Self::Cases, Self::Agreement, Self::Table, Self::Corrections];

    /// The view so many further, round and round.
    pub(super) fn step(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }

    /// Its name in the line of views.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Cases => "Cases",
            Self::Agreement => "Agreement",
            Self::Table => "Table 1",
            Self::Corrections => "Corrections",
        }
    }

    /// All views, in order.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }
}

/// What an abnormal label is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Vote,
    Ruling,
}

/// A ruling whose reason is being asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    pub template: TemplateKey,
    pub label: Label,
    pub category: Option<Category>,
}

/// How far a text that is longer than its place is scrolled. Only the next draw depends on what drawing writes here.
#[derive(Clone, Debug, Default)]
pub(super) struct Scroll {
    top: usize,
    last: Cell<usize>,
    page: Cell<usize>,
}

impl Scroll {
    /// Moves by rows, staying within the text.
    pub(super) fn step(&mut self, rows: isize) {
        self.top = self.top.min(self.last.get()).saturating_add_signed(rows).min(self.last.get());
    }

    /// How many rows a page has.
    pub(super) fn page(&self) -> usize {
        self.page.get().saturating_sub(1).max(1)
    }

    /// The first row in sight of `len` rows in a place of `height`.
    pub(super) fn top(&self, len: usize, height: usize) -> usize {
        self.last.set(len.saturating_sub(height));
        self.page.set(height);
        self.top.min(self.last.get())
    }
}

/// The Panel pane.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// What is before the panel, or why it cannot be read; `None` while it is on its way for the first time.
    pub(super) board: Option<Result<Box<Board>, SafeText>>,
    pub(super) front: Front,
    pub(super) case: usize,
    pub(super) correction: usize,
    pub(super) case_rows: ListView,
    pub(super) correction_rows: ListView,
    pub(super) agreement_scroll: Scroll,
    pub(super) table_scroll: Scroll,
    /// Of what is told about the selected row.
    pub(super) detail_scroll: Scroll,
    /// Whether the figures of the panel round are shown instead of those of the blind one.
    pub(super) panel_figures: bool,
    /// Whether a senior wants to see names, where they may.
    pub(super) names: bool,
    pub(super) choosing: Option<Purpose>,
    pub(super) pending: Option<Pending>,
    /// On which template a comment is being written.
    pub(super) commenting: Option<TemplateKey>,
    /// Whether a vote or ruling is on its way to the disk; until it is there no other can be made.
    pub(super) saving: bool,
    pub(super) wanted: Option<String>,
}

impl State {
    pub(super) fn board(&self) -> Option<&Board> {
        self.board.as_ref()?.as_ref().ok().map(Box::as_ref)
    }

    pub(super) fn board_mut(&mut self) -> Option<&mut Board> {
        self.board.as_mut()?.as_mut().ok().map(Box::as_mut)
    }

    /// The template of the selected row.
    pub(super) fn selected_key(&self) -> Option<&TemplateKey> {
        let board = self.board()?;
        match self.front {
            Front::Corrections => board.corrections.get(self.correction).map(|row| &row.key),
            Front::Cases => board.cases.get(self.case).map(|case| &case.key),
            Front::Agreement | Front::Table => None,
        }
    }

    /// Moves what is in front by rows, staying within it.
    pub(super) fn step(&mut self, rows: isize) {
        let Some(board) = self.board() else { return };
        let (cases, corrections) = (board.cases.len(), board.corrections.len());
        let (selected, len) = match self.front {
            Front::Cases => (&mut self.case, cases),
            Front::Corrections => (&mut self.correction, corrections),
            Front::Agreement => return self.agreement_scroll.step(rows),
            Front::Table => return self.table_scroll.step(rows),
        };
        *selected = selected.saturating_add_signed(rows).min(len.saturating_sub(1));
        self.detail_scroll = Scroll::default();
    }

    /// How many rows a page of what is in front has.
    pub(super) fn page(&self) -> usize {
        match self.front {
            Front::Cases => self.case_rows.page(),
            Front::Corrections => self.correction_rows.page(),
            Front::Agreement => self.agreement_scroll.page(),
            Front::Table => self.table_scroll.page(),
        }
    }

    /// Selects the next open case, after the selected one and round to it again.
    pub(super) fn select_next_open(&mut self) -> bool {
        let Some(board) = self.board() else { return false };
        let len = board.cases.len();
        let open = (1..=len).map(|ahead| (self.case + ahead) % len).find(|&at| board.cases[at].is_open(board.phase));
        if let Some(at) = open {
            self.case = at;
            self.front = Front::Cases;
            self.detail_scroll = Scroll::default();
        }
        open.is_some()
    }
}
