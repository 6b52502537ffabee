//! All figures of a round together, and what of them has no value.

use serde::Serialize;

use super::against_gold::AgainstGold;
use super::bootstrap::Bootstrap;
use super::categories::CategoryAgreement;
use super::cohen::{Confusion, cohen_kappa};
use super::counts::CountTable;
use super::estimate::{Coefficient, Estimate, Interval, Undefined};
use super::notes::notes;
use super::tally::{ABNORMAL_PLACE, Counted, NORMAL_PLACE};
use super::{FLEISS_RULE, SPECIFIC_RULE, fleiss, gwet_ac1, krippendorff_alpha, observed_agreement, specific_agreement};
use crate::labels::{Round, VoteTable};

/// How missing votes are treated, in words: printed beside every figure.
pub const MISSING_RULE: &str = "missing, unsure and skip are absent, never a category; Cohen's kappa uses the templates \
     that both judged, all else those with at least two votes (Fleiss' and Gwet's chance also those with one)";

/// Cohen's kappa of one pair of annotators.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CohenPair {
    /// One annotator.
    pub a: String,
    /// The other.
    pub b: String,
    /// How many templates both judged, the kappa, and its interval.
    #[serde(flatten)]
    pub kappa: Estimate,
}

/// Agreement specific to each label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Specific {
    /// On `abnormal`.
    pub positive: Estimate,
    /// On `normal`.
    pub negative: Estimate,
}

/// What is undefined, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UndefinedNote {
    /// Which figure.
    pub figure: String,
    /// Why it has no value.
    pub why: String,
}

/// What the figures mean where several conventions exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Conventions {
    /// Which generalisation of Fleiss' kappa.
    pub fleiss: &'static str,
    /// What specific agreement is.
    pub specific: &'static str,
    /// What agreement on a category is.
    pub categories: &'static str,
}

/// The agreement of a panel in one round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Over the votes of which round.
    pub round: Round,
    /// How many templates have at least two votes.
    pub items: u64,
    /// How many annotators gave a label.
    pub annotators: usize,
    /// How missing votes are treated.
    pub missing_rule: &'static str,
    /// Share of `abnormal` among all labels given (0–1); null without any.
    pub prevalence: Option<f64>,
    /// Agreeing pairs of votes in per cent (0–100), averaged over templates with at least two; null without any.
    pub percent: Option<f64>,
    /// Krippendorff's alpha: the headline.
    pub krippendorff_alpha: Estimate,
    /// Fleiss' kappa.
    pub fleiss: Estimate,
    /// Gwet's AC1.
    pub gwet_ac1: Estimate,
    /// Cohen's kappa of every pair.
    pub cohen: Vec<CohenPair>,
    /// Agreement on `abnormal` (positive) and on `normal` (negative).
    pub specific: Specific,
    /// Each annotator beside the gold labels.
    pub against_gold: Vec<AgainstGold>,
    /// Everything that has no value, with the reason.
    pub undefined: Vec<UndefinedNote>,
    /// Who gave a label.
    pub annotator_names: Vec<String>,
    /// The interval of `percent`.
    pub percent_interval: Option<Interval>,
    /// Agreement on each category that was named.
    pub categories: Vec<CategoryAgreement>,
    /// What to know before believing the figures.
    pub notes: Vec<String>,
    /// How the intervals were made.
    pub bootstrap: Bootstrap,
    /// What the figures mean.
    pub conventions: Conventions,
}

/// Families of figures, each with random numbers of its own; pairs, annotators and categories count up from theirs.
const PANEL: u32 = 0;
const CATEGORIES: u32 = 1 << 20;
const GOLD: u32 = 1 << 24;
const PAIRS: u32 = 1 << 28;

impl Agreement {
    /// Computes every figure of `table`, which holds the votes of `round`.
    pub fn of(table: &VoteTable, round: Round, bootstrap: Bootstrap) -> Self {
        let tally = Counted::of(table);
        let panel = Panel::of(&tally.labels, &bootstrap);
        let names = table.annotators();
        let mut agreement = Self {
            round,
            items: panel.percent.n,
            annotators: names.len(),
            missing_rule: MISSING_RULE,
            prevalence: prevalence(&tally.labels),
            percent: panel.percent.value.ok(),
            krippendorff_alpha: panel.alpha,
            fleiss: panel.fleiss,
            gwet_ac1: panel.ac1,
            cohen: cohen_pairs(names, &tally, &bootstrap),
            specific: Specific { positive: panel.positive, negative: panel.negative },
            against_gold: against_gold(names, &tally, &bootstrap),
            undefined: Vec::new(),
            annotator_names: names.to_vec(),
            percent_interval: panel.percent.interval,
            categories: table
                .categories()
                .iter()
                .zip(&tally.categories)
                .zip(CATEGORIES..)
                .map(|((category, counts), family)| CategoryAgreement::of(category, counts, &bootstrap, family))
                .collect(),
            notes: Vec::new(),
            bootstrap,
            conventions: Conventions {
                fleiss: FLEISS_RULE,
                specific: SPECIFIC_RULE,
                categories: super::categories::CATEGORY_RULE,
            },
        };
        agreement.undefined = agreement.undefined_notes();
        agreement.notes = notes(&agreement, table.gold_sources());
        agreement
    }

    /// Percent agreement with its interval.
    pub fn percent_estimate(&self) -> Estimate {
        let value = self.percent.ok_or(Undefined::NothingShared);
        Estimate { value, interval: self.percent_interval, n: self.items }
    }

    fn undefined_notes(&self) -> Vec<UndefinedNote> {
        let mut missing = Missing { asked: self.bootstrap.samples > 0, notes: Vec::new() };
        missing.check("percent", &self.percent_estimate());
        missing.check("krippendorff_alpha", &self.krippendorff_alpha);
        missing.check("fleiss", &self.fleiss);
        missing.check("gwet_ac1", &self.gwet_ac1);
        missing.check("specific positive", &self.specific.positive);
        missing.check("specific negative", &self.specific.negative);
        if self.cohen.is_empty() {
            missing.note("cohen".into(), Undefined::NoPair);
        }
        for pair in &self.cohen {
            missing.check(&format!("cohen {}–{}", pair.a, pair.b), &pair.kappa);
        }
        if self.against_gold.is_empty() {
            missing.note("against_gold".into(), Undefined::NoGold);
        }
        for row in &self.against_gold {
            let figures = [
                ("percent", row.percent_estimate()),
                ("cohen", row.cohen),
                ("precision", row.precision),
                ("recall", row.recall),
            ];
            for (figure, estimate) in figures {
                missing.check(&format!("against_gold {} {figure}", row.annotator), &estimate);
            }
        }
        for row in &self.categories {
            missing.check(&format!("category {} specific", row.category), &row.specific);
            missing.check(&format!("category {} krippendorff_alpha", row.category), &row.krippendorff_alpha);
        }
        if self.prevalence.is_none() {
            missing.notes.push(UndefinedNote { figure: "prevalence".into(), why: "nobody gave a label".into() });
        }
        missing.notes
    }
}

/// Collects what has no value.
struct Missing {
    /// Whether intervals were asked for.
    asked: bool,
    notes: Vec<UndefinedNote>,
}

impl Missing {
    fn check(&mut self, figure: &str, estimate: &Estimate) {
        match estimate.value {
            Err(why) => self.note(figure.to_owned(), why),
            Ok(_) if self.asked && estimate.interval.is_none() => {
                self.note(format!("{figure} interval"), Undefined::Unstable);
            }
            Ok(_) => (),
        }
    }

    fn note(&mut self, figure: String, why: Undefined) {
        self.notes.push(UndefinedNote { figure, why: why.to_string() });
    }
}

/// The figures over the whole panel.
struct Panel {
    percent: Estimate,
    alpha: Estimate,
    fleiss: Estimate,
    ac1: Estimate,
    positive: Estimate,
    negative: Estimate,
}

impl Panel {
    fn of(counts: &CountTable, bootstrap: &Bootstrap) -> Self {
        let figures = |templates: &[u64]| -> [Coefficient; 6] {
            [
                observed_agreement(counts, templates),
                krippendorff_alpha(counts, templates),
                fleiss(counts, templates),
                gwet_ac1(counts, templates),
                specific_agreement(counts, templates, ABNORMAL_PLACE),
                specific_agreement(counts, templates, NORMAL_PLACE),
            ]
        };
        let values = figures(counts.templates());
        let intervals = bootstrap.intervals(PANEL, counts.templates(), figures);
        let comparable = counts.comparable_templates();
        let estimate = |figure: usize, n| {
            let (value, interval) = (values[figure], intervals[figure]);
            Estimate { value, interval: interval.filter(|_| value.is_ok()), n }
        };
        Self {
            percent: estimate(0, comparable).in_per_cent(),
            alpha: estimate(1, comparable),
            fleiss: estimate(2, comparable),
            ac1: estimate(3, comparable),
            positive: estimate(4, counts.templates_where(ABNORMAL_PLACE)),
            negative: estimate(5, counts.templates_where(NORMAL_PLACE)),
        }
    }
}

fn prevalence(counts: &CountTable) -> Option<f64> {
    let votes = counts.votes();
    let all: u64 = votes.iter().sum();
    (all > 0).then(|| votes[ABNORMAL_PLACE] as f64 / all as f64)
}

fn cohen_pairs(names: &[String], tally: &Counted, bootstrap: &Bootstrap) -> Vec<CohenPair> {
    let pairs = (0..names.len()).flat_map(|a| (a + 1..names.len()).map(move |b| (a, b)));
    let kappa = |confusion: Confusion, family| {
        let n: u64 = confusion.iter().sum();
        let [nn, na, an, aa] = confusion;
        let value = cohen_kappa(2, &confusion);
        let figures = |kinds: &[u64]| [cohen_kappa(2, &kinds[..4])];
        let interval = match value {
            Ok(_) => bootstrap.intervals(family, &[nn, na, an, aa, tally.templates - n], figures)[0],
            Err(_) => None,
        };
        Estimate { value, interval, n }
    };
    let with_counts = pairs.zip(&tally.pairs).zip(PAIRS..);
    with_counts
        .map(|(((a, b), &confusion), family)| CohenPair {
            a: names[a].clone(),
            b: names[b].clone(),
            kappa: kappa(confusion, family),
        })
        .collect()
}

/// Nobody where there is no gold at all.
fn against_gold(names: &[String], tally: &Counted, bootstrap: &Bootstrap) -> Vec<AgainstGold> {
    if tally.gold.iter().flatten().all(|&count| count == 0) {
        return Vec::new();
    }
    let rows = names.iter().zip(&tally.gold).zip(GOLD..);
    rows.map(|((name, &confusion), family)| AgainstGold::of(name, confusion, tally.templates, bootstrap, family))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Label;

    const N: Option<Label> = Some(Label::Normal);
    const A: Option<Label> = Some(Label::Abnormal);

    fn of(names: &[&str], rows: &[Vec<Option<Label>>]) -> Agreement {
        Agreement::of(&VoteTable::from_rows(names, rows), Round::Blind, Bootstrap::new(200, 1))
    }

    fn close(value: Coefficient, expected: f64) {
        assert!((value.unwrap() - expected).abs() < 1e-9, "{value:?} is not {expected}");
    }

    #[test]
    fn a_pair_counts_what_both_judged() {
        let rows: Vec<_> = [(20, A, A), (5, A, N), (10, N, A), (15, N, N), (9, N, None)]
            .into_iter()
            .flat_map(|(times, a, b)| std::iter::repeat_n(vec![a, b], times))
            .collect();
        let agreement = of(&["x", "y"], &rows);
        close(agreement.cohen[0].kappa.value, 0.4);
        assert_eq!((agreement.cohen[0].kappa.n, agreement.items), (50, 50));
        assert!((agreement.percent.unwrap() - 70.0).abs() < 1e-9);
        let Interval { low, high } = agreement.cohen[0].kappa.interval.unwrap();
        assert!(low > 0.05 && low < 0.3 && high > 0.5 && high < 0.75, "{low} to {high}");
    }

    /// Three raters with missing votes, by hand from the formulas.
    #[test]
    fn missing_votes_are_absent() {
        let agreement = of(&["x", "y", "z"], &[vec![A, A, None], vec![A, N, N], vec![N, N, N], vec![A, None, None]]);
        // Observed (1 + 1/3 + 1) / 3; shares of abnormal 1, 1/3, 0, 1.
        let abnormal: f64 = (1.0 + 1.0 / 3.0 + 0.0 + 1.0) / 4.0;
        let chance = abnormal * abnormal + (1.0 - abnormal) * (1.0 - abnormal);
        close(agreement.fleiss.value, ((7.0 / 9.0) - chance) / (1.0 - chance));
        assert_eq!(agreement.fleiss.n, 3);
        // 8 comparable votes, 3 abnormal; the second template has 4 disagreeing ordered pairs over m − 1 = 2.
        close(agreement.krippendorff_alpha.value, 1.0 - 7.0 * 2.0 / (64.0 - 9.0 - 25.0));
        // Abnormal: 2 of 2 and 0 of 2 ordered pairs; normal: 2 of 4 and 6 of 6.
        close(agreement.specific.positive.value, 0.5);
        close(agreement.specific.negative.value, 0.8);
        assert_eq!((agreement.specific.positive.n, agreement.specific.negative.n), (2, 2));
    }

    #[test]
    fn what_has_no_value_says_why_instead_of_nan() {
        let agreement = of(&["x", "y"], &[vec![N, N], vec![N, N]]);
        assert_eq!(agreement.cohen[0].kappa.value, Err(Undefined::Constant));
        assert_eq!(agreement.fleiss.value, Err(Undefined::Constant));
        assert_eq!(agreement.krippendorff_alpha.value, Err(Undefined::Constant));
        assert_eq!(agreement.gwet_ac1.value, Ok(1.0), "both labels exist, used or not");
        assert_eq!(agreement.percent, Some(100.0));
        let json = serde_json::to_value(&agreement).unwrap();
        assert!(json["fleiss"]["value"].is_null() && json["fleiss"]["low"].is_null());
        let figures: Vec<&str> = agreement.undefined.iter().map(|note| note.figure.as_str()).collect();
        assert_eq!(figures, ["krippendorff_alpha", "fleiss", "specific positive", "cohen x–y", "against_gold"]);
        assert!(!json.to_string().contains("NaN"));
    }

    #[test]
    fn no_votes_are_no_agreement() {
        let agreement = of(&[], &[]);
        assert_eq!((agreement.items, agreement.annotators, agreement.percent), (0, 0, None));
        assert_eq!(agreement.fleiss.value, Err(Undefined::NothingShared));
        assert!(agreement.undefined.iter().any(|note| note.figure == "prevalence"));
    }

    #[test]
    fn every_annotator_stands_against_gold() {
        let rows = [vec![A, N], vec![A, A], vec![N, None], vec![N, N]];
        let table = VoteTable::from_rows(&["x", "y"], &rows).beside_gold(&[A, A, A, None]);
        let agreement = Agreement::of(&table, Round::Blind, Bootstrap::none());
        let [x, y] = &agreement.against_gold[..] else { panic!("two annotators") };
        assert_eq!((x.n, y.n), (3, 2));
        close(x.percent_estimate().value, 200.0 / 3.0);
        assert_eq!((x.precision.value, y.recall.value), (Ok(1.0), Ok(0.5)));
        close(x.recall.value, 2.0 / 3.0);
        assert_eq!((x.cohen.value, y.cohen.n), (Ok(0.0), 2));
    }

    #[test]
    fn a_rare_label_makes_kappa_mislead_and_the_report_says_so() {
        let mut rows = vec![vec![N, N]; 95];
        rows.extend([vec![A, N], vec![N, A], vec![A, N], vec![N, A], vec![A, A]]);
        let agreement = of(&["x", "y"], &rows);
        assert!(agreement.fleiss.value.unwrap() < 0.4 && agreement.gwet_ac1.value.unwrap() > 0.9);
        assert!(agreement.notes[0].contains("kappa misleads") && agreement.notes[0].contains("Feinstein"));
        let balanced = of(&["x", "y"], &[vec![N, N], vec![A, A], vec![A, N], vec![N, N]]);
        assert!(balanced.notes.is_empty(), "{:?}", balanced.notes);
    }
}
