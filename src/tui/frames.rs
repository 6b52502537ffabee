//! When to draw: at once for what the user did, at most four times a second for what a job reports, else never.
//!
//! Pure: the clock is handed in, so that the tests run in virtual time.

use std::time::{Duration, Instant};

use super::app::Message;
use super::effects::Envelope;

/// The shortest time between two draws that only a running job asked for.
pub const JOB_FRAME: Duration = Duration::from_millis(250);

/// How soon a change wants to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A job's progress: with the next frame of [`JOB_FRAME`].
    Soon,
    /// The user waits for it: before the next message is waited for.
    Now,
}

/// Gathers requests for a frame and says when to draw.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameRequester {
    wanted: Option<Urgency>,
    drawn: Option<Instant>,
}

impl FrameRequester {
    /// Something changed.
    pub fn request(&mut self, urgency: Urgency) {
        self.wanted = self.wanted.max(Some(urgency));
    }

    /// When a draw is due: `None` while nothing changed, so that the loop may sleep for as long as it likes.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        match (self.wanted?, self.drawn) {
            (Urgency::Soon, Some(drawn)) => Some(drawn + JOB_FRAME),
            (Urgency::Now, _) | (Urgency::Soon, None) => Some(now),
        }
    }

    /// Whether to draw now.
    pub fn is_due(&self, now: Instant) -> bool {
        self.due(now).is_some_and(|due| due <= now)
    }

    /// A frame has been drawn: everything requested so far is on the screen.
    pub fn drawn(&mut self, now: Instant) {
        *self = Self { wanted: None, drawn: Some(now) };
    }
}

/// Messages that wait for their time: one for each slot, the newest.
#[derive(Debug, Default)]
pub struct Timers(Vec<(&'static str, Instant, Message)>);

impl Timers {
    /// Lets a message wait in place of the one in the slot.
    pub fn set(&mut self, slot: &'static str, due: Instant, message: Message) {
        self.0.retain(|(other, ..)| *other != slot);
        self.0.push((slot, due, message));
    }

    /// When the next one is due; `None` while nothing waits.
    pub fn next(&self) -> Option<Instant> {
        self.0.iter().map(|(_, due, _)| *due).min()
    }

    /// A message whose time has come.
    pub fn take_due(&mut self, now: Instant) -> Option<Envelope> {
        let at = self.0.iter().position(|(_, due, _)| *due <= now)?;
        let (_, _, message) = self.0.remove(at);
        Some(Envelope { message, urgency: Urgency::Now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn nothing_is_due_while_nothing_changes() {
        let start = Instant::now();
        let mut frames = FrameRequester::default();
        assert_eq!(frames.due(start), None);
        frames.request(Urgency::Now);
        frames.drawn(start);
        assert_eq!(frames.due(start + ms(60_000)), None);
    }

    #[test]
    fn a_chatty_job_gets_four_frames_a_second() {
        let start = Instant::now();
        let mut frames = FrameRequester::default();
        let mut draws = 0;
        for tick in 0..10_000 {
            let now = start + ms(tick);
            frames.request(Urgency::Soon);
            if frames.is_due(now) {
                draws += 1;
                frames.drawn(now);
            }
        }
        assert_eq!(draws, 40);
    }

    #[test]
    fn the_last_report_of_a_job_is_drawn_even_when_no_other_follows() {
        let start = Instant::now();
        let mut frames = FrameRequester::default();
        frames.drawn(start);
        frames.request(Urgency::Soon);
        assert!(!frames.is_due(start + ms(10)));
        assert_eq!(frames.due(start + ms(10)), Some(start + JOB_FRAME));
        assert!(frames.is_due(start + JOB_FRAME));
    }

    #[test]
    fn a_key_does_not_wait_for_a_jobs_frame() {
        let start = Instant::now();
        let mut frames = FrameRequester::default();
        frames.drawn(start);
        frames.request(Urgency::Soon);
        frames.request(Urgency::Now);
        assert!(frames.is_due(start + ms(1)));
    }

    #[test]
    fn a_slot_holds_the_newest_message_and_gives_it_when_its_time_has_come() {
        let start = Instant::now();
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set("rest", start + ms(60), Message::QuitAnyway);
        timers.set("rest", start + ms(90), Message::QuitAnyway);
        assert!(timers.take_due(start + ms(89)).is_none());
        assert_eq!(timers.next(), Some(start + ms(90)));
        assert!(timers.take_due(start + ms(90)).is_some());
        assert_eq!(timers.next(), None);
    }
}
