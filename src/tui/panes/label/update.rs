//! How the Label pane changes: actions and messages in, effects out. What concerns votes is in `voting`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;

use super::Action;
use super::actions::{BATCH, CATEGORY, ORDER};
use super::batch::Batch;
use super::context::AHEAD;
use super::effects::{Effect, Loaded, Message};
use super::guidelines;
use super::state::{Doing, Loading, State};
use crate::labels::Judgement;
use crate::labels::queue::Order;
use crate::labels::search::Query;
use crate::logs::SafeText;
use crate::tui::action::Mode;
use crate::tui::app::{self, Toast};
use crate::tui::overlays::{Page, Prompt};
use crate::tui::panes::{Pane, PaneId, Shared, reason};
use crate::tui::widgets::counted;

/// So long the cursor rests on a row before the row's details are drawn: a key held down sends the rows alone.
const REST: Duration = Duration::from_millis(60);

impl Pane for State {
    type Action = Action;
    type Message = Message;

    fn mode(&self) -> Mode {
        // A digit pressed ahead of the disk means what it will mean once the keys before it are dealt with.
        let doing = self.waiting.iter().fold(self.doing, |doing, action| match action {
            Action::Abnormal => Doing::Category,
            Action::Order => Doing::Order,
            Action::Category(_) | Action::NoCategory | Action::OrderBy(_) | Action::Cancel => Doing::Browsing,
            _ => doing,
        });
        match doing {
            Doing::Category => CATEGORY,
            Doing::Order => ORDER,
            Doing::Browsing if self.batch.is_some() => BATCH,
            Doing::Browsing => Mode::BROWSE,
        }
    }

    /// Reads again each time: others may have closed the round, or templates come in, meanwhile.
    fn enter(&mut self, shared: &Shared) -> Vec<app::Effect> {
        vec![app::Effect::Label(Effect::Load(shared.annotator.clone()))]
    }

    fn act(&mut self, action: Action, shared: &Shared) -> Vec<app::Effect> {
        if self.saving {
            self.waiting.push_back(action);
            return Vec::new();
        }
        let mut effects = self.carry_out(action, shared);
        let moves = matches!(
            action,
            Action::Down | Action::Up | Action::PageDown | Action::PageUp | Action::First | Action::Last
        );
        if moves {
            let message = Box::new(app::Message::Label(Message::Rested));
            effects.push(app::Effect::After { slot: "label-rest", wait: REST, message });
        } else {
            effects.extend(self.rest());
        }
        self.attend(shared);
        effects
    }

    fn receive(&mut self, message: Message, shared: &Shared) -> Vec<app::Effect> {
        let mut effects = self.take(message, shared);
        effects.extend(self.rest());
        self.attend(shared);
        effects
    }

    fn view(&self, shared: &Shared, frame: &mut Frame, area: Rect) {
        super::view::view(self, shared, frame, area);
    }

    fn bookmark(&self) -> Option<String> {
        let item = self.list.selected().map(|item| self.items[item].key.to_string()).or_else(|| self.wanted.clone())?;
        let order = self.list.order;
        Some(if order == Order::Imported { item } else { format!("{order} {item}") })
    }

    fn return_to(&mut self, bookmark: &str) {
        let (order, item) = match bookmark.split_once(' ') {
            Some((word, item)) if word.parse::<Order>().is_ok() => (word.parse().unwrap_or_default(), item),
            _ => (Order::Imported, bookmark),
        };
        self.list.order = order;
        self.wanted = Some(item.to_owned());
    }
}

impl State {
    fn carry_out(&mut self, action: Action, shared: &Shared) -> Vec<app::Effect> {
        match action {
            Action::Normal => return self.cast(Judgement::Normal, shared),
            Action::Unsure => return self.cast(Judgement::Unsure, shared),
            Action::Skip => return self.cast(Judgement::Skip, shared),
            Action::Category(digit) => {
                if let Some(category) = shared.taxonomy.by_digit(digit) {
                    return self.cast(Judgement::Abnormal(Some(category.clone())), shared);
                }
            }
            Action::NoCategory => return self.cast(Judgement::Abnormal(None), shared),
            Action::Abnormal => match self.refusal() {
                Some(refusal) => return refusal,
                None => self.doing = Doing::Category,
            },
            Action::Cancel => self.doing = Doing::Browsing,
            Action::Order => self.doing = Doing::Order,
            Action::OrderBy(digit) => return self.order_by(digit),
            Action::Undo => {
                self.saving = true;
                return vec![app::Effect::Label(Effect::Undo(shared.annotator.clone()))];
            }
            Action::Redo => {
                self.saving = true;
                return vec![app::Effect::Label(Effect::Redo(shared.annotator.clone()))];
            }
            Action::Flag => {
                let Some(item) = self.selected_item() else { return Vec::new() };
                let flag = Effect::Flag(item.key.clone(), shared.annotator.clone(), !item.flagged);
                return vec![app::Effect::Label(flag)];
            }
            Action::Comment => return self.ask_for_comment(),
            Action::NextOpen => return self.go_to_next_open(),
            Action::Filter => return vec![filter(&self.list.query.words)],
            Action::Fuzzy => return vec![fuzzy(&self.list.query.fuzzy)],
            Action::Back => self.back(),
            Action::Mark => self.mark(),
            Action::MarkAll => {
                if let Some(batch) = &mut self.batch {
                    batch.toggle_all();
                }
            }
            Action::NearDuplicates => return self.show_near_duplicates(),
            Action::Marked => {
                if self.marked.is_empty() {
                    return vec![Toast::info("nothing is marked: x marks the row under the cursor").into()];
                }
                self.batch = Some(Batch::of_marked(&self.marked, &self.list.visible));
            }
            Action::NextOccurrence => self.step_occurrence(1),
            Action::PreviousOccurrence => self.step_occurrence(-1),
            Action::MoreLines => self.contexts.widen(1),
            Action::FewerLines => self.contexts.widen(-1),
            Action::SameNode => self.contexts.same_node = !self.contexts.same_node,
            Action::Guidelines => return vec![app::Effect::Label(Effect::Guidelines { edit: false })],
            Action::Summary => return vec![app::Effect::Page(Page::new("This session", self.session.text()))],
            Action::OpenTrace => return self.open_trace(),
            Action::Copy => {
                let text = self.selected_item().map(|item| item.text.as_str().to_owned());
                return text.map(app::Effect::Copy).into_iter().collect();
            }
            Action::Down | Action::Up | Action::PageDown | Action::PageUp | Action::First | Action::Last => {
                self.travel(action);
            }
        }
        Vec::new()
    }

    fn take(&mut self, message: Message, shared: &Shared) -> Vec<app::Effect> {
        match message {
            Message::Loaded(Ok(loaded)) => return self.take_items(loaded),
            Message::Loaded(Err(why)) => self.loading = Loading::Failed(SafeText::one_line(&why)),
            Message::Saved(votes) => {
                let mut effects = self.saved(&votes);
                effects.extend(self.catch_up(shared));
                return effects;
            }
            Message::Undone(restored) => {
                let mut effects = self.undone(restored);
                effects.extend(self.catch_up(shared));
                return effects;
            }
            Message::Redone(restored) => {
                let mut effects = self.redone(restored);
                effects.extend(self.catch_up(shared));
                return effects;
            }
            Message::Failed(why) => {
                // What was asked on the strength of a vote that failed is not done to another template.
                self.saving = false;
                self.casting = None;
                self.waiting.clear();
                return vec![Toast::error(why).into()];
            }
            Message::Flagged(key, raised) => {
                if let Some(index) = self.index_of(&key) {
                    self.items[index].flagged = raised;
                }
            }
            Message::Related(near, list) if list == self.near_of => {
                self.near = Some(near);
                if self.list.pending {
                    // Who stands on the first row while waiting for the order wants to see how it begins.
                    let on_top = self.list.row == 0;
                    self.list.arrange(self.list.order, &self.items, self.near.as_deref());
                    if on_top {
                        self.list.row = 0;
                    }
                }
            }
            Message::Related(..) | Message::Rested => {}
            Message::Context(ask, found) => self.contexts.take(ask, found),
            Message::Guidelines(Ok(text), false) => return vec![guidelines::page(text.as_deref())],
            Message::Guidelines(Ok(text), true) => return vec![guidelines::edit(text.as_deref())],
            Message::Guidelines(Err(why), _) => return vec![Toast::error(why).into()],
            Message::EditGuidelines => return vec![app::Effect::Label(Effect::Guidelines { edit: true })],
            Message::GuidelinesEdited(text) => return guidelines::edited(text),
            Message::Filter(words) => self.list.search(Query { words, ..self.list.query.clone() }),
            Message::Fuzzy(fuzzy) => self.list.search(Query { fuzzy, ..self.list.query.clone() }),
            Message::Comment(text) => return self.comment(text, shared),
            Message::GoTo(key) => match self.index_of(&key) {
                Some(index) => self.list.select(index, &self.items),
                None if self.items.is_empty() => self.wanted = Some(key.to_string()),
                None => {}
            },
        }
        Vec::new()
    }

    /// The cursor rests: its row's details are drawn, and the lines around its occurrences and the next rows' are read.
    fn rest(&mut self) -> Vec<app::Effect> {
        let selected = self.selected_index();
        if self.shown != selected {
            self.shown = selected;
            self.contexts.rewind();
        }
        let Some(shown) = self.shown.and_then(|shown| self.items.get(shown)) else { return Vec::new() };
        let ahead = if self.batch.is_some() { 0 } else { AHEAD };
        let asks = self.contexts.wanted(shown, self.list.next(ahead).map(|item| &self.items[item]));
        // The last to be asked for is read first.
        asks.into_iter().rev().map(|ask| app::Effect::Label(Effect::Context(ask))).collect()
    }

    /// Starts the stopwatch anew when another item came under the cursor.
    fn attend(&mut self, shared: &Shared) {
        let selected = self.selected_index();
        if self.watched != selected {
            self.watched = selected;
            self.watch.restart(shared.now);
        }
    }

    /// Takes a freshly read list, keeping the selection, or going where the last session was left.
    fn take_items(&mut self, loaded: Loaded) -> Vec<app::Effect> {
        let Loaded { items, seen, closed } = loaded;
        let key_of = |index: usize| self.items[index].key.clone();
        let wanted = self.list.selected().map(|item| key_of(item).to_string()).or(self.wanted.take());
        let last = self.last.map(key_of);
        let marked: Vec<_> = self.marked.iter().map(|item| key_of(*item)).collect();
        self.seen.extend(seen);
        self.closed = closed;
        self.items = items;
        let revealed = self.items.iter().filter(|item| item.revealed().is_some());
        self.seen.extend(revealed.map(|item| item.key.clone()));
        self.count_judged();
        self.loading = Loading::Done;
        self.last = last.and_then(|key| self.index_of(&key));
        self.marked = marked.iter().filter_map(|key| self.index_of(key)).collect();
        self.batch = None;
        self.shown = None;
        self.watched = None;
        self.contexts.forget();
        let mut hasher = DefaultHasher::new();
        for item in &self.items {
            item.text.as_str().hash(&mut hasher);
        }
        let mut effects = Vec::new();
        let list = hasher.finish();
        if self.near_of != list {
            (self.near, self.near_of) = (None, list);
            let texts = self.items.iter().map(|item| item.text.as_str().to_owned()).collect();
            effects.push(app::Effect::Label(Effect::Relate(Arc::new(texts), list)));
        }
        self.list.read(&self.items);
        self.list.arrange(self.list.order, &self.items, self.near.as_deref());
        let found = wanted.and_then(|name| self.items.iter().position(|item| item.key.to_string() == name));
        match found {
            Some(index) => self.list.select(index, &self.items),
            // The first start: the first template that waits for a vote.
            None => {
                self.list.row = self.list.visible.len().saturating_sub(1);
                if !self.list.select_next_open(&self.items) {
                    self.list.row = 0;
                }
            }
        }
        effects
    }

    fn order_by(&mut self, digit: u8) -> Vec<app::Effect> {
        self.doing = Doing::Browsing;
        let Some(order) = usize::from(digit).checked_sub(1).and_then(|place| Order::ALL.get(place)) else {
            return Vec::new();
        };
        self.list.arrange(*order, &self.items, self.near.as_deref());
        self.list.row = 0;
        Vec::new()
    }

    /// One step back: out of the batch, else no filter any more, else no marks.
    fn back(&mut self) {
        if self.batch.take().is_some() {
            return;
        }
        if self.list.query.is_empty() {
            self.marked.clear();
        } else {
            self.list.search(Query::default());
        }
    }

    fn mark(&mut self) {
        if let Some(batch) = &mut self.batch {
            return batch.toggle();
        }
        if let Some(item) = self.list.selected() {
            if !self.marked.remove(&item) {
                self.marked.insert(item);
            }
            self.list.step(1);
        }
    }

    fn show_near_duplicates(&mut self) -> Vec<app::Effect> {
        let Some(item) = self.list.selected() else { return Vec::new() };
        let Some(near) = &self.near else {
            return vec![Toast::info("near-duplicates are still being looked for").into()];
        };
        let near = near.of_item(item);
        if near.is_empty() {
            return vec![Toast::info("no other template says almost the same").into()];
        }
        let text = format!("{} found; what has your vote already is not ticked", counted(near.len(), "near-duplicate"));
        self.batch = Some(Batch::of_near_duplicates(item, near, &self.items));
        vec![Toast::info(text).into()]
    }

    /// Opens the trace of the contested verdict. It says what a model thinks of the template: a vote after that is no
    /// blind one.
    fn open_trace(&mut self) -> Vec<app::Effect> {
        let Some((key, contested)) =
            self.selected_item().and_then(|item| Some((item.key.clone(), item.contested.clone()?)))
        else {
            return vec![Toast::info("nobody contests a verdict on this template").into()];
        };
        self.seen.insert(key);
        let open = reason::Message::Open(contested.trace);
        vec![app::Effect::Show(PaneId::Reason), app::Effect::Send(Box::new(app::Message::Reason(open)))]
    }

    fn step_occurrence(&mut self, by: i64) {
        if let Some(item) = self.shown.map(|item| &self.items[item]) {
            self.contexts.step(item, by);
        }
    }

    fn travel(&mut self, action: Action) {
        let rows = self.batch.as_ref().map_or(&self.list.rows, |batch| &batch.view);
        let page = isize::try_from(rows.page()).unwrap_or(isize::MAX);
        let by = match action {
            Action::Down => 1,
            Action::Up => -1,
            Action::PageDown => page,
            Action::PageUp => -page,
            Action::Last => isize::MAX,
            _ => isize::MIN,
        };
        match &mut self.batch {
            Some(batch) => batch.step(by),
            None => self.list.step(by),
        }
    }
}

fn filter(words: &str) -> app::Effect {
    let set = |text| app::Message::Label(Message::Filter(text));
    Prompt::line("Filter: words that a template must hold", words, set)
        .on_change(set)
        .on_cancel(|| app::Message::Label(Message::Filter(String::new())))
        .into()
}

fn fuzzy(letters: &str) -> app::Effect {
    let set = |text| app::Message::Label(Message::Fuzzy(text));
    Prompt::line("Fuzzy: letters in order, best match first", letters, set)
        .on_change(set)
        .on_cancel(|| app::Message::Label(Message::Fuzzy(String::new())))
        .into()
}
