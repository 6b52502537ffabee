//! How long a decision took.
//!
//! It is the time from when an item came under the cursor (it is drawn in the same turn of the event loop) to the key that
//! decided on it. Not counted: time under an overlay (help, guidelines, a comment being written, the filter), time in
//! another pane, and pauses of more than [`IDLE`] between two keys. A batch has one time, its template's under the cursor
//! when the list was asked for; the other templates of it have none. Keys that were typed ahead of the disk take no time.

use std::time::Duration;

/// A longer pause between two keys is a pause from work.
pub const IDLE: Duration = Duration::from_secs(5 * 60);

/// The time that counts for the item under the cursor. Times are since the workbench was opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stopwatch {
    counted: Duration,
    since: Duration,
}

impl Stopwatch {
    /// Another item is under the cursor.
    pub fn restart(&mut self, now: Duration) {
        *self = Self { counted: Duration::ZERO, since: now };
    }

    /// Time went by up to a key; `attended` if the annotator could look at the item.
    pub fn pass(&mut self, now: Duration, attended: bool) {
        let gone = now.saturating_sub(self.since);
        if attended && gone <= IDLE {
            self.counted += gone;
        }
        self.since = now;
    }

    /// The time that counts, in milliseconds.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.counted.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn only_attended_time_without_long_pauses_counts() {
        let mut watch = Stopwatch::default();
        watch.restart(s(10));
        watch.pass(s(12), true);
        watch.pass(s(40), false);
        watch.pass(s(41), true);
        watch.pass(s(41 + 301), true);
        watch.pass(s(41 + 301 + 300), true);
        assert_eq!(watch.elapsed_ms(), (2 + 1 + 300) * 1000);
        watch.restart(s(700));
        assert_eq!(watch.elapsed_ms(), 0);
    }
}
