//! The coefficients against `krippendorff`, `irrCAC` and scikit-learn: on the examples that their own documentation
//! computes, and on 1,000 random tables with missing votes. `fixtures/agreement/make.py` asked them; nothing here does.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use jiff::Timestamp;
use logwright::labels::agreement::{
    Agreement, Bootstrap, Coefficient, CountTable, cohen_kappa, fleiss, gwet_ac1, krippendorff_alpha, precision_recall,
};
use logwright::labels::{Category, Gold, GoldSource, Judgement, Label, Round, Vote, VoteTable};
use logwright::logs::TemplateKey;
use serde::Deserialize;

#[derive(Deserialize)]
struct Documented {
    tables: Vec<DocumentedTable>,
    cohen_kappa_score: DocumentedKappa,
    precision_recall: DocumentedSharing,
}

#[derive(Deserialize)]
struct DocumentedTable {
    name: String,
    categories: usize,
    ratings: Vec<Vec<Option<usize>>>,
    alpha: f64,
    fleiss: f64,
    ac1: f64,
}

#[derive(Deserialize)]
struct DocumentedKappa {
    categories: usize,
    confusion: Vec<u64>,
    kappa: f64,
}

#[derive(Deserialize)]
struct DocumentedSharing {
    confusion: [u64; 4],
    precision: f64,
    recall: f64,
}

/// A random table and what the packages make of it; null where they have no number.
#[derive(Deserialize)]
struct Table {
    /// A row for each template: the votes, then gold. `0` normal, `1` abnormal, `2` abnormal of category c, `.` nothing.
    rows: Vec<String>,
    alpha: Option<f64>,
    fleiss: Option<f64>,
    ac1: Option<f64>,
    /// How many templates both judged, and the kappa.
    cohen: Vec<(u64, Option<f64>)>,
    /// How many have gold; percent, kappa, precision, recall.
    gold: Vec<(u64, [Option<f64>; 4])>,
    alpha_of_c: Option<f64>,
}

#[track_caller]
fn same(ours: Coefficient, theirs: Option<f64>, what: &str) {
    match (ours, theirs) {
        (Ok(ours), Some(theirs)) => assert!((ours - theirs).abs() < 1e-9, "{what}: {ours} here, {theirs} there"),
        (Err(_), None) => (),
        (ours, theirs) => panic!("{what}: {ours:?} here, {theirs:?} there"),
    }
}

#[test]
fn the_documented_examples_of_three_packages() {
    let text = include_str!("fixtures/agreement/documented.json");
    let documented: Documented = serde_json::from_str(text).unwrap();
    assert!(documented.tables.len() >= 6);
    for table in documented.tables {
        let counts = CountTable::of_ratings(table.categories, &table.ratings);
        same(krippendorff_alpha(&counts, counts.templates()), Some(table.alpha), &table.name);
        same(fleiss(&counts, counts.templates()), Some(table.fleiss), &table.name);
        same(gwet_ac1(&counts, counts.templates()), Some(table.ac1), &table.name);
    }
    let DocumentedKappa { categories, confusion, kappa } = documented.cohen_kappa_score;
    same(cohen_kappa(categories, &confusion), Some(kappa), "cohen_kappa_score");
    let (precision, recall) = precision_recall(documented.precision_recall.confusion);
    same(precision, Some(documented.precision_recall.precision), "precision_score");
    same(recall, Some(documented.precision_recall.recall), "recall_score");
}

/// The table as votes and gold, as a workspace would have them.
fn vote_table(rows: &[String]) -> VoteTable {
    let mut votes = Vec::new();
    let mut gold = BTreeMap::new();
    for (id, row) in rows.iter().enumerate() {
        let key = TemplateKey::new("t", id.to_string());
        let (cells, last) = row.split_at(row.len() - 1);
        for (annotator, cell) in cells.chars().enumerate() {
            let judgement = match cell {
                '0' => Judgement::Normal,
                '1' => Judgement::Abnormal(None),
                '2' => Judgement::Abnormal(Category::new("c")),
                _ if id % 2 == 0 => Judgement::Unsure,
                _ => continue,
            };
            votes.push(Vote { template: key.clone(), annotator: annotator.to_string(), judgement, ..vote() });
        }
        let label = match last {
            "0" => Label::Normal,
            "1" => Label::Abnormal,
            _ => continue,
        };
        let came = Gold { label, category: None, source: GoldSource::Import, by: None, reason: None, at: None };
        gold.insert(key, came);
    }
    VoteTable::of_round(&votes, Round::Blind, &gold)
}

fn vote() -> Vote {
    Vote {
        template: TemplateKey::new("", ""),
        annotator: String::new(),
        judgement: Judgement::Normal,
        round: Round::Blind,
        comment: None,
        revealed: false,
        elapsed_ms: None,
        others: None,
        at: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn a_thousand_random_tables_with_missing_votes() {
    let tables: Vec<Table> = include_str!("fixtures/agreement/tables.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(tables.len(), 1000);
    let mut with_alpha = 0;
    for (number, table) in tables.into_iter().enumerate() {
        let votes = vote_table(&table.rows);
        let agreement = Agreement::of(&votes, Round::Blind, Bootstrap::none());
        let at = |figure: &str| format!("table {number}, {figure}");
        with_alpha += usize::from(table.alpha.is_some());
        same(agreement.krippendorff_alpha.value, table.alpha, &at("alpha"));
        same(agreement.fleiss.value, table.fleiss, &at("fleiss"));
        same(agreement.gwet_ac1.value, table.ac1, &at("ac1"));
        let category = agreement.categories.first();
        let of_c =
            category.map_or(Err(logwright::labels::agreement::Undefined::NeverSaid), |c| c.krippendorff_alpha.value);
        same(of_c, table.alpha_of_c, &at("alpha of a category"));

        // Whoever gave no label at all has no column here.
        let width = table.rows[0].len() - 1;
        let spoke: Vec<usize> =
            (0..width).filter(|&annotator| table.rows.iter().any(|row| row.as_bytes()[annotator] != b'.')).collect();
        assert_eq!(agreement.annotators, spoke.len());
        let mut pairs = agreement.cohen.iter();
        let mut expected = table.cohen.iter();
        for a in 0..width {
            for b in a + 1..width {
                let &(n, kappa) = expected.next().unwrap();
                if spoke.contains(&a) && spoke.contains(&b) {
                    let pair = pairs.next().unwrap();
                    assert_eq!((pair.a.as_str(), pair.b.as_str()), (&*a.to_string(), &*b.to_string()));
                    assert_eq!(pair.kappa.n, n);
                    same(pair.kappa.value, kappa, &at("cohen"));
                } else {
                    assert_eq!(n, 0);
                }
            }
        }
        for row in &agreement.against_gold {
            let (n, [percent, kappa, precision, recall]) = table.gold[row.annotator.parse::<usize>().unwrap()];
            assert_eq!(row.n, n);
            same(row.percent_estimate().value, percent, &at("percent against gold"));
            same(row.cohen.value, kappa, &at("kappa against gold"));
            same(row.precision.value, precision, &at("precision"));
            same(row.recall.value, recall, &at("recall"));
        }
        if agreement.against_gold.is_empty() {
            assert!(table.gold.iter().all(|gold| gold.0 == 0));
        }
    }
    assert!(with_alpha > 700, "only {with_alpha} tables have an alpha");
}

#[test]
fn json_has_no_nan_and_every_null_has_its_reason() {
    for line in include_str!("fixtures/agreement/tables.jsonl").lines().take(200) {
        let table: Table = serde_json::from_str(line).unwrap();
        let agreement = Agreement::of(&vote_table(&table.rows), Round::Blind, Bootstrap::new(50, 3));
        let json = serde_json::to_value(&agreement).unwrap();
        for key in ["krippendorff_alpha", "fleiss", "gwet_ac1"] {
            let undefined = agreement.undefined.iter().any(|note| note.figure == key);
            assert_eq!(json[key]["value"].is_null(), undefined, "{key}");
            for end in ["low", "high", "n"] {
                assert!(json[key].get(end).is_some());
            }
            if let (Some(value), Some(low), Some(high)) =
                (json[key]["value"].as_f64(), json[key]["low"].as_f64(), json[key]["high"].as_f64())
            {
                assert!(low <= high && low <= value + 0.5 && value <= 1.0 + 1e-12);
            }
        }
    }
}
