//! `logwright review check`: how many items have which trouble.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::meaning::{Basis, compare};
use crate::cli::{Context, Failure, output};
use crate::logs::table::Rejected;
use crate::model::Embedder;
use crate::reasoning::{ItemKind, Likeness, Near, Reviewable, Trouble};
use crate::workspace::{ImportSource, Queued, ReviewBoard, check_files};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Files of items to check instead of the project's, as `import` reads them; of rationales unless --kind says otherwise
    files: Vec<PathBuf>,
    /// Files of templates with gold labels to hold these against
    #[arg(long, value_name = "FILE", requires = "files")]
    templates: Vec<PathBuf>,
    /// Only rationale, pair or thought
    #[arg(long)]
    kind: Option<ItemKind>,
    /// Compare thoughts by their words alone, also where the sentence encoder is on this machine
    #[arg(long)]
    words: bool,
    /// Print as JSON: {items, answer_mismatch, malformed, ungrounded, duplicates, …, flagged: {TROUBLE: [id]},
    /// duplicates_by: {words, meaning}, thoughts_compared_by: words|meaning, repeats: [{id, of, similarity, by}]}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Check, context: &Context) -> Result<(), Failure> {
    let (mut board, complaint) =
        if args.files.is_empty() { (context.workspace()?.review_board()?, None) } else { of_files(args)? };
    let wanted = |kind| args.kind.is_none_or(|wanted| wanted == kind);
    let words = args.words || !wanted(ItemKind::Thought);
    let basis = compare(&mut board, words)?;
    let thoughts = || board.items.iter().filter(|queued| queued.item.kind() == ItemKind::Thought).count();
    if !words && basis == Basis::Words && thoughts() > 1 {
        output::note(&format!("thoughts are compared by words alone: {}", Embedder::how_to_get_it()));
    }
    let items: Vec<&Queued> = board.items.iter().filter(|queued| wanted(queued.item.kind())).collect();
    if args.json {
        output::json(&as_json(&items, basis))?;
    } else {
        output::line(&as_text(&items, basis))?;
    }
    complaint.map_or(Ok(()), |complaint| Err(Failure::failed(complaint)))
}

fn of_files(args: &Check) -> Result<(ReviewBoard, Option<String>), Failure> {
    let read = |files: &[PathBuf]| -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let bytes = files.iter().map(|file| {
            let name = file.display().to_string();
            let bytes = std::fs::read(file).map_err(|error| Failure::failed(format!("{name}: {error}")))?;
            Ok((name, bytes))
        });
        bytes.collect()
    };
    let (files, templates) = (read(&args.files)?, read(&args.templates)?);
    let (files, templates): (Vec<_>, Vec<_>) =
        (files.iter().map(source_of).collect(), templates.iter().map(source_of).collect());
    let (board, rejected) = check_files(args.kind.unwrap_or(ItemKind::Rationale), &files, &templates)?;
    for (name, Rejected { line, why }) in &rejected {
        output::note(&format!("{name}:{line}: {why}"));
    }
    let complaint = rejected
        .first()
        .map(|(name, Rejected { line, why })| format!("{} rows left out; {name}:{line}: {why}", rejected.len()));
    Ok((board, complaint))
}

fn source_of((name, bytes): &(String, Vec<u8>)) -> ImportSource<'_> {
    ImportSource { name, bytes, format: None, dataset: None }
}

/// What a trouble's count is called in JSON.
fn key(trouble: Trouble) -> &'static str {
    if trouble == Trouble::NearDuplicate { "duplicates" } else { trouble.name() }
}

fn with<'a>(items: &'a [&Queued], trouble: Trouble) -> impl Iterator<Item = &'a Reviewable> {
    items.iter().filter(move |queued| queued.troubles().contains(&trouble)).map(|queued| &queued.item)
}

fn trouble_free(items: &[&Queued]) -> usize {
    items.iter().filter(|queued| queued.troubles().is_empty()).count()
}

fn held_against_gold(items: &[&Queued]) -> usize {
    let of_gold = |queued: &&&Queued| queued.findings.truth.as_ref().is_some_and(|truth| !truth.templates.is_empty());
    items.iter().filter(of_gold).count()
}

/// What repeats another item, by one measure.
fn repeats<'a>(items: &'a [&Queued], by: Likeness) -> impl Iterator<Item = &'a Near> {
    items.iter().filter_map(|queued| queued.findings.near.as_ref()).filter(move |near| near.by == by)
}

/// ` (8 by words, 5 by meaning)`: by which measure near-duplicates were found.
fn measures(items: &[&Queued], basis: Basis) -> String {
    let words = repeats(items, Likeness::Words).count();
    match basis {
        Basis::Words => " (by words)".to_owned(),
        Basis::Meaning => format!(" ({words} by words, {} by meaning)", repeats(items, Likeness::Meaning).count()),
    }
}

fn as_json(items: &[&Queued], basis: Basis) -> Value {
    let mut object = Map::new();
    object.insert("items".into(), json!(items.len()));
    let mut flagged = Map::new();
    // The four that everybody asks for come first.
    let first = [Trouble::AnswerMismatch, Trouble::Malformed, Trouble::Ungrounded, Trouble::NearDuplicate];
    let others = Trouble::ALL.into_iter().filter(|trouble| !first.contains(trouble));
    for trouble in first.into_iter().chain(others) {
        let ids: Vec<&str> = with(items, trouble).map(Reviewable::id).collect();
        object.insert(key(trouble).into(), json!(ids.len()));
        flagged.insert(key(trouble).into(), json!(ids));
    }
    object.insert("trouble_free".into(), json!(trouble_free(items)));
    object.insert("with_gold".into(), json!(held_against_gold(items)));
    object.insert("flagged".into(), Value::Object(flagged));
    let of = |by| json!(repeats(items, by).count());
    object.insert("duplicates_by".into(), json!({ "words": of(Likeness::Words), "meaning": of(Likeness::Meaning) }));
    object.insert("thoughts_compared_by".into(), json!(basis));
    let near = items.iter().filter_map(|queued| Some((queued.item.id(), queued.findings.near.as_ref()?)));
    let near = near
        .map(|(id, Near { id: of, similarity, by })| json!({ "id": id, "of": of, "similarity": similarity, "by": by }));
    object.insert("repeats".into(), near.collect());
    Value::Object(object)
}

fn as_text(items: &[&Queued], basis: Basis) -> String {
    let (s, n) = (if items.len() == 1 { "" } else { "s" }, items.len());
    let mut lines = vec![format!("{n} item{s}, {} of them held against a gold label", held_against_gold(items))];
    for trouble in Trouble::ALL {
        let count = with(items, trouble).count();
        if count > 0 {
            let by = if trouble == Trouble::NearDuplicate { measures(items, basis) } else { String::new() };
            lines.push(format!("{count:>6}  {trouble}{by}"));
        }
    }
    lines.push(format!("{:>6}  without trouble", trouble_free(items)));
    lines.join("\n")
}
