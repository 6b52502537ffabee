//! The cases before the panel with their voices, and the corrections one by one.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::list_and_detail;
use crate::labels::{Judgement, PanelReason, Phase};
use crate::logs::SafeText;
use crate::tui::panes::panel::state::{Board, Case, CorrectionRow, Opinion, Scroll, Settled, State, VoiceRow};
use crate::tui::theme::Theme;
use crate::tui::widgets::{count, counted, fit, framed, judgement_span, label_span, notice, pad, template_spans};

pub(super) fn view_cases(state: &State, board: &Board, theme: &Theme, frame: &mut Frame, area: Rect) {
    let [list, detail] = list_and_detail(area);
    let open = board.cases.iter().filter(|case| case.is_open(board.phase)).count();
    let sampled = board.cases.iter().filter(|case| case.why == PanelReason::Sampled).count();
    let mut title = format!(" {}, {sampled} sampled, {open} open ", counted(board.cases.len(), "case"));
    if board.hidden > 0 {
        title += &format!("| {} hidden until you have judged them ", count(board.hidden as u64));
    }
    let block = framed(fit(&title, usize::from(list.width.saturating_sub(2))), true, theme);
    let inner = block.inner(list);
    frame.render_widget(block, list);
    if board.cases.is_empty() {
        let text = if board.hidden > 0 {
            "While the blind round is open you see the votes on what you have judged yourself, in Label; a senior \
             closes the round (C)."
        } else {
            "Nothing is before the panel: the annotators disagree on no template."
        };
        notice(frame, inner, theme, text);
        return frame.render_widget(framed("", false, theme), detail);
    }
    state.case_rows.render(frame, inner, board.cases.len(), state.case, |index, width| {
        let case = &board.cases[index];
        let mark = match case.why {
            PanelReason::Sampled => "sampled",
            PanelReason::Disagreement => "",
        };
        let column =
            format!("{} {}", pad(&format!("{}n {}a", case.tally.normal, case.tally.abnormal), 7), pad(mark, 8));
        let gold = case.settled.as_ref().map(|settled| &settled.judgement);
        row(gold, &column, &case.text, index == state.case, usize::from(width), theme)
    });
    let case = &board.cases[state.case.min(board.cases.len() - 1)];
    let title = format!(" {}  occurs {} times ", case.name, count(case.count));
    view_detail(&title, case_lines(case, board.phase, state.names, theme), &state.detail_scroll, theme, frame, detail);
}

pub(super) fn view_corrections(state: &State, board: &Board, theme: &Theme, frame: &mut Frame, area: Rect) {
    let [list, detail] = list_and_detail(area);
    let title = format!(" {} ", counted(board.corrections.len(), "correction"));
    let block = framed(title, true, theme);
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
    let title = format!(" {} ", correction.name);
    view_detail(&title, correction_lines(correction, theme), &state.detail_scroll, theme, frame, detail);
}

/// `> ! abnormal 2n 1a   sampled  machine check interrupt`
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

fn view_detail(title: &str, lines: Vec<Line>, scroll: &Scroll, theme: &Theme, frame: &mut Frame, area: Rect) {
    let width = usize::from(area.width.saturating_sub(2)).max(1);
    let height = usize::from(area.height.saturating_sub(2));
    // Wrapped at words, a line takes a little more than its width says; rather an empty row at the end than a hidden one.
    let rows: usize = lines.iter().map(|line| (line.width() + line.width() / 8).div_ceil(width).max(1)).sum();
    let top = scroll.top(rows, height);
    let more = if rows > top + height { "| J more " } else { "" };
    let title = format!("{title}{more}");
    let block = framed(fit(&title, width), false, theme);
    let text = Paragraph::new(lines).wrap(Wrap { trim: false }).block(block);
    frame.render_widget(text.scroll((u16::try_from(top).unwrap_or(u16::MAX), 0)), area);
}

fn case_lines(case: &Case, phase: Phase, names: bool, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(template_spans(case.text.as_str(), Style::new(), theme))];
    let who = |letter: &str, name: Option<&SafeText>| match name.filter(|_| names) {
        Some(name) => format!("{letter} {name}"),
        None => letter.to_owned(),
    };
    let columns = case.voices.iter().map(|voice| who(&voice.who, voice.name.as_ref()).width());
    let columns = columns.max().unwrap_or(0).clamp(8, 24);
    for voice in &case.voices {
        let mut spans = vec![Span::styled(pad(&who(&voice.who, voice.name.as_ref()), columns + 2), theme.title)];
        spans.extend(voice_spans(voice, theme));
        lines.push(Line::from(spans));
    }
    let mut original = vec![Span::styled(pad("Original", columns + 2), theme.title)];
    match &case.original {
        Some((label, category)) => {
            original.extend(judgement_spans(&Judgement::of(*label, category.clone()), theme));
        }
        None => original.push(Span::styled("none", theme.muted)),
    }
    lines.push(Line::from(original));
    lines.push(settled_line(case.settled.as_ref(), phase, columns, theme));
    for remark in &case.remarks {
        for (index, text) in remark.text.as_str().lines().enumerate() {
            let by =
                if index == 0 { format!("{}: ", who(&remark.who, remark.name.as_ref())) } else { "   ".to_owned() };
            lines.push(Line::from(vec![Span::styled(by, theme.title), Span::raw(text.to_owned())]));
        }
    }
    lines
}

/// The blind vote, and what the panel's discussion made of it.
fn voice_spans(voice: &VoiceRow, theme: &Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    match &voice.blind {
        Some(blind) => spans.extend(opinion_spans(blind, theme)),
        None => spans.push(Span::styled("no blind vote", theme.muted)),
    }
    if let Some(panel) = &voice.panel {
        let changed = voice.blind.as_ref().and_then(|blind| blind.judgement.label()) != panel.judgement.label();
        let word = if changed { "  -> panel: changed to " } else { "  -> panel: stays " };
        spans.push(Span::styled(word, theme.muted));
        spans.extend(opinion_spans(panel, theme));
        if let Some(others) = panel.others {
            spans.push(Span::styled(format!("  (others then {}n {}a)", others.normal, others.abnormal), theme.muted));
        }
    }
    spans
}

fn opinion_spans(opinion: &Opinion, theme: &Theme) -> Vec<Span<'static>> {
    let comment = opinion.comment.as_ref().map(|comment| Span::styled(format!("  \"{comment}\""), theme.muted));
    judgement_spans(&opinion.judgement, theme).into_iter().chain(comment).collect()
}

fn correction_lines(correction: &CorrectionRow, theme: &Theme) -> Vec<Line<'static>> {
    vec![
        Line::from(template_spans(correction.text.as_str(), Style::new(), theme)),
        Line::default(),
        Line::from(vec![Span::styled("Original  ", theme.title), label_span(correction.original, theme)]),
        settled_line(Some(&correction.gold), Phase::Ruling, 8, theme),
    ]
}

fn judgement_spans(judgement: &Judgement, theme: &Theme) -> Vec<Span<'static>> {
    let category = judgement.category().map(|c| Span::raw(format!(" ({})", SafeText::one_line(c.as_str()))));
    std::iter::once(judgement_span(judgement, theme)).chain(category).collect()
}

fn settled_line(settled: Option<&Settled>, phase: Phase, columns: usize, theme: &Theme) -> Line<'static> {
    let mut spans = vec![Span::styled(pad("Gold", columns + 2), theme.title)];
    match settled {
        None => {
            let text = match phase {
                Phase::Panel => ". open: vote with n or a; a senior rules with N or A",
                Phase::Blind | Phase::Ruling => ". open: a senior rules with N or A",
            };
            spans.push(Span::styled(text, theme.muted));
        }
        Some(settled) => {
            spans.extend(judgement_spans(&settled.judgement, theme));
            let by = settled.by.as_ref().map(|by| format!(" of {by}")).unwrap_or_default();
            let reason = settled.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            spans.push(Span::raw(format!("  {}{by}{reason}", settled.source.as_str())));
        }
    }
    Line::from(spans)
}
