//! The one loop: wait for a message, take all that are there, carry out their effects, draw once if anything changed.
//!
//! It sleeps on a channel, so an idle workbench never wakes up. Keys come from a thread that reads the terminal only when
//! it holds a permit; the loop hands the next one out after the keys of the last are dealt with. While `$EDITOR` or the
//! shell has the terminal there is no permit, and so nobody steals its keys.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use crossterm::event::{self, Event};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use super::TuiError;
use super::app::{AppState, Effect, Message, Signal, Toast, update};
use super::effects::{Courier, Edge, Envelope};
use super::frames::{FrameRequester, Timers, Urgency};
use super::model;
use super::panes::{evaluate, label, panel, reason, review, train};
use super::session::SessionFile;
use super::terminal::Screen;
use super::view::view;

/// The most events that are taken before a frame: a held key or a paste in a terminal without bracketed paste.
const MAX_BATCH: usize = 512;

/// The loop's hands: everything that an effect may need.
pub struct EventLoop {
    /// The terminal.
    pub screen: Screen,
    /// Store and jobs.
    pub edge: Edge,
    /// For messages to itself.
    pub courier: Courier,
    /// Messages from everywhere.
    pub inbox: Receiver<Envelope>,
    /// Where the user's place is kept.
    pub session: SessionFile,
    /// What waits for its time, one for each slot.
    pub timers: Timers,
}

impl EventLoop {
    /// Runs until the user leaves or the process is told to. `first` are the effects of the state's start.
    ///
    /// # Errors
    /// When the terminal can no longer be written.
    pub fn run(mut self, state: &mut AppState, first: Vec<Effect>) -> Result<(), TuiError> {
        let (permit, permits) = bounded(1);
        let signals = forward_signals(self.courier.clone())?;
        let mut frames = FrameRequester::default();
        let outcome = self.turn(state, first, &permit, permits, &mut frames);
        signals.close();
        self.screen.give_back();
        let left = self.edge.finish(Duration::from_secs(5));
        if left > 0 {
            eprintln!(
                "logwright: {left} job(s) did not stop in time and were cut off; a run resumes from its last checkpoint"
            );
        }
        outcome
    }

    fn turn(
        &mut self,
        state: &mut AppState,
        first: Vec<Effect>,
        permit: &Sender<()>,
        permits: Receiver<()>,
        frames: &mut FrameRequester,
    ) -> Result<(), TuiError> {
        let begun = Instant::now();
        // The first frame goes out before anything is loaded or read.
        self.screen.draw(|frame| view(state, frame))?;
        frames.drawn(Instant::now());
        for effect in first {
            if self.carry_out(effect)? {
                return Ok(());
            }
        }
        read_input(self.courier.clone(), permits)?;
        let _ = permit.send(());
        loop {
            let due = [frames.due(Instant::now()), self.timers.next()].into_iter().flatten().min();
            let mut next = match due {
                None => self.inbox.recv().ok(),
                Some(due) => match self.inbox.recv_deadline(due) {
                    Ok(envelope) => Some(envelope),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return Ok(()),
                },
            };
            if next.is_none() {
                next = self.timers.take_due(Instant::now());
            }
            while let Some(Envelope { message, urgency }) = next {
                let came_from_keys = matches!(message, Message::Input(_));
                state.shared.now = begun.elapsed();
                let effects = update(state, message);
                if state.changed {
                    frames.request(urgency);
                }
                for effect in effects {
                    // Waiting shows nothing; whatever else happens may.
                    if !matches!(effect, Effect::After { .. }) {
                        frames.request(Urgency::Now);
                    }
                    if self.carry_out(effect)? {
                        return Ok(());
                    }
                }
                if came_from_keys {
                    let _ = permit.send(());
                }
                next = self.inbox.try_recv().ok().or_else(|| self.timers.take_due(Instant::now()));
            }
            if frames.is_due(Instant::now()) {
                self.screen.draw(|frame| view(state, frame))?;
                frames.drawn(Instant::now());
            }
        }
    }

    /// Carries out one effect; `true` means that the user leaves.
    fn carry_out(&mut self, effect: Effect) -> Result<bool, TuiError> {
        match effect {
            Effect::Quit => return Ok(true),
            Effect::After { slot, wait, message } => self.timers.set(slot, Instant::now() + wait, *message),
            Effect::Copy(text) => self.screen.copy(&text)?,
            Effect::Bell => self.screen.bell()?,
            Effect::Edit(text, reply) => match self.screen.edit(&text) {
                Ok(edited) => self.courier.send(reply(edited)),
                Err(error) => self.courier.send(Message::Toast(Toast::error(error.to_string()))),
            },
            Effect::Redraw => self.screen.retake()?,
            Effect::Suspend => self.screen.suspend()?,
            Effect::FetchModel(name) => model::fetch(name, &mut self.edge),
            Effect::CancelJobs(pane) => self.edge.cancel_jobs(pane),
            Effect::SaveSession(session) => {
                if let Err(error) = self.session.save(&session) {
                    tracing::debug!(%error, "the session is not kept");
                }
            }
            Effect::Label(effect) => label::run(effect, &mut self.edge),
            Effect::Panel(effect) => panel::run(effect, &mut self.edge),
            Effect::Review(effect) => review::run(effect, &mut self.edge),
            Effect::Train(effect) => train::run(effect, &mut self.edge),
            Effect::Reason(effect) => reason::run(effect, &mut self.edge),
            Effect::Evaluate(effect) => evaluate::run(effect, &mut self.edge),
            // `update` has settled these.
            Effect::Prompt(_)
            | Effect::Page(_)
            | Effect::Confirm(_)
            | Effect::Toast(_)
            | Effect::Show(_)
            | Effect::Send(_) => {}
        }
        Ok(false)
    }
}

/// Starts the thread that reads the terminal: for each permit one batch of at least one event.
fn read_input(courier: Courier, permits: Receiver<()>) -> std::io::Result<()> {
    let read = move || -> std::io::Result<Vec<Event>> {
        let mut batch = vec![event::read()?];
        while batch.len() < MAX_BATCH && event::poll(Duration::ZERO)? {
            batch.push(event::read()?);
        }
        Ok(batch)
    };
    std::thread::Builder::new().name("input".to_owned()).spawn(move || {
        while permits.recv().is_ok() {
            match read() {
                Ok(batch) => courier.send(Message::Input(batch)),
                Err(error) => return courier.send(Message::InputLost(error.to_string())),
            }
        }
    })?;
    Ok(())
}

/// Starts the thread that turns signals into messages; closing the handle ends it.
fn forward_signals(courier: Courier) -> std::io::Result<signal_hook::iterator::Handle> {
    let signals = Signals::new([SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGCONT])?;
    let handle = signals.handle();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut signals = signals;
        for signal in signals.forever() {
            courier.send(Message::Signal(match signal {
                SIGTSTP => Signal::Stop,
                SIGCONT => Signal::Continue,
                _ => Signal::Terminate,
            }));
        }
    })?;
    Ok(handle)
}
