//! Branches: the model answers on from another token or an edited step, and what it then says may become a preference pair.

use super::effects::{Effect, Message};
use super::state::{Comparison, Doing, Question, State};
use crate::evaluation::preference_pair;
use crate::logs::SafeText;
use crate::reasoning::prompt::AnomalyPrompt;
use crate::tui::app::{self, Toast};
use crate::tui::overlays::Prompt;
use crate::tui::panes::Shared;

const NO_TRACE: &str = "there is no reasoning to branch from yet: press enter on a log";

impl State {
    pub(super) fn begin_branch(&mut self) -> Vec<app::Effect> {
        if self.current_step().is_none() {
            return vec![Toast::info(NO_TRACE).into()];
        }
        self.doing = Doing::Branching;
        self.comparing = None;
        Vec::new()
    }

    pub(super) fn take_alternative(&mut self, number: u8, shared: &Shared) -> Vec<app::Effect> {
        let at = usize::from(number).saturating_sub(1);
        match self.trace().and_then(|trace| trace.begun_with_alternative(self.step, self.token, at)) {
            Some(begun) => self.branch(begun, shared),
            None => vec![Toast::warning(format!("this token has no alternative {number}")).into()],
        }
    }

    pub(super) fn edit_step(&mut self) -> Vec<app::Effect> {
        self.doing = Doing::Browsing;
        let Some(step) = self.current_step() else { return Vec::new() };
        let text = SafeText::new(&step.text);
        let ask = Prompt::area("The step, corrected; the model goes on from there", text.as_str(), |text| {
            app::Message::Reason(Message::BranchFrom(text))
        });
        vec![ask.into()]
    }

    pub(super) fn branch_from_step(&mut self, edited: &str, shared: &Shared) -> Vec<app::Effect> {
        if edited.trim().is_empty() {
            return vec![Toast::info("an empty step is nothing to go on from").into()];
        }
        match self.trace().and_then(|trace| trace.begun_with_step(self.step, edited)) {
            Some(begun) => self.branch(begun, shared),
            None => vec![Toast::info(NO_TRACE).into()],
        }
    }

    fn branch(&mut self, begun: String, shared: &Shared) -> Vec<app::Effect> {
        self.doing = Doing::Browsing;
        let Some(told) = self.told() else { return Vec::new() };
        let question = Question { text: told.trace.input.clone(), session: told.trace.session };
        let parent = told.ticket;
        self.ask_from(question, begun, Some(parent), shared)
    }

    pub(super) fn compare(&mut self) -> Vec<app::Effect> {
        if self.comparing.take().is_some() {
            return Vec::new();
        }
        if let Some(with) = self.told().map(|told| told.with.clone()).filter(|with| !with.is_empty()) {
            self.compare_all(&with);
        } else if let Some((parent, branch)) = self.parent().zip(self.told()) {
            let sides = vec![parent.ticket, branch.ticket];
            self.comparing = Some(Comparison { sides, front: 1, top: 0 });
        }
        if self.comparing.is_none() {
            return vec![
                Toast::info("there is nothing to compare it with: b makes a branch, A asks others too").into(),
            ];
        }
        Vec::new()
    }

    pub(super) fn keep_pair(&mut self) -> Vec<app::Effect> {
        let Some((parent, branch)) = self.parent().zip(self.trace()) else {
            return vec![Toast::info("only a branch can be kept as a preference pair: b makes one").into()];
        };
        match preference_pair(&parent.trace, branch, &AnomalyPrompt::of(branch.session)) {
            Ok(pair) => vec![app::Effect::Reason(Effect::Keep(Box::new(pair)))],
            Err(error) => vec![Toast::warning(error.to_string()).into()],
        }
    }
}
