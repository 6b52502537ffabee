//! What is held true of an item's log: the gold label of the template whose text it is, else the item's own label.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::labels::Label;
use crate::logs::TemplateKey;
use crate::reasoning::{Reviewable, Task};

/// Where the truth about an item is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TruthSource {
    /// The gold label of a template.
    Gold,
    /// The label that the item came with.
    Item,
}

/// What is held true of an item's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Truth {
    /// The right answer.
    pub answer: String,
    /// The same as a label, in the anomaly task, where it is one.
    pub label: Option<Label>,
    /// Where it is from.
    pub source: TruthSource,
    /// The templates with a gold label that the item is about.
    pub templates: Vec<TemplateKey>,
    /// Whether these have different gold labels, so that the item's own label decides.
    pub divided: bool,
}

/// Gold labels by the text of their templates, white space normalised.
#[derive(Debug, Clone, Default)]
pub struct GoldByText {
    by_text: HashMap<String, Vec<(TemplateKey, Label)>>,
    text_of: HashMap<TemplateKey, String>,
}

impl GoldByText {
    /// Gathers the templates that have a gold label: key, text and label of each.
    pub fn of<'a>(templates: impl IntoIterator<Item = (&'a TemplateKey, &'a str, Label)>) -> Self {
        let mut gold = Self::default();
        for (key, text, label) in templates {
            let text = normal(text);
            gold.text_of.insert(key.clone(), text.clone());
            gold.by_text.entry(text).or_default().push((key.clone(), label));
        }
        gold
    }

    /// What is held true of an item's log; `None` for a thought, which is about none.
    ///
    /// An item names its template by the attributes `dataset` and `template`, or its dataset alone; else all templates
    /// count that have its log for their text. Only the anomaly task asks for what gold labels say.
    pub fn truth(&self, item: &Reviewable) -> Option<Truth> {
        let (task, label, input, attributes) = match item {
            Reviewable::Rationale(item) => (item.task, &item.label, &item.input, &item.attributes),
            Reviewable::Pair(item) => (item.task, &item.label, &item.input, &item.attributes),
            Reviewable::Thought(_) => return None,
        };
        let own = Truth {
            answer: label.clone(),
            label: item.label(),
            source: TruthSource::Item,
            templates: Vec::new(),
            divided: false,
        };
        if task != Task::Anomaly {
            return Some(own);
        }
        let meant = self.meant(input, attributes);
        let Some(&&(_, gold)) = meant.first() else { return Some(own) };
        let divided = meant.iter().any(|(_, label)| *label != gold);
        let templates = meant.iter().map(|(key, _)| key.clone()).collect();
        Some(if divided {
            Truth { templates, divided, ..own }
        } else {
            Truth { answer: gold.as_str().to_owned(), label: Some(gold), source: TruthSource::Gold, templates, divided }
        })
    }

    /// The templates that an item is about.
    fn meant(&self, input: &str, attributes: &Map<String, Value>) -> Vec<&(TemplateKey, Label)> {
        let named = |name: &str| attributes.get(name).and_then(Value::as_str);
        let (dataset, template) = (named("dataset"), named("template"));
        if let (Some(dataset), Some(template)) = (dataset, template) {
            let key = TemplateKey::new(dataset, template);
            if let Some(known) = self.text_of.get(&key).and_then(|text| self.by_text.get(text)) {
                return known.iter().filter(|(other, _)| *other == key).collect();
            }
        }
        let all = || self.by_text.get(&normal(input)).into_iter().flatten();
        let of_dataset: Vec<_> = all().filter(|(key, _)| Some(key.dataset.as_str()) == dataset).collect();
        if of_dataset.is_empty() { all().collect() } else { of_dataset }
    }
}

/// Each run of white space one blank.
fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
