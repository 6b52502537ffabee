//! Where two recipes differ.

use crate::training::Recipe;

/// The settings in which two recipes differ: name, and the value of each; `–` where one does not have it.
pub(super) fn differences(front: &Recipe, other: &Recipe) -> Vec<(String, String, String)> {
    let (front, other) = (settings(front), settings(other));
    let mut names: Vec<&String> = front.iter().chain(&other).map(|(name, _)| name).collect();
    // What is optimised comes first: it explains the rest.
    names.sort_by_key(|name| (*name != "objective", *name));
    names.dedup();
    let value = |settings: &[(String, String)], name: &str| {
        settings.iter().find(|(known, _)| known == name).map_or_else(|| "–".to_owned(), |(_, value)| value.clone())
    };
    names
        .into_iter()
        .map(|name| (name.clone(), value(&front, name), value(&other, name)))
        .filter(|(_, front, other)| front != other)
        .collect()
}

/// Every setting by its path, as the recipe's file has it.
fn settings(recipe: &Recipe) -> Vec<(String, String)> {
    let Ok(toml::Value::Table(table)) = toml::Value::try_from(recipe) else { return Vec::new() };
    let mut found = Vec::new();
    let mut open = vec![(String::new(), toml::Value::Table(table))];
    while let Some((path, value)) = open.pop() {
        match value {
            toml::Value::Table(table) => open.extend(
                table
                    .into_iter()
                    .map(|(key, value)| (if path.is_empty() { key } else { format!("{path}.{key}") }, value)),
            ),
            value => found.push((path, value.to_string())),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_by_its_path() {
        let one = Recipe::default();
        let mut two = Recipe::default();
        (two.lora.rank, two.length.steps) = (16, Some(60));
        let expected = [("length.steps", "–", "60"), ("lora.rank", "8", "16")];
        let found = differences(&one, &two);
        let found: Vec<(&str, &str, &str)> =
            found.iter().map(|(name, front, other)| (name.as_str(), front.as_str(), other.as_str())).collect();
        assert_eq!(found, expected);
        assert!(differences(&one, &one).is_empty());
    }
}
