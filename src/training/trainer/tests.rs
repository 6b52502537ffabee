use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor, Var};

use super::*;
use crate::training::{Held, LengthSettings, Part, Said, Statistics, Take, WatchdogSettings};

mod soundness;

/// A line through points: the loss is the mean squared error.
struct Line {
    parameters: Vec<(String, Var)>,
    points: Vec<(f32, f32)>,
    drop_gradient: bool,
    nan_after: Option<usize>,
    /// From this call on, the loss that is told is so much higher.
    runaway: Option<(usize, f64)>,
    /// What each evaluation finds; none where there are none left.
    held: RefCell<VecDeque<f64>>,
    /// The device fails in the evaluation after so many.
    held_breaks: Cell<Option<usize>>,
    /// Someone stops this run in the middle of its next evaluation but so many.
    stopped: RefCell<Option<(usize, RunFolder)>>,
    /// From this call on, the device fails and says so.
    breaks: Option<(usize, &'static str)>,
    /// Whether parameters can no longer be read once it has failed.
    lost: bool,
    /// After this call its slope is no number, while its loss is still one.
    poisoned: Option<usize>,
    /// Someone stops this run while the model is asked for the next time but so many.
    silenced: RefCell<Option<(usize, RunFolder)>>,
    /// The disk is full when this many checkpoints were written.
    full: Cell<Option<usize>>,
    reuse: usize,
    prepared: RefCell<Vec<(usize, Vec<Vec<usize>>)>>,
    calls: Cell<usize>,
}

impl Line {
    fn new() -> Self {
        let var = |value: f32| Var::from_slice(&[value], 1, &Device::Cpu).unwrap();
        Self {
            parameters: vec![("slope".into(), var(0.0)), ("offset".into(), var(0.0))],
            points: (0..24).map(|i| (i as f32 / 10.0, 0.7 * i as f32 / 10.0 - 0.2)).collect(),
            drop_gradient: false,
            nan_after: None,
            runaway: None,
            held: RefCell::default(),
            held_breaks: Cell::default(),
            stopped: RefCell::default(),
            breaks: None,
            lost: false,
            poisoned: None,
            silenced: RefCell::default(),
            full: Cell::default(),
            reuse: 1,
            prepared: RefCell::default(),
            calls: Cell::new(0),
        }
    }

    fn load(folder: &Path) -> Self {
        let line = Self::new();
        let tensors = candle_core::safetensors::load(folder.join("line.safetensors"), &Device::Cpu).unwrap();
        for (name, var) in &line.parameters {
            var.set(&tensors[name]).unwrap();
        }
        line
    }

    fn bits(&self) -> Vec<u32> {
        self.parameters.iter().map(|(_, var)| var.to_vec1::<f32>().unwrap()[0].to_bits()).collect()
    }
}

impl Objective for Line {
    fn parameters(&self) -> &[(String, Var)] {
        &self.parameters
    }

    fn examples(&self) -> usize {
        self.points.len()
    }

    fn reuse(&self) -> usize {
        self.reuse
    }

    fn prepare(
        &self,
        step: usize,
        batches: &[Vec<usize>],
        _: &dyn Fn() -> bool,
    ) -> Result<Option<Statistics>, TrainingError> {
        self.prepared.borrow_mut().push((step, batches.to_vec()));
        Ok(Some(Statistics::default()))
    }

    fn tokens(&self, _: usize) -> usize {
        1
    }

    fn weight(&self, examples: &[usize]) -> f64 {
        examples.len() as f64
    }

    fn loss(&self, examples: &[usize], normaliser: f64) -> Result<Part, TrainingError> {
        self.calls.set(self.calls.get() + 1);
        if let Some((_, says)) = self.breaks.filter(|(call, _)| self.calls.get() >= *call) {
            return Err(TrainingError::Model(says.into()));
        }
        if self.nan_after.is_some_and(|calls| self.calls.get() > calls) {
            let gradients = self.parameters.iter().map(|(_, v)| Some(v.as_tensor().clone())).collect();
            return Ok(Part { loss: f64::NAN, gradients, statistics: Statistics::default() });
        }
        let column = |f: fn(&(f32, f32)) -> f32| {
            let values: Vec<f32> = examples.iter().map(|&i| f(&self.points[i])).collect();
            Tensor::from_vec(values, examples.len(), &Device::Cpu)
        };
        let (x, y) = (column(|p| p.0)?, column(|p| p.1)?);
        let fit = x.broadcast_mul(&self.parameters[0].1)?.broadcast_add(&self.parameters[1].1)?;
        let loss = ((fit - y)?.sqr()?.sum_all()? / normaliser)?;
        let store = loss.backward()?;
        let mut gradients: Gradients =
            self.parameters.iter().map(|(_, var)| store.get(var.as_tensor()).cloned()).collect();
        if self.drop_gradient {
            gradients[1] = None;
        }
        let mut statistics = Statistics::default();
        statistics.add("offset", examples.len() as f64, 2.0 * examples.len() as f64);
        if self.poisoned == Some(self.calls.get()) {
            self.parameters[0].1.set(&Tensor::new(&[f32::NAN], &Device::Cpu)?)?;
        }
        let loud = self.runaway.filter(|(from, _)| self.calls.get() > *from).map_or(0.0, |(_, rise)| rise);
        Ok(Part { loss: f64::from(loss.to_scalar::<f32>()?) + loud, gradients, statistics })
    }

    fn held_out(&self, _: &dyn Fn() -> bool) -> Result<Option<Held>, TrainingError> {
        match &mut *self.stopped.borrow_mut() {
            Some((0, folder)) => {
                folder.request_cancel()?;
                return Ok(None);
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        match self.held_breaks.get() {
            Some(0) => return Err(TrainingError::Model("CUDA_ERROR_OUT_OF_MEMORY".into())),
            left => self.held_breaks.set(left.map(|left| left - 1)),
        }
        Ok(self.held.borrow_mut().pop_front().map(|loss| Held { loss, ..Held::default() }))
    }

    fn samples(&self, _: &dyn Fn() -> bool) -> Result<Option<Vec<Said>>, TrainingError> {
        match &mut *self.silenced.borrow_mut() {
            Some((0, folder)) => {
                folder.request_cancel()?;
                return Ok(None);
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        Ok(Some(vec![Said { input: "x".into(), text: "y".into(), ..Said::default() }]))
    }

    fn save_state(&self, checkpoint: &Path) -> Result<(), TrainingError> {
        match self.full.get() {
            Some(0) => Err(TrainingError::file(checkpoint, std::io::ErrorKind::StorageFull.into())),
            left => {
                self.full.set(left.map(|left| left - 1));
                Ok(())
            }
        }
    }

    fn save(&self, folder: &Path) -> Result<(), TrainingError> {
        if self.lost && self.breaks.is_some_and(|(call, _)| self.calls.get() >= call) {
            return Err(TrainingError::Model("DriverError(CUDA_ERROR_ILLEGAL_ADDRESS)".into()));
        }
        std::fs::create_dir_all(folder).map_err(|error| TrainingError::file(folder, error))?;
        let tensors: HashMap<String, Tensor> =
            self.parameters.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
        Ok(candle_core::safetensors::save(&tensors, folder.join("line.safetensors"))?)
    }
}

fn recipe(steps: usize) -> Recipe {
    let mut recipe = Recipe::default();
    recipe.optimizer.learning_rate = 0.05;
    recipe.length.steps = Some(steps);
    recipe.length.save_every = 10;
    recipe
}

fn train(
    line: &Line,
    recipe: &Recipe,
    folder: &RunFolder,
    cancel_at: Option<usize>,
    from: Option<&Checkpoint>,
) -> Result<Summary, TrainingError> {
    let cancel = CancelFlag::default();
    let events = |event: Event| {
        if let Event::Step { record, .. } = event
            && Some(record.step) == cancel_at
        {
            cancel.cancel();
        }
    };
    let trainer = Trainer {
        folder,
        recipe,
        data: DataSummary { examples: line.points.len(), ..DataSummary::default() },
        examples_sha256: "points".into(),
        started: Timestamp::UNIX_EPOCH,
        events: &events,
        cancel: &cancel,
        held_out: &[],
        measure: None,
        note: None,
        seat: None,
    };
    trainer.run(line, from)
}

#[test]
fn the_loss_falls_and_the_folder_tells_the_story() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let summary = train(&Line::new(), &recipe(40), &folder, None, None).unwrap();
    assert_eq!((summary.status, summary.steps, summary.loss.len()), (RunState::Finished, 40, 40));
    assert!(summary.last_loss.unwrap() < 0.5 * summary.first_loss.unwrap());
    assert_eq!(folder.steps().unwrap().len(), 40);
    let sampled: Vec<usize> = folder.samples().unwrap().iter().map(|sample| sample.step).collect();
    assert_eq!(sampled, [10, 20, 30, 40]);
    assert_eq!(folder.status().unwrap().state, RunState::Finished);
    assert!(folder.adapter_dir().is_dir());
    // Two are kept: those of step 30 and of the end.
    assert!(!temporary.path().join("checkpoint-20").exists());
    assert!(temporary.path().join("checkpoint-30").is_dir() && temporary.path().join("checkpoint-40").is_dir());
}

#[test]
fn a_step_that_uses_again_what_was_prepared_works_on_the_same_batches() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let line = Line { reuse: 2, ..Line::new() };
    let mut of_two_passes = recipe(1);
    (of_two_passes.length.steps, of_two_passes.length.epochs) = (None, 1.0);
    train(&line, &of_two_passes, &folder, None, None).unwrap();
    let prepared = line.prepared.borrow();
    // 24 points in batches of 4, each of them twice.
    assert_eq!(prepared.iter().map(|(step, _)| *step).collect::<Vec<_>>(), (0..12).collect::<Vec<_>>());
    assert!(prepared.chunks(2).all(|pair| pair[0].1 == pair[1].1));
    assert!(prepared.windows(3).all(|three| three[0].1 != three[2].1));
    let last = folder.steps().unwrap().pop().unwrap();
    assert!((last.epoch - 1.0).abs() < 1e-12);
    assert_eq!(last.statistics.get("offset"), Some(&0.5));
}

#[test]
fn a_cancelled_run_resumes_to_the_weights_of_an_uninterrupted_one() {
    let (straight, stopped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = Line::new();
    let uninterrupted = train(&whole, &recipe(40), &RunFolder::at(straight.path()), None, None).unwrap();
    let folder = RunFolder::at(stopped.path());
    let summary = train(&Line::new(), &recipe(40), &folder, Some(17), None).unwrap();
    assert_eq!((summary.status, summary.steps), (RunState::Cancelled, 17));
    let checkpoint = Checkpoint::latest(&folder).unwrap();
    let resumed = Line::load(&checkpoint.adapter_dir());
    let summary = train(&resumed, &recipe(40), &folder, None, Some(&checkpoint)).unwrap();
    assert_eq!(resumed.bits(), whole.bits());
    assert_eq!(summary.loss, uninterrupted.loss);
}

#[test]
fn a_killed_run_resumes_from_its_last_checkpoint_and_forgets_the_steps_after_it() {
    let (straight, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = Line::new();
    train(&whole, &recipe(40), &RunFolder::at(straight.path()), None, None).unwrap();
    let folder = RunFolder::at(killed.path());
    train(&Line::new(), &recipe(40), &folder, Some(25), None).unwrap();
    // As if killed in step 25: its checkpoint was never written, and another only half.
    std::fs::remove_dir_all(killed.path().join("checkpoint-25")).unwrap();
    std::fs::create_dir_all(killed.path().join("checkpoint-25.partial")).unwrap();
    let checkpoint = Checkpoint::latest(&folder).unwrap();
    assert_eq!(checkpoint.progress.step, 20);
    let resumed = Line::load(&checkpoint.adapter_dir());
    let summary = train(&resumed, &recipe(40), &folder, None, Some(&checkpoint)).unwrap();
    assert_eq!((resumed.bits(), summary.loss.len()), (whole.bits(), 40));
}

#[test]
fn a_device_that_fails_ends_the_run_with_its_checkpoint_and_says_so() {
    let whole = Line::new();
    train(&whole, &recipe(40), &RunFolder::at(tempfile::tempdir().unwrap().path()), None, None).unwrap();
    let full = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
    let gone = "DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access was encountered\")";
    // The call that fails is the 26th step; a lost device's weights of step 25 are lost with it.
    for (says, lost, kept) in [(full, false, 25), (gone, true, 20)] {
        let temporary = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(temporary.path());
        let broken = Line { breaks: Some((26, says)), lost, ..Line::new() };
        let error = train(&broken, &recipe(40), &folder, None, None).unwrap_err();
        let told = folder.status().unwrap();
        assert_eq!((told.state, told.message.as_deref()), (RunState::Failed, Some(error.to_string().as_str())));
        match error {
            TrainingError::OutOfMemory { step, kept: at } => assert_eq!((step, at, lost), (26, kept, false)),
            TrainingError::DeviceLost { ref why, step, kept: at } => {
                assert_eq!((step, at, lost), (26, kept, true));
                assert!(why.contains("ILLEGAL_ADDRESS"));
            }
            other => panic!("{other}"),
        }
        let checkpoint = Checkpoint::latest(&folder).unwrap();
        assert_eq!(checkpoint.progress.step, kept);
        let resumed = Line::load(&checkpoint.adapter_dir());
        train(&resumed, &recipe(40), &folder, None, Some(&checkpoint)).unwrap();
        assert_eq!(resumed.bits(), whole.bits());
    }
}

#[test]
fn accumulated_batches_move_as_one_large_batch() {
    let (one, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (large, small) = (Line::new(), Line::new());
    let mut of_six = recipe(12);
    of_six.data.batch = 6;
    let mut of_three = recipe(12);
    (of_three.data.batch, of_three.data.accumulation) = (3, 2);
    // 24 points, so that both plans cut an epoch at the same places.
    let summaries = [(&large, &of_six, &one), (&small, &of_three, &many)]
        .map(|(line, recipe, folder)| train(line, recipe, &RunFolder::at(folder.path()), None, None).unwrap());
    for (a, b) in summaries[0].loss.iter().zip(&summaries[1].loss).take(3) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

#[test]
fn a_parameter_that_no_gradient_reaches_stops_the_run_before_it_begins() {
    let temporary = tempfile::tempdir().unwrap();
    let line = Line { drop_gradient: true, ..Line::new() };
    let error = train(&line, &recipe(5), &RunFolder::at(temporary.path()), None, None).unwrap_err();
    assert!(error.to_string().contains("no gradient reaches offset"), "{error}");
    assert_eq!(line.bits(), Line::new().bits());
}

#[test]
fn a_loss_that_runs_away_stops_the_run_at_the_last_good_checkpoint() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let line = Line { runaway: Some((29, 50.0)), ..Line::new() };
    let mut recipe = recipe(60);
    recipe.watchdog = WatchdogSettings { factor: 4.0, patience: 3 };
    // Step 30 is due for a checkpoint, and is out of line already.
    let error = train(&line, &recipe, &folder, None, None).unwrap_err();
    assert!(matches!(error, TrainingError::Runaway { step: 32, kept: 20, .. }), "{error}");
    let status = folder.status().unwrap();
    assert_eq!((status.state, status.step), (RunState::Failed, 32));
    assert!(status.message.unwrap().contains("goes on from the checkpoint of step 20"));
    assert_eq!(Checkpoint::latest(&folder).unwrap().progress.step, 20);
}

#[test]
fn a_run_that_no_longer_gets_better_stops_early_and_gives_its_best_weights() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let line = Line { held: RefCell::new([3.0, 2.0, 2.5, 2.4, 2.1, 1.0].into()), ..Line::new() };
    let mut recipe = recipe(60);
    recipe.length = LengthSettings {
        evaluate_every: 4,
        save_every: 100,
        keep_last: 1,
        patience: 3,
        take: Take::Best,
        ..recipe.length
    };
    let summary = train(&line, &recipe, &folder, None, None).unwrap();
    assert_eq!((summary.status, summary.steps, summary.best_step), (RunState::Finished, 20, Some(8)));
    assert!(summary.message.unwrap().contains("the best was after step 8"));
    let best = Checkpoint::of_step(&folder, 8).unwrap();
    let given = Line::load(&folder.adapter_dir()).bits();
    assert_eq!(given, Line::load(&best.adapter_dir()).bits());
    assert_ne!(given, line.bits());
    assert!(Checkpoint::of_step(&folder, 20).is_some() && Checkpoint::of_step(&folder, 4).is_none());
}

#[test]
fn what_a_run_remembers_of_its_evaluations_survives_a_stop() {
    let values = [3.0, 2.0, 2.5, 2.4, 2.1];
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let mut recipe = recipe(60);
    recipe.length = LengthSettings { evaluate_every: 4, save_every: 100, patience: 3, ..recipe.length };
    let first = Line { held: RefCell::new(values[..3].iter().copied().collect()), ..Line::new() };
    train(&first, &recipe, &folder, Some(14), None).unwrap();
    let checkpoint = Checkpoint::latest(&folder).unwrap();
    let second =
        Line { held: RefCell::new(values[3..].iter().copied().collect()), ..Line::load(&checkpoint.adapter_dir()) };
    let summary = train(&second, &recipe, &folder, None, Some(&checkpoint)).unwrap();
    assert_eq!((summary.steps, summary.best_step), (20, Some(8)));
}

#[test]
fn an_evaluation_that_was_broken_off_is_made_up_for() {
    let values = [3.0, 2.0, 2.5, 2.4, 2.1];
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let mut recipe = recipe(60);
    recipe.length = LengthSettings { evaluate_every: 4, save_every: 100, patience: 3, ..recipe.length };
    let held = |values: &[f64]| RefCell::new(values.iter().copied().collect());
    let first = Line { held: held(&values[..1]), stopped: RefCell::new(Some((1, folder.clone()))), ..Line::new() };
    let summary = train(&first, &recipe, &folder, None, None).unwrap();
    assert_eq!((summary.status, summary.steps), (RunState::Cancelled, 8));
    assert_eq!(folder.steps().unwrap()[7].dev_loss, None);
    let checkpoint = Checkpoint::latest(&folder).unwrap();
    assert!(checkpoint.progress.owed);
    let second = Line { held: held(&values[1..]), ..Line::load(&checkpoint.adapter_dir()) };
    let summary = train(&second, &recipe, &folder, None, Some(&checkpoint)).unwrap();
    assert_eq!((summary.steps, summary.best_step), (20, Some(8)));
    let steps = folder.steps().unwrap();
    assert_eq!(steps.iter().map(|record| record.step).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    let measured: Vec<f64> = steps.iter().filter_map(|record| record.dev_loss).collect();
    assert_eq!(measured, values);
}

#[test]
fn a_paused_run_has_its_checkpoint_and_waits_until_it_may_go_on() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let line = Line::new();
    let (other, seen) = (folder.clone(), std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
    let events = |event: Event| match event {
        Event::Step { record, .. } if record.step == 7 => folder.request_pause().unwrap(),
        Event::Paused { step } => {
            let (other, seen) = (other.clone(), seen.clone());
            thread::spawn(move || {
                let status = other.status().unwrap();
                seen.lock().unwrap().push((step, Checkpoint::latest(&other).unwrap().progress.step, status.state));
                other.end_pause();
            });
        }
        _ => {}
    };
    let _lock = folder.lock().unwrap();
    let trainer = Trainer {
        folder: &folder,
        recipe: &recipe(12),
        data: DataSummary::default(),
        examples_sha256: "points".into(),
        started: Timestamp::UNIX_EPOCH,
        events: &events,
        cancel: &CancelFlag::default(),
        held_out: &[],
        measure: None,
        note: None,
        seat: None,
    };
    assert_eq!(trainer.run(&line, None).unwrap().status, RunState::Finished);
    assert_eq!(*seen.lock().unwrap(), [(7, 7, RunState::Paused)]);
}

#[test]
fn a_run_that_goes_on_has_no_trained_adapter_of_before() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    train(&Line::new(), &recipe(40), &folder, Some(17), None).unwrap();
    assert!(folder.adapter_dir().is_dir(), "a cancelled run gives what it has");
    // Resumed, and dead at some later step: cancelled, failed or killed, its newest checkpoint counts.
    let checkpoint = Checkpoint::latest(&folder).unwrap();
    let broken = Line { breaks: Some((15, "gone")), ..Line::load(&checkpoint.adapter_dir()) };
    assert!(train(&broken, &recipe(40), &folder, None, Some(&checkpoint)).is_err());
    assert!(!folder.adapter_dir().exists());
    assert_eq!(Checkpoint::latest(&folder).unwrap().progress.step, 30);
}

#[test]
fn a_request_to_stop_from_before_the_first_step_is_heard() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    // While the model was loading.
    folder.request_cancel().unwrap();
    let summary = train(&Line::new(), &recipe(12), &folder, None, None).unwrap();
    assert_eq!((summary.status, summary.steps), (RunState::Cancelled, 0));
    assert!(!folder.cancel_requested());
}

#[test]
fn weights_that_are_out_of_line_never_take_the_place_of_good_ones() {
    let whole = Line::new();
    let patient = |steps| Recipe { watchdog: WatchdogSettings { factor: 3.0, patience: 5 }, ..recipe(steps) };
    train(&whole, &patient(40), &RunFolder::at(tempfile::tempdir().unwrap().path()), None, None).unwrap();
    // From step 33 on the loss is out of line; the run is cancelled in it, breaks in it, or becomes no number.
    let loud = || Line { runaway: Some((32, 50.0)), ..Line::new() };
    let full = (35, "CUDA_ERROR_OUT_OF_MEMORY");
    let ends = [
        (loud(), Some(34)),
        (Line { breaks: Some(full), ..loud() }, None),
        (Line { nan_after: Some(34), ..loud() }, None),
    ];
    for (line, cancel_at) in ends {
        let temporary = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(temporary.path());
        let ended = train(&line, &patient(40), &folder, cancel_at, None);
        match &ended {
            Ok(summary) => assert_eq!((summary.status, summary.steps), (RunState::Cancelled, 34)),
            Err(TrainingError::Diverged { step, kept, .. }) => assert_eq!((*step, *kept), (35, 30)),
            Err(TrainingError::OutOfMemory { step, kept }) => assert_eq!((*step, *kept), (35, 30)),
            Err(other) => panic!("{other}"),
        }
        assert_eq!(folder.status().unwrap().steps, 40);
        let checkpoint = Checkpoint::latest(&folder).unwrap();
        assert_eq!(checkpoint.progress.step, 30);
        let resumed = Line::load(&checkpoint.adapter_dir());
        train(&resumed, &patient(40), &folder, None, Some(&checkpoint)).unwrap();
        assert_eq!(resumed.bits(), whole.bits());
    }
}

#[test]
fn an_evaluation_that_a_device_broke_is_made_once_the_run_goes_on() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let mut recipe = recipe(12);
    recipe.length = LengthSettings { evaluate_every: 4, save_every: 100, ..recipe.length };
    let held = |values: &[f64]| RefCell::new(values.iter().copied().collect());
    let broken = Line { held: held(&[3.0]), held_breaks: Cell::new(Some(1)), ..Line::new() };
    let error = train(&broken, &recipe, &folder, None, None).unwrap_err();
    assert!(matches!(error, TrainingError::OutOfMemory { kept: 8, .. }), "{error}");
    assert_eq!(folder.steps().unwrap().len(), 8, "the step was done");
    let checkpoint = Checkpoint::latest(&folder).unwrap();
    assert!(checkpoint.progress.owed);
    let line = Line { held: held(&[2.0, 1.0]), ..Line::load(&checkpoint.adapter_dir()) };
    train(&line, &recipe, &folder, None, Some(&checkpoint)).unwrap();
    let measured: Vec<(usize, f64)> =
        folder.steps().unwrap().iter().filter_map(|record| Some((record.step, record.dev_loss?))).collect();
    assert_eq!(measured, [(4, 3.0), (8, 2.0), (12, 1.0)]);
}

#[test]
fn a_run_that_died_after_its_last_checkpoint_has_no_step_left_to_take() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    let mut recipe = recipe(60);
    recipe.length = LengthSettings { evaluate_every: 4, save_every: 4, patience: 2, ..recipe.length };
    let held = || RefCell::new([1.0, 2.0, 3.0, 4.0].into_iter().collect());
    let line = Line { held: held(), ..Line::new() };
    assert_eq!(train(&line, &recipe, &folder, None, None).unwrap().steps, 12);
    // As if it was killed before it wrote its last status.
    let checkpoint = Checkpoint::latest(&folder).unwrap();
    let again = Line { held: held(), ..Line::load(&checkpoint.adapter_dir()) };
    assert_eq!(train(&again, &recipe, &folder, None, Some(&checkpoint)).unwrap().steps, 12);
    assert_eq!(again.bits(), line.bits());
}

#[test]
fn a_checkpoint_that_is_being_replaced_is_never_gone() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = RunFolder::at(temporary.path());
    train(&Line::new(), &recipe(12), &folder, Some(5), None).unwrap();
    // As if killed after the old one moved aside.
    let (there, aside) = (temporary.path().join("checkpoint-5"), temporary.path().join("checkpoint-5.old"));
    std::fs::rename(&there, &aside).unwrap();
    let checkpoint = Checkpoint::latest(&folder).unwrap();
    assert_eq!((checkpoint.progress.step, checkpoint.adapter_dir()), (5, aside.join("adapter")));
    let line = Line::load(&checkpoint.adapter_dir());
    train(&line, &recipe(12), &folder, None, Some(&checkpoint)).unwrap();
    assert_eq!(Checkpoint::latest(&folder).unwrap().progress.step, 12);
}
