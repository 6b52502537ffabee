//! How far reviewers agree: the labels room's coefficients on "may train" against "rejected".

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Workspace, WorkspaceError};
use crate::labels::agreement::{Agreement, Bootstrap, CohenPair, Estimate};
use crate::labels::{Label, Round, VoteTable};
use crate::reasoning::{ItemKind, Review};

/// How missing reviews are treated, in words.
const MISSING: &str = "an item that a reviewer did not decide is absent, never a category; Cohen's kappa uses the items that \
     both decided, all else those with at least two decisions; each reviewer's newest decision counts, if it is on the text that \
     the item has now";

/// The agreement of reviewers on whether items may train: accepted or edited against rejected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewAgreement {
    /// How many items at least two reviewers decided.
    pub items: u64,
    /// Who decided anything.
    pub reviewers: Vec<String>,
    /// Share of rejections among all decisions (0–1); null without any.
    pub rejected: Option<f64>,
    /// Krippendorff's alpha, nominal.
    pub krippendorff_alpha: Estimate,
    /// Fleiss' kappa.
    pub fleiss: Estimate,
    /// Gwet's AC1.
    pub gwet_ac1: Estimate,
    /// Agreeing pairs of decisions, in per cent.
    pub percent: Estimate,
    /// Agreement specific to rejecting.
    pub on_rejecting: Estimate,
    /// Agreement specific to accepting, edited or not.
    pub on_accepting: Estimate,
    /// Cohen's kappa of every pair of reviewers.
    pub cohen: Vec<CohenPair>,
    /// How missing reviews are treated.
    pub missing_rule: &'static str,
    /// How the intervals were made.
    pub bootstrap: Bootstrap,
}

impl Workspace {
    /// How far the reviewers of `kinds` agree.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn review_agreement(
        &self,
        kinds: &[ItemKind],
        bootstrap: Bootstrap,
    ) -> Result<ReviewAgreement, WorkspaceError> {
        let mut decisions = self.decisions()?;
        let mut on_one_text = Vec::new();
        for &kind in kinds {
            for item in self.reviewables(kind)? {
                let Some(mut of_item) = decisions.remove(&(kind, item.id().to_owned())) else { continue };
                let judged = item.judged();
                of_item.retain(|review| review.is_about(&judged));
                on_one_text.push(of_item);
            }
        }
        let of_items: Vec<&Vec<Review>> = on_one_text.iter().collect();
        let names: BTreeSet<&str> = of_items.iter().copied().flatten().map(|review| review.reviewer.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let rows: Vec<Vec<Option<Label>>> = of_items.iter().map(|decisions| row(&names, decisions)).collect();
        let found = Agreement::of(&VoteTable::from_rows(&names, &rows), Round::Blind, bootstrap);
        Ok(ReviewAgreement {
            percent: found.percent_estimate(),
            items: found.items,
            reviewers: found.annotator_names,
            rejected: found.prevalence,
            krippendorff_alpha: found.krippendorff_alpha,
            fleiss: found.fleiss,
            gwet_ac1: found.gwet_ac1,
            on_rejecting: found.specific.positive,
            on_accepting: found.specific.negative,
            cohen: found.cohen,
            missing_rule: MISSING,
            bootstrap: found.bootstrap,
        })
    }
}

/// A rejection takes the place of `abnormal`, what may train that of `normal`.
fn row(names: &[&str], decisions: &[Review]) -> Vec<Option<Label>> {
    let said = |name: &&str| decisions.iter().find(|review| review.reviewer == *name);
    let label = |review: &Review| if review.verdict.accepts() { Label::Normal } else { Label::Abnormal };
    names.iter().map(|name| said(name).map(label)).collect()
}
