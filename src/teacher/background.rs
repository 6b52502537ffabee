//! A job in a thread of its own, for the screen: it opens the project by itself, tells how it goes over a channel, and stops
//! when it is told to or nobody listens any more.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{Ended, Event, Job, Outcome, Tally, Teacher, TeacherError, Terms, run};
use crate::workspace::Workspace;

/// Everything that a job needs.
pub struct Commission<J: Job> {
    /// The job.
    pub job: J,
    /// What it works on.
    pub items: Vec<J::Item>,
    /// Whom it asks.
    pub teacher: Box<dyn Teacher>,
    /// On which terms.
    pub terms: Terms,
}

/// Told by a job in the background.
#[derive(Debug)]
pub enum Told<D> {
    /// How it goes; at most ten times a second.
    Tally(Tally),
    /// Item `.0` is through; what came of it is in the project.
    Item(usize, Outcome<D>),
    /// It is over, for this reason; or it could not begin. Nothing comes after this.
    Over(Result<(Tally, Ended), TeacherError>),
}

/// A job in the background. Dropping it asks it to stop, and does not wait.
#[derive(Debug)]
pub struct Background<D> {
    told: Receiver<Told<D>>,
    stop: Arc<AtomicBool>,
}

impl<D> Background<D> {
    /// Where it tells how it goes.
    pub fn told(&self) -> &Receiver<Told<D>> {
        &self.told
    }

    /// Asks it to stop in good order: what is under way is waited for.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl<D> Drop for Background<D> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts a job on the project in `dir`. What it needs is put together in its thread.
///
/// # Errors
/// When the system gives no thread.
pub fn start<J>(
    dir: &Path,
    commission: impl FnOnce(&Workspace) -> Result<Commission<J>, TeacherError> + Send + 'static,
) -> Result<Background<J::Done>, TeacherError>
where
    J: Job + 'static,
    J::Done: Clone + Send + 'static,
{
    let (tell, told) = unbounded();
    let stop = Arc::new(AtomicBool::new(false));
    let (dir, asked_to_stop) = (dir.to_owned(), Arc::clone(&stop));
    let work = move || {
        let over = Workspace::open(&dir).map_err(TeacherError::from).and_then(|workspace| {
            let commission = commission(&workspace)?;
            carry_out(&commission, &workspace, &asked_to_stop, &tell)
        });
        // Nobody listens where the screen is gone.
        let _ = tell.send(Told::Over(over));
    };
    let thread = std::thread::Builder::new().name("teacher".into()).spawn(work);
    thread.map_err(|error| TeacherError::System(format!("no thread for the teacher: {error}")))?;
    Ok(Background { told, stop })
}

fn carry_out<J: Job>(
    commission: &Commission<J>,
    workspace: &Workspace,
    stop: &AtomicBool,
    tell: &Sender<Told<J::Done>>,
) -> Result<(Tally, Ended), TeacherError>
where
    J::Done: Clone,
{
    let Commission { job, items, teacher, terms } = commission;
    let mut forward = |event: Event<'_, J::Done>| {
        let _ = tell.send(match event {
            Event::Tally(tally) => Told::Tally(tally),
            Event::Item(at, outcome) => Told::Item(at, outcome.clone()),
        });
    };
    let stopped = || stop.load(Ordering::Relaxed);
    let ran = run(job, items, &**teacher, terms, workspace, &stopped, &mut forward)?;
    Ok((ran.tally, ran.ended))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Counting, Echo, terms};
    use super::*;

    #[test]
    fn it_tells_how_it_goes_and_stops_when_told() {
        let dir = tempfile::tempdir().unwrap();
        drop(Workspace::init(dir.path()).unwrap());
        let commission = |items: usize, wait: u64| {
            move |_: &Workspace| {
                let items = (0..items).map(|item| item.to_string()).collect();
                Ok(Commission { job: Echo, items, teacher: Box::new(Counting::slow(wait)), terms: terms() })
            }
        };
        let job = start(dir.path(), commission(5, 0)).unwrap();
        let mut items = 0;
        let over = loop {
            match job.told().recv().unwrap() {
                Told::Item(_, Outcome::Done(_)) => items += 1,
                Told::Over(over) => break over.unwrap(),
                Told::Item(..) | Told::Tally(_) => {}
            }
        };
        assert_eq!((items, over.0.asked, over.1), (5, 5, Ended::Whole));

        let job = start(dir.path(), commission(1_000, 20)).unwrap();
        assert!(matches!(job.told().recv().unwrap(), Told::Tally(_) | Told::Item(..)));
        job.stop();
        let over = job.told().iter().find_map(|told| if let Told::Over(over) = told { Some(over) } else { None });
        assert_eq!(over.unwrap().unwrap().1, Ended::Stopped);

        let nowhere = start::<Echo>(&dir.path().join("none"), |_| unreachable!()).unwrap();
        assert!(matches!(nowhere.told().recv().unwrap(), Told::Over(Err(_))));
    }
}
