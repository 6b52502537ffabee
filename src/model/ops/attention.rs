//! Causal attention on tensors.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor};

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

/// Attention of `q` (rows × query width) over `k` and `v` (rows × key-value width) within each span of the batch.
///
/// With a cache the new keys and values are written behind what the span's slot holds, and nothing is differentiable.
pub fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    batch: &Arc<Batch>,
    heads: Heads,
    cache: Option<&mut LayerStore>,
) -> Result<Tensor> {
    let Some(store) = cache else {
        return q.contiguous()?.apply_op3(
            &k.contiguous()?,
            &v.contiguous()?,
            Attention { batch: batch.clone(), heads },
        );
    };
    let y = with_values(q, |q| {
        with_values(k, |k| {
            with_values(v, |v| kernel::forward(q, k, v, &batch.spans, heads, &batch.rotation, Some(store)))
        })
    })???;
    Tensor::from_vec(y, q.shape(), &Device::Cpu)
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
        let found = attend(&q, &k, &v, &shared, HEADS, None).unwrap();
        assert!(largest_difference(&found, &expected) < 1e-5);
        let gradients = backward(&found);
        for var in [&q, &k, &v] {
            let (found, expected) = (gradients.get(var).unwrap(), expected_gradients.get(var).unwrap());
            assert!(largest_difference(found, expected) < 1e-4);
        }
    }

    #[test]
    fn a_cache_filled_in_pieces_sees_what_one_pass_sees() {
        let (q, k, v) = (random(12, 32), random(12, 16), random(12, 16));
        let whole = attend(&q, &k, &v, &batch(vec![span(0..12, 0, 0)]), HEADS, None).unwrap();
        let mut cache = LayerStore::new(HEADS, 3, 16);
        let mut parts = Vec::new();
        for (start, length) in [(0, 5), (5, 6), (11, 1)] {
            let rows = |t: &Tensor| t.narrow(0, start, length).unwrap();
            let batch = batch(vec![span(0..length, start, 2)]);
            parts.push(attend(&rows(&q), &rows(&k), &rows(&v), &batch, HEADS, Some(&mut cache)).unwrap());
        }
        assert!(largest_difference(&Tensor::cat(&parts, 0).unwrap(), &whole) < 1e-5);
    }
}
