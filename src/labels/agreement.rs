//! Votes become agreement: the coefficients that a panel of experts is judged by.
//!
//! Everything works on a [`VoteTable`]; a missing vote is absent, never a category. A coefficient that does not exist
//! is [`Undefined`] with its reason, never NaN.

use serde::{Serialize, Serializer};

use super::{Label, Round, VoteTable};

/// How missing votes are treated, in words: printed beside every figure.
pub const MISSING_RULE: &str = "missing, unsure and skip are absent; Cohen's kappa uses the templates that both judged, \
     Fleiss' kappa and percent those with at least two votes";

/// Why a coefficient has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undefined {
    /// Nothing to compare.
    #[error("no template has two votes to compare")]
    NothingShared,
    /// Chance agreement is 1, so that agreement beyond chance has no meaning.
    #[error("every vote is the same, so chance alone explains all agreement")]
    Constant,
}

/// A coefficient, or why there is none.
pub type Coefficient = Result<f64, Undefined>;

/// Cohen's kappa of one pair of annotators.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CohenPair {
    /// One annotator.
    pub a: String,
    /// The other.
    pub b: String,
    /// How many templates both judged.
    pub n: usize,
    /// The coefficient; null where undefined.
    #[serde(serialize_with = "null_if_undefined")]
    pub value: Coefficient,
}

/// Fleiss' kappa over all annotators.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fleiss {
    /// How many templates have at least two votes.
    pub n: usize,
    /// The coefficient; null where undefined.
    #[serde(serialize_with = "null_if_undefined")]
    pub value: Coefficient,
}

/// What is undefined, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UndefinedNote {
    /// Which figure.
    pub figure: String,
    /// Why it has no value.
    pub why: String,
}

/// The agreement of a panel in one round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Over the votes of which round.
    pub round: Round,
    /// How many templates have at least two votes.
    pub items: usize,
    /// How many annotators gave a label.
    pub annotators: usize,
    /// Their names.
    pub annotator_names: Vec<String>,
    /// How missing votes are treated.
    pub missing_rule: &'static str,
    /// Share of `abnormal` among all labels given; null without any.
    pub prevalence: Option<f64>,
    /// Agreeing pairs of votes in per cent (0–100), averaged over templates with at least two; null without any.
    pub percent: Option<f64>,
    /// Cohen's kappa of every pair.
    pub cohen: Vec<CohenPair>,
    /// Fleiss' kappa.
    pub fleiss: Fleiss,
    /// Everything above that has no value, with the reason.
    pub undefined: Vec<UndefinedNote>,
}

impl Agreement {
    /// Computes every coefficient of `table`, which holds the votes of `round`.
    pub fn of(table: &VoteTable, round: Round) -> Self {
        let counts = counts(table);
        let cohen = cohen_pairs(table);
        let fleiss = Fleiss { n: pairable(&counts).count(), value: fleiss_kappa(&counts) };
        let percent = observed_agreement(&counts).map(|share| share * 100.0);
        let mut undefined: Vec<UndefinedNote> = cohen
            .iter()
            .filter_map(|pair| note(format!("cohen {}–{}", pair.a, pair.b), pair.value))
            .chain(note("fleiss".into(), fleiss.value))
            .collect();
        undefined.extend(percent.err().and_then(|why| note("percent".into(), Err(why))));
        Self {
            round,
            items: fleiss.n,
            annotators: table.annotators().len(),
            annotator_names: table.annotators().to_vec(),
            missing_rule: MISSING_RULE,
            prevalence: prevalence(&counts),
            percent: percent.ok(),
            cohen,
            fleiss,
            undefined,
        }
    }
}

fn note(figure: String, value: Coefficient) -> Option<UndefinedNote> {
    value.err().map(|why| UndefinedNote { figure, why: why.to_string() })
}

fn null_if_undefined<S: Serializer>(value: &Coefficient, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().ok().serialize(serializer)
}

/// How many votes a template has for each label.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    normal: u32,
    abnormal: u32,
}

impl Counts {
    fn total(self) -> u32 {
        self.normal + self.abnormal
    }

    /// Share of ordered pairs of different votes that agree; meaningful from two votes on.
    fn agreeing_pairs(self) -> f64 {
        let pairs = |count: u32| f64::from(count) * (f64::from(count) - 1.0);
        (pairs(self.normal) + pairs(self.abnormal)) / pairs(self.total())
    }
}

fn counts(table: &VoteTable) -> Vec<Counts> {
    let count = |row: &[Option<Label>], label| row.iter().filter(|&&cell| cell == Some(label)).count() as u32;
    table
        .rows()
        .map(|(_, row)| Counts { normal: count(row, Label::Normal), abnormal: count(row, Label::Abnormal) })
        .collect()
}

fn pairable(counts: &[Counts]) -> impl Iterator<Item = &Counts> {
    counts.iter().filter(|row| row.total() >= 2)
}

fn prevalence(counts: &[Counts]) -> Option<f64> {
    let total: u32 = counts.iter().map(|row| row.total()).sum();
    let abnormal: u32 = counts.iter().map(|row| row.abnormal).sum();
    (total > 0).then(|| f64::from(abnormal) / f64::from(total))
}

/// Mean share of agreeing pairs over templates with at least two votes.
fn observed_agreement(counts: &[Counts]) -> Coefficient {
    let n = pairable(counts).count();
    if n == 0 {
        return Err(Undefined::NothingShared);
    }
    Ok(pairable(counts).map(|row| row.agreeing_pairs()).sum::<f64>() / n as f64)
}

/// Fleiss' kappa, generalised to unequal numbers of votes.
///
/// Observed agreement is averaged over templates with at least two votes; chance agreement uses each label's mean share
/// per template over all templates with a vote. With equal numbers of votes this is Fleiss (1971), "Measuring nominal
/// scale agreement among many raters"; the generalisation is Gwet (2014), "Handbook of Inter-Rater Reliability", 4th
/// ed., section 2.4.
fn fleiss_kappa(counts: &[Counts]) -> Coefficient {
    let observed = observed_agreement(counts)?;
    let rated: Vec<&Counts> = counts.iter().filter(|row| row.total() > 0).collect();
    let abnormal =
        rated.iter().map(|row| f64::from(row.abnormal) / f64::from(row.total())).sum::<f64>() / rated.len() as f64;
    beyond_chance(observed, abnormal * abnormal + (1.0 - abnormal) * (1.0 - abnormal))
}

fn beyond_chance(observed: f64, chance: f64) -> Coefficient {
    if 1.0 - chance < 1e-12 { Err(Undefined::Constant) } else { Ok((observed - chance) / (1.0 - chance)) }
}

fn cohen_pairs(table: &VoteTable) -> Vec<CohenPair> {
    let names = table.annotators();
    let mut pairs = Vec::new();
    for a in 0..names.len() {
        for b in a + 1..names.len() {
            let (n, value) = cohen_kappa(table, a, b);
            pairs.push(CohenPair { a: names[a].clone(), b: names[b].clone(), n, value });
        }
    }
    pairs
}

/// Cohen's kappa of two columns over the templates that both judged, and how many those are.
///
/// Source: Cohen (1960), "A coefficient of agreement for nominal scales".
fn cohen_kappa(table: &VoteTable, a: usize, b: usize) -> (usize, Coefficient) {
    let mut confusion = [[0u32; 2]; 2];
    for (_, row) in table.rows() {
        if let (Some(first), Some(second)) = (row[a], row[b]) {
            confusion[first as usize][second as usize] += 1;
        }
    }
    let [[nn, na], [an, aa]] = confusion.map(|row| row.map(f64::from));
    let n = nn + na + an + aa;
    if n == 0.0 {
        return (0, Err(Undefined::NothingShared));
    }
    let observed = (nn + aa) / n;
    let chance = ((nn + na) * (nn + an) + (an + aa) * (na + aa)) / (n * n);
    (n as usize, beyond_chance(observed, chance))
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: Option<Label> = Some(Label::Normal);
    const A: Option<Label> = Some(Label::Abnormal);

    fn close(value: Coefficient, expected: f64) {
        assert!((value.unwrap() - expected).abs() < 1e-9, "{value:?} is not {expected}");
    }

    /// 2×2 table of Cohen's kappa in the textbooks: 20 both yes, 15 both no, 5 and 10 apart: kappa 0.4.
    #[test]
    fn cohen_gives_the_textbook_value() {
        let rows: Vec<_> = [(20, A, A), (5, A, N), (10, N, A), (15, N, N)]
            .into_iter()
            .flat_map(|(times, a, b)| std::iter::repeat_n(vec![a, b], times))
            .collect();
        let agreement = Agreement::of(&VoteTable::from_rows(&["x", "y"], &rows), Round::Blind);
        close(agreement.cohen[0].value, 0.4);
        assert_eq!((agreement.cohen[0].n, agreement.items), (50, 50));
        assert!((agreement.percent.unwrap() - 70.0).abs() < 1e-9);
    }

    /// The worked table of three raters with missing votes, by hand from the formula.
    #[test]
    fn fleiss_takes_unequal_numbers_of_votes() {
        let rows = [vec![A, A, None], vec![A, N, N], vec![N, N, N], vec![A, None, None]];
        let agreement = Agreement::of(&VoteTable::from_rows(&["x", "y", "z"], &rows), Round::Blind);
        // Observed (1 + 1/3 + 1) / 3; shares of abnormal 1, 1/3, 0, 1.
        let abnormal: f64 = (1.0 + 1.0 / 3.0 + 0.0 + 1.0) / 4.0;
        let chance = abnormal * abnormal + (1.0 - abnormal) * (1.0 - abnormal);
        close(agreement.fleiss.value, ((7.0 / 9.0) - chance) / (1.0 - chance));
        assert_eq!(agreement.fleiss.n, 3);
    }

    #[test]
    fn what_has_no_value_says_why_instead_of_nan() {
        let agreement = Agreement::of(&VoteTable::from_rows(&["x", "y"], &[vec![N, N], vec![N, N]]), Round::Blind);
        assert_eq!(agreement.cohen[0].value, Err(Undefined::Constant));
        assert_eq!(agreement.fleiss.value, Err(Undefined::Constant));
        assert_eq!(agreement.percent, Some(100.0));
        let json = serde_json::to_value(&agreement).unwrap();
        assert!(json["fleiss"]["value"].is_null());
        assert_eq!(json["undefined"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn no_votes_are_no_agreement() {
        let agreement = Agreement::of(&VoteTable::of_round([], Round::Blind), Round::Blind);
        assert_eq!((agreement.items, agreement.annotators, agreement.percent), (0, 0, None));
        assert_eq!(agreement.fleiss.value, Err(Undefined::NothingShared));
    }
}
