//! Traces that the project keeps: listed and opened again, contested, exported.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::effects::{Effect, Message, Opened};
use super::state::{Board, Doing, State, Told};
use crate::evaluation::Contested;
use crate::labels::Label;
use crate::logs::SafeText;
use crate::tui::app::{self, Toast};
use crate::tui::overlays::Prompt;
use crate::tui::panes::{Shared, label};
use crate::tui::theme::Theme;
use crate::tui::widgets::{ListView, count, label_span, notice, pad, popup};
use crate::workspace::TraceRecord;

/// A kept trace in the list.
#[derive(Clone, Debug)]
pub struct KeptRow {
    /// Its id.
    id: String,
    /// When it was kept, to the minute.
    at: String,
    verdict: Option<Label>,
    contested: bool,
    /// Who wrote it: the adapter, or the model.
    who: SafeText,
    /// Its log, on one line.
    log: SafeText,
}

impl From<&TraceRecord> for KeptRow {
    fn from(record: &TraceRecord) -> Self {
        Self {
            id: record.id.clone(),
            at: record.at.strftime("%Y-%m-%d %H:%M").to_string(),
            verdict: record.verdict,
            contested: record.contested.is_some(),
            who: SafeText::one_line(record.adapter.as_deref().unwrap_or(&record.model)),
            log: SafeText::one_line(&record.input),
        }
    }
}

/// The list of kept traces, to open one.
#[derive(Clone, Debug, Default)]
pub(super) struct Opening {
    rows: Vec<KeptRow>,
    at: usize,
    view: ListView,
}

impl State {
    pub(super) fn list_kept(&mut self, rows: Result<Vec<KeptRow>, String>) -> Vec<app::Effect> {
        match rows {
            Err(why) => return vec![Toast::error(why).into()],
            Ok(rows) if rows.is_empty() => {
                return vec![Toast::info("no trace is kept in this project yet: press enter on a log").into()];
            }
            Ok(rows) => self.doing = Doing::Opening(Opening { rows, ..Opening::default() }),
        }
        Vec::new()
    }

    pub(super) fn travel_kept(&mut self, rows: isize) {
        if let Doing::Opening(opening) = &mut self.doing {
            opening.at = opening.at.saturating_add_signed(rows).min(opening.rows.len().saturating_sub(1));
        }
    }

    /// Rows of a page of the list of kept traces.
    pub(super) fn kept_page(&self) -> isize {
        match &self.doing {
            Doing::Opening(opening) => isize::try_from(opening.view.page()).unwrap_or(isize::MAX),
            _ => 1,
        }
    }

    pub(super) fn open_selected(&mut self) -> Vec<app::Effect> {
        let Doing::Opening(opening) = std::mem::take(&mut self.doing) else { return Vec::new() };
        opening.rows.get(opening.at).map_or_else(Vec::new, |row| self.open(row.id.clone()))
    }

    /// Shows a kept trace: at once where it is of this session, else it is read.
    pub(super) fn open(&mut self, id: String) -> Vec<app::Effect> {
        if matches!(self.board, Board::Writing(_)) {
            return vec![Toast::warning("the model is writing; esc stops it").into()];
        }
        match self.past.iter().position(|told| told.kept.as_ref() == Some(&id)) {
            Some(at) => {
                self.show_past(at);
                Vec::new()
            }
            None => vec![app::Effect::Reason(Effect::Open(id))],
        }
    }

    pub(super) fn opened(&mut self, opened: Result<Opened, String>) -> Vec<app::Effect> {
        match opened {
            Err(why) => return vec![Toast::error(why).into()],
            // What is being written meanwhile is not to be lost.
            Ok(_) if matches!(self.board, Board::Writing(_)) => {}
            Ok(Opened { id, trace, contested }) => {
                self.ticket += 1;
                self.keep(Told {
                    ticket: self.ticket,
                    trace: *trace,
                    weighing: false,
                    stopped: false,
                    parent: None,
                    with: Vec::new(),
                    kept: Some(id),
                    contested,
                    contest_next: None,
                });
            }
        }
        Vec::new()
    }

    pub(super) fn ask_why_wrong(&self) -> Vec<app::Effect> {
        match self.told() {
            None => vec![Toast::info("there is no verdict to contest yet: press enter on a log").into()],
            Some(told) if told.contested => vec![Toast::info("this verdict is contested already").into()],
            Some(_) => {
                let title = "The verdict is wrong. Why? (may stay empty)";
                vec![Prompt::line(title, "", |why| app::Message::Reason(Message::Contest(why))).into()]
            }
        }
    }

    /// Contests the verdict in front; while its trace is still being weighed, as soon as that is kept.
    pub(super) fn contest(&mut self, why: String, shared: &Shared) -> Vec<app::Effect> {
        let Some(ticket) = self.told().map(|told| told.ticket) else { return Vec::new() };
        match self.past.iter_mut().find(|told| told.ticket == ticket) {
            Some(told) if told.weighing => told.contest_next = Some(why),
            _ => return self.contest_now(ticket, why, shared),
        }
        Vec::new()
    }

    /// A trace is kept: what was to be said of it is said.
    pub(super) fn stored(&mut self, ticket: u64, id: String, shared: &Shared) -> Vec<app::Effect> {
        let Some(told) = self.past.iter_mut().find(|told| told.ticket == ticket) else { return Vec::new() };
        told.kept = Some(id);
        told.contest_next.take().map_or_else(Vec::new, |why| self.contest_now(ticket, why, shared))
    }

    fn contest_now(&self, ticket: u64, why: String, shared: &Shared) -> Vec<app::Effect> {
        let Some(told) = self.told_as(ticket) else { return Vec::new() };
        vec![app::Effect::Reason(Effect::Contest {
            ticket: told.ticket,
            kept: told.kept.clone(),
            trace: Box::new(told.trace.clone()),
            why,
            by: shared.annotator.clone(),
        })]
    }

    pub(super) fn is_contested(&mut self, ticket: u64, contested: Result<Contested, String>) -> Vec<app::Effect> {
        let contested = match contested {
            Ok(contested) => contested,
            Err(why) => return vec![Toast::error(why).into()],
        };
        if let Some(told) = self.past.iter_mut().find(|told| told.ticket == ticket) {
            (told.kept, told.contested) = (Some(contested.trace), true);
        }
        match contested.template {
            None if !contested.cited.is_empty() => {
                let names: Vec<String> = contested.cited.iter().map(ToString::to_string).collect();
                let told = format!(
                    "contested: the lines that it cites are flagged in the Label queue (1): {}",
                    names.join(", ")
                );
                let go = app::Message::Label(label::Message::GoTo(contested.cited[0].clone()));
                vec![Toast::info(told).into(), app::Effect::Send(Box::new(go))]
            }
            Some(template) => {
                let told = format!("contested: {template} is flagged, and waits in the Label queue (1)");
                let go = app::Message::Label(label::Message::GoTo(template));
                vec![Toast::info(told).into(), app::Effect::Send(Box::new(go))]
            }
            None => vec![
                Toast::warning("contested and kept; it is of no single template here, so no queue shows it").into(),
            ],
        }
    }

    pub(super) fn ask_where_to(&self) -> Vec<app::Effect> {
        let Some(told) = self.told() else {
            return vec![Toast::info("there is no trace to write to a file yet").into()];
        };
        let name = told.kept.clone().unwrap_or_else(|| told.ticket.to_string());
        let title = "Write the trace to (a name that ends in .html, or .json)";
        let path = format!("exports/trace-{name}.html");
        vec![Prompt::line(title, &path, |path| app::Message::Reason(Message::ExportTo(path))).into()]
    }

    pub(super) fn export(&self, path: &str) -> Vec<app::Effect> {
        let Some(told) = self.told().filter(|_| !path.trim().is_empty()) else { return Vec::new() };
        vec![app::Effect::Reason(Effect::Export { trace: Box::new(told.trace.clone()), path: path.trim().into() })]
    }
}

/// The list, over the pane.
pub(super) fn view_kept(opening: &Opening, theme: &Theme, frame: &mut Frame, area: Rect) {
    let title = format!(" {} kept traces, newest first ", count(opening.rows.len() as u64));
    let inner = popup(frame, area, area.width.min(140), area.height, &title, theme);
    if opening.rows.is_empty() {
        return notice(frame, inner, theme, "None.");
    }
    opening.view.render(frame, inner, opening.rows.len(), opening.at, |index, width| {
        let row = &opening.rows[index];
        let selected = index == opening.at;
        let verdict = match row.verdict {
            Some(label) => label_span(label, theme),
            None => Span::styled("? unread", theme.warning),
        };
        let gap = " ".repeat(11_usize.saturating_sub(verdict.width()));
        let mut spans = vec![
            Span::styled(if selected { "> " } else { "  " }, theme.accent),
            Span::styled(format!("{}  ", row.at), theme.muted),
            Span::styled(if row.contested { "C " } else { "  " }, theme.warning),
            verdict,
            Span::raw(gap),
            Span::styled(pad(row.who.as_str(), 20) + "  ", theme.muted),
        ];
        let used: usize = spans.iter().map(Span::width).sum();
        let style = if selected { theme.selection } else { Style::new() };
        spans.push(Span::styled(pad(row.log.as_str(), usize::from(width).saturating_sub(used)), style));
        Line::from(spans)
    });
}
