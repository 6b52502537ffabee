//! `logwright queue --order NAME --as NAME`

use clap::Args;
use serde::Serialize;

use super::{Context, Failure, output};
use crate::evaluation::{ContestedBy, Suggested, Task, desk};
use crate::labels::Label;
use crate::labels::near_duplicates::NearDuplicates;
use crate::labels::queue::{Entry, Order, arrange};
use crate::labels::search::{Haystack, Query, best_first, search};

#[derive(Debug, Args)]
pub(super) struct QueueArgs {
    /// imported, unseen, flagged, frequent, near-duplicates, against-suggestion, against-own-votes,
    /// label-errors or contested
    #[arg(long, default_value = "imported", value_name = "NAME")]
    order: Order,
    /// Whose queue
    #[arg(long = "as", value_name = "NAME")]
    annotator: Option<String>,
    /// Only templates that hold these words
    #[arg(long, value_name = "WORDS", default_value = "")]
    filter: String,
    /// Only templates with these letters in order, the best match first
    #[arg(long, value_name = "LETTERS", default_value = "")]
    fuzzy: String,
    /// So many templates at most
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print as JSON: {order, annotator, total, templates: [{dataset, id, template, count, own, category, flagged,
    /// contested: {trace, by}, group, original, suggestion}]}; original and suggestion only of what the annotator has labelled
    #[arg(long)]
    json: bool,
}

/// A template of the queue.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    dataset: &'a str,
    id: &'a str,
    template: &'a str,
    count: u64,
    own: Option<&'static str>,
    category: Option<&'a str>,
    flagged: bool,
    /// The trace of a verdict that somebody contests.
    #[serde(skip_serializing_if = "Option::is_none")]
    contested: Option<&'a ContestedBy>,
    /// The first template of its near-duplicates, where the order puts them together.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<Label>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<&'a Suggested>,
}

#[derive(Debug, Serialize)]
struct Listing<'a> {
    order: &'static str,
    annotator: &'a str,
    /// How many there are without the limit.
    total: usize,
    templates: Vec<Listed<'a>>,
}

pub(super) fn run(args: &QueueArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let annotator = workspace.settings().acting(args.annotator.as_deref());
    let tasks = desk(&workspace, &annotator)?;
    let near = args.order.needs_near_duplicates().then(|| {
        let texts: Vec<&str> = tasks.iter().map(|task| task.text.as_str()).collect();
        NearDuplicates::of(&texts)
    });
    let entries: Vec<Entry<'_>> = tasks.iter().map(Task::entry).collect();
    let mut queue = arrange(args.order, &entries, near.as_ref())
        .map_err(|why| Failure::failed(format!("order {} for {annotator}: {why}", args.order)))?;
    let query = Query { words: args.filter.clone(), fuzzy: args.fuzzy.clone() };
    if !query.is_empty() {
        let haystack = Haystack::new(tasks.iter().map(|task| format!("{} {}", task.key, task.text)));
        let found = search(&haystack, &query, &queue);
        queue = if args.fuzzy.trim().is_empty() {
            found.into_iter().map(|found| found.item).collect()
        } else {
            best_first(&found)
        };
    }
    let total = queue.len();
    queue.truncate(args.limit.unwrap_or(usize::MAX));
    let listed = queue.iter().map(|item| listed(&tasks[*item], near.as_ref().map(|near| &tasks[near.group_of(*item)])));
    let templates: Vec<Listed<'_>> = listed.collect();
    if args.json {
        return output::json(&Listing { order: args.order.as_str(), annotator: &annotator, total, templates });
    }
    for listed in &templates {
        let flag =
            if listed.flagged { "F" } else { " " }.to_owned() + if listed.contested.is_some() { "C" } else { " " };
        let own = listed.own.unwrap_or("open");
        let name = format!("{}/{}", listed.dataset, listed.id);
        output::line(&format!("{flag} {own:<9} {:>9}  {name:<18} {}", listed.count, one_line(listed.template)))?;
    }
    let shown = if total == templates.len() { String::new() } else { format!(", {} shown", templates.len()) };
    output::line(&format!("{total} templates for {annotator}, {}{shown}", args.order.title()))
}

fn listed<'a>(task: &'a Task, group: Option<&Task>) -> Listed<'a> {
    let own = task.own.as_ref().map(|vote| &vote.judgement);
    let revealed = task.revealed();
    Listed {
        dataset: &task.key.dataset,
        id: &task.key.id,
        template: &task.text,
        count: task.count,
        own: own.map(|judgement| judgement.word()),
        category: own.and_then(|judgement| judgement.category()).map(|category| category.as_str()),
        flagged: task.flagged,
        contested: task.contested.as_ref(),
        group: group.map(|first| first.key.to_string()),
        original: revealed.and_then(|reveal| reveal.original.as_ref()).map(|(label, _)| *label),
        suggestion: revealed.and_then(|reveal| reveal.suggestion.as_ref()),
    }
}

/// A text as a row of the list.
fn one_line(text: &str) -> String {
    crate::logs::SafeText::one_line(text).into_string()
}
