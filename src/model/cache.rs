//! The key-value cache: what the decoder remembers of each sequence, preallocated.

use super::ModelError;
use super::decoder::{Decoder, LayerCache};

/// Keys and values of every layer, for a fixed number of slots; each slot holds one sequence of its own length.
pub struct KvCache {
    layers: Vec<LayerCache>,
    lengths: Vec<usize>,
    capacity: usize,
}

impl KvCache {
    /// Room for `slots` sequences of up to `capacity` tokens.
    pub fn new(decoder: &Decoder, slots: usize, capacity: usize) -> Result<Self, ModelError> {
        let layers = (0..decoder.layers())
            .map(|_| decoder.layer_cache(slots, capacity))
            .collect::<candle_core::Result<Vec<_>>>()?;
        Ok(Self { layers, lengths: vec![0; slots], capacity })
    }

    /// Tokens that a slot holds.
    pub fn length(&self, slot: usize) -> usize {
        self.lengths[slot]
    }

    /// Tokens that a slot has room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets what a slot holds.
    pub fn clear(&mut self, slot: usize) {
        self.lengths[slot] = 0;
    }

    /// Copies a whole slot to another, such as a prefix that several sequences share.
    pub fn copy(&mut self, from: usize, to: usize) -> Result<(), ModelError> {
        self.copy_start(from, to, self.lengths[from])
    }

    /// Copies the first `length` tokens of a slot to another, which forgets what it held.
    pub fn copy_start(&mut self, from: usize, to: usize, length: usize) -> Result<(), ModelError> {
        let layers = if from == to || length == 0 { &mut [] } else { &mut self.layers[..] };
        for layer in layers {
            match layer {
                LayerCache::Packed(store) => store.copy(from, to, length),
                LayerCache::Portable(cache) => cache.copy(from, to, length)?,
            }
        }
        self.lengths[to] = length;
        Ok(())
    }

    /// Records that a slot has grown.
    pub(crate) fn grow(&mut self, slot: usize, tokens: usize) {
        self.lengths[slot] += tokens;
    }

    /// One layer's part.
    pub(crate) fn layer(&mut self, index: usize) -> &mut LayerCache {
        &mut self.layers[index]
    }
}
