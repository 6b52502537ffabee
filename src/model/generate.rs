//! Batched generation with a key-value cache.
//!
//! Prompts enter free slots as others finish; what a prompt shares at its start with what some slot holds is copied from there
//! and not computed again. A sequence's tokens depend on its own prompt and seed; its neighbours in the batch only turn the last bits of
//! its logits.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Instant;

use rayon::prelude::*;

use super::adapter::Adapter;
use super::decoder::Span;
use super::forward::{Forward, PREFILL_ROWS, SHORTEST_PREFIX};
use super::sampler::{Choice, Sampler, Sampling};
use super::tokenizer::{ModelTokenizer, Utf8Stream};
use super::trace::{Alternative, Finish, Trace, TraceToken};
use super::{LanguageModel, ModelError};

/// How to write.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateSettings {
    /// Tokens to write at most.
    pub max_tokens: usize,
    /// Tokens to write at least: before, the end of the text is not drawn.
    pub min_tokens: usize,
    /// How tokens are drawn; prompt n is seeded with `seed + n`.
    pub sampling: Sampling,
    /// The seeds of the prompts in the place of those, where they are given.
    pub seeds: Vec<u64>,
    /// The text ends right after the first of these that appears.
    pub stop: Vec<String>,
    /// What may stand between `<answer>` and `</answer>`; anything where this is empty.
    pub answers: Vec<String>,
    /// What every prompt ends with that belongs to the answer already: a tag that is open there counts.
    pub begun: String,
    /// Other tokens to record for each token.
    pub alternatives: usize,
    /// Sequences that are written at the same time.
    pub batch: usize,
}

impl Default for GenerateSettings {
    fn default() -> Self {
        Self {
            max_tokens: 256,
            min_tokens: 0,
            sampling: Sampling::default(),
            seeds: Vec::new(),
            stop: Vec::new(),
            answers: Vec::new(),
            begun: String::new(),
            alternatives: 5,
            batch: 16,
        }
    }
}

/// A token as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedToken {
    /// The prompt it answers.
    pub sequence: usize,
    /// The token.
    pub token: TraceToken,
}

/// A sequence that is being written.
struct Writing {
    sequence: usize,
    slot: usize,
    last: u32,
    limit: usize,
    sampler: Sampler,
    utf8: Utf8Stream,
    started: Instant,
    first_token: Option<Instant>,
    text: String,
    tokens: Vec<TraceToken>,
}

impl Writing {
    /// The next token of this sequence.
    fn choose(
        &mut self,
        logits: &mut [f32],
        tokenizer: &ModelTokenizer,
        prompt: &[u32],
        settings: &GenerateSettings,
    ) -> Result<Choice, ModelError> {
        if self.tokens.len() < settings.min_tokens {
            let ends = tokenizer.eos().iter().filter_map(|&id| usize::try_from(id).ok());
            ends.for_each(|id| {
                if let Some(logit) = logits.get_mut(id) {
                    *logit = f32::NEG_INFINITY;
                }
            });
        }
        let before = prompt.iter().copied().chain(self.tokens.iter().map(|t| t.id));
        let Some(left) = answer_left(&settings.begun, &self.text, &settings.answers) else {
            return self.sampler.choose(logits, before, None);
        };
        let keeps_to_it = |id: u32| {
            let bytes = tokenizer.bytes(id);
            !bytes.is_empty() && !tokenizer.is_control(id) && left.iter().any(|left| left.as_bytes().starts_with(bytes))
        };
        self.sampler.choose(logits, before, Some(&keeps_to_it))
    }
}

impl LanguageModel {
    /// Answers every prompt, in order; `on_token` sees each token as it is written and may stop everything.
    ///
    /// Prompts are token ids as [`LanguageModel::encode_chat`] gives them. A prompt without a token, or one that leaves no
    /// room in the context, is an error before anything is computed. After a stop, traces hold what was written so far.
    pub fn generate(
        &self,
        prompts: &[Vec<u32>],
        adapter: Option<&Adapter>,
        settings: &GenerateSettings,
        on_token: &mut dyn FnMut(GeneratedToken) -> ControlFlow<()>,
    ) -> Result<Vec<Trace>, ModelError> {
        let context = self.config().context;
        for prompt in prompts {
            if prompt.is_empty() {
                return Err(ModelError::Request("a prompt has no tokens".into()));
            }
            if prompt.len() >= context {
                return Err(ModelError::TooLong { tokens: prompt.len(), context });
            }
        }
        let mut traces: Vec<Option<Trace>> = vec![None; prompts.len()];
        if settings.max_tokens > 0 && !prompts.is_empty() {
            Writer::new(self, prompts, adapter, settings)?.run(&mut traces, on_token)?;
        }
        let unwritten = |prompt: &Vec<u32>| Trace {
            text: String::new(),
            tokens: Vec::new(),
            ended_by: None,
            finish: if settings.max_tokens == 0 { Finish::Length } else { Finish::Cancelled },
            prompt_tokens: prompt.len(),
            first_token_ms: 0.0,
            elapsed_ms: 0.0,
            tokens_per_second: 0.0,
        };
        Ok(traces.into_iter().zip(prompts).map(|(trace, prompt)| trace.unwrap_or_else(|| unwritten(prompt))).collect())
    }
}

/// The state of one call of [`LanguageModel::generate`].
struct Writer<'a> {
    model: &'a LanguageModel,
    prompts: &'a [Vec<u32>],
    settings: &'a GenerateSettings,
    forward: Forward<'a>,
    /// Tokens whose keys and values each slot holds, or will after the next forward.
    held: Vec<Vec<u32>>,
    waiting: VecDeque<usize>,
    free: Vec<usize>,
    writing: Vec<Writing>,
}

impl<'a> Writer<'a> {
    fn new(
        model: &'a LanguageModel,
        prompts: &'a [Vec<u32>],
        adapter: Option<&Adapter>,
        settings: &'a GenerateSettings,
    ) -> Result<Self, ModelError> {
        let slots = settings.batch.clamp(1, prompts.len());
        let context = model.config().context;
        let capacity =
            prompts.iter().map(|p| p.len().saturating_add(settings.max_tokens).min(context)).max().unwrap_or(0);
        Ok(Self {
            model,
            prompts,
            settings,
            forward: Forward::new(model, adapter, slots, capacity)?,
            held: vec![Vec::new(); slots],
            waiting: (0..prompts.len()).collect(),
            free: (0..slots).rev().collect(),
            writing: Vec::new(),
        })
    }

    fn run(
        mut self,
        traces: &mut [Option<Trace>],
        on_token: &mut dyn FnMut(GeneratedToken) -> ControlFlow<()>,
    ) -> Result<(), ModelError> {
        loop {
            let mut tokens = Vec::new();
            let mut spans = Vec::new();
            for writing in &self.writing {
                spans.push(self.forward.span(writing.slot, tokens.len(), 1));
                tokens.push(writing.last);
                self.held[writing.slot].push(writing.last);
            }
            self.admit(&mut tokens, &mut spans)?;
            if spans.is_empty() {
                return Ok(());
            }
            let last_rows: Vec<u32> = spans.iter().map(|span| span.rows.end as u32 - 1).collect();
            let mut logits = self.forward.run(&tokens, spans, &last_rows)?;
            let vocabulary = self.model.config().vocabulary;
            let mut writing = std::mem::take(&mut self.writing);
            // Every sequence has its own sampler, and a vocabulary is long: they choose side by side.
            let (model, prompts, settings) = (self.model, self.prompts, self.settings);
            let choices: Vec<Choice> = writing
                .par_iter_mut()
                .zip(logits.par_chunks_mut(vocabulary))
                .map(|(writing, logits)| {
                    writing.choose(logits, model.tokenizer(), &prompts[writing.sequence], settings)
                })
                .collect::<Result<_, _>>()?;
            let mut round = writing.into_iter().zip(choices);
            while let Some((mut writing, choice)) = round.next() {
                let (finish, token) = self.write(&mut writing, choice);
                let stop = match token {
                    Some(token) => on_token(GeneratedToken { sequence: writing.sequence, token }).is_break(),
                    None => false,
                };
                if stop {
                    let finished = (writing, finish.unwrap_or(Finish::Cancelled));
                    // Those that were this round's turn already, and those that still wait for it.
                    let others = std::mem::take(&mut self.writing).into_iter().chain(round.map(|(writing, _)| writing));
                    let others = others.map(|writing| (writing, Finish::Cancelled));
                    for (writing, finish) in others.chain([finished]) {
                        let sequence = writing.sequence;
                        traces[sequence] = Some(self.end(writing, finish));
                    }
                    return Ok(());
                }
                match finish {
                    None => self.writing.push(writing),
                    Some(finish) => {
                        self.free.push(writing.slot);
                        let sequence = writing.sequence;
                        traces[sequence] = Some(self.end(writing, finish));
                    }
                }
            }
        }
    }

    /// Gives waiting prompts the free slots, and their rows to the next forward.
    fn admit(&mut self, tokens: &mut Vec<u32>, spans: &mut Vec<Span>) -> Result<(), ModelError> {
        let settings = self.settings;
        let mut new_rows = 0;
        while let (Some(&sequence), false) = (self.waiting.front(), self.free.is_empty()) {
            let prompt = &self.prompts[sequence];
            let ([start, soon], from) = self.shared_start(prompt);
            // One that has just been let in begins alike: the others wait a round and copy what it will have computed.
            if soon >= start + SHORTEST_PREFIX {
                break;
            }
            let start = if start >= SHORTEST_PREFIX { start } else { 0 };
            let rest = &prompt[start..];
            if new_rows > 0 && new_rows + rest.len() > PREFILL_ROWS {
                break;
            }
            self.waiting.pop_front();
            let at = self.free.iter().position(|&free| free == from).unwrap_or(self.free.len() - 1);
            let slot = self.free.swap_remove(at);
            new_rows += rest.len();
            self.forward.cache.copy_start(from, slot, start)?;
            self.held[slot].clone_from(prompt);
            spans.push(self.forward.span(slot, tokens.len(), rest.len()));
            tokens.extend_from_slice(rest);
            self.writing.push(Writing {
                sequence,
                slot,
                last: 0,
                limit: settings.max_tokens.min(self.model.config().context - prompt.len()),
                sampler: Sampler::new(
                    Sampling {
                        seed: settings
                            .seeds
                            .get(sequence)
                            .copied()
                            .unwrap_or_else(|| settings.sampling.seed.wrapping_add(sequence as u64)),
                        ..settings.sampling
                    },
                    settings.alternatives,
                ),
                utf8: Utf8Stream::default(),
                started: Instant::now(),
                first_token: None,
                text: String::new(),
                tokens: Vec::new(),
            });
        }
        Ok(())
    }

    /// How many tokens of a prompt a slot holds at its start, now and after the next forward, at most; and which holds the most
    /// now. The prompt's last token is always computed anew.
    fn shared_start(&self, prompt: &[u32]) -> ([usize; 2], usize) {
        let most = &prompt[..prompt.len() - 1];
        let (mut longest, mut from) = ([0; 2], 0);
        for (slot, held) in self.held.iter().enumerate() {
            let shared = held.iter().zip(most).take_while(|(a, b)| a == b).count();
            let now = shared.min(self.forward.cache.length(slot));
            if now > longest[0] {
                (longest[0], from) = (now, slot);
            }
            longest[1] = longest[1].max(shared);
        }
        (longest, from)
    }

    /// Adds a token to a sequence: whether it has ended, and the token unless it is the end itself.
    fn write(&self, writing: &mut Writing, choice: Choice) -> (Option<Finish>, Option<TraceToken>) {
        writing.first_token.get_or_insert_with(Instant::now);
        writing.last = choice.id;
        let tokenizer = self.model.tokenizer();
        if tokenizer.eos().contains(&choice.id) {
            return (Some(Finish::EndOfText), None);
        }
        let written = if tokenizer.is_control(choice.id) { &[] } else { tokenizer.bytes(choice.id) };
        let mut text = writing.utf8.push(written);
        let start = writing.text.len();
        writing.text.push_str(&text);
        let mut finish = (writing.tokens.len() + 1 >= writing.limit).then_some(Finish::Length);
        if let Some(end) = stop_end(&writing.text, start, &self.settings.stop) {
            writing.text.truncate(end);
            text.truncate(end.saturating_sub(start));
            finish = Some(Finish::Stop);
        } else if finish.is_some() {
            let rest = writing.utf8.finish();
            writing.text.push_str(&rest);
            text.push_str(&rest);
        }
        let token = TraceToken {
            id: choice.id,
            range: start..start + text.len(),
            text,
            probability: choice.probability,
            entropy: Some(choice.entropy),
            alternatives: choice
                .alternatives
                .into_iter()
                .map(|(id, probability)| Alternative {
                    id,
                    text: tokenizer.describe(id),
                    control: tokenizer.is_control(id),
                    probability,
                })
                .collect(),
        };
        writing.tokens.push(token.clone());
        (finish, Some(token))
    }

    /// The trace of a sequence that has ended.
    fn end(&self, mut writing: Writing, finish: Finish) -> Trace {
        let rest = if finish == Finish::Stop { String::new() } else { writing.utf8.finish() };
        if let Some(last) = writing.tokens.last_mut().filter(|_| !rest.is_empty()) {
            // A character that was never completed belongs to the last token.
            writing.text.push_str(&rest);
            last.text.push_str(&rest);
            last.range.end += rest.len();
        }
        let first = writing.first_token.unwrap_or(writing.started);
        let after_first = first.elapsed().as_secs_f64();
        let more = writing.tokens.len().saturating_sub(1) as f64;
        Trace {
            text: writing.text,
            tokens: writing.tokens,
            ended_by: (finish == Finish::EndOfText).then_some(writing.last),
            finish,
            prompt_tokens: self.prompts[writing.sequence].len(),
            first_token_ms: (first - writing.started).as_secs_f64() * 1e3,
            elapsed_ms: writing.started.elapsed().as_secs_f64() * 1e3,
            tokens_per_second: if after_first > 0.0 { more / after_first } else { 0.0 },
        }
    }
}

/// What may still be written of the answers, where the text stands inside an answer's tags and one of `answers` can still
/// come of it.
fn answer_left(before: &str, text: &str, answers: &[String]) -> Option<Vec<String>> {
    const OPEN: &str = "<answer>";
    if answers.is_empty() {
        return None;
    }
    let joined = format!("{before}{text}");
    let text = &joined;
    let begun = &text[text.rfind(OPEN)? + OPEN.len()..];
    let whole = answers.iter().map(|answer| format!("{answer}</answer>"));
    let left: Vec<String> = whole.filter_map(|answer| Some(answer.strip_prefix(begun)?.to_owned())).collect();
    let open = left.iter().any(|left| !left.is_empty());
    open.then_some(left)
}

/// Where the first stop string that reaches into the new text ends.
fn stop_end(text: &str, new_from: usize, stops: &[String]) -> Option<usize> {
    stops
        .iter()
        .filter(|stop| !stop.is_empty())
        .filter_map(|stop| {
            let mut from = new_from.saturating_sub(stop.len());
            while !text.is_char_boundary(from) {
                from -= 1;
            }
            text[from..].find(stop.as_str()).map(|at| from + at + stop.len())
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_string_is_found_across_tokens_and_once() {
        let stops = vec!["</answer>".to_owned()];
        assert_eq!(stop_end("<answer>normal</ans", 15, &stops), None);
        assert_eq!(stop_end("<answer>normal</answer> more", 19, &stops), Some(23));
        assert_eq!(stop_end("ééé", 4, &["éé".to_owned()]), Some(4));
    }

    #[test]
    fn an_answer_is_held_to_what_may_be_answered() {
        let answers = ["normal".to_owned(), "abnormal".to_owned()];
        let left = |text: &str| answer_left("", text, &answers);
        assert_eq!(left("<think>so</think>"), None);
        assert_eq!(left("<answer>").unwrap(), ["normal</answer>", "abnormal</answer>"]);
        assert_eq!(left("<answer>ab").unwrap(), ["normal</answer>"]);
        assert_eq!(left("<answer>normal</answer>"), None);
        assert_eq!(left("<answer>maybe"), None);
        assert_eq!(answer_left("", "<answer>", &[]), None);
        assert_eq!(answer_left("x <answer>nor", "mal", &answers).unwrap(), ["</answer>"]);
    }
}
