//! What the tests of this room have in common.

use jiff::Timestamp;

use super::{Judgement, Round, Vote};
use crate::logs::TemplateKey;

/// A vote on a template of bgl; `word` may have a category after a colon.
pub(super) fn vote(id: &str, annotator: &str, word: &str, round: Round) -> Vote {
    let (word, category) = word.split_once(':').map_or((word, None), |(word, category)| (word, Some(category)));
    Vote {
        template: TemplateKey::new("bgl", id),
        annotator: annotator.into(),
        judgement: Judgement::parse(word, category).unwrap(),
        round,
        comment: None,
        revealed: false,
        elapsed_ms: None,
        others: None,
        at: Timestamp::UNIX_EPOCH,
    }
}
