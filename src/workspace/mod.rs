//! The project on disk: its settings, its append-only store, import and export.
//!
//! A [`Workspace`] is an open project folder:
//!
//! ```text
//! logwright.toml   settings, never secrets
//! workspace.db     the store: SQLite, write-ahead log; several processes may use it at once
//! runs/            one folder for each fine-tuning run
//! exports/
//! ```
//!
//! Calls block until what they say is on disk. The screen makes them from a thread of its own.

mod as_shown;
mod asking;
mod check;
mod comments;
mod completions;
mod demo;
mod dump;
mod error;
mod evaluations;
mod exchange;
mod export;
mod files;
mod gold;
mod guidelines;
mod import;
mod items;
mod ledger;
mod marks;
mod merge;
mod money;
mod panel;
mod queue;
mod raw_logs;
mod review_agreement;
mod review_news;
mod reviews;
mod rounds;
mod sample_check;
mod sendings;
mod settings;
mod store;
mod suggestions;
mod tasks;
mod teacher_settings;
mod templates;
mod trace_bounds;
mod traces;
mod votes;

pub use as_shown::AsShown;
pub use asking::{Asking, Holder};
pub use check::check_files;
pub use comments::{Comment, Flag};
pub use completions::{Completion, CompletionEnd, Spending};
pub use demo::{demo_dir, open_or_create_demo};
pub use dump::Dumped;
pub use error::WorkspaceError;
pub use exchange::{ExportWhat, ItemExportReport, ItemFormat, LeftOut};
pub use export::{LabelRow, VoteRow, export_table};
pub use files::write_file;
pub use gold::NewRuling;
pub use guidelines::GUIDELINES_FILE;
pub use import::{ImportKind, ImportReport, ImportSource};
pub use marks::NewMarks;
pub use merge::Merged;
pub use money::{Money, Price};
pub use panel::{BothAgreements, PanelBoard, PanelComment, PanelItem, PanelViews, PanelVoice, Said};
pub use queue::{Queued, ReviewBoard};
pub use raw_logs::{ContextLine, LogImport, LogImportReport, LogProgress, OccurrenceContext, StructuredExport};
pub use review_agreement::ReviewAgreement;
pub use review_news::{Heard, ReviewNews, SaidOfItem};
pub use reviews::NewReview;
pub use rounds::RoundStatus;
pub use sample_check::{SampleCheck, SampleOutcome, Sampled};
pub use sendings::{Known, OpenSendings, Sending, Sent, Settled, Settlement, ToSend};
pub use settings::{LogFormatSettings, LogSettings, SETTINGS_FILE, Settings};
pub use store::ReadOnly;
pub use suggestions::Suggestion;
pub use tasks::TaskCase;
pub use teacher_settings::TeacherSettings;
pub use templates::TemplateRecord;
pub use trace_bounds::TraceSettings;
pub use traces::{Contest, NewTrace, StoredTrace, TraceFilter, TraceRecord};
pub use votes::NewVote;

use std::fs;
use std::path::{Path, PathBuf};

use store::Store;

/// The store's file in a project folder.
pub const STORE_FILE: &str = "workspace.db";

/// An open project.
pub struct Workspace {
    dir: PathBuf,
    settings: Settings,
    store: Store,
}

impl Workspace {
    /// Makes `dir` a project (creating it if need be) and opens it.
    ///
    /// # Errors
    /// When there is a project already, or the folder cannot be written.
    pub fn init(dir: &Path) -> Result<Self, WorkspaceError> {
        fs::create_dir_all(dir).map_err(|error| WorkspaceError::io(dir, error))?;
        let file = dir.join(SETTINGS_FILE);
        if file.exists() {
            return Err(WorkspaceError::AlreadyThere(dir.to_owned()));
        }
        let dir = fs::canonicalize(dir).map_err(|error| WorkspaceError::io(dir, error))?;
        let name = dir.file_name().map_or_else(|| "project".into(), |name| name.to_string_lossy().into_owned());
        let settings = Settings { name, ..Settings::default() };
        // The store first: a folder with settings is taken for a whole project.
        let store = Store::create(&dir.join(STORE_FILE))?;
        settings.save_new(&file)?;
        Ok(Self { dir, settings, store })
    }

    /// Opens the project in `dir`.
    ///
    /// # Errors
    /// When there is none, its settings cannot be read, or its store cannot be opened; see [`Workspace::read_only`].
    pub fn open(dir: &Path) -> Result<Self, WorkspaceError> {
        let file = dir.join(SETTINGS_FILE);
        if !file.exists() {
            return Err(WorkspaceError::NotAProject(dir.to_owned()));
        }
        let dir = fs::canonicalize(dir).map_err(|error| WorkspaceError::io(dir, error))?;
        let settings = Settings::load(&file)?;
        let store = Store::create(&dir.join(STORE_FILE))?;
        Ok(Self { dir, settings, store })
    }

    /// The folder of the project that `start` lies in: `start` itself or the nearest above it with settings.
    pub fn find(start: &Path) -> Option<PathBuf> {
        start.ancestors().find(|dir| dir.join(SETTINGS_FILE).is_file()).map(Path::to_owned)
    }

    /// Why nothing can be written, where the store is open for reading alone: it is damaged, or may not be written.
    pub fn read_only(&self) -> Option<&ReadOnly> {
        self.store.read_only()
    }

    /// The project's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The project's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where the project's runs are.
    pub fn runs_dir(&self) -> PathBuf {
        self.dir.join("runs")
    }

    /// Where exports and patches go unless told otherwise.
    pub fn exports_dir(&self) -> PathBuf {
        self.dir.join("exports")
    }
}
