//! The Llama-family decoder: one forward for inference and for training.
//!
//! Activations are rows (tokens) × width, sequences end to end without padding; see [`Span`].

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use super::ModelError;
use super::adapter::{LayerUpdates, Target};
use super::config::{Family, ModelConfig};
pub use super::kernels::attention::Span;
use super::kernels::attention::{LayerStore, Rotation};
use super::ops::attention::{Batch, LayerCache, attend};
use super::ops::linear::{Linear, frozen_product};
use super::ops::norm::{rms_norm, silu_multiply};
use super::ops::residual::add;
use super::weights::{Weight, WeightFiles};

struct Layer {
    attention_norm: Tensor,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    /// Norms of each head's query and key (Qwen3).
    head_norms: Option<(Tensor, Tensor)>,
    feed_forward_norm: Tensor,
    gate: Linear,
    up: Linear,
    down: Linear,
}

/// The frozen weights of a model, ready to run.
pub struct Decoder {
    config: ModelConfig,
    device: Device,
    embedding: Weight,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Weight,
}

impl Decoder {
    /// Reads the weights that the configuration calls for.
    pub fn load(
        mut config: ModelConfig,
        files: &mut WeightFiles,
        device: &Device,
    ) -> std::result::Result<Self, ModelError> {
        let half = config.heads.dimension / 2;
        if files.contains("rope_freqs.weight") {
            // llama.cpp carries Llama 3's scaling as a divisor for each frequency.
            let divisors = files.vector("rope_freqs.weight", half)?;
            config.inverse_frequencies.iter_mut().zip(divisors).for_each(|(f, divisor)| *f /= divisor);
        }
        let embedding = files.matrix("model.embed_tokens.weight", config.vocabulary, config.hidden, device)?;
        let layers = (0..config.layers)
            .map(|i| Layer::load(&config, files, i, device))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let norm = files.vector_tensor("model.norm.weight", config.hidden, device)?;
        let head = if files.contains("lm_head.weight") {
            files.matrix("lm_head.weight", config.vocabulary, config.hidden, device)?
        } else {
            embedding.clone()
        };
        Ok(Self { config, device: device.clone(), embedding, layers, norm, head })
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The output head, vocabulary × width.
    pub fn head(&self) -> &Weight {
        &self.head
    }

    /// Number of layers.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Bytes that the weights take on their device.
    pub fn memory_bytes(&self) -> usize {
        let linears = |layer: &Layer| Target::ALL.iter().map(|t| layer.linear(*t).weight.memory_bytes()).sum::<usize>();
        let tied = matches!((&self.embedding, &self.head), (Weight::Packed(a), Weight::Packed(b))
            if std::ptr::eq(a.bytes(), b.bytes()));
        let head = if tied { 0 } else { self.head.memory_bytes() };
        self.embedding.memory_bytes() + head + self.layers.iter().map(linears).sum::<usize>()
    }

    /// Input and output features of a linear.
    pub fn linear_shape(&self, layer: usize, target: Target) -> Option<(usize, usize)> {
        let weight = &self.layers.get(layer)?.linear(target).weight;
        Some((weight.columns(), weight.rows()))
    }

    /// The weight of a linear, for exports and fingerprints.
    pub fn linear_weight(&self, layer: usize, target: Target) -> Option<&Weight> {
        Some(&self.layers.get(layer)?.linear(target).weight)
    }

    /// The values of all norms, which no quantisation changes.
    pub(crate) fn norm_values(&self) -> Vec<f32> {
        let norms = self.layers.iter().flat_map(|l| [&l.attention_norm, &l.feed_forward_norm]).chain([&self.norm]);
        norms.filter_map(|norm| norm.to_vec1::<f32>().ok()).flatten().collect()
    }

    /// What the layers need to know about the sequences of a batch.
    pub fn batch(&self, spans: Vec<Span>) -> Arc<Batch> {
        let rotation = Rotation::new(&spans, &self.config.inverse_frequencies).scaled(self.config.rotation_scale);
        Arc::new(Batch { spans, rotation })
    }

    /// The embeddings of some tokens: tokens × width.
    ///
    /// Ids beyond the vocabulary are an error, not a crash.
    pub fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        if let Some(id) = tokens.iter().find(|id| **id as usize >= self.config.vocabulary) {
            candle_core::bail!("token {id} is beyond the vocabulary of {}", self.config.vocabulary);
        }
        let width = self.config.hidden;
        match &self.embedding {
            Weight::Packed(matrix) => {
                let mut rows = vec![0f32; tokens.len() * width];
                for (id, row) in tokens.iter().zip(rows.chunks_exact_mut(width)) {
                    matrix.expand_rows(*id as usize..*id as usize + 1, row);
                }
                Tensor::from_vec(rows, (tokens.len(), width), &self.device)
            }
            Weight::Dense(tensor) => tensor.index_select(&Tensor::new(tokens, &self.device)?, 0),
        }
    }

    /// One layer on rows `x`; differentiable with respect to `x` and the updates when there is no cache.
    pub fn layer(
        &self,
        index: usize,
        x: &Tensor,
        batch: &Arc<Batch>,
        updates: &LayerUpdates,
        cache: Option<&mut LayerCache>,
    ) -> Result<Tensor> {
        let layer = &self.layers[index];
        let heads = self.config.heads;
        let epsilon = self.config.norm_epsilon;
        let linear = |x: &Tensor, target: Target| layer.linear(target).forward(x, updates.get(target));

        let normed = rms_norm(x, &layer.attention_norm, epsilon)?;
        let mut q = linear(&normed, Target::Query)?;
        let mut k = linear(&normed, Target::Key)?;
        let v = linear(&normed, Target::Value)?;
        if let Some((query_norm, key_norm)) = &layer.head_norms {
            let by_head = |x: &Tensor, norm: &Tensor| {
                rms_norm(&x.reshape(((), heads.dimension))?, norm, epsilon)?.reshape(x.shape())
            };
            q = by_head(&q, query_norm)?;
            k = by_head(&k, key_norm)?;
        }
        let attended = attend(&q, &k, &v, batch, heads, cache)?;
        let x = add(x, &linear(&attended, Target::Output)?)?;

        let normed = rms_norm(&x, &layer.feed_forward_norm, epsilon)?;
        let gated = silu_multiply(&linear(&normed, Target::Gate)?, &linear(&normed, Target::Up)?)?;
        add(&x, &linear(&gated, Target::Down)?)
    }

    /// The final norm, before the head.
    pub fn final_norm(&self, x: &Tensor) -> Result<Tensor> {
        rms_norm(x, &self.norm, self.config.norm_epsilon)
    }

    /// Logits of rows `x` that have gone through all layers: rows × vocabulary.
    pub fn logits(&self, x: &Tensor) -> Result<Tensor> {
        frozen_product(&self.final_norm(x)?, &self.head)
    }

    /// An empty key-value store for one layer.
    pub(crate) fn layer_cache(&self, slots: usize, capacity: usize) -> Result<LayerCache> {
        let heads = self.config.heads;
        if self.device.is_cpu() {
            return Ok(LayerCache::Cpu(LayerStore::new(heads, slots, capacity)));
        }
        let zeros = || Tensor::zeros((slots, heads.key_value, capacity, heads.dimension), DType::F32, &self.device);
        Ok(LayerCache::Device { keys: zeros()?, values: zeros()? })
    }
}

impl Layer {
    fn load(
        config: &ModelConfig,
        files: &mut WeightFiles,
        index: usize,
        device: &Device,
    ) -> std::result::Result<Self, ModelError> {
        let (heads, hidden, family) = (config.heads, config.hidden, config.family);
        let name = |part: &str| format!("model.layers.{index}.{part}");
        let mut rotary = |part: &str, n: usize| -> std::result::Result<Linear, ModelError> {
            Ok(Linear {
                weight: files.rotary_matrix(&name(&format!("{part}.weight")), config, n, device)?,
                bias: files.bias(&name(&format!("{part}.bias")), n * heads.dimension, family, device)?,
            })
        };
        let query = rotary("self_attn.q_proj", heads.query)?;
        let key = rotary("self_attn.k_proj", heads.key_value)?;
        let width = heads.key_value_width();
        let value = Linear {
            weight: files.matrix(&name("self_attn.v_proj.weight"), width, hidden, device)?,
            bias: files.bias(&name("self_attn.v_proj.bias"), width, family, device)?,
        };
        let mut plain = |part: &str, rows: usize, columns: usize| -> std::result::Result<Linear, ModelError> {
            Ok(Linear { weight: files.matrix(&name(&format!("{part}.weight")), rows, columns, device)?, bias: None })
        };
        let output = plain("self_attn.o_proj", hidden, heads.query_width())?;
        let gate = plain("mlp.gate_proj", config.intermediate, hidden)?;
        let up = plain("mlp.up_proj", config.intermediate, hidden)?;
        let down = plain("mlp.down_proj", hidden, config.intermediate)?;
        let mut norm = |part: &str, n: usize| files.vector_tensor(&name(&format!("{part}.weight")), n, device);
        Ok(Self {
            attention_norm: norm("input_layernorm", hidden)?,
            feed_forward_norm: norm("post_attention_layernorm", hidden)?,
            head_norms: match family {
                Family::Qwen3 => {
                    Some((norm("self_attn.q_norm", heads.dimension)?, norm("self_attn.k_norm", heads.dimension)?))
                }
                _ => None,
            },
            query,
            key,
            value,
            output,
            gate,
            up,
            down,
        })
    }

    fn linear(&self, target: Target) -> &Linear {
        match target {
            Target::Query => &self.query,
            Target::Key => &self.key,
            Target::Value => &self.value,
            Target::Output => &self.output,
            Target::Gate => &self.gate,
            Target::Up => &self.up,
            Target::Down => &self.down,
        }
    }
}

/// A model's name in messages: the file's stem or the folder's name.
pub(crate) fn name_of(path: &Path) -> String {
    let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
    stem.map_or_else(|| path.display().to_string(), |s| s.to_string_lossy().into_owned())
}
