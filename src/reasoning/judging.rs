//! Whether an answer is right: by the word where the answer is one, by likeness where it is free text.
//!
//! Free text – a cause, a solution, an explanation – is held against the reference by ROUGE-L, the F-measure of the longest
//! common subsequence of words (Lin 2004), after the normalisation that evaluation and rewards use, too: lower case, words
//! of a–z and 0–9 ([`similarity`](super::similarity)). That sorts what is plainly something else from what may be right;
//! an expert decides. Where there is nothing to compare with, an answer is neither right nor wrong.

use serde::Serialize;

use super::Task;
use super::similarity::rouge_l;

/// From this ROUGE-L (F-measure) on, free text says the same as its reference, unless a project says otherwise
/// (`[review] same_answer`). Of pairs of unrelated root causes in a switch vendor's handbook (4,000 pairs drawn from 1,900),
/// six in a thousand are as like each other; common paraphrases of a short cause come to between 0.4 and 0.8.
pub const SAME_ANSWER: f64 = 0.4;

/// What an answer is when it is held against the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// It says the same.
    Right,
    /// It says something else.
    Wrong,
    /// Nothing is known to compare it with.
    Unchecked,
}

impl Task {
    /// Whether its answers are free text.
    pub fn is_free_text(self) -> bool {
        matches!(self, Self::Interpretation | Self::RootCause | Self::Solution)
    }

    /// Whether `answer` is right; free text is from a likeness of `same` to the truth on.
    pub fn judge(self, answer: &str, truth: &str, same: f64) -> Judged {
        let right = self.answers(answer, truth).or_else(|| self.likeness(answer, truth).map(|like| like >= same));
        match right {
            Some(true) => Judged::Right,
            Some(false) => Judged::Wrong,
            None => Judged::Unchecked,
        }
    }

    /// How like the truth an answer in free text is, from 0 to 1; `None` where answers are no free text, or the truth has no
    /// words.
    pub fn likeness(self, answer: &str, truth: &str) -> Option<f64> {
        if !self.is_free_text() {
            return None;
        }
        // Word for word the same is the same in any script.
        let same = !truth.trim().is_empty() && answer.split_whitespace().eq(truth.split_whitespace());
        if same { Some(1.0) } else { rouge_l(answer, truth) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(answer: &str, truth: &str) -> Judged {
        Task::RootCause.judge(answer, truth, SAME_ANSWER)
    }

    #[test]
    fn free_text_is_right_where_it_says_the_same_in_much_the_same_words() {
        assert_eq!(judged("The DD packet was retransmitted", "DD packet retransmitted."), Judged::Right);
        assert_eq!(judged("a power supply failure", "Power supply abnormal."), Judged::Right);
        assert_eq!(judged("The fan failed", "Power supply abnormal."), Judged::Wrong);
        assert_eq!(judged("", "Power supply abnormal."), Judged::Wrong);
        // 2 of 5 and 3 words in order: 2 x 2 / (5 + 3).
        let like = Task::Solution.likeness("check the power cord now", "check power supply");
        assert_eq!((like, Task::Anomaly.likeness("a", "a")), (Some(0.5), None));
    }

    #[test]
    fn without_a_reference_nothing_is_right_or_wrong() {
        assert_eq!(judged("The fan failed", ""), Judged::Unchecked);
        assert_eq!(judged("The fan failed", " … "), Judged::Unchecked);
        assert_eq!(judged("风扇坏了", "风扇 坏了"), Judged::Unchecked, "its words cannot be counted");
        assert_eq!(judged("风扇坏了", "风扇坏了"), Judged::Right);
    }

    #[test]
    fn labels_are_right_by_the_word() {
        assert_eq!(Task::Anomaly.judge("abnormal", "abnormal", 0.9), Judged::Right);
        assert_eq!(Task::FailurePrediction.judge("no", "true", 0.0), Judged::Wrong);
    }

    proptest! {
        #[test]
        fn a_text_says_what_itself_says(text in "\\PC{0,40}", same in 0.0..=1.0_f64) {
            let judged = Task::Interpretation.judge(&text, &text, same);
            prop_assert_eq!(judged == Judged::Right, !text.trim().is_empty());
        }
    }
}
