//! The agreement view: every coefficient with its interval and n, the pairs as a square, each annotator against gold.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::{SIDE_BY_SIDE, view_text};
use crate::labels::Round;
use crate::labels::agreement::{Agreement, Coefficient, Estimate, Heatmap, SHADE_LEGEND, shade};
use crate::logs::SafeText;
use crate::tui::panes::panel::state::{Board, State};
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, fit, framed, pad, wrap};

/// Columns of a figure's name, and of a name in the square.
const NAME: usize = 26;
const SHORT_NAME: usize = 12;

/// The figures to see at once; whole figures to a row, as many as fit.
pub(super) fn headline(agreement: &Agreement, width: usize) -> Vec<String> {
    let alpha = &agreement.krippendorff_alpha;
    let mut figures = vec![match alpha.value {
        Ok(value) => format!("{} alpha {value:.3}{}", agreement.round, interval(alpha, 3)),
        Err(why) => format!("{} alpha undefined: {why}", agreement.round),
    }];
    figures.extend(agreement.gwet_ac1.value.ok().map(|value| format!("AC1 {value:.3}")));
    figures.extend(agreement.percent.map(|percent| format!("{percent:.1} % agree")));
    figures.push(format!("n {}", count(agreement.items)));
    let mut rows: Vec<String> = Vec::new();
    for figure in figures {
        match rows.last_mut() {
            Some(row) if row.width() + 3 + figure.width() <= width => *row = format!("{row} | {figure}"),
            _ => rows.push(fit(&figure, width)),
        }
    }
    rows
}

fn interval(estimate: &Estimate, decimals: usize) -> String {
    estimate.interval.map_or(String::new(), |i| format!(" [{:.decimals$}, {:.decimals$}]", i.low, i.high))
}

pub(super) fn view(state: &State, board: &Board, theme: &Theme, frame: &mut Frame, area: Rect) {
    let agreement = if state.panel_figures { &board.agreements.panel } else { &board.agreements.blind };
    let other = if state.panel_figures { "blind" } else { "panel" };
    let (n, round) = (agreement.annotators, agreement.round);
    let title = format!(" Agreement of {n} annotators, {round} round (r: {other}) ");
    if area.width >= SIDE_BY_SIDE {
        let [left, right] = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(area);
        let width = usize::from(left.width.saturating_sub(2));
        let mut lines = coefficient_lines(agreement, width, theme);
        lines.extend(rule_lines(agreement, width, theme));
        view_text(&title, &lines, &state.agreement_scroll, theme, frame, left);
        let mut lines = pair_lines(agreement, theme);
        lines.extend(gold_lines(agreement, usize::from(right.width.saturating_sub(2)), theme));
        let block = framed(" Pairs, and each against gold ", false, theme);
        return frame.render_widget(Paragraph::new(lines).block(block), right);
    }
    let width = usize::from(area.width.saturating_sub(2));
    let mut lines = coefficient_lines(agreement, width, theme);
    lines.push(Line::default());
    lines.extend(pair_lines(agreement, theme));
    lines.extend(gold_lines(agreement, width, theme));
    lines.extend(rule_lines(agreement, width, theme));
    view_text(&title, &lines, &state.agreement_scroll, theme, frame, area);
}

fn heading(text: String, theme: &Theme) -> Line<'static> {
    Line::styled(text, theme.title)
}

fn coefficient_lines(agreement: &Agreement, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = vec![
        heading(format!("{} {:>7}  {:<17} {:>7}", pad("", NAME), "value", "95 % interval", "n"), theme),
        estimate_line("Krippendorff's alpha", &agreement.krippendorff_alpha, 3, width),
        estimate_line("Fleiss' kappa", &agreement.fleiss, 3, width),
        estimate_line("Gwet's AC1", &agreement.gwet_ac1, 3, width),
        estimate_line("percent agreement", &agreement.percent_estimate(), 1, width),
        estimate_line("specific to abnormal", &agreement.specific.positive, 3, width),
        estimate_line("specific to normal", &agreement.specific.negative, 3, width),
    ];
    for row in &agreement.categories {
        lines.push(estimate_line(&format!("  {}", SafeText::one_line(row.category.as_str())), &row.specific, 3, width));
    }
    if let Some(prevalence) = agreement.prevalence {
        lines.push(Line::raw(format!("{} {:>7.1} %", pad("abnormal of all labels", NAME), prevalence * 100.0)));
    }
    lines
}

fn estimate_line(name: &str, estimate: &Estimate, decimals: usize, width: usize) -> Line<'static> {
    let text = match estimate.value {
        Ok(value) => {
            let interval = estimate.interval.map_or(String::new(), |interval| {
                format!("{:.decimals$} to {:.decimals$}", interval.low, interval.high)
            });
            format!("{} {value:>7.decimals$}  {interval:<17} {:>7}", pad(name, NAME), count(estimate.n))
        }
        Err(why) => format!("{} undefined: {why}", pad(name, NAME)),
    };
    Line::raw(fit(&text, width))
}

/// The square of Cohen's kappas: a glyph that is denser the higher, and the number.
fn pair_lines(agreement: &Agreement, theme: &Theme) -> Vec<Line<'static>> {
    let square = Heatmap::of(agreement);
    let places = square.names.len();
    if places < 2 {
        return Vec::new();
    }
    let columns: String = (1..=places).map(|column| format!("{column:>8}")).collect();
    let mut lines = vec![heading(format!("{}{columns}", pad("Cohen's kappa", SHORT_NAME + 4)), theme)];
    for (row, name) in square.names.iter().enumerate() {
        let name = pad(SafeText::one_line(name).as_str(), SHORT_NAME);
        let mut spans = vec![Span::raw(format!("{:>2}  {name}", row + 1))];
        spans.extend((0..places).map(|column| match square.kappa(row, column) {
            None => Span::styled(format!("{:>8}", "="), theme.muted),
            Some(kappa) => {
                let number = kappa.map_or(String::new(), |kappa| format!("{kappa:.2}"));
                Span::styled(format!("{:>8}", format!("{} {number}", shade(kappa))), kappa_style(kappa, theme))
            }
        }));
        lines.push(Line::from(spans));
    }
    lines.push(Line::styled(format!("    {SHADE_LEGEND}"), theme.muted));
    lines.push(Line::default());
    lines
}

/// The colour only repeats what glyph and number say.
fn kappa_style(kappa: Coefficient, theme: &Theme) -> Style {
    match kappa {
        Ok(kappa) if kappa >= 0.6 => theme.normal,
        Ok(kappa) if kappa >= 0.4 => theme.warning,
        Ok(_) => theme.abnormal,
        Err(_) => theme.muted,
    }
}

fn gold_lines(agreement: &Agreement, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    if agreement.against_gold.is_empty() {
        return Vec::new();
    }
    let figure =
        |value: Coefficient, decimals: usize| value.map_or("-".to_owned(), |value| format!("{value:.decimals$}"));
    let mut lines = vec![heading(
        format!(
            "{}{:>7}{:>9}{:>8}{:>11}{:>8}",
            pad("against gold", SHORT_NAME + 4),
            "n",
            "percent",
            "kappa",
            "precision",
            "recall"
        ),
        theme,
    )];
    for row in &agreement.against_gold {
        let text = format!(
            "    {}{:>7}{:>9}{:>8}{:>11}{:>8}",
            pad(SafeText::one_line(&row.annotator).as_str(), SHORT_NAME),
            count(row.n),
            figure(row.percent_estimate().value, 1),
            figure(row.cohen.value, 3),
            figure(row.precision.value, 3),
            figure(row.recall.value, 3)
        );
        lines.push(Line::raw(fit(&text, width)));
    }
    lines.push(Line::default());
    lines
}

/// What to know before believing the figures.
fn rule_lines(agreement: &Agreement, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines: Vec<Line> = Vec::new();
    let sighted = "the panel's votes were cast in sight of the blind ones, so that agreement among them is no evidence of \
                   independent judgement";
    let sighted = (agreement.round == Round::Panel && agreement.items > 0).then(|| sighted.to_owned());
    for note in agreement.notes.iter().cloned().chain(sighted) {
        lines.extend(wrap(&format!("Note: {note}"), width).into_iter().map(|row| Line::styled(row, theme.warning)));
    }
    let bootstrap = &agreement.bootstrap;
    let rules = [
        format!("Missing votes: {}.", agreement.missing_rule),
        format!("Fleiss' kappa: {}.", agreement.conventions.fleiss),
        format!("Specific: {}. Categories: {}.", agreement.conventions.specific, agreement.conventions.categories),
        format!(
            "Intervals: {}, {} resamples, seed {}.",
            bootstrap.method,
            count(bootstrap.samples.into()),
            bootstrap.seed
        ),
    ];
    for rule in rules {
        lines.extend(wrap(&rule, width).into_iter().map(|row| Line::styled(row, theme.muted)));
    }
    lines
}
