//! Causal grouped-query attention with rotary positions, forward and backward, over sequences laid end to end.
//!
//! Rows are tokens. A [`Span`] names the rows of one sequence, where its first row stands in the text, and (when there is a
//! key-value cache) the slot that holds what came before. Without a cache, a span may stand behind rows of earlier spans, whose
//! text its own begins with. Scores are never kept for the backward pass; they are computed again from queries and keys.

use std::ops::Range;

use rayon::prelude::*;

use super::gemm::{Product, View};
use super::simd::{dot, dot_body, multiply_add, multiversion, softmax};

/// Query rows whose scores are computed together: a block sees only the keys up to its last row.
const BLOCK: usize = 64;

/// The shape of the heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key and value heads, each shared by `query / key_value` query heads.
    pub key_value: usize,
    /// Width of a head.
    pub dimension: usize,
}

impl Heads {
    fn group(self) -> usize {
        self.query / self.key_value
    }

    /// Width of a row of queries.
    pub fn query_width(self) -> usize {
        self.query * self.dimension
    }

    /// Width of a row of keys or values.
    pub fn key_value_width(self) -> usize {
        self.key_value * self.dimension
    }

    fn scale(self) -> f32 {
        1.0 / (self.dimension as f32).sqrt()
    }
}

/// The rows of one sequence in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its rows in the batch.
    pub rows: Range<usize>,
    /// Position in the text of its first row: tokens that the cache already holds, or that `before` names.
    pub start: usize,
    /// Its slot in the key-value cache, where there is one.
    pub slot: usize,
    /// Where there is no cache: the rows of earlier spans that hold the `start` tokens before its own, in order.
    pub before: Vec<Range<usize>>,
}

impl Span {
    /// Rows that stand at `start` of what a slot of a cache holds; at the start of a text, no cache is needed.
    pub fn new(rows: Range<usize>, start: usize, slot: usize) -> Self {
        Self { rows, start, slot, before: Vec::new() }
    }

    /// The rows of `rows` behind those of `before`.
    pub fn behind(before: Vec<Range<usize>>, rows: Range<usize>) -> Self {
        Self { rows, start: before.iter().map(Range::len).sum(), slot: 0, before }
    }

    /// All rows of its text that are in the batch, in order.
    pub fn text(&self) -> impl Iterator<Item = usize> + '_ {
        self.before.iter().cloned().chain([self.rows.clone()]).flatten()
    }

    /// The rows of the first `tokens` tokens of its text.
    pub fn first(&self, tokens: usize) -> Vec<Range<usize>> {
        let mut left = tokens;
        let mut take = |rows: Range<usize>| {
            let rows = rows.start..rows.start + rows.len().min(left);
            left -= rows.len();
            (!rows.is_empty()).then_some(rows)
        };
        self.before.iter().cloned().chain([self.rows.clone()]).filter_map(&mut take).collect()
    }
}

/// Cosine and sine of every row's rotary angles, rows × dimension/2.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// Cosines.
    pub cos: Vec<f32>,
    /// Sines.
    pub sin: Vec<f32>,
}

impl Rotation {
    /// Angles for the rows of some spans, from the inverse frequencies (radians per position).
    pub fn new(spans: &[Span], inverse_frequencies: &[f32]) -> Self {
        let rows = spans.iter().map(|s| s.rows.end).max().unwrap_or(0);
        let half = inverse_frequencies.len();
        let (mut cos, mut sin) = (vec![0f32; rows * half], vec![0f32; rows * half]);
        for span in spans {
            for (offset, row) in span.rows.clone().enumerate() {
                let position = (span.start + offset) as f32;
                for (i, frequency) in inverse_frequencies.iter().enumerate() {
                    let angle = position * frequency;
                    cos[row * half + i] = angle.cos();
                    sin[row * half + i] = angle.sin();
                }
            }
        }
        Self { cos, sin }
    }

    /// The same, and everything that is turned is scaled by `scale` too.
    pub fn scaled(mut self, scale: f32) -> Self {
        if scale != 1.0 {
            self.cos.iter_mut().chain(&mut self.sin).for_each(|value| *value *= scale);
        }
        self
    }

    /// Turns one head's row by its angles; `back` turns it the other way (the transpose, for gradients).
    fn turn(&self, row: usize, x: &mut [f32], back: bool) {
        let half = x.len() / 2;
        let (cos, sin) = (&self.cos[row * half..][..half], &self.sin[row * half..][..half]);
        let (low, high) = x.split_at_mut(half);
        for i in 0..half {
            let s = if back { -sin[i] } else { sin[i] };
            (low[i], high[i]) = (low[i] * cos[i] - high[i] * s, high[i] * cos[i] + low[i] * s);
        }
    }
}

/// One head's part of some rows, contiguous: rows × dimension.
fn gather(
    x: &[f32],
    width: usize,
    head: usize,
    dimension: usize,
    rows: impl Iterator<Item = usize>,
    rotation: Option<&Rotation>,
) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows.size_hint().0 * dimension);
    for row in rows {
        let start = out.len();
        out.extend_from_slice(&x[row * width + head * dimension..][..dimension]);
        if let Some(rotation) = rotation {
            rotation.turn(row, &mut out[start..], false);
        }
    }
    out
}

/// Keys and values of one layer, slot × head × position × dimension, keys already turned.
#[derive(Debug, Clone)]
pub struct LayerStore {
    heads: Heads,
    capacity: usize,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl LayerStore {
    /// Room for `slots` sequences of `capacity` tokens.
    pub fn new(heads: Heads, slots: usize, capacity: usize) -> Self {
        let size = slots * capacity * heads.key_value_width();
        Self { heads, capacity, keys: vec![0.0; size], values: vec![0.0; size] }
    }

    fn block(&self, slot: usize, head: usize, length: usize) -> Range<usize> {
        let start = (slot * self.heads.key_value + head) * self.capacity * self.heads.dimension;
        start..start + length * self.heads.dimension
    }

    /// Writes the new rows' keys (turned here) and values behind what the slots hold.
    fn append(&mut self, k: &[f32], v: &[f32], spans: &[Span], rotation: &Rotation) {
        let (dimension, width) = (self.heads.dimension, self.heads.key_value_width());
        for span in spans {
            assert!(span.start + span.rows.len() <= self.capacity, "the key-value cache is full");
            for head in 0..self.heads.key_value {
                let block = self.block(span.slot, head, self.capacity);
                for (offset, row) in span.rows.clone().enumerate() {
                    let at = block.start + (span.start + offset) * dimension;
                    let from = row * width + head * dimension;
                    let key = &mut self.keys[at..at + dimension];
                    key.copy_from_slice(&k[from..from + dimension]);
                    rotation.turn(row, key, false);
                    self.values[at..at + dimension].copy_from_slice(&v[from..from + dimension]);
                }
            }
        }
    }

    /// Copies the first `length` tokens of one slot to another.
    pub fn copy(&mut self, from: usize, to: usize, length: usize) {
        for head in 0..self.heads.key_value {
            let (source, target) = (self.block(from, head, length), self.block(to, head, length));
            self.keys.copy_within(source.clone(), target.start);
            self.values.copy_within(source, target.start);
        }
    }
}

multiversion! {
    /// scale · q·key for each of the keys, which are as long as `q`.
    fn key_scores(q: &[f32], keys: &[f32], scale: f32, scores: &mut [f32]) {
        for (key, score) in keys.chunks_exact(q.len()).zip(scores) {
            *score = dot_body::<FMA>(q, key) * scale;
        }
    }
}

multiversion! {
    /// Σ weight · value, each value as long as `out`.
    fn weighted_sum(weights: &[f32], values: &[f32], out: &mut [f32]) {
        let dimension = out.len();
        let (wide, narrow) = out.as_chunks_mut::<64>();
        for (i, out) in wide.iter_mut().enumerate() {
            // In registers over all the values, where one of 64 would go to memory and back for each.
            let mut sums = [0f32; 64];
            for (weight, value) in weights.iter().zip(values.chunks_exact(dimension)) {
                let Some(value) = value[64 * i..].first_chunk::<64>() else { break };
                for (sum, value) in sums.iter_mut().zip(value) {
                    *sum = multiply_add::<FMA>(*weight, *value, *sum);
                }
            }
            *out = sums;
        }
        let first = dimension - narrow.len();
        for (weight, value) in weights.iter().zip(values.chunks_exact(dimension)) {
            for (sum, value) in narrow.iter_mut().zip(&value[first..]) {
                *sum = multiply_add::<FMA>(*weight, *value, *sum);
            }
        }
    }
}

/// Attends one head's queries (length × dimension, turned) to `start + length` keys and values.
fn attend(q: &[f32], keys: &[f32], values: &[f32], start: usize, heads: Heads) -> Vec<f32> {
    let dimension = heads.dimension;
    let length = q.len() / dimension;
    let mut out = vec![0f32; q.len()];
    if length == 1 {
        let mut scores = vec![0f32; keys.len() / dimension];
        key_scores(q, keys, heads.scale(), &mut scores);
        softmax(&mut scores);
        weighted_sum(&scores, values, &mut out);
        return out;
    }
    let mut scores = vec![0f32; BLOCK.min(length) * (start + length)];
    for first in (0..length).step_by(BLOCK) {
        let rows = BLOCK.min(length - first);
        let seen = start + first + rows;
        block_scores(&q[first * dimension..], keys, rows, seen, heads, &mut scores);
        Product::new(rows, dimension, seen).run(
            View::rows(&scores, seen),
            View::rows(values, dimension),
            &mut out[first * dimension..],
            dimension,
        );
    }
    out
}

/// The attention weights of a block of `rows` queries of which the last sees all `seen` keys: rows × seen.
fn block_scores(q: &[f32], keys: &[f32], rows: usize, seen: usize, heads: Heads, scores: &mut [f32]) {
    let dimension = heads.dimension;
    Product::new(rows, seen, dimension).scaled(heads.scale()).run(
        View::rows(q, dimension),
        View::transposed(keys, dimension),
        scores,
        seen,
    );
    for (i, row) in scores.chunks_exact_mut(seen).take(rows).enumerate() {
        let visible = seen - rows + i + 1;
        softmax(&mut row[..visible]);
        row[visible..].fill(0.0);
    }
}

/// Attention over the spans; `q` is rows×query width, `k` and `v` rows×key-value width, the result as `q`.
///
/// With a store, the new keys and values are appended to it and the queries see everything in their slot; without one,
/// each span sees itself and the rows before it that it names.
pub fn forward(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    spans: &[Span],
    heads: Heads,
    rotation: &Rotation,
    store: Option<&mut LayerStore>,
) -> Vec<f32> {
    let dimension = heads.dimension;
    let store = store.map(|store| {
        store.append(k, v, spans, rotation);
        &*store
    });
    let tasks: Vec<(usize, usize)> =
        (0..spans.len()).flat_map(|span| (0..heads.key_value).map(move |head| (span, head))).collect();
    let parts: Vec<Vec<Vec<f32>>> = tasks
        .par_iter()
        .map(|&(span, head)| {
            let span = &spans[span];
            let fresh;
            let (keys, values) = match store {
                Some(store) => {
                    let block = store.block(span.slot, head, span.start + span.rows.len());
                    (&store.keys[block.clone()], &store.values[block])
                }
                None => {
                    let width = heads.key_value_width();
                    fresh = (
                        gather(k, width, head, dimension, span.text(), Some(rotation)),
                        gather(v, width, head, dimension, span.text(), None),
                    );
                    (fresh.0.as_slice(), fresh.1.as_slice())
                }
            };
            (head * heads.group()..(head + 1) * heads.group())
                .map(|query_head| {
                    let q = gather(q, heads.query_width(), query_head, dimension, span.rows.clone(), Some(rotation));
                    attend(&q, keys, values, span.start, heads)
                })
                .collect()
        })
        .collect();
    let mut y = vec![0f32; q.len()];
    for (&(span, head), part) in tasks.iter().zip(&parts) {
        for (i, part) in part.iter().enumerate() {
            scatter(part, &mut y, heads.query_width(), head * heads.group() + i, dimension, &spans[span]);
        }
    }
    y
}

/// Writes one head's rows of a span to where they belong.
fn scatter(part: &[f32], y: &mut [f32], width: usize, head: usize, dimension: usize, span: &Span) {
    for (row, part) in span.rows.clone().zip(part.chunks_exact(dimension)) {
        y[row * width + head * dimension..][..dimension].copy_from_slice(part);
    }
}

/// Adds one head's part of a whole text to where it belongs.
fn add_scattered(part: &[f32], y: &mut [f32], width: usize, head: usize, dimension: usize, span: &Span) {
    for (row, part) in span.text().zip(part.chunks_exact(dimension)) {
        let y = &mut y[row * width + head * dimension..][..dimension];
        y.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
}

/// Gradients of one key-value head and its group of query heads.
struct HeadGradients {
    queries: Vec<Vec<f32>>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// The gradients of [`forward`] (without a store) with respect to q, k and v, from the gradient `g` of its result.
///
/// With P the attention weights: dV = Pᵀg, dP = gVᵀ, dS = P ∘ (dP − Σ P∘dP), dQ = dS·K/√d, dK = dSᵀQ/√d.
pub fn backward(
    q: &[f32],
    k: &[f32],
    v: &[f32],
    g: &[f32],
    spans: &[Span],
    heads: Heads,
    rotation: &Rotation,
) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (dimension, query_width, width) = (heads.dimension, heads.query_width(), heads.key_value_width());
    let tasks: Vec<(usize, usize)> =
        (0..spans.len()).flat_map(|span| (0..heads.key_value).map(move |head| (span, head))).collect();
    let parts: Vec<HeadGradients> = tasks
        .par_iter()
        .map(|&(span, head)| {
            let span = &spans[span];
            let keys = gather(k, width, head, dimension, span.text(), Some(rotation));
            let values = gather(v, width, head, dimension, span.text(), None);
            let mut gradients =
                HeadGradients { queries: Vec::new(), keys: vec![0.0; keys.len()], values: vec![0.0; keys.len()] };
            for query_head in head * heads.group()..(head + 1) * heads.group() {
                let q = gather(q, query_width, query_head, dimension, span.rows.clone(), Some(rotation));
                let g = gather(g, query_width, query_head, dimension, span.rows.clone(), None);
                let mut dq = attend_backward(&q, &keys, &values, &g, span.start, heads, &mut gradients);
                for (row, dq) in span.rows.clone().zip(dq.chunks_exact_mut(dimension)) {
                    rotation.turn(row, dq, true);
                }
                gradients.queries.push(dq);
            }
            for (row, dk) in span.text().zip(gradients.keys.chunks_exact_mut(dimension)) {
                rotation.turn(row, dk, true);
            }
            gradients
        })
        .collect();
    let (mut dq, mut dk, mut dv) = (vec![0f32; q.len()], vec![0f32; k.len()], vec![0f32; v.len()]);
    for (&(span, head), part) in tasks.iter().zip(&parts) {
        let span = &spans[span];
        for (i, part) in part.queries.iter().enumerate() {
            scatter(part, &mut dq, query_width, head * heads.group() + i, dimension, span);
        }
        // Rows that several texts begin with are pulled by each of them.
        add_scattered(&part.keys, &mut dk, width, head, dimension, span);
        add_scattered(&part.values, &mut dv, width, head, dimension, span);
    }
    (dq, dk, dv)
}

/// One head's backward; adds to the gradients of keys and values, returns that of the (turned) queries.
fn attend_backward(
    q: &[f32],
    keys: &[f32],
    values: &[f32],
    g: &[f32],
    start: usize,
    heads: Heads,
    gradients: &mut HeadGradients,
) -> Vec<f32> {
    let dimension = heads.dimension;
    let length = q.len() / dimension;
    let mut dq = vec![0f32; q.len()];
    let mut weights = vec![0f32; BLOCK.min(length) * (start + length)];
    let mut d_weights = vec![0f32; BLOCK.min(length) * (start + length)];
    for first in (0..length).step_by(BLOCK) {
        let rows = BLOCK.min(length - first);
        let seen = start + first + rows;
        let (q, g) = (&q[first * dimension..][..rows * dimension], &g[first * dimension..][..rows * dimension]);
        block_scores(q, keys, rows, seen, heads, &mut weights);
        Product::new(seen, dimension, rows).accumulating().run(
            View::transposed(&weights, seen),
            View::rows(g, dimension),
            &mut gradients.values,
            dimension,
        );
        Product::new(rows, seen, dimension).run(
            View::rows(g, dimension),
            View::transposed(values, dimension),
            &mut d_weights,
            seen,
        );
        for (p, dp) in weights.chunks_exact(seen).zip(d_weights.chunks_exact_mut(seen)).take(rows) {
            let along = dot(p, dp);
            for (p, dp) in p.iter().zip(dp) {
                *dp = p * (*dp - along) * heads.scale();
            }
        }
        Product::new(rows, dimension, seen).run(
            View::rows(&d_weights, seen),
            View::rows(keys, dimension),
            &mut dq[first * dimension..],
            dimension,
        );
        Product::new(seen, dimension, rows).accumulating().run(
            View::transposed(&d_weights, seen),
            View::rows(q, dimension),
            &mut gradients.keys,
            dimension,
        );
    }
    dq
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_query_attends_as_the_definition_says_for_wide_and_narrow_heads() {
        let number = |i: usize| ((i * 2_654_435_761) >> 7 & 0xffff) as f32 / 32_768.0 - 1.0;
        for dimension in [8, 64, 80, 128, 130] {
            let keys: Vec<f32> = (0..5 * dimension).map(number).collect();
            let values: Vec<f32> = (0..5 * dimension).map(|i| number(i + 999)).collect();
            let q: Vec<f32> = (0..dimension).map(|i| number(i + 77)).collect();
            let (mut scores, mut out) = (vec![0f32; 5], vec![0f32; dimension]);
            key_scores(&q, &keys, 0.5, &mut scores);
            weighted_sum(&scores, &values, &mut out);
            for (key, score) in keys.chunks(dimension).zip(&scores) {
                let expected: f32 = q.iter().zip(key).map(|(q, k)| 0.5 * q * k).sum();
                assert!((score - expected).abs() < 1e-4, "{dimension}: {score} against {expected}");
            }
            for (i, out) in out.iter().enumerate() {
                let expected: f32 = scores.iter().zip(values.chunks(dimension)).map(|(s, v)| s * v[i]).sum();
                assert!((out - expected).abs() < 1e-4, "{dimension}: {out} against {expected}");
            }
        }
    }
}
