//! Notices a run whose loss has left for good, before hours are spent on it.

use std::collections::VecDeque;

use super::WatchdogSettings;

/// Steps that the usual loss is the median of.
const WINDOW: usize = 20;

/// A loss is out of line only if it is so much above the usual, in nats: a loss near nought multiplies easily.
const LEAST_RISE: f64 = 1.0;

/// What the watchdog thinks of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// Like those before.
    Fine,
    /// Out of line; one such step is often only a hard batch. No checkpoint should be written now.
    Suspicious,
    /// Out of line for so long that the run should stop.
    Runaway {
        /// The median loss of the steps before.
        usual: f64,
    },
}

/// Compares each loss with the median of the last ones that were fine.
#[derive(Debug)]
pub(super) struct Watchdog {
    factor: f64,
    patience: usize,
    usual: VecDeque<f64>,
    out_of_line: usize,
}

impl Watchdog {
    /// A watchdog that has seen `losses`, oldest first.
    pub fn new(settings: &WatchdogSettings, losses: impl IntoIterator<Item = f64>) -> Self {
        let mut watchdog =
            Self { factor: settings.factor, patience: settings.patience, usual: VecDeque::new(), out_of_line: 0 };
        for loss in losses {
            watchdog.see(loss);
        }
        watchdog
    }

    /// Whether the last step was not out of line.
    pub fn is_calm(&self) -> bool {
        self.out_of_line == 0
    }

    /// Judges the next step's loss.
    pub fn see(&mut self, loss: f64) -> Verdict {
        let usual = median(&self.usual);
        let limit = usual + ((self.factor - 1.0) * usual.abs()).max(LEAST_RISE);
        if self.factor > 0.0 && self.usual.len() == WINDOW && loss > limit {
            self.out_of_line += 1;
            return if self.out_of_line >= self.patience { Verdict::Runaway { usual } } else { Verdict::Suspicious };
        }
        self.out_of_line = 0;
        self.usual.push_back(loss);
        if self.usual.len() > WINDOW {
            self.usual.pop_front();
        }
        Verdict::Fine
    }
}

fn median(values: &VecDeque<f64>) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watchdog() -> Watchdog {
        Watchdog::new(&WatchdogSettings { factor: 3.0, patience: 3 }, (0..20).map(|i| 1.0 + 0.01 * f64::from(i)))
    }

    #[test]
    fn one_hard_batch_is_suspicious_and_three_in_a_row_are_a_runaway() {
        let mut dog = watchdog();
        assert_eq!(dog.see(9.0), Verdict::Suspicious);
        assert_eq!(dog.see(1.1), Verdict::Fine);
        assert_eq!([dog.see(9.0), dog.see(8.0)], [Verdict::Suspicious; 2]);
        assert!(matches!(dog.see(7.0), Verdict::Runaway { usual } if (1.0..1.2).contains(&usual)));
    }

    #[test]
    fn a_loss_near_nought_may_multiply_and_a_young_run_may_swing() {
        let mut dog = Watchdog::new(&WatchdogSettings { factor: 3.0, patience: 1 }, [0.01; 20]);
        assert_eq!(dog.see(0.5), Verdict::Fine);
        let mut young = Watchdog::new(&WatchdogSettings { factor: 3.0, patience: 1 }, [1.0; 19]);
        assert_eq!(young.see(50.0), Verdict::Fine);
    }

    #[test]
    fn a_factor_of_nought_turns_it_off() {
        let mut dog = Watchdog::new(&WatchdogSettings { factor: 0.0, patience: 1 }, [1.0; 20]);
        assert_eq!(dog.see(1e9), Verdict::Fine);
    }
}
