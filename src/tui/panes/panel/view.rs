//! How the Panel pane looks: the coefficients, then a list and the selected template.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::state::{Board, Case, CorrectionRow, Front, Settled, State};
use crate::labels::Judgement;
use crate::labels::agreement::{Agreement, Coefficient};
use crate::logs::SafeText;
use crate::tui::panes::Shared;
use crate::tui::theme::Theme;
use crate::tui::widgets::{
    category_popup, count, counted, fit, framed, judgement_span, label_span, notice, pad, template_spans, wrap,
};

/// From this width on, list and template stand side by side.
const SIDE_BY_SIDE: u16 = 120;

pub(super) fn view(state: &State, shared: &Shared, frame: &mut Frame, area: Rect) {
    let theme = &shared.theme;
    let board = match &state.board {
        None => return notice(frame, area, theme, "Reading the votes ..."),
        Some(Err(why)) => return notice(frame, area, theme, why.as_str()),
        Some(Ok(board)) => board,
    };
    let figures = agreement_rows(&board.agreement, usize::from(area.width.saturating_sub(2)));
    let height = u16::try_from(figures.len() + 2).unwrap_or(u16::MAX).min(area.height / 2);
    let [top, rest] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    view_agreement(board, figures, theme, frame, top);
    let [list, detail] = if area.width >= SIDE_BY_SIDE {
        Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(rest)
    } else {
        // The votes must be in sight; a few rows are enough of a list.
        Layout::vertical([Constraint::Length((rest.height / 3).max(5)), Constraint::Min(0)]).areas(rest)
    };
    match state.front {
        Front::Cases => view_cases(state, board, theme, frame, list, detail),
        Front::Corrections => view_corrections(state, board, theme, frame, list, detail),
    }
    if state.choosing {
        category_popup(frame, area, &shared.taxonomy, theme);
    }
}

/// The figures in rows of text, each with its n; then how missing votes are treated.
fn agreement_rows(agreement: &Agreement, width: usize) -> Vec<String> {
    let percent = agreement.percent.map_or_else(|| "undefined".to_owned(), |percent| format!("{percent:.1} %"));
    let prevalence = agreement.prevalence.map_or_else(|| "undefined".to_owned(), |p| format!("{:.1} %", p * 100.0));
    let n = agreement.items;
    let mut figures = vec![
        format!("Fleiss' kappa {} (n {})", coefficient(agreement.fleiss.value), count(agreement.fleiss.n)),
        format!("percent agreement {percent} (n {})", count(n)),
        format!("abnormal {prevalence} of all labels"),
    ];
    figures.extend(agreement.cohen.iter().map(|pair| {
        let names = format!("{}/{}", SafeText::one_line(&pair.a), SafeText::one_line(&pair.b));
        format!("Cohen {names} {} (n {})", coefficient(pair.kappa.value), count(pair.kappa.n))
    }));
    // Whole figures to a row, as many as fit.
    let mut rows: Vec<String> = Vec::new();
    for figure in figures {
        match rows.last_mut() {
            Some(row) if row.width() + 3 + figure.width() <= width => *row = format!("{row} | {figure}"),
            _ => rows.push(fit(&figure, width)),
        }
    }
    rows.extend(wrap(agreement.missing_rule, width));
    rows
}

fn coefficient(value: Coefficient) -> String {
    match value {
        Ok(value) => format!("{value:.3}"),
        Err(why) => format!("undefined: {why}"),
    }
}

fn view_agreement(board: &Board, rows: Vec<String>, theme: &Theme, frame: &mut Frame, area: Rect) {
    let agreement = &board.agreement;
    let title = format!(" Agreement of {} annotators, {} round ", agreement.annotators, agreement.round);
    let rule_rows = wrap(agreement.missing_rule, usize::from(area.width.saturating_sub(2))).len();
    let figures = rows.len() - rule_rows;
    let styled = |(index, row)| Line::styled(row, if index < figures { Style::new() } else { theme.muted });
    let lines: Vec<Line> = rows.into_iter().enumerate().map(styled).collect();
    frame.render_widget(Paragraph::new(lines).block(framed(title, false, theme)), area);
}

fn view_cases(state: &State, board: &Board, theme: &Theme, frame: &mut Frame, list: Rect, detail: Rect) {
    let open = board.cases.iter().filter(|case| case.settled.is_none()).count();
    let title = format!(
        " {}, {open} open | {} ",
        counted(board.cases.len(), "disagreement"),
        counted(board.corrections.len(), "correction")
    );
    let block = framed(fit(&title, usize::from(list.width.saturating_sub(2))), true, theme);
    let inner = block.inner(list);
    frame.render_widget(block, list);
    if board.cases.is_empty() {
        notice(frame, inner, theme, "The annotators disagree on no template.");
        return frame.render_widget(framed("", false, theme), detail);
    }
    state.case_rows.render(frame, inner, board.cases.len(), state.case, |index, width| {
        let case = &board.cases[index];
        let (normal, abnormal) = case.tally();
        let tally = if case.open_to_see { format!("{normal}n {abnormal}a") } else { "hidden".to_owned() };
        let gold = case.settled.as_ref().map(|settled| &settled.judgement);
        row(gold, &pad(&tally, 8), &case.text, index == state.case, usize::from(width), theme)
    });
    let case = &board.cases[state.case.min(board.cases.len() - 1)];
    let title = format!(" {}  occurs {} times ", case.name, count(case.count));
    view_detail(&title, case_lines(case, theme), theme, frame, detail);
}

fn view_corrections(state: &State, board: &Board, theme: &Theme, frame: &mut Frame, list: Rect, detail: Rect) {
    let title = format!(
        " {} | {} ",
        counted(board.corrections.len(), "correction"),
        counted(board.cases.len(), "disagreement")
    );
    let block = framed(fit(&title, usize::from(list.width.saturating_sub(2))), true, theme);
    let inner = block.inner(list);
    frame.render_widget(block, list);
    if board.corrections.is_empty() {
        notice(frame, inner, theme, "No gold label differs from the original one.");
        return frame.render_widget(framed("", false, theme), detail);
    }
    state.correction_rows.render(frame, inner, board.corrections.len(), state.correction, |index, width| {
        let correction = &board.corrections[index];
        let source = pad(correction.gold.source.as_str(), 11);
        let selected = index == state.correction;
        row(Some(&correction.gold.judgement), &source, &correction.text, selected, usize::from(width), theme)
    });
    let correction = &board.corrections[state.correction.min(board.corrections.len() - 1)];
    view_detail(&format!(" {} ", correction.name), correction_lines(correction, theme), theme, frame, detail);
}

/// `> ! abnormal 2n 1a   machine check interrupt`
fn row(
    gold: Option<&Judgement>,
    column: &str,
    text: &SafeText,
    selected: bool,
    width: usize,
    theme: &Theme,
) -> Line<'static> {
    let gold = gold.map_or_else(|| Span::styled(". open", theme.muted), |judgement| judgement_span(judgement, theme));
    let gap = " ".repeat(11usize.saturating_sub(gold.width()));
    let room = width.saturating_sub(13 + column.width());
    let style = if selected { theme.selection } else { Style::new() };
    let mut spans = vec![
        Span::styled(if selected { "> " } else { "  " }, theme.accent),
        gold,
        Span::raw(gap),
        Span::styled(column.to_owned(), theme.muted),
    ];
    spans.extend(template_spans(&pad(text.as_str(), room), style, theme));
    Line::from(spans)
}

fn view_detail(title: &str, lines: Vec<Line>, theme: &Theme, frame: &mut Frame, area: Rect) {
    let block = framed(fit(title, usize::from(area.width.saturating_sub(2))), false, theme);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
}

fn case_lines(case: &Case, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(template_spans(case.text.as_str(), Style::new(), theme))];
    if !case.open_to_see {
        let text = "The votes and the original label are hidden until you have given a label yourself.";
        lines.push(Line::styled(text, theme.muted));
        return lines;
    }
    let names = case.votes.iter().map(|vote| vote.annotator.as_str().width()).max().unwrap_or(0).clamp(8, 20);
    for vote in &case.votes {
        let mut spans = vec![Span::raw(format!("{}  ", pad(vote.annotator.as_str(), names)))];
        spans.extend(judgement_spans(&vote.judgement, theme));
        spans.extend(vote.comment.as_ref().map(|comment| Span::styled(format!("  \"{comment}\""), theme.muted)));
        lines.push(Line::from(spans));
    }
    let mut original = vec![Span::styled(format!("{}  ", pad("Original", names)), theme.title)];
    match &case.original {
        Some((label, category)) => {
            original.extend(judgement_spans(&Judgement::of(*label, category.clone()), theme));
        }
        None => original.push(Span::styled("none", theme.muted)),
    }
    lines.push(Line::from(original));
    lines.push(settled_line(case.settled.as_ref(), names, theme));
    lines
}

fn correction_lines(correction: &CorrectionRow, theme: &Theme) -> Vec<Line<'static>> {
    vec![
        Line::from(template_spans(correction.text.as_str(), Style::new(), theme)),
        Line::default(),
        Line::from(vec![Span::styled("Original  ", theme.title), label_span(correction.original, theme)]),
        settled_line(Some(&correction.gold), 8, theme),
    ]
}

fn judgement_spans(judgement: &Judgement, theme: &Theme) -> Vec<Span<'static>> {
    let category = judgement.category().map(|c| Span::raw(format!(" ({})", SafeText::one_line(c.as_str()))));
    std::iter::once(judgement_span(judgement, theme)).chain(category).collect()
}

fn settled_line(settled: Option<&Settled>, names: usize, theme: &Theme) -> Line<'static> {
    let mut spans = vec![Span::styled(format!("{}  ", pad("Gold", names)), theme.title)];
    match settled {
        None => spans.push(Span::styled(". open: rule with n or a", theme.muted)),
        Some(settled) => {
            spans.extend(judgement_spans(&settled.judgement, theme));
            let by = settled.by.as_ref().map(|by| format!(" of {by}")).unwrap_or_default();
            let reason = settled.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            spans.push(Span::raw(format!("  {}{by}{reason}", settled.source.as_str())));
        }
    }
    Line::from(spans)
}
