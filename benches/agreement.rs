//! Speed of agreement at the size of a large corpus: 1,000,000 templates × 5 annotators, one vote in ten missing.
//!
//! `cargo bench --bench agreement`; `TEMPLATES=100000` makes it smaller. Each figure is the median of five runs.

#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use jiff::Timestamp;
use logwright::labels::agreement::{Agreement, Bootstrap};
use logwright::labels::{Gold, GoldSource, Judgement, Label, Round, Taxonomy, Vote, VoteTable};
use logwright::logs::TemplateKey;

/// A stream of numbers that look random and are the same in every run.
fn noise(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn votes(templates: usize) -> Vec<Vote> {
    let categories = Taxonomy::default();
    let mut state = 1;
    let mut votes = Vec::with_capacity(templates * 5);
    for annotator in ["anna", "ben", "chidi", "dora", "emre"] {
        for template in 0..templates {
            if noise(&mut state).is_multiple_of(10) {
                continue;
            }
            let truth = (template * 2_654_435_761) % 100 < 20;
            let abnormal = truth ^ noise(&mut state).is_multiple_of(20);
            let category = categories.by_digit((noise(&mut state) % 5) as u8).cloned();
            let label = if abnormal { Label::Abnormal } else { Label::Normal };
            votes.push(Vote {
                template: TemplateKey::new("bgl", template.to_string()),
                annotator: annotator.into(),
                judgement: Judgement::of(label, category.filter(|_| abnormal)),
                round: Round::Blind,
                comment: None,
                revealed: false,
                elapsed_ms: None,
                others: None,
                at: Timestamp::UNIX_EPOCH,
            });
        }
    }
    votes
}

fn gold(templates: usize) -> BTreeMap<TemplateKey, Gold> {
    (0..templates)
        .map(|template| {
            let label = if (template * 2_654_435_761) % 100 < 20 { Label::Abnormal } else { Label::Normal };
            let gold = Gold { label, category: None, source: GoldSource::Ruling, by: None, reason: None, at: None };
            (TemplateKey::new("bgl", template.to_string()), gold)
        })
        .collect()
}

/// The median of five runs, in seconds.
fn median<T>(what: &str, mut work: impl FnMut() -> T) -> f64 {
    let mut seconds: Vec<f64> = (0..5)
        .map(|_| {
            let begun = Instant::now();
            black_box(work());
            begun.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    println!("{what:<55} {:>8.3} s", seconds[2]);
    seconds[2]
}

fn main() {
    let templates: usize = std::env::var("TEMPLATES").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let (votes, gold) = (votes(templates), gold(templates));
    println!("{templates} templates, {} votes, {} gold labels", votes.len(), gold.len());
    let table = VoteTable::of_round(&votes, Round::Blind, &gold);
    median("the table of a round, from votes in memory", || VoteTable::of_round(&votes, Round::Blind, &gold));
    let mut mixed = votes.clone();
    let mut state = 9;
    for last in (1..mixed.len()).rev() {
        mixed.swap(last, noise(&mut state) as usize % (last + 1));
    }
    // Cloned anew, so that each vote's text lies beside it as it does when read from the store.
    let mixed: Vec<Vote> = mixed.to_vec();
    median("the same, votes in no order", || VoteTable::of_round(&mixed, Round::Blind, &gold));
    let bare = median("every coefficient, no intervals", || Agreement::of(&table, Round::Blind, Bootstrap::none()));
    let full =
        median("every coefficient, 1,000 bootstraps", || Agreement::of(&table, Round::Blind, Bootstrap::new(1000, 1)));
    assert!(bare < 1.0 && full < 10.0 || templates > 1_000_000, "slower than promised");
}
