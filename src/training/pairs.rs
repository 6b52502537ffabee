//! Preference pairs as tokens.

use super::data::OfLog;
use super::{DataSettings, DataSummary, Encoder, Example, TrainingError};

/// A chosen and a rejected answer to one question, as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizedPair {
    /// The id of the pair that it was made from.
    pub id: String,
    /// The log that is asked about.
    pub input: String,
    /// Tokens of the question.
    pub prompt: usize,
    /// Tokens that both sides begin with, the question's included. What is before cancels in every difference of
    /// log-probabilities; both sides have at least one token after.
    pub shared: usize,
    /// The question and the chosen answer.
    pub chosen: Vec<u32>,
    /// The question and the rejected answer.
    pub rejected: Vec<u32>,
}

impl OfLog for TokenizedPair {
    fn log(&self) -> &str {
        &self.input
    }
}

/// Turns pairs into tokens; a side that is too long is cut, and a pair whose sides no longer differ is left out.
///
/// # Errors
/// When a text cannot be tokenised.
pub fn tokenize_pairs(
    examples: &[Example],
    encoder: &dyn Encoder,
    settings: &DataSettings,
) -> Result<(Vec<TokenizedPair>, DataSummary), TrainingError> {
    let mut summary = DataSummary::default();
    let mut pairs = Vec::with_capacity(examples.len());
    let end_of_turn = encoder.end_of_turn()?;
    for example in examples {
        let prompt = encoder.prompt(&example.turns)?;
        let whole = |text: &str| -> Result<Vec<u32>, TrainingError> {
            let answer = encoder.completion(text)?.into_iter().map(|(token, _)| token);
            Ok(prompt.iter().copied().chain(answer).chain([end_of_turn]).collect())
        };
        let mut sides = [whole(&example.completion)?, whole(example.rejected.as_deref().unwrap_or_default())?];
        let longest = sides.iter().map(Vec::len).max().unwrap_or(0);
        summary.longest = summary.longest.max(longest);
        for side in &mut sides {
            side.truncate(settings.max_length);
        }
        let [chosen, rejected] = sides;
        let shared = chosen.iter().zip(&rejected).take_while(|(a, b)| a == b).count();
        if shared < prompt.len() || shared == chosen.len() || shared == rejected.len() {
            summary.left_out += 1;
            continue;
        }
        summary.truncated += usize::from(longest > settings.max_length);
        summary.examples += 1;
        summary.tokens += chosen.len() + rejected.len();
        let (id, input) = (example.id.clone(), example.input.clone());
        pairs.push(TokenizedPair { id, input, prompt: prompt.len(), shared, chosen, rejected });
    }
    Ok((pairs, summary))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasoning::Task;
    use crate::reasoning::prompt::{Speaker, Turn};
    use crate::training::data::tests::Bytes;

    fn pair(chosen: &str, rejected: &str) -> Example {
        Example {
            id: "p".into(),
            task: Task::Anomaly,
            input: "log".into(),
            turns: vec![Turn { speaker: Speaker::User, text: "log".into() }],
            completion: chosen.into(),
            rejected: Some(rejected.into()),
            label: None,
        }
    }

    #[test]
    fn the_sides_part_after_what_they_share() {
        let settings = DataSettings { max_length: 16, ..DataSettings::default() };
        let examples =
            [pair("same, good", "same, bad"), pair("same", "same"), pair("a long beginning: b", "a long beginning: c")];
        let (pairs, summary) = tokenize_pairs(&examples, &Bytes, &settings).unwrap();
        let [only] = &pairs[..] else { panic!("{pairs:?}") };
        // Three bytes of the log and the end of its turn, then "same, ".
        assert_eq!((only.prompt, only.shared), (4, 10));
        assert_eq!((only.chosen.len(), only.rejected.len()), (15, 14));
        assert_eq!((only.chosen[10], only.rejected[10]), (u32::from(b'g'), u32::from(b'b')));
        // The second has no difference, and the third none that fits.
        assert_eq!((summary.examples, summary.left_out, summary.truncated, summary.tokens), (1, 2, 0, 29));
    }
}
