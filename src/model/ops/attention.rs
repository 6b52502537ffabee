//! Causal attention on tensors: fused on the CPU, plain operations elsewhere.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, D, Device, Layout, Result, Shape, Tensor};

use super::{values, with_values};
use crate::model::kernels::attention::{self as kernel, Heads, LayerStore, Rotation, Span};

/// Everything about a batch that the layers share.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The sequences, end to end.
    pub spans: Vec<Span>,
    /// Rotary angles of every row.
    pub rotation: Rotation,
}

/// One layer's part of a key-value cache.
#[derive(Debug)]
pub enum LayerCache {
    /// On the CPU.
    Cpu(LayerStore),
    /// On another device: keys and values, slots × heads × capacity × dimension.
    Device {
        /// Turned keys.
        keys: Tensor,
        /// Values.
        values: Tensor,
    },
}

/// Attention of `q` (rows × query width) over `k` and `v` (rows × key-value width) within each span of the batch.
///
/// With a cache the new keys and values are written behind what the span's slot holds, and nothing is differentiable.
pub fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    batch: &Arc<Batch>,
    heads: Heads,
    cache: Option<&mut LayerCache>,
) -> Result<Tensor> {
    match cache {
        None if q.device().is_cpu() => {
            q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, Attention { batch: batch.clone(), heads })
        }
        Some(LayerCache::Cpu(store)) => {
            let y = with_values(q, |q| {
                with_values(k, |k| {
                    with_values(v, |v| kernel::forward(q, k, v, &batch.spans, heads, &batch.rotation, Some(store)))
                })
            })???;
            Tensor::from_vec(y, q.shape(), &Device::Cpu)
        }
        None => plain(q, k, v, batch, heads, None),
        Some(LayerCache::Device { keys, values }) => plain(q, k, v, batch, heads, Some((keys, values))),
    }
}

struct Attention {
    batch: Arc<Batch>,
    heads: Heads,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (q, k, v) = (values(q, q_layout)?, values(k, k_layout)?, values(v, v_layout)?);
        let y = kernel::forward(q, k, v, &self.batch.spans, self.heads, &self.batch.rotation, None);
        Ok((CpuStorage::F32(y), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _y: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dq, dk, dv) = with_values(q, |q| {
            with_values(k, |k| {
                with_values(v, |v| {
                    with_values(g, |g| {
                        kernel::backward(q, k, v, g, &self.batch.spans, self.heads, &self.batch.rotation)
                    })
                })
            })
        })????;
        let cpu = &Device::Cpu;
        Ok((
            Some(Tensor::from_vec(dq, q.shape(), cpu)?),
            Some(Tensor::from_vec(dk, k.shape(), cpu)?),
            Some(Tensor::from_vec(dv, v.shape(), cpu)?),
        ))
    }
}

/// Attention from candle's differentiable operations, one span at a time; for devices without a kernel of ours.
fn plain(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    batch: &Batch,
    heads: Heads,
    cache: Option<(&Tensor, &Tensor)>,
) -> Result<Tensor> {
    let device = q.device();
    let half = heads.dimension / 2;
    let rows = batch.rotation.cos.len() / half;
    let cos = Tensor::from_slice(&batch.rotation.cos, (rows, 1, half), device)?;
    let sin = Tensor::from_slice(&batch.rotation.sin, (rows, 1, half), device)?;
    let turn = |x: &Tensor, n: usize| -> Result<Tensor> {
        let x = x.reshape((rows, n, heads.dimension))?;
        let (low, high) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
        let turned_low = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
        let turned_high = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
        Tensor::cat(&[turned_low, turned_high], D::Minus1)
    };
    let (q, all_keys) = (turn(q, heads.query)?, turn(k, heads.key_value)?);
    let all_values = v.reshape((rows, heads.key_value, heads.dimension))?;
    let mut parts = Vec::with_capacity(batch.spans.len());
    for span in &batch.spans {
        let (first, length) = (span.rows.start, span.rows.len());
        let of = |x: &Tensor| x.narrow(0, first, length)?.transpose(0, 1)?.contiguous();
        let (q, mut k, mut v) = (of(&q)?, of(&all_keys)?, of(&all_values)?);
        if let Some((keys, values)) = cache {
            // A narrowed slot is a contiguous view of the same storage, so this writes into the cache itself.
            let (keys, values) = (keys.narrow(0, span.slot, 1)?, values.narrow(0, span.slot, 1)?);
            keys.slice_set(&k.unsqueeze(0)?, 2, span.start)?;
            values.slice_set(&v.unsqueeze(0)?, 2, span.start)?;
            k = keys.squeeze(0)?.narrow(1, 0, span.start + length)?.contiguous()?;
            v = values.squeeze(0)?.narrow(1, 0, span.start + length)?.contiguous()?;
        } else if !span.before.is_empty() {
            let text = Tensor::new(span.text().map(|row| row as u32).collect::<Vec<_>>(), device)?;
            let of = |x: &Tensor| x.index_select(&text, 0)?.transpose(0, 1)?.contiguous();
            (k, v) = (of(&all_keys)?, of(&all_values)?);
        }
        let seen = span.start + length;
        let group = heads.query / heads.key_value;
        let q = q.reshape((heads.key_value, group * length, heads.dimension))?;
        let scores = (q.matmul(&k.t()?)? * (1.0 / (heads.dimension as f64).sqrt()))?;
        let mask: Vec<f32> = (0..length)
            .flat_map(|i| (0..seen).map(move |j| if j > span.start + i { f32::NEG_INFINITY } else { 0.0 }))
            .collect();
        let mask = Tensor::from_vec(mask, (1, 1, length, seen), device)?;
        let scores = scores.reshape((heads.key_value, group, length, seen))?.broadcast_add(&mask)?;
        let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
        let y = weights.reshape((heads.key_value, group * length, seen))?.matmul(&v)?;
        let y = y.reshape((heads.query, length, heads.dimension))?.transpose(0, 1)?;
        parts.push(y.reshape((length, heads.query_width()))?);
    }
    Tensor::cat(&parts, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    const HEADS: Heads = Heads { query: 4, key_value: 2, dimension: 8 };

    fn batch(spans: Vec<Span>) -> Arc<Batch> {
        let rotation = Rotation::new(&spans, &[1.0, 0.3, 0.1, 0.03]);
        Arc::new(Batch { spans, rotation })
    }

    fn span(rows: std::ops::Range<usize>, start: usize, slot: usize) -> Span {
        Span::new(rows, start, slot)
    }

    fn random(rows: usize, width: usize) -> Tensor {
        Tensor::randn(0f32, 1f32, (rows, width), &Device::Cpu).unwrap()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn the_fused_form_agrees_with_plain_operations_forward_and_backward() {
        // One sequence longer than a block of scores, one short, one of a single token.
        let batch = batch(vec![span(0..90, 0, 0), span(90..101, 0, 0), span(101..102, 0, 0)]);
        let var = |width| Var::from_tensor(&random(102, width)).unwrap();
        let (q, k, v, g) = (var(32), var(16), var(16), random(102, 32));
        let fused = attend(&q, &k, &v, &batch, HEADS, None).unwrap();
        let expected = plain(&q, &k, &v, &batch, HEADS, None).unwrap();
        assert!(largest_difference(&fused, &expected) < 1e-5);
        let backward = |y: Tensor| (y * &g).unwrap().sum_all().unwrap().backward().unwrap();
        let (fused, expected) = (backward(fused), backward(expected));
        for var in [&q, &k, &v] {
            assert!(largest_difference(fused.get(var).unwrap(), expected.get(var).unwrap()) < 1e-4);
        }
    }

    #[test]
    fn texts_that_begin_alike_share_the_rows_of_their_beginning() {
        // Two texts of 70 + 9 and 70 + 3 tokens, and one of 70 + 3 + 5 behind the second: apart, and sharing.
        let rows = |parts: &[(usize, usize)]| -> Vec<u32> {
            parts.iter().flat_map(|&(first, n)| first as u32..(first + n) as u32).collect()
        };
        let texts = [vec![(0, 79)], vec![(0, 70), (79, 3)], vec![(0, 70), (79, 3), (82, 5)]];
        let apart_rows: Vec<u32> = texts.iter().flat_map(|text| rows(text)).collect();
        let lengths: Vec<usize> = texts.iter().map(|text| rows(text).len()).collect();
        let mut first = 0;
        let spans = lengths.iter().map(|&length| {
            first += length;
            span(first - length..first, 0, 0)
        });
        let apart = batch(spans.collect());
        let first_text = span(0..79, 0, 0);
        let shared = batch(vec![
            first_text.clone(),
            Span::behind(first_text.first(70), 79..82),
            Span::behind(vec![0..70, 79..82], 82..87),
        ]);
        let var = |width| Var::from_tensor(&random(87, width)).unwrap();
        let (q, k, v, g) = (var(32), var(16), var(16), random(87, 32));
        // The rows of each text that are its own: what is shared is counted once.
        let own = Tensor::new(
            [(0..79).collect::<Vec<u32>>(), (149..152).collect(), (225..230).collect()].concat(),
            &Device::Cpu,
        )
        .unwrap();
        let spread = Tensor::new(apart_rows, &Device::Cpu).unwrap();
        let of = |x: &Var| x.index_select(&spread, 0).unwrap();
        let expected = attend(&of(&q), &of(&k), &of(&v), &apart, HEADS, None).unwrap().index_select(&own, 0).unwrap();
        let backward = |y: &Tensor| (y * &g).unwrap().sum_all().unwrap().backward().unwrap();
        let expected_gradients = backward(&expected);
        for found in
            [attend(&q, &k, &v, &shared, HEADS, None).unwrap(), plain(&q, &k, &v, &shared, HEADS, None).unwrap()]
        {
            assert!(largest_difference(&found, &expected) < 1e-5);
            let gradients = backward(&found);
            for var in [&q, &k, &v] {
                let (found, expected) = (gradients.get(var).unwrap(), expected_gradients.get(var).unwrap());
                assert!(largest_difference(found, expected) < 1e-4);
            }
        }
    }

    #[test]
    fn a_cache_filled_in_pieces_sees_what_one_pass_sees() {
        let (q, k, v) = (random(12, 32), random(12, 16), random(12, 16));
        let whole = attend(&q, &k, &v, &batch(vec![span(0..12, 0, 0)]), HEADS, None).unwrap();
        let zeros = || Tensor::zeros((3, 2, 16, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
        for mut cache in
            [LayerCache::Cpu(LayerStore::new(HEADS, 3, 16)), LayerCache::Device { keys: zeros(), values: zeros() }]
        {
            let mut parts = Vec::new();
            for (start, length) in [(0, 5), (5, 6), (11, 1)] {
                let rows = |t: &Tensor| t.narrow(0, start, length).unwrap();
                let batch = batch(vec![span(0..length, start, 2)]);
                parts.push(attend(&rows(&q), &rows(&k), &rows(&v), &batch, HEADS, Some(&mut cache)).unwrap());
            }
            assert!(largest_difference(&Tensor::cat(&parts, 0).unwrap(), &whole) < 1e-5);
        }
    }
}
