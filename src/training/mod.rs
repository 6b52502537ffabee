//! Fine-tuning: recipes, objectives, optimiser, checkpoints and runs.
//!
//! A [`Recipe`] says how to train; a [`RunFolder`] is one execution of it on disk, and the whole interface to that
//! execution: the screen, a shell and a remote job read and write the same files. [`Trainer`] drives an [`Objective`]
//! step by step in a thread of its own and tells what happens as [`Event`]s. Everything that is drawn at random comes
//! from [`rng`], a pure function of seed, stream and counter, so a run that was killed resumes to the same weights.
//!
//! This room knows no terminal, and nothing of evaluation.

mod background;
mod batches;
mod build;
mod chain;
mod checkpoint;
mod data;
mod detach;
mod dpo;
mod error;
mod estimate;
mod export;
mod grpo;
mod held_out;
mod launch;
mod measure;
mod memory;
mod objective;
mod optimizer;
mod pairs;
mod parts;
mod prepare;
mod question;
mod recipe;
mod reference;
mod reward;
pub mod rng;
mod run;
mod schedule;
mod sft;
mod sources;
mod start;
mod trainer;
mod watchdog;

pub use batches::BatchPlan;
pub use chain::{Chain, ChainRecord, Stage};
pub use checkpoint::{Best, Checkpoint, Progress};
pub use data::{DataSummary, Encoder, Example, OfLog, TokenizedExample, examples_digest, split_dev, tokenize};
pub use detach::{DETACHED, away, detach, leave_terminal};
pub use dpo::{Dpo, DpoSettings};
pub use error::TrainingError;
pub use estimate::{Estimate, Lengths, Tried, estimate};
pub use export::{ExportKind, Exported, GgufFormat, default_place as default_export_place, export};
pub use grpo::{
    AdvantageName, AggregationName, Group, Grpo, GrpoSettings, Prompted, Rollout, TokenLoss, Window, advantages,
    deviation, k3, tokenize_prompts,
};
pub use launch::{Launch, Means, NamedAdapter, adapter_of_run, named_adapter, project_device};
pub use measure::Measure;
pub use objective::{Gradients, Held, Objective, Part, Said, Statistics};
pub use optimizer::AdamW;
pub use pairs::{TokenizedPair, tokenize_pairs};
pub use prepare::prepare;
pub use recipe::{
    BestBy, DataSettings, DataSource, DecayGroup, LengthSettings, LoraRecipe, ObjectiveName, OptimizerSettings, Preset,
    Recipe, RecipeError, SaidShape, ScheduleName, Take, WatchdogSettings,
};
pub use reference::{Reference, ReferenceName};
pub use reward::{GroundIn, Reward, RewardPreset, RewardSettings, Rewarded};
pub use run::{
    RunFolder, RunId, RunInfo, RunState, Sample, Seat, Status, StepRecord, list_runs, resolve_run, run_info,
};
pub use schedule::learning_rate;
pub use sft::Sft;
pub use sources::{Stock, Supply, accepted_examples};
pub use start::{Base, Job, Place, resume, start};
pub use trainer::{CancelFlag, Event, Summary, Trainer};
