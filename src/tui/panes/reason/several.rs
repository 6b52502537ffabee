//! One log asked of several: the base model and adapters, one after the other in one action, then side by side.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::state::{Board, Comparison, Doing, State, Wearing};
use crate::logs::SafeText;
use crate::tui::app::{self, Toast};
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::digit_popup;

/// So many are offered, one for each digit.
const OFFERED: usize = 9;

/// So many are ticked at first.
const TICKED: usize = 3;

/// Whom to ask: the base model, then the adapters, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticks {
    /// Whether each is to be asked.
    ticked: Vec<bool>,
}

impl State {
    pub(super) fn begin_ticking(&mut self) -> Vec<app::Effect> {
        if self.adapters.is_empty() {
            return vec![Toast::info("there is no adapter yet to compare with the base model: train one (4)").into()];
        }
        if self.question_in_front().is_none() {
            return vec![Toast::info("there is no log to ask about").into()];
        }
        let offered = (1 + self.adapters.len()).min(OFFERED);
        let mut ticked = vec![false; offered];
        // The base, what is worn, and the newest others.
        let worn = self.adapter.map(|at| at + 1).filter(|at| *at < offered);
        let mut left = TICKED;
        for at in std::iter::once(0).chain(worn).chain(1..offered) {
            if left > 0 && !ticked[at] {
                ticked[at] = true;
                left -= 1;
            }
        }
        self.doing = Doing::Ticking(Ticks { ticked });
        Vec::new()
    }

    pub(super) fn tick(&mut self, number: u8) {
        if let Doing::Ticking(ticks) = &mut self.doing
            && let Some(tick) = ticks.ticked.get_mut(usize::from(number).saturating_sub(1))
        {
            *tick = !*tick;
        }
    }

    pub(super) fn ask_ticked(&mut self, shared: &Shared) -> Vec<app::Effect> {
        let Doing::Ticking(ticks) = &self.doing else { return Vec::new() };
        let who = |(at, ticked): (usize, &bool)| {
            ticked.then(|| at.checked_sub(1).and_then(|at| self.adapters.get(at)).cloned())
        };
        let mut everyone: Vec<Option<Wearing>> = ticks.ticked.iter().enumerate().filter_map(who).collect();
        if everyone.len() < 2 {
            return vec![Toast::info("tick two or more to compare").into()];
        }
        let Some(question) = self.question_in_front() else { return Vec::new() };
        self.doing = Doing::Browsing;
        let first = everyone.remove(0);
        self.ask_these(question, first, everyone, shared)
    }

    /// Shows the traces side by side of those that were asked the same in one go, as far as they answered.
    pub(super) fn compare_all(&mut self, with: &[u64]) {
        let sides: Vec<u64> = with.iter().copied().filter(|ticket| self.told_as(*ticket).is_some()).collect();
        if sides.len() > 1 {
            self.comparing = Some(Comparison { sides, front: 1, top: 0 });
        }
    }

    /// Goes on to who is asked next, if anybody is; `false` where nobody is left.
    pub(super) fn go_on(&mut self) -> bool {
        let Board::Writing(writing) = &mut self.board else { return false };
        let Some((ticket, adapter)) = writing.next.pop_front() else { return false };
        (writing.ticket, writing.adapter) = (ticket, adapter);
        (writing.text, writing.tokens, writing.tokens_per_second) = (String::new(), 0, None);
        true
    }
}

/// Whom to ask, over the foot of the pane.
pub(super) fn view_ticks(ticks: &Ticks, adapters: &[Wearing], theme: &Theme, frame: &mut Frame, area: Rect) {
    let name = |(at, ticked): (usize, &bool)| {
        let adapter = at.checked_sub(1).and_then(|at| adapters.get(at));
        let name = adapter.map_or("the base model", |adapter| adapter.name.as_str());
        format!("[{}] {}", if *ticked { "x" } else { " " }, SafeText::one_line(name))
    };
    let names = ticks.ticked.iter().enumerate().map(name).collect();
    digit_popup(frame, area, " Ask about this log: enter ", names, theme);
}
