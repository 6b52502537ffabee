//! What the Label pane shows.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Action;
use super::batch::Batch;
use super::context::Contexts;
use super::listing::Listing;
use super::summary::Session;
use super::watch::Stopwatch;
use crate::evaluation::{ContestedBy, Reveal};
use crate::labels::Judgement;
use crate::labels::near_duplicates::NearDuplicates;
use crate::labels::queue::Entry;
use crate::logs::{SafeText, TemplateKey};

/// A template in the list.
#[derive(Clone, Debug)]
pub struct Item {
    /// Which template.
    pub key: TemplateKey,
    /// Its name on the screen: dataset and id.
    pub name: SafeText,
    /// Its text, on one line.
    pub text: SafeText,
    /// How often it occurred.
    pub count: u64,
    /// Occurrence lines that came with it.
    pub samples: Vec<SafeText>,
    /// The annotator's own judgement, if there is one.
    pub own: Option<Judgement>,
    /// What the annotator added to it, raw: it goes into the text area again.
    pub comment: Option<String>,
    /// Whether the annotator has flagged it.
    pub flagged: bool,
    /// The trace of a model's verdict on it that somebody contests.
    pub contested: Option<ContestedBy>,
    /// What is hidden until the annotator has given a label. Read it through [`Item::revealed`].
    pub hidden: Reveal,
}

impl Item {
    /// The original label and the suggestion, once the annotator has said normal or abnormal. Unsure and skip commit to
    /// nothing, so they reveal nothing: a later label is still a blind one.
    pub fn revealed(&self) -> Option<&Reveal> {
        let committed = self.own.as_ref().is_some_and(|own| own.label().is_some());
        committed.then_some(&self.hidden)
    }

    /// What the orders of the queue may know of it.
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            text: self.text.as_str(),
            count: self.count,
            own: self.own.as_ref(),
            flagged: self.flagged,
            contested: self.contested.is_some(),
            suggestion: self.hidden.suggestion.as_ref().map(|suggestion| suggestion.label),
        }
    }
}

/// How far the list has come from the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Loading {
    /// On its way, or about to be asked for.
    #[default]
    Waiting,
    /// It could not be read.
    Failed(SafeText),
    /// It is here.
    Done,
}

/// What the keys mean now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Doing {
    /// Going through the list, or through the rows of a batch.
    #[default]
    Browsing,
    /// Choosing the category of something abnormal.
    Category,
    /// Choosing the order of the queue.
    Order,
}

/// The Label pane.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(super) loading: Loading,
    pub(super) items: Vec<Item>,
    /// Which of them are in sight, in which order, and where the cursor is.
    pub(super) list: Listing,
    pub(super) doing: Doing,
    /// Rows that are to be decided together, once they are shown.
    pub(super) batch: Option<Batch>,
    /// Rows marked to be decided together.
    pub(super) marked: HashSet<usize>,
    /// Which templates say almost the same, once that is found out; and of which texts that was.
    pub(super) near: Option<Arc<NearDuplicates>>,
    pub(super) near_of: u64,
    /// Whether a decision is on its way to the disk.
    pub(super) saving: bool,
    /// What is on its way, and how long it took to decide; `None` where that is only a comment.
    pub(super) casting: Option<(Judgement, u64)>,
    /// What was asked while a decision was on its way, in order.
    pub(super) waiting: VecDeque<Action>,
    /// The item that the last vote of this session was on.
    pub(super) last: Option<usize>,
    /// Why no votes are taken here, where the blind round is closed.
    pub(super) closed: Option<String>,
    /// How many templates have a judgement of the annotator's own.
    pub(super) judged: usize,
    /// What was done since the start.
    pub(super) session: Session,
    /// Comments that wait for a vote, raw.
    pub(super) drafts: HashMap<TemplateKey, String>,
    /// What was revealed to the annotator: a later vote on it is no blind one, also if the vote before was taken back.
    pub(super) seen: HashSet<TemplateKey>,
    /// The template to select once the list is here.
    pub(super) wanted: Option<String>,
    /// The item whose details are drawn: the selected one, or, while the cursor is moving, the one that it left.
    pub(super) shown: Option<usize>,
    pub(super) contexts: Contexts,
    pub(super) watch: Stopwatch,
    /// The item that the stopwatch runs for.
    pub(super) watched: Option<usize>,
}

impl State {
    /// The index of the item under the cursor: of the list, or of the batch that is shown.
    pub(super) fn selected_index(&self) -> Option<usize> {
        match &self.batch {
            Some(batch) => batch.selected(),
            None => self.list.selected(),
        }
    }

    /// The item under the cursor.
    pub(super) fn selected_item(&self) -> Option<&Item> {
        self.items.get(self.selected_index()?)
    }

    /// The item whose details are drawn.
    pub(super) fn shown_item(&self) -> Option<&Item> {
        self.items.get(self.shown?)
    }

    /// Counts the templates that have a judgement of the annotator's own; once for each change, not for each frame.
    pub(super) fn count_judged(&mut self) {
        self.judged = self.items.iter().filter(|item| item.own.is_some()).count();
    }

    /// The place of a template in the list of items.
    pub(super) fn index_of(&self, key: &TemplateKey) -> Option<usize> {
        self.items.iter().position(|item| item.key == *key)
    }

    /// Some time went by before a key; `attended` if this pane was in front, with nothing over it.
    pub fn time_passed(&mut self, now: Duration, attended: bool) {
        self.watch.pass(now, attended);
    }

    /// What was done since the start, in one line, if anything was.
    pub fn farewell(&self) -> Option<String> {
        self.session.line()
    }
}
