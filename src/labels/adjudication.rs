//! From votes to gold: consensus, disagreement, rulings, and the corrections that follow.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Category, Judgement, Label, LabelledTemplate, Vote};
use crate::logs::TemplateKey;

/// When votes alone settle a template.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsensusRule {
    /// At least so many labels must have been given.
    pub minimum_votes: usize,
    /// At least this share of them must agree, above 0.5 and up to 1 (unanimous).
    pub share: f64,
}

impl Default for ConsensusRule {
    fn default() -> Self {
        Self { minimum_votes: 2, share: 1.0 }
    }
}

/// How a gold label came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoldSource {
    /// It came with the template.
    Import,
    /// The votes settled it.
    Consensus,
    /// A senior ruled.
    Ruling,
    /// A patch brought it.
    Patch,
}

impl GoldSource {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Consensus => "consensus",
            Self::Ruling => "ruling",
            Self::Patch => "patch",
        }
    }

    /// The source that `word` names.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Import, Self::Consensus, Self::Ruling, Self::Patch].into_iter().find(|source| source.as_str() == word)
    }
}

/// The final label of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gold {
    /// The label.
    pub label: Label,
    /// The kind of trouble, if abnormal and named.
    pub category: Option<Category>,
    /// How it came about.
    pub source: GoldSource,
    /// Who ruled, or brought the patch; nobody for consensus.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When; for consensus, when the last vote was cast.
    pub at: Option<Timestamp>,
}

/// Each annotator's newest judgement of every template, whatever the round: `votes` in the order they were cast.
fn newest_by_template<'a>(
    votes: impl IntoIterator<Item = &'a Vote>,
) -> BTreeMap<&'a TemplateKey, BTreeMap<&'a str, &'a Vote>> {
    let mut newest: BTreeMap<&TemplateKey, BTreeMap<&str, &Vote>> = BTreeMap::new();
    for vote in votes {
        newest.entry(&vote.template).or_default().insert(&vote.annotator, vote);
    }
    newest
}

/// The gold labels that votes alone settle under `rule`. A later round's vote replaces an annotator's earlier one.
pub fn consensus<'a>(votes: impl IntoIterator<Item = &'a Vote>, rule: ConsensusRule) -> BTreeMap<TemplateKey, Gold> {
    newest_by_template(votes)
        .into_iter()
        .filter_map(|(key, votes)| {
            let given: Vec<(&Vote, Label)> =
                votes.values().filter_map(|vote| Some((*vote, vote.judgement.label()?))).collect();
            if given.len() < rule.minimum_votes.max(1) {
                return None;
            }
            let abnormal = given.iter().filter(|(_, label)| *label == Label::Abnormal).count();
            let (label, winners) = if 2 * abnormal > given.len() {
                (Label::Abnormal, abnormal)
            } else {
                (Label::Normal, given.len() - abnormal)
            };
            let settled = 2 * winners > given.len() && winners as f64 >= rule.share * given.len() as f64 - 1e-9;
            settled.then(|| {
                let category =
                    (label == Label::Abnormal).then(|| plurality(votes.values().map(|vote| &vote.judgement)));
                let gold = Gold {
                    label,
                    category: category.flatten(),
                    source: GoldSource::Consensus,
                    by: None,
                    reason: Some(format!("{winners} of {} votes", given.len())),
                    at: given.iter().map(|(vote, _)| vote.at).max(),
                };
                (key.clone(), gold)
            })
        })
        .collect()
}

/// The category named most often; none on a tie or where nobody named one.
fn plurality<'a>(judgements: impl Iterator<Item = &'a Judgement>) -> Option<Category> {
    let mut tally: BTreeMap<&Category, usize> = BTreeMap::new();
    for category in judgements.filter_map(Judgement::category) {
        *tally.entry(category).or_default() += 1;
    }
    let most = tally.values().max().copied()?;
    let mut leaders = tally.into_iter().filter(|(_, count)| *count == most);
    let (leader, _) = leaders.next()?;
    leaders.next().is_none().then(|| leader.clone())
}

/// A template whose annotators do not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// Which template.
    #[serde(flatten)]
    pub template: TemplateKey,
    /// Each annotator's newest vote, by name.
    pub votes: Vec<Vote>,
}

/// The templates on which both labels were given, in the order of their keys.
pub fn disagreements<'a>(votes: impl IntoIterator<Item = &'a Vote>) -> Vec<Disagreement> {
    newest_by_template(votes)
        .into_iter()
        .filter(|(_, votes)| {
            let said = |label| votes.values().any(|vote| vote.judgement.label() == Some(label));
            said(Label::Normal) && said(Label::Abnormal)
        })
        .map(|(key, votes)| Disagreement { template: key.clone(), votes: votes.into_values().cloned().collect() })
        .collect()
}

/// A template whose gold differs from the label that it came with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// Which template.
    #[serde(flatten)]
    pub template: TemplateKey,
    /// Its text.
    #[serde(rename = "template")]
    pub text: String,
    /// The label that it came with.
    pub original: Label,
    /// The final label.
    pub gold: Label,
    /// The kind of trouble, if the final label is abnormal and one was named.
    pub category: Option<Category>,
    /// How the final label came about.
    pub source: GoldSource,
    /// Who ruled, or brought it; nobody for consensus.
    #[serde(default)]
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// The corrections that follow from `gold`, in the order of `templates`.
pub fn corrections<'a>(
    templates: impl IntoIterator<Item = &'a LabelledTemplate>,
    gold: &BTreeMap<TemplateKey, Gold>,
) -> Vec<Correction> {
    templates
        .into_iter()
        .filter_map(|labelled| {
            let original = labelled.original?;
            let gold = gold.get(&labelled.template.key).filter(|gold| gold.label != original)?;
            Some(Correction {
                template: labelled.template.key.clone(),
                text: labelled.template.text.clone(),
                original,
                gold: gold.label,
                category: gold.category.clone(),
                source: gold.source,
                by: said(gold.by.as_ref()),
                reason: said(gold.reason.as_ref()),
            })
        })
        .collect()
}

/// Blank is nothing, as in a patch's table.
fn said(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::Round;
    use crate::labels::testing::vote;

    fn votes(words: &[(&str, &str, &str)]) -> Vec<Vote> {
        words.iter().map(|(id, annotator, word)| vote(id, annotator, word, Round::Blind)).collect()
    }

    #[test]
    fn unanimous_votes_settle_a_template_and_a_split_is_a_disagreement() {
        let votes = votes(&[
            ("1", "ana", "abnormal:network issue"),
            ("1", "bao", "abnormal:network issue"),
            ("1", "chi", "abnormal:system error"),
            ("2", "ana", "normal"),
            ("2", "bao", "abnormal"),
            ("3", "ana", "normal"),
            ("4", "ana", "normal"),
            ("4", "bao", "unsure"),
            ("4", "chi", "normal"),
        ]);
        let gold = consensus(&votes, ConsensusRule::default());
        let settled: Vec<_> = gold.iter().map(|(key, gold)| (key.id.as_str(), gold.label)).collect();
        assert_eq!(settled, [("1", Label::Abnormal), ("4", Label::Normal)]);
        assert_eq!(gold[&TemplateKey::new("bgl", "1")].category, Category::new("network issue"));
        let open: Vec<_> = disagreements(&votes).into_iter().map(|open| open.template.id).collect();
        assert_eq!(open, ["2"]);
    }

    #[test]
    fn a_majority_settles_only_where_the_rule_says_so() {
        let votes = votes(&[("1", "a", "normal"), ("1", "b", "normal"), ("1", "c", "abnormal")]);
        assert!(consensus(&votes, ConsensusRule::default()).is_empty());
        let two_thirds = ConsensusRule { minimum_votes: 3, share: 2.0 / 3.0 };
        assert_eq!(consensus(&votes, two_thirds).len(), 1);
    }

    #[test]
    fn a_tie_is_never_settled() {
        let votes = votes(&[("1", "a", "normal"), ("1", "b", "abnormal")]);
        assert!(consensus(&votes, ConsensusRule { minimum_votes: 1, share: 0.0 }).is_empty());
    }
}
