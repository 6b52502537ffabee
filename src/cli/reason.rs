//! `logwright reason "LOG LINE"`

use std::io::{Read as _, Write as _};
use std::ops::ControlFlow;

use clap::Args;

use super::base::{BaseArgs, named_adapter};
use super::{Context, Failure, interrupt, output};
use crate::evaluation::{Asked, Asking, SteppedKind, SteppedTrace, step_through, weigh};
use crate::logs::SafeText;
use crate::model::{Adapter, LanguageModel};
use crate::reasoning::prompt::AnomalyPrompt;

/// A token that the model was less sure of than this is worth a look.
const DOUBTFUL: f32 = 0.5;

/// Words of the evidence that are told to people.
const EVIDENCE_SHOWN: usize = 5;

#[derive(Debug, Args)]
pub(super) struct ReasonArgs {
    /// The log to judge; - reads it from standard input
    #[arg(allow_hyphen_values = true)]
    log: String,
    /// The adapter that the model wears: a run (id, the start of it, `latest`) or a folder in PEFT's layout
    #[arg(long, value_name = "RUN|DIR")]
    adapter: Option<String>,
    #[command(flatten)]
    base: BaseArgs,
    /// Tokens that the answer may take
    #[arg(long, value_name = "N", default_value_t = Asking::default().max_tokens)]
    max_tokens: usize,
    /// 0 takes the most probable token every time
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    temperature: f64,
    /// Decides what is drawn at a temperature above 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The verdict first, the reasons after
    #[arg(long)]
    fast: bool,
    /// What the answer begins with: the model writes on from there
    #[arg(long, value_name = "TEXT", conflicts_with = "fast")]
    begin: Option<String>,
    /// Let nothing but normal or abnormal stand between the answer's tags
    #[arg(long)]
    constrained: bool,
    /// Also say which words of the log the verdict rests on, by leaving each out; --json always does
    #[arg(long)]
    evidence: bool,
    /// Print the trace as JSON: {input, text, steps: [{text, tokens: [{text, probability, alternatives}]}], answer,
    /// format_ok, margin, evidence: [{token, delta}], grounding: [{step, claim, in_log}], first_token_ms, answer_ms, …}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ReasonArgs, context: &Context) -> Result<(), Failure> {
    if args.temperature.is_nan() || args.temperature < 0.0 {
        return Err(Failure::usage("--temperature is 0 or more"));
    }
    let log = read_log(&args.log)?;
    if log.trim().is_empty() {
        return Err(Failure::failed("the log is empty: give the text of a log entry"));
    }
    let workspace = context.workspace_if_any()?;
    let adapter = args.adapter.as_deref().map(|name| named_adapter(name, workspace.as_ref())).transpose()?;
    let of_run = adapter.as_ref().and_then(|adapter| adapter.model.as_deref());
    let base = args.base.resolve(of_run, workspace.as_ref())?;
    drop(workspace);
    let model = LanguageModel::load(&base.path, &args.base.device)?;
    if let Some(note) = model.note() {
        output::note(note);
    }
    let loaded = adapter.as_ref().map(|adapter| Adapter::load(&adapter.dir, &model)).transpose()?;
    let asked = Asked {
        model: &model,
        model_name: &base.name,
        adapter: loaded.as_ref().zip(adapter.as_ref().map(|adapter| adapter.name.as_str())),
        prompt: &AnomalyPrompt::default(),
    };
    let asking = Asking {
        max_tokens: args.max_tokens,
        temperature: args.temperature,
        seed: args.seed,
        fast: args.fast,
        begun: args.begin.clone().unwrap_or_default(),
        constrained: args.constrained,
    };
    let stop = interrupt::flag()?;
    let mut stopped = false;
    let mut trace = step_through(asked, &log, &asking, &mut |text| {
        if !args.json {
            // Shown as it comes; a reader that left is noticed at the end.
            let _ = write!(std::io::stdout(), "{}", SafeText::new(text));
            let _ = std::io::stdout().flush();
        }
        stopped = stop.is_set();
        if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if trace.input_bytes_cut > 0 {
        output::note(&format!(
            "the log is too long for the model: it read the first {} of {} bytes",
            trace.input.len(),
            log.len()
        ));
    }
    let evidence = args.evidence || args.json;
    if !stopped && (evidence || trace.answer.is_some()) {
        stopped = !weigh(asked, &mut trace, evidence, &mut || !stop.is_set())?;
    }
    if args.json {
        output::json(&trace)?;
    } else {
        output::line(&summary(&trace))?;
    }
    if stopped { Err(Failure::failed("stopped before the answer was whole")) } else { Ok(()) }
}

fn read_log(given: &str) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned())
}

/// What follows the streamed text: each step with how sure the model was, then the verdict.
fn summary(trace: &SteppedTrace) -> String {
    let mut lines = vec![String::new(), String::new()];
    for (number, step) in (1..).zip(&trace.steps) {
        let name = if step.kind == SteppedKind::Answer { "answer".to_owned() } else { format!("step {number}") };
        let sure = step.mean_probability().unwrap_or_default() * 100.0;
        let least = step.tokens.iter().min_by(|a, b| a.probability.total_cmp(&b.probability));
        let doubt = least.filter(|token| token.probability < DOUBTFUL).map_or_else(String::new, |token| {
            let best = token.alternatives.first().map(|other| format!(", or {:?}", other.text)).unwrap_or_default();
            format!("; least sure of {:?} ({:.0} %{best})", token.text, token.probability * 100.0)
        });
        lines.push(format!("{name:<8} mean token probability {sure:.0} %{doubt}"));
    }
    let made_up: Vec<String> = trace
        .grounding
        .iter()
        .filter(|claim| claim.kind.is_hard() && !claim.in_log)
        .map(|claim| format!("{:?} in step {}", claim.claim, claim.step + 1))
        .collect();
    if !made_up.is_empty() {
        lines.push(format!("not in the log: {}", made_up.join(", ")));
    }
    if !trace.evidence.is_empty() {
        let mut strongest: Vec<_> = trace.evidence.iter().collect();
        strongest.sort_by(|a, b| b.delta.abs().total_cmp(&a.delta.abs()));
        let told = strongest.iter().take(EVIDENCE_SHOWN).map(|word| format!("{:?} {:+.2}", word.token, word.delta));
        lines.push(format!("rests on (log-odds of abnormal, asked at once): {}", told.collect::<Vec<_>>().join(", ")));
    }
    if let Some(margin) = trace.margin {
        lines.push(format!("margin {margin:+.2} (log-odds of abnormal)"));
    }
    let answer = trace.answer.as_deref().unwrap_or("none that can be read");
    let format = if trace.format_ok { "format kept" } else { "format not kept" };
    lines.push(format!("answer: {answer} ({format}); {:.0} tokens/s", trace.tokens_per_second));
    lines.join("\n")
}
