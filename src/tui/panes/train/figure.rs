//! What can be drawn and told of a run's steps: the loss, and whatever its objective tells, in plain words and a fixed order.

use crate::training::{ObjectiveName, StepRecord};

/// A statistic of an objective: its name in the records, the title of its chart with its unit, the word for it in a row of
/// figures, and whether a short screen can do without it.
struct Told {
    name: &'static str,
    title: &'static str,
    word: &'static str,
    minor: bool,
}

const fn told(name: &'static str, title: &'static str, word: &'static str) -> Told {
    Told { name, title, word, minor: false }
}

const fn minor(name: &'static str, title: &'static str, word: &'static str) -> Told {
    Told { name, title, word, minor: true }
}

/// In the order in which they are shown.
const TOLD: [Told; 21] = [
    told("reward", "reward, mean of the answers", "reward"),
    told("reward_margin", "margin: chosen above rejected, beta nats", "margin"),
    told("reward_accuracy", "pairs the right way round, share", "accuracy"),
    told("f1", "F1 of abnormal on what is held out", "F1"),
    told("answer_accuracy", "right answers, share", "right"),
    told("reward_format", "reward for the form", "form"),
    told("reward_answer", "reward for the answer", "answer"),
    told("reward_grounding", "reward for grounding", "grounding"),
    told("reward_coherence", "reward for coherence", "coherence"),
    told("reward_brevity", "reward for brevity", "brevity"),
    told("kl", "KL to the reference, nats a token", "KL"),
    told("entropy", "entropy, nats a token", "entropy"),
    told("clip_fraction", "clipped tokens, share", "clipped"),
    told("completion_tokens", "length of the answers, tokens", "tokens an answer"),
    minor("truncated", "answers cut off, share", "cut off"),
    minor("flat_groups", "questions answered all alike, share", "alike"),
    minor("reward_deviation", "deviation of a question's rewards", "deviation"),
    minor("advantage_deviation", "deviation of the advantages", "advantages"),
    minor("reward_chosen", "chosen side above the reference, beta nats", "chosen"),
    minor("reward_rejected", "rejected side above the reference, beta nats", "rejected"),
    minor("chosen_loss", "loss of the chosen side, nats a token", "chosen loss"),
];

/// Where a statistic stands among the others.
pub(super) fn place(name: &str) -> usize {
    TOLD.iter().position(|told| told.name == name).unwrap_or(TOLD.len())
}

/// The word for a statistic.
pub(super) fn word(name: &str) -> String {
    TOLD.get(place(name)).map_or_else(|| name.replace('_', " "), |told| told.word.to_owned())
}

/// Something that is drawn over the steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    /// The loss, of each step and smooth, and that on what is held out.
    Loss(ObjectiveName),
    LearningRate,
    GradientNorm,
    Pace,
    /// A statistic of the objective by its name, and the same on what is held out.
    Named(String),
}

impl Figure {
    /// All that the records of a run have, what its objective is after first.
    pub fn all(objective: ObjectiveName, curve: &[StepRecord]) -> Vec<Self> {
        let mut names: Vec<&str> = Vec::new();
        for name in curve.iter().flat_map(|record| record.statistics.keys()) {
            let name = name.strip_prefix("dev_").unwrap_or(name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.sort_by_key(|name| (place(name), *name));
        let mut all: Vec<Self> = names.into_iter().map(|name| Self::Named(name.to_owned())).collect();
        // GRPO's loss is near nought whatever it learns.
        let at = if objective == ObjectiveName::Grpo { all.len() } else { 0 };
        all.insert(at, Self::Loss(objective));
        all.extend([Self::LearningRate, Self::GradientNorm, Self::Pace]);
        all
    }

    /// Its name, with its unit.
    pub fn title(&self) -> String {
        match self {
            Self::Loss(ObjectiveName::Sft) => "loss, nats a token".into(),
            Self::Loss(ObjectiveName::Dpo) => "loss, nats a pair".into(),
            Self::Loss(ObjectiveName::Grpo) => "loss".into(),
            Self::LearningRate => "learning rate".into(),
            Self::GradientNorm => "gradient norm".into(),
            Self::Pace => "tokens a second".into(),
            Self::Named(name) => TOLD.get(place(name)).map_or_else(|| word(name), |told| told.title.to_owned()),
        }
    }

    /// Its value after each step that has one.
    pub fn points(&self, curve: &[StepRecord]) -> Vec<(f64, f64)> {
        let value = |record: &StepRecord| match self {
            Self::Loss(_) => Some(record.loss),
            Self::LearningRate => Some(record.learning_rate),
            Self::GradientNorm => Some(record.gradient_norm),
            Self::Pace => Some(record.tokens_per_second),
            Self::Named(name) => record.statistics.get(name).copied(),
        };
        points(curve, value)
    }

    /// The same on what is held out. What GRPO brings down there is the reward's opposite, which stands beside the reward.
    pub fn held_out(&self, curve: &[StepRecord]) -> Vec<(f64, f64)> {
        match self {
            Self::Loss(ObjectiveName::Grpo) => Vec::new(),
            Self::Loss(_) => points(curve, |record| record.dev_loss),
            Self::Named(name) => {
                let name = format!("dev_{name}");
                points(curve, |record| record.statistics.get(&name).copied())
            }
            _ => Vec::new(),
        }
    }
}

fn points(curve: &[StepRecord], value: impl Fn(&StepRecord) -> Option<f64>) -> Vec<(f64, f64)> {
    let point = |record: &StepRecord| Some((record.step as f64, value(record).filter(|value| value.is_finite())?));
    curve.iter().filter_map(point).collect()
}

/// What the objective tells of the last step and of the last evaluation, as `word value`; without what a short screen can do
/// without, if `short`.
pub(super) fn last_told(curve: &[StepRecord], short: bool) -> Vec<String> {
    let is_held = |name: &&String| name.starts_with("dev_");
    let row = |names: Vec<(&str, f64)>, held: bool| {
        let mut names = names;
        names.sort_by_key(|(name, _)| (place(name), *name));
        let shown =
            names.into_iter().filter(|(name, _)| !short || TOLD.get(place(name)).is_none_or(|told| !told.minor));
        let text = move |(name, value): (&str, f64)| {
            let value = if value.abs() >= 100.0 { format!("{value:.1}") } else { format!("{value:.3}") };
            if held { format!("held out {} {value}", word(name)) } else { format!("{} {value}", word(name)) }
        };
        shown.map(text).collect::<Vec<_>>()
    };
    let now = curve.last().into_iter().flat_map(|record| &record.statistics);
    let now = now.filter(|(name, _)| !is_held(name)).map(|(name, value)| (name.as_str(), *value)).collect();
    let held = curve.iter().rev().find(|record| record.statistics.keys().any(|name| is_held(&name)));
    let held = held.into_iter().flat_map(|record| &record.statistics);
    let held = held.filter_map(|(name, value)| Some((name.strip_prefix("dev_")?, *value))).collect();
    [row(now, false), row(held, true)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(statistics: &[(&str, f64)]) -> StepRecord {
        let statistics = statistics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        StepRecord { step: 1, loss: 0.1, dev_loss: Some(-1.5), statistics, ..StepRecord::default() }
    }

    #[test]
    fn what_an_objective_is_after_comes_first() {
        let curve = [record(&[("kl", 0.1), ("reward", 1.0), ("dev_reward", 1.5), ("dev_f1", 0.5), ("new_thing", 2.0)])];
        let titles: Vec<String> = Figure::all(ObjectiveName::Grpo, &curve).iter().map(Figure::title).collect();
        assert_eq!(titles[0], "reward, mean of the answers");
        assert_eq!(titles[1], "F1 of abnormal on what is held out");
        assert_eq!(titles[3..5], ["new thing", "loss"]);
        assert!(matches!(Figure::all(ObjectiveName::Dpo, &curve)[0], Figure::Loss(_)));
    }

    #[test]
    fn grpos_held_out_loss_is_not_drawn_over_its_loss() {
        let curve = [record(&[("dev_reward", 1.5)])];
        assert!(Figure::Loss(ObjectiveName::Grpo).held_out(&curve).is_empty());
        assert_eq!(Figure::Loss(ObjectiveName::Sft).held_out(&curve), [(1.0, -1.5)]);
        assert_eq!(Figure::Named("reward".into()).held_out(&curve), [(1.0, 1.5)]);
    }

    #[test]
    fn a_short_screen_is_told_what_matters() {
        let curve = [record(&[("kl", 0.1), ("reward", 1.0), ("flat_groups", 0.5), ("dev_reward", 1.5)])];
        assert_eq!(last_told(&curve, true), ["reward 1.000", "KL 0.100", "held out reward 1.500"]);
        assert_eq!(last_told(&curve, false).len(), 4);
    }
}
