//! What the model is asked: one frame for training, reasoning and evaluation alike.

use minijinja::Environment;
use serde::{Deserialize, Serialize};

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The frame that the model works in.
    System,
    /// The question.
    User,
    /// The model.
    Assistant,
}

/// One turn of a conversation with a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said.
    pub text: String,
}

/// A prompt that cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[error("prompt {name}: {source}")]
pub struct PromptError {
    name: &'static str,
    source: minijinja::Error,
}

/// The prompt of the anomaly task: two Jinja templates; the user's may use `log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnomalyPrompt {
    /// The system's turn.
    pub system: String,
    /// The user's turn.
    pub user: String,
}

impl Default for AnomalyPrompt {
    fn default() -> Self {
        Self {
            system: include_str!("../../assets/prompts/anomaly.system.jinja").into(),
            user: include_str!("../../assets/prompts/anomaly.user.jinja").into(),
        }
    }
}

impl AnomalyPrompt {
    /// The turns that ask for a judgement of `log`, which is put in as it is: whoever encodes the turns must not let
    /// control tokens inside them act.
    ///
    /// # Errors
    /// When a template is not valid Jinja.
    pub fn turns(&self, log: &str) -> Result<Vec<Turn>, PromptError> {
        Ok(vec![
            Turn { speaker: Speaker::System, text: render("anomaly.system.jinja", &self.system, log)? },
            Turn { speaker: Speaker::User, text: render("anomaly.user.jinja", &self.user, log)? },
        ])
    }
}

fn render(name: &'static str, template: &str, log: &str) -> Result<String, PromptError> {
    Environment::new()
        .render_str(template, minijinja::context! { log })
        .map(|text| text.trim_end().to_owned())
        .map_err(|source| PromptError { name, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_put_in_as_it_is() {
        let turns = AnomalyPrompt::default().turns("<b> {{ x }} & \"y\"").unwrap();
        assert_eq!(turns.iter().map(|turn| turn.speaker).collect::<Vec<_>>(), [Speaker::System, Speaker::User]);
        assert!(turns[1].text.contains("<b> {{ x }} & \"y\""), "{}", turns[1].text);
        assert!(turns[0].text.contains("<answer>"));
    }
}
