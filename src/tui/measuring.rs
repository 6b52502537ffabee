//! How a run measures the model's answers along the way: the training room knows nothing of evaluation, so whoever starts a
//! run brings this. Screen and shell bring the same.

use std::ops::ControlFlow;

use crate::evaluation::{EvaluationError, ModelPredictor, Outcome, Predictor, Scores};
use crate::labels::Label;
use crate::reasoning::prompt::AnomalyPrompt;
use crate::reasoning::{Task, answer_label, parse};
use crate::training::{Example, Measure};

/// The anomaly-class F1 of the model's verdicts on held-out logs; an answer that cannot be read is wrong.
pub fn held_out_f1() -> Measure {
    let has_verdict = |example: &Example| verdict(example).is_some();
    Measure::new(has_verdict, |model, adapter, examples, cancelled| {
        let judged: Vec<(&str, Label)> = examples.iter().filter_map(verdict).collect();
        if judged.is_empty() {
            return Ok(None);
        }
        let predictor = ModelPredictor::new(model, model.name(), Some((adapter, "")), AnomalyPrompt::default());
        let logs: Vec<&str> = judged.iter().map(|(log, _)| *log).collect();
        let mut watch = |_| if cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let said = match predictor.predict(&logs, &mut watch) {
            Ok(said) => said,
            Err(EvaluationError::Cancelled(_)) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let outcomes =
            judged.iter().zip(said).map(|((_, truth), said)| Outcome { truth: *truth, predicted: said.label });
        // Without any abnormal log or verdict there is no F1; nought says so as well as a run can.
        Ok(Some(Scores::of(outcomes).anomaly.f1.unwrap_or(0.0)))
    })
}

/// The log of an example of anomaly detection, and its true verdict: the label, as rewards have it, else what it teaches. A
/// template has nothing but its label.
fn verdict(example: &Example) -> Option<(&str, Label)> {
    if example.task != Task::Anomaly {
        return None;
    }
    let label = example.label.as_deref().and_then(answer_label);
    let taught = || parse(&example.completion).answer.as_deref().and_then(answer_label);
    Some((&example.input, label.or_else(taught)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_judged_by_its_label_and_a_rationale_without_one_by_its_answer() {
        let example = |task, completion: &str, label: Option<&str>| Example {
            id: "r".into(),
            task,
            input: "panic".into(),
            turns: Vec::new(),
            completion: completion.into(),
            rejected: None,
            label: label.map(str::to_owned),
        };
        let truth = |example: &Example| verdict(example).map(|(_, label)| label);
        assert_eq!(truth(&example(Task::Anomaly, "", Some("abnormal"))), Some(Label::Abnormal));
        let answer = "<think>1. so</think><answer>normal</answer>";
        assert_eq!(truth(&example(Task::Anomaly, answer, None)), Some(Label::Normal));
        assert_eq!(truth(&example(Task::Anomaly, answer, Some("abnormal"))), Some(Label::Abnormal));
        assert_eq!(truth(&example(Task::Anomaly, "", None)), None);
        assert!(!held_out_f1().can_measure(&[example(Task::Parsing, "", Some("normal"))]));
    }
}
