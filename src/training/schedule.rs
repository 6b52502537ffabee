//! The learning rate over the run.

use super::ScheduleName;

/// The learning rate of `step` (from 0) of `steps`.
///
/// It rises linearly over `warmup_steps` – the first step already has `peak / warmup_steps`, so that no step is wasted
/// on a rate of nought – and then stays, falls in a line, or falls along half a cosine, reaching nought only after the
/// last step.
pub fn learning_rate(schedule: ScheduleName, peak: f64, warmup_steps: usize, step: usize, steps: usize) -> f64 {
    if step < warmup_steps {
        return peak * (step + 1) as f64 / warmup_steps as f64;
    }
    let done = (step - warmup_steps) as f64 / steps.saturating_sub(warmup_steps).max(1) as f64;
    let done = done.min(1.0);
    match schedule {
        ScheduleName::Constant => peak,
        ScheduleName::Linear => peak * (1.0 - done),
        ScheduleName::Cosine => peak * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_rises_to_the_peak_and_no_step_has_a_rate_of_nought() {
        let rate = |step| learning_rate(ScheduleName::Cosine, 1.0, 4, step, 20);
        assert_eq!([rate(0), rate(1), rate(3), rate(4)], [0.25, 0.5, 1.0, 1.0]);
        assert!((0..20).all(|step| rate(step) > 0.0));
        assert!((4..19).all(|step| rate(step + 1) < rate(step)));
    }

    #[test]
    fn the_three_shapes_meet_half_way() {
        let rate = |schedule| learning_rate(schedule, 2.0, 0, 5, 10);
        assert_eq!(rate(ScheduleName::Constant), 2.0);
        assert!((rate(ScheduleName::Linear) - 1.0).abs() < 1e-12);
        assert!((rate(ScheduleName::Cosine) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_run_of_warm_up_alone_is_no_division_by_nought() {
        assert_eq!(learning_rate(ScheduleName::Linear, 1.0, 5, 5, 5), 1.0);
    }
}
