//! Traces as one HTML page that needs nothing else: no script, no network, light and dark.
//!
//! Everything that comes from logs and models is made visible as for a terminal ([`SafeText`]) and escaped by the
//! template (`assets/pages/traces.html`); a content security policy in the page forbids whatever would load or run.

use std::ops::Range;

use minijinja::Environment;
use serde::Serialize;

use super::stepping::{GroundedClaim, SteppedKind, SteppedStep, SteppedToken, SteppedTrace};
use super::verdict::EvidenceToken;
use crate::logs::SafeText;
use crate::workspace::TraceRecord;

const TEMPLATE: &str = include_str!("../../assets/pages/traces.html");

/// Shades of a colour.
const LEVELS: f64 = 10.0;

/// Words of the evidence that are told in a line.
const STRONGEST: usize = 5;

/// A trace for the page, with what the project knows of it where it was kept.
#[derive(Debug, Clone, Copy)]
pub struct PageTrace<'a> {
    /// The trace.
    pub trace: &'a SteppedTrace,
    /// Who kept it, when, and who contests it.
    pub kept: Option<&'a TraceRecord>,
}

impl<'a> From<&'a SteppedTrace> for PageTrace<'a> {
    fn from(trace: &'a SteppedTrace) -> Self {
        Self { trace, kept: None }
    }
}

/// The page of some traces, in the order given.
pub fn traces_page(title: &str, traces: &[PageTrace<'_>]) -> String {
    let mut environment = Environment::new();
    // The name's ending turns escaping on.
    environment.add_template("traces.html", TEMPLATE).expect("the bundled page is a template");
    let page = Page {
        title: one_line(title),
        version: env!("CARGO_PKG_VERSION"),
        traces: traces.iter().map(|trace| card(*trace)).collect(),
    };
    let template = environment.get_template("traces.html").expect("it was just added");
    template.render(page).expect("the bundled page renders any trace")
}

#[derive(Serialize)]
struct Page {
    title: String,
    version: &'static str,
    traces: Vec<Card>,
}

/// A trace as the template takes it: every text made visible, every number written out.
#[derive(Serialize)]
struct Card {
    heading: String,
    wrote: String,
    answer: String,
    facts: Vec<Fact>,
    log: Vec<Piece>,
    cut: Option<String>,
    steps: Vec<Step>,
    claims: Vec<Claim>,
    evidence: Vec<Word>,
}

#[derive(Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

/// A stretch of text; shaded and explained where it has a class.
#[derive(Serialize)]
struct Piece {
    text: String,
    class: Option<String>,
    title: String,
}

#[derive(Serialize)]
struct Step {
    name: String,
    facts: String,
    tokens: Vec<Piece>,
    ground: Option<String>,
}

#[derive(Serialize)]
struct Claim {
    step: usize,
    text: String,
    kind: String,
    in_log: bool,
}

#[derive(Serialize)]
struct Word {
    text: String,
    delta: String,
}

fn card(PageTrace { trace, kept }: PageTrace<'_>) -> Card {
    let format = if trace.format_ok { "" } else { " (format not kept)" };
    let answer = trace.answer.as_deref().map_or_else(|| "no answer that can be read".to_owned(), one_line);
    Card {
        heading: one_line(&trace.input),
        wrote: wrote(trace),
        answer: format!("{answer}{format}"),
        facts: facts(trace, kept),
        log: log_pieces(trace),
        cut: (trace.input_bytes_cut > 0)
            .then(|| format!("The log is longer: the model did not read its last {} bytes.", trace.input_bytes_cut)),
        steps: (0..trace.steps.len()).map(|index| step(trace, index)).collect(),
        claims: trace.grounding.iter().map(claim).collect(),
        evidence: strongest(&trace.evidence)
            .map(|word| Word { text: one_line(&word.token), delta: signed(word.delta) })
            .collect(),
    }
}

fn wrote(trace: &SteppedTrace) -> String {
    let adapter = trace.adapter.as_deref().unwrap_or("no adapter");
    one_line(&format!("{}, {adapter}", trace.model))
}

fn facts(trace: &SteppedTrace, kept: Option<&TraceRecord>) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut tell = |name, value: String| facts.push(Fact { name, value: one_line(&value) });
    tell("Model", trace.model.clone());
    tell("Adapter", trace.adapter.clone().unwrap_or_else(|| "none".into()));
    if let Some(kept) = kept {
        if let Some(template) = &kept.template {
            tell("Template", template.to_string());
        }
        if let Some(gold) = kept.gold {
            tell("Gold when kept", gold.to_string());
        }
    }
    if let Some(margin) = trace.margin {
        tell("Margin", format!("{} (log-odds of abnormal, behind the reasoning)", signed(margin)));
    }
    if let Some(margin) = trace.margin_at_once {
        tell("Margin at once", format!("{} (without reasoning)", signed(margin)));
    }
    if let Some(band) = &trace.band {
        tell("Worth of the margin", band.to_string());
    }
    if let Some(counterfactual) = &trace.counterfactual {
        tell("What if", counterfactual.to_string());
    }
    if !trace.evidence.is_empty() {
        let told = strongest(&trace.evidence).take(STRONGEST);
        let told: Vec<String> = told.map(|word| format!("{:?} {}", word.token, signed(word.delta))).collect();
        tell("Rests on", told.join(", "));
    }
    if trace.session {
        tell("Session", format!("{} lines, judged as one", trace.input.lines().count()));
    }
    let order = if trace.fast { "verdict first" } else { "reasoning first" };
    let answer = trace.answer_ms.map(|ms| format!(", answer after {ms:.0} ms")).unwrap_or_default();
    tell(
        "Written",
        format!(
            "{order}; first token after {:.0} ms{answer}, {:.0} tokens/s",
            trace.first_token_ms, trace.tokens_per_second
        ),
    );
    if let Some(kept) = kept {
        tell("Kept", format!("{} by {}, as {}", kept.at, kept.by, kept.id));
        if let Some(fingerprint) = &kept.base_fingerprint {
            tell("Base", fingerprint.clone());
        }
        if let Some(contest) = &kept.contested {
            let reason = contest.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            tell("Contested", format!("{} by {}{reason}", contest.at, contest.by));
        }
    }
    facts
}

/// The log with its words shaded by what they do to the verdict.
fn log_pieces(trace: &SteppedTrace) -> Vec<Piece> {
    let strongest = trace.evidence.iter().map(|word| word.delta.abs()).fold(0.0, f64::max);
    let shaded = trace.evidence.iter().map(|word| {
        let level = level(word.delta.abs() / strongest);
        let class = (level > 0).then(|| format!("{}{level}", if word.delta > 0.0 { 'a' } else { 'n' }));
        (word.range.clone(), class, format!("{} log-odds of abnormal", signed(word.delta)))
    });
    let mut pieces = Vec::new();
    let mut at = 0;
    let plain = |text: &str| Piece { text: text_of(text), class: None, title: String::new() };
    for (Range { start, end }, class, title) in shaded {
        // A trace from elsewhere may say anything of its ranges.
        let (Some(before), Some(word)) = (trace.input.get(at..start), trace.input.get(start..end)) else { continue };
        if !before.is_empty() {
            pieces.push(plain(before));
        }
        pieces.push(Piece { text: text_of(word), class, title });
        at = end;
    }
    pieces.extend(trace.input.get(at..).filter(|rest| !rest.is_empty()).map(plain));
    pieces
}

fn step(trace: &SteppedTrace, index: usize) -> Step {
    let step = &trace.steps[index];
    let claims = || trace.grounding.iter().filter(move |claim| claim.step == index && claim.kind.is_hard());
    let missing: Vec<String> =
        claims().filter(|claim| !claim.in_log).map(|claim| format!("{:?}", claim.claim)).collect();
    let ground = match (claims().count(), &missing[..]) {
        (0, _) => None,
        (count, []) => Some(format!("+ what it quotes, counts and names stands in the log ({count} of {count})")),
        (_, missing) => Some(one_line(&format!("x not in the log: {}", missing.join(", ")))),
    };
    Step {
        name: if step.kind == SteppedKind::Answer { "Answer".into() } else { format!("Step {}", index + 1) },
        facts: sureness(step),
        tokens: step.tokens.iter().map(token).collect(),
        ground,
    }
}

fn sureness(step: &SteppedStep) -> String {
    let Some(mean) = step.mean_probability() else { return String::new() };
    let least = step.tokens.iter().min_by(|a, b| a.probability.total_cmp(&b.probability));
    let least = least.map(|token| format!(", least sure of {:?} ({})", token.text, percent(token.probability)));
    one_line(&format!("mean token probability {:.0} %{}", mean * 100.0, least.unwrap_or_default()))
}

fn token(token: &SteppedToken) -> Piece {
    let mut title = format!("{:?} {}", token.text, percent(token.probability));
    for (number, other) in token.alternatives.iter().enumerate() {
        title.push_str(if number == 0 { "; instead: " } else { ", " });
        let text = if other.control { other.text.clone() } else { format!("{:?}", other.text) };
        title.push_str(&format!("{text} {}", percent(other.probability)));
    }
    if let Some(entropy) = token.entropy {
        title.push_str(&format!("; entropy {entropy:.2} nats"));
    }
    let level = level(1.0 - f64::from(token.probability));
    Piece { text: text_of(&token.text), class: (level > 0).then(|| format!("d{level}")), title: one_line(&title) }
}

fn claim(claim: &GroundedClaim) -> Claim {
    let kind = serde_json::to_value(claim.kind).ok();
    Claim {
        step: claim.step + 1,
        text: one_line(&claim.claim),
        kind: kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default().to_owned(),
        in_log: claim.in_log,
    }
}

/// The words of the evidence, what moves the verdict most first.
fn strongest(evidence: &[EvidenceToken]) -> impl Iterator<Item = &EvidenceToken> {
    let mut words: Vec<_> = evidence.iter().collect();
    words.sort_by(|a, b| b.delta.abs().total_cmp(&a.delta.abs()));
    words.into_iter()
}

/// A share from 0 to 1 as a number of shades; 0 for what is no number.
fn level(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * LEVELS).round() as u32
}

fn percent(probability: f32) -> String {
    let percent = f64::from(probability) * 100.0;
    if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

fn signed(value: f64) -> String {
    format!("{value:+.2}")
}

/// Text of several lines for the page.
fn text_of(raw: &str) -> String {
    SafeText::new(raw).into_string()
}

fn one_line(raw: &str) -> String {
    SafeText::one_line(raw).into_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::SteppedAlternative;
    use crate::reasoning::ClaimKind;

    /// What an attacker would write into a log, and make a model say.
    const HOSTILE: &str =
        "</style></title><script>alert(1)</script> \"onload='x' {{ 7*7 }} \u{202e}evil\x1b[31m &amp; <!--";

    fn trace(text: &str) -> SteppedTrace {
        let token = SteppedToken {
            text: text.into(),
            probability: 0.31,
            entropy: Some(1.2),
            alternatives: vec![SteppedAlternative { text: text.into(), control: false, probability: 0.2 }],
        };
        let step = |kind| SteppedStep { kind, text: text.into(), tokens: vec![token.clone()] };
        SteppedTrace {
            input: format!("ciod {text}"),
            input_bytes_cut: 7,
            session: false,
            text: text.into(),
            steps: vec![step(SteppedKind::Step), step(SteppedKind::Answer)],
            answer: Some(text.into()),
            format_ok: false,
            fast: false,
            grounding: vec![GroundedClaim {
                step: 0,
                claim: text.into(),
                kind: ClaimKind::Quotation,
                range: 0..2,
                in_log: false,
            }],
            margin: Some(1.5),
            margin_at_once: Some(-0.25),
            evidence: vec![
                EvidenceToken { token: "ciod".into(), range: 0..4, delta: -0.8 },
                EvidenceToken { token: text.into(), range: 5..5 + text.len(), delta: 1.6 },
                EvidenceToken { token: "beyond".into(), range: 9_000..9_001, delta: 0.1 },
            ],
            band: None,
            counterfactual: None,
            model: text.into(),
            adapter: Some(text.into()),
            first_token_ms: 12.0,
            answer_ms: None,
            tokens_per_second: 40.0,
        }
    }

    #[test]
    fn nothing_in_a_log_or_an_answer_acts_in_the_page() {
        let trace = trace(HOSTILE);
        let page = traces_page(HOSTILE, &[PageTrace::from(&trace)]);
        assert_eq!(page.matches("</style>").count(), 1);
        assert_eq!(page.matches("</title>").count(), 1);
        assert!(!page.contains("<script") && !page.contains("<!--") && !page.contains("49"));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;") && page.contains("{{ 7*7 }}"));
        assert!(!page.contains('\u{202e}') && page.contains("\\u{202e}evil\\x1b[31m"));
        assert!(page.contains("&amp;amp;"), "what looks escaped already is escaped like the rest");
        // Every attribute is closed by the template's own quotation marks.
        assert!(!page.contains("\"onload") && page.contains("&quot;onload=&#x27;x&#x27;"));
        assert!(page.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn a_page_needs_nothing_from_outside() {
        let page = traces_page("Traces", &[PageTrace::from(&trace("x"))]);
        for outside in ["http://", "https://", "src=", "@import", "url(", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("default-src 'none'"));
    }

    #[test]
    fn a_page_shades_marks_and_names() {
        let (one, mut two) = (trace("failed"), trace("ready"));
        two.grounding[0].in_log = true;
        two.adapter = None;
        let page = traces_page("Traces", &[PageTrace::from(&one), PageTrace::from(&two)]);
        assert!(page.contains("<span class=\"n5\" title=\"-0.80 log-odds of abnormal\">ciod</span>"), "{page}");
        assert!(page.contains("<span class=\"a10\" title=\"+1.60 log-odds of abnormal\">failed</span>"));
        let token = "<span class=\"d7\" title=\"&quot;failed&quot; 31 %; instead: &quot;failed&quot; 20 %; entropy 1.20 nats\">failed</span>";
        assert!(page.contains(token), "{page}");
        assert!(page.contains("x not in the log: &quot;failed&quot;"));
        assert!(page.contains("+ what it quotes, counts and names stands in the log (1 of 1)"));
        assert!(page.contains("did not read its last 7 bytes") && page.contains("format not kept"));
        assert!(page.contains("<a href=\"#trace-2\">ciod ready</a>") && page.contains("id=\"trace-2\""));
        assert!(page.contains("<dt>Adapter</dt><dd>none</dd>"));
    }
}
