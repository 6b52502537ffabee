//! What a machine would say of a template: shown to an annotator only after a label of their own.

use serde::Serialize;
use serde_json::Value;

use super::KeywordRule;
use crate::labels::Label;
use crate::workspace::TemplateRecord;

/// A machine's label for a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The label.
    pub label: Label,
    /// The model or rule that says so.
    pub by: String,
}

/// Suggests labels: a model's, where the templates came with a column `suggestion` (and `suggested_by`, the model's name),
/// else the keyword rule's.
#[derive(Debug, Clone, Default)]
pub struct Suggester {
    rule: KeywordRule,
}

impl Suggester {
    /// What to suggest for a template. It knows nothing of the label that the template came with.
    pub fn suggest(&self, record: &TemplateRecord) -> Suggestion {
        let attribute = |name: &str| record.attributes.get(name).and_then(Value::as_str).map(str::trim);
        match attribute("suggestion").and_then(|word| word.parse().ok()) {
            Some(label) => {
                let by = attribute("suggested_by").filter(|name| !name.is_empty()).unwrap_or("model").to_owned();
                Suggestion { label, by }
            }
            None => Suggestion { label: self.rule.judge(record.text()), by: format!("{} rule", KeywordRule::NAME) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::LabelledTemplate;
    use crate::logs::{Template, TemplateKey};

    fn record(text: &str, attributes: Value) -> TemplateRecord {
        let template = Template { key: TemplateKey::new("bgl", "1"), text: text.to_owned() };
        TemplateRecord {
            labelled: LabelledTemplate { template, original: Some(Label::Normal), category: None, count: 1 },
            imported_gold: None,
            attributes: attributes.as_object().cloned().unwrap_or_default(),
        }
    }

    #[test]
    fn a_models_word_goes_before_the_rules() {
        let suggester = Suggester::default();
        let own = suggester.suggest(&record("kernel panic", serde_json::json!({})));
        assert_eq!((own.label, own.by.as_str()), (Label::Abnormal, "keyword rule"));
        let columns = serde_json::json!({ "suggestion": "normal", "suggested_by": "smollm2" });
        let given = suggester.suggest(&record("kernel panic", columns));
        assert_eq!((given.label, given.by.as_str()), (Label::Normal, "smollm2"));
        let blank = suggester.suggest(&record("kernel panic", serde_json::json!({ "suggestion": "" })));
        assert_eq!(blank.by, "keyword rule");
    }
}
