//! How the Panel pane changes: actions and messages in, effects out.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Action;
use super::actions::CATEGORY;
use super::effects::{Effect, Message};
use super::state::{Board, Front, Pending, State};
use crate::labels::{Category, Label};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::action::Mode;
use crate::tui::app::{self, Toast};
use crate::tui::overlays::Prompt;
use crate::tui::panes::{Pane, Shared};
use crate::tui::widgets::counted;
use crate::workspace::NewRuling;

/// Where the patch goes unless the user says otherwise.
const PATCH_FILE: &str = "exports/corrections.json";

impl Pane for State {
    type Action = Action;
    type Message = Message;

    fn mode(&self) -> Mode {
        if self.choosing { CATEGORY } else { Mode::BROWSE }
    }

    /// Reads again each time: votes may have been cast meanwhile.
    fn enter(&mut self, shared: &Shared) -> Vec<app::Effect> {
        vec![app::Effect::Panel(Effect::Load(shared.annotator.clone()))]
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<app::Effect> {
        match action {
            Action::RuleNormal => self.begin(Label::Normal, None),
            Action::RuleAbnormal => {
                self.choosing = !self.saving && self.selected_key().is_some();
                Vec::new()
            }
            Action::Category(digit) => match shared.taxonomy.by_digit(digit) {
                Some(category) => self.begin(Label::Abnormal, Some(category.clone())),
                None => Vec::new(),
            },
            Action::NoCategory => self.begin(Label::Abnormal, None),
            Action::Cancel => {
                self.choosing = false;
                Vec::new()
            }
            Action::Undo if self.saving => Vec::new(),
            Action::Undo => {
                self.saving = true;
                vec![app::Effect::Panel(Effect::Undo(shared.annotator.clone()))]
            }
            Action::OtherList => {
                self.front = match self.front {
                    Front::Cases => Front::Corrections,
                    Front::Corrections => Front::Cases,
                };
                Vec::new()
            }
            Action::WritePatch => {
                let title = "Write the correction patch to (from the project's folder)";
                vec![Prompt::line(title, PATCH_FILE, |path| app::Message::Panel(Message::PatchPath(path))).into()]
            }
            Action::NextOpen => self.go_to_next_open(),
            Action::Down | Action::Up | Action::PageDown | Action::PageUp | Action::First | Action::Last => {
                self.travel(action);
                Vec::new()
            }
        }
    }

    fn receive(&mut self, message: Message, shared: &Shared) -> Vec<app::Effect> {
        match message {
            Message::Loaded(Ok(board)) => {
                self.take_board(board);
                Vec::new()
            }
            Message::Loaded(Err(why)) => {
                self.board = Some(Err(SafeText::one_line(&why)));
                Vec::new()
            }
            Message::Ruled(template, board) => {
                self.saving = false;
                self.take_board(*board);
                let mut effects = vec![Toast::info(format!("ruled on {template}")).into()];
                if self.front == Front::Cases {
                    effects.extend(self.go_to_next_open());
                }
                effects
            }
            Message::Undone(template, board) => {
                self.saving = false;
                self.take_board(*board);
                let Some(template) = template else {
                    return vec![Toast::info("there is no ruling of yours to take back").into()];
                };
                self.select(&template);
                vec![Toast::info(format!("took back your ruling on {template}")).into()]
            }
            Message::PatchWritten { path, corrections } => {
                vec![
                    Toast::info(format!("{} written to {}", counted(corrections, "correction"), path.display())).into(),
                ]
            }
            Message::Failed(why) => {
                self.saving = false;
                vec![Toast::error(why).into()]
            }
            Message::Reason(reason) => self.rule(reason, shared),
            Message::ReasonCancelled => {
                self.pending = None;
                Vec::new()
            }
            Message::PatchPath(path) if path.trim().is_empty() => {
                vec![Toast::error("a patch needs a file name").into()]
            }
            Message::PatchPath(path) => vec![app::Effect::Panel(Effect::WritePatch(path.trim().to_owned()))],
        }
    }

    fn view(&self, shared: &Shared, frame: &mut Frame, area: Rect) {
        super::view::view(self, shared, frame, area);
    }

    fn bookmark(&self) -> Option<String> {
        self.selected_key().map(TemplateKey::to_string).or_else(|| self.wanted.clone())
    }

    fn return_to(&mut self, bookmark: &str) {
        self.wanted = Some(bookmark.to_owned());
    }
}

impl State {
    /// Takes a freshly read board, keeping what was selected where it is still there.
    fn take_board(&mut self, board: Board) {
        let wanted = self.selected_key().map(TemplateKey::to_string).or(self.wanted.take());
        self.case = self.case.min(board.cases.len().saturating_sub(1));
        self.correction = self.correction.min(board.corrections.len().saturating_sub(1));
        if let Some(name) = wanted {
            let case = board.cases.iter().position(|case| case.key.to_string() == name);
            let correction = board.corrections.iter().position(|row| row.key.to_string() == name);
            self.case = case.unwrap_or(self.case);
            self.correction = correction.unwrap_or(self.correction);
        }
        self.board = Some(Ok(board));
    }

    fn select(&mut self, template: &TemplateKey) {
        let Some(at) = self.board().and_then(|board| board.cases.iter().position(|case| case.key == *template)) else {
            return;
        };
        self.case = at;
        self.front = Front::Cases;
    }

    fn travel(&mut self, action: Action) {
        let rows = if self.front == Front::Cases { &self.case_rows } else { &self.correction_rows };
        let page = isize::try_from(rows.page()).unwrap_or(isize::MAX);
        self.step(match action {
            Action::Down => 1,
            Action::Up => -1,
            Action::PageDown => page,
            Action::PageUp => -page,
            Action::Last => isize::MAX,
            _ => isize::MIN,
        });
    }

    fn go_to_next_open(&mut self) -> Vec<app::Effect> {
        if self.select_next_open() {
            return Vec::new();
        }
        vec![Toast::info("every disagreement is settled").into()]
    }

    /// Remembers a ruling and asks for its reason.
    fn begin(&mut self, label: Label, category: Option<Category>) -> Vec<app::Effect> {
        self.choosing = false;
        if self.saving {
            return Vec::new();
        }
        let Some(template) = self.selected_key().cloned() else { return Vec::new() };
        let kind = category.as_ref().map(|category| format!(" ({category})")).unwrap_or_default();
        let title = format!("Ruling {template} {label}{kind}. Reason");
        self.pending = Some(Pending { template, label, category });
        let ask = Prompt::line(title, "", |reason| app::Message::Panel(Message::Reason(reason)));
        vec![ask.on_cancel(|| app::Message::Panel(Message::ReasonCancelled)).into()]
    }

    fn rule(&mut self, reason: String, shared: &Shared) -> Vec<app::Effect> {
        let Some(Pending { template, label, category }) = self.pending.take() else { return Vec::new() };
        if reason.trim().is_empty() {
            return vec![Toast::error("a ruling needs a reason; nothing was ruled").into()];
        }
        self.saving = true;
        let by = shared.annotator.clone();
        vec![app::Effect::Panel(Effect::Rule(NewRuling { template, label, category, by, reason }))]
    }
}
