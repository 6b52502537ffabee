//! How a trace looks: its verdict, its steps, the text of one step, and one token with what might stand in its place.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr as _;

use super::log_view::what_if_line;
use super::state::{Doing, Front, State, Told, is_grounded, lowest, step_name};
use super::step_text::{Lens, entropy_line, legend, step_text};
use crate::evaluation::{Band, EvidenceToken, SteppedStep, SteppedToken, SteppedTrace};
use crate::logs::SafeText;
use crate::reasoning::answer_label;
use crate::tui::theme::Theme;
use crate::tui::widgets::{fit, framed, label_span, notice, pad};

/// Below this probability a token, or a step's mean, is worth a look.
const DOUBTFUL: f64 = 0.5;

/// Cells of a full probability bar.
const BAR: usize = 10;

/// From this width on, the list of steps names each step's least probable token.
const NAMES_LOWEST: u16 = 100;

/// Columns for that name.
const LOWEST: usize = 14;

/// Rows of a token and its five alternatives, framed; on a low screen, of a token and two.
const TOKEN_ROWS: u16 = 8;
const LOW_TOKEN_ROWS: u16 = 5;

/// Below this height every row is counted.
const LOW: u16 = 26;

/// Columns inside a frame.
pub(super) fn inside(area: Rect) -> usize {
    usize::from(area.width.saturating_sub(2))
}

pub(super) fn view_trace(state: &State, told: &Told, theme: &Theme, frame: &mut Frame, area: Rect) {
    let trace = &told.trace;
    let width = usize::from(area.width);
    let mut told_first = vec![verdict_line(told, width, theme)];
    match state.supposing() {
        Some(supposing) => told_first.push(what_if_line(supposing, width, theme)),
        None => told_first.extend(evidence_line(trace, width, theme)),
    }
    told_first.extend(trace.band.as_ref().map(|band| band_line(band, width, theme)));
    told_first.extend(entropy_line(trace, (state.step, state.token), width, theme));
    if area.height <= 8 {
        told_first.clear();
    }
    let (marked, at) = step_text(trace, state.step, state.token, state.lens, theme).rows(inside(area));
    let rows = |content: usize| u16::try_from(content + 2).unwrap_or(u16::MAX);
    let verdict_rows = u16::try_from(told_first.len()).unwrap_or(u16::MAX);
    let steps = rows(trace.steps.len()).min((area.height / 3).max(4));
    let tokens = if area.height < LOW { LOW_TOKEN_ROWS } else { TOKEN_ROWS };
    let text = rows(marked.len()).min(area.height.saturating_sub(verdict_rows + steps + tokens));
    let [verdict, steps, text, tokens] = Layout::vertical([
        Constraint::Length(verdict_rows),
        Constraint::Length(steps),
        // A frame without content is no help.
        Constraint::Length(if text > 2 { text } else { 0 }),
        Constraint::Min(0),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(told_first), verdict);
    view_steps(state, trace, theme, frame, steps);
    view_text(marked, at, state.lens, &missing(trace, state.step), theme, frame, text);
    let [tokens, others] = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]).areas(tokens);
    view_tokens(state, theme, frame, tokens);
    let branching = matches!(state.doing, Doing::Branching);
    view_alternatives(state.current_token(), branching, theme, frame, others);
}

/// The words of a log that count most for the verdict: those with at least a quarter of the strongest one's part.
pub(super) fn strongest(evidence: &[EvidenceToken]) -> Vec<&EvidenceToken> {
    let most = evidence.iter().map(|word| word.delta.abs()).fold(0.0, f64::max);
    let mut strong: Vec<&EvidenceToken> =
        evidence.iter().filter(|word| word.delta != 0.0 && word.delta.abs() >= most / 4.0).collect();
    strong.sort_by(|a, b| b.delta.abs().total_cmp(&a.delta.abs()));
    strong
}

/// ` rests on Error +0.6, image -0.3`, where that is known. Above 0 a word speaks for abnormal.
fn evidence_line(trace: &SteppedTrace, width: usize, theme: &Theme) -> Option<Line<'static>> {
    let strong = strongest(&trace.evidence);
    let mut spans = vec![Span::styled(" rests on", theme.muted)];
    let mut used = spans[0].width();
    for (index, word) in strong.iter().enumerate() {
        let comma = if index == 0 { " " } else { ", " };
        let style = if word.delta > 0.0 { theme.abnormal } else { theme.normal };
        let told = format!("{} {:+.1}", SafeText::one_line(&word.token), word.delta);
        used += comma.len() + told.width();
        if used > width && index > 0 {
            break;
        }
        spans.push(Span::styled(comma, theme.muted));
        spans.push(Span::styled(told, style));
    }
    (!strong.is_empty()).then(|| Line::from(spans))
}

/// ` of 34 such margins, +1.5 to +3.0, 91 % were abnormal (77-97 %): templates_dev.csv, gold`
fn band_line(band: &Band, width: usize, theme: &Theme) -> Line<'static> {
    let share = format!(" {:.0} % abnormal", band.share * 100.0);
    let [low, high] = band.interval.map(|share| share * 100.0);
    let (least, most) = (band.low, band.high);
    let name = band.data.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let rest = format!(
        " ({low:.0}-{high:.0}) of {} with margins {least:+.1} to {most:+.1} in {}, {}",
        band.n,
        SafeText::one_line(&name),
        band.truth.column()
    );
    let style = if band.share >= DOUBTFUL { theme.abnormal } else { theme.normal };
    let rest = fit(&rest, width.saturating_sub(share.width()));
    Line::from(vec![Span::styled(share, style), Span::styled(rest, theme.muted)])
}

/// What a step quotes, counts or names that does not stand in the log.
fn missing(trace: &SteppedTrace, step: usize) -> Vec<String> {
    let claims = trace.grounding.iter().filter(|claim| claim.step == step && claim.kind.is_hard() && !claim.in_log);
    claims.map(|claim| SafeText::one_line(&claim.claim).into_string()).collect()
}

/// `120 ms` or `1.9 s`.
fn seconds(milliseconds: f64) -> String {
    if milliseconds < 1e3 { format!("{milliseconds:.0} ms") } else { format!("{:.1} s", milliseconds / 1e3) }
}

/// The verdict with its glyph, or what stands in its place.
pub(super) fn answer_span(trace: &SteppedTrace, theme: &Theme) -> Span<'static> {
    match trace.answer.as_deref().map(|answer| (answer, answer_label(answer))) {
        Some((_, Some(label))) => label_span(label, theme),
        Some((answer, None)) => {
            Span::styled(format!("? {}", fit(SafeText::one_line(answer).as_str(), 20)), theme.warning)
        }
        None => Span::styled("? no answer", theme.warning),
    }
}

/// ` ! abnormal  + format kept  margin +1.9  78 tokens/s, first after 120 ms, verdict after 1.2 s`
fn verdict_line(told: &Told, width: usize, theme: &Theme) -> Line<'static> {
    let trace = &told.trace;
    let mut spans = vec![Span::raw(" "), answer_span(trace, theme)];
    spans.push(match trace.format_ok {
        true => Span::styled("  + format kept", theme.normal),
        false => Span::styled("  x format not kept", theme.warning),
    });
    if told.stopped {
        spans.push(Span::styled("  - stopped", theme.warning));
    }
    if told.contested {
        spans.push(Span::styled("  C contested", theme.warning));
    }
    if trace.fast {
        spans.push(Span::styled("  verdict first", theme.muted));
    }
    match trace.margin {
        Some(margin) => spans.push(Span::styled(format!("  margin {margin:+.1}"), theme.title)),
        None if told.weighing => spans.push(Span::styled("  weighing ...", theme.muted)),
        None => {}
    }
    let answered = trace.answer_ms.map(|ms| format!(", verdict after {}", seconds(ms))).unwrap_or_default();
    let (pace, first) = (trace.tokens_per_second, seconds(trace.first_token_ms));
    let figures = format!("  {pace:.0} tokens/s, first after {first}{answered}");
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::styled(fit(&figures, width.saturating_sub(used)), theme.muted));
    Line::from(spans)
}

fn view_steps(state: &State, trace: &SteppedTrace, theme: &Theme, frame: &mut Frame, area: Rect) {
    let at = (state.step + 1).min(trace.steps.len());
    let past = match state.past.len() {
        0 | 1 => String::new(),
        all => format!(", trace {} of {all}", state.shown + 1),
    };
    let adapter = trace.adapter.as_deref().unwrap_or("no adapter");
    let title =
        format!(" Step {at} of {}: mean, lowest, in log{past}; {} + {adapter} ", trace.steps.len(), trace.model);
    let title = fit(SafeText::one_line(&title).as_str(), inside(area));
    let block = framed(title, state.front == Front::Trace, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if trace.steps.is_empty() {
        return notice(frame, inner, theme, "The model wrote nothing.");
    }
    state.step_rows.render(frame, inner, trace.steps.len(), state.step, |index, width| {
        let step = &trace.steps[index];
        let selected = index == state.step;
        let style = if selected { theme.selection } else { Style::new() };
        let mean = step.mean_probability().unwrap_or_default();
        let low = lowest(step);
        let low_probability = low.map_or(0.0, |token| f64::from(token.probability));
        let mut spans = vec![
            Span::styled(if selected { "> " } else { "  " }, theme.accent),
            Span::styled(format!("{:>6} ", step_name(index, step)), theme.title),
            Span::styled(format!("{} ", percent(mean)), sureness(mean, theme)),
            Span::styled(format!("{} ", percent(low_probability)), sureness(low_probability, theme)),
            match is_grounded(trace, index) {
                Some(true) => Span::styled("+ ", theme.normal),
                Some(false) => Span::styled("x ", theme.warning),
                None => Span::raw("  "),
            },
        ];
        if width >= NAMES_LOWEST {
            let token = low.map_or_else(String::new, |token| quoted(&token.text));
            spans.push(Span::styled(pad(&token, LOWEST) + " ", theme.muted));
        }
        let used: usize = spans.iter().map(Span::width).sum();
        let text = SafeText::one_line(&step.text);
        spans.push(Span::styled(pad(text.as_str(), usize::from(width).saturating_sub(used)), style));
        Line::from(spans)
    });
}

/// The text of the step, scrolled so that the current token's row is in sight.
fn view_text(
    rows: Vec<Line<'static>>,
    at: usize,
    lens: Lens,
    missing: &[String],
    theme: &Theme,
    frame: &mut Frame,
    area: Rect,
) {
    let height = usize::from(area.height.saturating_sub(2));
    let top = at.saturating_sub(height / 2).min(rows.len().saturating_sub(height));
    let lines: Vec<Line> = rows.into_iter().skip(top).take(height).collect();
    let title = match missing {
        [] => " Its text ".to_owned(),
        missing => format!(" Its text; not in the log: {} ", missing.join(", ")),
    };
    let block = framed(fit(&title, inside(area)), false, theme).title_bottom(legend(lens, theme));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn view_tokens(state: &State, theme: &Theme, frame: &mut Frame, area: Rect) {
    let tokens: &[SteppedToken] = state.current_step().map_or(&[], |step: &SteppedStep| &step.tokens);
    let title = format!(" Token {} of {}  up/down ", (state.token + 1).min(tokens.len()), tokens.len());
    let block = framed(fit(&title, inside(area)), state.front == Front::Trace, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    state.token_rows.render(frame, inner, tokens.len(), state.token, |index, width| {
        let token = &tokens[index];
        token_line(&token.text, token.probability, index == state.token, width, theme)
    });
}

/// The chosen token, then what the model might have written in its place.
fn view_alternatives(token: Option<&SteppedToken>, branching: bool, theme: &Theme, frame: &mut Frame, area: Rect) {
    let title = if branching { " Branch from 1 to 5, or e " } else { " Chosen, and in its place " };
    let block = framed(fit(title, inside(area)), branching, theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(token) = token else { return };
    let chosen = token_line(&token.text, token.probability, true, inner.width, theme);
    let others = token.alternatives.iter();
    let others = others.map(|other| token_line(&other.text, other.probability, false, inner.width, theme));
    let lines: Vec<Line> = std::iter::once(chosen).chain(others).collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

/// `>  93 % #########- " panic"`
fn token_line(text: &str, probability: f32, selected: bool, width: u16, theme: &Theme) -> Line<'static> {
    let probability = f64::from(probability);
    // A probability is from 0 to 1, so the cells are few.
    let full = ((probability * BAR as f64).round() as usize).min(BAR);
    let bar = format!("{}{} ", "#".repeat(full), "-".repeat(BAR - full));
    let sure = sureness(probability, theme);
    let style = if selected { theme.selection } else { Style::new() };
    Line::from(vec![
        Span::styled(if selected { "> " } else { "  " }, theme.accent),
        Span::styled(format!("{} ", percent(probability)), sure),
        Span::styled(bar, sure),
        Span::styled(pad(&quoted(text), usize::from(width).saturating_sub(BAR + 9)), style),
    ])
}

/// A token's text between quotes, which show its spaces; line feeds are shown too.
fn quoted(text: &str) -> String {
    format!("\"{}\"", SafeText::one_line(text))
}

fn percent(probability: f64) -> String {
    match probability * 100.0 {
        p if p > 0.0 && p < 0.5 => " <1 %".to_owned(),
        p => format!("{p:>3.0} %"),
    }
}

fn sureness(probability: f64, theme: &Theme) -> Style {
    if probability < DOUBTFUL { theme.warning } else { theme.muted }
}
