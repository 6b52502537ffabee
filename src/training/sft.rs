//! Supervised fine-tuning: the likelihood of accepted reasoning, given the question.
//!
//! With weights w that are nought on the prompt, and N their sum over everything that makes a step:
//!
//! ```text
//! L = −(1/N) · Σ_sequences Σ_i wᵢ · ln p(tokenᵢ | tokens before i)
//! ```
//!
//! Normalised over the step and not batch by batch, so that every token counts the same however a step is cut (as TRL's
//! `SFTTrainer` does with completion-only loss since its accumulation fix).

use std::cell::Cell;
use std::ops::Range;
use std::path::Path;

use candle_core::Var;

use super::parts::{largest_part, largest_pass, parts};
use super::question::Question;
use super::{Encoder, Held, Objective, Part, Recipe, Said, Statistics, TokenizedExample, TrainingError};
use crate::model::{Adapter, LanguageModel, Message, ModelError, Role, Sequence};
use crate::reasoning::prompt::{Speaker, Turn};

/// Supervised fine-tuning of an adapter over a frozen model.
pub struct Sft {
    model: LanguageModel,
    adapter: Adapter,
    parameters: Vec<(String, Var)>,
    train: Vec<Sequence>,
    dev: Vec<Sequence>,
    batch: usize,
    /// A held-out one if there is one.
    question: Option<Question>,
    /// Decides what dropout hides.
    seed: u64,
    /// The step that is being taken and the batches of it that were seen: what dropout is drawn for.
    at: Cell<(usize, usize)>,
}

impl Sft {
    /// Trains `adapter` over `model` on `train`; `dev` is only measured on, `batch` sequences at a time.
    pub fn new(
        model: LanguageModel,
        adapter: Adapter,
        train: Vec<TokenizedExample>,
        dev: Vec<TokenizedExample>,
        batch: usize,
    ) -> Self {
        let parameters = adapter.parameters();
        let question = dev.first().or(train.first()).map(|example| {
            let prompt = example.weights.iter().take_while(|&&weight| weight == 0.0).count();
            Question { input: example.input.clone(), prompt: example.tokens[..prompt].to_vec() }
        });
        let sequences = |examples: Vec<TokenizedExample>| examples.into_iter().map(sequence).collect();
        Self {
            model,
            adapter,
            parameters,
            train: sequences(train),
            dev: sequences(dev),
            batch: batch.max(1),
            question,
            seed: 0,
            at: Cell::default(),
        }
    }

    /// With another seed for dropout.
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}

fn sequence(example: TokenizedExample) -> Sequence {
    Sequence { tokens: example.tokens, weights: example.weights }
}

fn weight(sequence: &Sequence) -> f64 {
    sequence.weights.iter().map(|&weight| f64::from(weight)).sum()
}

impl Objective for Sft {
    fn parameters(&self) -> &[(String, Var)] {
        &self.parameters
    }

    fn examples(&self) -> usize {
        self.train.len()
    }

    fn prepare(
        &self,
        step: usize,
        _batches: &[Vec<usize>],
        _cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<Statistics>, TrainingError> {
        self.at.set((step, 0));
        Ok(Some(Statistics::default()))
    }

    fn wearing(&self) -> Option<(&LanguageModel, &Adapter)> {
        Some((&self.model, &self.adapter))
    }

    fn tokens(&self, example: usize) -> usize {
        self.train[example].tokens.len()
    }

    fn weight(&self, examples: &[usize]) -> f64 {
        examples.iter().map(|&example| weight(&self.train[example])).sum()
    }

    fn loss(&self, examples: &[usize], normaliser: f64) -> Result<Part, TrainingError> {
        let batch: Vec<Sequence> = examples.iter().map(|&example| self.train[example].clone()).collect();
        let mut sum: Option<Part> = None;
        for range in parts(&batch, 1, self.model.kept_rows()) {
            let (step, seen) = self.at.get();
            self.at.set((step, seen + 1));
            let adapter = self.adapter.dropping(self.seed, (step as u64) << 16 | seen as u64);
            let found = self.model.loss(&batch[range], &adapter, normaliser as f32)?;
            let gradients = found.gradients.into_iter().map(Some).collect();
            let part = Part { loss: f64::from(found.loss), gradients, statistics: Statistics::default() };
            sum = Some(match sum {
                None => part,
                Some(sum) => sum.and(part)?,
            });
        }
        sum.ok_or_else(|| TrainingError::Model("a batch of nothing has no loss".into()))
    }

    fn rows(&self, examples: &[usize]) -> usize {
        let batch: Vec<Sequence> = examples.iter().map(|&example| self.train[example].clone()).collect();
        largest_part(&batch, 1, self.model.kept_rows())
    }

    fn extent_with(&self, recipe: &Recipe) -> (usize, usize) {
        let length = |example: &Sequence| vec![example.tokens.len().min(recipe.data.max_length)];
        let lengths = self.train.iter().map(length).collect();
        (largest_pass(lengths, recipe.data.batch, self.model.kept_rows()), 0)
    }

    fn held_out(&self, cancelled: &dyn Fn() -> bool) -> Result<Option<Held>, TrainingError> {
        let total: f64 = self.dev.iter().map(weight).sum();
        if self.dev.is_empty() {
            return Ok(None);
        }
        let mut loss = 0.0;
        for batch in self.dev.chunks(self.batch) {
            if cancelled() {
                return Ok(None);
            }
            loss += f64::from(self.model.loss_only(batch, Some(&self.adapter), total as f32)?);
        }
        Ok(Some(Held { loss, statistics: Statistics::default() }))
    }

    fn samples(&self, cancelled: &dyn Fn() -> bool) -> Result<Option<Vec<Said>>, TrainingError> {
        let Some(question) = &self.question else { return Ok(Some(Vec::new())) };
        question.ask(&self.model, &self.adapter, cancelled)
    }

    fn save(&self, folder: &Path) -> Result<(), TrainingError> {
        Ok(self.adapter.save(folder)?)
    }
}

impl From<ModelError> for TrainingError {
    fn from(error: ModelError) -> Self {
        Self::Model(error.to_string())
    }
}

impl Encoder for LanguageModel {
    fn prompt(&self, turns: &[Turn]) -> Result<Vec<u32>, TrainingError> {
        let message = |turn: &Turn| {
            let role = match turn.speaker {
                Speaker::System => Role::System,
                Speaker::User => Role::User,
                Speaker::Assistant => Role::Assistant,
            };
            Message::new(role, turn.text.clone())
        };
        let messages: Vec<Message> = turns.iter().map(message).collect();
        Ok(self.encode_chat(&messages, true)?)
    }

    fn completion(&self, text: &str) -> Result<Vec<(u32, Range<usize>)>, TrainingError> {
        let tokenizer = self.tokenizer();
        let ids = tokenizer.encode(text)?;
        let places = places(ids.iter().map(|&id| tokenizer.bytes(id).len()), text.len());
        Ok(ids.iter().copied().zip(places).collect())
    }

    fn end_of_turn(&self) -> Result<u32, TrainingError> {
        let none = || TrainingError::Model("the model has no token that ends a turn; it cannot learn to stop".into());
        LanguageModel::end_of_turn(self).ok_or_else(none)
    }
}

/// The bytes of a text of `length` that its tokens stand for, which write so many bytes each.
fn places(bytes: impl Iterator<Item = usize> + Clone, length: usize) -> Vec<Range<usize>> {
    // SentencePiece writes a space before a text that is none of it.
    let before = usize::from(bytes.clone().sum::<usize>() == length + 1);
    let in_text = |at: usize| at.saturating_sub(before).min(length);
    let mut end = 0;
    let place = |bytes: usize| {
        let start = end;
        end += bytes;
        in_text(start)..in_text(end)
    };
    bytes.map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_that_the_tokenizer_puts_before_a_text_is_none_of_its_bytes() {
        let of = |bytes: &[usize], length| places(bytes.iter().copied(), length);
        assert_eq!(of(&[2, 3], 5), [0..2, 2..5]);
        assert_eq!(of(&[1, 2, 3], 5), [0..0, 0..2, 2..5]);
        assert_eq!(of(&[3, 3], 5), [0..2, 2..5]);
        // Where a tokenizer writes other characters than it read, places stay within the text.
        assert_eq!(of(&[4, 4], 5), [0..4, 4..5]);
    }
}
