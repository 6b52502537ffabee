//! Speed of the Label pane on 100,000 templates: filtering as one types, from the key to the drawn frame; near-duplicates;
//! label errors; the orders of the queue.
//!
//! `cargo bench --bench label`. The goal for a key is 10 ms; the slowest are those that match almost everything.

#![allow(missing_docs, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use crossterm::event::{Event, KeyCode};
use logwright::evaluation::Reveal;
use logwright::labels::near_duplicates::NearDuplicates;
use logwright::labels::queue::{Entry, Order, arrange};
use logwright::labels::search::{Haystack, Query, best_first, search};
use logwright::labels::{Judgement, Label, Taxonomy};
use logwright::logs::{SafeText, TemplateKey};
use logwright::tui::app::{AppState, Message, update};
use logwright::tui::keys::{Key, Keymap};
use logwright::tui::model::ModelStanding;
use logwright::tui::panes::Shared;
use logwright::tui::panes::label::{self, Item, Loaded};
use logwright::tui::session::Session;
use logwright::tui::theme::Theme;
use logwright::tui::view::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

const TEMPLATES: usize = 100_000;

/// Texts like those of log templates: 4 to 15 words, few of them frequent; one in three is a near-duplicate of another.
fn texts() -> Vec<String> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let syllables = ["ker", "nel", "pan", "ic", "er", "ror", "link", "ci", "od", "tor", "us", "par", "it", "y", "fan"];
    let word = |mut n: usize| {
        let mut word = String::new();
        for _ in 0..2 + n % 3 {
            word.push_str(syllables[n % syllables.len()]);
            n = n / syllables.len() + 7 * n + 1;
        }
        word
    };
    let mut texts: Vec<String> = Vec::with_capacity(TEMPLATES);
    while texts.len() < TEMPLATES {
        if !texts.is_empty() && random(3) == 0 {
            let mut words: Vec<String> = texts[random(texts.len())].split(' ').map(str::to_owned).collect();
            let at = random(words.len());
            words[at] = word(random(4000));
            texts.push(words.join(" "));
            continue;
        }
        let words = (0..4 + random(12)).map(|_| {
            let below = 1 << (4 + random(9));
            if random(6) == 0 { "<*>".to_owned() } else { word(random(below)) }
        });
        texts.push(words.collect::<Vec<_>>().join(" "));
    }
    texts
}

/// Types queries into the pane letter by letter; prints how long a key takes, from the event to the drawn frame.
fn typing(texts: &[String]) {
    let item = |(index, text): (usize, &String)| {
        let key = TemplateKey::new("bgl", index.to_string());
        Item {
            name: SafeText::one_line(&key.to_string()),
            key,
            text: SafeText::one_line(text),
            count: index as u64,
            samples: Vec::new(),
            own: None,
            comment: None,
            flagged: false,
            contested: None,
            hidden: Reveal::default(),
        }
    };
    let shared = Shared {
        project: "bench".to_owned(),
        annotator: "anna".to_owned(),
        taxonomy: Taxonomy::default(),
        model_name: String::new(),
        model: ModelStanding::Unknown,
        theme: Theme::coloured(),
        now: Duration::ZERO,
    };
    let mut state = AppState::new(shared, Keymap::defaults());
    let _ = state.start(&Session::default());
    let items = texts.iter().enumerate().map(item).collect();
    let loaded = Loaded { items, ..Loaded::default() };
    let _ = update(&mut state, Message::Label(label::Message::Loaded(Ok(loaded))));
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).unwrap();
    for (opens, query) in [('/', "error kernel"), ('/', "e r o p"), (';', "ertorfan"), (';', "e r n")] {
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..8 {
            let mut press = |key: Key| {
                let begun = Instant::now();
                let _ = update(&mut state, Message::Input(vec![Event::Key(key.to_event())]));
                terminal.draw(|frame| view(&state, frame)).unwrap();
                begun.elapsed()
            };
            press(Key::char(opens));
            // Typed, and taken back letter by letter.
            times.extend(query.chars().map(|letter| press(Key::char(letter))));
            times.extend(query.chars().map(|_| press(Key::code(KeyCode::Backspace))));
            press(Key::code(KeyCode::Esc));
        }
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
        println!(
            "typing {opens} {query:?}: {:.1} ms a key (median), {:.1} ms (95 %), {:.1} ms (slowest of {})",
            at(0.5),
            at(0.95),
            at(1.0),
            times.len()
        );
    }
}

fn label_pane(criterion: &mut Criterion) {
    let texts = texts();
    typing(&texts);
    let bytes: usize = texts.iter().map(String::len).sum();
    println!("{} templates, {} bytes on average", texts.len(), bytes / texts.len());
    let mut group = criterion.benchmark_group("100,000 templates");
    group.sample_size(20).measurement_time(Duration::from_secs(3));

    let haystack = Haystack::new(&texts);
    let all: Vec<usize> = (0..texts.len()).collect();
    for (words, fuzzy) in
        [("e", ""), ("er", ""), ("error", ""), ("error kernel", ""), ("", "e"), ("", "er"), ("", "ertor"), ("e", "e r")]
    {
        let query = Query { words: words.to_owned(), fuzzy: fuzzy.to_owned() };
        let found = search(&haystack, &query, &all).len();
        group.bench_function(format!("search \"{words}\" ~\"{fuzzy}\", {found} match"), |bencher| {
            bencher.iter(|| best_first(&search(&haystack, &query, &all)).len());
        });
    }

    group.sample_size(10);
    let near = NearDuplicates::of(&texts);
    let groups: std::collections::BTreeSet<usize> = (0..near.len()).map(|item| near.group_of(item)).collect();
    println!("{} groups", groups.len());
    group.bench_function("near-duplicates of all", |bencher| bencher.iter(|| NearDuplicates::of(&texts).len()));
    group.bench_function("near-duplicates of one", |bencher| {
        let mut item = 0;
        bencher.iter(|| {
            item = (item + 7919) % TEMPLATES;
            near.of_item(item).len()
        });
    });

    let own: Vec<Judgement> = texts
        .iter()
        .map(|text| Judgement::of(if text.contains("error") { Label::Abnormal } else { Label::Normal }, None))
        .collect();
    let entries: Vec<Entry<'_>> = texts
        .iter()
        .zip(&own)
        .enumerate()
        .map(|(index, (text, own))| Entry {
            text,
            count: (index * 7919 % 1013) as u64,
            own: Some(own),
            flagged: index % 17 == 0,
            contested: index % 23 == 0,
            suggestion: Some(if index % 9 == 0 { Label::Abnormal } else { Label::Normal }),
        })
        .collect();
    for order in Order::ALL {
        group.bench_function(format!("order {order}"), |bencher| {
            bencher.iter(|| arrange(order, &entries, Some(&near)).unwrap().len());
        });
    }
    group.finish();
}

criterion_group!(benches, label_pane);
criterion_main!(benches);
