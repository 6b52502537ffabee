//! What the encoder says of the thoughts in a queue: near-duplicates by meaning, beside those by words.

use std::ops::ControlFlow;

use serde::Serialize;

use super::super::{Failure, interrupt, output};
use crate::model::{Embedder, KeptEmbedder};
use crate::reasoning::{Alike, ItemKind, Reviewable, Thought};
use crate::teacher::alike;
use crate::workspace::ReviewBoard;

/// By what thoughts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Basis {
    /// The sentence encoder's embeddings, and their words.
    Meaning,
    /// The words alone.
    Words,
}

/// The encoder, where it is on this machine; else a word on standard error.
pub(super) fn encoder() -> Result<Option<KeptEmbedder>, Failure> {
    if Embedder::installed().is_none() {
        output::note(&format!("comparing by words alone: {}", Embedder::how_to_get_it()));
        return Ok(None);
    }
    Ok(Some(KeptEmbedder::open()?))
}

/// Runs `work`, which reads thoughts, with a line that says how far it is.
pub(super) fn reading<T>(
    total: usize,
    work: impl FnOnce(&mut dyn FnMut(usize) -> ControlFlow<()>) -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let stop = interrupt::flag()?;
    let mut line = output::Progress::new();
    let done = work(&mut |done| {
        line.show(&format!("{done} of {total} thoughts read"));
        if stop.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    done.ok_or_else(|| Failure::failed("stopped"))
}

/// Has the thoughts of a queue compared by meaning too, where that can be and is wanted; says what was done.
pub(super) fn compare(board: &mut ReviewBoard, words_alone: bool) -> Result<Basis, Failure> {
    let thoughts: Vec<Thought> = board
        .items
        .iter()
        .filter_map(|queued| match queued.current() {
            Reviewable::Thought(thought) => Some(thought),
            _ => None,
        })
        .collect();
    if words_alone || thoughts.len() < 2 {
        return Ok(Basis::Words);
    }
    if Embedder::installed().is_none() {
        return Ok(Basis::Words);
    }
    let encoder = KeptEmbedder::open()?;
    let found: Vec<Alike> = reading(thoughts.len(), |go_on| Ok(alike(&encoder, &thoughts, go_on)?))?;
    board.mean_alike(ItemKind::Thought, found);
    Ok(Basis::Meaning)
}
