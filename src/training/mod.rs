//! Fine-tuning: recipes, objectives, optimiser, checkpoints and runs.
