//! One layer's weights as a model's files have them, before anybody makes them his own.

use super::ModelError;
use super::adapter::Target;
use super::config::{Family, ModelConfig};
use super::kernels::PackedMatrix;
use super::weights::WeightFiles;

/// A layer as the model's files have it.
pub(super) struct RawLayer {
    /// Before attention.
    pub attention_norm: Vec<f32>,
    /// Of each head's query and key (Qwen3).
    pub head_norms: Option<(Vec<f32>, Vec<f32>)>,
    /// Before the feed-forward part.
    pub feed_forward_norm: Vec<f32>,
    /// Weights and biases by [`Target`].
    pub linears: [(PackedMatrix, Option<Vec<f32>>); Target::ALL.len()],
}

impl RawLayer {
    /// Reads layer `index`.
    pub fn read(config: &ModelConfig, files: &mut WeightFiles, index: usize) -> Result<Self, ModelError> {
        let (heads, hidden, family) = (config.heads, config.hidden, config.family);
        let (query, key_value) = (heads.query_width(), heads.key_value_width());
        let name = |part: &str| format!("model.layers.{index}.{part}");
        let mut read = |target: Target| {
            let weight = name(&format!("{}.weight", target.path()));
            let (rows, columns) = match target {
                Target::Query => (query, hidden),
                Target::Key | Target::Value => (key_value, hidden),
                Target::Output => (hidden, query),
                Target::Gate | Target::Up => (config.intermediate, hidden),
                Target::Down => (hidden, config.intermediate),
            };
            let matrix = match target {
                Target::Query | Target::Key => files.rotary_matrix(&weight, rows, columns, heads.dimension)?,
                _ => files.matrix(&weight, rows, columns)?,
            };
            let bias = match target {
                Target::Query | Target::Key | Target::Value => {
                    files.bias(&name(&format!("{}.bias", target.path())), rows, family)?
                }
                _ => None,
            };
            Ok::<_, ModelError>((matrix, bias))
        };
        let [query, key, value, output, gate, up, down] = Target::ALL.map(&mut read);
        let linears = [query?, key?, value?, output?, gate?, up?, down?];
        let mut norm = |part: &str, length: usize| files.vector(&name(&format!("{part}.weight")), length);
        Ok(Self {
            attention_norm: norm("input_layernorm", hidden)?,
            feed_forward_norm: norm("post_attention_layernorm", hidden)?,
            head_norms: match family {
                Family::Qwen3 => {
                    Some((norm("self_attn.q_norm", heads.dimension)?, norm("self_attn.k_norm", heads.dimension)?))
                }
                _ => None,
            },
            linears,
        })
    }
}
