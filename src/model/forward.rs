//! Rows through the whole decoder behind a key-value cache: what writing and scoring have in common.

use candle_core::Tensor;

use super::adapter::{Adapter, LayerUpdates};
use super::cache::KvCache;
use super::decoder::Span;
use super::{LanguageModel, ModelError};

/// A model, what it wears, and what it remembers of some sequences.
pub(super) struct Forward<'a> {
    model: &'a LanguageModel,
    updates: Vec<LayerUpdates>,
    pub cache: KvCache,
}

impl<'a> Forward<'a> {
    /// Room for `slots` sequences of up to `capacity` tokens.
    pub fn new(
        model: &'a LanguageModel,
        adapter: Option<&Adapter>,
        slots: usize,
        capacity: usize,
    ) -> Result<Self, ModelError> {
        let cache = KvCache::new(model.decoder(), slots, capacity)?;
        let updates = (0..model.decoder().layers()).map(|layer| model.updates(adapter, layer)).collect();
        Ok(Self { model, updates, cache })
    }

    /// The place of `rows` new rows behind what a slot remembers, the first of them at `first`.
    pub fn span(&self, slot: usize, first: usize, rows: usize) -> Span {
        Span { rows: first..first + rows, start: self.cache.length(slot), slot }
    }

    /// Runs some rows through the decoder, grows the cache, and returns the logits of `wanted` rows end to end.
    pub fn run(&mut self, tokens: &[u32], spans: Vec<Span>, wanted: &[u32]) -> Result<Vec<f32>, ModelError> {
        let decoder = self.model.decoder();
        let batch = decoder.batch(spans);
        let (cache, updates) = (&mut self.cache, &self.updates);
        // Inside the pool, so that each of the many small parallel loops starts without a hand-over from this thread.
        let logits = rayon::scope(|_| -> candle_core::Result<Vec<f32>> {
            let mut x = decoder.embed(tokens)?;
            for (layer, updates) in updates.iter().enumerate() {
                x = decoder.layer(layer, &x, &batch, updates, Some(cache.layer(layer)))?;
            }
            if wanted.is_empty() {
                return Ok(Vec::new());
            }
            let rows = x.index_select(&Tensor::new(wanted, x.device())?, 0)?;
            decoder.logits(&rows)?.flatten_all()?.to_vec1()
        })?;
        for span in &batch.spans {
            self.cache.grow(span.slot, span.rows.len());
        }
        Ok(logits)
    }
}

/// A shared start shorter than this is not worth copying.
pub(super) const SHORTEST_PREFIX: usize = 8;

/// New rows that one forward takes at most, so that a queue of long prompts does not need the memory of all at once.
pub(super) const PREFILL_ROWS: usize = 2048;

/// Tokens that all prompts start with; always short of the shortest prompt, whose last token must be computed anew.
pub(super) fn shared_prefix(prompts: &[&[u32]]) -> usize {
    let [first, others @ ..] = prompts else { return 0 };
    if others.is_empty() {
        return 0;
    }
    let shortest = prompts.iter().map(|prompt| prompt.len()).min().unwrap_or(0);
    let shared = |other: &&[u32]| first.iter().zip(*other).take_while(|(a, b)| a == b).count();
    others.iter().map(shared).min().unwrap_or(0).min(shortest.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_start_leaves_every_prompt_a_token() {
        assert_eq!(shared_prefix(&[&[1, 2, 3], &[1, 2, 4]]), 2);
        assert_eq!(shared_prefix(&[&[1, 2], &[1, 2]]), 1);
        assert_eq!(shared_prefix(&[&[1, 2]]), 0);
        assert_eq!(shared_prefix(&[]), 0);
    }
}
