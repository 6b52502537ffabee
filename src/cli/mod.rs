//! The command line: one file per subcommand, each a thin shell around the rooms below.
//!
//! Exit status: 0 done, 1 failed (one line on standard error says what, where and what to do), 2 wrong usage. With
//! `--json` a subcommand prints one object on standard output, also when it then exits with 1 for rows it left out.

mod agreement;
mod base;
mod comment;
mod contest;
mod dump;
mod evaluate;
mod export;
mod import;
mod import_logs;
mod init;
mod interrupt;
mod manual;
mod merge;
mod model;
mod occurrences;
mod output;
mod panel;
mod patch;
mod queue;
mod reason;
mod review;
mod round;
mod rule;
mod suggest;
mod teacher;
mod train;
mod undo;
mod vote;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::logs::SafeText;
use crate::tui;
use crate::workspace::{STORE_FILE, Workspace, demo_dir, open_or_create_demo};

/// A terminal workbench for making a language model reason about logs the way an expert does.
///
/// Without a subcommand it opens the workbench on DIR, on the project that the current folder lies in, or else on a
/// bundled demo.
#[derive(Debug, Parser)]
#[command(name = "logwright", version, max_term_width = 100)]
struct Cli {
    /// The project to open
    dir: Option<PathBuf>,
    /// Who votes and reviews in the workbench; otherwise the project's annotator, or the system's user
    #[arg(long = "as", value_name = "NAME")]
    annotator: Option<String>,
    /// Work on the project in this folder instead of the current one
    #[arg(short = 'C', long = "project", value_name = "DIR", global = true, env = "LOGWRIGHT_PROJECT")]
    project: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a folder a project
    Init(init::InitArgs),
    /// Bring templates, raw logs, votes, rationales, pairs or thoughts in from files
    Import(import::ImportArgs),
    /// Write what the project holds to files
    Export(export::ExportArgs),
    /// Show where a template occurs in raw logs, with the lines around it
    Occurrences(occurrences::OccurrencesArgs),
    /// Vote on a template
    Vote(vote::VoteArgs),
    /// Take back somebody's last vote, comment or ruling
    Undo(undo::UndoArgs),
    /// Cast again what was taken back last
    Redo(undo::RedoArgs),
    /// Say something about a template
    Comment(comment::CommentArgs),
    /// Mark a template to come back to
    Flag(comment::FlagArgs),
    /// Show, close and open the blind and the panel round
    Round(round::RoundArgs),
    /// List the templates in the order in which to vote on them
    Queue(queue::QueueArgs),
    /// Rule on a template, as a senior
    Rule(rule::RuleArgs),
    /// Accept, edit or reject rationales, pairs and thoughts
    Review(review::ReviewArgs),
    /// Let the model, or the keyword rule, say what it would: shown to annotators after their vote
    Suggest(suggest::SuggestArgs),
    /// What is before the panel, and what its members say under letters
    Panel(panel::PanelArgs),
    /// How far the annotators agree
    Agreement(agreement::AgreementArgs),
    /// Make, apply or revert a correction patch
    Patch(patch::PatchArgs),
    /// Add what other copies of the project hold
    Merge(merge::MergeArgs),
    /// Save what can be read of a damaged project, for `merge`
    Dump(dump::DumpArgs),
    /// Let a larger model write rationales for experts to review
    Teacher(teacher::TeacherArgs),
    /// Fine-tune the model, and look after its runs
    Train(train::TrainArgs),
    /// Fetch and list language models
    Model(model::ModelArgs),
    /// Let the model judge one log, and show its reasoning token by token
    Reason(reason::ReasonArgs),
    /// Say that a kept reasoning is wrong
    Contest(contest::ContestArgs),
    /// What a model or a baseline is worth on labelled logs
    Evaluate(evaluate::EvaluateArgs),
    /// Print a completion script for a shell
    Completions(manual::CompletionsArgs),
    /// Print the manual page
    Man,
}

/// What every subcommand may need.
#[derive(Debug, Clone)]
pub struct Context {
    project: Option<PathBuf>,
}

impl Context {
    /// The project that is meant: `--project`, else the one that the current folder lies in.
    ///
    /// # Errors
    /// When there is none.
    pub fn workspace(&self) -> Result<Workspace, Failure> {
        self.workspace_if_any()?.ok_or_else(|| {
            Failure::failed(
                "no project here or in a folder above: run `logwright init DIR`, or name one with --project DIR",
            )
        })
    }

    /// The project that is meant, if there is one; for subcommands that can do without.
    ///
    /// # Errors
    /// When one is named that is none, or it cannot be opened.
    pub fn workspace_if_any(&self) -> Result<Option<Workspace>, Failure> {
        let dir = match &self.project {
            Some(dir) => Some(dir.clone()),
            None => Workspace::find(&std::env::current_dir()?),
        };
        let workspace = dir.map(|dir| Workspace::open(&dir)).transpose()?;
        if let Some((workspace, why)) = workspace.as_ref().and_then(|open| Some((open, open.read_only()?))) {
            output::note(&format!("{}: {why}", workspace.dir().join(STORE_FILE).display()));
        }
        Ok(workspace)
    }
}

/// Why a subcommand stopped, in one line, and what the program exits with.
#[derive(Debug)]
pub struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// Something failed: exit 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// The command line is wrong: exit 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 2 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SafeText::new(&self.message).as_str().replace('\n', "; ").trim())
    }
}

/// Every error of the rooms below becomes a failure: its message, then its causes where they add something.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = cause.source();
        }
        Self::failed(message)
    }
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    // A panic's report; the workbench gives the terminal back before it is printed. It can only be set once.
    let _ = color_eyre::install();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for; anything else is wrong usage. Nobody is left to tell if this fails.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure);
            ExitCode::from(failure.code)
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    if let (Some(dir), Some(_)) = (&cli.dir, &cli.command) {
        let dir = dir.display();
        return Err(Failure::usage(format!("{dir} stands before a subcommand: name the project with --project {dir}")));
    }
    let context = Context { project: cli.project };
    match cli.command {
        None => open_workbench(cli.dir.or(context.project).as_deref(), cli.annotator),
        Some(Command::Init(args)) => init::run(&args),
        Some(Command::Import(args)) => import::run(&args, &context),
        Some(Command::Export(args)) => export::run(&args, &context),
        Some(Command::Occurrences(args)) => occurrences::run(&args, &context),
        Some(Command::Vote(args)) => vote::run(&args, &context),
        Some(Command::Undo(args)) => undo::undo(&args, &context),
        Some(Command::Redo(args)) => undo::redo(&args, &context),
        Some(Command::Comment(args)) => comment::comment(&args, &context),
        Some(Command::Flag(args)) => comment::flag(&args, &context),
        Some(Command::Round(args)) => round::run(&args, &context),
        Some(Command::Merge(args)) => merge::run(&args, &context),
        Some(Command::Dump(args)) => dump::run(&args, &context),
        Some(Command::Suggest(args)) => suggest::run(&args, &context),
        Some(Command::Queue(args)) => queue::run(&args, &context),
        Some(Command::Rule(args)) => rule::run(&args, &context),
        Some(Command::Review(args)) => review::run(&args, &context),
        Some(Command::Panel(args)) => panel::run(&args, &context),
        Some(Command::Agreement(args)) => agreement::run(&args, &context),
        Some(Command::Patch(args)) => patch::run(&args, &context),
        Some(Command::Completions(args)) => manual::completions(&args),
        Some(Command::Man) => manual::man(),
        Some(Command::Teacher(args)) => teacher::run(&args, &context),
        Some(Command::Train(args)) => train::run(&args, &context),
        Some(Command::Model(args)) => model::run(&args),
        Some(Command::Reason(args)) => reason::run(&args, &context),
        Some(Command::Contest(args)) => contest::run(&args, &context),
        Some(Command::Evaluate(args)) => evaluate::run(&args, &context),
    }
}

fn open_workbench(dir: Option<&Path>, annotator: Option<String>) -> Result<(), Failure> {
    let workspace = match dir {
        Some(dir) if !dir.exists() => {
            let name = dir.display();
            return Err(Failure::usage(format!(
                "{name} is neither a folder nor a subcommand: `logwright init {name}` makes a project, `logwright --help` lists the subcommands"
            )));
        }
        Some(dir) => Workspace::open(dir)?,
        None => match Workspace::find(&std::env::current_dir()?) {
            Some(dir) => Workspace::open(&dir)?,
            None => open_or_create_demo(&demo_dir()?)?,
        },
    };
    Ok(tui::run(workspace, tui::Options { annotator, pane: None })?)
}
