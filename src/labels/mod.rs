//! What people say about templates: labels, votes, rounds, agreement, adjudication and the patch.
//!
//! A [`Vote`] is one annotator's [`Judgement`] of one template in one [`Round`]. Votes make a [`VoteTable`], from which
//! [`agreement`] is computed; votes and a senior's rulings make [`Gold`]; where gold differs from the original label
//! there is a [`Correction`], and the list of those is a [`Patch`]. This room is pure: the store is elsewhere.

mod adjudication;
pub mod agreement;
pub mod confident;
mod judgement;
mod label;
pub mod near_duplicates;
mod panel;
mod patch;
pub mod queue;
mod rounds;
pub mod search;
mod table1;
#[cfg(test)]
mod testing;
mod vote;
mod vote_table;
mod words;

pub use adjudication::{
    ConsensusRule, Correction, Disagreement, Gold, GoldSource, consensus, corrections, disagreements,
};
pub use judgement::Judgement;
pub use label::{Category, Label, LabelError, Taxonomy};
pub use panel::{PanelCase, PanelReason, PanelRule, Voice, is_sampled, panel_cases};
pub use patch::{Patch, PatchError, template_set_sha256};
pub use rounds::{ClosedPeriod, Phase, RoundEvent, RoundState, Rounds};
pub use table1::{DatasetRow, Directions, Example, Table1, Table1Row};
pub use vote::{Round, Tally, Vote};
pub use vote_table::VoteTable;

use serde::{Deserialize, Serialize};

use crate::logs::Template;

/// A template with the label that it came with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledTemplate {
    /// The template.
    #[serde(flatten)]
    pub template: Template,
    /// The label that it came with: public, and often wrong.
    #[serde(rename = "label")]
    pub original: Option<Label>,
    /// The error category that it came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// How often it occurred.
    pub count: u64,
}
