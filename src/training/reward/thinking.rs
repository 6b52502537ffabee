//! How a rollout reasons: grounded in the log, coherent, and as long as the reference.

use super::{GroundIn, Judged, Reward, RewardPreset, Weights};
use crate::reasoning::similarity::Similarity;

/// The three parts, before what they count together.
///
/// With s the mean of BLEU-4, ROUGE-1, -2 and -L from 0 to 1, P the perplexity, and lengths p of the rollout's reasoning and r of
/// the reference's, in words, d = 2·|p − r| / (p + r):
///
/// ```text
/// published code   grounding (s − 1) / 2     coherence (100 − P) / 100     brevity +d if p > r and d < 1, else −d
/// otherwise        grounding s               the same, at least −1         brevity 1 − d
/// ```
///
/// The code's P is GPT-2's; ours is the base's own, of the reasoning by itself.
pub(super) fn rewards(
    judged: &Judged<'_>,
    perplexity: Option<f64>,
    preset: RewardPreset,
    weights: &Weights,
) -> impl Iterator<Item = (&'static str, f64)> {
    let said = Reward::reasoning(judged.text).unwrap_or_default();
    let reference = Reward::reasoning(&judged.example.completion);
    let grounding = grounding(said, &judged.example.input, reference, weights.ground_in);
    let brevity = reference.map(|reference| difference(said, reference));
    let coherence = perplexity.map(|perplexity| (100.0 - perplexity) / 100.0);
    let (grounding, coherence, brevity) = match preset {
        RewardPreset::Code => (
            grounding.map(|s| (s - 1.0) / 2.0),
            coherence,
            brevity.map(|(d, longer)| if longer && d < 1.0 { d } else { -d }),
        ),
        RewardPreset::Paper | RewardPreset::RLog => {
            (grounding, coherence.map(|value| value.max(-1.0)), brevity.map(|(d, _)| 1.0 - d))
        }
    };
    let parts = [
        ("reward_grounding", weights.grounding, grounding),
        ("reward_coherence", weights.coherence, coherence),
        ("reward_brevity", weights.brevity, brevity),
    ];
    parts
        .into_iter()
        .filter(|(_, weight, _)| *weight != 0.0)
        .filter_map(|(name, weight, value)| Some((name, weight * value?)))
}

fn grounding(said: &str, log: &str, reference: Option<&str>, ground_in: GroundIn) -> Option<f64> {
    let in_log = || Similarity::of(said, log).mean();
    let in_reference = || reference.map(|reference| Similarity::of(said, reference).mean());
    match ground_in {
        GroundIn::Log => Some(in_log()),
        GroundIn::Reference => in_reference(),
        GroundIn::Both => Some(in_reference().map_or_else(in_log, |likeness| (likeness + in_log()) / 2.0)),
    }
}

/// How far two lengths are from each other, from 0 to 2, and whether the first is the longer.
fn difference(said: &str, reference: &str) -> (f64, bool) {
    let (p, r) = (said.split_whitespace().count() as f64, reference.split_whitespace().count() as f64);
    if p + r == 0.0 { (0.0, false) } else { (2.0 * (p - r).abs() / (p + r), p > r) }
}
