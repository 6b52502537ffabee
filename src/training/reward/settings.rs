//! What each part of a reward counts: presets, and a recipe's own figures in their place.

use serde::{Deserialize, Serialize};

/// Whose reward it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardPreset {
    /// RationAnomaly as its text has it: whatever breaks the form gets nothing else, a found anomaly gives more than a
    /// recognised normal log, a missed one costs most, and the reasoning is judged. The text gives no figures; these are ours.
    #[default]
    Paper,
    /// RationAnomaly as its published code has it: all wrong answers cost the same (−1/0.15), and the reasoning counts, by half,
    /// where the answer is right.
    Code,
    /// R-Log: a small reward for the form, ±1 for a verdict, token F1 for a template, likeness for free text; −2 in all
    /// for what breaks the form.
    RLog,
}

/// What the reasoning should be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroundIn {
    /// The log.
    Log,
    /// The reference's reasoning.
    Reference,
    /// Both, half and half.
    Both,
}

/// The settings of the reward, `[reward]` of a recipe: a preset, and whatever should be otherwise.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardSettings {
    /// Whose reward it is.
    pub preset: RewardPreset,
    /// For an answer in its form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub well_formed: Option<f64>,
    /// For any other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed: Option<f64>,
    /// For an anomaly that was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found_anomaly: Option<f64>,
    /// For a normal log that was recognised, and for any right answer of another task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<f64>,
    /// For a normal log that was called abnormal, and for any wrong answer of another task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<f64>,
    /// For an anomaly that was missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed_anomaly: Option<f64>,
    /// In place of all that, for what breaks the form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub malformed_answer: Option<f64>,
    /// What free text is divided by: likeness to the label reaches 1 there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_text: Option<f64>,
    /// What all three parts of the reasoning count; nought leaves them out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<f64>,
    /// What likeness to the log or the reference counts within.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grounding: Option<f64>,
    /// What the reasoning should be like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground_in: Option<GroundIn>,
    /// What perplexity under the base counts within.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coherence: Option<f64>,
    /// What the length counts within.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brevity: Option<f64>,
}

/// [`RewardSettings`] with every figure filled in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    pub well_formed: f64,
    pub malformed: f64,
    pub found_anomaly: f64,
    pub right: f64,
    pub wrong: f64,
    pub missed_anomaly: f64,
    pub malformed_answer: f64,
    pub free_text: f64,
    pub thinking: f64,
    pub grounding: f64,
    pub ground_in: GroundIn,
    pub coherence: f64,
    pub brevity: f64,
}

/// −1 over the prevalence of anomalies, as RationAnomaly's code weighs errors.
const DEAR: f64 = -1.0 / 0.15;

impl RewardPreset {
    fn weights(self) -> Weights {
        match self {
            Self::Paper => Weights {
                well_formed: 0.5,
                malformed: -2.5,
                found_anomaly: 1.5,
                right: 1.0,
                wrong: -1.0,
                missed_anomaly: -2.0,
                malformed_answer: 0.0,
                free_text: 0.8,
                thinking: 0.5,
                grounding: 1.0,
                ground_in: GroundIn::Both,
                coherence: 0.5,
                brevity: 0.5,
            },
            Self::Code => Weights {
                well_formed: 0.1,
                malformed: -1.0,
                found_anomaly: 1.0,
                right: 1.0,
                wrong: DEAR,
                missed_anomaly: DEAR,
                malformed_answer: DEAR,
                free_text: 0.8,
                thinking: 0.5,
                grounding: 1.0,
                ground_in: GroundIn::Reference,
                coherence: 1.0,
                brevity: 1.0,
            },
            Self::RLog => Weights {
                well_formed: 0.1,
                malformed: -1.0,
                found_anomaly: 1.0,
                right: 1.0,
                wrong: -1.0,
                missed_anomaly: -1.0,
                malformed_answer: -1.0,
                free_text: 0.8,
                thinking: 0.0,
                grounding: 0.0,
                ground_in: GroundIn::Reference,
                coherence: 0.0,
                brevity: 0.0,
            },
        }
    }
}

impl RewardSettings {
    pub(super) fn weights(&self) -> Weights {
        let preset = self.preset.weights();
        Weights {
            well_formed: self.well_formed.unwrap_or(preset.well_formed),
            malformed: self.malformed.unwrap_or(preset.malformed),
            found_anomaly: self.found_anomaly.unwrap_or(preset.found_anomaly),
            right: self.right.unwrap_or(preset.right),
            wrong: self.wrong.unwrap_or(preset.wrong),
            missed_anomaly: self.missed_anomaly.unwrap_or(preset.missed_anomaly),
            malformed_answer: self.malformed_answer.unwrap_or(preset.malformed_answer),
            free_text: self.free_text.unwrap_or(preset.free_text),
            thinking: self.thinking.unwrap_or(preset.thinking),
            grounding: self.grounding.unwrap_or(preset.grounding),
            ground_in: self.ground_in.unwrap_or(preset.ground_in),
            coherence: self.coherence.unwrap_or(preset.coherence),
            brevity: self.brevity.unwrap_or(preset.brevity),
        }
    }

    /// The settings with every figure written out, as a run's folder keeps them.
    #[must_use]
    pub fn written_out(&self) -> Self {
        let all = self.weights();
        Self {
            preset: self.preset,
            well_formed: Some(all.well_formed),
            malformed: Some(all.malformed),
            found_anomaly: Some(all.found_anomaly),
            right: Some(all.right),
            wrong: Some(all.wrong),
            missed_anomaly: Some(all.missed_anomaly),
            malformed_answer: Some(all.malformed_answer),
            free_text: Some(all.free_text),
            thinking: Some(all.thinking),
            grounding: Some(all.grounding),
            ground_in: Some(all.ground_in),
            coherence: Some(all.coherence),
            brevity: Some(all.brevity),
        }
    }

    /// What cannot work, each with what would.
    pub(in crate::training) fn complaints(&self) -> Vec<String> {
        let all = self.weights();
        let figures = [
            ("well_formed", all.well_formed),
            ("malformed", all.malformed),
            ("found_anomaly", all.found_anomaly),
            ("right", all.right),
            ("wrong", all.wrong),
            ("missed_anomaly", all.missed_anomaly),
            ("malformed_answer", all.malformed_answer),
            ("thinking", all.thinking),
            ("grounding", all.grounding),
            ("coherence", all.coherence),
            ("brevity", all.brevity),
        ];
        let mut complaints: Vec<String> = figures
            .into_iter()
            .filter(|(_, figure)| !(figure.is_finite() && figure.abs() <= 100.0))
            .map(|(name, figure)| format!("reward.{name} = {figure} (−100 to 100)"))
            .collect();
        if !(all.free_text > 0.0 && all.free_text <= 1.0) {
            complaints.push(format!("reward.free_text = {} (above 0, at most 1)", all.free_text));
        }
        complaints
    }
}
