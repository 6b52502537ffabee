//! How the Reason pane changes: actions and messages in, effects out.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Action;
use super::actions::{BRANCH, OPEN, TICK, WHAT_IF};
use super::effects::{Effect, Message, Offer};
use super::question::{ask_for, fetch_again};
use super::state::{Board, Doing, Front, Question, State, Told};
use crate::evaluation::SteppedTrace;
use crate::logs::SafeText;
use crate::tui::action::Mode;
use crate::tui::app::{self, Toast};
use crate::tui::overlays::Prompt;
use crate::tui::panes::{Pane, Shared};

impl Pane for State {
    type Action = Action;
    type Message = Message;

    fn mode(&self) -> Mode {
        match self.doing {
            Doing::Browsing => Mode::BROWSE,
            Doing::Branching => BRANCH,
            Doing::Supposing(_) => WHAT_IF,
            Doing::Ticking(_) => TICK,
            Doing::Opening(_) => OPEN,
        }
    }

    /// Reads again each time: there may be new templates, and new runs.
    fn enter(&mut self, _shared: &Shared) -> Vec<app::Effect> {
        self.reading = true;
        vec![app::Effect::Reason(Effect::Load)]
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<app::Effect> {
        match action {
            Action::Reason => return self.ask_in_front(shared),
            Action::Type => return vec![ask_for(&Question::default())],
            Action::TypeSession => return vec![ask_for(&Question { session: true, ..Question::default() })],
            Action::Edit => return vec![ask_for(&self.question_in_front().unwrap_or_default())],
            Action::Mark if self.front == Front::Logs => self.mark(),
            Action::AskSeveral => return self.begin_ticking(),
            Action::Tick(number) => self.tick(number),
            Action::AskTicked => return self.ask_ticked(shared),
            Action::WhatIf => return self.begin_supposing(shared),
            Action::NextWord => self.travel_words(1),
            Action::PreviousWord => self.travel_words(-1),
            Action::FirstWord => self.travel_words(isize::MIN),
            Action::LastWord => self.travel_words(isize::MAX),
            Action::MaskWord => return self.mask_word(shared),
            Action::ReplaceWord => return self.ask_for_word(),
            Action::UndoChange => return self.undo_change(shared),
            Action::AskChanged => return self.ask_changed(shared),
            Action::ListKept => return vec![app::Effect::Reason(Effect::ListKept)],
            Action::NextKept => self.travel_kept(1),
            Action::PreviousKept => self.travel_kept(-1),
            Action::KeptPageDown => self.travel_kept(self.kept_page()),
            Action::KeptPageUp => self.travel_kept(-self.kept_page()),
            Action::OpenKept => return self.open_selected(),
            Action::Contest => return self.ask_why_wrong(),
            Action::Export => return self.ask_where_to(),
            Action::Lens => self.lens = self.lens.other(),
            Action::GiveUp => self.doing = Doing::Browsing,
            Action::Branch => return self.begin_branch(),
            Action::Take(number) => return self.take_alternative(number, shared),
            Action::EditStep => return self.edit_step(),
            Action::Compare => return self.compare(),
            Action::Keep => return self.keep_pair(),
            Action::NextAdapter => return self.wear_next(),
            Action::Fast => {
                self.fast = !self.fast;
                let first = if self.fast { "verdict" } else { "reasons" };
                return vec![
                    Toast::info(format!(
                        "from the next reasoning on, the {first} come{} first",
                        if self.fast { "s" } else { "" }
                    ))
                    .into(),
                ];
            }
            Action::Stop => return self.stop(),
            Action::PreviousStep => self.travel_steps(-1),
            Action::NextStep => self.travel_steps(1),
            Action::Down => self.travel(1),
            Action::Up => self.travel(-1),
            Action::PageDown => self.travel(self.page()),
            Action::PageUp => self.travel(-self.page()),
            Action::First => self.travel(isize::MIN),
            Action::Last => self.travel(isize::MAX),
            Action::LeastSure => self.go_to_least_sure(),
            Action::OtherSide | Action::Mark => {
                self.front = match self.front {
                    Front::Logs if !matches!(self.board, Board::Empty) => Front::Trace,
                    _ => Front::Logs,
                };
            }
            Action::Filter => {
                self.front = Front::Logs;
                let done = |text| app::Message::Reason(Message::Filter(text));
                let ask = Prompt::line("Filter: words in id or text", &self.filter, done).on_change(done);
                return vec![ask.on_cancel(|| app::Message::Reason(Message::FilterCancelled)).into()];
            }
            Action::OlderTrace => return self.turn_back(-1),
            Action::NewerTrace => return self.turn_back(1),
            Action::OnlyInDoubt => {
                self.only_in_doubt = !self.only_in_doubt;
                self.front = Front::Logs;
                let filter = std::mem::take(&mut self.filter);
                self.set_filter(filter);
            }
            Action::FetchModel => return fetch_again(shared),
            Action::Back if self.comparing.is_some() => self.comparing = None,
            Action::Back if matches!(&self.board, Board::Writing(writing) if !writing.stopping) => return self.stop(),
            Action::Back if self.front == Front::Trace => self.front = Front::Logs,
            Action::Back if !self.marked.is_empty() => self.marked.clear(),
            Action::Back => self.list_all(),
            Action::Copy => {
                let text = match &self.board {
                    Board::Trace => self.trace().map(|trace| &trace.text),
                    Board::Writing(writing) => Some(&writing.text),
                    Board::Empty | Board::Waiting { .. } | Board::Failed { .. } => None,
                };
                let Some(text) = text.map(|text| SafeText::new(text).into_string()) else { return Vec::new() };
                return vec![app::Effect::Copy(text), Toast::info("copied the reasoning").into()];
            }
        }
        Vec::new()
    }

    fn receive(&mut self, message: Message, shared: &Shared) -> Vec<app::Effect> {
        match message {
            Message::Loaded(offer) => {
                self.reading = false;
                match offer {
                    Ok(offer) => self.take_offer(offer),
                    Err(why) => self.items = Some(Err(SafeText::one_line(&why))),
                }
                return self.ask_next.take().map_or_else(Vec::new, |question| self.ask(question, shared));
            }
            Message::Ask(log) if log.trim().is_empty() => return vec![Toast::error("the log is empty").into()],
            // A pane that hands over a log brings this one to the front: what was trained meanwhile is not known yet.
            Message::Ask(log) if self.reading => {
                let effects = self.stop();
                self.doing = Doing::Browsing;
                (self.board, self.front) = (Board::Waiting { question: Question::log(&log) }, Front::Trace);
                self.ask_next = Some(Question::log(log));
                return effects;
            }
            Message::Ask(log) => return self.ask(Question::log(log), shared),
            Message::AskSession(text) => return self.ask_session(&text, shared),
            Message::Word(word) => return self.replace_word(&word, shared),
            Message::Supposed(number, answer) => return self.supposed(number, answer, shared),
            Message::Filter(text) => self.set_filter(text),
            Message::FilterCancelled => self.set_filter(String::new()),
            Message::ModelLoaded(path, model) => {
                if let Board::Writing(writing) = &mut self.board {
                    writing.loading = false;
                }
                self.loaded = Some((path, model));
            }
            Message::Written { ticket, text, tokens_per_second } => {
                if let Board::Writing(writing) = &mut self.board
                    && writing.ticket == ticket
                {
                    writing.text.push_str(&text);
                    writing.tokens += 1;
                    writing.tokens_per_second = tokens_per_second;
                    writing.loading = false;
                }
            }
            Message::Done { ticket, trace, stopped } if self.awaits(ticket) => self.done(ticket, *trace, stopped),
            Message::Failed(ticket, why) if self.awaits(ticket) => return self.failed(&why),
            Message::Weighed(ticket, trace) => {
                if let Some(told) = self.past.iter_mut().find(|told| told.ticket == ticket) {
                    told.weighing = false;
                    if let Some(trace) = trace {
                        told.trace = *trace;
                        told.trace.set_band(&self.calibrations);
                    }
                }
            }
            Message::Stored(ticket, id) => return self.stored(ticket, id, shared),
            Message::ListedKept(rows) => return self.list_kept(rows),
            Message::Open(id) => return self.open(id),
            Message::Opened(opened) => return self.opened(opened),
            Message::Contest(why) => return self.contest(why, shared),
            Message::Contested(ticket, contested) => return self.is_contested(ticket, contested),
            Message::ExportTo(path) => return self.export(&path),
            Message::Exported(Ok(path)) => return vec![Toast::info(format!("written to {path}")).into()],
            Message::Exported(Err(why)) => return vec![Toast::error(why).into()],
            Message::BranchFrom(edited) => return self.branch_from_step(&edited, shared),
            Message::Kept(Ok(id)) => {
                return vec![Toast::info(format!("kept as preference pair {id}; review it in pane 3")).into()];
            }
            Message::Kept(Err(why)) => return vec![Toast::error(why).into()],
            Message::Done { .. } | Message::Failed(..) => {}
        }
        Vec::new()
    }

    fn view(&self, shared: &Shared, frame: &mut Frame, area: Rect) {
        super::view::view(self, shared, frame, area);
    }

    fn bookmark(&self) -> Option<String> {
        self.last_log()
    }

    fn return_to(&mut self, bookmark: &str) {
        self.board = Board::Waiting { question: Question::log(bookmark) };
    }
}

impl State {
    fn awaits(&self, ticket: u64) -> bool {
        matches!(&self.board, Board::Writing(writing) if writing.ticket == ticket)
    }

    /// An answer is there: the next in turn is asked, or it is shown.
    fn done(&mut self, ticket: u64, trace: SteppedTrace, stopped: bool) {
        let Board::Writing(writing) = &self.board else { return };
        let told = Told {
            ticket,
            trace,
            weighing: !stopped,
            stopped,
            parent: writing.parent,
            with: writing.with.clone(),
            kept: None,
            contested: false,
            contest_next: None,
        };
        let (front, with) = (self.front, told.with.clone());
        let board = std::mem::take(&mut self.board);
        self.keep(told);
        let shown = std::mem::replace(&mut self.board, board);
        if !self.go_on() {
            self.board = shown;
            self.compare_all(&with);
        }
        // Whoever has gone on to other logs meanwhile stays there.
        self.front = front;
    }

    /// There is no answer: the next in turn is asked, or what the others said is shown.
    fn failed(&mut self, why: &str) -> Vec<app::Effect> {
        let Board::Writing(writing) = &self.board else { return Vec::new() };
        let (question, with, who) = (writing.question.clone(), writing.with.clone(), writing.adapter.clone());
        let told = format!("{}: {why}", who.as_deref().unwrap_or("the base model"));
        if self.go_on() {
            return vec![Toast::warning(told).into()];
        }
        if with.iter().any(|ticket| self.told_as(*ticket).is_some()) {
            self.board = Board::Trace;
            self.compare_all(&with);
            return vec![Toast::warning(told).into()];
        }
        self.board = Board::Failed { question, why: SafeText::one_line(why) };
        Vec::new()
    }

    fn take_offer(&mut self, offer: Offer) {
        let kept = self.selected_item().map(|item| item.raw.clone()).or_else(|| self.question().map(|q| q.text));
        let marked: Vec<String> =
            self.marked.iter().filter_map(|at| Some(self.items().get(*at)?.raw.clone())).collect();
        self.items = Some(Ok(offer.items));
        let again = |raw: &String| self.items().iter().position(|item| item.raw == *raw);
        self.marked = marked.iter().filter_map(again).collect();
        let filter = std::mem::take(&mut self.filter);
        self.visible.clear();
        self.set_filter(filter);
        let at = kept.and_then(|raw| self.visible.iter().position(|&i| self.items()[i].raw == raw));
        self.selected = at.unwrap_or(0);

        let worn = self.worn().map(|worn| worn.dir.clone());
        self.adapters = offer.adapters;
        self.calibrations = offer.calibrations;
        let still = worn.and_then(|dir| self.adapters.iter().position(|adapter| adapter.dir == dir));
        // What was just trained is what one wants to see at work, unless something else was chosen.
        let newest = (!self.chosen && !self.adapters.is_empty()).then_some(0);
        self.adapter = if self.chosen { still } else { newest };
    }

    /// Shows another trace of this session.
    fn turn_back(&mut self, traces: isize) -> Vec<app::Effect> {
        if matches!(self.board, Board::Writing(_)) {
            return vec![Toast::warning("the model is writing; esc stops it").into()];
        }
        if self.travel_past(traces) {
            return Vec::new();
        }
        let which = if traces < 0 { "older" } else { "newer" };
        vec![Toast::info(format!("there is no {which} trace in this session")).into()]
    }
}
