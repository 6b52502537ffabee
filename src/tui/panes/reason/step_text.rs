//! The text of a step: its tokens shaded by how probable they were, or by what of them the log says; what the log does not
//! contain stands between `x[` and `]`. And the entropy of all tokens in one line.

use ratatui::style::{Modifier, Style, Stylize as _};
use ratatui::text::{Line, Span};

use crate::evaluation::{GroundedClaim, SteppedTrace};
use crate::logs::SafeText;
use crate::tui::theme::Theme;
use crate::tui::widgets::{Shaded, fit};

/// From this probability on a token is sure, likely, doubtful; below it is a guess.
const SURE: f32 = 0.9;
const LIKELY: f32 = 0.5;
const DOUBTFUL: f32 = 0.1;

/// What the text of a step is shaded by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Lens {
    /// How probable each token was.
    #[default]
    Probability,
    /// What of it the log says.
    Grounding,
}

impl Lens {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Probability => Self::Grounding,
            Self::Grounding => Self::Probability,
        }
    }
}

/// How a token of this probability looks.
fn shade(probability: f32, theme: &Theme) -> Style {
    match probability {
        p if p >= SURE => Style::new(),
        p if p >= LIKELY => theme.likely,
        p if p >= DOUBTFUL => theme.doubtful,
        _ => theme.guess,
    }
}

/// What the styles mean, for the foot of the frame.
pub(super) fn legend(lens: Lens, theme: &Theme) -> Line<'static> {
    let spans = match lens {
        Lens::Probability => vec![
            Span::raw(" over 90 %"),
            Span::styled("  over 50", theme.likely),
            Span::styled("  over 10", theme.doubtful),
            Span::styled("  guessed", theme.guess),
            Span::styled("  x[not in log]", theme.error),
            Span::raw(" "),
        ],
        Lens::Grounding => vec![
            Span::styled(" in the log", theme.added),
            Span::styled("  ~word of its own", theme.warning),
            Span::styled("  x[not in log]", theme.error),
            Span::raw(" "),
        ],
    };
    // A frame's titles are bold, which would make every sample look like a guess.
    let bold = |style: Style| style.add_modifier.contains(Modifier::BOLD);
    let plain = |span: Span<'static>| if bold(span.style) { span } else { span.remove_modifier(Modifier::BOLD) };
    Line::from(spans.into_iter().map(plain).collect::<Vec<_>>())
}

/// A claim, by its place among the bytes of all of the step's tokens.
struct Placed<'a> {
    start: usize,
    end: usize,
    claim: &'a GroundedClaim,
}

/// The text of a step as its tokens make it, with the current token set off.
pub(super) fn step_text(trace: &SteppedTrace, step: usize, current: usize, lens: Lens, theme: &Theme) -> Shaded {
    let mut shaded = Shaded::default();
    let Some(stepped) = trace.steps.get(step) else { return shaded };
    let whole: String = stepped.tokens.iter().map(|token| token.text.as_str()).collect();
    // The tokens have the tags and spaces around the text of the step too.
    let offset = whole.find(stepped.text.as_str());
    let told = |claim: &&GroundedClaim| claim.step == step && (lens == Lens::Grounding || is_made_up(claim));
    let claims: Vec<Placed<'_>> = offset.map_or_else(Vec::new, |offset| {
        let here = trace.grounding.iter().filter(told);
        here.map(|claim| Placed { start: offset + claim.range.start, end: offset + claim.range.end, claim }).collect()
    });
    let mut start = 0;
    for (index, token) in stepped.tokens.iter().enumerate() {
        let end = start + token.text.len();
        if index == current {
            shaded.aim();
        }
        let mut cuts = vec![start, end];
        cuts.extend(claims.iter().flat_map(|claim| [claim.start, claim.end]).filter(|at| (start..end).contains(at)));
        cuts.sort_unstable();
        cuts.dedup();
        for (from, to) in cuts.iter().zip(&cuts[1..]).map(|(from, to)| (*from, *to)) {
            let here = claims.iter().find(|claim| claim.start <= from && to <= claim.end);
            let mut style = match lens {
                Lens::Probability => shade(token.probability, theme),
                Lens::Grounding => Style::new(),
            };
            if let Some(placed) = here {
                let (mark, of_claim) = look(placed.claim, theme);
                style = style.patch(of_claim);
                if placed.start == from {
                    shaded.push(mark, of_claim);
                }
            }
            let style = if index == current { style.patch(theme.selection) } else { style };
            shaded.push(whole.get(from..to).unwrap_or_default(), style);
            if let Some(placed) = here.filter(|placed| placed.end == to && is_made_up(placed.claim)) {
                shaded.push("]", look(placed.claim, theme).1);
            }
        }
        start = end;
    }
    shaded
}

/// Whether the log should contain it and does not.
fn is_made_up(claim: &GroundedClaim) -> bool {
    claim.kind.is_hard() && !claim.in_log
}

/// What stands before a claim, and how it looks.
fn look(claim: &GroundedClaim, theme: &Theme) -> (&'static str, Style) {
    match claim {
        _ if claim.in_log => ("", theme.added),
        _ if claim.kind.is_hard() => ("x[", theme.error),
        _ => ("~", theme.warning),
    }
}

/// The levels of the line of entropies, from sure to unsure.
const LEVELS: &[u8] = b".:-=+*#@";

/// Nats at which the line's scale ends at least: where a model is sure of all, small differences are no peaks.
const LEAST_TOP: f32 = 1.0;

/// ` entropy .:..=|..-.#.  mean 0.42, most 2.31 nats at " panic"`: a sign for each token of the trace, or the most unsure of
/// several where they are more than the columns, `|` between steps where there is room. `None` where no entropy is known.
pub(super) fn entropy_line(
    trace: &SteppedTrace,
    (step, current): (usize, usize),
    width: usize,
    theme: &Theme,
) -> Option<Line<'static>> {
    let tokens = || {
        trace
            .steps
            .iter()
            .enumerate()
            .flat_map(|(s, step)| step.tokens.iter().enumerate().map(move |(t, token)| (s, t, token)))
    };
    let known: Vec<f32> = tokens().filter_map(|(_, _, token)| token.entropy).collect();
    let (_, _, unsure) = tokens().max_by(|a, b| a.2.entropy.unwrap_or(-1.0).total_cmp(&b.2.entropy.unwrap_or(-1.0)))?;
    let most = unsure.entropy?;
    let mean = known.iter().sum::<f32>() / known.len() as f32;
    let told = format!("  mean {mean:.2}, most {most:.2} nats at \"{}\"", SafeText::one_line(&unsure.text));
    const NAME: &str = " entropy ";
    let told = fit(&told, (width / 2).max(20).min(width.saturating_sub(NAME.len())));
    let room = width.saturating_sub(NAME.len() + unicode_width::UnicodeWidthStr::width(told.as_str()));
    // Signs with their tokens; a step's end has none.
    let mut signs: Vec<(Option<f32>, bool, bool)> = Vec::new();
    let total = tokens().count();
    let bars = total + trace.steps.len().saturating_sub(1) <= room;
    for (s, t, token) in tokens() {
        if bars && t == 0 && s > 0 {
            signs.push((None, false, true));
        }
        signs.push((token.entropy, (s, t) == (step, token_of(trace, step, current)), false));
    }
    let columns = signs.len().min(room);
    if columns == 0 {
        return None;
    }
    let mut spans = vec![Span::styled(NAME, theme.muted)];
    for column in 0..columns {
        // Columns are at most as many as signs, so each has one at least.
        let part = &signs[column * signs.len() / columns..(column + 1) * signs.len() / columns];
        let current = part.iter().any(|sign| sign.1);
        let highest =
            part.iter().filter_map(|sign| sign.0).fold(None, |a: Option<f32>, b| Some(a.map_or(b, |a| a.max(b))));
        let glyph = match highest {
            Some(entropy) => char::from(LEVELS[level(entropy, most)]),
            None if part.iter().all(|sign| sign.2) => '|',
            None => ' ',
        };
        let style = highest.map_or(theme.muted, |entropy| match level(entropy, most) {
            0..=2 => Style::new(),
            3..=5 => theme.doubtful,
            _ => theme.guess,
        });
        spans.push(Span::styled(glyph.to_string(), if current { style.patch(theme.selection) } else { style }));
    }
    spans.push(Span::styled(told, theme.muted));
    Some(Line::from(spans))
}

/// The current token, or the last where the step has fewer.
fn token_of(trace: &SteppedTrace, step: usize, token: usize) -> usize {
    trace.steps.get(step).map_or(0, |step| token.min(step.tokens.len().saturating_sub(1)))
}

fn level(entropy: f32, most: f32) -> usize {
    // From 0 to 1, so the levels are few.
    let share = (entropy / most.max(LEAST_TOP)).clamp(0.0, 1.0);
    ((share * LEVELS.len() as f32) as usize).min(LEVELS.len() - 1)
}
