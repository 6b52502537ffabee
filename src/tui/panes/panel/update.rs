//! How the Panel pane changes: actions and messages in, effects out.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Action;
use super::actions::CATEGORY;
use super::effects::{Effect, Message};
use super::state::{Board, Front, Pending, Purpose, State};
use crate::labels::{Category, Judgement, Label, Phase, Round};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::action::Mode;
use crate::tui::app::{self, Toast};
use crate::tui::overlays::{Confirm, Prompt};
use crate::tui::panes::{Pane, Shared};
use crate::tui::widgets::counted;
use crate::workspace::{NewRuling, NewVote};

/// Where the patch goes unless the user says otherwise.
const PATCH_FILE: &str = "exports/corrections.json";

impl Pane for State {
    type Action = Action;
    type Message = Message;

    fn mode(&self) -> Mode {
        if self.choosing.is_some() { CATEGORY } else { Mode::BROWSE }
    }

    /// Reads again each time: votes may have been cast meanwhile.
    fn enter(&mut self, shared: &Shared) -> Vec<app::Effect> {
        vec![load(shared)]
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<app::Effect> {
        match action {
            Action::VoteNormal => self.vote(Judgement::Normal, shared),
            Action::VoteUnsure => self.vote(Judgement::Unsure, shared),
            Action::VoteSkip => self.vote(Judgement::Skip, shared),
            Action::VoteAbnormal => self.choose(Purpose::Vote),
            Action::RuleNormal => self.begin_ruling(Label::Normal, None),
            Action::RuleAbnormal => self.choose(Purpose::Ruling),
            Action::Category(digit) => match shared.taxonomy.by_digit(digit) {
                Some(category) => self.chosen(Some(category.clone()), shared),
                None => Vec::new(),
            },
            Action::NoCategory => self.chosen(None, shared),
            Action::Cancel => {
                self.choosing = None;
                Vec::new()
            }
            Action::UndoVote | Action::UndoRuling if self.saving => Vec::new(),
            Action::UndoVote => match self.why_no_vote() {
                Some(why) => vec![Toast::error(why).into()],
                None => self.write(Effect::UndoVote(shared.annotator.clone())),
            },
            Action::UndoRuling => self.write(Effect::UndoRuling(shared.annotator.clone())),
            Action::Comment => self.ask_comment(),
            Action::CloseRound => self.ask_close(),
            Action::OpenRound => self.ask_open(),
            Action::Names => self.toggle_names(),
            Action::NextView => self.show(self.front.step(1)),
            Action::PreviousView => self.show(self.front.step(3)),
            Action::OtherRound => {
                self.panel_figures = !self.panel_figures;
                self.show(Front::Agreement)
            }
            Action::WritePatch => {
                let title = "Write the correction patch to (from the project's folder; .csv makes a table)";
                vec![Prompt::line(title, PATCH_FILE, |path| app::Message::Panel(Message::PatchPath(path))).into()]
            }
            Action::DetailDown | Action::DetailUp => {
                self.detail_scroll.step(if action == Action::DetailDown { 1 } else { -1 });
                Vec::new()
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
            Message::Voted(vote) => {
                let said = format!("voted {} on {}", vote.judgement.word(), vote.template);
                self.done_with(&vote.template, Toast::info(said), shared)
            }
            Message::Ruled(template) => self.done_with(&template, Toast::info(format!("ruled on {template}")), shared),
            Message::Commented(template) => {
                vec![Toast::info(format!("commented on {template}")).into(), load(shared)]
            }
            Message::VoteUndone(template) => self.taken_back(template, "vote", shared),
            Message::RulingUndone(template) => self.taken_back(template, "ruling", shared),
            Message::RoundChanged(round, open) => {
                let what = if open { "open again" } else { "closed" };
                vec![Toast::info(format!("the {round} round is {what}")).into(), load(shared)]
            }
            Message::PatchWritten { path, corrections } => {
                let text = format!("{} written to {}", counted(corrections, "correction"), path.display());
                vec![Toast::info(text).into()]
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
            Message::CommentText(text) => self.comment(text, shared),
            Message::CloseConfirmed => vec![app::Effect::Panel(Effect::CloseRound(shared.annotator.clone()))],
            Message::OpenConfirmed => match self.closed_last() {
                Some(round) => vec![app::Effect::Panel(Effect::OpenRound(round, shared.annotator.clone()))],
                None => Vec::new(),
            },
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

fn load(shared: &Shared) -> app::Effect {
    app::Effect::Panel(Effect::Load(shared.annotator.clone()))
}

impl State {
    /// Takes a freshly read board, keeping what was selected where it is still there.
    fn take_board(&mut self, board: Box<Board>) {
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

    fn show(&mut self, front: Front) -> Vec<app::Effect> {
        self.front = front;
        Vec::new()
    }

    /// Asks the store for a write; until it answers there is no other.
    fn write(&mut self, effect: Effect) -> Vec<app::Effect> {
        self.saving = true;
        vec![app::Effect::Panel(effect)]
    }

    /// A vote or a ruling is on disk: on to the next case, and the board is read again behind it.
    fn done_with(&mut self, template: &TemplateKey, toast: Toast, shared: &Shared) -> Vec<app::Effect> {
        self.saving = false;
        let case = self.board_mut().and_then(|board| board.cases.iter_mut().find(|case| case.key == *template));
        if let Some(case) = case {
            case.acted = true;
        }
        let mut effects = vec![toast.into(), load(shared)];
        if self.front == Front::Cases {
            effects.extend(self.go_to_next_open());
        }
        effects
    }

    fn taken_back(&mut self, template: Option<TemplateKey>, what: &str, shared: &Shared) -> Vec<app::Effect> {
        self.saving = false;
        let Some(template) = template else {
            return vec![Toast::info(format!("there is no {what} of yours to take back")).into()];
        };
        if let Some(board) = self.board_mut()
            && let Some(at) = board.cases.iter().position(|case| case.key == template)
        {
            board.cases[at].acted = false;
            self.case = at;
            self.front = Front::Cases;
        }
        vec![Toast::info(format!("took back your {what} on {template}")).into(), load(shared)]
    }

    fn travel(&mut self, action: Action) {
        let page = isize::try_from(self.page()).unwrap_or(isize::MAX);
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
        let text = match self.board().map(|board| board.phase) {
            Some(Phase::Panel) => "you have voted on every case",
            _ => "every case that you may see is settled",
        };
        vec![Toast::info(text).into()]
    }

    /// Why a vote cannot be cast here now.
    fn why_no_vote(&self) -> Option<&'static str> {
        match self.board()?.phase {
            Phase::Panel => None,
            Phase::Blind => Some("the blind round is open: vote in Label; the panel votes once a senior closes it (C)"),
            Phase::Ruling => Some("both rounds are closed: a senior rules, with N or A"),
        }
    }

    /// Why this member cannot rule, or open and close rounds.
    fn why_no_senior(&self) -> Option<&'static str> {
        let senior = self.board().is_none_or(|board| board.senior);
        (!senior).then_some("only a senior of this project may do that")
    }

    fn choose(&mut self, purpose: Purpose) -> Vec<app::Effect> {
        let refusal = match purpose {
            Purpose::Vote => self.why_no_vote(),
            Purpose::Ruling => self.why_no_senior(),
        };
        if let Some(why) = refusal {
            return vec![Toast::error(why).into()];
        }
        self.choosing = (!self.saving && self.selected_key().is_some()).then_some(purpose);
        Vec::new()
    }

    fn chosen(&mut self, category: Option<Category>, shared: &Shared) -> Vec<app::Effect> {
        match self.choosing.take() {
            Some(Purpose::Vote) => self.vote(Judgement::Abnormal(category), shared),
            Some(Purpose::Ruling) => self.begin_ruling(Label::Abnormal, category),
            None => Vec::new(),
        }
    }

    fn vote(&mut self, judgement: Judgement, shared: &Shared) -> Vec<app::Effect> {
        if let Some(why) = self.why_no_vote() {
            return vec![Toast::error(why).into()];
        }
        let Some(template) = self.selected_key().cloned().filter(|_| !self.saving) else { return Vec::new() };
        self.write(Effect::Vote(NewVote {
            template,
            annotator: shared.annotator.clone(),
            judgement,
            round: Round::Panel,
            comment: None,
            elapsed_ms: None,
            // The panel votes in sight of everything; the mark is for blind votes that were not.
            revealed: false,
            at: None,
        }))
    }

    /// Remembers a ruling and asks for its reason.
    fn begin_ruling(&mut self, label: Label, category: Option<Category>) -> Vec<app::Effect> {
        if let Some(why) = self.why_no_senior() {
            return vec![Toast::error(why).into()];
        }
        let Some(template) = self.selected_key().cloned().filter(|_| !self.saving) else { return Vec::new() };
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
        let by = shared.annotator.clone();
        self.write(Effect::Rule(NewRuling { template, label, category, by, reason }))
    }

    fn ask_comment(&mut self) -> Vec<app::Effect> {
        let Some(template) = self.selected_key().cloned() else { return Vec::new() };
        let title = format!("Comment on {template}, under your letter");
        self.commenting = Some(template);
        vec![Prompt::area(title, "", |text| app::Message::Panel(Message::CommentText(text))).into()]
    }

    fn comment(&mut self, text: String, shared: &Shared) -> Vec<app::Effect> {
        let Some(template) = self.commenting.take() else { return Vec::new() };
        if text.trim().is_empty() {
            return Vec::new();
        }
        vec![app::Effect::Panel(Effect::Comment { template, author: shared.annotator.clone(), text })]
    }

    fn ask_close(&mut self) -> Vec<app::Effect> {
        if let Some(why) = self.why_no_senior() {
            return vec![Toast::error(why).into()];
        }
        let question = match self.board().map(|board| board.phase) {
            Some(Phase::Blind) => "Close the blind round? Its votes are frozen, and the panel sees them under letters.",
            Some(Phase::Panel) => "Close the panel round? Its votes are frozen, and seniors rule what is open.",
            Some(Phase::Ruling) => {
                return vec![Toast::info("both rounds are closed; O opens the panel's again").into()];
            }
            None => return Vec::new(),
        };
        vec![app::Effect::Confirm(Confirm::new(question, || app::Message::Panel(Message::CloseConfirmed)))]
    }

    /// The round that was closed last: the one that can be opened again.
    fn closed_last(&self) -> Option<Round> {
        match self.board()?.phase {
            Phase::Blind => None,
            Phase::Panel => Some(Round::Blind),
            Phase::Ruling => Some(Round::Panel),
        }
    }

    fn ask_open(&mut self) -> Vec<app::Effect> {
        if let Some(why) = self.why_no_senior() {
            return vec![Toast::error(why).into()];
        }
        let question = match self.closed_last() {
            Some(Round::Blind) => "Open the blind round again? Who has seen the votes meanwhile is no longer blind.",
            Some(Round::Panel) => "Open the panel round again?",
            None => return vec![Toast::info("the blind round is open").into()],
        };
        vec![app::Effect::Confirm(Confirm::new(question, || app::Message::Panel(Message::OpenConfirmed)))]
    }

    fn toggle_names(&mut self) -> Vec<app::Effect> {
        let Some(board) = self.board() else { return Vec::new() };
        if !board.senior || board.phase != Phase::Ruling {
            let text = "names are for seniors, once both rounds are closed";
            return vec![Toast::error(text).into()];
        }
        self.names = !self.names;
        Vec::new()
    }
}
