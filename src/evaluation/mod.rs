//! What a model is worth on a task: metrics, baselines, reports.
