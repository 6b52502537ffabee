//! What can happen to the workbench, and what can follow from it: [`Message`] in, [`Effect`] out.

use std::time::Duration;

use crossterm::event::Event;

use super::model::ModelStanding;
use super::overlays::{Confirm, Page, Prompt};
use super::panes::{PaneId, evaluate, label, panel, reason, review, train};
use super::session::Session;
use crate::logs::SafeText;

/// Everything that can happen to the workbench.
#[derive(Debug)]
pub enum Message {
    /// The terminal: keys, pastes, resizes, in the order they came.
    Input(Vec<Event>),
    /// The terminal can no longer be read.
    InputLost(String),
    /// Another program asks this one to stop, or the shell brought it back.
    Signal(Signal),
    /// A job started, has something to say, or ended.
    Job(JobId, JobNews),
    /// Where the project's model is now.
    Model(ModelStanding),
    /// A line for the user.
    Toast(Toast),
    /// The user confirmed leaving while jobs run.
    QuitAnyway,
    /// What `$EDITOR` made of the text of the open prompt.
    PromptText(String),
    /// For the Label pane.
    Label(label::Message),
    /// For the Panel pane.
    Panel(panel::Message),
    /// For the Review pane.
    Review(review::Message),
    /// For the Train pane.
    Train(train::Message),
    /// For the Reason pane.
    Reason(reason::Message),
    /// For the Evaluate pane.
    Evaluate(evaluate::Message),
}

/// What the system told the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// TERM, HUP or INT: leave in good order, at once.
    Terminate,
    /// TSTP: stop until the shell brings us back.
    Stop,
    /// CONT: we are back, and the screen may be anything.
    Continue,
}

/// What should happen outside the state. The first group never reaches the edge: [`update`](super::app::update) carries it out itself.
#[derive(Debug)]
pub enum Effect {
    /// Ask the user for text.
    Prompt(Box<Prompt>),
    /// Ask the user yes or no.
    Confirm(Confirm),
    /// Give the user a text to read.
    Page(Page),
    /// Tell the user something in the status line.
    Toast(Toast),
    /// Bring a pane to the front.
    Show(PaneId),
    /// Hand a message on, for instance to another pane.
    Send(Box<Message>),

    /// Hand on a message after a while, unless the same slot is asked for again meanwhile: then from then on.
    After {
        /// Which of the few things that wait.
        slot: &'static str,
        /// How long to wait.
        wait: Duration,
        /// What to hand on.
        message: Box<Message>,
    },
    /// Put text into the system's clipboard, through the terminal.
    Copy(String),
    /// Ring the bell.
    Bell,
    /// Let the user edit text in `$EDITOR`; what comes back goes through the function.
    Edit(String, fn(String) -> Message),
    /// Look for the project's model, by name, and fetch it if it is not here.
    FetchModel(String),
    /// Ask a pane's running jobs to stop.
    CancelJobs(PaneId),
    /// Forget what is on the screen and draw it all.
    Redraw,
    /// Stop the process for the shell.
    Suspend,
    /// Remember where the user is.
    SaveSession(Session),
    /// Leave.
    Quit,
    /// The Label pane's.
    Label(label::Effect),
    /// The Panel pane's.
    Panel(panel::Effect),
    /// The Review pane's.
    Review(review::Effect),
    /// The Train pane's.
    Train(train::Effect),
    /// The Reason pane's.
    Reason(reason::Effect),
    /// The Evaluate pane's.
    Evaluate(evaluate::Effect),
}

/// How much a line for the user matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Done as asked.
    Info,
    /// Something to know.
    Warning,
    /// It did not work.
    Error,
}

/// A line for the user; it stays until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    /// How much it matters.
    pub tone: Tone,
    /// What it says, on one line.
    pub text: SafeText,
}

impl Toast {
    /// Done as asked.
    pub fn info(text: impl AsRef<str>) -> Self {
        Self { tone: Tone::Info, text: SafeText::one_line(text.as_ref()) }
    }

    /// Something to know.
    pub fn warning(text: impl AsRef<str>) -> Self {
        Self { tone: Tone::Warning, text: SafeText::one_line(text.as_ref()) }
    }

    /// It did not work.
    pub fn error(text: impl AsRef<str>) -> Self {
        Self { tone: Tone::Error, text: SafeText::one_line(text.as_ref()) }
    }
}

impl From<Prompt> for Effect {
    fn from(prompt: Prompt) -> Self {
        Self::Prompt(Box::new(prompt))
    }
}

impl From<Toast> for Effect {
    fn from(toast: Toast) -> Self {
        Self::Toast(toast)
    }
}

/// Which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// What a job reports to the top line; what it reports to its pane goes in the pane's own messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobNews {
    /// It was started for a pane, under a name. Sent before the work begins.
    Started {
        /// Whose it is.
        pane: PaneId,
        /// What it is called.
        name: String,
        /// Whether leaving while it runs asks first.
        guarded: bool,
    },
    /// How far it is: `12/60`, `3.1 MB`.
    Progress(String),
    /// It ended, well or with a reason; `ring` when it took long enough for the user to look away.
    Ended {
        /// Why it did not work, if so.
        result: Result<(), String>,
        /// Whether to ring the bell.
        ring: bool,
    },
}

/// A running job in the top line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobLine {
    /// Which one.
    pub id: JobId,
    /// Whose it is.
    pub pane: PaneId,
    /// What it is called.
    pub name: SafeText,
    /// How far it is.
    pub progress: SafeText,
    /// Whether leaving while it runs asks first.
    pub guarded: bool,
}
