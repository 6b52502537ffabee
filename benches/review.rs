//! Speed of the trouble queue: 10,000 rationales of some ninety words, near-duplicates among them, held against 10,000
//! gold labels.
//!
//! `cargo bench --bench review`; `ITEMS=2000` makes it smaller. Each figure is the median of five runs.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use logwright::labels::Label;
use logwright::logs::TemplateKey;
use logwright::reasoning::{
    Background, Beside, Decided, Findings, GoldByText, Rationale, ReviewRule, Reviewable, Standing, Task, Trouble,
};
use serde_json::Map;

/// A stream of numbers that look random and are the same in every run.
fn noise(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Words are drawn as in a language: few are frequent, many are rare.
fn words(state: &mut u64, count: usize) -> Vec<String> {
    let mut word = || {
        let rank = 3_000.0_f64.powf((noise(state) % 10_000) as f64 / 10_000.0) as u64;
        let letter = |n: u64| char::from(b'a' + (n % 26) as u8);
        [letter(rank), letter(rank / 26), letter(rank / 676), letter(rank * 7), letter(rank * 11)].iter().collect()
    };
    (0..count).map(|_| word()).collect()
}

fn rationales(items: usize) -> Vec<Reviewable> {
    let mut state = 1;
    let mut last = Vec::new();
    (0..items)
        .map(|n| {
            // Every fifth says nearly what the one before it said.
            if n % 5 == 4 {
                last[7] = format!("other{n}");
            } else {
                last = words(&mut state, 90);
            }
            let steps: Vec<String> =
                (1..).zip(last.chunks(18)).map(|(n, step)| format!("{n}. {}.", step.join(" "))).collect();
            let log = format!("kernel: {} at 0x{n:x}", last[..6].join(" "));
            Reviewable::Rationale(Rationale {
                id: n.to_string(),
                task: Task::Anomaly,
                instruction: String::new(),
                label: if n % 7 == 0 { "abnormal" } else { "normal" }.into(),
                category: None,
                reasoning: format!(
                    "<think>{}\nIt says \"{}\".</think><answer>normal</answer>",
                    steps.join("\n"),
                    last[..3].join(" ")
                ),
                input: log,
                source: None,
                attributes: Map::new(),
            })
        })
        .collect()
}

fn main() {
    let items: usize = std::env::var("ITEMS").ok().and_then(|items| items.parse().ok()).unwrap_or(10_000);
    let items = rationales(items);
    let templates: Vec<(TemplateKey, &str)> =
        items.iter().map(|item| (TemplateKey::new("bench", item.id()), item.input())).collect();
    let gold = GoldByText::of(templates.iter().map(|(key, text)| (key, *text, Label::Normal)));
    let beside: Vec<Beside<'_>> = items.iter().map(|current| Beside { current, standing: Standing::Pending }).collect();
    let mut compared: Vec<Duration> = Vec::new();
    let mut judged: Vec<Duration> = Vec::new();
    let mut flagged = 0;
    for _ in 0..5 {
        let start = Instant::now();
        let background = Background::of(black_box(&beside), gold.clone(), ReviewRule::default());
        compared.push(start.elapsed());
        let start = Instant::now();
        let findings: Vec<Findings> = items
            .iter()
            .map(|item| {
                let truth = background.gold().truth(item).and_then(|truth| truth.label);
                background.findings(item, &Decided::of(item, &[], truth, 1))
            })
            .collect();
        judged.push(start.elapsed());
        flagged = black_box(findings).iter().filter(|found| found.troubles.contains(&Trouble::NearDuplicate)).count();
    }
    compared.sort();
    judged.sort();
    println!("{} items, {flagged} of them near-duplicates", items.len());
    println!("all compared with each other: {:.0} ms", compared[2].as_secs_f64() * 1e3);
    println!("each judged:                  {:.0} ms", judged[2].as_secs_f64() * 1e3);
}
