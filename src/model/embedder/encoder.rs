//! BERT's encoder on ragged batches: sentences stand one after the other in one matrix, and nothing is padded.
//!
//! Source: Devlin et al. (2019), "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding".
//! candle-transformers has this model too; its padded batches and unfused operations leave the processor half idle, while
//! here each thread runs whole sentences through all layers by itself.

use serde::Deserialize;

use super::super::kernels::encoder::{gelu, layer_norm};
use super::super::kernels::gemm::{Product, View};
use super::super::kernels::simd::softmax;
use super::super::weights::WeightFiles;
use super::super::{ModelError, kernels::PackedMatrix};

/// What `config.json` says of an encoder.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct EncoderConfig {
    pub model_type: String,
    pub hidden_act: String,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub vocab_size: usize,
    pub max_position_embeddings: usize,
    pub type_vocab_size: usize,
    pub layer_norm_eps: f64,
}

impl EncoderConfig {
    /// What about it this encoder cannot run.
    pub fn complaint(&self) -> Option<String> {
        let sizes = [
            self.hidden_size,
            self.num_hidden_layers,
            self.num_attention_heads,
            self.intermediate_size,
            self.vocab_size,
            self.max_position_embeddings,
            self.type_vocab_size,
        ];
        if self.model_type != "bert" || self.hidden_act != "gelu" {
            return Some(format!(
                "a {} with {} is no sentence encoder of BERT's kind",
                self.model_type, self.hidden_act
            ));
        }
        if sizes.contains(&0) || sizes.iter().any(|size| *size > 1 << 20) {
            return Some("sizes that make no model".into());
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Some(format!("{} heads do not share {} values", self.num_attention_heads, self.hidden_size));
        }
        None
    }
}

/// y = x·Wᵀ + b, W output × input.
struct Linear {
    weight: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

impl Linear {
    /// Several linears of the same input as one.
    fn load(files: &mut WeightFiles, names: &[String], outputs: usize, inputs: usize) -> Result<Self, ModelError> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weight.extend(dense(files, &format!("{name}.weight"), outputs, inputs)?);
            bias.extend(files.vector(&format!("{name}.bias"), outputs)?);
        }
        Ok(Self { weight, bias, inputs })
    }

    fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Over `rows` rows of x into y, on this thread.
    fn forward(&self, x: &[f32], rows: usize, y: &mut Vec<f32>) {
        y.clear();
        for _ in 0..rows {
            y.extend_from_slice(&self.bias);
        }
        Product::new(rows, self.outputs(), self.inputs).accumulating().run(
            View::rows(x, self.inputs),
            View::transposed(&self.weight, self.inputs),
            y,
            self.outputs(),
        );
    }
}

fn dense(files: &mut WeightFiles, name: &str, rows: usize, columns: usize) -> Result<Vec<f32>, ModelError> {
    let matrix = files.matrix(name, rows, columns)?;
    let mut values = vec![0f32; rows * columns];
    matrix.expand_rows(0..rows, &mut values);
    Ok(values)
}

struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Norm {
    fn load(files: &mut WeightFiles, name: &str, width: usize) -> Result<Self, ModelError> {
        Ok(Self {
            weight: files.vector(&format!("{name}.weight"), width)?,
            bias: files.vector(&format!("{name}.bias"), width)?,
        })
    }
}

struct Layer {
    /// Queries, keys and values side by side.
    attention: Linear,
    output: Linear,
    output_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
}

/// The weights, as 32-bit floats; the vocabulary's as the file has them.
pub(super) struct Encoder {
    pub config: EncoderConfig,
    words: PackedMatrix,
    /// Position plus the type of a first sentence, row by row.
    places: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

/// Room that one thread computes in.
#[derive(Default)]
struct Scratch {
    projected: Vec<f32>,
    context: Vec<f32>,
    scores: Vec<f32>,
    wide: Vec<f32>,
    out: Vec<f32>,
}

impl Encoder {
    pub fn load(config: EncoderConfig, files: &mut WeightFiles) -> Result<Self, ModelError> {
        let hidden = config.hidden_size;
        let words = files.matrix("embeddings.word_embeddings.weight", config.vocab_size, hidden)?;
        let positions = config.max_position_embeddings;
        let mut places = dense(files, "embeddings.position_embeddings.weight", positions, hidden)?;
        let kinds = dense(files, "embeddings.token_type_embeddings.weight", config.type_vocab_size, hidden)?;
        for row in places.chunks_mut(hidden) {
            row.iter_mut().zip(&kinds).for_each(|(place, kind)| *place += kind);
        }
        let norm = Norm::load(files, "embeddings.LayerNorm", hidden)?;
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for layer in 0..config.num_hidden_layers {
            let name = |part: &str| format!("encoder.layer.{layer}.{part}");
            let attention = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
            let wide = config.intermediate_size;
            layers.push(Layer {
                attention: Linear::load(files, &attention, hidden, hidden)?,
                output: Linear::load(files, &[name("attention.output.dense")], hidden, hidden)?,
                output_norm: Norm::load(files, &name("attention.output.LayerNorm"), hidden)?,
                up: Linear::load(files, &[name("intermediate.dense")], wide, hidden)?,
                down: Linear::load(files, &[name("output.dense")], hidden, wide)?,
                norm: Norm::load(files, &name("output.LayerNorm"), hidden)?,
            });
        }
        Ok(Self { config, words, places, norm, layers })
    }

    /// The mean of the last layer over each sentence's tokens, brought to length 1. Runs on this thread alone. Ids are below the
    /// vocabulary's size and sentences no longer than there are positions.
    pub fn forward(&self, sentences: &[&[u32]]) -> Vec<Vec<f32>> {
        let hidden = self.config.hidden_size;
        let rows = sentences.iter().map(|ids| ids.len()).sum();
        let mut x = vec![0f32; rows * hidden];
        let places = sentences.iter().flat_map(|ids| ids.iter().zip(self.places.chunks(hidden)));
        for (row, (id, place)) in x.chunks_mut(hidden).zip(places) {
            self.words.expand_rows(*id as usize..*id as usize + 1, row);
            row.iter_mut().zip(place).for_each(|(value, place)| *value += place);
        }
        self.normalise(&self.norm, &mut x);
        let mut scratch = Scratch::default();
        for layer in &self.layers {
            layer.attention.forward(&x, rows, &mut scratch.projected);
            self.attend(sentences, rows, &mut scratch);
            layer.output.forward(&scratch.context, rows, &mut scratch.out);
            self.add_and_normalise(&layer.output_norm, &mut x, &scratch.out);
            layer.up.forward(&x, rows, &mut scratch.wide);
            gelu(&mut scratch.wide);
            layer.down.forward(&scratch.wide, rows, &mut scratch.out);
            self.add_and_normalise(&layer.norm, &mut x, &scratch.out);
        }
        let mut from = 0;
        sentences
            .iter()
            .map(|ids| {
                let own = &x[from * hidden..(from + ids.len()) * hidden];
                from += ids.len();
                mean_direction(own, hidden)
            })
            .collect()
    }

    /// softmax(q·kᵀ/√d)·v within each sentence, head by head.
    fn attend(&self, sentences: &[&[u32]], rows: usize, scratch: &mut Scratch) {
        let hidden = self.config.hidden_size;
        let (dimension, stride) = (hidden / self.config.num_attention_heads, 3 * hidden);
        let Scratch { projected, context, scores, .. } = scratch;
        context.clear();
        context.resize(rows * hidden, 0.0);
        let scale = 1.0 / (dimension as f32).sqrt();
        let mut from = 0;
        for ids in sentences {
            let n = ids.len();
            scores.resize((n * n).max(scores.len()), 0.0);
            let scores = &mut scores[..n * n];
            for head in (0..hidden).step_by(dimension) {
                let part = |which: usize| &projected[from * stride + which * hidden + head..];
                Product::new(n, n, dimension).scaled(scale).run(
                    View::rows(part(0), stride),
                    View::transposed(part(1), stride),
                    scores,
                    n,
                );
                scores.chunks_mut(n).for_each(|row| {
                    softmax(row);
                });
                let target = &mut context[from * hidden + head..];
                Product::new(n, dimension, n).run(View::rows(scores, n), View::rows(part(2), stride), target, hidden);
            }
            from += n;
        }
    }

    fn add_and_normalise(&self, norm: &Norm, x: &mut [f32], y: &[f32]) {
        x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
        self.normalise(norm, x);
    }

    fn normalise(&self, norm: &Norm, x: &mut [f32]) {
        layer_norm(x, &norm.weight, &norm.bias, self.config.layer_norm_eps as f32);
    }
}

fn mean_direction(rows: &[f32], width: usize) -> Vec<f32> {
    let mut mean = vec![0f32; width];
    for row in rows.chunks(width) {
        mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value);
    }
    let length = mean.iter().map(|value| value * value).sum::<f32>().sqrt();
    // The number of tokens falls away with the length.
    let scale = if length > 0.0 { length.recip() } else { 0.0 };
    mean.iter_mut().for_each(|value| *value *= scale);
    mean
}
