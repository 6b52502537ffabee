//! The project's guidelines: what its annotators agreed to call normal and abnormal, in `guidelines.md`.

use super::effects::{Effect, Message};
use crate::tui::app;
use crate::tui::overlays::Page;

/// What is shown where a project has none.
const NONE: &str = "This project has no guidelines yet.\n\nPress e to write them in $EDITOR; they are kept in guidelines.md in \
    the project's folder, for every annotator to read.\n\nGood guidelines say what is asked (\"does this line mean that \
    somebody should act?\"), what each category stands for with an example, what to do with the usual doubtful cases \
    (corrected errors, retries, read-outs of counters, a user's slip), and when to say unsure.";

/// What the editor opens on where there are none: headings to fill in.
pub(super) const DRAFT: &str = "# Guidelines\n\n## What is asked\n\nAbnormal: somebody should act on this line.\nNormal: \
    everything else.\n\n## Categories\n\n- system error:\n- network issue:\n- hardware failure:\n- software exception:\n\n\
    ## Doubtful cases\n\n- errors that were corrected:\n- retries:\n- counters that are read out:\n\n## When to say unsure\n";

/// Shows the guidelines.
pub(super) fn page(text: Option<&str>) -> app::Effect {
    let text = text.filter(|text| !text.trim().is_empty()).unwrap_or(NONE);
    app::Effect::Page(Page::new("Guidelines", text).on_edit(|| app::Message::Label(Message::EditGuidelines)))
}

/// Opens the editor on the guidelines, or on headings to fill in.
pub(super) fn edit(text: Option<&str>) -> app::Effect {
    let text = text.unwrap_or(DRAFT).to_owned();
    app::Effect::Edit(text, |text| app::Message::Label(Message::GuidelinesEdited(text)))
}

/// Keeps what the editor made of them, unless it is the draft that nobody touched.
pub(super) fn edited(text: String) -> Vec<app::Effect> {
    if text == DRAFT {
        return vec![page(None)];
    }
    vec![app::Effect::Label(Effect::SaveGuidelines(text))]
}
