//! From predictions to precision, recall and F1, with nothing undefined passed off as a number.
//!
//! Conventions, the same everywhere:
//!
//! - *anomaly* takes `abnormal` for the positive class; *macro* is the plain mean over both classes; *weighted* is the
//!   mean weighted by how many items of each class there are.
//! - An answer that could not be read is wrong whatever the truth: it lowers the recall of the item's true class and
//!   belongs to no predicted class, so it touches no precision. It is never taken for `normal`.
//! - F1 = 2·tp / (2·tp + fp + missed), so it is nought, not undefined, where a class exists and is never predicted.
//! - What would be 0/0 is `None` (`null`), and `undefined` says why.

use serde::Serialize;

use crate::labels::Label;

/// The truth about an item, and what was predicted: `None` where the answer could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What it is.
    pub truth: Label,
    /// What was said.
    pub predicted: Option<Label>,
}

/// How many answers that could be read were right and wrong, `abnormal` being the positive class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Abnormal, and said so.
    pub true_positive: usize,
    /// Normal, and called abnormal.
    pub false_positive: usize,
    /// Normal, and said so.
    pub true_negative: usize,
    /// Abnormal, and called normal.
    pub false_negative: usize,
}

/// How many answers could not be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Unparsed {
    /// All of them.
    pub total: usize,
    /// Those about abnormal items: each counts as a missed anomaly in the recall.
    pub abnormal: usize,
    /// Those about normal items.
    pub normal: usize,
}

/// Scores of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ClassScores {
    /// Of the items predicted to be of this class, the share that are.
    pub precision: Option<f64>,
    /// Of the items of this class, the share predicted to be.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
    /// Items of this class.
    pub support: usize,
}

/// Scores over both classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Averages {
    /// Mean precision.
    pub precision: Option<f64>,
    /// Mean recall.
    pub recall: Option<f64>,
    /// Mean F1.
    pub f1: Option<f64>,
}

/// Everything that is measured of a set of outcomes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Scores {
    /// Items.
    pub n: usize,
    /// Share of the items that are abnormal.
    pub prevalence: Option<f64>,
    /// Share of the items that were answered rightly.
    pub accuracy: Option<f64>,
    /// The class `abnormal`.
    pub anomaly: ClassScores,
    /// The class `normal`.
    pub normal: ClassScores,
    /// Plain mean over both classes.
    #[serde(rename = "macro")]
    pub macro_average: Averages,
    /// Mean over both classes, weighted by their support.
    #[serde(rename = "weighted")]
    pub weighted_average: Averages,
    /// The counts behind it, of answers that could be read.
    pub confusion: Confusion,
    /// Answers that could not be read.
    pub unparsed: Unparsed,
    /// Which scores are undefined, and why.
    pub undefined: Vec<String>,
}

impl Scores {
    /// The scores of `outcomes`.
    pub fn of(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let mut confusion = Confusion::default();
        let mut unparsed = Unparsed::default();
        for outcome in outcomes {
            match (outcome.truth, outcome.predicted) {
                (Label::Abnormal, Some(Label::Abnormal)) => confusion.true_positive += 1,
                (Label::Normal, Some(Label::Abnormal)) => confusion.false_positive += 1,
                (Label::Normal, Some(Label::Normal)) => confusion.true_negative += 1,
                (Label::Abnormal, Some(Label::Normal)) => confusion.false_negative += 1,
                (Label::Abnormal, None) => unparsed.abnormal += 1,
                (Label::Normal, None) => unparsed.normal += 1,
            }
        }
        unparsed.total = unparsed.abnormal + unparsed.normal;
        Self::from_counts(confusion, unparsed)
    }

    fn from_counts(confusion: Confusion, unparsed: Unparsed) -> Self {
        let Confusion { true_positive, false_positive, true_negative, false_negative } = confusion;
        let mut undefined = Vec::new();
        let abnormal = true_positive + false_negative + unparsed.abnormal;
        let normal = true_negative + false_positive + unparsed.normal;
        let n = abnormal + normal;
        let anomaly = class(Label::Abnormal, true_positive, true_positive + false_positive, abnormal, &mut undefined);
        let of_normal = class(Label::Normal, true_negative, true_negative + false_negative, normal, &mut undefined);
        let average = |weights: [f64; 2]| {
            let mean = |score: fn(&ClassScores) -> Option<f64>| weighted(weights, [score(&anomaly), score(&of_normal)]);
            Averages { precision: mean(|c| c.precision), recall: mean(|c| c.recall), f1: mean(|c| c.f1) }
        };
        Self {
            n,
            prevalence: ratio(abnormal, n),
            accuracy: ratio(true_positive + true_negative, n),
            anomaly,
            normal: of_normal,
            macro_average: average([1.0, 1.0]),
            weighted_average: average([abnormal as f64, normal as f64]),
            confusion,
            unparsed,
            undefined,
        }
    }
}

fn class(label: Label, right: usize, predicted: usize, support: usize, undefined: &mut Vec<String>) -> ClassScores {
    if predicted == 0 {
        undefined.push(format!("precision of {label}: nothing was predicted {label}"));
    }
    if support == 0 {
        undefined.push(format!("recall of {label}: no item is {label}"));
    }
    ClassScores {
        precision: ratio(right, predicted),
        recall: ratio(right, support),
        f1: ratio(2 * right, predicted + support),
        support,
    }
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The weighted mean; undefined where a score that has any weight is.
fn weighted(weights: [f64; 2], scores: [Option<f64>; 2]) -> Option<f64> {
    let total: f64 = weights.iter().sum();
    if total == 0.0 {
        return None;
    }
    weights
        .into_iter()
        .zip(scores)
        .filter(|(weight, _)| *weight > 0.0)
        .try_fold(0.0, |sum, (weight, score)| Some(sum + weight * score?))
        .map(|sum| sum / total)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcomes(counts: [(Label, Option<Label>, usize); 6]) -> Vec<Outcome> {
        counts
            .into_iter()
            .flat_map(|(truth, predicted, n)| std::iter::repeat_n(Outcome { truth, predicted }, n))
            .collect()
    }

    fn counted(tp: usize, fp: usize, tn: usize, fn_: usize, lost_abnormal: usize, lost_normal: usize) -> Scores {
        use Label::{Abnormal, Normal};
        Scores::of(outcomes([
            (Abnormal, Some(Abnormal), tp),
            (Normal, Some(Abnormal), fp),
            (Normal, Some(Normal), tn),
            (Abnormal, Some(Normal), fn_),
            (Abnormal, None, lost_abnormal),
            (Normal, None, lost_normal),
        ]))
    }

    fn close(value: Option<f64>, expected: f64) {
        assert!((value.unwrap() - expected).abs() < 1e-6, "{value:?} is not {expected}");
    }

    /// Expected numbers: worked out by hand; anomaly P = R = 30/40, normal P = R = 50/60.
    #[test]
    fn the_three_averages_are_what_their_names_say() {
        let scores = counted(30, 10, 50, 10, 0, 0);
        close(scores.anomaly.precision, 0.75);
        close(scores.anomaly.f1, 0.75);
        close(scores.normal.f1, 0.833_333_333);
        close(scores.macro_average.f1, 0.791_666_667);
        close(scores.weighted_average.f1, 0.8);
        close(scores.weighted_average.recall, 0.8);
        close(scores.prevalence, 0.4);
        assert_eq!((scores.n, scores.undefined.len()), (100, 0));
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_a_missed_anomaly_and_never_normal() {
        let scores = counted(30, 10, 50, 10, 20, 5);
        close(scores.anomaly.recall, 0.5);
        close(scores.anomaly.precision, 0.75);
        close(scores.anomaly.f1, 0.6);
        close(scores.normal.precision, 50.0 / 60.0);
        close(scores.normal.recall, 50.0 / 65.0);
        assert_eq!((scores.unparsed.total, scores.confusion.true_negative, scores.n), (25, 50, 125));
    }

    #[test]
    fn what_is_nought_over_nought_is_null_with_its_reason() {
        let scores = counted(0, 0, 7, 3, 0, 0);
        assert_eq!(scores.anomaly.precision, None);
        assert_eq!(scores.anomaly.f1, Some(0.0));
        assert_eq!(scores.macro_average.precision, None);
        assert_eq!(scores.undefined, ["precision of abnormal: nothing was predicted abnormal"]);
        let nothing = Scores::of([]);
        assert_eq!((nothing.prevalence, nothing.accuracy, nothing.weighted_average.f1), (None, None, None));
    }

    #[test]
    fn a_class_without_items_has_no_weight() {
        let scores = counted(0, 0, 9, 0, 0, 1);
        close(scores.weighted_average.f1, 18.0 / 19.0);
        assert_eq!((scores.macro_average.f1, scores.anomaly.f1), (None, None));
    }

    proptest! {
        #[test]
        fn scores_lie_between_nought_and_one_and_counts_add_up(
            counts in proptest::array::uniform6(0usize..50)
        ) {
            let [tp, fp, tn, fn_, lost_abnormal, lost_normal] = counts;
            let scores = counted(tp, fp, tn, fn_, lost_abnormal, lost_normal);
            prop_assert_eq!(scores.n, counts.iter().sum::<usize>());
            prop_assert_eq!(scores.anomaly.support + scores.normal.support, scores.n);
            for class in [scores.anomaly, scores.normal] {
                for score in [class.precision, class.recall, class.f1].into_iter().flatten() {
                    prop_assert!((0.0..=1.0).contains(&score));
                }
                if let (Some(p), Some(r), Some(f1)) = (class.precision, class.recall, class.f1) && p + r > 0.0 {
                    prop_assert!((f1 - 2.0 * p * r / (p + r)).abs() < 1e-9);
                }
            }
            let (recall, accuracy) = (scores.weighted_average.recall, scores.accuracy);
            prop_assert!(recall.unwrap_or(0.0) - accuracy.unwrap_or(0.0) < 1e-9);
        }
    }
}
