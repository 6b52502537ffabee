//! `logwright reason "LOG LINE"`

mod sampling;
mod summary;

use std::io::{Read as _, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use self::sampling::SamplingArgs;
use super::base::{BaseArgs, NamedAdapter, named_adapter};
use super::{Context, Failure, interrupt, output};
use crate::evaluation::{
    Asked, Asking, Calibration, Change, PageTrace, SteppedTrace, calibrations, keep_trace, places, step_through,
    template_of, traces_page, weigh, what_if,
};
use crate::logs::{SafeText, TemplateKey, VARIABLE};
use crate::model::{Adapter, LanguageModel, ModelInfo, Sampling};
use crate::reasoning::Window;
use crate::reasoning::prompt::AnomalyPrompt;
use crate::workspace::{Workspace, write_file};

/// What `--adapter` calls the model without any.
const BASE: &str = "base";

#[derive(Debug, Args)]
pub(super) struct ReasonArgs {
    /// The log to judge, or with --session several lines of it; - reads standard input
    #[arg(allow_hyphen_values = true)]
    log: String,
    /// The adapter that the model wears: a run (id, the start of it, `latest`), a folder in PEFT's layout, or `base` for
    /// none. Given several times, the log is judged with each, to compare
    #[arg(long, value_name = "RUN|DIR|base")]
    adapter: Vec<String>,
    #[command(flatten)]
    base: BaseArgs,
    /// Tokens that the answer may take
    #[arg(long, value_name = "N", default_value_t = Asking::default().max_tokens)]
    max_tokens: usize,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// The verdict first, the reasons after
    #[arg(long)]
    fast: bool,
    /// What the answer begins with: the model writes on from there
    #[arg(long, value_name = "TEXT", conflicts_with = "fast")]
    begin: Option<String>,
    /// Let nothing but normal or abnormal stand between the answer's tags
    #[arg(long)]
    constrained: bool,
    /// The log is a session: 1 to 100 lines that are judged as one
    #[arg(long)]
    session: bool,
    /// Say what the verdict would be if this word of the log were masked; may be given several times
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    mask: Vec<String>,
    /// Say what the verdict would be if this word of the log read otherwise; may be given several times
    #[arg(long, num_args = 2, value_names = ["WORD", "OTHER"], allow_hyphen_values = true)]
    replace: Vec<String>,
    /// Also say which words of the log the verdict rests on, by leaving each out; --json and --html always do
    #[arg(long)]
    evidence: bool,
    /// Write the trace as an HTML page that needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Keep the trace in the project; `export traces` lists what is kept
    #[arg(long)]
    keep: bool,
    /// The template that the log stands for, as its id or DATASET/ID, for a trace that is kept; otherwise the one it fits
    #[arg(long, requires = "keep")]
    template: Option<String>,
    /// Who keeps the trace
    #[arg(long = "as", value_name = "NAME", requires = "keep")]
    keeper: Option<String>,
    /// Print the trace as JSON: {input, input_bytes_cut, text, steps: [{text, tokens: [{text, probability,
    /// alternatives}]}], answer, format_ok, margin, evidence: [{token, delta}], grounding: [{step, claim, in_log}],
    /// band, counterfactual: {masked, input, margin, delta}, first_token_ms, answer_ms, …}; with several adapters
    /// {compared: [TRACE, …]}; kept traces have their `id`
    #[arg(long)]
    json: bool,
}

/// Tokens of the question around a log, or a few more.
const QUESTION_TOKENS: usize = 512;

impl ReasonArgs {
    fn weighs_evidence(&self) -> bool {
        self.evidence || self.json || self.html.is_some()
    }

    /// What the log would read otherwise.
    fn changes(&self, log: &str) -> Result<Vec<Change>, Failure> {
        let masks = self.mask.iter().map(|word| (word, VARIABLE));
        let replacements = self.replace.chunks_exact(2).map(|pair| (&pair[0], pair[1].as_str()));
        let mut changes = Vec::new();
        for (word, with) in masks.chain(replacements) {
            changes.extend(places(log, word)?.into_iter().map(|range| Change { range, with: with.to_owned() }));
        }
        Ok(changes)
    }

    /// Tokens that the model is to remember at once: of the question with its answer; and for evidence of the two
    /// answers and what they share.
    fn tokens_at_once(&self, log_bytes: usize, context: usize) -> usize {
        // Logs have more digits and names than prose; two bytes a token is few.
        let whole = QUESTION_TOKENS.saturating_add(log_bytes / 2).saturating_add(self.max_tokens);
        whole.min(context).saturating_mul(if self.weighs_evidence() { 3 } else { 1 })
    }
}

/// What goes with a log to every adapter.
struct Task<'a> {
    args: &'a ReasonArgs,
    sampling: Sampling,
    log: String,
    base: String,
    model: LanguageModel,
    prompt: AnomalyPrompt,
    changes: Vec<Change>,
    calibrations: Vec<Calibration>,
    stop: interrupt::Interrupt,
}

/// Where traces are kept.
struct Keeping {
    workspace: Workspace,
    template: Option<TemplateKey>,
    by: String,
}

pub(super) fn run(args: &ReasonArgs, context: &Context) -> Result<(), Failure> {
    let sampling = args.sampling.settings()?;
    let mut log = read_log(&args.log)?;
    if args.session {
        log = Window::read(&log)?.to_string();
    }
    if log.trim().is_empty() {
        return Err(Failure::failed("the log is empty: give the text of a log entry"));
    }
    let changes = args.changes(&log)?;
    let workspace = if args.keep { Some(context.workspace()?) } else { context.workspace_if_any()? };
    let named = args.adapter.iter().map(|name| match name.as_str() {
        BASE => Ok(None),
        name => named_adapter(name, workspace.as_ref()).map(Some),
    });
    let mut adapters = named.collect::<Result<Vec<Option<NamedAdapter>>, Failure>>()?;
    if adapters.is_empty() {
        adapters.push(None);
    }
    let of_run = adapters.iter().flatten().find_map(|adapter| adapter.model.clone());
    let base = args.base.resolve(of_run.as_deref(), workspace.as_ref())?;
    let device = args.base.device(workspace.as_ref())?;
    let calibrations = workspace.as_ref().map(calibrations).unwrap_or_default();
    let keeping = match workspace {
        Some(workspace) if args.keep => Some(Keeping::new(workspace, args)?),
        _ => None,
    };
    let context = ModelInfo::read(&base.path)?.context;
    let model = LanguageModel::load_for(&base.path, &device, Some(args.tokens_at_once(log.len(), context)))?;
    if let Some(note) = model.note() {
        output::note(note);
    }
    let stop = interrupt::flag()?;
    let prompt = AnomalyPrompt::of(args.session);
    let task = Task { args, sampling, log, base: base.name, model, prompt, changes, calibrations, stop };
    let mut traces = Vec::new();
    let mut stopped = false;
    for (number, adapter) in adapters.iter().enumerate() {
        if adapters.len() > 1 && !args.json {
            let name = adapter.as_ref().map_or(BASE, |adapter| &adapter.name);
            output::line(&format!("{}--- {name}", if number > 0 { "\n" } else { "" }))?;
        }
        let (trace, cut_off) = task.ask(adapter.as_ref())?;
        traces.push(trace);
        stopped = cut_off;
        if stopped {
            break;
        }
    }
    task.hand_out(&traces, adapters.len() > 1, keeping.as_ref())?;
    if stopped { Err(Failure::failed("stopped before the answer was whole")) } else { Ok(()) }
}

impl Task<'_> {
    /// Judges the log with an adapter, and says whether somebody stopped that.
    fn ask(&self, adapter: Option<&NamedAdapter>) -> Result<(SteppedTrace, bool), Failure> {
        let Self { args, log, model, stop, .. } = self;
        let loaded = adapter.map(|adapter| Adapter::load(&adapter.dir, model)).transpose()?;
        let asked = Asked {
            model,
            model_name: &self.base,
            adapter: loaded.as_ref().zip(adapter.map(|adapter| adapter.name.as_str())),
            prompt: &self.prompt,
        };
        let asking = Asking {
            max_tokens: args.max_tokens,
            sampling: self.sampling,
            fast: args.fast,
            begun: args.begin.clone().unwrap_or_default(),
            constrained: args.constrained,
        };
        let mut stopped = false;
        let mut trace = step_through(asked, log, &asking, &mut |text| {
            if !args.json {
                // Shown as it comes; a reader that left is noticed at the end.
                let _ = write!(std::io::stdout(), "{}", SafeText::new(text));
                let _ = std::io::stdout().flush();
            }
            stopped = stop.is_set();
            if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if trace.input_bytes_cut > 0 {
            let (read, whole) = (trace.input.len(), log.len());
            output::note(&format!("the log is too long for the model: it read the first {read} of {whole} bytes"));
        }
        let evidence = args.weighs_evidence();
        if !stopped && (evidence || trace.answer.is_some()) {
            stopped = !weigh(asked, &mut trace, evidence, &mut || !stop.is_set())?;
        }
        trace.set_band(&self.calibrations);
        if !stopped && !self.changes.is_empty() {
            let (input, as_it_is) = (&trace.input, trace.margin_at_once);
            trace.counterfactual = what_if(asked, input, as_it_is, &self.changes, &mut || !stop.is_set())?;
            stopped = trace.counterfactual.is_none();
        }
        if !args.json {
            output::line(&summary::of(&trace))?;
        }
        Ok((trace, stopped))
    }

    /// Keeps, writes and prints the traces as far as was asked for.
    fn hand_out(&self, traces: &[SteppedTrace], several: bool, keeping: Option<&Keeping>) -> Result<(), Failure> {
        if let Some(file) = &self.args.html {
            let traces: Vec<PageTrace<'_>> = traces.iter().map(PageTrace::from).collect();
            write_file(file, traces_page("A reasoning, step by step", &traces).as_bytes())?;
        }
        let mut told = Vec::with_capacity(traces.len());
        for trace in traces {
            let id = keeping.map(|keeping| keeping.keep(trace, &self.model)).transpose()?;
            if let Some(id) = id.as_ref().filter(|_| !self.args.json) {
                output::line(&format!("kept as {id}"))?;
            }
            told.push(Told { trace, id });
        }
        match &told[..] {
            _ if !self.args.json => Ok(()),
            [one] if !several => output::json(one),
            compared => output::json(&Compared { compared }),
        }
    }
}

/// A trace for programs.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    trace: &'a SteppedTrace,
    /// Where it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

#[derive(Serialize)]
struct Compared<'a> {
    compared: &'a [Told<'a>],
}

impl Keeping {
    fn new(workspace: Workspace, args: &ReasonArgs) -> Result<Self, Failure> {
        let named = args.template.as_deref().map(|name| workspace.find_template(name)).transpose()?;
        let by = workspace.settings().acting(args.keeper.as_deref());
        Ok(Self { template: named.map(|record| record.key().clone()), by, workspace })
    }

    fn keep(&self, trace: &SteppedTrace, model: &LanguageModel) -> Result<String, Failure> {
        let template = match &self.template {
            Some(named) => Some(named.clone()),
            None => template_of(&self.workspace.templates()?, trace),
        };
        let fingerprint = model.fingerprint();
        Ok(keep_trace(&self.workspace, trace, template.as_ref(), Some(&fingerprint), &self.by)?)
    }
}

fn read_log(given: &str) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned())
}
