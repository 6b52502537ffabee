//! All thoughts of a project at a glance: a map by meaning, what is nearest to what, what says the same, and the order in
//! which they add to each other. The Review pane and `review thoughts` both ask here.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::super::TeacherError;
use crate::labels::near_duplicates::wording;
use crate::model::{KeptEmbedder, close_pairs};
use crate::reasoning::dpp::{Kernel, greedy_map};
use crate::reasoning::neighbours::{NearPair, Neighbour, SAME_MEANING, SAME_WORDS, Vectors, by_words};
use crate::reasoning::projection::{Components, Point, TsneSettings, principal_components, tsne};
use crate::reasoning::{Alike, ItemKind, Reviewable, Thought};

/// More points than this take t-SNE minutes: every one is weighed against every other.
pub const TSNE_MOST: usize = 3_000;

/// What a thought means: the text by which it is compared with others.
pub fn meaning(thought: &Thought) -> String {
    std::iter::once(&thought.challenge).chain(&thought.steps).map(String::as_str).collect::<Vec<_>>().join("\n")
}

/// How many thoughts have how many steps.
pub fn step_counts<'a>(thoughts: impl IntoIterator<Item = &'a Thought>) -> BTreeMap<usize, usize> {
    let mut counts = BTreeMap::new();
    for thought in thoughts {
        *counts.entry(thought.steps.len()).or_default() += 1;
    }
    counts
}

/// Thoughts as points, by their place in the list that they were made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    points: Vectors,
    components: Components,
    /// As which each is chosen, from 1; `None` where it adds nothing to those before.
    order: Vec<Option<usize>>,
    same: Vec<NearPair>,
}

impl Overview {
    /// Embeds thoughts and looks at them. `go_on` hears how many are embedded; `None` where it breaks off.
    ///
    /// # Errors
    /// When a text cannot be embedded.
    pub fn of(
        embedder: &KeptEmbedder,
        thoughts: &[Thought],
        go_on: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> Result<Option<Self>, TeacherError> {
        points(embedder, thoughts, go_on)?.map(Self::of_points).transpose()
    }

    /// The same of points that are there already.
    ///
    /// # Errors
    /// When they cannot be chosen from.
    pub fn of_points(points: Vectors) -> Result<Self, TeacherError> {
        let choices = greedy_map(&points, &[], Kernel::default(), points.len());
        let choices = choices.map_err(|error| TeacherError::Invalid(error.to_string()))?;
        let mut order = vec![None; points.len()];
        for (choice, rank) in choices.iter().zip(1..) {
            order[choice.place] = Some(rank);
        }
        Ok(Self { components: principal_components(&points), same: same_by_meaning(&points), order, points })
    }

    /// How many thoughts there are.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The map by principal components, and the shares of the variance that its axes show.
    pub fn components(&self) -> &Components {
        &self.components
    }

    /// The map by t-SNE. `go_on` hears the number of the step, of [`TsneSettings::default`]'s; `None` where it breaks off.
    pub fn tsne(&self, go_on: &mut dyn FnMut(usize) -> ControlFlow<()>) -> Option<Vec<Point>> {
        tsne(&self.points, TsneSettings::default(), go_on)
    }

    /// As which a thought is chosen where each adds as much as it can to those before, from 1; `None` for one that adds nothing.
    pub fn order_of(&self, place: usize) -> Option<usize> {
        self.order.get(place).copied().flatten()
    }

    /// The thoughts nearest in meaning to one: nearest first.
    pub fn nearest(&self, place: usize, count: usize) -> Vec<Neighbour> {
        self.points.nearest(place, count)
    }

    /// Pairs that say the same in other words.
    pub fn same(&self) -> &[NearPair] {
        &self.same
    }
}

/// Thoughts as points by their meaning. `go_on` hears how many are embedded; `None` where it breaks off.
///
/// # Errors
/// When a text cannot be embedded.
pub fn points(
    embedder: &KeptEmbedder,
    thoughts: &[Thought],
    go_on: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Vectors>, TeacherError> {
    let texts: Vec<String> = thoughts.iter().map(meaning).collect();
    let invalid = |error: &dyn std::fmt::Display| TeacherError::Invalid(error.to_string());
    let Some(embeddings) = embedder.embed(&texts, go_on).map_err(|error| invalid(&error))? else {
        return Ok(None);
    };
    Vectors::new(embedder.width(), embeddings).map(Some).map_err(|error| invalid(&error))
}

/// Pairs of points that say the same.
pub fn same_by_meaning(points: &Vectors) -> Vec<NearPair> {
    // Matrix products find what may be, in single precision; the cosine decides.
    let near = close_pairs(points.width(), points.values(), SAME_MEANING as f32 - 1e-4).into_iter();
    let pairs = near.map(|(first, second, _)| NearPair { first, second, similarity: points.cosine(first, second) });
    pairs.filter(|pair| pair.similarity >= SAME_MEANING).collect()
}

/// The thoughts that mean the same, for the queue of trouble. `go_on` hears how many are embedded; `None` where it breaks off.
///
/// # Errors
/// When a text cannot be embedded.
pub fn alike(
    embedder: &KeptEmbedder,
    thoughts: &[Thought],
    go_on: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Result<Option<Vec<Alike>>, TeacherError> {
    Ok(points(embedder, thoughts, go_on)?.map(|points| alike_of(thoughts, &points)))
}

/// The same of points that are there already. Thoughts in the same words are left out: the queue knows them as repeating each
/// other by that, and thousands of copies would make millions of pairs.
pub fn alike_of(thoughts: &[Thought], points: &Vectors) -> Vec<Alike> {
    let wordings: Vec<Vec<u64>> =
        thoughts.iter().map(|thought| wording(&Reviewable::Thought(thought.clone()).text())).collect();
    let named = |pair: NearPair| Alike {
        kind: ItemKind::Thought,
        first: thoughts[pair.first].id.clone(),
        second: thoughts[pair.second].id.clone(),
        similarity: pair.similarity,
    };
    let told = same_by_meaning(points).into_iter();
    told.filter(|pair| wordings[pair.first] != wordings[pair.second]).map(named).collect()
}

/// The thoughts nearest to one by their words, for where the encoder is not on this machine.
pub fn nearest_by_words(thoughts: &[Thought], place: usize, count: usize) -> Vec<Neighbour> {
    let texts: Vec<String> = thoughts.iter().map(meaning).collect();
    by_words::nearest(&texts, place, count)
}

/// Pairs that say the same in nearly the same words.
pub fn same_by_words(thoughts: &[Thought]) -> Vec<NearPair> {
    let texts: Vec<String> = thoughts.iter().map(meaning).collect();
    by_words::pairs_from(&texts, SAME_WORDS)
}
