//! How much of one text another one says again: BLEU and ROUGE, as their reference implementations count them.
//!
//! - BLEU-4 (Papineni et al. 2002) of a sentence as sacrebleu's `sentence_bleu` has it by default: tokeniser 13a, case kept,
//!   exponential smoothing (Chen and Cherry 2014, method 3), orders up to the candidate's length ("effective order").
//! - ROUGE-1, -2 and -L (Lin 2004) as the F-measure of Google's `rouge-score` without stemming: lower case, words of a–z and 0–9.
//!
//! No crate has either in this form; `tests/fixtures/training/similarity.json` holds what the originals say.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// The four figures, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Similarity {
    /// BLEU up to four tokens in a row, by brevity and precision.
    pub bleu: f64,
    /// Words in common, the F-measure.
    pub rouge1: f64,
    /// Pairs of words in common, the F-measure.
    pub rouge2: f64,
    /// The longest common subsequence of words, the F-measure.
    pub rouge_l: f64,
}

impl Similarity {
    /// How much `candidate` says of `reference`.
    pub fn of(candidate: &str, reference: &str) -> Self {
        let (said, wanted) = (words(candidate), words(reference));
        Self {
            bleu: bleu(candidate, reference),
            rouge1: rouge_n(&said, &wanted, 1),
            rouge2: rouge_n(&said, &wanted, 2),
            rouge_l: f_measure(common_subsequence(&said, &wanted), said.len(), wanted.len()),
        }
    }

    /// The mean of the four.
    pub fn mean(&self) -> f64 {
        (self.bleu + self.rouge1 + self.rouge2 + self.rouge_l) / 4.0
    }
}

/// ROUGE-L alone; `None` where the reference has no words.
pub fn rouge_l(candidate: &str, reference: &str) -> Option<f64> {
    let (said, wanted) = (words(candidate), words(reference));
    (!wanted.is_empty()).then(|| f_measure(common_subsequence(&said, &wanted), said.len(), wanted.len()))
}

/// Orders of BLEU.
const ORDERS: usize = 4;

/// Sentence BLEU, from 0 to 1.
pub fn bleu(candidate: &str, reference: &str) -> f64 {
    let (said, wanted) = (tokens_13a(candidate), tokens_13a(reference));
    let (mut logarithms, mut order, mut smoothing, mut any) = (0.0, 0, 1.0, false);
    for n in 1..=ORDERS.min(said.len()) {
        let matches = overlap(&said, &wanted, n);
        any |= matches > 0;
        let total = (said.len() + 1 - n) as f64;
        let precision = if matches > 0 {
            matches as f64 / total
        } else {
            smoothing *= 2.0;
            1.0 / (smoothing * total)
        };
        logarithms += precision.ln();
        order = n;
    }
    if !any {
        return 0.0;
    }
    let brevity = if said.len() < wanted.len() { (1.0 - wanted.len() as f64 / said.len() as f64).exp() } else { 1.0 };
    brevity * (logarithms / order as f64).exp()
}

/// Precision and recall of tokens, in one figure; of two empty texts 0.
pub fn token_f1(candidate: &str, reference: &str) -> f64 {
    let split = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    rouge_n(&split(candidate), &split(reference), 1)
}

fn rouge_n(said: &[String], wanted: &[String], n: usize) -> f64 {
    let runs = |words: &[String]| (words.len() + 1).saturating_sub(n);
    f_measure(overlap(said, wanted, n), runs(said), runs(wanted))
}

/// Runs of `n` tokens that stand in both, each counted as often as in the one that has it less often.
fn overlap(said: &[String], wanted: &[String], n: usize) -> usize {
    let (said, wanted) = (counts(said.windows(n)), counts(wanted.windows(n)));
    said.iter().map(|(run, count)| (*count).min(wanted.get(run).copied().unwrap_or(0))).sum()
}

fn counts<T: Hash + Eq>(items: impl Iterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    items.for_each(|item| *counts.entry(item).or_default() += 1);
    counts
}

fn f_measure(common: usize, said: usize, wanted: usize) -> f64 {
    // 2pr / (p + r) with p = common / said and r = common / wanted.
    if said + wanted == 0 { 0.0 } else { 2.0 * common as f64 / (said + wanted) as f64 }
}

fn common_subsequence(a: &[String], b: &[String]) -> usize {
    let mut row = vec![0usize; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if x == y { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

/// rouge-score's words.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower
        .split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Tokeniser 13a of mteval: punctuation stands alone, but for periods and commas inside numbers.
fn tokens_13a(text: &str) -> Vec<String> {
    static RULES: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
        let rule = |pattern: &str| Regex::new(pattern).expect("the patterns are constants that a test reads");
        [
            (rule(r"([{-~\[-` -&(-+:-@/])"), " $1 "),
            (rule(r"([^0-9])([.,])"), "$1 $2 "),
            (rule(r"([.,])([^0-9])"), " $1 $2"),
            (rule(r"([0-9])(-)"), "$1 $2 "),
        ]
    });
    let mut line = text.replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    for (entity, character) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
        line = line.replace(entity, character);
    }
    let mut line = format!(" {line} ");
    for (rule, replacement) in RULES.iter() {
        line = rule.replace_all(&line, *replacement).into_owned();
    }
    line.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Deserialize)]
    struct Known {
        candidate: String,
        reference: String,
        bleu: f64,
        rouge1: f64,
        rouge2: f64,
        #[serde(rename = "rougeL")]
        rouge_l: f64,
    }

    #[test]
    fn the_figures_are_those_of_sacrebleu_and_rouge_score() {
        let known: Vec<Known> =
            serde_json::from_str(include_str!("../../tests/fixtures/training/similarity.json")).unwrap();
        assert!(known.len() > 10);
        for Known { candidate, reference, bleu, rouge1, rouge2, rouge_l } in known {
            let found = Similarity::of(&candidate, &reference);
            let figures = [found.bleu * 100.0, found.rouge1, found.rouge2, found.rouge_l];
            for (found, known) in figures.into_iter().zip([bleu, rouge1, rouge2, rouge_l]) {
                assert!((found - known).abs() < 1e-6, "{candidate:?} against {reference:?}: {found} is not {known}");
            }
        }
    }

    #[test]
    fn token_f1_counts_repetitions() {
        assert_eq!(token_f1("send <*> to <*>", "send <*> to <*>"), 1.0);
        assert!((token_f1("send <*>", "send <*> to <*>") - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((token_f1("", "a"), token_f1("", "")), (0.0, 0.0));
    }

    proptest! {
        #[test]
        fn every_figure_is_a_share_and_a_text_is_like_itself(a in "[a-c .,0-9-]{0,30}", b in "[a-c .,0-9-]{0,30}") {
            let found = Similarity::of(&a, &b);
            for figure in [found.bleu, found.rouge1, found.rouge2, found.rouge_l] {
                prop_assert!((0.0..=1.0 + 1e-9).contains(&figure));
            }
            if !a.trim().is_empty() {
                prop_assert!((bleu(&a, &a) - 1.0).abs() < 1e-9);
            }
        }
    }
}
