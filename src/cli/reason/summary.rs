//! What is said of a trace to people: how sure the model was of each step, what it made up, what the verdict rests on.

use crate::evaluation::{Band, Counterfactual, SteppedKind, SteppedTrace};

/// A token that the model was less sure of than this is worth a look.
const DOUBTFUL: f32 = 0.5;

/// Words of the evidence that are told to people.
const EVIDENCE_SHOWN: usize = 5;

/// What follows the streamed text: each step with how sure the model was, then the verdict.
pub(super) fn of(trace: &SteppedTrace) -> String {
    let mut lines = vec![String::new(), String::new()];
    for (number, step) in (1..).zip(&trace.steps) {
        let name = if step.kind == SteppedKind::Answer { "answer".to_owned() } else { format!("step {number}") };
        let sure = step.mean_probability().unwrap_or_default() * 100.0;
        let least = step.tokens.iter().min_by(|a, b| a.probability.total_cmp(&b.probability));
        let doubt = least.filter(|token| token.probability < DOUBTFUL).map_or_else(String::new, |token| {
            let best = token.alternatives.first().map(|other| format!(", or {:?}", other.text)).unwrap_or_default();
            format!("; least sure of {:?} ({:.0} %{best})", token.text, token.probability * 100.0)
        });
        lines.push(format!("{name:<8} mean token probability {sure:.0} %{doubt}"));
    }
    let made_up: Vec<String> = trace
        .grounding
        .iter()
        .filter(|claim| claim.kind.is_hard() && !claim.in_log)
        .map(|claim| format!("{:?} in step {}", claim.claim, claim.step + 1))
        .collect();
    if !made_up.is_empty() {
        lines.push(format!("not in the log: {}", made_up.join(", ")));
    }
    if !trace.evidence.is_empty() {
        let mut strongest: Vec<_> = trace.evidence.iter().collect();
        strongest.sort_by(|a, b| b.delta.abs().total_cmp(&a.delta.abs()));
        let told = strongest.iter().take(EVIDENCE_SHOWN).map(|word| format!("{:?} {:+.2}", word.token, word.delta));
        lines.push(format!("rests on (log-odds of abnormal, asked at once): {}", told.collect::<Vec<_>>().join(", ")));
    }
    if let Some(margin) = trace.margin {
        lines.push(format!("margin {margin:+.2} (log-odds of abnormal)"));
    }
    lines.extend(trace.band.as_ref().map(Band::to_string));
    lines.extend(trace.counterfactual.as_ref().map(Counterfactual::to_string));
    let answer = trace.answer.as_deref().unwrap_or("none that can be read");
    let format = if trace.format_ok { "format kept" } else { "format not kept" };
    lines.push(format!("answer: {answer} ({format}); {:.0} tokens/s", trace.tokens_per_second));
    lines.join("\n")
}
