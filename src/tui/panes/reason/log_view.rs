//! How the log looks that the reasoning is about: its words shaded by what of the verdict rests on them, or, while the user
//! asks what if, with the changes in it.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::trace_view::{inside, strongest};
use super::what_if::Supposing;
use crate::evaluation::{EvidenceToken, GroundedClaim, log_words};
use crate::labels::Label;
use crate::reasoning::supports;
use crate::tui::theme::Theme;
use crate::tui::widgets::{Shaded, fit, framed, label_span};

/// A log to draw.
pub(super) struct ShownLog<'a> {
    pub text: &'a str,
    /// Whether it is a session, whose lines stand each in a row of its own.
    pub session: bool,
    /// Bytes of its end that the model did not read.
    pub bytes_cut: usize,
    pub evidence: &'a [EvidenceToken],
    /// What the step in front says of it, where that is what the text is shaded by: the words that bear it out are set
    /// off instead of the evidence.
    pub claims: Option<Vec<&'a GroundedClaim>>,
    /// The changes that are being tried.
    pub supposing: Option<&'a Supposing>,
}

impl<'a> ShownLog<'a> {
    /// A log of which nothing is known yet.
    pub fn plain(text: &'a str, session: bool) -> Self {
        Self { text, session, bytes_cut: 0, evidence: &[], claims: None, supposing: None }
    }
}

/// The log, in at most a quarter of the area (half while it is being changed); returns what is left.
pub(super) fn view_log(log: &ShownLog<'_>, theme: &Theme, frame: &mut Frame, area: Rect) -> Rect {
    let (rows, at) = shaded(log, theme).rows(inside(area));
    let most = if log.supposing.is_some() { area.height / 2 } else { area.height / 4 }.max(3);
    let height = u16::try_from(rows.len() + 2).unwrap_or(u16::MAX).min(most);
    let [top, rest] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    let room = usize::from(height.saturating_sub(2));
    let from = match log.supposing {
        Some(_) => at.saturating_sub(room / 2).min(rows.len().saturating_sub(room)),
        None => 0,
    };
    let hidden = rows.len().saturating_sub(room);
    let name = if log.session { format!(" Session of {} lines", log.text.lines().count()) } else { " Log".to_owned() };
    let mut title = match (log.supposing, log.bytes_cut) {
        (Some(supposing), _) => match supposing.changes.len() {
            0 => " What if ... space masks the word, e changes it".to_owned(),
            n => format!(" What if: {n} of {} words changed, u takes back, enter asks", supposing.words.len()),
        },
        (None, 0) => name,
        (None, cut) => format!("{name}, without its last {cut} bytes: too long for the model"),
    };
    if hidden > 0 && log.supposing.is_none() {
        title += &format!("; {hidden} more rows");
    }
    title.push(' ');
    let lines: Vec<Line> = rows.into_iter().skip(from).take(room).collect();
    let focused = log.supposing.is_some();
    frame.render_widget(Paragraph::new(lines).block(framed(fit(&title, inside(top)), focused, theme)), top);
    rest
}

/// The log with the words of the evidence in the colour of the label that they speak for (which words those are, and how
/// much each counts, also stands below the verdict), with the words that bear out what the step in front says, or with the
/// changes that are being tried.
fn shaded(log: &ShownLog<'_>, theme: &Theme) -> Shaded {
    let strong = strongest(log.evidence);
    let mut shaded = Shaded::default();
    let mut at = 0;
    let gap = |shaded: &mut Shaded, gap: &str| match gap.contains('\n') && log.session {
        true => shaded.end_row(),
        false => shaded.push(gap, Style::new()),
    };
    for (index, word) in log_words(log.text).into_iter().enumerate() {
        gap(&mut shaded, &log.text[at..word.start]);
        let text = &log.text[word.clone()];
        match log.supposing {
            Some(supposing) => {
                let current = index == supposing.at;
                if current {
                    shaded.aim();
                }
                let look = |style: Style| if current { style.patch(theme.selection) } else { style };
                match supposing.instead_of(index) {
                    Some("") => shaded.push("[]", look(theme.removed)),
                    Some(with) => shaded.push(&format!("[{with}]"), look(theme.added)),
                    None => shaded.push_template(text, look(Style::new()), theme),
                }
            }
            None => {
                let borne_out = |claim: &&GroundedClaim| claim.in_log && supports(text, &claim.claim, claim.kind);
                let style = match strong.iter().find(|evidence| evidence.range.start == word.start) {
                    _ if log.claims.as_ref().is_some_and(|claims| claims.iter().any(borne_out)) => theme.added,
                    _ if log.claims.is_some() => Style::new(),
                    Some(evidence) if evidence.delta > 0.0 => theme.abnormal,
                    Some(_) => theme.normal,
                    None => Style::new(),
                };
                shaded.push_template(text, style, theme);
            }
        }
        at = word.end;
    }
    gap(&mut shaded, &log.text[at..]);
    shaded
}

/// ` what if   margin at once +1.2 -> -0.4 (-1.6): ! abnormal -> o normal`
pub(super) fn what_if_line(supposing: &Supposing, width: usize, theme: &Theme) -> Line<'static> {
    let mut spans = vec![Span::styled(" what if ", theme.title), Span::styled(" margin at once ", theme.muted)];
    let before = supposing.as_it_is.map_or_else(|| "?".to_owned(), |margin| format!("{margin:+.1}"));
    match supposing.answer() {
        _ if supposing.changes.is_empty() => spans.push(Span::raw(before)),
        None => {
            spans.push(Span::raw(format!("{before} -> ")));
            spans.push(Span::styled("...", theme.muted));
        }
        Some(Err(why)) => spans.push(Span::styled(fit(why.as_str(), width.saturating_sub(30)), theme.warning)),
        Some(Ok(answer)) => {
            let (was, is) = (answer.margin - answer.delta, answer.margin);
            spans.push(Span::raw(format!("{was:+.1} -> {is:+.1} ")));
            spans.push(Span::styled(format!("({:+.1})", answer.delta), theme.title));
            spans.push(Span::raw("  "));
            spans.push(label_span(verdict(was), theme));
            if verdict(was) != verdict(is) {
                spans.push(Span::raw(" -> "));
                spans.push(label_span(verdict(is), theme));
            } else {
                spans.push(Span::styled(" still", theme.muted));
            }
        }
    }
    Line::from(spans)
}

fn verdict(margin: f64) -> Label {
    if margin > 0.0 { Label::Abnormal } else { Label::Normal }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasoning::ClaimKind;

    /// The words of the log that look so.
    fn words(log: &ShownLog<'_>, look: Style) -> Vec<String> {
        let (rows, _) = shaded(log, &Theme::coloured()).rows(80);
        let spans = rows.into_iter().flat_map(|row| row.spans).filter(|span| span.style == look);
        spans.map(|span| span.content.into_owned()).filter(|text| !text.trim().is_empty()).collect()
    }

    #[test]
    fn words_are_set_off_by_their_part_in_the_verdict_or_by_the_claims_that_they_bear_out() {
        let theme = Theme::coloured();
        let word = |token: &str, start: usize, delta| EvidenceToken {
            token: token.to_owned(),
            range: start..start + token.len(),
            delta,
        };
        let evidence = [word("disk", 0, 1.0), word("gone", 5, -0.5), word("at", 10, 0.01)];
        let log = ShownLog { evidence: &evidence, ..ShownLog::plain("disk gone at 007 disk", false) };
        assert_eq!(words(&log, theme.abnormal), ["disk"], "the place counts, not the word");
        assert_eq!(words(&log, theme.normal), ["gone"]);
        let claim = |text: &str, kind, in_log| GroundedClaim {
            step: 0,
            claim: text.to_owned(),
            kind,
            range: 0..text.len(),
            in_log,
        };
        let claims = [
            claim("disks", ClaimKind::Word, true),
            claim("7", ClaimKind::Number, true),
            claim("gone", ClaimKind::Word, false),
        ];
        let log = ShownLog { claims: Some(claims.iter().collect()), ..log };
        assert_eq!(words(&log, theme.added), ["disk", "007", "disk"]);
        assert!(words(&log, theme.abnormal).is_empty());
    }
}
