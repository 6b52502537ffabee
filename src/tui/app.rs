//! The workbench as plain data, and the one pure function that changes it: [`update`].

use std::collections::VecDeque;

use crossterm::event::Event;

use super::action::{Action, GlobalAction, Mode, Scope};
use super::keys::{Key, Keymap};
pub use super::message::{Effect, JobId, JobLine, JobNews, Message, Signal, Toast, Tone};
use super::overlays::{Confirm, Help, Outcome, Overlay, Palette};
use super::panes::{Pane, PaneId, Shared, evaluate, label, panel, reason, review, train};
use super::session::Session;
use crate::logs::SafeText;

/// The workbench.
#[derive(Debug)]
pub struct AppState {
    /// What every pane may know.
    pub shared: Shared,
    /// Which key means what.
    pub keymap: Keymap,
    /// The pane in front.
    pub pane: PaneId,
    /// What lies over the pane and holds the keyboard.
    pub overlay: Option<Overlay>,
    /// What the status line says.
    pub toast: Option<Toast>,
    /// What runs.
    pub jobs: Vec<JobLine>,
    /// Label pane.
    pub label: label::State,
    /// Panel pane.
    pub panel: panel::State,
    /// Review pane.
    pub review: review::State,
    /// Train pane.
    pub train: train::State,
    /// Reason pane.
    pub reason: reason::State,
    /// Evaluate pane.
    pub evaluate: evaluate::State,
    /// Whether the last update changed anything that can be seen.
    pub changed: bool,
}

/// Runs an expression on the pane that is in front.
macro_rules! on_pane {
    ($state:expr, $id:expr, $pane:ident => $do:expr) => {
        match $id {
            PaneId::Label => {
                let $pane = &mut $state.label;
                $do
            }
            PaneId::Panel => {
                let $pane = &mut $state.panel;
                $do
            }
            PaneId::Review => {
                let $pane = &mut $state.review;
                $do
            }
            PaneId::Train => {
                let $pane = &mut $state.train;
                $do
            }
            PaneId::Reason => {
                let $pane = &mut $state.reason;
                $do
            }
            PaneId::Evaluate => {
                let $pane = &mut $state.evaluate;
                $do
            }
        }
    };
}

impl AppState {
    /// A workbench that has shown nothing yet; [`AppState::start`] brings its first pane to the front.
    pub fn new(shared: Shared, keymap: Keymap) -> Self {
        Self {
            shared,
            keymap,
            pane: PaneId::Label,
            overlay: None,
            toast: None,
            jobs: Vec::new(),
            label: label::State::default(),
            panel: panel::State::default(),
            review: review::State::default(),
            train: train::State::default(),
            reason: reason::State::default(),
            evaluate: evaluate::State::default(),
            changed: true,
        }
    }

    /// Goes back to where the last session was left, and asks for what the pane in front needs.
    pub fn start(&mut self, session: &Session) -> Vec<Effect> {
        self.pane = session.pane;
        for (id, bookmark) in &session.bookmarks {
            on_pane!(self, *id, pane => pane.return_to(bookmark));
        }
        let mut effects = self.enter();
        effects.push(Effect::FetchModel(self.shared.model_name.clone()));
        settle(self, effects)
    }

    /// What the pane in front is in the middle of.
    pub fn mode(&self) -> Mode {
        match self.pane {
            PaneId::Label => self.label.mode(),
            PaneId::Panel => self.panel.mode(),
            PaneId::Review => self.review.mode(),
            PaneId::Train => self.train.mode(),
            PaneId::Reason => self.reason.mode(),
            PaneId::Evaluate => self.evaluate.mode(),
        }
    }

    /// Where the user is.
    pub fn session(&self) -> Session {
        let marks = [
            (PaneId::Label, self.label.bookmark()),
            (PaneId::Panel, self.panel.bookmark()),
            (PaneId::Review, self.review.bookmark()),
            (PaneId::Train, self.train.bookmark()),
            (PaneId::Reason, self.reason.bookmark()),
            (PaneId::Evaluate, self.evaluate.bookmark()),
        ];
        let bookmarks = marks.into_iter().filter_map(|(id, mark)| Some((id, mark?))).collect();
        Session { pane: self.pane, bookmarks }
    }

    fn enter(&mut self) -> Vec<Effect> {
        on_pane!(self, self.pane, pane => pane.enter(&self.shared))
    }

    fn show(&mut self, pane: PaneId) -> Vec<Effect> {
        if pane == self.pane {
            return Vec::new();
        }
        self.pane = pane;
        let mut effects = self.enter();
        effects.push(Effect::SaveSession(self.session()));
        effects
    }
}

/// Changes the workbench by one message. Returns what has to happen outside it; [`AppState::changed`] says whether there
/// is anything new to see.
pub fn update(state: &mut AppState, message: Message) -> Vec<Effect> {
    state.changed = false;
    let Message::Input(events) = message else {
        let effects = receive(state, message);
        return settle(state, effects);
    };
    let mut edge = Vec::new();
    for event in events {
        // Each key meets what the one before it brought about: an overlay, another pane.
        let effects = terminal_event(state, event);
        edge.extend(settle(state, effects));
    }
    edge
}

/// Carries out the effects that concern the state alone, and what follows from them; the others are left for the edge.
fn settle(state: &mut AppState, effects: Vec<Effect>) -> Vec<Effect> {
    let mut queue = VecDeque::from(effects);
    let mut edge = Vec::new();
    while let Some(effect) = queue.pop_front() {
        match effect {
            Effect::Prompt(prompt) => state.overlay = Some(Overlay::Prompt(prompt)),
            Effect::Confirm(confirm) => state.overlay = Some(Overlay::Confirm(confirm)),
            Effect::Page(page) => state.overlay = Some(Overlay::Page(page)),
            Effect::Toast(toast) => state.toast = Some(toast),
            Effect::Show(pane) => queue.extend(state.show(pane)),
            Effect::Send(message) => queue.extend(receive(state, *message)),
            outside => {
                edge.push(outside);
                continue;
            }
        }
        state.changed = true;
    }
    edge
}

fn receive(state: &mut AppState, message: Message) -> Vec<Effect> {
    state.changed = true;
    match message {
        // A pane that plays keys: no pane does, but the type allows it.
        Message::Input(events) => events.into_iter().flat_map(|event| terminal_event(state, event)).collect(),
        Message::InputLost(_) | Message::QuitAnyway | Message::Signal(Signal::Terminate) => leave(state),
        Message::Signal(Signal::Stop) => vec![Effect::Suspend],
        Message::Signal(Signal::Continue) => vec![Effect::Redraw],
        Message::Job(id, news) => job_news(state, id, news),
        Message::Model(standing) => {
            state.shared.model = standing;
            Vec::new()
        }
        Message::Toast(toast) => vec![Effect::Toast(toast)],
        Message::PromptText(text) => {
            if let Some(Overlay::Prompt(prompt)) = &mut state.overlay {
                prompt.set_text(&text);
            }
            Vec::new()
        }
        Message::Label(message) => state.label.receive(message, &state.shared),
        Message::Panel(message) => state.panel.receive(message, &state.shared),
        Message::Review(message) => state.review.receive(message, &state.shared),
        Message::Train(message) => state.train.receive(message, &state.shared),
        Message::Reason(message) => state.reason.receive(message, &state.shared),
        Message::Evaluate(message) => state.evaluate.receive(message, &state.shared),
    }
}

fn leave(state: &AppState) -> Vec<Effect> {
    vec![Effect::SaveSession(state.session()), Effect::Quit]
}

fn terminal_event(state: &mut AppState, event: Event) -> Vec<Effect> {
    match event {
        Event::Resize(..) => {
            state.changed = true;
            Vec::new()
        }
        Event::Paste(text) => match &mut state.overlay {
            Some(overlay) => {
                state.changed = true;
                overlay.paste(&text)
            }
            None => Vec::new(),
        },
        Event::Key(event) => match Key::from_event(event) {
            Some(key) => {
                let attended = state.pane == PaneId::Label && state.overlay.is_none();
                state.label.time_passed(state.shared.now, attended);
                key_press(state, key)
            }
            None => Vec::new(),
        },
        Event::Mouse(_) | Event::FocusGained | Event::FocusLost => Vec::new(),
    }
}

fn key_press(state: &mut AppState, key: Key) -> Vec<Effect> {
    // A toast has been read once the next key is pressed.
    if state.toast.take().is_some() {
        state.changed = true;
    }
    if let Some(overlay) = state.overlay.take() {
        state.changed = true;
        let (kept, outcome) = overlay.press(key, &state.keymap, state.pane, state.mode());
        state.overlay = kept;
        return match outcome {
            Outcome::None => Vec::new(),
            Outcome::Act(action) => act(state, action),
            Outcome::Effects(effects) => effects,
        };
    }
    match state.keymap.lookup(Scope::Pane(state.pane), state.mode(), key) {
        Some(action) => act(state, action),
        None => Vec::new(),
    }
}

/// Carries out one action, whether a key or the palette asked for it.
pub fn act(state: &mut AppState, action: Action) -> Vec<Effect> {
    state.changed = true;
    match action {
        Action::Global(action) => act_globally(state, action),
        Action::Label(action) => state.label.act(action, &state.shared),
        Action::Panel(action) => state.panel.act(action, &state.shared),
        Action::Review(action) => state.review.act(action, &state.shared),
        Action::Train(action) => state.train.act(action, &state.shared),
        Action::Reason(action) => state.reason.act(action, &state.shared),
        Action::Evaluate(action) => state.evaluate.act(action, &state.shared),
    }
}

fn act_globally(state: &mut AppState, action: GlobalAction) -> Vec<Effect> {
    match action {
        GlobalAction::Show(pane) => state.show(pane),
        GlobalAction::NextPane => state.show(state.pane.next()),
        GlobalAction::PreviousPane => state.show(state.pane.previous()),
        GlobalAction::Help => {
            state.overlay = Some(Overlay::Help(Help::default()));
            Vec::new()
        }
        GlobalAction::Palette => {
            state.overlay = Some(Overlay::Palette(Box::new(Palette::new(state.pane))));
            Vec::new()
        }
        GlobalAction::Redraw => vec![Effect::Redraw],
        GlobalAction::Suspend => vec![Effect::Suspend],
        GlobalAction::Quit => match state.jobs.iter().filter(|job| job.guarded).count() {
            0 => leave(state),
            n => {
                let jobs = if n == 1 { "1 job is".to_owned() } else { format!("{n} jobs are") };
                vec![Effect::Confirm(Confirm::new(format!("{jobs} running. Stop and leave?"), || Message::QuitAnyway))]
            }
        },
    }
}

fn job_news(state: &mut AppState, id: JobId, news: JobNews) -> Vec<Effect> {
    match news {
        JobNews::Started { pane, name, guarded } => {
            let name = SafeText::one_line(&name);
            let line = JobLine { id, pane, name, progress: SafeText::default(), guarded };
            state.jobs.push(line);
            Vec::new()
        }
        JobNews::Progress(progress) => {
            if let Some(job) = state.jobs.iter_mut().find(|job| job.id == id) {
                job.progress = SafeText::one_line(&progress);
            }
            Vec::new()
        }
        JobNews::Ended { result, ring } => {
            let name = match state.jobs.iter().position(|job| job.id == id) {
                Some(at) => state.jobs.remove(at).name,
                None => SafeText::default(),
            };
            let mut effects = Vec::new();
            if let Err(why) = result {
                effects.push(Toast::error(format!("{name}: {why}")).into());
            }
            if ring {
                effects.push(Effect::Bell);
            }
            effects
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::{press, screen, survives_any_size, tell, type_text, workbench};

    fn start_job(state: &mut AppState) {
        let started = JobNews::Started { pane: PaneId::Train, name: "sft".to_owned(), guarded: true };
        tell(state, Message::Job(JobId(1), started));
    }

    #[test]
    fn digits_tab_and_backtab_walk_the_panes() {
        let mut state = workbench(PaneId::Label);
        press(&mut state, "5");
        assert_eq!(state.pane, PaneId::Reason);
        press(&mut state, "tab tab");
        assert_eq!(state.pane, PaneId::Label);
        press(&mut state, "backtab");
        assert_eq!(state.pane, PaneId::Evaluate);
    }

    #[test]
    fn a_key_without_meaning_changes_nothing_and_draws_nothing() {
        let mut state = workbench(PaneId::Evaluate);
        let effects = press(&mut state, "f9 ctrl-y alt-9 insert $");
        assert!(effects.is_empty());
        assert!(!state.changed);
    }

    #[test]
    fn leaving_keeps_the_place_and_asks_first_while_a_job_runs() {
        let mut state = workbench(PaneId::Panel);
        assert!(matches!(press(&mut state, "q")[..], [Effect::SaveSession(_), Effect::Quit]));
        start_job(&mut state);
        assert!(press(&mut state, "q").is_empty());
        assert!(press(&mut state, "n").is_empty());
        assert!(matches!(press(&mut state, "ctrl-c y")[..], [Effect::SaveSession(_), Effect::Quit]));
    }

    #[test]
    fn a_job_that_nobody_started_does_not_hold_the_user_back() {
        let mut state = workbench(PaneId::Label);
        let started = JobNews::Started { pane: PaneId::Reason, name: "get model".to_owned(), guarded: false };
        tell(&mut state, Message::Job(JobId(1), started));
        assert!(matches!(press(&mut state, "q")[..], [Effect::SaveSession(_), Effect::Quit]));
    }

    #[test]
    fn a_signal_to_end_is_not_argued_with() {
        let mut state = workbench(PaneId::Label);
        start_job(&mut state);
        let effects = tell(&mut state, Message::Signal(Signal::Terminate));
        assert!(matches!(effects[..], [Effect::SaveSession(_), Effect::Quit]));
    }

    #[test]
    fn a_job_shows_in_the_top_line_until_it_ends_and_its_failure_is_told() {
        let mut state = workbench(PaneId::Label);
        start_job(&mut state);
        tell(&mut state, Message::Job(JobId(1), JobNews::Progress("12/60".to_owned())));
        assert!(screen(&state, 200, 60).lines().next().unwrap().contains("sft 12/60 | anna @ demo"));
        let ended = JobNews::Ended { result: Err("disk \x1b[31mfull".to_owned()), ring: true };
        assert!(matches!(tell(&mut state, Message::Job(JobId(1), ended))[..], [Effect::Bell]));
        assert!(screen(&state, 200, 60).contains("error: sft: disk \\x1b[31mfull"));
        press(&mut state, "f9");
        assert!(!screen(&state, 200, 60).contains("error:"));
    }

    #[test]
    fn the_palette_finds_an_action_by_a_few_letters() {
        let mut state = workbench(PaneId::Label);
        press(&mut state, ":");
        type_text(&mut state, "evalu");
        press(&mut state, "enter");
        assert_eq!(state.pane, PaneId::Evaluate);
        assert!(state.overlay.is_none());
    }

    #[test]
    fn a_paste_goes_into_a_prompt_as_visible_text_and_nowhere_else() {
        let mut state = workbench(PaneId::Label);
        let paste =
            |state: &mut AppState| tell(state, Message::Input(vec![Event::Paste("n\x1b[2J\r\nq\r\n".to_owned())]));
        assert!(paste(&mut state).is_empty() && !state.changed);
        press(&mut state, "i esc 5 i");
        paste(&mut state);
        assert!(screen(&state, 80, 24).contains("n\\x1b[2J"));
    }

    #[test]
    fn help_palette_and_small_terminals_look_as_they_should() {
        let mut state = workbench(PaneId::Evaluate);
        insta::assert_snapshot!("too-small-40x10", screen(&state, 40, 10));
        press(&mut state, "?");
        insta::assert_snapshot!("help-80x24", screen(&state, 80, 24));
        insta::assert_snapshot!("help-200x60", screen(&state, 200, 60));
        survives_any_size(&state);
        press(&mut state, "? :");
        type_text(&mut state, "pane");
        insta::assert_snapshot!("palette-80x24", screen(&state, 80, 24));
        insta::assert_snapshot!("palette-200x60", screen(&state, 200, 60));
        survives_any_size(&state);
    }
}
