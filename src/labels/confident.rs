//! Labels that the other labels speak against: confident learning over the words of the templates.
//!
//! A classifier of our own (multinomial naive Bayes over which words a template has) is trained on all but a fifth of the
//! labels and asked about that fifth, five times over, so that every label meets a probability to which it contributed
//! nothing. Where that probability says clearly enough that the label is another, the label is worth a second look.
//!
//! Which labels may be used: **one annotator's own, and nothing else.** The labels that templates came with, other
//! annotators' votes and gold (which others' votes make) would shine through the probabilities of templates that this
//! annotator has yet to judge blindly, and through the list itself. So the caller hands in the annotator's own labels, each
//! with its text, and gets back places in that list: a template without a label of the annotator's own is neither learnt
//! from nor listed.
//!
//! Source: Northcutt, Jiang and Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70,
//! sections 3.1 (confident joint) and 3.2 (ranking by normalised margin).

use std::collections::HashMap;

use super::Label;
use super::words::words;

/// Into so many parts the labels are divided.
pub const FOLDS: usize = 5;

/// Each label must have been given so often: one for each part.
pub const FEWEST: usize = FOLDS;

/// A label that is probably wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelError {
    /// Its place in the list that was handed in.
    pub item: usize,
    /// Out-of-sample probability of the given label minus that of the other, from -1 (surely wrong) up.
    pub margin: f64,
}

/// Why nothing can be said yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{normal} normal and {abnormal} abnormal labels are too few: it takes {FEWEST} of each")]
pub struct TooFew {
    /// How many templates have the label normal.
    pub normal: usize,
    /// How many have the label abnormal.
    pub abnormal: usize,
}

/// The labels of one annotator that the others of that annotator speak against, the worst first.
///
/// # Errors
/// When there are fewer than [`FEWEST`] of either label.
pub fn label_errors<S: AsRef<str>>(labelled: &[(S, Label)]) -> Result<Vec<LabelError>, TooFew> {
    let abnormal = labelled.iter().filter(|(_, label)| *label == Label::Abnormal).count();
    let normal = labelled.len() - abnormal;
    if normal < FEWEST || abnormal < FEWEST {
        return Err(TooFew { normal, abnormal });
    }
    let labels: Vec<Label> = labelled.iter().map(|(_, label)| *label).collect();
    Ok(confident_errors(&labels, &out_of_sample(labelled)))
}

/// The labels whose probabilities put them off the diagonal of the confident joint, the worst first.
///
/// `probabilities[k]` are an out-of-sample model's for item `k`: of normal, of abnormal. With the class's own mean
/// probability as its threshold, t_j = mean of p̂(j; x) over the x labelled j, an item counts as j if p̂(j; x) ≥ t_j; where
/// both do, the more probable wins (eqs. 1 and 2 of the source). Ranked by p̂(given) − p̂(other).
pub fn confident_errors(labels: &[Label], probabilities: &[[f64; 2]]) -> Vec<LabelError> {
    let threshold = [Label::Normal, Label::Abnormal].map(|label| {
        let own: Vec<f64> = labels
            .iter()
            .zip(probabilities)
            .filter(|(given, _)| **given == label)
            .map(|(_, probability)| probability[place(label)])
            .collect();
        own.iter().sum::<f64>() / own.len().max(1) as f64
    });
    let mut errors: Vec<LabelError> = Vec::new();
    for (item, (label, probability)) in labels.iter().zip(probabilities).enumerate() {
        let given = place(*label);
        let other = 1 - given;
        let margin = probability[given] - probability[other];
        let counts_as_given = probability[given] >= threshold[given] && margin >= 0.0;
        if probability[other] >= threshold[other] && !counts_as_given {
            errors.push(LabelError { item, margin });
        }
    }
    errors.sort_by(|a, b| a.margin.total_cmp(&b.margin).then(a.item.cmp(&b.item)));
    errors
}

/// For each labelled text the probabilities of normal and abnormal, by a classifier that saw neither it nor its fold.
///
/// The n-th text of each label is in fold n mod [`FOLDS`], so that every fold has its share of both.
pub fn out_of_sample<S: AsRef<str>>(labelled: &[(S, Label)]) -> Vec<[f64; 2]> {
    let mut seen = [0_usize; 2];
    let mut numbers: HashMap<u64, usize> = HashMap::new();
    let examples: Vec<Example> = labelled
        .iter()
        .map(|(text, label)| {
            let mut words: Vec<usize> = words(text.as_ref())
                .into_iter()
                .map(|word| {
                    let next = numbers.len();
                    *numbers.entry(word).or_insert(next)
                })
                .collect();
            // A word counts once: what a template repeats is no stronger evidence.
            words.sort_unstable();
            words.dedup();
            let label = place(*label);
            let fold = seen[label] % FOLDS;
            seen[label] += 1;
            Example { words, label, fold }
        })
        .collect();
    let all = NaiveBayes::of(numbers.len(), &examples);
    let mut probabilities = vec![[0.5; 2]; examples.len()];
    for fold in 0..FOLDS {
        let mut others = all.clone();
        for example in examples.iter().filter(|example| example.fold == fold) {
            others.count(example, -1.0);
        }
        for (example, probability) in examples.iter().zip(&mut probabilities).filter(|(e, _)| e.fold == fold) {
            *probability = others.probabilities(&example.words);
        }
    }
    probabilities
}

/// Where a label's figures stand.
fn place(label: Label) -> usize {
    match label {
        Label::Normal => 0,
        Label::Abnormal => 1,
    }
}

struct Example {
    words: Vec<usize>,
    label: usize,
    fold: usize,
}

/// Multinomial naive Bayes with Laplace's smoothing (add one): p(c | x) ∝ p(c) · Π p(w | c).
#[derive(Clone)]
struct NaiveBayes {
    /// How many templates have each label.
    templates: [f64; 2],
    /// How many words the templates of each label have.
    words: [f64; 2],
    /// In how many templates of each label a word is.
    with: Vec<[f64; 2]>,
}

impl NaiveBayes {
    fn of(vocabulary: usize, examples: &[Example]) -> Self {
        let mut counts = Self { templates: [0.0; 2], words: [0.0; 2], with: vec![[0.0; 2]; vocabulary] };
        for example in examples {
            counts.count(example, 1.0);
        }
        counts
    }

    /// Learns an example (`by` 1) or forgets it (`by` -1).
    fn count(&mut self, example: &Example, by: f64) {
        self.templates[example.label] += by;
        self.words[example.label] += by * example.words.len() as f64;
        for word in &example.words {
            self.with[*word][example.label] += by;
        }
    }

    fn probabilities(&self, words: &[usize]) -> [f64; 2] {
        let vocabulary = self.with.len() as f64;
        let total = self.templates[0] + self.templates[1];
        let log = [0, 1].map(|label| {
            let prior = ((self.templates[label] + 1.0) / (total + 2.0)).ln();
            let evidence = |word: &usize| ((self.with[*word][label] + 1.0) / (self.words[label] + vocabulary)).ln();
            prior + words.iter().map(evidence).sum::<f64>()
        });
        let abnormal = 1.0 / (1.0 + (log[0] - log[1]).exp());
        [1.0 - abnormal, abnormal]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use Label::{Abnormal, Normal};

    #[test]
    fn the_confident_joint_finds_what_the_class_thresholds_say() {
        // Worked by hand: t_normal = (0.9 + 0.8 + 0.1) / 3 = 0.6, t_abnormal = (0.7 + 0.9 + 0.35) / 3 = 0.65.
        let labels = [Normal, Normal, Normal, Abnormal, Abnormal, Abnormal];
        let abnormal = [0.1, 0.2, 0.9, 0.7, 0.9, 0.35];
        let errors = confident_errors(&labels, &abnormal.map(|p| [1.0 - p, p]));
        let found: Vec<(usize, f64)> = errors.iter().map(|e| (e.item, (e.margin * 1e9).round() / 1e9)).collect();
        // Item 2 was called normal and is abnormal with 0.9; item 5 was called abnormal and is normal with 0.65 ≥ 0.6.
        assert_eq!(found, [(2, -0.8), (5, -0.3)]);
    }

    #[test]
    fn below_its_threshold_a_class_claims_nothing() {
        // t_normal = 0.9: item 3, normal with 0.6, is not confidently so.
        let labels = [Normal, Normal, Abnormal, Abnormal];
        let abnormal = [0.1, 0.1, 0.8, 0.4];
        assert_eq!(confident_errors(&labels, &abnormal.map(|p| [1.0 - p, p])), []);
    }

    fn consistent() -> Vec<(String, Label)> {
        let words = ["torus", "ciod", "cache", "kernel", "mmcs", "link", "fan", "power"];
        let normal = words.iter().map(|word| (format!("{word} started and is ready on <*>"), Normal));
        let abnormal = words.iter().map(|word| (format!("{word} failed with fatal error on <*>"), Abnormal));
        normal.chain(abnormal).collect()
    }

    #[test]
    fn a_slip_among_consistent_labels_is_found_and_nothing_else() {
        let mut labelled = consistent();
        assert_eq!(label_errors(&labelled), Ok(Vec::new()));
        labelled[2].1 = Abnormal;
        let found: Vec<usize> = label_errors(&labelled).unwrap().into_iter().map(|error| error.item).collect();
        assert_eq!(found, [2]);
    }

    #[test]
    fn too_few_labels_say_nothing_and_how_many_it_takes() {
        let few: Vec<_> = consistent().into_iter().take(11).collect();
        let why = label_errors(&few).unwrap_err();
        assert_eq!(why.to_string(), "8 normal and 3 abnormal labels are too few: it takes 5 of each");
    }

    proptest! {
        #[test]
        fn a_label_has_no_say_in_its_own_probability(
            flips in proptest::collection::vec(any::<bool>(), 16), item in 0usize..16,
        ) {
            // Every item but one keeps its fold when that one's label changes only if the folds do not depend on it;
            // so the item is moved to the end of its label's list by being last.
            let mut labelled: Vec<(String, Label)> = consistent();
            for ((_, label), flip) in labelled.iter_mut().zip(&flips) {
                if *flip { *label = Abnormal; }
            }
            let last = labelled.remove(item);
            let with = |label: Label| {
                let mut all = labelled.clone();
                all.push((last.0.clone(), label));
                let fold = |l: Label| labelled.iter().filter(|(_, other)| *other == l).count() % FOLDS;
                (fold(label), out_of_sample(&all)[labelled.len()])
            };
            let ((fold_a, a), (fold_b, b)) = (with(Normal), with(Abnormal));
            // In the same fold it meets the same classifier, whatever it is called itself.
            prop_assert!(fold_a != fold_b || (a[0] - b[0]).abs() < 1e-12);
        }
    }
}
