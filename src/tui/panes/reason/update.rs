//! How the Reason pane changes: actions and messages in, effects out.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Action;
use super::actions::BRANCH;
use super::effects::{Ask, Effect, Message, Offer};
use super::state::{Board, Front, State, Told, Writing};
use crate::logs::SafeText;
use crate::tui::action::Mode;
use crate::tui::app::{self, Toast};
use crate::tui::model::ModelStanding;
use crate::tui::overlays::Prompt;
use crate::tui::panes::{Pane, PaneId, Shared};

impl Pane for State {
    type Action = Action;
    type Message = Message;

    fn mode(&self) -> Mode {
        if self.branching { BRANCH } else { Mode::BROWSE }
    }

    /// Reads again each time: there may be new templates, and new runs.
    fn enter(&mut self, _shared: &Shared) -> Vec<app::Effect> {
        self.reading = true;
        vec![app::Effect::Reason(Effect::Load)]
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<app::Effect> {
        match action {
            Action::Reason => {
                let log = self.log_in_front().map(str::to_owned);
                return log.map_or_else(Vec::new, |log| self.ask(log, shared));
            }
            Action::Type => return vec![ask_for_log("")],
            Action::Edit => return vec![ask_for_log(self.log_in_front().unwrap_or_default())],
            Action::Branch => return self.begin_branch(),
            Action::Take(number) => return self.take_alternative(number, shared),
            Action::EditStep => return self.edit_step(),
            Action::CancelBranch => self.branching = false,
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
            Action::OtherSide => {
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
                return self.ask_next.take().map_or_else(Vec::new, |log| self.ask(log, shared));
            }
            Message::Ask(log) if log.trim().is_empty() => return vec![Toast::error("the log is empty").into()],
            // A pane that hands over a log brings this one to the front: what was trained meanwhile is not known yet.
            Message::Ask(log) if self.reading => {
                let effects = self.stop();
                (self.board, self.front) = (Board::Waiting { log: log.clone() }, Front::Trace);
                self.ask_next = Some(log);
                return effects;
            }
            Message::Ask(log) => return self.ask(log, shared),
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
            Message::Done { ticket, trace, stopped } if self.awaits(ticket) => {
                let front = self.front;
                let parent = match &self.board {
                    Board::Writing(writing) => writing.parent,
                    _ => None,
                };
                self.keep(Told { ticket, trace: *trace, weighing: !stopped, stopped, parent });
                // Whoever has gone on to other logs meanwhile stays there.
                self.front = front;
            }
            Message::Failed(ticket, why) if self.awaits(ticket) => {
                let log = self.log().unwrap_or_default().to_owned();
                self.board = Board::Failed { log, why: SafeText::one_line(&why) };
            }
            Message::Weighed(ticket, trace) => {
                if let Some(told) = self.past.iter_mut().find(|told| told.ticket == ticket) {
                    told.weighing = false;
                    if let Some(trace) = trace {
                        told.trace = *trace;
                    }
                }
            }
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
        self.last_log().map(str::to_owned)
    }

    fn return_to(&mut self, bookmark: &str) {
        self.board = Board::Waiting { log: bookmark.to_owned() };
    }
}

impl State {
    fn awaits(&self, ticket: u64) -> bool {
        matches!(&self.board, Board::Writing(writing) if writing.ticket == ticket)
    }

    fn take_offer(&mut self, offer: Offer) {
        let kept = self.selected_item().map(|item| item.raw.clone()).or_else(|| self.log().map(str::to_owned));
        self.items = Some(Ok(offer.items));
        let filter = std::mem::take(&mut self.filter);
        self.visible.clear();
        self.set_filter(filter);
        let at = kept.and_then(|raw| self.visible.iter().position(|&i| self.items()[i].raw == raw));
        self.selected = at.unwrap_or(0);

        let worn = self.worn().map(|worn| worn.dir.clone());
        self.adapters = offer.adapters;
        let still = worn.and_then(|dir| self.adapters.iter().position(|adapter| adapter.dir == dir));
        // What was just trained is what one wants to see at work, unless something else was chosen.
        let newest = (!self.chosen && !self.adapters.is_empty()).then_some(0);
        self.adapter = if self.chosen { still } else { newest };
    }

    fn wear_next(&mut self) -> Vec<app::Effect> {
        if self.adapters.is_empty() {
            return vec![Toast::info("there is no adapter yet: train one in the Train pane").into()];
        }
        self.chosen = true;
        self.adapter = match self.adapter {
            None => Some(0),
            Some(at) if at + 1 < self.adapters.len() => Some(at + 1),
            Some(_) => None,
        };
        let name = self.worn().map_or("no adapter", |worn| worn.name.as_str());
        vec![Toast::info(format!("from the next reasoning on, the model wears {name}")).into()]
    }

    fn stop(&mut self) -> Vec<app::Effect> {
        let weighing = self.is_weighing();
        match &mut self.board {
            Board::Writing(writing) => {
                writing.stopping = true;
                vec![app::Effect::CancelJobs(PaneId::Reason)]
            }
            // Weighing gives way to the next question.
            _ if weighing => vec![app::Effect::CancelJobs(PaneId::Reason)],
            _ => Vec::new(),
        }
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

    /// Asks the model, if it is there; a question that is still being answered is given up. Without the model the log
    /// waits.
    fn ask(&mut self, log: String, shared: &Shared) -> Vec<app::Effect> {
        self.ask_from(log, String::new(), None, shared)
    }

    /// [`State::ask`] with what the answer begins with, and the question that it branches off.
    pub(super) fn ask_from(
        &mut self,
        log: String,
        begun: String,
        parent: Option<u64>,
        shared: &Shared,
    ) -> Vec<app::Effect> {
        let mut effects = self.stop();
        self.ticket += 1;
        self.front = Front::Trace;
        let name = &shared.model_name;
        let Some(path) = shared.model.path().cloned() else {
            self.board = Board::Waiting { log };
            effects.extend(match shared.model {
                ModelStanding::Missing(_) => fetch_again(shared),
                _ => vec![Toast::warning(format!("{name} is not here yet; press enter again when it is")).into()],
            });
            return effects;
        };
        self.board = Board::Writing(Writing {
            ticket: self.ticket,
            parent,
            log: log.clone(),
            text: String::new(),
            tokens: 0,
            tokens_per_second: None,
            loading: self.loaded.as_ref().is_none_or(|(from, _)| *from != path),
            stopping: false,
        });
        effects.push(app::Effect::Reason(Effect::Ask(Box::new(Ask {
            ticket: self.ticket,
            log,
            model: (name.clone(), path),
            loaded: self.loaded.clone(),
            adapter: self.worn().cloned(),
            fast: self.fast,
            begun,
        }))));
        effects
    }
}

/// Asks for a log, starting from one.
fn ask_for_log(initial: &str) -> app::Effect {
    Prompt::line("A log entry to reason about", initial, |log| app::Message::Reason(Message::Ask(log))).into()
}

/// Has the model fetched, unless it is here or on its way.
fn fetch_again(shared: &Shared) -> Vec<app::Effect> {
    let name = &shared.model_name;
    match shared.model {
        ModelStanding::Missing(_) => {
            let text = format!("fetching {name}; press enter when it is here");
            vec![Toast::info(text).into(), app::Effect::FetchModel(name.clone())]
        }
        ModelStanding::Here(_) => vec![Toast::info(format!("{name} is here")).into()],
        ModelStanding::Coming(_) | ModelStanding::Unknown => {
            vec![Toast::info(format!("{name} is already being fetched")).into()]
        }
    }
}
