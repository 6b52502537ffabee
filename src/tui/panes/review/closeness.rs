//! What thoughts have to do with one another: which lie nearest to which, by meaning where there is an encoder, else by words;
//! and which mean the same. It is found out in a thread once the queue was read, and again once a thought reads otherwise.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::effects::{Effect, Message};
use super::state::State;
use crate::labels::near_duplicates::NearDuplicates;
use crate::model::{Embedder, KeptEmbedder};
use crate::reasoning::neighbours::{SAME_MEANING, SAME_WORDS, Vectors};
use crate::reasoning::{Alike, ItemKind, Likeness, Reviewable, Thought};
use crate::teacher::{alike_of, meaning, points, step_counts};
use crate::tui::app;
use crate::tui::effects::{Edge, Job};
use crate::tui::panes::PaneId;

/// Neighbours that are shown of a thought.
pub(super) const NEIGHBOURS: usize = 5;

/// Thoughts by what they say, as they read when it was found out.
#[derive(Debug)]
pub struct Closeness {
    thoughts: Arc<Vec<Thought>>,
    places: HashMap<String, usize>,
    words: NearDuplicates,
    points: Option<Vectors>,
}

/// A thought near to another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NearThought {
    pub id: String,
    pub challenge: String,
    pub similarity: f64,
    /// Whether they say the same.
    pub same: bool,
}

/// What is around one thought.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Around {
    /// The nearest ones, the nearest first, and by what they are near.
    pub near: Vec<NearThought>,
    pub by: Likeness,
    /// How many thoughts have how many steps.
    pub steps: BTreeMap<usize, usize>,
}

impl Closeness {
    fn of(thoughts: Arc<Vec<Thought>>, points: Option<Vectors>) -> Self {
        let texts: Vec<String> = thoughts.iter().map(meaning).collect();
        let places = thoughts.iter().enumerate().map(|(place, thought)| (thought.id.clone(), place)).collect();
        Self { words: NearDuplicates::of(&texts), places, points, thoughts }
    }

    /// What is around the thought of this id.
    pub(super) fn around(&self, id: &str) -> Option<Around> {
        let place = *self.places.get(id)?;
        let (near, by, same): (Vec<(usize, f64)>, _, _) = match &self.points {
            Some(points) => {
                let near = points.nearest(place, NEIGHBOURS).into_iter();
                (near.map(|near| (near.place, near.similarity)).collect(), Likeness::Meaning, SAME_MEANING)
            }
            None => (self.words.nearest(place, NEIGHBOURS), Likeness::Words, SAME_WORDS),
        };
        let near = near.into_iter().map(|(place, similarity)| {
            let Thought { id, challenge, .. } = &self.thoughts[place];
            NearThought { id: id.clone(), challenge: challenge.clone(), similarity, same: similarity >= same }
        });
        Some(Around { near: near.collect(), by, steps: step_counts(self.thoughts.iter()) })
    }

    /// Which of them mean the same; nothing where that is not known.
    fn alike(&self) -> Option<Vec<Alike>> {
        Some(alike_of(&self.thoughts, self.points.as_ref()?))
    }
}

/// What was found out, with the number of the request.
#[derive(Debug)]
pub struct Found {
    pub(super) ticket: u64,
    pub(super) closeness: Closeness,
    /// Which thoughts mean the same; nothing where that is not known.
    pub(super) alike: Option<Vec<Alike>>,
}

/// Has it found out, unless it is known of these very thoughts, or there is nothing to find out.
pub(super) fn look(state: &mut State) -> Vec<app::Effect> {
    let thoughts: Vec<Thought> = state.queues[ItemKind::Thought as usize]
        .iter()
        .filter_map(|entry| match &entry.current {
            Reviewable::Thought(thought) => Some(thought.clone()),
            _ => None,
        })
        .collect();
    let known = state.closeness.as_ref().is_some_and(|known| {
        known.thoughts.len() == thoughts.len()
            && thoughts
                .iter()
                .all(|thought| known.places.get(&thought.id).is_some_and(|place| known.thoughts[*place] == *thought))
    });
    let asked = state.looking.as_ref().is_some_and(|asked| **asked == thoughts);
    if known || asked || thoughts.is_empty() {
        return Vec::new();
    }
    let thoughts = Arc::new(thoughts);
    state.looks += 1;
    state.looking = Some(Arc::clone(&thoughts));
    vec![app::Effect::Review(Effect::Compare { ticket: state.looks, thoughts })]
}

/// Takes in what was found out. Only the newest answer counts.
pub(super) fn found(state: &mut State, found: Found, reviewer: &str) {
    if found.ticket != state.looks {
        return;
    }
    state.looking = None;
    state.closeness = Some(found.closeness);
    state.around = None;
    if let Some(alike) = found.alike {
        let changed = state.board.mean_alike(ItemKind::Thought, alike);
        state.judge_again(ItemKind::Thought, &changed, reviewer);
        if std::mem::take(&mut state.relist) {
            state.list_under_trouble(ItemKind::Thought, &changed);
            let kind = ItemKind::Thought as usize;
            state.lists[kind].arrange(&state.queues[kind]);
        }
    }
}

/// Compares thoughts on a thread: by words at once, by meaning where there is an encoder.
pub(super) fn run(ticket: u64, thoughts: Arc<Vec<Thought>>, edge: &mut Edge) {
    if Embedder::installed().is_none() {
        return edge.think(move || app::Message::Review(Message::Compared(Box::new(by_words(ticket, thoughts)))));
    }
    edge.spawn_unasked(PaneId::Review, "reading thoughts", move |job| {
        let found = by_meaning(ticket, &thoughts, job);
        let (found, end) = match found {
            Ok(Some(found)) => (found, Ok(())),
            // Better by words than not at all.
            Ok(None) => (by_words(ticket, thoughts), Ok(())),
            Err(why) => (by_words(ticket, thoughts), Err(why)),
        };
        job.tell(app::Message::Review(Message::Compared(Box::new(found))));
        end
    });
}

/// The comparison where there is no encoder.
pub(super) fn by_words(ticket: u64, thoughts: Arc<Vec<Thought>>) -> Found {
    Found { ticket, closeness: Closeness::of(thoughts, None), alike: None }
}

/// The comparison of points that are there.
pub(super) fn by_points(ticket: u64, thoughts: Arc<Vec<Thought>>, points: Vectors) -> Found {
    let closeness = Closeness::of(thoughts, Some(points));
    Found { ticket, alike: closeness.alike(), closeness }
}

fn by_meaning(ticket: u64, thoughts: &Arc<Vec<Thought>>, job: &Job) -> Result<Option<Found>, String> {
    let encoder = KeptEmbedder::open().map_err(|error| error.to_string())?;
    let total = thoughts.len();
    let go_on = &mut |done| {
        job.progress(format!("{done}/{total}"));
        if job.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let points = points(&encoder, thoughts, go_on).map_err(|error| error.to_string())?;
    Ok(points.map(|points| by_points(ticket, Arc::clone(thoughts), points)))
}
