//! Rows through the whole decoder behind a key-value cache: what writing and scoring have in common.

use std::ops::Range;

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
        let (layers, precision) = (0..model.decoder().layers(), model.decoder().precision());
        let updates = layers.map(|layer| model.updates(adapter, layer).ready(precision)).collect::<Result<_, _>>()?;
        Ok(Self { model, updates, cache })
    }

    /// The place of `rows` new rows behind what a slot remembers, the first of them at `first`.
    pub fn span(&self, slot: usize, first: usize, rows: usize) -> Span {
        Span::new(first..first + rows, self.cache.length(slot), slot)
    }

    /// Runs some rows through the decoder, grows the cache, and returns the logits of `wanted` rows end to end.
    ///
    /// Spans lie end to end, and `wanted` is in order. Many rows go through in pieces: their activations, not the weights,
    /// would take the most memory.
    pub fn run(&mut self, tokens: &[u32], spans: Vec<Span>, wanted: &[u32]) -> Result<Vec<f32>, ModelError> {
        let mut logits = Vec::new();
        self.run_pieces(tokens, spans, wanted, &mut |found| {
            // Nearly always there is one piece with logits: no second copy of its hundreds of kilobytes.
            if logits.is_empty() {
                logits = found;
            } else {
                logits.extend(found);
            }
        })?;
        Ok(logits)
    }

    /// As [`Forward::run`], with the logits handed over piece by piece, in order: many rows of a large vocabulary would take
    /// gigabytes.
    pub fn run_pieces(
        &mut self,
        tokens: &[u32],
        spans: Vec<Span>,
        wanted: &[u32],
        on_logits: &mut dyn FnMut(Vec<f32>),
    ) -> Result<(), ModelError> {
        let most = match self.model.decoder().precision() {
            None => PIECE_ROWS,
            Some(_) => PREFILL_ROWS,
        };
        for (rows, spans) in pieces(spans, most) {
            let of_piece = |row: &u32| rows.contains(&(*row as usize)).then(|| *row - rows.start as u32);
            let wanted: Vec<u32> = wanted.iter().filter_map(of_piece).collect();
            on_logits(self.run_piece(&tokens[rows], spans, &wanted)?);
        }
        Ok(())
    }

    fn run_piece(&mut self, tokens: &[u32], spans: Vec<Span>, wanted: &[u32]) -> Result<Vec<f32>, ModelError> {
        let decoder = self.model.decoder();
        let lengths: Vec<(usize, usize)> = spans.iter().map(|span| (span.slot, span.rows.len())).collect();
        let batch = decoder.batch(spans, true)?;
        let (cache, updates) = (&mut self.cache, &self.updates);
        let mut run = || -> candle_core::Result<Vec<f32>> {
            let mut x = decoder.embed(tokens)?;
            for (layer, updates) in updates.iter().enumerate() {
                x = decoder.layer(layer, &x, &batch, updates, Some(cache.layer(layer)))?;
            }
            if wanted.is_empty() {
                return Ok(Vec::new());
            }
            let rows = x.index_select(&Tensor::new(wanted, x.device())?, 0)?;
            decoder.logits(&rows)?.flatten_all()?.to_vec1()
        };
        let logits = match decoder.precision() {
            // Inside the pool, so that each of the many small parallel loops starts without a hand-over from this thread.
            None => rayon::scope(|_| run())?,
            Some(_) => run()?,
        };
        for (slot, tokens) in lengths {
            self.cache.grow(slot, tokens);
        }
        Ok(logits)
    }
}

/// Rows that go through the CPU's kernels at once: more make the matrix products hardly faster.
pub(super) const PIECE_ROWS: usize = 256;

/// Spans that lie end to end, cut into runs of at most `most` rows: the rows of each run, and its spans as they lie
/// within it.
fn pieces(spans: Vec<Span>, most: usize) -> Vec<(Range<usize>, Vec<Span>)> {
    let mut pieces: Vec<(Range<usize>, Vec<Span>)> = Vec::new();
    for Span { mut rows, mut start, slot, .. } in spans {
        while !rows.is_empty() {
            let room = pieces.last().map_or(0, |(taken, _)| most - taken.len());
            if room == 0 {
                pieces.push((rows.start..rows.start, Vec::new()));
                continue;
            }
            let Some((taken, cut)) = pieces.last_mut() else { break };
            let length = rows.len().min(room);
            let first = rows.start - taken.start;
            cut.push(Span::new(first..first + length, start, slot));
            taken.end += length;
            rows.start += length;
            start += length;
        }
    }
    pieces
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
    fn many_rows_are_cut_and_few_are_not() {
        let span = Span::new;
        let few = vec![span(0..1, 9, 0), span(1..3, 0, 1)];
        assert_eq!(pieces(few.clone(), PIECE_ROWS), [(0..3, few)]);
        let cut = pieces(vec![span(0..200, 5, 0), span(200..600, 0, 1)], PIECE_ROWS);
        let expected = [
            (0..256, vec![span(0..200, 5, 0), span(200..256, 0, 1)]),
            (256..512, vec![span(0..256, 56, 1)]),
            (512..600, vec![span(0..88, 312, 1)]),
        ];
        assert_eq!(cut, expected);
    }

    #[test]
    fn the_shared_start_leaves_every_prompt_a_token() {
        assert_eq!(shared_prefix(&[&[1, 2, 3], &[1, 2, 4]]), 2);
        assert_eq!(shared_prefix(&[&[1, 2], &[1, 2]]), 1);
        assert_eq!(shared_prefix(&[&[1, 2]]), 0);
        assert_eq!(shared_prefix(&[]), 0);
    }
}
