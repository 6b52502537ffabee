//! The arithmetic of GRPO, free of any model: advantages, the clipped ratio, and the distance to the reference.

use serde::{Deserialize, Serialize};

use super::GrpoSettings;

/// How a group's rewards become advantages: what each is above the group's mean, over their standard deviation (with n − 1
/// under the root) and a little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvantageName {
    /// Over s + 10⁻⁴, as TRL.
    #[default]
    Trl,
    /// Over s + 10⁻⁶, as verl.
    Verl,
    /// Over nothing (Liu et al. 2025, "Understanding R1-Zero-like training"): a group whose rewards hardly differ then counts
    /// little.
    None,
}

/// How the losses of tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregationName {
    /// The mean over rollouts of each one's mean over tokens (Shao et al. 2024): short rollouts' tokens count more.
    #[default]
    Grpo,
    /// The sum over tokens, by rollouts and the longest allowed length (Liu et al. 2025, "Dr. GRPO").
    DrGrpo,
    /// The mean over all tokens of the step (Yu et al. 2025, "DAPO").
    Dapo,
}

/// What each reward of a group is above the others.
pub fn advantages(rewards: &[f64], how: AdvantageName) -> Vec<f64> {
    let mean = rewards.iter().sum::<f64>() / rewards.len().max(1) as f64;
    let over = match how {
        AdvantageName::Trl => deviation(rewards) + 1e-4,
        AdvantageName::Verl => deviation(rewards) + 1e-6,
        AdvantageName::None => 1.0,
    };
    rewards.iter().map(|reward| (reward - mean) / over).collect()
}

/// Standard deviation with n − 1 under the root; nought of fewer than two.
pub fn deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// An estimate of KL(π‖ρ) from one token's log-probabilities under policy and reference, never below nought and without
/// bias: e^δ − δ − 1 with δ = ln ρ − ln π (Schulman 2020, "Approximating KL divergence", the estimator k3).
pub fn k3(policy: f64, reference: f64) -> f64 {
    let delta = reference - policy;
    delta.exp_m1() - delta
}

/// The loss of one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenLoss {
    /// −min(r·A, clip(r)·A) + β·k3 (or β·r·k3), with r = π / π_old.
    pub loss: f64,
    /// Its derivative by ln π.
    pub slope: f64,
    /// The distance to the reference; nought where it does not count.
    pub kl: f64,
    /// Whether the clip cut the ratio off.
    pub clipped: bool,
}

impl TokenLoss {
    /// The loss of a token of log-probability `policy` now and `old` when it was drawn (Shao et al. 2024, "DeepSeekMath",
    /// eq. 3, with DAPO's two clips).
    pub fn of(policy: f64, old: f64, reference: Option<f64>, advantage: f64, settings: &GrpoSettings) -> Self {
        let ratio = (policy - old).exp();
        let within = ratio.clamp(1.0 - settings.clip_low, 1.0 + settings.clip_high);
        let clipped =
            advantage > 0.0 && ratio > 1.0 + settings.clip_high || advantage < 0.0 && ratio < 1.0 - settings.clip_low;
        let mut token = Self {
            loss: -(ratio * advantage).min(within * advantage),
            slope: if clipped { 0.0 } else { -ratio * advantage },
            kl: 0.0,
            clipped,
        };
        if let Some(reference) = reference {
            token.kl = k3(policy, reference);
            let slope = -(reference - policy).exp_m1();
            if settings.unbiased_kl {
                token.slope += settings.kl * ratio * (token.kl + slope);
                token.kl *= ratio;
            } else {
                token.slope += settings.kl * slope;
            }
            token.loss += settings.kl * token.kl;
        }
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn advantages_are_those_of_trl_and_verl() {
        let of = |how| advantages(&[1.0, 0.0, 0.0, 1.0], how);
        for (how, size) in [(AdvantageName::Trl, 0.865875), (AdvantageName::Verl, 0.866024), (AdvantageName::None, 0.5)]
        {
            for (found, sign) in of(how).into_iter().zip([1.0, -1.0, -1.0, 1.0]) {
                assert!((found - sign * size).abs() < 1e-6, "{how:?}: {found}");
            }
        }
        assert_eq!(advantages(&[0.7; 4], AdvantageName::Trl), [0.0; 4]);
        assert_eq!((deviation(&[3.0]), deviation(&[])), (0.0, 0.0));
    }

    #[test]
    fn the_distance_of_known_log_probabilities() {
        assert!((k3(-1.0, -1.2) - 0.0187308).abs() < 1e-7);
        assert_eq!(k3(-2.0, -2.0), 0.0);
    }

    #[test]
    fn the_clip_holds_back_only_what_would_go_further() {
        let settings = GrpoSettings { clip_low: 0.2, clip_high: 0.3, kl: 0.0, ..GrpoSettings::default() };
        let of = |ratio: f64, advantage| TokenLoss::of(ratio.ln(), 0.0, None, advantage, &settings);
        assert!(of(1.31, 1.0).clipped && of(0.79, -1.0).clipped);
        assert!(!of(1.29, 1.0).clipped && !of(0.81, -1.0).clipped && !of(2.0, -1.0).clipped && !of(0.1, 1.0).clipped);
        assert!((of(1.5, 1.0).loss + 1.3).abs() < 1e-12);
        assert_eq!(of(1.5, 1.0).slope, 0.0);
        assert!((of(1.5, -1.0).slope - 1.5).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_slope_is_the_losss(policy in -3.0f64..0.0, old in -3.0f64..0.0, reference in -3.0f64..0.0, advantage in -2.0f64..2.0, unbiased_kl in any::<bool>()) {
            let settings = GrpoSettings { kl: 0.1, unbiased_kl, ..GrpoSettings::default() };
            let of = |policy| TokenLoss::of(policy, old, Some(reference), advantage, &settings);
            let step = 1e-6;
            let (up, down) = (of(policy + step), of(policy - step));
            // Not across the corner of the clip.
            prop_assume!(up.clipped == down.clipped);
            prop_assert!(((up.loss - down.loss) / (2.0 * step) - of(policy).slope).abs() < 1e-6);
            prop_assert!(of(policy).kl >= 0.0);
        }
    }
}
