//! The lines of the recipe form: which setting each shows, for which objectives, in which words, and how it is changed.
//!
//! A setting is named by its place in a recipe's file, and read and written there: what may stand in it, the recipe
//! itself says.

use crate::training::ObjectiveName;

/// How a setting is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// What is optimised: goes on to the next.
    Objective,
    /// Goes on to the next preset.
    Preset,
    /// An adapter, by its run or folder; nothing for a fresh one.
    Start,
    /// Where to compute; nothing for where the project does. Of the run, not of its recipe.
    Device,
    /// Tasks, with blanks or commas between them; nothing for all.
    Tasks,
    /// A number.
    Number,
    /// A number, or nothing.
    Optional,
    /// Yes or no.
    YesNo,
    /// One of some words: as the file has it, and as the screen shows it.
    Choice(&'static [(&'static str, &'static str)]),
}

/// A line of the form.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Field {
    /// Where it stands in a recipe.
    pub place: &'static str,
    /// Its name on the screen.
    pub name: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// How it is changed.
    pub kind: Kind,
    /// The objectives that have it; empty for all.
    of: &'static [ObjectiveName],
}

use Kind::{Choice, Number, Optional, YesNo};
use ObjectiveName::{Dpo, Grpo, Sft};

const fn field(
    of: &'static [ObjectiveName],
    place: &'static str,
    kind: Kind,
    name: &'static str,
    help: &'static str,
) -> Field {
    Field { place, name, help, kind, of }
}

const REFERENCE: Kind = Choice(&[("start", "where it starts"), ("base", "the bare model")]);

const FIELDS: [Field; 48] = [
    field(
        &[],
        "objective",
        Kind::Objective,
        "objective",
        "sft learns accepted reasoning; dpo learns what was chosen against what was rejected; grpo learns from its own answers by their rewards",
    ),
    field(
        &[],
        "",
        Kind::Preset,
        "preset",
        "Settings to begin from: a quick look, a thorough run, and what the papers did",
    ),
    field(
        &[],
        "start",
        Kind::Start,
        "start from",
        "The adapter to start from: a run's name, `latest` or a folder (empty: a fresh one)",
    ),
    field(
        &[],
        "device",
        Kind::Device,
        "device",
        "Where to compute: cpu, or cuda:N for an NVIDIA GPU (empty: as the project's `device`, else a GPU if there is one)",
    ),
    field(&[], "data.tasks", Kind::Tasks, "tasks", "Only these tasks, with commas between (empty: all)"),
    field(
        &[Sft],
        "data.source",
        Choice(&[("rationales", "rationales"), ("thoughts", "thoughts")]),
        "learns",
        "Rationales, or thoughts: how such questions are solved",
    ),
    field(
        &[Grpo],
        "data.source",
        Choice(&[("rationales", "rationales"), ("templates", "templates with gold"), ("both", "both")]),
        "asks about",
        "Logs with an accepted rationale, templates with a gold label, which need no reasoning, or both",
    ),
    field(&[Dpo], "dpo.beta", Number, "beta", "How dear it is to leave the reference"),
    field(&[Dpo], "dpo.label_smoothing", Number, "smoothing", "Share of pairs that may be the wrong way round"),
    field(&[Dpo], "dpo.sft_weight", Number, "SFT term", "Weight of the chosen side's likelihood (0: none)"),
    field(&[Dpo], "dpo.reference", REFERENCE, "reference", "What the model is compared with"),
    field(
        &[Grpo],
        "reward.preset",
        Choice(&[("paper", "RationAnomaly paper"), ("code", "RationAnomaly code"), ("r_log", "R-Log joint")]),
        "reward",
        "What an answer is worth: as RationAnomaly's paper or its published code has it, or R-Log's joint reward",
    ),
    field(&[Grpo], "grpo.rollouts", Number, "rollouts", "Answers that are drawn to each question"),
    field(&[Grpo], "grpo.temperature", Number, "temperature", "Temperature that they are drawn at"),
    field(&[Grpo], "grpo.max_tokens", Number, "answer tokens", "Longest answer, in tokens"),
    field(
        &[Grpo],
        "grpo.concurrent",
        Number,
        "at once",
        "Answers that are written at the same time: faster, and more memory",
    ),
    field(&[Grpo], "grpo.reuse", Number, "reuse", "Steps that learn from the same answers"),
    field(&[Grpo], "grpo.clip_low", Number, "clip low", "How far below one a token's ratio may go"),
    field(&[Grpo], "grpo.clip_high", Number, "clip high", "How far above one a token's ratio may go"),
    field(&[Grpo], "grpo.kl", Number, "KL weight", "How dear it is to leave the reference (0: without one)"),
    field(
        &[Grpo],
        "grpo.unbiased_kl",
        YesNo,
        "unbiased KL",
        "Weigh the distance by the ratio, as TRL; without, as verl",
    ),
    field(&[Grpo], "grpo.reference", REFERENCE, "reference", "What the model is held to"),
    field(
        &[Grpo],
        "grpo.advantage",
        Choice(&[("trl", "trl"), ("verl", "verl"), ("none", "not scaled")]),
        "advantage",
        "How rewards become advantages: over their deviation as TRL or verl have it, or not scaled",
    ),
    field(
        &[Grpo],
        "grpo.aggregation",
        Choice(&[("grpo", "grpo"), ("dr_grpo", "dr_grpo"), ("dapo", "dapo")]),
        "aggregation",
        "How the losses of tokens become one: by answer (grpo), by the longest length (dr_grpo), over all tokens (dapo)",
    ),
    field(
        &[Grpo],
        "grpo.skip_flat_groups",
        YesNo,
        "skip flat",
        "Leave questions whose answers were all worth the same out of the mean",
    ),
    field(&[Grpo], "grpo.mask_truncated", YesNo, "mask cut-off", "Learn nothing from answers that were cut off"),
    field(&[], "length.steps", Optional, "steps", "Steps of the optimiser (empty: as many as the passes need)"),
    field(&[], "length.epochs", Number, "passes", "Passes over the data, where no steps are given"),
    field(&[], "data.batch", Number, "batch", "Examples in a batch"),
    field(&[], "data.accumulation", Number, "batches/step", "Batches that make one step"),
    field(
        &[],
        "data.max_length",
        Number,
        "max tokens",
        "Longest example, in tokens; longer ones are cut (of grpo: the longest question)",
    ),
    field(
        &[Sft],
        "data.answer_weight",
        Number,
        "answer weight",
        "Weight of a token of the verdict against one of the reasoning",
    ),
    field(&[], "optimizer.learning_rate", Number, "learning rate", "Highest learning rate"),
    field(
        &[],
        "optimizer.schedule",
        Choice(&[("cosine", "cosine"), ("linear", "linear"), ("constant", "constant")]),
        "schedule",
        "How the learning rate goes on after its warm-up",
    ),
    field(&[], "optimizer.warmup_steps", Number, "warm-up", "Steps over which the learning rate rises"),
    field(&[], "optimizer.weight_decay", Number, "weight decay", "Decoupled weight decay"),
    field(&[], "optimizer.clip", Number, "clip", "Largest norm of a gradient (0: any)"),
    field(&[], "lora.rank", Number, "LoRA rank", "Rank of the LoRA update (alpha becomes twice that)"),
    field(&[], "lora.alpha", Number, "LoRA alpha", "Scale of the update: alpha / rank"),
    field(&[], "lora.rank_stabilized", YesNo, "rsLoRA", "Scale by the root of the rank: for ranks from 32 on"),
    field(&[Sft, Dpo], "lora.dropout", Number, "dropout", "Share of the inputs that an update does not see"),
    field(&[], "data.dev_fraction", Number, "held out", "Share of the examples that is held out"),
    field(&[], "length.save_every", Number, "save every", "Steps between two checkpoints"),
    field(
        &[],
        "length.evaluate_every",
        Number,
        "measure every",
        "Steps between two evaluations (0: with each checkpoint)",
    ),
    field(
        &[],
        "length.evaluate_answers",
        YesNo,
        "measure F1",
        "Also ask the model about what is held out, for the F1 of its verdicts",
    ),
    field(&[], "length.patience", Number, "patience", "Evaluations without a better one before it stops (0: never)"),
    field(
        &[],
        "length.take",
        Choice(&[("last", "last weights"), ("best", "best weights")]),
        "take",
        "Which weights a finished run gives",
    ),
    field(&[], "seed", Number, "seed", "Seed of everything drawn at random"),
];

/// The lines of an objective's form, from the top.
pub(in super::super) fn of(objective: ObjectiveName) -> Vec<&'static Field> {
    FIELDS.iter().filter(|field| field.of.is_empty() || field.of.contains(&objective)).collect()
}
