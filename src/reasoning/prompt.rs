//! What the model is asked: one frame for training, reasoning and evaluation alike.

use minijinja::Environment;
use serde::{Deserialize, Serialize};

use super::{Task, Thought};

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

/// The prompt of the anomaly task: two Jinja templates; the user's may use `log`, and `lines`, the number of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnomalyPrompt {
    /// The system's turn.
    pub system: String,
    /// The user's turn.
    pub user: String,
    /// Whether it asks about a session: a [`Window`](super::Window) of lines that are judged as one.
    pub session: bool,
}

impl Default for AnomalyPrompt {
    fn default() -> Self {
        Self {
            system: include_str!("../../assets/prompts/anomaly.system.jinja").into(),
            user: include_str!("../../assets/prompts/anomaly.user.jinja").into(),
            session: false,
        }
    }
}

impl AnomalyPrompt {
    /// The prompt that asks about a [`Window`](super::Window) of lines as one: abnormal if any of them is. The frame is
    /// that of one log, so that what a model learnt of those holds here.
    pub fn session() -> Self {
        let user = include_str!("../../assets/prompts/session.user.jinja").into();
        Self { user, session: true, ..Self::default() }
    }

    /// [`AnomalyPrompt::session`], or the default.
    pub fn of(session: bool) -> Self {
        if session { Self::session() } else { Self::default() }
    }

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

/// The turns that ask for what a rationale or a pair holds: anomaly detection with the given prompt, which `reason` and
/// `evaluate` share, and other tasks with their own instruction.
///
/// # Errors
/// When the prompt is not valid.
pub fn ask(task: Task, instruction: &str, input: &str, prompt: &AnomalyPrompt) -> Result<Vec<Turn>, PromptError> {
    Ok(match task {
        Task::Anomaly => prompt.turns(input)?,
        _ => {
            let text = format!("{}\n```\n{input}\n```", instruction.trim());
            vec![Turn { speaker: Speaker::User, text }]
        }
    })
}

/// What follows a problem where its thought is asked for: from a question to its core challenge and the steps that such
/// questions take, as LogReasoner's first stage teaches.
pub const ASK_FOR_THOUGHT: &str = "Do not answer yet. Name the core challenge of this question, then the steps that solve \
     questions like it, without details of this one.";

/// How the text of a thought begins.
pub const CHALLENGE: &str = "Challenge: ";

/// A thought as a question and the answer to it.
pub fn thought_turns(thought: &Thought) -> (Turn, String) {
    let text = format!("{}\n{ASK_FOR_THOUGHT}", thought.problem.trim());
    let steps: String = (1..).zip(&thought.steps).map(|(n, step)| format!("\n{n}. {}", step.trim())).collect();
    (Turn { speaker: Speaker::User, text }, format!("{CHALLENGE}{}{steps}", thought.challenge.trim()))
}

fn render(name: &'static str, template: &str, log: &str) -> Result<String, PromptError> {
    Environment::new()
        .render_str(template, minijinja::context! { log, lines => log.lines().count() })
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

    #[test]
    fn a_session_is_asked_about_as_one() {
        let window = crate::reasoning::Window::read("link up\n{{ log }}\nlink lost").unwrap();
        let (one, many) = (AnomalyPrompt::default(), AnomalyPrompt::session());
        let turns = many.turns(&window.to_string()).unwrap();
        assert_eq!(turns[0], one.turns("x").unwrap()[0], "the frame is the same");
        assert!(turns[1].text.starts_with("Judge these 3 log entries"), "{}", turns[1].text);
        assert!(turns[1].text.contains("```\nlink up\n{{ log }}\nlink lost\n```"), "{}", turns[1].text);
        assert!(many.session && !one.session && AnomalyPrompt::of(true) == many);
    }
}
