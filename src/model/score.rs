//! How probable some endings are after a context: for margins and evidence, without writing anything.

use super::adapter::Adapter;
use super::forward::{Forward, PREFILL_ROWS, SHORTEST_PREFIX, shared_prefix};
use super::{LanguageModel, ModelError};

/// A context and the endings that may follow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endings {
    /// The tokens before; at least one.
    pub context: Vec<u32>,
    /// Each at least one token.
    pub endings: Vec<Vec<u32>>,
}

impl LanguageModel {
    /// ln p of every ending after its context: the sum over its tokens, at temperature 1.
    ///
    /// Contexts are computed in batches and once for all their endings, and what all contexts share at their start is
    /// computed once. `go_on` is asked between batches; `Ok(None)` means that it said no.
    ///
    /// # Errors
    /// When a context or an ending has no token, or a text does not fit the model's context.
    pub fn score_endings(
        &self,
        questions: &[Endings],
        adapter: Option<&Adapter>,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Vec<Vec<f64>>>, ModelError> {
        let longest = |question: &Endings| question.endings.iter().map(Vec::len).max().unwrap_or(0);
        for question in questions {
            if question.context.is_empty() || question.endings.iter().any(Vec::is_empty) {
                return Err(ModelError::Request("a context or an ending has no tokens".into()));
            }
            let (tokens, context) = (question.context.len() + longest(question), self.config().context);
            if tokens > context {
                return Err(ModelError::TooLong { tokens, context });
            }
        }
        let contexts: Vec<&[u32]> = questions.iter().map(|question| &question.context[..]).collect();
        let prefix = Some(shared_prefix(&contexts)).filter(|&length| length >= SHORTEST_PREFIX).unwrap_or(0);
        let groups = groups(questions, prefix);
        let slots = groups.iter().map(|group| group.iter().map(|q| q.endings.len()).sum::<usize>()).max().unwrap_or(0);
        let capacity = questions.iter().map(|q| q.context.len() + longest(q)).max().unwrap_or(0);
        // The last slot keeps the shared start.
        let mut forward = Forward::new(self, adapter, slots + 1, capacity.max(1))?;
        if prefix > 0 {
            let span = forward.span(slots, 0, prefix);
            forward.run(&contexts[0][..prefix], vec![span], &[])?;
        }
        let mut scores = Vec::with_capacity(questions.len());
        for group in groups {
            if !go_on(scores.len()) {
                return Ok(None);
            }
            scores.extend(self.score_group(&mut forward, group, prefix, slots)?);
        }
        Ok(Some(scores))
    }

    fn score_group(
        &self,
        forward: &mut Forward<'_>,
        group: &[Endings],
        prefix: usize,
        prefix_slot: usize,
    ) -> Result<Vec<Vec<f64>>, ModelError> {
        let vocabulary = self.config().vocabulary;
        // Contexts, each in the slot of its first ending.
        let (mut tokens, mut spans, mut wanted, mut slot) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for question in group {
            forward.cache.clear(slot);
            if prefix > 0 {
                forward.cache.copy(prefix_slot, slot)?;
            }
            let rest = &question.context[prefix..];
            spans.push(forward.span(slot, tokens.len(), rest.len()));
            tokens.extend_from_slice(rest);
            wanted.push(tokens.len() as u32 - 1);
            slot += question.endings.len();
        }
        let logits = forward.run(&tokens, spans, &wanted)?;
        let mut scores: Vec<Vec<f64>> = Vec::with_capacity(group.len());
        for (question, row) in group.iter().zip(logits.chunks_exact(vocabulary)) {
            let normaliser = log_sum_exp(row);
            let first = |ending: &Vec<u32>| f64::from(row[ending[0] as usize]) - normaliser;
            scores.push(question.endings.iter().map(first).collect());
        }

        // The rest of the endings, each behind a copy of its context.
        let (mut tokens, mut spans, mut places, mut slot) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for (index, question) in group.iter().enumerate() {
            for (number, ending) in question.endings.iter().enumerate() {
                if number > 0 {
                    forward.cache.copy(slot, slot + number)?;
                }
                for (&next, at) in ending[1..].iter().zip(tokens.len()..) {
                    places.push((at as u32, index, number, next));
                }
                if ending.len() > 1 {
                    spans.push(forward.span(slot + number, tokens.len(), ending.len() - 1));
                    tokens.extend_from_slice(&ending[..ending.len() - 1]);
                }
            }
            slot += question.endings.len();
        }
        if tokens.is_empty() {
            return Ok(scores);
        }
        let wanted: Vec<u32> = places.iter().map(|(row, ..)| *row).collect();
        let mut places = places.into_iter();
        forward.run_pieces(&tokens, spans, &wanted, &mut |logits| {
            for (row, (_, index, number, next)) in logits.chunks_exact(vocabulary).zip(&mut places) {
                scores[index][number] += f64::from(row[next as usize]) - log_sum_exp(row);
            }
        })?;
        Ok(scores)
    }
}

/// Questions in groups whose rows fit a forward; each group has at least one.
fn groups(questions: &[Endings], prefix: usize) -> Vec<&[Endings]> {
    let mut groups = Vec::new();
    let (mut start, mut rows) = (0, 0);
    for (index, question) in questions.iter().enumerate() {
        let more = question.context.len() - prefix + question.endings.iter().map(Vec::len).sum::<usize>();
        if index > start && rows + more > PREFILL_ROWS {
            groups.push(&questions[start..index]);
            (start, rows) = (index, 0);
        }
        rows += more;
    }
    if start < questions.len() {
        groups.push(&questions[start..]);
    }
    groups
}

/// ln Σ eˣ, in double precision.
fn log_sum_exp(row: &[f32]) -> f64 {
    let highest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    highest + row.iter().map(|&x| (f64::from(x) - highest).exp()).sum::<f64>().ln()
}
