//! `logwright import logs FILE... --format NAME`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::{Context, Failure, interrupt, output};
use crate::workspace::{LogImport, LogImportReport, LogProgress, WorkspaceError};

/// The progress line changes at most so often.
const SHOW_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// The log files: plain, gzip or zstd
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// How lines begin: bgl, spirit, thunderbird, linux, hdfs, openssh, hadoop, zookeeper, openstack, hpc, a format of
    /// the project's settings, or fields as in '<Date> <Time> <Level> <Content>'
    #[arg(long, value_name = "NAME|HEADER")]
    format: String,
    /// The dataset of the templates [default: the format's name, or the first file's]
    #[arg(long)]
    dataset: Option<String>,
    /// Print the result as JSON: {lines, templates, skipped, seconds, lines_per_second, …}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &LogArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let options = LogImport { files: args.files.clone(), format: args.format.clone(), dataset: args.dataset.clone() };
    let interrupt = interrupt::flag()?;
    let mut line = output::Progress::new();
    let mut shown = Instant::now();
    let mut progress = |progress: LogProgress| {
        if shown.elapsed() >= SHOW_EVERY {
            shown = Instant::now();
            line.show(&describe(&progress));
        }
    };
    let done = workspace.import_logs(&options, &mut progress, &|| interrupt.is_set());
    drop(line);
    let report = done.map_err(|error| match error {
        WorkspaceError::LogFormat(why) => Failure::usage(why),
        other => other.into(),
    })?;
    tell(&report, args.json)?;
    if report.stopped {
        return Err(Failure::failed(format!(
            "stopped behind {} lines: what is imported stays, and the same command goes on from there",
            report.lines
        )));
    }
    if report.lines > 0 && report.skipped == report.lines {
        let first = report.first_skipped.as_deref().unwrap_or_default();
        return Err(Failure::failed(format!(
            "no line is of the format {}, the first being {first}: name the right --format, or write out how lines \
             begin, as in '<Date> <Time> <Level> <Content>'",
            args.format
        )));
    }
    Ok(())
}

fn describe(progress: &LogProgress) -> String {
    let share = if progress.size > 0 { 100.0 * progress.position as f64 / progress.size as f64 } else { 100.0 };
    format!(
        "{} {:.0} %  {} lines  {:.0} lines/s  {} templates",
        progress.file.file_name().unwrap_or_default().to_string_lossy(),
        share.min(100.0),
        progress.lines,
        progress.lines as f64 / progress.seconds.max(1e-9),
        progress.templates
    )
}

fn tell(report: &LogImportReport, json: bool) -> Result<(), Failure> {
    if json {
        return output::json(report);
    }
    if let Some(first) = report.first_skipped.as_ref().filter(|_| report.skipped < report.lines) {
        output::note(&format!(
            "{} of {} lines are not of the format or have no message, the first being {first}: they belong to no template",
            report.skipped, report.lines
        ));
    }
    if report.cut > 0 {
        output::note(&format!("{} lines are over 64 KiB long: only their start was looked at", report.cut));
    }
    if report.gathered > 0 {
        output::note(&format!(
            "{} lines fitted none of the most templates there may be, and are gathered in one: raise max_templates \
             under [logs] in logwright.toml, or mask more",
            report.gathered
        ));
    }
    if report.lines == 0 && !report.stopped {
        return output::line(&format!("nothing new; dataset {} has {} templates", report.dataset, report.templates));
    }
    output::line(&format!(
        "{} lines read in {:.1} s ({:.0} lines/s); dataset {} has {} templates",
        report.lines, report.seconds, report.lines_per_second, report.dataset, report.templates
    ))
}
