//! Weights that lead to no numbers, disks that are full and files that are damaged: none of them costs what was learnt.

use super::*;

/// A recipe of so many steps that keeps only its last checkpoint.
fn keeping_one(steps: usize) -> Recipe {
    let mut recipe = recipe(steps);
    recipe.length.keep_last = 1;
    recipe
}

/// The parameters of a run that nothing went wrong in.
fn undisturbed(recipe: &Recipe) -> Vec<u32> {
    let (line, temporary) = (Line::new(), tempfile::tempdir().unwrap());
    train(&line, recipe, &RunFolder::at(temporary.path()), None, None).unwrap();
    line.bits()
}

/// Goes on with the run in `folder` from its newest checkpoint, and gives its step and what comes out.
fn go_on(folder: &RunFolder, recipe: &Recipe) -> (usize, Vec<u32>) {
    let checkpoint = Checkpoint::latest(folder);
    let line = checkpoint.as_ref().map_or_else(Line::new, |checkpoint| Line::load(&checkpoint.adapter_dir()));
    train(&line, recipe, folder, None, checkpoint.as_ref()).unwrap();
    (checkpoint.map_or(0, |checkpoint| checkpoint.progress.step), line.bits())
}

#[test]
fn a_loss_that_is_no_number_costs_no_good_checkpoint() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, recipe) = (RunFolder::at(temporary.path()), keeping_one(40));
    train(&Line::new(), &recipe, &folder, Some(15), None).unwrap();
    let checkpoint = Checkpoint::latest(&folder).unwrap();
    // Step 16 moves to weights whose loss, in step 17, is no number.
    let line = Line { nan_after: Some(1), ..Line::load(&checkpoint.adapter_dir()) };
    let error = train(&line, &recipe, &folder, None, Some(&checkpoint)).unwrap_err();
    assert!(error.to_string().starts_with("the loss is NaN at step 17; the run goes on from"), "{error}");
    assert!(matches!(error, TrainingError::Diverged { step: 17, kept: 15, .. }), "{error}");
    let status = folder.status().unwrap();
    assert_eq!((status.state, status.step), (RunState::Failed, 16));
    assert_eq!(go_on(&folder, &recipe), (15, undisturbed(&recipe)));
}

#[test]
fn a_checkpoint_of_weights_that_give_no_number_is_set_aside() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, recipe) = (RunFolder::at(temporary.path()), keeping_one(40));
    let line = Line { nan_after: Some(20), ..Line::new() };
    let error = train(&line, &recipe, &folder, None, None).unwrap_err();
    assert!(matches!(error, TrainingError::Diverged { step: 21, kept: 10, .. }), "{error}");
    let aside = temporary.path().join("checkpoint-20.unsound");
    assert!(aside.is_dir());
    assert_eq!(go_on(&folder, &recipe), (10, undisturbed(&recipe)));
    assert!(!aside.exists(), "it is of no use once the run is past it");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().flatten().filter(is_checkpoint).count(), 1);
}

fn is_checkpoint(entry: &std::fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with("checkpoint-")
}

#[test]
fn a_run_whose_only_checkpoint_gives_no_number_begins_anew() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, recipe) = (RunFolder::at(temporary.path()), keeping_one(40));
    let line = Line { nan_after: Some(10), ..Line::new() };
    let error = train(&line, &recipe, &folder, None, None).unwrap_err();
    assert!(error.to_string().contains("no step was kept, and resuming begins anew"), "{error}");
    assert_eq!(go_on(&folder, &recipe), (0, undisturbed(&recipe)));
}

#[test]
fn what_is_no_number_before_anything_was_learnt_is_not_blamed_on_the_pace() {
    let temporary = tempfile::tempdir().unwrap();
    let line = Line { nan_after: Some(0), ..Line::new() };
    let error = train(&line, &recipe(5), &RunFolder::at(temporary.path()), None, None).unwrap_err().to_string();
    assert!(error.contains("before anything was learnt") && error.contains("lora.alpha"), "{error}");
    assert!(!error.contains("learning_rate"), "{error}");
}

#[test]
fn weights_that_are_no_numbers_are_never_saved() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, recipe) = (RunFolder::at(temporary.path()), keeping_one(40));
    let line = Line { poisoned: Some(20), ..Line::new() };
    let error = train(&line, &recipe, &folder, None, None).unwrap_err();
    assert!(error.to_string().starts_with("a weight of the adapter is NaN at step 20"), "{error}");
    assert_eq!(go_on(&folder, &recipe), (10, undisturbed(&recipe)));
}

#[test]
fn an_evaluation_that_is_no_number_ends_the_run_at_good_weights() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let mut recipe = recipe(40);
    recipe.length = LengthSettings { evaluate_every: 4, save_every: 4, ..recipe.length };
    let line = Line { held: RefCell::new([1.0, f64::NAN].into()), ..Line::new() };
    let error = train(&line, &recipe, &folder, None, None).unwrap_err();
    assert!(matches!(error, TrainingError::Diverged { step: 8, kept: 4, .. }), "{error}");
    assert!(error.to_string().starts_with("the loss on what is held out is NaN at step 8"), "{error}");
    assert_eq!(folder.steps().unwrap().len(), 8);
    assert_eq!(go_on(&folder, &recipe), (4, undisturbed(&recipe)));
}

#[test]
fn a_model_that_gives_no_number_along_the_way_has_diverged() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, recipe) = (RunFolder::at(temporary.path()), keeping_one(40));
    let says = "the model gave no number for a logit; its weights are damaged";
    let line = Line { breaks: Some((15, says)), ..Line::new() };
    let error = train(&line, &recipe, &folder, None, None).unwrap_err();
    assert!(matches!(error, TrainingError::Diverged { step: 14, kept: 10, .. }), "{error}");
    assert!(error.to_string().contains("Lower optimizer.learning_rate"), "{error}");
    assert_eq!(go_on(&folder, &recipe), (10, undisturbed(&recipe)));
    let line = Line { breaks: Some((1, says)), ..Line::new() };
    let error = train(&line, &recipe, &RunFolder::at(tempfile::tempdir().unwrap().path()), None, None).unwrap_err();
    assert!(matches!(error, TrainingError::Unsound { .. }), "{error}");
}

#[test]
fn what_the_model_says_is_asked_again_where_it_was_broken_off() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let mut recipe = recipe(20);
    recipe.length = LengthSettings { evaluate_every: 4, save_every: 100, ..recipe.length };
    let held = |values: &[f64]| RefCell::new(values.iter().copied().collect());
    let silenced = RefCell::new(Some((1, folder.clone())));
    let line = Line { silenced, held: held(&[3.0, 2.0]), ..Line::new() };
    let summary = train(&line, &recipe, &folder, None, None).unwrap();
    assert_eq!((summary.status, summary.steps), (RunState::Cancelled, 8));
    // What was measured is not measured again.
    let checkpoint = Checkpoint::latest(&folder).unwrap();
    let line = Line { held: held(&[1.0, 1.5, 1.6]), ..Line::load(&checkpoint.adapter_dir()) };
    let summary = train(&line, &recipe, &folder, None, Some(&checkpoint)).unwrap();
    assert_eq!(summary.best_step, Some(12));
    let said: Vec<usize> = folder.samples().unwrap().iter().map(|sample| sample.step).collect();
    assert_eq!(said, [4, 8, 12, 16, 20]);
    let measured: Vec<f64> = folder.steps().unwrap().iter().filter_map(|record| record.dev_loss).collect();
    assert_eq!(measured, [3.0, 2.0, 1.0, 1.5, 1.6]);
}

#[test]
fn a_full_disk_leaves_the_reason_and_nothing_half_done() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, recipe) = (RunFolder::at(temporary.path()), keeping_one(40));
    let line = Line { full: Cell::new(Some(1)), ..Line::new() };
    assert!(train(&line, &recipe, &folder, None, None).is_err());
    let names: Vec<String> = std::fs::read_dir(temporary.path())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().all(|name| !name.ends_with(".partial")), "{names:?}");
    let status = folder.status().unwrap();
    assert_eq!((status.state, status.eta_seconds), (RunState::Failed, None));
    assert!(status.message.unwrap().contains("no storage space"));
    assert_eq!(go_on(&folder, &recipe), (10, undisturbed(&recipe)));
}

#[test]
fn a_run_goes_on_from_the_newest_checkpoint_that_is_whole() {
    let temporary = tempfile::tempdir().unwrap();
    let (folder, recipe) = (RunFolder::at(temporary.path()), keeping_one(40));
    train(&Line::new(), &recipe, &folder, Some(15), None).unwrap();
    let moments = temporary.path().join("checkpoint-15/optimizer.safetensors");
    let bytes = std::fs::read(&moments).unwrap();
    std::fs::write(&moments, &bytes[..bytes.len() - 1]).unwrap();
    let (found, damaged) = Checkpoint::search(&folder);
    assert_eq!((found.unwrap().progress.step, damaged.len()), (10, 1));
    assert!(damaged[0].why.starts_with("optimizer.safetensors: it has"), "{}", damaged[0].why);
    assert_eq!(go_on(&folder, &recipe), (10, undisturbed(&recipe)));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().flatten().filter(is_checkpoint).count(), 1);
}
