//! How the Evaluate pane looks: what is evaluated and the confusion matrix on the left, scores and errors on the right.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::state::{Part, Source, State};
use crate::evaluation::{Averages, ClassScores, Mistake, Scores};
use crate::logs::SafeText;
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, duration, fit, framed, label_span, notice, pad, wrap};

/// From this width on, names have room.
const WIDE: u16 = 120;

/// Columns of a name on the left.
const NAME_WIDTH: usize = 10;

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let left = if area.width >= WIDE { 50 } else { 31 };
    let [left, right] = Layout::horizontal([Constraint::Length(left), Constraint::Min(0)]).areas(area);
    let [setup, matrix] = Layout::vertical([Constraint::Length(7), Constraint::Min(0)]).areas(left);
    view_setup(state, shared, frame, setup);
    let Some(part) = state.shown_part() else {
        frame.render_widget(framed(" Answers ", false, theme), matrix);
        let block = framed(" Scores ", false, theme);
        let inner = block.inner(right);
        frame.render_widget(block, right);
        let why = match &state.failure {
            Some(why) => format!("There is nothing to evaluate on: {why}. Press d to choose a file."),
            None => "Reading the items ...".to_owned(),
        };
        return notice(frame, inner, theme, &why);
    };
    view_matrix(&part, theme, frame, matrix);
    let rows = score_rows(state, &part, usize::from(right.width.saturating_sub(2)), theme);
    let height = u16::try_from(rows.len() + 2).unwrap_or(u16::MAX).min(right.height);
    let [scores, errors] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(right);
    let title = format!(" Scores: {} ", part.name);
    let block = framed(SafeText::one_line(&title).into_string(), false, theme);
    frame.render_widget(Paragraph::new(rows).block(block), scores);
    view_errors(state, theme, frame, errors);
}

fn view_setup(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let block = framed(" Evaluate: s ", false, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let room = usize::from(inner.width).saturating_sub(NAME_WIDTH);
    let row = |name: &str, value: String| {
        let value = fit(SafeText::one_line(&value).as_str(), room);
        Line::from(vec![Span::styled(pad(name, NAME_WIDTH), theme.muted), Span::raw(value)])
    };
    let data = match &state.setup.source {
        Source::Project => "project's templates".to_owned(),
        // The end of a path says more than its start.
        Source::File(path) => {
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.display().to_string())
        }
    };
    let report = state.keyword.as_deref();
    let truth = report.map_or_else(String::new, |report| report.truth.column().to_owned());
    let items = report.map_or_else(String::new, |report| {
        let (n, all) = (report.scores.n, report.scores.n + report.skipped);
        if n == all { count(n as u64) } else { format!("{} of {}", count(n as u64), count(all as u64)) }
    });
    let adapter = state.setup.adapter.as_ref().map_or_else(|| "none (base model)".to_owned(), ToString::to_string);
    let progress = match &state.running {
        Some(progress) if progress.items_per_second > 0.0 => {
            let left = (progress.of - progress.done) as f64 / progress.items_per_second;
            format!("{}/{}, {} left", progress.done, progress.of, duration(left))
        }
        Some(_) => "loading the model ...".to_owned(),
        None => shared.model_name.clone(),
    };
    let name = if state.running.is_some() { "answers" } else { "model" };
    let lines = vec![
        row("data", data),
        row("truth", truth),
        row("items", items),
        row("adapter", adapter),
        row(name, progress).patch_style(if state.running.is_some() { theme.accent } else { Style::new() }),
    ];
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The confusion matrix, with the answers that could not be read apart.
fn view_matrix(part: &Part<'_>, theme: &Theme, frame: &mut Frame, area: Rect) {
    let block = framed(" Answers ", false, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Scores { confusion, unparsed, .. } = part.scores;
    let cell = |value: usize, style: Style| Span::styled(format!("{value:>6}"), style);
    let (right, wrong) = (theme.normal, theme.error);
    let mut lines = vec![
        Line::styled(format!("{:<11}{:>6}{:>6}{:>6}", "  said:", "!abn", "o nor", "?"), theme.muted),
        Line::from(vec![
            Span::styled("! abnormal ", theme.abnormal),
            cell(confusion.true_positive, right),
            cell(confusion.false_negative, wrong),
            cell(unparsed.abnormal, wrong),
        ]),
        Line::from(vec![
            Span::styled("o normal   ", theme.normal),
            cell(confusion.false_positive, wrong),
            cell(confusion.true_negative, right),
            cell(unparsed.normal, wrong),
        ]),
        Line::default(),
    ];
    let note = "?: no verdict that can be read. It is wrong either way: it lowers recall and never counts as normal.";
    let width = usize::from(inner.width);
    lines.extend(wrap(note, width).into_iter().map(|row| Line::styled(row, theme.muted)));
    for why in &part.scores.undefined {
        lines.extend(
            wrap(&format!("undefined (-): {why}"), width).into_iter().map(|row| Line::styled(row, theme.warning)),
        );
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// The scores of the predictor and of the baselines, every row named by what it is.
fn score_rows(state: &State, part: &Part<'_>, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let Some(report) = state.shown() else { return Vec::new() };
    let mut rows = vec![Line::styled(format!("{:<9}{:<14}{:>7}{:>7}{:>7}", "", "figure", "P", "R", "F1"), theme.muted)];
    let own = std::iter::once((report.predictor.as_str(), part.scores));
    for (name, scores) in own.chain(part.baselines.iter().map(|baseline| (baseline.name.as_str(), &baseline.scores))) {
        let ClassScores { precision, recall, f1, .. } = scores.anomaly;
        let averages = [
            ("anomaly class", Averages { precision, recall, f1 }),
            ("macro", scores.macro_average),
            ("weighted", scores.weighted_average),
        ];
        for (at, (figure, Averages { precision, recall, f1 })) in averages.into_iter().enumerate() {
            let [precision, recall, f1] = [precision, recall, f1].map(score);
            rows.push(Line::from(vec![
                Span::styled(pad(if at == 0 { name } else { "" }, 9), theme.title),
                Span::raw(format!("{figure:<14}{precision:>7}{recall:>7}")),
                Span::styled(format!("{f1:>7}"), if at == 0 { theme.accent } else { Style::new() }),
            ]));
        }
    }
    let Scores { n, prevalence, unparsed, .. } = part.scores;
    let mut foot =
        format!("n {}, prevalence {}, {} not readable", count(*n as u64), score(*prevalence), unparsed.total);
    if report.model.is_some() {
        foot = format!("{foot}, {:.1} items/s", report.items_per_second);
    }
    rows.extend(wrap(&foot, width).into_iter().map(|row| Line::styled(row, theme.muted)));
    rows
}

fn score(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

fn view_errors(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let errors = state.errors();
    let who = state.shown().map_or("", |report| report.predictor.as_str());
    let place = if errors.is_empty() { String::new() } else { format!(", {} in front", state.front + 1) };
    let title = format!(" {} errors of {who}{place} ", errors.len());
    let block = framed(fit(&title, usize::from(area.width.saturating_sub(2))), true, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if errors.is_empty() {
        return notice(frame, inner, theme, "No error.");
    }
    state.list.render(frame, inner, errors.len(), state.front, |index, width| {
        error_row(&errors[index], index == state.front, usize::from(width), theme)
    });
}

/// `! abnormal as o normal    bgl/bgl-0029  number of lines …`: what it is, what was said.
fn error_row(mistake: &Mistake, front: bool, width: usize, theme: &Theme) -> Line<'static> {
    let said = match mistake.predicted {
        Some(label) => label_span(label, theme),
        None => Span::styled("? unread", theme.warning),
    };
    let truth = label_span(mistake.truth, theme);
    let gap = |span: &Span| " ".repeat(10usize.saturating_sub(span.width()));
    let spaces = [gap(&truth), gap(&said)];
    let [after_truth, after_said] = spaces.map(Span::raw);
    let text = SafeText::one_line(&mistake.input);
    let room = width.saturating_sub(26);
    let style = if front { theme.selection } else { Style::new() };
    Line::from(vec![
        truth,
        after_truth,
        Span::styled(" as ", theme.muted),
        said,
        after_said,
        Span::raw("  "),
        Span::styled(pad(text.as_str(), room), style),
    ])
}
