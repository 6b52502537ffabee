//! Two judges beside each other: Cohen's kappa of a pair, and precision and recall where one of them is the truth.

use super::estimate::{Coefficient, Undefined, beyond_chance};

/// Cohen's kappa of a square confusion table, row by row: cell (i, j) counts what the first called i and the second j.
/// Source: Cohen (1960), "A coefficient of agreement for nominal scales".
///
/// # Errors
/// Where the table is empty, or both always say the same one thing.
pub fn cohen_kappa(categories: usize, confusion: &[u64]) -> Coefficient {
    let n: u64 = confusion.iter().sum();
    if n == 0 {
        return Err(Undefined::NothingShared);
    }
    let n = n as f64;
    let (mut agreed, mut chance) = (0.0, 0.0);
    for category in 0..categories {
        let row: u64 = confusion[category * categories..][..categories].iter().sum();
        let column: u64 = (0..categories).map(|row| confusion[row * categories + category]).sum();
        agreed += confusion[category * categories + category] as f64;
        chance += (row as f64 / n) * (column as f64 / n);
    }
    beyond_chance(agreed / n, chance)
}

/// Two judges of two labels, in four counts: normal–normal, normal–abnormal, abnormal–normal, abnormal–abnormal.
pub type Confusion = [u64; 4];

/// Precision and recall for `abnormal`, of votes (second) against gold (first).
///
/// # Errors
/// Precision has no value where no vote says abnormal, recall where no gold label is.
pub fn precision_recall([_, missed_normal, missed_abnormal, found]: Confusion) -> (Coefficient, Coefficient) {
    let share = |of: u64, why| if of == 0 { Err(why) } else { Ok(found as f64 / of as f64) };
    (share(found + missed_normal, Undefined::NoVoteAbnormal), share(found + missed_abnormal, Undefined::NoGoldAbnormal))
}

/// The share (0–1) of cases in which the two say the same.
///
/// # Errors
/// Where there is no case.
pub fn same(confusion: Confusion) -> Coefficient {
    let n: u64 = confusion.iter().sum();
    if n == 0 { Err(Undefined::NothingShared) } else { Ok((confusion[0] + confusion[3]) as f64 / n as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The 2×2 table of the textbooks: 20 both yes, 15 both no, 5 and 10 apart: kappa 0.4.
    #[test]
    fn cohen_gives_the_textbook_value() {
        assert!((cohen_kappa(2, &[20, 5, 10, 15]).unwrap() - 0.4).abs() < 1e-12);
        assert_eq!(cohen_kappa(2, &[7, 0, 0, 0]), Err(Undefined::Constant));
        assert_eq!(cohen_kappa(2, &[7, 2, 0, 0]), Ok(0.0), "one who never varies agrees by chance");
    }

    #[test]
    fn precision_and_recall_are_of_abnormal() {
        assert_eq!(precision_recall([5, 1, 2, 3]), (Ok(0.75), Ok(0.6)));
        assert_eq!(precision_recall([5, 0, 0, 0]), (Err(Undefined::NoVoteAbnormal), Err(Undefined::NoGoldAbnormal)));
    }
}
