//! The Llama-family decoder: one forward for inference and for training, and its backward.
//!
//! Activations are rows (tokens) × width, sequences end to end without padding; see [`Span`]. On the CPU the operations are those
//! of [`super::ops`], over this program's own kernels; elsewhere those of [`super::portable`].

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor, Var};

use super::ModelError;
use super::adapter::{Adapter, LayerUpdates, Target};
use super::config::ModelConfig;
use super::device::{Opened, Precision};
pub use super::kernels::attention::Span;
use super::kernels::attention::{LayerStore, Rotation};
use super::kernels::{PackedMatrix, head};
use super::ops::linear::frozen_product;
use super::ops::norm::{NormWeight, rms_norm};
use super::ops::{self, with_values};
use super::portable::{self, FrozenMatrix, frozen_vector};
use super::raw_layer::RawLayer;
use super::weights::WeightFiles;

/// The frozen weights of a model, ready to run.
pub struct Decoder {
    config: ModelConfig,
    device: Device,
    /// The values of all norms, which no quantisation and no precision changes.
    norms: Vec<f32>,
    body: Body,
}

/// The weights as those who compute with them want them.
enum Body {
    /// On the CPU, in their file's format.
    Packed { embedding: PackedMatrix, layers: Vec<ops::layer::Layer>, norm: NormWeight, head: PackedMatrix },
    /// On any device.
    Portable {
        precision: Precision,
        embedding: FrozenMatrix,
        layers: Vec<portable::Layer>,
        norm: Tensor,
        head: FrozenMatrix,
    },
}

/// What all layers need to know about the sequences of a batch.
pub enum Batch {
    /// For the CPU's kernels.
    Packed(Arc<ops::attention::Batch>),
    /// For any device.
    Portable(portable::Layout),
}

/// One layer's part of a key-value cache.
#[derive(Debug)]
pub enum LayerCache {
    /// For the CPU's kernels.
    Packed(LayerStore),
    /// On any device.
    Portable(portable::Cache),
}

/// What the backward pass of a layer needs of its forward pass.
pub enum Kept {
    /// The layer's graph on candle's tape.
    Taped {
        /// The layer's input, as the graph has it.
        input: Var,
        /// Its output.
        output: Tensor,
    },
    /// What was written down on the way.
    Written(Box<portable::Kept>),
}

impl Decoder {
    /// Reads the weights that the configuration calls for.
    pub fn load(
        mut config: ModelConfig,
        files: &mut WeightFiles,
        place: &Opened,
    ) -> std::result::Result<Self, ModelError> {
        let Opened { device, precision, .. } = place;
        let half = config.heads.dimension / 2;
        if files.contains("rope_freqs.weight") {
            // llama.cpp carries Llama 3's scaling as a divisor for each frequency.
            let divisors = files.vector("rope_freqs.weight", half)?;
            config.inverse_frequencies.iter_mut().zip(divisors).for_each(|(f, divisor)| *f /= divisor);
        }
        let embedding = files.matrix("model.embed_tokens.weight", config.vocabulary, config.hidden)?;
        let mut norms = Vec::new();
        // Layer by layer, so that a device's weights are not all in the machine's memory too.
        let mut raw_layers = (0..config.layers).map(|index| {
            let raw = RawLayer::read(&config, files, index)?;
            norms.extend(raw.attention_norm.iter().chain(&raw.feed_forward_norm));
            Ok::<_, ModelError>(raw)
        });
        let body = match precision {
            None => {
                let layers = raw_layers.map(|raw| ops::layer::Layer::new(raw?).map_err(ModelError::from));
                let layers = layers.collect::<std::result::Result<_, _>>()?;
                let norm = files.vector("model.norm.weight", config.hidden)?;
                norms.extend(&norm);
                let head = files.head(&config)?.unwrap_or_else(|| embedding.clone());
                Body::Packed { embedding, layers, norm: norm.into(), head }
            }
            Some(precision) => {
                let put = |matrix: &PackedMatrix| FrozenMatrix::new(matrix, device, *precision);
                let embedding = put(&embedding)?;
                let layers = raw_layers
                    .by_ref()
                    .map(|raw| portable::Layer::new(&raw?, device, *precision).map_err(ModelError::from))
                    .collect::<std::result::Result<_, _>>()?;
                drop(raw_layers);
                let norm = files.vector("model.norm.weight", config.hidden)?;
                norms.extend(&norm);
                let norm = frozen_vector(&norm, precision.dtype(), device)?;
                let head = files.head(&config)?.map(|head| put(&head)).transpose()?;
                let head = head.unwrap_or_else(|| embedding.clone());
                Body::Portable { precision: *precision, embedding, layers, norm, head }
            }
        };
        Ok(Self { config, device: device.clone(), norms, body })
    }

    /// The shape of the model.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The precision of activations; `None` where the CPU's kernels compute, in `f32`.
    pub fn precision(&self) -> Option<Precision> {
        match &self.body {
            Body::Packed { .. } => None,
            Body::Portable { precision, .. } => Some(*precision),
        }
    }

    /// Number of layers.
    pub fn layers(&self) -> usize {
        self.config.layers
    }

    /// Bytes that the weights take on their device.
    pub fn memory_bytes(&self) -> usize {
        match &self.body {
            Body::Packed { embedding, layers, head, .. } => {
                let tied = std::ptr::eq(embedding.bytes(), head.bytes());
                let linears = layers.iter().flat_map(|layer| &layer.linears).map(|linear| linear.weight.memory_bytes());
                embedding.memory_bytes() + if tied { 0 } else { head.memory_bytes() } + linears.sum::<usize>()
            }
            Body::Portable { embedding, layers, head, .. } => {
                let tied = embedding.is_same(head);
                let linears = layers.iter().flat_map(|layer| &layer.linears).map(|linear| linear.weight.memory_bytes());
                embedding.memory_bytes() + if tied { 0 } else { head.memory_bytes() } + linears.sum::<usize>()
            }
        }
    }

    /// Bytes of what a backward pass needs of `rows` rows, all layers together.
    pub fn activation_bytes(&self, rows: usize) -> usize {
        let of_row = match &self.body {
            Body::Packed { .. } => ops::layer::kept_values(&self.config) * size_of::<f32>(),
            Body::Portable { precision, .. } => portable::kept_values(&self.config) * precision.dtype().size_in_bytes(),
        };
        rows * of_row * self.config.layers
    }

    /// Bytes that come and go within a pass over `rows` rows, at most: logits, scores, expanded weights.
    pub fn scratch_bytes(&self, rows: usize) -> usize {
        match &self.body {
            Body::Packed { .. } => 64 << 20,
            Body::Portable { precision, .. } => portable::scratch_bytes(&self.config, rows, *precision),
        }
    }

    /// Input and output features of a linear.
    pub fn linear_shape(&self, layer: usize, target: Target) -> Option<(usize, usize)> {
        match &self.body {
            Body::Packed { layers, .. } => {
                let weight = &layers.get(layer)?.linears[target as usize].weight;
                Some((weight.columns(), weight.rows()))
            }
            Body::Portable { layers, .. } => {
                let (rows, columns) = layers.get(layer)?.linears[target as usize].weight.shape();
                Some((columns, rows))
            }
        }
    }

    /// The values of all norms: layer by layer, and the last.
    pub(crate) fn norm_values(&self) -> &[f32] {
        &self.norms
    }

    /// What the layers need to know about the sequences of a batch; `cached` where they stand behind a cache's.
    pub fn batch(&self, spans: Vec<Span>, cached: bool) -> Result<Batch> {
        let rotation = Rotation::new(&spans, &self.config.inverse_frequencies).scaled(self.config.rotation_scale);
        match &self.body {
            Body::Packed { .. } => Ok(Batch::Packed(Arc::new(ops::attention::Batch { spans, rotation }))),
            Body::Portable { precision, .. } => {
                let place = (&self.device, precision.dtype());
                portable::Layout::new(spans, &rotation, self.config.heads, cached, place).map(Batch::Portable)
            }
        }
    }

    /// The embeddings of some tokens: tokens × width.
    ///
    /// Ids beyond the vocabulary are an error, not a crash.
    pub fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        if let Some(id) = tokens.iter().find(|id| **id as usize >= self.config.vocabulary) {
            candle_core::bail!("token {id} is beyond the vocabulary of {}", self.config.vocabulary);
        }
        let width = self.config.hidden;
        match &self.body {
            Body::Packed { embedding, .. } => {
                let mut rows = vec![0f32; tokens.len() * width];
                for (id, row) in tokens.iter().zip(rows.chunks_exact_mut(width)) {
                    embedding.expand_rows(*id as usize..*id as usize + 1, row);
                }
                Tensor::from_vec(rows, (tokens.len(), width), &self.device)
            }
            Body::Portable { embedding, .. } => embedding.embed(&Tensor::new(tokens, &self.device)?),
        }
    }

    /// One layer on rows `x`, without a way back.
    pub fn layer(
        &self,
        index: usize,
        x: &Tensor,
        batch: &Batch,
        updates: &LayerUpdates,
        cache: Option<&mut LayerCache>,
    ) -> Result<Tensor> {
        match (&self.body, batch) {
            (Body::Packed { layers, .. }, Batch::Packed(batch)) => {
                let store = match cache {
                    Some(LayerCache::Packed(store)) => Some(store),
                    Some(LayerCache::Portable(_)) => return mixed(),
                    None => None,
                };
                layers[index].forward(x, &self.config, batch, updates, store)
            }
            (Body::Portable { layers, .. }, Batch::Portable(layout)) => {
                let cache = match cache {
                    Some(LayerCache::Portable(cache)) => Some(cache),
                    Some(LayerCache::Packed(_)) => return mixed(),
                    None => None,
                };
                Ok(layers[index].forward(x, &self.config, layout, updates, cache)?.0)
            }
            _ => mixed(),
        }
    }

    /// One layer on rows `x`, and what [`Decoder::layer_backward`] needs of it.
    pub fn layer_kept(&self, index: usize, x: &Tensor, batch: &Batch, adapter: &Adapter) -> Result<(Tensor, Kept)> {
        match (&self.body, batch) {
            (Body::Packed { layers, .. }, Batch::Packed(batch)) => {
                let input = Var::from_tensor(&x.detach())?;
                let updates = adapter.layer(index, true);
                let output = layers[index].forward(input.as_tensor(), &self.config, batch, &updates, None)?;
                Ok((output.detach(), Kept::Taped { input, output }))
            }
            (Body::Portable { layers, .. }, Batch::Portable(layout)) => {
                let updates = adapter.layer(index, false);
                let (y, kept) = layers[index].forward(x, &self.config, layout, &updates, None)?;
                Ok((y, Kept::Written(Box::new(kept))))
            }
            _ => mixed(),
        }
    }

    /// The gradients of a layer, `g` being that of its output: with respect to its input, and of the adapter's variables of this
    /// layer in their order, `f32`.
    pub fn layer_backward(
        &self,
        index: usize,
        kept: Kept,
        batch: &Batch,
        adapter: &Adapter,
        g: &Tensor,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        match (&self.body, kept, batch) {
            (Body::Packed { .. }, Kept::Taped { input, output }, _) => {
                let store = ops::seeded(&output, g)?.backward()?;
                let of = |variable: &Var| {
                    store.get(variable).cloned().ok_or_else(|| {
                        candle_core::Error::msg(format!(
                            "a LoRA variable of layer {index} received no gradient; this is a bug"
                        ))
                    })
                };
                let gradients = adapter.layer_variables(index).map(of).collect::<Result<_>>()?;
                Ok((store.get(&input).cloned().map_or_else(|| g.zeros_like(), Ok)?.detach(), gradients))
            }
            (Body::Portable { layers, .. }, Kept::Written(kept), Batch::Portable(layout)) => {
                let updates = adapter.layer(index, false);
                let gradients = layers[index].backward(&kept, &self.config, layout, &updates, g)?;
                Ok((gradients.input, gradients.updates))
            }
            _ => mixed(),
        }
    }

    /// The final norm, before the head.
    pub fn final_norm(&self, x: &Tensor) -> Result<Tensor> {
        match &self.body {
            Body::Packed { norm, .. } => rms_norm(x, norm, self.config.norm_epsilon),
            Body::Portable { norm, .. } => portable::rms_norm(x, norm, self.config.norm_epsilon),
        }
    }

    /// The gradient of [`Decoder::final_norm`] with respect to `x`.
    pub fn final_norm_backward(&self, x: &Tensor, g: &Tensor) -> Result<Tensor> {
        match &self.body {
            Body::Packed { norm, .. } => {
                let x = Var::from_tensor(&x.detach())?;
                let store = ops::seeded(&rms_norm(x.as_tensor(), norm, self.config.norm_epsilon)?, g)?.backward()?;
                store.get(&x).cloned().map_or_else(|| x.zeros_like(), Ok)
            }
            Body::Portable { norm, .. } => portable::rms_norm_backward(x, norm, self.config.norm_epsilon, g),
        }
    }

    /// Logits of rows `x` that have gone through all layers: rows × vocabulary, `f32`.
    pub fn logits(&self, x: &Tensor) -> Result<Tensor> {
        let normed = self.final_norm(x)?;
        match &self.body {
            Body::Packed { head, .. } => frozen_product(&normed, head),
            Body::Portable { head, .. } => head.product(&normed)?.to_dtype(DType::F32),
        }
    }

    /// ln p of each row's target from normalised hidden states, and with weights the gradient of Σ −weight·ln p with respect to
    /// them.
    pub fn cross_entropy(
        &self,
        hidden: &Tensor,
        ids: &[u32],
        weights: Option<&[f32]>,
    ) -> Result<(Vec<f32>, Option<Tensor>)> {
        match &self.body {
            Body::Packed { head, .. } => {
                let result = with_values(hidden, |hidden| head::cross_entropy(hidden, head, ids, weights))?;
                let gradient = result.gradient.map(|values| Tensor::from_vec(values, hidden.shape(), hidden.device()));
                Ok((result.log_probabilities, gradient.transpose()?))
            }
            Body::Portable { head, .. } => {
                let result = portable::cross_entropy(hidden, head, ids, weights)?;
                Ok((result.log_probabilities, result.gradient))
            }
        }
    }

    /// `n` rows, to those of `rows` the rows of `x` added in order: the gradient of choosing `rows`.
    pub fn spread(&self, x: &Tensor, rows: &[u32], n: usize) -> Result<Tensor> {
        match &self.body {
            Body::Packed { .. } => {
                let nought = Tensor::zeros((n, x.dim(1)?), x.dtype(), x.device())?;
                nought.index_add(&Tensor::new(rows, x.device())?, x, 0)
            }
            Body::Portable { .. } => portable::Return::new(rows, n, &self.device)?.of(x),
        }
    }

    /// An empty key-value store for one layer.
    pub(crate) fn layer_cache(&self, slots: usize, capacity: usize) -> Result<LayerCache> {
        let heads = self.config.heads;
        match &self.body {
            Body::Packed { .. } => Ok(LayerCache::Packed(LayerStore::new(heads, slots, capacity))),
            Body::Portable { precision, .. } => {
                portable::Cache::new(heads, slots, capacity, &self.device, precision.dtype()).map(LayerCache::Portable)
            }
        }
    }
}

/// What belongs to one way of computing was given to the other.
fn mixed<T>() -> Result<T> {
    candle_core::bail!("a batch or cache of another decoder; this is a bug")
}

/// A model's name in messages: the file's stem or the folder's name.
pub(crate) fn name_of(path: &Path) -> String {
    let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
    stem.map_or_else(|| path.display().to_string(), |s| s.to_string_lossy().into_owned())
}
