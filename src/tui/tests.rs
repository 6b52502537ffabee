//! The whole workbench on the demo's data, under keys that nobody would press.

use crossbeam_channel::{Receiver, unbounded};
use crossterm::event::{Event, KeyCode};
use proptest::prelude::*;

use super::app::{AppState, Effect, Message, update};
use super::effects::{Courier, Edge, Envelope};
use super::keys::Key;
use super::panes::{PaneId, label, panel, review};
use super::testing::{CountingScreen, survives_any_size, workbench};
use crate::workspace::open_or_create_demo;

/// A workbench with a store behind it. Only what reads and writes the store is carried out: no job is started.
struct Bench {
    state: AppState,
    edge: Edge,
    inbox: Receiver<Envelope>,
}

impl Bench {
    fn open(dir: &std::path::Path, pane: PaneId) -> Self {
        let (sender, inbox) = unbounded();
        let workspace = open_or_create_demo(dir).expect("the demo is whole");
        let edge = Edge::start(workspace, Courier::new(sender)).expect("there is a thread to be had");
        let mut bench = Self { state: workbench(pane), edge, inbox };
        let first = bench.state.start(&bench.state.session());
        bench.carry_out(first);
        bench
    }

    fn press(&mut self, key: Key) {
        let effects = update(&mut self.state, Message::Input(vec![Event::Key(key.to_event())]));
        self.carry_out(effects);
    }

    /// Carries out effects, and what follows from them, until all is quiet. Each errand of these panes answers once.
    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut queue = std::collections::VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            match effect {
                Effect::Label(effect) => label::run(effect, &mut self.edge),
                Effect::Panel(panel::Effect::WritePatch(_)) => continue,
                Effect::Panel(effect) => panel::run(effect, &mut self.edge),
                Effect::Review(review::Effect::AskAgain { .. }) => continue,
                Effect::Review(effect) => review::run(effect, &mut self.edge),
                Effect::After { message, .. } => {
                    queue.extend(update(&mut self.state, *message));
                    continue;
                }
                _ => continue,
            }
            let answer = self.inbox.recv().expect("the store answers");
            queue.extend(update(&mut self.state, answer.message));
        }
    }
}

fn any_key() -> impl Strategy<Value = Key> {
    let named = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Backspace,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::PageDown,
        KeyCode::PageUp,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::F(5),
    ];
    prop_oneof![
        4 => proptest::char::range('!', '~').prop_map(Key::char),
        3 => proptest::sample::select(named.to_vec()).prop_map(Key::code),
        1 => proptest::char::range('a', 'z').prop_map(Key::ctrl),
        1 => proptest::sample::select(vec!['é', '電', '\u{1f525}', '\u{301}', ' ']).prop_map(Key::char),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_keys_breaks_the_workbench(
        keys in proptest::collection::vec(any_key(), 0..80),
        pane in proptest::sample::select(&PaneId::ALL[..]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut bench = Bench::open(dir.path(), pane);
        for key in keys {
            bench.press(key);
        }
        survives_any_size(&bench.state);
    }
}

#[test]
fn leaving_does_not_wait_for_what_nobody_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut edge = Bench::open(dir.path(), PaneId::Label).edge;
    let (asked, stopped) = crossbeam_channel::bounded(1);
    edge.spawn_unasked(PaneId::Train, "estimate", |_| {
        std::thread::sleep(std::time::Duration::from_secs(20));
        Ok(())
    });
    edge.spawn(PaneId::Train, "sft", move |job| {
        while !job.is_cancelled() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        asked.send(()).map_err(|error| error.to_string())
    });
    let begun = std::time::Instant::now();
    assert_eq!(edge.finish(std::time::Duration::from_secs(10)), 0);
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(stopped.try_recv().is_ok(), "what loses something has ended by itself");
}

#[test]
fn votes_on_the_screen_are_votes_in_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), PaneId::Label);
    for key in ['n', 'a', '3', 'u', 's', 'z'] {
        bench.press(Key::char(key));
    }
    let Bench { edge, .. } = bench;
    assert_eq!(edge.finish(std::time::Duration::ZERO), 0);
    let votes = open_or_create_demo(dir.path()).unwrap().votes().unwrap();
    let words: Vec<&str> = votes.iter().filter(|v| v.annotator == "anna").map(|v| v.judgement.word()).collect();
    assert_eq!(words, ["normal", "abnormal", "unsure"]);
}

#[test]
fn a_ruling_and_its_undo_reach_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), PaneId::Panel);
    // Nobody sees a case before their own vote, or before the blind round is closed.
    bench.press(Key::char('C'));
    bench.press(Key::char('y'));
    let rule = |bench: &mut Bench| {
        bench.press(Key::char('N'));
        for letter in "routine".chars() {
            bench.press(Key::char(letter));
        }
        bench.press(Key::code(KeyCode::Enter));
    };
    let rulings = || {
        let gold = open_or_create_demo(dir.path()).unwrap().gold().unwrap();
        gold.values().filter(|gold| gold.by.as_deref() == Some("anna")).count()
    };
    rule(&mut bench);
    rule(&mut bench);
    assert_eq!(rulings(), 2);
    bench.press(Key::char('U'));
    assert_eq!(rulings(), 1);
}

/// The bytes that a move of the cursor sends, at once and once it rests: the demo's first page, row by row.
fn bytes_of_moves(width: u16, height: u16, key: KeyCode) -> (Vec<usize>, Vec<usize>) {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(dir.path(), PaneId::Label);
    let mut screen = CountingScreen::new(width, height);
    screen.draw(&bench.state);
    if key == KeyCode::Up {
        (0..6).for_each(|_| bench.press(Key::code(KeyCode::Down)));
        screen.draw(&bench.state);
    }
    let (mut at_once, mut at_rest) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        let effects = update(&mut bench.state, Message::Input(vec![Event::Key(Key::code(key).to_event())]));
        at_once.push(screen.draw(&bench.state));
        bench.carry_out(effects);
        at_rest.push(screen.draw(&bench.state));
    }
    (at_once, at_rest)
}

#[test]
fn a_move_of_the_cursor_sends_at_most_300_bytes() {
    for (width, height) in [(80, 24), (200, 60)] {
        for key in [KeyCode::Down, KeyCode::Up] {
            let (at_once, at_rest) = bytes_of_moves(width, height, key);
            println!("{width}x{height} {key:?}: {at_once:?} at once, {at_rest:?} more at rest");
            assert!(at_once.iter().all(|bytes| *bytes <= 60), "{width}x{height}: {at_once:?}");
        }
    }
}
