//! How the map of thoughts changes.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::super::effects::Effect as Review;
use super::super::entry::Entry;
use super::super::state::State as Pane;
use super::actions::Action;
use super::effects::{Effect, Message};
use super::scatter::{Direction, nearest, shares};
use super::state::{Made, Projection, Work};
use crate::reasoning::{ItemKind, Reviewable, Thought};
use crate::teacher::{TSNE_MOST, meaning};
use crate::tui::app::{self, Toast};
use crate::tui::panes::Shared;

/// The place of thoughts among the kinds.
const THOUGHTS: usize = ItemKind::Thought as usize;

/// Neighbours that are shown, and have a key.
pub(super) const NEIGHBOURS: usize = 5;

/// Opens the map on the thought under the cursor.
pub fn open(pane: &mut Pane) -> Vec<app::Effect> {
    pane.kind = THOUGHTS;
    if pane.queues[THOUGHTS].is_empty() {
        return vec![Toast::info("there are no thoughts yet to put on a map").into()];
    }
    let here = pane.selected().map(|entry| entry.id().to_owned());
    pane.map.open = true;
    pane.map.selected = here.or(pane.map.selected.take());
    pane.map.top.set(0);
    make(pane)
}

/// Lists thoughts in the order in which each adds most to those before, or as they came again.
pub fn toggle_order(pane: &mut Pane, shared: &Shared) -> Vec<app::Effect> {
    pane.kind = THOUGHTS;
    if pane.queues[THOUGHTS].is_empty() {
        return vec![Toast::info("there are no thoughts yet to put in order").into()];
    }
    pane.map.by_order = !pane.map.by_order;
    if !pane.map.by_order {
        let told = Toast::info("thoughts in the order in which they came");
        return vec![app::Effect::Review(Review::Load(shared.annotator.clone())), told.into()];
    }
    let mut effects = make(pane);
    if effects.is_empty() {
        effects = ordered(shared);
    }
    effects
}

fn ordered(shared: &Shared) -> Vec<app::Effect> {
    let told = Toast::info("thoughts in the order in which each adds most to those before");
    vec![app::Effect::Review(Review::Load(shared.annotator.clone())), told.into()]
}

/// Puts freshly read thoughts in order, if that is wanted and known.
pub fn sort(pane: &super::State, entries: &mut [Entry]) {
    let (true, Some(made)) = (pane.by_order, &pane.made) else { return };
    let order: std::collections::HashMap<&str, usize> = made
        .thoughts
        .iter()
        .enumerate()
        .map(|(place, thought)| (thought.id.as_str(), made.overview.order_of(place).unwrap_or(usize::MAX)))
        .collect();
    entries.sort_by_key(|entry| order.get(entry.id()).copied().unwrap_or(usize::MAX));
}

/// Has the map made, unless it is there and of these very thoughts.
fn make(pane: &mut Pane) -> Vec<app::Effect> {
    let thoughts: Vec<Thought> = pane.queues[THOUGHTS]
        .iter()
        .filter_map(|entry| match &entry.current {
            Reviewable::Thought(thought) => Some(thought.clone()),
            _ => None,
        })
        .collect();
    let map = &mut pane.map;
    let same = |made: &Made| {
        let key = |thought: &Thought| (thought.id.clone(), meaning(thought));
        let mut old: Vec<_> = made.thoughts.iter().map(key).collect();
        let mut new: Vec<_> = thoughts.iter().map(key).collect();
        old.sort();
        new.sort();
        old == new
    };
    if map.work.is_some() || map.made.as_ref().is_some_and(same) {
        return Vec::new();
    }
    let thoughts = Arc::new(thoughts);
    map.failure = None;
    let (ticket, stop) = start(map, "reading the thoughts");
    // What is there stays in sight until the new map comes, but for a t-SNE of other points.
    vec![app::Effect::Review(Review::Map(Effect::Make { ticket, thoughts, stop }))]
}

fn start(map: &mut super::State, what: &'static str) -> (u64, Arc<AtomicBool>) {
    map.tickets += 1;
    let stop = Arc::new(AtomicBool::new(false));
    map.work = Some(Work { ticket: map.tickets, stop: Arc::clone(&stop), what });
    (map.tickets, stop)
}

pub fn act(pane: &mut Pane, action: Action) -> Vec<app::Effect> {
    match action {
        Action::Left => go(pane, Direction::Left),
        Action::Right => go(pane, Direction::Right),
        Action::Up => go(pane, Direction::Up),
        Action::Down => go(pane, Direction::Down),
        Action::Neighbour(number) => {
            let map = &pane.map;
            let near = map.place().zip(map.made.as_ref()).and_then(|(place, made)| {
                let near = made.overview.nearest(place, NEIGHBOURS);
                near.get(usize::from(number).checked_sub(1)?).map(|near| near.place)
            });
            select(pane, near);
        }
        Action::NextChosen => chosen(pane, 1),
        Action::PreviousChosen => chosen(pane, -1),
        Action::Projection => return project(pane),
        Action::ScrollDown => pane.map.top.set(pane.map.top.get() + 5),
        Action::ScrollUp => pane.map.top.set(pane.map.top.get().saturating_sub(5)),
        Action::Show => {
            let mut effects = leave(pane);
            let id = pane.map.selected.as_deref();
            match pane.queues[THOUGHTS].iter().position(|entry| Some(entry.id()) == id) {
                Some(place) => pane.lists[THOUGHTS].select(place, &pane.queues[THOUGHTS]),
                None => effects.push(Toast::warning("the thought is gone").into()),
            }
            return effects;
        }
        Action::Leave => return leave(pane),
    }
    Vec::new()
}

/// Closes the map and breaks off what it waits for.
fn leave(pane: &mut Pane) -> Vec<app::Effect> {
    pane.map.open = false;
    let stop = pane.map.work.take().map(|work| app::Effect::Review(Review::Map(Effect::Stop(work.stop))));
    stop.into_iter().collect()
}

fn select(pane: &mut Pane, place: Option<usize>) {
    let map = &mut pane.map;
    let id = place.zip(map.made.as_ref()).map(|(place, made)| made.thoughts[place].id.clone());
    if id.is_some() && id != map.selected {
        map.selected = id;
        map.top.set(0);
    }
}

fn go(pane: &mut Pane, direction: Direction) {
    let points = shares(pane.map.points());
    let to = match pane.map.place() {
        Some(place) => nearest(&points, place, direction),
        None => (!points.is_empty()).then_some(0),
    };
    select(pane, to);
}

/// Goes along the order in which thoughts are chosen.
fn chosen(pane: &mut Pane, by: isize) {
    let map = &pane.map;
    let to = map.made.as_ref().and_then(|made| {
        let rank = map.place().and_then(|place| made.overview.order_of(place)).unwrap_or(0);
        let wanted = rank.checked_add_signed(by)?;
        (0..made.thoughts.len()).find(|place| made.overview.order_of(*place) == Some(wanted))
    });
    select(pane, to);
}

fn project(pane: &mut Pane) -> Vec<app::Effect> {
    let map = &mut pane.map;
    let Some(made) = &map.made else { return Vec::new() };
    if map.projection == Projection::Tsne {
        map.projection = Projection::Components;
        return Vec::new();
    }
    if made.tsne.is_some() {
        map.projection = Projection::Tsne;
        return Vec::new();
    }
    if made.thoughts.len() > TSNE_MOST {
        let told =
            format!("t-SNE of {} thoughts would take minutes: it is for {TSNE_MOST} at most", made.thoughts.len());
        return vec![Toast::warning(told).into()];
    }
    if map.work.is_some() {
        return Vec::new();
    }
    let overview = Arc::clone(&made.overview);
    let (ticket, stop) = start(map, "laying the map out");
    vec![app::Effect::Review(Review::Map(Effect::Tsne { ticket, overview, stop }))]
}

pub fn receive(pane: &mut Pane, message: Message, shared: &Shared) -> Vec<app::Effect> {
    let map = &mut pane.map;
    let (Message::Made(ticket, _) | Message::Laid(ticket, _) | Message::Stopped(ticket)) = &message;
    // What nobody waits for any more.
    if map.work.as_ref().is_none_or(|work| work.ticket != *ticket) {
        return Vec::new();
    }
    map.work = None;
    match message {
        Message::Stopped(_) => {}
        Message::Laid(_, points) => {
            if let Some(made) = &mut map.made {
                made.tsne = Some(points);
                map.projection = Projection::Tsne;
            }
        }
        Message::Made(_, Ok((thoughts, overview))) => {
            map.made = Some(Made { thoughts, overview, tsne: None });
            map.projection = Projection::Components;
            if map.place().is_none() {
                map.selected = None;
                select(pane, Some(0));
            }
            if pane.map.by_order {
                return ordered(shared);
            }
        }
        Message::Made(_, Err(why)) => {
            let by_order = std::mem::take(&mut map.by_order);
            if map.open {
                map.failure = Some(why);
            } else if by_order {
                return vec![Toast::warning(why).into()];
            }
        }
    }
    Vec::new()
}
