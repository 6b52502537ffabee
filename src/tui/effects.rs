//! The edge: where effects meet the disk and the threads. Panes carry out their own effects with an [`Edge`] in hand.
//!
//! Two ways to work, neither of which the screen waits for: [`Edge::store`] queues a short errand on the thread that owns
//! the workspace (errands run one after the other, so a vote is on disk before the next is taken), and [`Edge::spawn`]
//! starts a job on a thread of its own. Both answer with [`Message`]s.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};

use super::app::{JobId, JobNews, Message, Toast};
use super::frames::Urgency;
use super::panes::PaneId;
use crate::workspace::Workspace;

/// A job that ran longer than this rings the bell when it ends.
const LONG_JOB: Duration = Duration::from_secs(10);

/// Stack of a job's thread: candle's backward pass recurses through the whole graph.
const JOB_STACK_BYTES: usize = 64 << 20;

/// So many reading errands wait at most.
const READ_AHEAD: usize = 8;

/// A message on its way to the event loop.
#[derive(Debug)]
pub struct Envelope {
    /// What happened.
    pub message: Message,
    /// How soon the user wants to see it.
    pub urgency: Urgency,
}

/// Sends messages to the event loop, from any thread. Once the loop has ended, messages are dropped.
#[derive(Clone, Debug)]
pub struct Courier(Sender<Envelope>);

impl Courier {
    /// A courier into this channel.
    pub fn new(channel: Sender<Envelope>) -> Self {
        Self(channel)
    }

    /// Delivers something the user waits for: drawn at once.
    pub fn send(&self, message: Message) {
        let _ = self.0.send(Envelope { message, urgency: Urgency::Now });
    }

    /// Delivers progress: drawn at most four times a second.
    pub fn progress(&self, message: Message) {
        let _ = self.0.send(Envelope { message, urgency: Urgency::Soon });
    }
}

/// A job's end of the line: how it reports, and how it learns that it should stop.
#[derive(Clone, Debug)]
pub struct Job {
    id: JobId,
    courier: Courier,
    cancelled: Arc<AtomicBool>,
}

impl Job {
    /// Reports to the pane; coalesced, so report as often as you like.
    pub fn report(&self, message: Message) {
        self.courier.progress(message);
    }

    /// Delivers something the user waits for: drawn at once.
    pub fn tell(&self, message: Message) {
        self.courier.send(message);
    }

    /// Says in the top line how far it is: `12/60`.
    pub fn progress(&self, progress: impl Into<String>) {
        self.courier.progress(Message::Job(self.id, JobNews::Progress(progress.into())));
    }

    /// Whether the user wants it to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The flag behind [`Job::is_cancelled`], for rooms that take one.
    pub fn cancel_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.cancelled)
    }
}

type Errand = Box<dyn FnOnce(&Workspace) -> Message + Send>;

struct Running {
    pane: PaneId,
    /// Something is lost when it is cut off.
    guarded: bool,
    cancelled: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Hands on the store thread and the jobs.
pub struct Edge {
    courier: Courier,
    errands: Option<Sender<Errand>>,
    /// The thread that reads, once something was to be read.
    reader: Option<Sender<Errand>>,
    store: Option<JoinHandle<()>>,
    jobs: Vec<Running>,
    started: u64,
    root: PathBuf,
}

impl Edge {
    /// Starts the store thread, which owns the workspace from here on.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(workspace: Workspace, courier: Courier) -> std::io::Result<Self> {
        let root = workspace.dir().to_owned();
        let (errands, queue) = unbounded::<Errand>();
        let replies = courier.clone();
        let store = std::thread::Builder::new().name("store".to_owned()).spawn(move || {
            for errand in queue {
                match catch_unwind(AssertUnwindSafe(|| errand(&workspace))) {
                    Ok(message) => replies.send(message),
                    Err(panic) => {
                        let text = format!("the store stumbled, nothing was written: {}", panic_text(&*panic));
                        replies.send(Message::Toast(Toast::error(text)));
                    }
                }
            }
        })?;
        Ok(Self {
            courier,
            errands: Some(errands),
            reader: None,
            store: Some(store),
            jobs: Vec::new(),
            started: 0,
            root,
        })
    }

    /// Delivers a message to the event loop.
    pub fn tell(&self, message: Message) {
        self.courier.send(message);
    }

    /// The project's folder, for jobs that open the workspace a second time.
    pub fn root(&self) -> &std::path::Path {
        &self.root
    }

    /// Queues a short errand for the thread that owns the workspace; its message comes back when it is done. A write
    /// has reached the disk when its message arrives, so a pane moves on upon that message and not before.
    pub fn store(&self, errand: impl FnOnce(&Workspace) -> Message + Send + 'static) {
        if let Some(errands) = &self.errands {
            let _ = errands.send(Box::new(errand));
        }
    }

    /// Hands a reading errand to a second thread with the workspace open, so that no vote waits behind it. Its message
    /// comes back when it is done. The newest errand is done first, and the oldest of more than a few are dropped: who
    /// asked for them looks at something else by now.
    pub fn read(&mut self, errand: impl FnOnce(&Workspace) -> Message + Send + 'static) {
        let root = self.root.clone();
        let replies = self.courier.clone();
        let reader = self.reader.get_or_insert_with(|| {
            let (errands, queue) = unbounded::<Errand>();
            // Without a thread the errands go nowhere, and what they would have shown stays away.
            let _ = std::thread::Builder::new().name("reader".to_owned()).spawn(move || {
                let mut workspace = None;
                let mut pile: Vec<Errand> = Vec::new();
                while let Some(errand) = pile.pop().or_else(|| queue.recv().ok()) {
                    pile.push(errand);
                    pile.extend(queue.try_iter());
                    pile.drain(..pile.len().saturating_sub(READ_AHEAD));
                    let Some(errand) = pile.pop() else { continue };
                    if workspace.is_none() {
                        workspace = Workspace::open(&root).ok();
                    }
                    let Some(workspace) = &workspace else { continue };
                    if let Ok(message) = catch_unwind(AssertUnwindSafe(|| errand(workspace))) {
                        replies.send(message);
                    }
                }
            });
            errands
        });
        let _ = reader.send(Box::new(errand));
    }

    /// Thinks something through on a thread of its own, unseen: pure work of a few seconds at most whose message comes
    /// back when it is done.
    pub fn think(&self, work: impl FnOnce() -> Message + Send + 'static) {
        let courier = self.courier.clone();
        let _ = std::thread::Builder::new().name("think".to_owned()).spawn(move || {
            if let Ok(message) = catch_unwind(AssertUnwindSafe(work)) {
                courier.send(message);
            }
        });
    }

    /// Starts a job on a thread of its own, for a pane, under the name that the top line shows. Its result is told to the
    /// user only when it failed; what it has to say otherwise it reports itself.
    pub fn spawn(
        &mut self,
        pane: PaneId,
        name: impl Into<String>,
        work: impl FnOnce(&Job) -> Result<(), String> + Send + 'static,
    ) {
        self.start_job(pane, name.into(), true, work);
    }

    /// Like [`Edge::spawn`], for a job that the user did not ask for and that loses nothing when it is stopped: leaving
    /// does not ask about it.
    pub fn spawn_unasked(
        &mut self,
        pane: PaneId,
        name: impl Into<String>,
        work: impl FnOnce(&Job) -> Result<(), String> + Send + 'static,
    ) {
        self.start_job(pane, name.into(), false, work);
    }

    fn start_job(
        &mut self,
        pane: PaneId,
        name: String,
        guarded: bool,
        work: impl FnOnce(&Job) -> Result<(), String> + Send + 'static,
    ) {
        self.jobs.retain(|job| !job.thread.is_finished());
        let id = JobId(self.started);
        self.started += 1;
        let cancelled = Arc::new(AtomicBool::new(false));
        let job = Job { id, courier: self.courier.clone(), cancelled: Arc::clone(&cancelled) };
        self.courier.send(Message::Job(id, JobNews::Started { pane, name, guarded }));
        let builder = std::thread::Builder::new().name("job".to_owned()).stack_size(JOB_STACK_BYTES);
        let thread = builder.spawn(move || {
            let begun = Instant::now();
            let result = catch_unwind(AssertUnwindSafe(|| work(&job)))
                .unwrap_or_else(|panic| Err(format!("stopped by a fault: {}", panic_text(&*panic))));
            let ring = begun.elapsed() >= LONG_JOB;
            job.courier.send(Message::Job(id, JobNews::Ended { result, ring }));
        });
        match thread {
            Ok(thread) => self.jobs.push(Running { pane, guarded, cancelled, thread }),
            Err(error) => {
                let result = Err(format!("no thread could be started: {error}"));
                self.courier.send(Message::Job(id, JobNews::Ended { result, ring: false }));
            }
        }
    }

    /// Asks a pane's jobs to stop; each ends when it next looks.
    pub fn cancel_jobs(&self, pane: PaneId) {
        for job in self.jobs.iter().filter(|job| job.pane == pane) {
            job.cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Asks everything to stop, and waits until all queued errands are on disk and all jobs that lose something have ended,
    /// the jobs for at most `patience`. Returns how many jobs were still at work then. What nobody asked for is not waited
    /// for: it ends with the program.
    pub fn finish(mut self, patience: Duration) -> usize {
        drop(self.errands.take());
        drop(self.reader.take());
        for job in &self.jobs {
            job.cancelled.store(true, Ordering::Relaxed);
        }
        if let Some(store) = self.store.take() {
            let _ = store.join();
        }
        let deadline = Instant::now() + patience;
        let at_work = |job: &&Running| job.guarded && !job.thread.is_finished();
        while self.jobs.iter().any(|job| at_work(&job)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.jobs.iter().filter(at_work).count()
    }
}

/// What a panic said, as far as it said anything.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
}
