//! The review queue of files that are in no project.

use super::import::{ImportSource, items_in, templates_in};
use super::{Queued, ReviewBoard, WorkspaceError};
use crate::logs::table::Rejected;
use crate::reasoning::{Background, Beside, Decided, GoldByText, ItemKind, ReviewRule, Reviewable, Standing};

/// Judges the items of files against the gold labels of templates in files, as a project with nothing reviewed would. Gives
/// the rows that could not be used too, each with the name of its file.
///
/// # Errors
/// When nothing of a file can be read.
pub fn check_files(
    kind: ItemKind,
    files: &[ImportSource<'_>],
    templates: &[ImportSource<'_>],
) -> Result<(ReviewBoard, Vec<(String, Rejected)>), WorkspaceError> {
    let mut rejected = Vec::new();
    let mut told = |name: &str, bad: Vec<Rejected>| rejected.extend(bad.into_iter().map(|bad| (name.to_owned(), bad)));
    let mut records = Vec::new();
    for source in templates {
        let (found, bad) = templates_in(*source)?;
        records.extend(found);
        told(source.name, bad);
    }
    let with_gold = records.iter().filter_map(|record| Some((record.key(), record.text(), record.imported_gold?)));
    let gold = GoldByText::of(with_gold);
    let mut items: Vec<Reviewable> = Vec::new();
    for source in files {
        let (found, bad) = items_in(kind, *source)?;
        items.extend(found);
        told(source.name, bad);
    }
    let beside: Vec<Beside<'_>> = items.iter().map(|current| Beside { current, standing: Standing::Pending }).collect();
    let rule = ReviewRule::default();
    let background = Background::of(&beside, gold, rule);
    let queued = |item: Reviewable| {
        let truth = background.gold().truth(&item).and_then(|truth| truth.label);
        let decided = Decided::of(&item, &[], truth, rule.reviewers);
        let findings = background.findings(&item, &decided);
        Queued { item, review: None, decisions: Vec::new(), decided, findings, marks: Vec::new() }
    };
    let items = items.into_iter().map(queued).collect();
    Ok((ReviewBoard { items, background, reviewers: rule.reviewers }, rejected))
}
