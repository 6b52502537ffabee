//! Asking: whom, about which log or session, and who waits for what.

use super::effects::{Ask, Effect, Message};
use super::state::{Board, Doing, Front, Question, State, Wearing, Writing};
use crate::reasoning::Window;
use crate::tui::app::{self, Toast};
use crate::tui::model::ModelStanding;
use crate::tui::overlays::Prompt;
use crate::tui::panes::{PaneId, Shared};

impl State {
    /// Asks about what is in front: the marked logs as one session, else the selected log, or that of the reasoning.
    pub(super) fn ask_in_front(&mut self, shared: &Shared) -> Vec<app::Effect> {
        if self.front == Front::Logs && !self.marked.is_empty() {
            let lines = self.marked.iter().filter_map(|at| self.items().get(*at)).map(|item| item.raw.as_str());
            return match Window::of(lines) {
                Ok(window) => self.ask(Question { text: window.to_string(), session: true }, shared),
                Err(why) => vec![Toast::warning(why.to_string()).into()],
            };
        }
        self.question_in_front().map_or_else(Vec::new, |question| self.ask(question, shared))
    }

    /// Asks about lines that were typed or pasted as one session; a single line is a log.
    pub(super) fn ask_session(&mut self, text: &str, shared: &Shared) -> Vec<app::Effect> {
        match Window::read(text) {
            Ok(window) => {
                let session = window.lines().len() > 1;
                self.ask(Question { text: window.to_string(), session }, shared)
            }
            Err(why) => vec![Toast::error(why.to_string()).into()],
        }
    }

    /// Marks the selected log for a session, or takes the mark off, and goes on.
    pub(super) fn mark(&mut self) {
        if let Some(&at) = self.visible.get(self.selected) {
            if !self.marked.remove(&at) {
                self.marked.insert(at);
            }
            self.travel(1);
        }
    }

    /// Asks the model, if it is there; a question that is still being answered is given up. Without the model the log
    /// waits.
    pub(super) fn ask(&mut self, question: Question, shared: &Shared) -> Vec<app::Effect> {
        self.ask_from(question, String::new(), None, shared)
    }

    /// [`State::ask`] with what the answer begins with, and the question that it branches off.
    pub(super) fn ask_from(
        &mut self,
        question: Question,
        begun: String,
        parent: Option<u64>,
        shared: &Shared,
    ) -> Vec<app::Effect> {
        let adapter = self.worn().cloned();
        self.put(question, adapter, Vec::new(), begun, parent, shared)
    }

    /// [`State::ask`], of several one after the other.
    pub(super) fn ask_these(
        &mut self,
        question: Question,
        first: Option<Wearing>,
        others: Vec<Option<Wearing>>,
        shared: &Shared,
    ) -> Vec<app::Effect> {
        self.put(question, first, others, String::new(), None, shared)
    }

    fn put(
        &mut self,
        question: Question,
        adapter: Option<Wearing>,
        others: Vec<Option<Wearing>>,
        begun: String,
        parent: Option<u64>,
        shared: &Shared,
    ) -> Vec<app::Effect> {
        let mut effects = self.stop();
        self.ticket += 1;
        self.front = Front::Trace;
        (self.doing, self.comparing) = (Doing::Browsing, None);
        let name = &shared.model_name;
        let Some(path) = shared.model.path().cloned() else {
            self.board = Board::Waiting { question };
            effects.extend(match shared.model {
                ModelStanding::Missing(_) => fetch_again(shared),
                _ => vec![Toast::warning(format!("{name} is not here yet; press enter again when it is")).into()],
            });
            return effects;
        };
        let ticket = self.ticket;
        let more: Vec<(u64, Option<Wearing>)> = (ticket + 1..).zip(others).collect();
        self.ticket += more.len() as u64;
        let name_of = |adapter: &Option<Wearing>| adapter.as_ref().map(|adapter| adapter.name.clone());
        self.board = Board::Writing(Writing {
            ticket,
            parent,
            question: question.clone(),
            adapter: name_of(&adapter),
            with: if more.is_empty() { Vec::new() } else { (ticket..=self.ticket).collect() },
            next: more.iter().map(|(ticket, adapter)| (*ticket, name_of(adapter))).collect(),
            text: String::new(),
            tokens: 0,
            tokens_per_second: None,
            loading: self.loaded.as_ref().is_none_or(|(from, _)| *from != path),
            stopping: false,
        });
        effects.push(app::Effect::Reason(Effect::Ask(Box::new(Ask {
            ticket,
            question,
            model: (name.clone(), path),
            loaded: self.loaded.clone(),
            adapter,
            more,
            fast: self.fast,
            begun,
            by: shared.annotator.clone(),
        }))));
        effects
    }

    pub(super) fn wear_next(&mut self) -> Vec<app::Effect> {
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

    pub(super) fn stop(&mut self) -> Vec<app::Effect> {
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
}

/// Asks for a log or a session, starting from one.
pub(super) fn ask_for(initial: &Question) -> app::Effect {
    if initial.session {
        let title = "A session: a log entry on each line, 1 to 100 of them";
        return Prompt::area(title, &initial.text, |text| app::Message::Reason(Message::AskSession(text))).into();
    }
    Prompt::line("A log entry to reason about", &initial.text, |log| app::Message::Reason(Message::Ask(log))).into()
}

/// Has the model fetched, unless it is here or on its way.
pub(super) fn fetch_again(shared: &Shared) -> Vec<app::Effect> {
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
