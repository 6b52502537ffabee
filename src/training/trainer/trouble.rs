//! What ends a step in the middle – a device that fails, weights that no longer give numbers –, told in words, with the
//! checkpoint to go on from.
//!
//! Whoever computes on a GPU gets its driver's errors as text, through several layers; what is known of them is read
//! here.

use super::{Loop, Trainer};
use crate::training::{Objective, TrainingError};

/// What a step fails of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// The device has no more memory.
    Memory,
    /// The device no longer answers.
    Lost,
    /// What the model gives for the next token is no number.
    NoNumber,
}

/// The trouble that an error tells of, if the device or the weights are to blame.
fn trouble(error: &TrainingError) -> Option<Trouble> {
    let (TrainingError::Model(_) | TrainingError::Tensor(_)) = error else { return None };
    let text = error.to_string().to_lowercase();
    let tells = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if tells(&["out of memory", "out_of_memory", "alloc_failed"]) {
        return Some(Trouble::Memory);
    }
    if tells(&["no number for a logit"]) {
        return Some(Trouble::NoNumber);
    }
    // Whatever else the driver says, such as an illegal address or an uncorrectable fault, it says of every later call, too.
    tells(&["cuda_error", "cublas_status", "curand_status", "drivererror", "device is lost", "device lost"])
        .then_some(Trouble::Lost)
}

impl Trainer<'_> {
    /// The error of a step in the words of a run: where the device is to blame, the weights of the last whole step are
    /// saved, if they can still be read; where the weights are, a checkpoint of them is set aside.
    pub(super) fn end_by(&self, error: TrainingError, objective: &dyn Objective, state: &mut Loop) -> TrainingError {
        if let TrainingError::Diverged { what, value, step, .. } = error {
            return TrainingError::Diverged { what, value, step, kept: self.step_back(state) };
        }
        let Some(trouble) = trouble(&error) else { return error };
        if trouble == Trouble::NoNumber {
            let (what, value, step) = ("a logit", f64::NAN, state.done);
            return match step {
                0 => TrainingError::Unsound { what, value },
                _ => TrainingError::Diverged { what, value, step, kept: self.step_back(state) },
            };
        }
        // Half of the parameters may have moved already; then the last checkpoint counts.
        if !state.moving {
            // What cannot be read off a lost device any more is in the checkpoint before.
            let _ = self.save_sound(objective, state);
        }
        let (step, kept) = (state.done + 1, state.saved.unwrap_or(0));
        match trouble {
            Trouble::Memory => TrainingError::OutOfMemory { step, kept },
            Trouble::Lost | Trouble::NoNumber => TrainingError::DeviceLost { why: error.to_string(), step, kept },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_devices_own_errors_are_its_trouble() {
        let of = |text: &str| trouble(&TrainingError::Model(text.into()));
        assert_eq!(of("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")"), Some(Trouble::Memory));
        assert_eq!(of("DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access\")"), Some(Trouble::Lost));
        assert_eq!(of("the model gave no number for a logit; its weights are damaged"), Some(Trouble::NoNumber));
        assert_eq!(of("shape mismatch in matmul"), None);
        assert_eq!(trouble(&TrainingError::DoesNotFit("out of memory".into())), None);
    }
}
