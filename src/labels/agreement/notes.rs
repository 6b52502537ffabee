//! What a reader of the figures should be told before believing them.

use std::collections::BTreeMap;

use super::report::Agreement;
use crate::labels::GoldSource;

/// From this percent agreement on, a low kappa is a paradox and not a finding.
const HIGH_PERCENT: f64 = 80.0;
/// A label rarer than this is rare.
const RARE: f64 = 0.10;
/// By this much must Gwet's AC1 stand above Fleiss' kappa.
const GAP: f64 = 0.2;

/// Remarks on the figures of `agreement`.
pub(super) fn notes(agreement: &Agreement, gold: &BTreeMap<GoldSource, usize>) -> Vec<String> {
    [prevalence_note(agreement), certainty_note(agreement), circle_note(gold)].into_iter().flatten().collect()
}

/// The first kappa paradox: nearly all votes say the same, so chance alone explains nearly all agreement.
fn prevalence_note(agreement: &Agreement) -> Option<String> {
    let (percent, prevalence) = (agreement.percent?, agreement.prevalence?);
    let ac1 = agreement.gwet_ac1.value.ok()?;
    let skewed = prevalence.min(1.0 - prevalence) <= RARE;
    let gap = agreement.fleiss.value.map_or(GAP, |kappa| ac1 - kappa);
    (percent >= HIGH_PERCENT && skewed && gap >= GAP).then(|| {
        let kappa = match agreement.fleiss.value {
            Ok(kappa) => format!("Fleiss' kappa is only {kappa:.3}"),
            Err(_) => "kappa has no value".to_owned(),
        };
        format!(
            "kappa misleads here: {percent:.1} % of the pairs of votes agree and {kappa}, because {:.1} % of the labels are \
             abnormal and chance agreement is therefore high; see specific agreement and Gwet's AC1 ({ac1:.3}) \
             (Feinstein & Cicchetti 1990, J Clin Epidemiol 43:543–549)",
            prevalence * 100.0
        )
    })
}

/// A bootstrap cannot see a disagreement that never happened.
fn certainty_note(agreement: &Agreement) -> Option<String> {
    let perfect = agreement.percent? >= 100.0 && agreement.bootstrap.samples > 0;
    perfect.then(|| {
        let n = agreement.items;
        format!(
            "no disagreement was seen, so the intervals have no width; {n} templates still allow a rate of disagreement \
             of up to {:.1} % (rule of three)",
            (300.0 / n as f64).min(100.0)
        )
    })
}

/// Gold that the votes themselves made agrees with them.
fn circle_note(gold: &BTreeMap<GoldSource, usize>) -> Option<String> {
    let of_votes = gold.get(&GoldSource::Consensus).copied().unwrap_or(0);
    let all: usize = gold.values().sum();
    (of_votes > 0).then(|| {
        format!(
            "{of_votes} of {all} gold labels here are a consensus of the annotators' votes: agreement with them is partly \
             agreement with oneself, and what nobody settled is not counted"
        )
    })
}
