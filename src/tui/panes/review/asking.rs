//! Asking the teacher for a rationale once more, with a hint of the reviewer. It happens in a thread; what comes of it is a
//! new item of the queue.

use std::path::Path;

use super::effects::Message;
use super::state::State;
use crate::reasoning::Reviewable;
use crate::teacher::{
    self, Chosen, Ended, Event, Outcome, Prompts, Rationales, RationalesPlan, Teacher as _, Terms, endpoint_of,
    of_project,
};
use crate::tui::app::{self, Toast};
use crate::tui::effects::Job;
use crate::tui::overlays::Prompt;
use crate::workspace::Workspace;

/// Asks for the hint.
pub(super) fn ask_hint(state: &mut State) -> Vec<app::Effect> {
    let Some(entry) = state.selected() else { return Vec::new() };
    if !matches!(entry.current, Reviewable::Rationale(_)) {
        return vec![Toast::warning("only a rationale can be asked for again").into()];
    }
    let title = format!("What should the teacher do otherwise than in {}? (may stay empty)", entry.id());
    state.asked = Some((entry.queued.item.kind(), entry.id().to_owned()));
    let prompt = Prompt::line(title, "", |hint| app::Message::Review(Message::AskAgain(hint)));
    vec![prompt.on_cancel(|| app::Message::Review(Message::GaveUp)).into()]
}

/// What came of asking again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taught {
    /// What was asked for again.
    pub(super) about: String,
    /// The rationales that came, by id, and whether they answer right.
    pub(super) came: Vec<(String, bool)>,
    /// How many of them are new in the project.
    pub(super) new: usize,
}

impl Taught {
    /// What to tell the user.
    pub(super) fn told(&self) -> Toast {
        let about = &self.about;
        match (self.came.as_slice(), self.new) {
            ([], _) => Toast::warning(format!("nothing came of asking again for {about}")),
            (_, 0) => Toast::warning(format!("the teacher says of {about} what is here already; give another hint")),
            ([(id, true), ..], _) => Toast::info(format!("asked again for {about}: {id} waits for review")),
            ([(id, false), ..], _) => {
                Toast::warning(format!("asked again for {about}: {id} waits for review, and still answers wrong"))
            }
        }
    }
}

/// Asks, and puts what comes into the project at `root`.
pub(super) fn ask_again(root: &Path, about: &str, hint: &str, job: &Job) -> Result<Taught, String> {
    let workspace = Workspace::open(root).map_err(|error| error.to_string())?;
    let settings = &workspace.settings().teacher;
    let (Some(_), Some(model)) = (settings.endpoint.as_deref(), settings.model.as_deref()) else {
        return Err("set endpoint and model under [teacher] in logwright.toml".to_owned());
    };
    let asked = || -> Result<Taught, teacher::TeacherError> {
        let endpoint = endpoint_of(&workspace, None, None)?;
        endpoint.warning().iter().for_each(|warning| job.progress(warning));
        let same_answer = workspace.settings().review.same_answer;
        let hint = Some(hint.trim().to_owned()).filter(|hint| !hint.is_empty());
        let rationales =
            Rationales::new(RationalesPlan { hint, same_answer, ..RationalesPlan::default() }, endpoint.model())?;
        let questions = of_project(&workspace, Chosen { id: Some(about), ..Chosen::default() })?;
        let items = rationales.prepare(questions.asked, &Prompts::load(Some(workspace.dir()))?, &workspace)?;
        let terms = Terms::of(&workspace, model, None)?;
        let mut tell = |event: Event<'_, teacher::Taught>| {
            if let Event::Tally(tally) = event {
                job.progress(format!("{} asked", tally.asked));
            }
        };
        let ran = teacher::run(&rationales, &items, &endpoint, &terms, &workspace, &|| job.is_cancelled(), &mut tell)?;
        match (ran.outcomes.into_iter().next(), ran.ended) {
            (Some(Outcome::Done(taught)), _)
                if taught.new > 0 || !taught.right.is_empty() || !taught.wrong.is_empty() =>
            {
                let right = taught.right.into_iter().chain(taught.unchecked).map(|id| (id, true));
                let came = right.chain(taught.wrong.into_iter().map(|id| (id, false))).collect();
                Ok(Taught { about: about.to_owned(), came, new: taught.new })
            }
            (Some(Outcome::Done(taught)), Ended::Whole) => {
                let why = taught.failed.into_iter().next().unwrap_or_else(|| "no reply".to_owned());
                Err(teacher::TeacherError::Invalid(why))
            }
            (Some(Outcome::Failed(why)), _) | (_, Ended::Budget(why) | Ended::Refused(why) | Ended::Store(why)) => {
                Err(teacher::TeacherError::Invalid(why))
            }
            _ => Ok(Taught { about: about.to_owned(), came: Vec::new(), new: 0 }),
        }
    };
    asked().map_err(|error| error.to_string())
}
