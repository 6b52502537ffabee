//! Causal grouped-query attention, forward and backward, over the groups of a [`Layout`].

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

use super::layout::{Block, Group, Layout};
use crate::model::kernels::attention::Heads;

/// One layer's part of a key-value cache: slots·heads × capacity × dimension, keys already turned.
#[derive(Debug)]
pub struct Cache {
    keys: Tensor,
    values: Tensor,
    /// Heads of keys and values.
    heads: usize,
}

impl Cache {
    /// Room for `slots` sequences of `capacity` tokens.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(heads: Heads, slots: usize, capacity: usize, device: &Device, dtype: DType) -> Result<Self> {
        let zeros = || Tensor::zeros((slots * heads.key_value, capacity, heads.dimension), dtype, device);
        Ok(Self { keys: zeros()?, values: zeros()?, heads: heads.key_value })
    }

    /// The place of a slot: a contiguous view of the same storage, so that what is written there is in the cache itself.
    fn slot(&self, tensor: &Tensor, slot: usize) -> Result<Tensor> {
        tensor.narrow(0, slot * self.heads, self.heads)
    }

    /// Copies the first `length` tokens of one slot to another.
    ///
    /// # Errors
    /// When the device fails.
    pub fn copy(&self, from: usize, to: usize, length: usize) -> Result<()> {
        for tensor in [&self.keys, &self.values] {
            // A true copy, or it would share what it is put into.
            let source = self.slot(tensor, from)?.narrow(1, 0, length)?.force_contiguous()?;
            self.slot(tensor, to)?.slice_set(&source, 1, 0)?;
        }
        Ok(())
    }

    /// Writes the new rows' keys and values behind what the slots hold.
    fn append(&self, k: &Tensor, v: &Tensor, heads: Heads, layout: &Layout) -> Result<()> {
        for span in &layout.spans {
            for (tensor, new) in [(&self.keys, k), (&self.values, v)] {
                let new = new.narrow(0, span.rows.start, span.rows.len())?;
                let new = new.reshape((span.rows.len(), heads.key_value, heads.dimension))?.transpose(0, 1)?;
                self.slot(tensor, span.slot)?.slice_set(&new.contiguous()?, 1, span.start)?;
            }
        }
        Ok(())
    }

    /// The keys and values of a group, without a copy.
    fn of(&self, group: &Group) -> Result<(Tensor, Tensor)> {
        let of = |tensor: &Tensor| {
            let slots = tensor.narrow(0, group.first_key * self.heads, group.sequences * self.heads)?;
            slots.narrow(1, 0, group.keys)
        };
        Ok((of(&self.keys)?, of(&self.values)?))
    }
}

impl Group {
    /// Its part of padded queries: sequences·key-value heads × heads of each·queries × dimension.
    fn queries(&self, x: &Tensor, heads: Heads) -> Result<Tensor> {
        let part = x.narrow(0, self.first_query, self.sequences * self.queries)?;
        by_head(&part, self.sequences, self.queries, heads.query, heads)
    }

    /// Its part of padded keys or values: sequences·key-value heads × keys × dimension.
    fn keys(&self, x: &Tensor, heads: Heads) -> Result<Tensor> {
        let part = x.narrow(0, self.first_key, self.sequences * self.keys)?;
        by_head(&part, self.sequences, self.keys, heads.key_value, heads)
    }

    /// A block's part of its queries.
    fn part(&self, block: &Block, x: &Tensor, heads: Heads) -> Result<Tensor> {
        if self.blocks.len() == 1 {
            return Ok(x.clone());
        }
        let (products, _, width) = x.dims3()?;
        let x = x.reshape((self.sequences, heads.query, self.queries, width))?;
        x.narrow(2, block.first, block.queries)?.contiguous()?.reshape((products, (), width))
    }

    /// The queries of all blocks, end to end.
    fn joined(&self, parts: Vec<Tensor>, heads: Heads) -> Result<Tensor> {
        if let [part] = &parts[..] {
            return Ok(part.clone());
        }
        let by_sequence = |x: &Tensor| x.reshape((self.sequences, heads.query, (), x.dim(2)?));
        let parts = parts.iter().map(by_sequence).collect::<Result<Vec<_>>>()?;
        let all = Tensor::cat(&parts, 2)?;
        let width = all.dim(3)?;
        all.contiguous()?.reshape((self.sequences * heads.key_value, (), width))
    }

    /// The attention weights of a block's queries, which are scaled already.
    fn weights(&self, block: &Block, q: &Tensor, k: &Tensor, heads: Heads) -> Result<Tensor> {
        let scores = q.matmul(&k.narrow(1, 0, block.keys)?.t()?)?;
        let Some(mask) = &block.mask else { return softmax_last_dim(&scores) };
        let by_head = (self.sequences, heads.query, block.queries, block.keys);
        softmax_last_dim(&scores.reshape(by_head)?.broadcast_add(mask)?)?.reshape(scores.shape())
    }
}

/// Rows of heads side by side, head by head: sequences·key-value heads × heads of each·length × dimension.
fn by_head(x: &Tensor, sequences: usize, length: usize, n: usize, heads: Heads) -> Result<Tensor> {
    let x = x.reshape((sequences, length, n, heads.dimension))?.transpose(1, 2)?.contiguous()?;
    x.reshape((sequences * heads.key_value, n / heads.key_value * length, heads.dimension))
}

/// The way back from [`by_head`].
fn by_row(x: &Tensor, sequences: usize, length: usize, n: usize, heads: Heads) -> Result<Tensor> {
    let x = x.reshape((sequences, n, length, heads.dimension))?.transpose(1, 2)?.contiguous()?;
    x.reshape((sequences * length, n * heads.dimension))
}

fn scale(heads: Heads) -> f64 {
    1.0 / (heads.dimension as f64).sqrt()
}

/// Attention of turned `q` and `k` and of `v`; with a cache, also to what it holds, and the new keys and values go there.
pub fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: Heads,
    layout: &Layout,
    cache: Option<&mut Cache>,
) -> Result<Tensor> {
    let q = layout.queries.of(&q.affine(scale(heads), 0.0)?)?;
    let in_batch = match (&cache, &layout.in_batch) {
        (Some(cache), _) => {
            cache.append(k, v, heads, layout)?;
            None
        }
        (None, Some(in_batch)) => Some((in_batch.keys.of(k)?, in_batch.keys.of(v)?)),
        (None, None) => candle_core::bail!("keys are neither in the batch nor in a cache"),
    };
    let mut parts = Vec::with_capacity(layout.groups.len());
    for group in &layout.groups {
        let (k, v) = match (&in_batch, &cache) {
            (Some((k, v)), _) => (group.keys(k, heads)?, group.keys(v, heads)?),
            (None, Some(cache)) => cache.of(group)?,
            (None, None) => candle_core::bail!("keys are neither in the batch nor in a cache"),
        };
        let q = group.queries(&q, heads)?;
        let of_block = |block: &Block| {
            group.weights(block, &group.part(block, &q, heads)?, &k, heads)?.matmul(&v.narrow(1, 0, block.keys)?)
        };
        let y = group.joined(group.blocks.iter().map(of_block).collect::<Result<_>>()?, heads)?;
        parts.push(by_row(&y, group.sequences, group.queries, heads.query, heads)?);
    }
    layout.rows.of(&Tensor::cat(&parts, 0)?)
}

/// The gradients with respect to turned `q` and `k` and to `v`, `g` being that of what [`attend`] gave, `y`, without a cache.
///
/// Weights are computed again, so that no scores are kept. dS = P∘(dP − Σ g∘y) with P the weights and dP = g·vᵀ (Dao et al. 2022,
/// "FlashAttention", appendix B.2).
pub fn attend_backward(
    [q, k, v]: [&Tensor; 3],
    y: &Tensor,
    g: &Tensor,
    heads: Heads,
    layout: &Layout,
) -> Result<(Tensor, Tensor, Tensor)> {
    let Some(in_batch) = &layout.in_batch else { candle_core::bail!("there is no way back behind a cache") };
    let q = layout.queries.of(&q.affine(scale(heads), 0.0)?)?;
    let (k, v) = (in_batch.keys.of(k)?, in_batch.keys.of(v)?);
    let rows = g.dim(0)?;
    let along = (g.to_dtype(DType::F32)? * y.to_dtype(DType::F32)?)?;
    let along = along.reshape((rows, heads.query, heads.dimension))?.sum(D::Minus1)?.to_dtype(g.dtype())?;
    let (g, along) = (layout.queries.of(g)?, layout.queries.of(&along)?);
    let (mut dq, mut dk, mut dv) = (Vec::new(), Vec::new(), Vec::new());
    for group in &layout.groups {
        let (q, k, v) = (group.queries(&q, heads)?, group.keys(&k, heads)?, group.keys(&v, heads)?);
        let g = group.queries(&g, heads)?;
        let along = group.queries(&along, Heads { dimension: 1, ..heads })?;
        let mut of_queries = Vec::with_capacity(group.blocks.len());
        let mut of_keys: Option<[Tensor; 2]> = None;
        for block in &group.blocks {
            let part = |x: &Tensor| group.part(block, x, heads);
            let (q, g, along) = (part(&q)?, part(&g)?, part(&along)?);
            let weights = group.weights(block, &q, &k, heads)?;
            let d_weights = g.matmul(&v.narrow(1, 0, block.keys)?.t()?)?;
            let d_scores = (d_weights.broadcast_sub(&along)? * &weights)?;
            of_queries.push(d_scores.matmul(&k.narrow(1, 0, block.keys)?)?.affine(scale(heads), 0.0)?);
            let found = [d_scores.t()?.matmul(&q)?, weights.t()?.matmul(&g)?];
            // Keys behind a block's last are none of its business.
            let found = found.map(|x| x.pad_with_zeros(1, 0, group.keys - block.keys));
            let [of_k, of_v] = found;
            of_keys = Some(match of_keys {
                None => [of_k?, of_v?],
                Some([k, v]) => [(k + of_k?)?, (v + of_v?)?],
            });
        }
        let by_row = |x: &Tensor, length, n| by_row(x, group.sequences, length, n, heads);
        dq.push(by_row(&group.joined(of_queries, heads)?, group.queries, heads.query)?);
        let Some([of_k, of_v]) = of_keys else { candle_core::bail!("a group without queries; this is a bug") };
        dk.push(by_row(&of_k, group.keys, heads.key_value)?);
        dv.push(by_row(&of_v, group.keys, heads.key_value)?);
    }
    let all = |parts: &[Tensor]| Tensor::cat(parts, 0);
    Ok((layout.rows.of(&all(&dq)?)?, in_batch.rows.of(&all(&dk)?)?, in_batch.rows.of(&all(&dv)?)?))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::Var;

    use super::*;
    use crate::model::kernels::attention::{LayerStore, Rotation, Span};
    use crate::model::ops::attention as fused;

    const HEADS: Heads = Heads { query: 4, key_value: 2, dimension: 8 };
    const CPU: &Device = &Device::Cpu;

    fn rotation(spans: &[Span]) -> Rotation {
        Rotation::new(spans, &[1.0, 0.3, 0.1, 0.03]).scaled(1.1)
    }

    fn fused_batch(spans: Vec<Span>) -> Arc<fused::Batch> {
        let rotation = rotation(&spans);
        Arc::new(fused::Batch { spans, rotation })
    }

    fn layout(spans: Vec<Span>, cached: bool) -> Layout {
        let rotation = rotation(&spans);
        Layout::new(spans, &rotation, HEADS, cached, (CPU, DType::F32)).unwrap()
    }

    fn span(rows: std::ops::Range<usize>, start: usize, slot: usize) -> Span {
        Span::new(rows, start, slot)
    }

    fn random(rows: usize, width: usize) -> Tensor {
        Tensor::randn(0f32, 1f32, (rows, width), CPU).unwrap()
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    /// Turned, attended, and back again: y, and the gradients of q, k and v.
    fn whole(q: &Tensor, k: &Tensor, v: &Tensor, g: &Tensor, layout: &Layout) -> [Tensor; 4] {
        let (q, k) = (layout.turn(q, HEADS.query).unwrap(), layout.turn(k, HEADS.key_value).unwrap());
        let y = attend(&q, &k, v, HEADS, layout, None).unwrap();
        let (dq, dk, dv) = attend_backward([&q, &k, v], &y, g, HEADS, layout).unwrap();
        let back = |g: &Tensor, heads| layout.turn_back(g, heads).unwrap();
        [y, back(&dq, HEADS.query), back(&dk, HEADS.key_value), dv]
    }

    /// Both forms over the same sequences, forward and backward.
    fn check(spans: Vec<Span>) {
        let rows = spans.iter().map(|span| span.rows.end).max().unwrap();
        let var = |width| Var::from_tensor(&random(rows, width)).unwrap();
        let (q, k, v, g) = (var(32), var(16), var(16), random(rows, 32));
        let expected = fused::attend(&q, &k, &v, &fused_batch(spans.clone()), HEADS, None).unwrap();
        let gradients = (&expected * &g).unwrap().sum_all().unwrap().backward().unwrap();
        let [y, dq, dk, dv] = whole(&q, &k, &v, &g, &layout(spans, false));
        assert!(largest_difference(&y, &expected) < 1e-5);
        for (var, found) in [(&q, dq), (&k, dk), (&v, dv)] {
            assert!(largest_difference(gradients.get(var).unwrap(), &found) < 1e-4);
        }
    }

    #[test]
    fn sequences_of_any_lengths_give_what_the_fused_form_gives() {
        check(vec![span(0..90, 0, 0), span(90..101, 0, 0), span(101..102, 0, 0), span(102..180, 0, 0)]);
        check(vec![span(0..7, 0, 0), span(7..14, 0, 0), span(14..21, 0, 0)]);
        check(vec![span(0..1, 0, 0)]);
    }

    #[test]
    fn queries_in_blocks_give_what_they_give_together() {
        let spans = vec![span(0..90, 0, 0), span(90..170, 0, 0), span(170..175, 0, 0)];
        let (q, k, v, g) = (random(175, 32), random(175, 16), random(175, 16), random(175, 32));
        let whole_layout = layout(spans.clone(), false);
        assert!(whole_layout.groups.iter().all(|group| group.blocks.len() == 1));
        let rotation = rotation(&spans);
        let fitting =
            |scores| Layout::within(scores, spans.clone(), &rotation, HEADS, false, (CPU, DType::F32)).unwrap();
        let blocks = fitting(4 * 90 * 20);
        assert_eq!(blocks.groups[0].blocks.len(), 5);
        let (expected, found) = (whole(&q, &k, &v, &g, &whole_layout), whole(&q, &k, &v, &g, &blocks));
        for (expected, found) in expected.iter().zip(&found) {
            assert!(largest_difference(expected, found) < 1e-5);
        }
    }

    #[test]
    fn texts_that_begin_alike_share_the_rows_of_their_beginning() {
        let first = span(0..79, 0, 0);
        check(vec![first.clone(), Span::behind(first.first(70), 79..82), Span::behind(vec![0..70, 79..82], 82..87)]);
    }

    #[test]
    fn alike_sequences_are_one_group_and_very_different_ones_are_not() {
        let layout = layout(vec![span(0..90, 0, 0), span(90..101, 0, 0), span(101..180, 0, 0)], false);
        let sizes: Vec<_> = layout.groups.iter().map(|group| (group.sequences, group.queries)).collect();
        assert_eq!(sizes, [(2, 90), (1, 11)]);
    }

    #[test]
    fn a_cache_gives_what_the_fused_one_gives_whatever_goes_through_it() {
        let mut cache = Cache::new(HEADS, 4, 32, CPU, DType::F32).unwrap();
        let mut store = LayerStore::new(HEADS, 4, 32);
        // Two prompts, then tokens one by one (with an idle slot between), a third prompt among them, a copied slot.
        let rounds: [&[(usize, usize, usize)]; 5] = [
            &[(5, 0, 3), (9, 0, 0)],
            &[(1, 9, 0), (1, 5, 3)],
            &[(1, 6, 3), (7, 0, 1), (1, 10, 0)],
            &[(1, 11, 0)],
            &[(1, 7, 1), (1, 4, 2), (2, 7, 3)],
        ];
        for (round, spans) in rounds.into_iter().enumerate() {
            if round == 4 {
                cache.copy(0, 2, 4).unwrap();
                store.copy(0, 2, 4);
            }
            let mut first = 0;
            let spans = spans.iter().map(|&(length, start, slot)| {
                first += length;
                span(first - length..first, start, slot)
            });
            let spans: Vec<Span> = spans.collect();
            let (q, k, v) = (random(first, 32), random(first, 16), random(first, 16));
            let expected = fused::attend(&q, &k, &v, &fused_batch(spans.clone()), HEADS, Some(&mut store)).unwrap();
            let layout = layout(spans, true);
            let (q, k) = (layout.turn(&q, HEADS.query).unwrap(), layout.turn(&k, HEADS.key_value).unwrap());
            let found = attend(&q, &k, &v, HEADS, &layout, Some(&mut cache)).unwrap();
            assert!(largest_difference(&found, &expected) < 1e-5, "round {round}");
        }
    }
}
