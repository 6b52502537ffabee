//! What the map of thoughts has done in jobs.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::effects::Message as Review;
use crate::model::KeptEmbedder;
use crate::reasoning::Thought;
use crate::reasoning::projection::{Point, TsneSettings};
use crate::teacher::Overview;
use crate::tui::app;
use crate::tui::effects::{Edge, Job};
use crate::tui::panes::PaneId;

/// What the map wants done outside.
#[derive(Debug)]
pub enum Effect {
    /// Embed thoughts and look at them.
    Make {
        /// Which request this is.
        ticket: u64,
        /// Of these.
        thoughts: Arc<Vec<Thought>>,
        /// Becomes true when nobody wants it any more.
        stop: Arc<AtomicBool>,
    },
    /// Lay them out by t-SNE.
    Tsne {
        /// Which request this is.
        ticket: u64,
        /// Of these.
        overview: Arc<Overview>,
        /// Becomes true when nobody wants it any more.
        stop: Arc<AtomicBool>,
    },
    /// Break a job off.
    Stop(Arc<AtomicBool>),
}

/// Thoughts, and what was found of them.
pub type Found = (Arc<Vec<Thought>>, Arc<Overview>);

/// What comes back.
#[derive(Debug)]
pub enum Message {
    /// Thoughts were looked at.
    Made(u64, Result<Found, String>),
    /// They were laid out by t-SNE.
    Laid(u64, Vec<Point>),
    /// A job was broken off.
    Stopped(u64),
}

/// Carries out an effect of the map.
pub fn run(effect: Effect, edge: &mut Edge) {
    match effect {
        Effect::Stop(stop) => stop.store(true, Ordering::Relaxed),
        Effect::Make { ticket, thoughts, stop } => edge.spawn_unasked(PaneId::Review, "map of thoughts", move |job| {
            let total = thoughts.len();
            let made = KeptEmbedder::open().map_err(|error| error.to_string()).and_then(|embedder| {
                let go_on = &mut |done| {
                    job.progress(format!("{done}/{total}"));
                    unless(&stop, job)
                };
                Overview::of(&embedder, &thoughts, go_on).map_err(|error| error.to_string())
            });
            tell(
                job,
                match made {
                    Ok(Some(overview)) => Message::Made(ticket, Ok((thoughts, Arc::new(overview)))),
                    Ok(None) => Message::Stopped(ticket),
                    Err(why) => Message::Made(ticket, Err(why)),
                },
            );
            Ok(())
        }),
        Effect::Tsne { ticket, overview, stop } => edge.spawn_unasked(PaneId::Review, "t-SNE", move |job| {
            let steps = TsneSettings::default().steps;
            let laid = overview.tsne(&mut |step| {
                job.progress(format!("{step}/{steps}"));
                unless(&stop, job)
            });
            tell(job, laid.map_or(Message::Stopped(ticket), |points| Message::Laid(ticket, points)));
            Ok(())
        }),
    }
}

fn unless(stop: &AtomicBool, job: &Job) -> ControlFlow<()> {
    if stop.load(Ordering::Relaxed) || job.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

fn tell(job: &Job, message: Message) {
    job.tell(app::Message::Review(Review::Map(message)));
}
