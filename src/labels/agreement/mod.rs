//! Votes become agreement: the coefficients that a panel of experts is judged by.
//!
//! ```text
//! VoteTable ── tally: one pass ──> CountTable (patterns), Confusion (pairs, gold)
//!                                      │ each coefficient: a function of how often each pattern occurs
//!                                      │ bootstrap: the same function of resampled counts
//!                                      └──> Estimate {value, low, high, n} ──> Agreement
//! ```
//!
//! A missing vote is absent, never a category. A coefficient that does not exist is [`Undefined`] with its reason, never
//! NaN. The coefficients take any number of categories; a panel's labels are two.

mod against_gold;
mod bootstrap;
mod categories;
mod cohen;
mod counts;
mod estimate;
mod fleiss;
mod gwet;
mod heatmap;
mod krippendorff;
mod notes;
mod percent;
mod report;
mod specific;
mod tally;

pub use against_gold::AgainstGold;
pub use bootstrap::Bootstrap;
pub use categories::{CATEGORY_RULE, CategoryAgreement};
pub use cohen::{Confusion, cohen_kappa, precision_recall};
pub use counts::CountTable;
pub use estimate::{Coefficient, Estimate, Interval, Undefined};
pub use fleiss::{FLEISS_RULE, fleiss};
pub use gwet::gwet_ac1;
pub use heatmap::{Heatmap, SHADE_LEGEND, SHADES, shade};
pub use krippendorff::krippendorff_alpha;
pub use percent::observed_agreement;
pub use report::{Agreement, CohenPair, Conventions, MISSING_RULE, Specific, UndefinedNote};
pub use specific::{SPECIFIC_RULE, specific_agreement};
