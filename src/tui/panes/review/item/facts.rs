//! What is known about an item beside its reasoning: its log, its label and answer, its claims, its review.

use ratatui::style::Style;
use ratatui::text::Line;

use super::super::entry::Entry;
use super::blocks::{fact, plain, rule};
use super::{Look, standing};
use crate::logs::SafeText;
use crate::reasoning::{
    ClaimKind, Likeness, Mark, Parsed, PlacedClaim, Reviewable, Standing, Task, Trouble, TruthSource, answer_label,
};
use crate::tui::theme::Theme;
use crate::tui::widgets::{Shaded, counted, whole};

/// The log under a heading, with every `<*>` set off.
pub(super) fn log(heading: &str, log: &str, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut rows = vec![rule(heading, theme.title, theme, width)];
    let mut text = Shaded::default();
    text.push_template(log, Style::new(), theme);
    rows.extend(text.rows(width).0);
    rows
}

pub(in super::super) fn label_style(label: &str, theme: &Theme) -> Style {
    match answer_label(label) {
        Some(crate::labels::Label::Normal) => theme.normal,
        Some(crate::labels::Label::Abnormal) => theme.abnormal,
        None => Style::new(),
    }
}

/// The label that it came with; the gold label, where that is another, and what the template was imported with.
pub(super) fn label(told: &str, label: &str, entry: &Entry, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut rows = fact("Label", told, label_style(label, theme), width, theme);
    let findings = &entry.queued.findings;
    let Some(truth) = findings.truth.as_ref().filter(|truth| truth.source == TruthSource::Gold || truth.divided) else {
        return rows;
    };
    if truth.divided {
        let told = "! differs among the templates of this text; the label above counts";
        rows.extend(fact("Gold", told, theme.warning, width, theme));
    } else if truth.label == entry.queued.item.label() && entry.original_label.is_none() {
        rows.extend(fact(
            "Gold",
            &format!("{}  = the label", truth.answer),
            label_style(&truth.answer, theme),
            width,
            theme,
        ));
    } else {
        let mut told = truth.answer.clone();
        if truth.label != entry.queued.item.label() {
            told += "  ! not its own label";
        }
        if let Some(original) = entry.original_label {
            told += &format!("; the template came as {original}");
        }
        let style = if entry.queued.decided.label_changed { theme.error } else { label_style(&truth.answer, theme) };
        rows.extend(fact("Gold", &told, style, width, theme));
    }
    rows
}

/// The answer against what is held true, and whether the format is kept.
pub(super) fn answer(parsed: &Parsed, task: Task, entry: &Entry, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let truth = entry.queued.findings.truth.as_ref();
    let what = if truth.is_some_and(|truth| truth.source == TruthSource::Gold) { "gold" } else { "the label" };
    let right = truth.zip(parsed.answer.as_deref()).and_then(|(truth, answer)| task.answers(answer, &truth.answer));
    let mut rows = match (parsed.answer.as_deref(), right) {
        (None, _) => fact("Answer", "! none that can be read", theme.error, width, theme),
        (Some(answer), Some(false)) => fact("Answer", &format!("{answer}  ! is not {what}"), theme.error, width, theme),
        (Some(answer), Some(true)) => {
            fact("Answer", &format!("{answer}  = {what}"), label_style(answer, theme), width, theme)
        }
        // Free text cannot be compared word by word; it stands for itself.
        (Some(answer), None) => fact("Answer", answer, Style::new(), width, theme),
    };
    if entry.troubles().contains(&Trouble::Malformed) {
        let what = "! malformed: each tag once, reasoning first, nothing else";
        rows.extend(fact("Format", what, theme.error, width, theme));
    }
    rows
}

/// What other items say of this one.
pub(super) fn findings(entry: &Entry, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let findings = &entry.queued.findings;
    let mut rows = Vec::new();
    if let Some(near) = &findings.near {
        let told = match near.by {
            Likeness::Words => format!("! almost as {} ({:.0} % of words in common)", near.id, near.similarity * 100.0),
            Likeness::Meaning => format!("! means the same as {} (cosine {:.2})", near.id, near.similarity),
        };
        rows.extend(fact("Repeats", &told, theme.warning, width, theme));
    }
    let odd = |trouble| entry.troubles().contains(&trouble);
    if let Some(length) = findings.length.filter(|_| odd(Trouble::TooLong) || odd(Trouble::TooShort)) {
        let (word, limit) = if odd(Trouble::TooLong) { ("long", length.longest) } else { ("short", length.shortest) };
        let told = format!("! too {word}: {} words, limit {limit:.0}, median {:.0}", length.words, length.median);
        rows.extend(fact("Length", &told, theme.warning, width, theme));
    }
    rows
}

/// What is claimed of the log and not in it: each claim with its step.
pub(super) fn claims(made_up: &[PlacedClaim], width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let hard: Vec<&PlacedClaim> = made_up.iter().filter(|claim| claim.kind.is_hard()).collect();
    if hard.is_empty() {
        return fact("Claims", "= none that the log lacks", Style::new(), width, theme);
    }
    let told = format!("x {} that the log lacks", counted(hard.len(), "claim"));
    let mut rows = fact("Claims", &told, theme.error, width, theme);
    for claim in hard {
        let kind = match claim.kind {
            ClaimKind::Quotation => "quotation",
            ClaimKind::Number => "number",
            ClaimKind::Identifier => "name",
            ClaimKind::Word => "word",
        };
        let mut text = Shaded::default();
        text.push(&format!("step {} {kind} ", claim.step), theme.muted);
        text.push(&format!("x[{}]", claim.text), theme.error);
        rows.extend(text.hanging("        ", Style::new(), width));
    }
    rows
}

/// Where it stands, and each reviewer's decision: whose, when, why.
pub(super) fn review(entry: &Entry, look: Look<'_>, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let (mark, word, style) = standing(entry.standing(), theme);
    let mut told = format!("{mark} {word}");
    if entry.queued.decided.disputed {
        told += "  ! reviewers disagree";
    }
    if !entry.queued.decisions.is_empty() && entry.queued.decided.label_changed {
        told += "  ! was decided for another label";
    }
    if entry.queued.decided.text_changed {
        told += "  ! was decided for another text";
    }
    let mut rows = fact("Review", &told, style, width, theme);
    for review in &entry.queued.decisions {
        let (mark, word, style) = standing(Standing::of(Some(review)), theme);
        let reviewer = SafeText::one_line(&review.reviewer);
        let mut text = Shaded::default();
        text.push(&format!("{mark} {word} by {reviewer}"), style);
        text.push(&format!(", {} UTC", review.at.strftime("%Y-%m-%d %H:%M")), theme.muted);
        if let Some(reason) = &review.reason {
            text.push(": ", theme.muted);
            text.push_lines(reason, Style::new());
        }
        rows.extend(text.hanging("        ", theme.muted, width));
    }
    for marks in entry.queued.step_marks().iter().filter(|marks| marks.reviewer != look.reviewer) {
        let count = |mark| marks.marks.iter().filter(|other| **other == mark).count();
        let reviewer = SafeText::one_line(&marks.reviewer);
        let mut told = format!("by {reviewer}: {} right, {} wrong", count(Mark::Right), count(Mark::Wrong));
        if let Some(first) = marks.first_wrong() {
            told += &format!(", step {first} the first");
        }
        rows.extend(fact("Steps", &told, Style::new(), width, theme));
    }
    rows
}

/// The item that it nearly repeats, as a diff; or whole, where only the meaning is the same.
pub(super) fn repeated(entry: &Entry, look: Look<'_>, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let (Some(other), Some(near)) = (look.near, &entry.queued.findings.near) else { return Vec::new() };
    let id = SafeText::one_line(&near.id);
    let text = entry.current.text();
    let (heading, body) = match near.by {
        Likeness::Words => (format!("What is other than in {id}"), whole(&other.text(), &text, theme).rows(width).0),
        Likeness::Meaning => (id.into_string(), plain(&other.text(), theme.muted, width)),
    };
    let mut rows = vec![Line::default(), rule(&heading, theme.title, theme, width)];
    rows.extend(body);
    rows
}

/// What an edit changed, word by word.
pub(super) fn edit(entry: &Entry, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let (original, current) = (&entry.queued.item, &entry.current);
    let rejected = match (original, current) {
        (Reviewable::Pair(was), Reviewable::Pair(is)) if was.rejected != is.rejected => {
            Some((&was.rejected, &is.rejected))
        }
        _ => None,
    };
    let mut rows = Vec::new();
    if original.text() != current.text() {
        let what =
            if rejected.is_some() { "What the edit changed of the chosen side" } else { "What the edit changed" };
        rows.extend([Line::default(), rule(what, theme.title, theme, width)]);
        rows.extend(whole(&original.text(), &current.text(), theme).rows(width).0);
    }
    if let Some((was, is)) = rejected {
        rows.extend([Line::default(), rule("What the edit changed of the rejected side", theme.title, theme, width)]);
        rows.extend(whole(was, is, theme).rows(width).0);
    }
    rows
}
