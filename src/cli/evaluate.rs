//! `logwright evaluate TASK --data FILE`

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::base::{BaseArgs, named_adapter};
use super::{Context, Failure, interrupt, output};
use crate::evaluation::{
    Averages, ClassScores, Items, KeywordRule, ModelPredictor, Predictor, Progress, Report, Scores, Selection, Truth,
    evaluate_anomaly, keep_report, project_items, read_items,
};
use crate::model::{Adapter, LanguageModel};
use crate::reasoning::prompt::AnomalyPrompt;

#[derive(Debug, Args)]
pub(super) struct EvaluateArgs {
    #[command(subcommand)]
    task: TaskArgs,
}

#[derive(Debug, Subcommand)]
enum TaskArgs {
    /// Anomaly detection: is a log normal or abnormal?
    Anomaly(AnomalyArgs),
}

#[derive(Debug, Args)]
struct AnomalyArgs {
    /// Labelled logs (CSV, JSON or JSONL): template (or input, log), gold or label[, dataset, id] [default: the
    /// project's templates]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The column that holds the truth [default: gold where the file has it, else label]
    #[arg(long)]
    truth: Option<TruthArg>,
    /// The adapter that the model wears: a run (id, the start of it, `latest`) or a folder in PEFT's layout
    #[arg(long, value_name = "RUN|DIR")]
    adapter: Option<String>,
    /// Evaluate a baseline instead of the model
    #[arg(long, conflicts_with_all = ["adapter", "model"])]
    baseline: Option<BaselineArg>,
    #[command(flatten)]
    base: BaseArgs,
    /// Evaluate at most so many items, spread evenly over the file
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TruthArg {
    Gold,
    Label,
}

impl From<TruthArg> for Truth {
    fn from(truth: TruthArg) -> Self {
        match truth {
            TruthArg::Gold => Self::Gold,
            TruthArg::Label => Self::Label,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BaselineArg {
    /// A list of alarming words, and what calms them
    Keyword,
}

pub(super) fn run(args: &EvaluateArgs, context: &Context) -> Result<(), Failure> {
    match &args.task {
        TaskArgs::Anomaly(args) => anomaly(args, context),
    }
}

fn anomaly(args: &AnomalyArgs, context: &Context) -> Result<(), Failure> {
    let truth = args.truth.map(Truth::from);
    let items = match &args.data {
        Some(path) => read_items(path, truth)?,
        None => project_items(&context.workspace()?, truth)?,
    };
    let report = match args.baseline {
        Some(BaselineArg::Keyword) => evaluate(args, &items, &KeywordRule::default())?,
        None => {
            let workspace = context.workspace_if_any()?;
            let adapter = args.adapter.as_deref().map(|name| named_adapter(name, workspace.as_ref())).transpose()?;
            let of_run = adapter.as_ref().and_then(|adapter| adapter.model.as_deref());
            let base = args.base.resolve(of_run, workspace.as_ref())?;
            let model = LanguageModel::load(&base.path, &args.base.device(workspace.as_ref())?)?;
            if let Some(note) = model.note() {
                output::note(note);
            }
            let loaded = adapter.as_ref().map(|adapter| Adapter::load(&adapter.dir, &model)).transpose()?;
            let wearing = loaded.as_ref().zip(adapter.as_ref().map(|adapter| adapter.name.as_str()));
            let predictor = ModelPredictor::new(&model, &base.name, wearing, AnomalyPrompt::default());
            let report = evaluate(args, &items, &predictor)?;
            if let Some(workspace) = &workspace
                && let Err(error) = keep_report(workspace, &report)
            {
                output::note(&format!("the report is not kept for later margins: {error}"));
            }
            report
        }
    };
    if args.json {
        output::json(&report)?
    } else {
        output::line(&for_people(&report))?
    }
    if report.rejected.is_empty() {
        return Ok(());
    }
    let source = report.data.display();
    for bad in &report.rejected {
        output::note(&format!("{source}:{}: {}", bad.line, bad.why));
    }
    let (count, of) = (report.rejected.len(), report.rejected.len() + report.scores.n + report.skipped);
    Err(Failure::failed(format!("{source}: {count} of {of} rows left out")))
}

fn evaluate(args: &AnomalyArgs, items: &Items, predictor: &dyn Predictor) -> Result<Report, Failure> {
    let stop = interrupt::flag()?;
    let mut line = output::Progress::new();
    let mut show = |progress: Progress| line.show(&progress_line(&progress));
    let selection = Selection { limit: args.limit };
    Ok(evaluate_anomaly(items, selection, predictor, &mut show, &|| stop.is_set())?)
}

fn progress_line(progress: &Progress) -> String {
    let Progress { done, of, items_per_second } = progress;
    let left = (of - done) as f64 / items_per_second.max(1e-9);
    format!("{done}/{of} · {items_per_second:.1} items/s · {left:.0} s left")
}

/// The report as a table; every figure under the name of what it is.
fn for_people(report: &Report) -> String {
    let mut text = String::new();
    let who = match (&report.model, &report.adapter) {
        (Some(model), Some(adapter)) => format!("{model} with adapter {adapter}"),
        (Some(model), None) => model.clone(),
        _ => report.predictor.clone(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "anomaly · {who} · truth: {} of {} · {:.1} items/s",
        report.truth.column(),
        report.data.display(),
        report.items_per_second
    );
    if report.skipped > 0 {
        let _ = writeln!(text, "{} items of the file were not asked about (--limit)", report.skipped);
    }
    let _ =
        writeln!(text, "\n{:<22}{:>7}{:>12}  {:<16}{:>6}{:>7}{:>7}", "", "n", "prevalence", "figure", "P", "R", "F1");
    rows(&mut text, "all", &report.predictor, &report.scores);
    for baseline in &report.baselines {
        rows(&mut text, "all", &baseline.name, &baseline.scores);
    }
    for part in report.by_dataset.iter().chain([&report.worded]) {
        rows(&mut text, &part.name, &report.predictor, &part.scores);
        for baseline in &part.baselines {
            rows(&mut text, &part.name, &baseline.name, &baseline.scores);
        }
    }
    let scores = &report.scores;
    let confusion = &scores.confusion;
    let _ = writeln!(text, "\n{:<16}{:>14}{:>14}{:>14}", "", "said abnormal", "said normal", "not readable");
    let (found, missed) = (confusion.true_positive, confusion.false_negative);
    let _ = writeln!(text, "{:<16}{found:>14}{missed:>14}{:>14}", "is abnormal", scores.unparsed.abnormal);
    let (alarms, quiet) = (confusion.false_positive, confusion.true_negative);
    let _ = write!(text, "{:<16}{alarms:>14}{quiet:>14}{:>14}", "is normal", scores.unparsed.normal);
    for why in &scores.undefined {
        let _ = write!(text, "\nundefined (–): {why}");
    }
    text
}

fn rows(text: &mut String, part: &str, predictor: &str, scores: &Scores) {
    let ClassScores { precision, recall, f1, .. } = scores.anomaly;
    let figures = [
        ("anomaly class", Averages { precision, recall, f1 }),
        ("macro", scores.macro_average),
        ("weighted", scores.weighted_average),
    ];
    for (at, (name, figure)) in figures.into_iter().enumerate() {
        let [precision, recall, f1] = [figure.precision, figure.recall, figure.f1].map(figure_text);
        let [what, n, prevalence] = if at == 0 {
            [format!("{part}, {predictor}"), scores.n.to_string(), figure_text(scores.prevalence)]
        } else {
            [String::new(), String::new(), String::new()]
        };
        let _ = writeln!(text, "{what:<22}{n:>7}{prevalence:>12}  {name:<16}{precision:>6}{recall:>7}{f1:>7}");
    }
}

fn figure_text(figure: Option<f64>) -> String {
    figure.map_or_else(|| "–".to_owned(), |figure| format!("{figure:.3}"))
}
