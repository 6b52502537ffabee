//! Training against TRL and PEFT: on a tiny random Llama with an adapter, ten steps of each objective give TRL's losses, gradients and
//! weights (`tests/fixtures/make_training_fixtures.py`).

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{Device, Tensor, Var};
use logwright::model::{Adapter, DeviceChoice, LanguageModel, Sequence};
use logwright::training::{
    AdvantageName, AggregationName, CancelFlag, DataSummary, Dpo, DpoSettings, Group, Grpo, GrpoSettings, Objective,
    Prompted, Recipe, Reference, ReferenceName, Reward, RewardSettings, Rollout, RunFolder, ScheduleName, Sft,
    StepRecord, TokenizedExample, TokenizedPair, Trainer, Window, advantages,
};
use serde_json::Value;

/// Largest difference allowed, of figures around one.
const CLOSE: f64 = 1e-4;

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn fixture(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixtures().join(format!("training/{name}.json"))).unwrap()).unwrap()
}

fn tensors(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixtures().join(format!("training/{name}.safetensors")), &Device::Cpu).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn wearing() -> (LanguageModel, Adapter) {
    let folder = fixtures().join("tiny/llama");
    let model = LanguageModel::load(&folder, &DeviceChoice::Cpu).unwrap();
    let adapter = Adapter::load(&folder.join("adapter"), &model).unwrap();
    (model, adapter)
}

/// A run's folder that starts from the tiny model's adapter.
fn run_folder(dir: &tempfile::TempDir) -> RunFolder {
    let folder = RunFolder::at(dir.path());
    std::fs::create_dir_all(folder.start_dir()).unwrap();
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        std::fs::copy(fixtures().join("tiny/llama/adapter").join(name), folder.start_dir().join(name)).unwrap();
    }
    folder
}

fn assert_close(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let allowed = CLOSE * expected.abs().max(1.0);
        assert!((found - expected).abs() < allowed, "{what} {i}: {found} is not {expected}");
    }
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect()
}

/// The first step's gradients are those of the fixture.
fn check_gradients(name: &str, objective: &dyn Objective, examples: usize) {
    let all: Vec<usize> = (0..examples).collect();
    let prepared = objective.prepare(0, std::slice::from_ref(&all), &|| false).unwrap();
    assert!(prepared.is_some());
    let part = objective.loss(&all, objective.weight(&all)).unwrap();
    let expected = tensors(name);
    assert_eq!(2 * part.gradients.len(), expected.len());
    for ((parameter, _), gradient) in objective.parameters().iter().zip(&part.gradients) {
        let (found, expected) =
            (values(gradient.as_ref().unwrap()), values(&expected[&format!("gradient.{parameter}")]));
        assert!(expected.iter().any(|value| value.abs() > 1e-3), "{parameter} has a gradient to speak of");
        assert_close(parameter, &found, &expected);
    }
}

/// Trains as the fixture says and gives the steps.
fn train(
    told: &Value,
    objective: &dyn Objective,
    folder: &RunFolder,
    batch: usize,
    accumulation: usize,
) -> Vec<StepRecord> {
    let mut recipe = Recipe::default();
    (recipe.data.batch, recipe.data.accumulation) = (batch, accumulation);
    recipe.optimizer.learning_rate = number(&told["learning_rate"]);
    recipe.optimizer.weight_decay = number(&told["weight_decay"]);
    recipe.optimizer.clip = number(&told["clip"]);
    recipe.optimizer.warmup_steps = 0;
    recipe.optimizer.schedule = ScheduleName::Constant;
    recipe.length.steps = Some(array(&told["loss"]).len());
    recipe.length.save_every = 0;
    let trainer = Trainer {
        folder,
        recipe: &recipe,
        data: DataSummary::default(),
        examples_sha256: String::new(),
        started: "2026-01-01T00:00:00Z".parse().unwrap(),
        events: &|_| (),
        cancel: &CancelFlag::default(),
        held_out: &[],
        measure: None,
        note: None,
        seat: None,
    };
    trainer.run(objective, None).unwrap();
    let steps = folder.steps().unwrap();
    let of = |figure: fn(&StepRecord) -> f64| steps.iter().map(figure).collect::<Vec<_>>();
    assert_close("loss of step", &of(|step| step.loss), &numbers(&told["loss"]));
    assert_close("gradient norm of step", &of(|step| step.gradient_norm), &numbers(&told["gradient_norm"]));
    steps
}

fn check_weights(name: &str, parameters: &[(String, Var)]) {
    let expected = tensors(name);
    for (parameter, variable) in parameters {
        assert_close(parameter, &values(variable.as_tensor()), &values(&expected[&format!("weight.{parameter}")]));
    }
}

#[test]
fn ten_steps_of_sft_are_trls() {
    let told = fixture("sft");
    let examples: Vec<TokenizedExample> = array(&told["examples"])
        .iter()
        .map(|example| {
            let (tokens, start) = (ids(&example["tokens"]), example["start"].as_u64().unwrap() as usize);
            let weights = (0..tokens.len()).map(|i| f32::from(u8::from(i >= start))).collect();
            TokenizedExample { id: String::new(), input: String::new(), tokens, weights }
        })
        .collect();
    // Two batches of two make the step of one batch of four.
    for (batch, accumulation) in [(4, 1), (2, 2)] {
        let (model, adapter) = wearing();
        let sft = Sft::new(model, adapter, examples.clone(), Vec::new(), batch);
        check_gradients("sft", &sft, 4);
        let dir = tempfile::tempdir().unwrap();
        train(&told, &sft, &RunFolder::at(dir.path()), batch, accumulation);
        check_weights("sft", sft.parameters());
    }
}

fn dpo(told: &Value, folder: &RunFolder) -> Dpo {
    let pairs = array(&told["pairs"]).iter().map(|pair| {
        let [prompt, chosen, rejected] = ["prompt", "chosen", "rejected"].map(|key| ids(&pair[key]));
        let (chosen, rejected) = ([&prompt[..], &chosen].concat(), [&prompt[..], &rejected].concat());
        let shared = chosen.iter().zip(&rejected).take_while(|(a, b)| a == b).count();
        TokenizedPair { id: String::new(), input: String::new(), prompt: prompt.len(), shared, chosen, rejected }
    });
    let (model, adapter) = wearing();
    let reference = Reference::open(ReferenceName::Start, folder, &model).unwrap();
    let (beta, sft_weight) = (number(&told["beta"]), number(&told["sft_weight"]));
    let settings = DpoSettings { beta, sft_weight, ..DpoSettings::default() };
    Dpo::new(model, adapter, reference, settings, pairs.collect(), Vec::new(), 4, Some(folder)).unwrap()
}

#[test]
fn ten_steps_of_dpo_are_trls() {
    let (told, dir) = (fixture("dpo"), tempfile::tempdir().unwrap());
    let folder = run_folder(&dir);
    let objective = dpo(&told, &folder);
    check_gradients("dpo", &objective, 4);
    let steps = train(&told, &objective, &folder, 2, 2);
    check_weights("dpo", objective.parameters());
    assert!(steps[0].statistics["reward_margin"].abs() < 1e-5);
    assert_eq!(steps[9].statistics["reward_accuracy"], 1.0);
}

#[test]
fn ten_steps_of_dpo_with_the_likelihood_of_the_chosen_side_are_trls() {
    let (told, dir) = (fixture("dpo_sft"), tempfile::tempdir().unwrap());
    let folder = run_folder(&dir);
    train(&told, &dpo(&told, &folder), &folder, 4, 1);
}

fn grpo(told: &Value, aggregation: AggregationName, rollouts_at: &std::path::Path) -> Grpo {
    let (model, adapter) = wearing();
    let temperature = number(&told["temperature"]);
    let groups = array(&told["groups"]);
    let prompts: Vec<Prompted> = groups.iter().map(|group| Prompted::of_tokens(ids(&group["prompt"]))).collect();
    let mut window = Window::default();
    for (example, group) in groups.iter().enumerate() {
        let above = advantages(&numbers(&group["rewards"]), AdvantageName::Trl);
        let rollouts = array(&group["completions"]).iter().zip(above).map(|(completion, advantage)| {
            let (prompt, tokens) = (&prompts[example].tokens, ids(completion));
            let weights = std::iter::repeat_n(0.0, prompt.len()).chain(std::iter::repeat_n(1.0, tokens.len()));
            let whole = Sequence { tokens: [&prompt[..], &tokens].concat(), weights: weights.collect() };
            let reference = model.log_probabilities_at(&[whole], None, temperature).unwrap().remove(0);
            let reference = reference[prompt.len()..].to_vec();
            Rollout { tokens, advantage: advantage as f32, reference, ..Rollout::default() }
        });
        // As rewards: whatever is not all the same.
        let rollouts = rollouts.enumerate().map(|(i, rollout)| Rollout { reward: i as f64, ..rollout }).collect();
        window.groups.push(Group { example, prompt: prompts[example].digest(), rollouts });
    }
    let found = window.groups.iter().flat_map(|group| &group.rollouts).map(|rollout| f64::from(rollout.advantage));
    assert_close("advantage", &found.collect::<Vec<_>>(), &numbers(&told["advantages"]));
    window.write(rollouts_at).unwrap();

    let settings = GrpoSettings {
        rollouts: 4,
        temperature,
        max_tokens: told["max_tokens"].as_u64().unwrap() as usize,
        reuse: 10,
        clip_low: number(&told["clip_low"]),
        clip_high: number(&told["clip_high"]),
        kl: number(&told["kl"]),
        unbiased_kl: told["unbiased_kl"].as_bool().unwrap(),
        aggregation,
        ..GrpoSettings::default()
    };
    let (reference, reward) = (Reference::base(&model), Reward::new(&RewardSettings::default()));
    let grpo = Grpo::new(model, adapter, reference, settings, reward, prompts, Vec::new(), 0);
    grpo.restore(rollouts_at).unwrap();
    grpo
}

#[test]
fn ten_steps_of_grpo_on_the_same_rollouts_are_trls() {
    let names = [
        ("grpo", AggregationName::Grpo),
        ("grpo_dapo", AggregationName::Dapo),
        ("grpo_dr_grpo", AggregationName::DrGrpo),
    ];
    for (name, aggregation) in names {
        let (told, dir) = (fixture(name), tempfile::tempdir().unwrap());
        let objective = grpo(&told, aggregation, &dir.path().join("rollouts.json"));
        if aggregation == AggregationName::Grpo {
            check_gradients(name, &objective, 2);
        }
        let steps = train(&told, &objective, &RunFolder::at(dir.path()), 1, 2);
        let of = |figure: &str| steps.iter().map(|step| step.statistics[figure]).collect::<Vec<_>>();
        assert_close("distance to the reference in step", &of("kl"), &numbers(&told["kl_of_step"]));
        assert_close("share of clipped tokens in step", &of("clip_fraction"), &numbers(&told["clipped"]));
        assert!(of("clip_fraction")[9] > 0.1, "the clip is at work");
        if aggregation == AggregationName::Grpo {
            check_weights(name, objective.parameters());
        }
    }
}

#[test]
fn rollouts_of_another_question_are_not_learnt_from() {
    let (told, dir) = (fixture("grpo"), tempfile::tempdir().unwrap());
    let path = dir.path().join("rollouts.json");
    let objective = grpo(&told, AggregationName::Grpo, &path);
    let batches = [(0..array(&told["groups"]).len()).collect::<Vec<usize>>()];
    let window = |at: &std::path::Path| -> Window {
        objective.prepare(0, &batches, &|| false).unwrap().unwrap();
        std::fs::create_dir_all(at).unwrap();
        objective.save_state(at).unwrap();
        Window::read(&at.join(Grpo::STATE_FILE)).unwrap()
    };
    let kept = Window::read(&path).unwrap();
    assert_eq!(window(&dir.path().join("same")), kept);
    // As if a shorter data.max_length had put another question in the place of the first.
    let mut other = kept.clone();
    other.groups[0].prompt = "another".into();
    other.write(&path).unwrap();
    objective.restore(&path).unwrap();
    let anew = window(&dir.path().join("anew"));
    assert_eq!(anew.groups[0].prompt, kept.groups[0].prompt);
    assert_ne!(anew.groups[0].rollouts, kept.groups[0].rollouts);
}

/// The gradients of a loss over sequences, each alone.
fn apart(model: &LanguageModel, adapter: &Adapter, batch: &[Sequence]) -> (f64, Vec<Vec<f64>>) {
    let (mut loss, mut sum) = (0.0, Vec::<Vec<f64>>::new());
    for sequence in batch {
        let found = model.loss(std::slice::from_ref(sequence), adapter, 10.0).unwrap();
        loss += f64::from(found.loss);
        let gradients: Vec<Vec<f64>> = found.gradients.iter().map(values).collect();
        sum.resize_with(gradients.len(), Vec::new);
        for (sum, more) in sum.iter_mut().zip(gradients) {
            sum.resize(more.len(), 0.0);
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
    }
    (loss, sum)
}

#[test]
fn a_start_that_sequences_share_is_computed_once_and_gives_the_same_gradients() {
    let (model, adapter) = wearing();
    let id = |i: usize| ((37 * i * i + 11 * i + 5) % 256) as u32;
    let (question, other): (Vec<u32>, Vec<u32>) = ((0..70).map(id).collect(), (0..30).map(|i| id(i + 500)).collect());
    let answered = |question: &[u32], answer: std::ops::Range<usize>, weight: f32| {
        let weights = std::iter::repeat_n(0.0, question.len()).chain(answer.clone().map(|i| weight + i as f32 * 0.01));
        Sequence { weights: weights.collect(), tokens: question.iter().copied().chain(answer.map(id)).collect() }
    };
    let batch = [
        answered(&question, 300..340, 1.0),
        answered(&other, 20..25, -0.5),
        // One that begins as the first answer does, one as the question of the second, one that is the first again.
        answered(&question, 300..320, -1.5),
        answered(&other, 90..120, 0.7),
        answered(&question, 301..330, 0.3),
        answered(&question, 300..340, 0.2),
    ];
    assert_eq!(LanguageModel::rows(&batch), 110 + 35 + 1 + 30 + 29 + 1);
    let (loss, gradients) = apart(&model, &adapter, &batch);
    let found = model.loss(&batch, &adapter, 10.0).unwrap();
    assert!((f64::from(found.loss) - loss).abs() < 1e-5, "{} is not {loss}", found.loss);
    for ((found, expected), (name, _)) in found.gradients.iter().zip(&gradients).zip(adapter.parameters()) {
        let largest = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        assert!(largest > 1e-3, "{name} has a gradient to speak of");
        for (found, expected) in values(found).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5 * largest.max(1.0), "{name}: {found} is not {expected}");
        }
    }
    let together = model.log_probabilities(&batch, Some(&adapter)).unwrap();
    for (sequence, together) in batch.iter().zip(&together) {
        let alone = model.log_probabilities(std::slice::from_ref(sequence), Some(&adapter)).unwrap().remove(0);
        assert!(together.iter().zip(alone).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
