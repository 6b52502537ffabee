//! What a panel corrected, as RationAnomaly's Table 1 shows it: by direction, error category and dataset, with examples.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Category, Correction, Label, LabelledTemplate, Taxonomy};
use crate::logs::TemplateKey;

/// Corrections counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table1 {
    /// How many templates there are.
    pub templates: usize,
    /// How many have an original and a gold label, so that they could be corrected.
    pub compared: usize,
    /// How many were corrected.
    pub corrections: usize,
    /// By direction.
    pub directions: Directions,
    /// By direction and category: `normal` to `abnormal` of each category of the taxonomy, then of others that were
    /// named, then of none; then `abnormal` to `normal`.
    pub rows: Vec<Table1Row>,
    /// By dataset, in order of name.
    pub datasets: Vec<DatasetRow>,
}

/// Corrections by direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Directions {
    /// Called normal, but trouble.
    pub normal_to_abnormal: usize,
    /// Called abnormal, but expected.
    pub abnormal_to_normal: usize,
}

impl Directions {
    fn add(&mut self, correction: &Correction) {
        match correction.gold {
            Label::Abnormal => self.normal_to_abnormal += 1,
            Label::Normal => self.abnormal_to_normal += 1,
        }
    }
}

/// The corrections of one direction and category.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table1Row {
    /// The original label.
    pub from: Label,
    /// The gold label.
    pub to: Label,
    /// The error category of what became abnormal; null where none was named, and for what became normal.
    pub category: Option<Category>,
    /// How many.
    pub corrections: usize,
    /// How many in each dataset.
    pub datasets: BTreeMap<String, usize>,
    /// A few of them, the most frequent templates first.
    pub examples: Vec<Example>,
}

/// A corrected template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Which.
    #[serde(flatten)]
    pub key: TemplateKey,
    /// Its text.
    pub template: String,
    /// How often it occurred.
    pub count: u64,
    /// Why it was corrected.
    pub reason: Option<String>,
}

/// The corrections of one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatasetRow {
    /// Which.
    pub dataset: String,
    /// How many templates it has.
    pub templates: usize,
    /// How many of them were corrected, by direction.
    #[serde(flatten)]
    pub directions: Directions,
}

impl Table1 {
    /// Counts `corrections` of `templates`, of which `compared` have an original and a gold label, giving at most
    /// `examples` of each row.
    pub fn of(
        templates: &[LabelledTemplate],
        compared: usize,
        corrections: &[Correction],
        taxonomy: &Taxonomy,
        examples: usize,
    ) -> Self {
        let occurrences: BTreeMap<&TemplateKey, u64> =
            templates.iter().map(|labelled| (&labelled.template.key, labelled.count)).collect();
        let mut datasets: BTreeMap<&str, (usize, Directions)> = BTreeMap::new();
        for labelled in templates {
            datasets.entry(&labelled.template.key.dataset).or_default().0 += 1;
        }
        let mut directions = Directions::default();
        let mut kinds: Vec<(Label, Option<&Category>)> =
            taxonomy.categories().iter().map(|category| (Label::Abnormal, Some(category))).collect();
        let mut others: Vec<_> = corrections.iter().map(kind).filter(|kind| !kinds.contains(kind)).collect();
        // What became abnormal first, and of that what has no category last; then what became normal.
        others.sort_unstable_by_key(|(to, category)| (*to == Label::Normal, category.is_none(), *category));
        others.dedup();
        kinds.extend(others);
        for correction in corrections {
            directions.add(correction);
            datasets.entry(&correction.template.dataset).or_default().1.add(correction);
        }
        let row = |(to, category): (Label, Option<&Category>)| {
            let mut of_kind: Vec<&Correction> = corrections.iter().filter(|c| kind(c) == (to, category)).collect();
            let count = |correction: &Correction| occurrences.get(&correction.template).copied().unwrap_or(0);
            of_kind.sort_by_key(|correction| (std::cmp::Reverse(count(correction)), &correction.template));
            let mut datasets: BTreeMap<String, usize> = BTreeMap::new();
            for correction in &of_kind {
                *datasets.entry(correction.template.dataset.clone()).or_default() += 1;
            }
            Table1Row {
                from: if to == Label::Abnormal { Label::Normal } else { Label::Abnormal },
                to,
                category: category.cloned(),
                corrections: of_kind.len(),
                datasets,
                examples: of_kind
                    .iter()
                    .take(examples)
                    .map(|correction| example(correction, count(correction)))
                    .collect(),
            }
        };
        Self {
            templates: templates.len(),
            compared,
            corrections: corrections.len(),
            directions,
            rows: kinds.into_iter().map(row).collect(),
            datasets: datasets
                .into_iter()
                .map(|(dataset, (templates, directions))| DatasetRow {
                    dataset: dataset.to_owned(),
                    templates,
                    directions,
                })
                .collect(),
        }
    }
}

/// What became of it, and of which category that is.
fn kind(correction: &Correction) -> (Label, Option<&Category>) {
    match correction.gold {
        Label::Abnormal => (Label::Abnormal, correction.category.as_ref()),
        Label::Normal => (Label::Normal, None),
    }
}

fn example(correction: &Correction, count: u64) -> Example {
    Example {
        key: correction.template.clone(),
        template: correction.text.clone(),
        count,
        reason: correction.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::GoldSource;
    use crate::logs::Template;

    fn template(dataset: &str, id: &str, count: u64) -> LabelledTemplate {
        let template = Template { key: TemplateKey::new(dataset, id), text: format!("text {id}") };
        LabelledTemplate { template, original: Some(Label::Normal), category: None, count }
    }

    fn correction(dataset: &str, id: &str, gold: Label, category: Option<&str>) -> Correction {
        Correction {
            template: TemplateKey::new(dataset, id),
            text: format!("text {id}"),
            original: if gold == Label::Normal { Label::Abnormal } else { Label::Normal },
            gold,
            category: category.and_then(Category::new),
            source: GoldSource::Ruling,
            by: Some("mei".into()),
            reason: None,
        }
    }

    #[test]
    fn corrections_are_counted_by_direction_category_and_dataset() {
        use Label::{Abnormal, Normal};
        let templates: Vec<_> =
            (1..=6).map(|id: u64| template(if id < 5 { "bgl" } else { "spirit" }, &id.to_string(), id * 10)).collect();
        let corrections = [
            correction("bgl", "1", Abnormal, Some("network issue")),
            correction("bgl", "2", Abnormal, None),
            correction("bgl", "3", Normal, None),
            correction("spirit", "5", Abnormal, Some("network issue")),
            correction("spirit", "6", Abnormal, Some("cosmic ray")),
        ];
        let table = Table1::of(&templates, 6, &corrections, &Taxonomy::default(), 1);
        assert_eq!(table.directions, Directions { normal_to_abnormal: 4, abnormal_to_normal: 1 });
        let rows: Vec<_> = table
            .rows
            .iter()
            .map(|row| (row.to, row.category.as_ref().map(Category::as_str), row.corrections))
            .collect();
        let expected = [
            (Abnormal, Some("system error"), 0),
            (Abnormal, Some("network issue"), 2),
            (Abnormal, Some("hardware failure"), 0),
            (Abnormal, Some("software exception"), 0),
            (Abnormal, Some("cosmic ray"), 1),
            (Abnormal, None, 1),
            (Normal, None, 1),
        ];
        assert_eq!(rows, expected);
        assert_eq!(table.rows[1].examples.len(), 1);
        assert_eq!(table.rows[1].examples[0].key.id, "5", "the most frequent one");
        assert_eq!(table.rows[1].datasets, BTreeMap::from([("bgl".into(), 1), ("spirit".into(), 1)]));
        assert_eq!(table.datasets[1].directions.normal_to_abnormal, 2);
        assert_eq!((table.datasets[0].templates, table.datasets[1].templates), (4, 2));
    }
}
