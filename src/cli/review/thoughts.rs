//! `logwright review thoughts` and `logwright review neighbours ID`: what the Review pane's map of thoughts shows.

use std::ops::ControlFlow;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::super::{Failure, interrupt, output};
use super::meaning::{Basis, encoder, reading};
use super::seen;
use crate::model::Embedder;
use crate::reasoning::neighbours::{NearPair, Neighbour};
use crate::reasoning::projection::Point;
use crate::reasoning::{Reviewable, Standing, Task, Thought};
use crate::teacher::{Overview, TSNE_MOST, nearest_by_words, same_by_words, step_counts};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct ThoughtsArgs {
    /// Where each thought lies on the map: by principal components (pca), or by t-SNE
    #[arg(long, value_name = "HOW")]
    map: Option<Projection>,
    /// Who looks: what two decide blind to one another reads as this one may see it
    #[arg(long = "as", value_name = "NAME")]
    reviewer: Option<String>,
    /// Print as JSON: {basis, projection, explained, thoughts: [{id, task, standing, steps, order, x, y}], step_counts,
    /// same: [{first, second, similarity}]}
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Projection {
    Pca,
    Tsne,
}

#[derive(Debug, Args)]
pub(super) struct NeighboursArgs {
    /// The thought's id
    id: String,
    /// How many
    #[arg(long, default_value_t = 5)]
    count: usize,
    /// Who looks: what two decide blind to one another reads as this one may see it
    #[arg(long = "as", value_name = "NAME")]
    reviewer: Option<String>,
    /// Print as JSON: {id, basis, neighbours: [{id, task, similarity, challenge}]}
    #[arg(long)]
    json: bool,
}

/// The project's thoughts as `reviewer` may see them.
fn thoughts_of(workspace: &Workspace, reviewer: Option<&str>) -> Result<Vec<(Thought, Standing)>, Failure> {
    let queue = seen(workspace.review_board()?, &workspace.settings().acting(reviewer));
    let thoughts = queue.iter().filter_map(|queued| match queued.current() {
        Reviewable::Thought(thought) => Some((thought, queued.standing())),
        _ => None,
    });
    Ok(thoughts.collect())
}

/// What the encoder says of the thoughts; `None`, with a word on standard error, where it is not on this machine.
fn overview(thoughts: &[Thought]) -> Result<Option<Overview>, Failure> {
    let Some(encoder) = encoder()? else { return Ok(None) };
    reading(thoughts.len(), |go_on| Ok(Overview::of(&encoder, thoughts, go_on)?)).map(Some)
}

#[derive(Debug, Serialize)]
struct Placed<'a> {
    id: &'a str,
    task: Task,
    standing: Standing,
    steps: usize,
    /// As which it is chosen, where each adds as much as it can to those before.
    order: Option<usize>,
    #[serde(flatten)]
    place: Option<Point>,
}

#[derive(Debug, Serialize)]
struct Same<'a> {
    first: &'a str,
    second: &'a str,
    similarity: f64,
}

pub(super) fn thoughts(args: &ThoughtsArgs, workspace: &Workspace) -> Result<(), Failure> {
    let (thoughts, standings): (Vec<Thought>, Vec<Standing>) =
        thoughts_of(workspace, args.reviewer.as_deref())?.into_iter().unzip();
    let overview = overview(&thoughts)?;
    let points = match (&overview, args.map) {
        (Some(overview), Some(Projection::Pca)) => Some(overview.components().points.clone()),
        (Some(_), Some(Projection::Tsne)) if thoughts.len() > TSNE_MOST => {
            return Err(Failure::failed(format!(
                "t-SNE of {} thoughts would take minutes: it is for {TSNE_MOST} at most; take --map pca",
                thoughts.len()
            )));
        }
        (Some(overview), Some(Projection::Tsne)) => {
            let stop = interrupt::flag()?;
            let laid =
                overview.tsne(&mut |_| if stop.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
            Some(laid.ok_or_else(|| Failure::failed("stopped"))?)
        }
        (None, Some(_)) => return Err(Failure::failed(format!("there is no map: {}", Embedder::how_to_get_it()))),
        (_, None) => None,
    };
    let placed: Vec<Placed<'_>> = thoughts
        .iter()
        .zip(&standings)
        .enumerate()
        .map(|(place, (thought, standing))| Placed {
            id: &thought.id,
            task: thought.task,
            standing: *standing,
            steps: thought.steps.len(),
            order: overview.as_ref().and_then(|overview| overview.order_of(place)),
            place: points.as_ref().map(|points| points[place]),
        })
        .collect();
    let near: Vec<NearPair> = match &overview {
        Some(overview) => overview.same().to_vec(),
        None => same_by_words(&thoughts),
    };
    let same: Vec<Same<'_>> = near
        .iter()
        .map(|pair| Same {
            first: &thoughts[pair.first].id,
            second: &thoughts[pair.second].id,
            similarity: pair.similarity,
        })
        .collect();
    let counts = step_counts(&thoughts);
    let basis = if overview.is_some() { Basis::Meaning } else { Basis::Words };
    if args.json {
        let explained =
            (args.map == Some(Projection::Pca)).then(|| overview.as_ref().map(|made| made.components().explained));
        return output::json(&serde_json::json!({
            "basis": basis,
            "projection": args.map,
            "explained": explained,
            "thoughts": placed,
            "step_counts": counts,
            "same": same,
        }));
    }
    if thoughts.is_empty() {
        return output::line(
            "there are no thoughts: `logwright teacher thoughts` makes some, `import thoughts` brings some in",
        );
    }
    let mut in_order: Vec<&Placed<'_>> = placed.iter().collect();
    in_order.sort_by_key(|placed| placed.order.unwrap_or(usize::MAX));
    let width = thoughts.iter().map(|thought| thought.id.chars().count()).max().unwrap_or_default();
    for placed in in_order {
        let order = placed.order.map_or_else(|| "-".to_owned(), |order| order.to_string());
        let at = placed.place.map_or_else(String::new, |at| format!("  {:+.3} {:+.3}", at.x, at.y));
        let Placed { id, task, standing, steps, .. } = placed;
        output::line(&format!("{order:>5}  {id:width$}  {task:<19} {:<9} {steps} steps{at}", standing.as_str()))?;
    }
    let counts: Vec<String> = counts.iter().map(|(steps, count)| format!("{count} of {steps}")).collect();
    output::line(&format!("\nsteps: {}", counts.join(", ")))?;
    let how = if basis == Basis::Meaning { "mean the same" } else { "have nearly the same words" };
    output::line(&format!("{} pairs {how}", same.len()))?;
    for Same { first, second, similarity } in &same {
        output::line(&format!("  {similarity:.2}  {first}  {second}"))?;
    }
    Ok(())
}

pub(super) fn neighbours(args: &NeighboursArgs, workspace: &Workspace) -> Result<(), Failure> {
    let thoughts: Vec<Thought> =
        thoughts_of(workspace, args.reviewer.as_deref())?.into_iter().map(|(thought, _)| thought).collect();
    let place = thoughts.iter().position(|thought| thought.id == args.id);
    let place = place.ok_or_else(|| {
        Failure::failed(format!("no thought {}; `logwright review list --kind thought` names them", args.id))
    })?;
    let (basis, near): (Basis, Vec<Neighbour>) = match overview(&thoughts)? {
        Some(overview) => (Basis::Meaning, overview.nearest(place, args.count)),
        None => (Basis::Words, nearest_by_words(&thoughts, place, args.count)),
    };
    #[derive(Serialize)]
    struct Told<'a> {
        id: &'a str,
        task: Task,
        similarity: f64,
        challenge: &'a str,
    }
    let told = near.iter().map(|near| {
        let Thought { id, task, challenge, .. } = &thoughts[near.place];
        Told { id, task: *task, similarity: near.similarity, challenge }
    });
    if args.json {
        let neighbours: Vec<Told<'_>> = told.collect();
        return output::json(&serde_json::json!({ "id": args.id, "basis": basis, "neighbours": neighbours }));
    }
    for Told { id, task, similarity, challenge } in told {
        output::line(&format!("{similarity:.2}  {id}  {task}  {challenge}"))?;
    }
    Ok(())
}
