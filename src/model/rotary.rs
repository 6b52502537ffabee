//! Rotary position embeddings: how fast each pair of a head's dimensions turns, and what long-context scalings do to that.

use std::f32::consts::PI;

use serde_json::Value as Json;

/// The angles of a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rotary {
    /// Radians per position for each pair of a head's dimensions.
    pub inverse_frequencies: Vec<f32>,
    /// What is turned is scaled by this.
    pub scale: f32,
}

/// How a model was stretched over a longer context than it was first made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scaling {
    /// Not at all.
    None,
    /// All angles alike (Chen et al. 2023, "Extending Context Window of Large Language Models via Positional Interpolation").
    Linear {
        /// By how much.
        factor: f32,
    },
    /// Slow angles only, as Llama 3.1 has it.
    Llama3 {
        /// By how much.
        factor: f32,
        /// Fewer turns than this within the original context: stretched.
        low: f32,
        /// More turns: left alone.
        high: f32,
        /// Tokens of the original context.
        original: f32,
    },
    /// Slow angles only, and attention sharpened.
    Yarn(Yarn),
}

/// Peng et al. 2023, "YaRN: Efficient Context Window Extension of Large Language Models".
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Yarn {
    /// By how much.
    pub factor: f32,
    /// Tokens of the original context.
    pub original: f32,
    /// Turns within the original context above which an angle is left alone.
    pub fast: f32,
    /// Turns below which it is stretched whole.
    pub slow: f32,
    /// What queries and keys are scaled by; follows from the factor where it is not given.
    pub attention: Option<f32>,
    /// Whether the borders between the two are whole dimensions.
    pub truncate: bool,
}

impl Yarn {
    pub const FAST: f32 = 32.0;
    pub const SLOW: f32 = 1.0;

    /// The paper's settings for a factor; the original context is still to be said.
    pub fn by(factor: f32) -> Self {
        Self { factor, original: 0.0, fast: Self::FAST, slow: Self::SLOW, attention: None, truncate: true }
    }

    /// The paper's scale for a factor: 0.1 ln s + 1.
    pub fn attention(factor: f32) -> f32 {
        magnitude(factor, 1.0)
    }

    /// The share of each angle that is left alone, 0 to 1, and with it the angles.
    fn frequencies(&self, base: f32, dimension: usize) -> Vec<f32> {
        // The dimension whose angle makes this many turns within the original context.
        let border = |turns: f32| dimension as f32 * (self.original / (turns * 2.0 * PI)).ln() / (2.0 * base.ln());
        let (mut low, mut high) = (border(self.fast), border(self.slow));
        if self.truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        let (low, mut high) = (low.max(0.0), high.min(dimension as f32 - 1.0));
        if low == high {
            high += 0.001;
        }
        let plain = frequencies(base, dimension);
        let stretched = plain.into_iter().enumerate().map(|(index, frequency)| {
            let ramp = ((index as f32 - low) / (high - low)).clamp(0.0, 1.0);
            frequency / self.factor * ramp + frequency * (1.0 - ramp)
        });
        stretched.collect()
    }
}

/// Transformers' `get_mscale`.
fn magnitude(factor: f32, by: f32) -> f32 {
    if factor <= 1.0 { 1.0 } else { 0.1 * by * factor.ln() + 1.0 }
}

impl Scaling {
    /// Reads a `rope_scaling` (or `rope_parameters`) object; `context` is the model's `max_position_embeddings`. What is
    /// not supported is named.
    pub fn from_json(json: &Json, context: usize) -> Result<Self, String> {
        let number = |key: &str| json[key].as_f64().map(|value| value as f32);
        let factor = number("factor");
        let original = number("original_max_position_embeddings");
        match json["rope_type"].as_str().or(json["type"].as_str()).unwrap_or("default") {
            "default" => Ok(Self::None),
            "linear" => Ok(Self::Linear { factor: factor.unwrap_or(1.0) }),
            "llama3" => Ok(Self::Llama3 {
                factor: factor.unwrap_or(1.0),
                low: number("low_freq_factor").unwrap_or(1.0),
                high: number("high_freq_factor").unwrap_or(4.0),
                original: original.unwrap_or(8192.0),
            }),
            "yarn" => {
                let original = original.unwrap_or(context as f32);
                let factor = factor.unwrap_or(context as f32 / original);
                let both = number("mscale").zip(number("mscale_all_dim")).filter(|(a, b)| *a != 0.0 && *b != 0.0);
                let attention = both.map(|(some, all)| magnitude(factor, some) / magnitude(factor, all));
                Ok(Self::Yarn(Yarn {
                    original,
                    fast: number("beta_fast").unwrap_or(Yarn::FAST),
                    slow: number("beta_slow").unwrap_or(Yarn::SLOW),
                    attention: number("attention_factor").or(attention),
                    truncate: json["truncate"].as_bool().unwrap_or(true),
                    ..Yarn::by(factor)
                }))
            }
            other => Err(format!("rope scaling {other:?}")),
        }
    }
}

/// `base^(−2i/d)`, the frequencies of Su et al. 2021, "RoFormer".
pub(super) fn frequencies(base: f32, dimension: usize) -> Vec<f32> {
    (0..dimension / 2).map(|i| 1.0 / base.powf(2.0 * i as f32 / dimension as f32)).collect()
}

impl Rotary {
    /// The angles of heads of this dimension.
    pub fn new(base: f32, dimension: usize, scaling: Scaling) -> Self {
        let mut inverse_frequencies = frequencies(base, dimension);
        let mut scale = 1.0;
        match scaling {
            Scaling::None => {}
            Scaling::Linear { factor } => inverse_frequencies.iter_mut().for_each(|f| *f /= factor),
            Scaling::Llama3 { factor, low, high, original } => {
                for frequency in &mut inverse_frequencies {
                    let wavelength = 2.0 * PI / *frequency;
                    if wavelength > original / low {
                        *frequency /= factor;
                    } else if wavelength >= original / high {
                        let smooth = (original / wavelength - low) / (high - low);
                        *frequency = (1.0 - smooth) * *frequency / factor + smooth * *frequency;
                    }
                }
            }
            Scaling::Yarn(yarn) => {
                inverse_frequencies = yarn.frequencies(base, dimension);
                scale = yarn.attention.unwrap_or_else(|| Yarn::attention(yarn.factor));
            }
        }
        Self { inverse_frequencies, scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yarn_stretches_slow_angles_leaves_fast_ones_and_scales() {
        // Qwen2.5's own setting, and the same as Transformers 5 writes it.
        let old = json!({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768});
        let new = json!({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768,
            "rope_theta": 1e6});
        let scaling = Scaling::from_json(&old, 131_072).unwrap();
        assert_eq!(Scaling::from_json(&new, 131_072).unwrap(), scaling);
        let rotary = Rotary::new(1e6, 128, scaling);
        let plain = frequencies(1e6, 128);
        assert!((rotary.scale - 1.138_629_4).abs() < 1e-6, "{}", rotary.scale);
        assert_eq!(rotary.inverse_frequencies[0], plain[0]);
        assert!((rotary.inverse_frequencies[63] * 4.0 / plain[63] - 1.0).abs() < 1e-6);
        // Between the borders, dimensions 23 and 40: half way at 31.5.
        let share = |index: usize| rotary.inverse_frequencies[index] / plain[index];
        assert!((share(31) - (0.25 * 8.0 / 17.0 + 9.0 / 17.0)).abs() < 1e-5, "{}", share(31));
    }

    #[test]
    fn an_unknown_scaling_is_named() {
        assert!(Scaling::from_json(&json!({"rope_type": "longrope"}), 4096).unwrap_err().contains("longrope"));
        assert_eq!(Scaling::from_json(&Json::Null, 4096), Ok(Scaling::None));
    }
}
