use super::*;
use crate::reasoning::Task;

fn example(task: Task, label: &str) -> Example {
    Example {
        id: "e".into(),
        task,
        input: "kernel panic at <*>".into(),
        turns: Vec::new(),
        completion: format!("<think>1. The kernel panics.\n2. So it stopped.</think><answer>{label}</answer>"),
        rejected: None,
        label: Some(label.into()),
    }
}

fn reward(preset: RewardPreset) -> Reward {
    Reward::new(&RewardSettings { preset, ..RewardSettings::default() })
}

fn said(answer: &str) -> String {
    format!("<think>1. The kernel panics.\n2. So it stopped.</think><answer>{answer}</answer>")
}

fn answer_of(preset: RewardPreset, label: &str, answer: &str) -> f64 {
    reward(preset).of(&example(Task::Anomaly, label), &said(answer), None).parts["reward_answer"]
}

#[test]
fn the_paper_weighs_answers_unequally_and_its_code_does_not() {
    let paper = |label, answer| answer_of(RewardPreset::Paper, label, answer);
    assert!(paper("abnormal", "abnormal") > paper("normal", "normal"));
    assert!(paper("normal", "abnormal") < 0.0);
    let all = [("normal", "normal"), ("abnormal", "abnormal"), ("normal", "abnormal"), ("normal", "perhaps")];
    assert!(all.iter().all(|(label, answer)| paper(label, answer) > paper("abnormal", "normal")));

    let code = |label, answer| answer_of(RewardPreset::Code, label, answer);
    assert_eq!((code("abnormal", "abnormal"), code("normal", "normal")), (1.0, 1.0));
    assert!((code("abnormal", "normal") + 1.0 / 0.15).abs() < 1e-12);
    assert_eq!(code("abnormal", "normal"), code("normal", "abnormal"));
}

#[test]
fn what_breaks_the_form_gets_nothing_else_and_never_pays() {
    let broken = "<think>1. The kernel panics.</think> so <answer>abnormal</answer>";
    let example = example(Task::Anomaly, "abnormal");
    let total = |preset, text: &str| reward(preset).of(&example, text, Some(20.0)).total();
    let paper = reward(RewardPreset::Paper).of(&example, broken, Some(20.0));
    assert_eq!(paper.parts.len(), 2);
    assert_eq!((paper.parts["reward_answer"], paper.right), (0.0, Some(true)));
    assert!((total(RewardPreset::RLog, broken) + 2.0).abs() < 1e-12);
    assert!((total(RewardPreset::Code, broken) + 1.0 + 1.0 / 0.15).abs() < 1e-12);
    for preset in [RewardPreset::Paper, RewardPreset::Code, RewardPreset::RLog] {
        assert!(total(preset, broken) < total(preset, &said("normal")), "{preset:?}");
    }
}

#[test]
fn the_code_counts_reasoning_by_half_and_only_behind_a_right_answer() {
    let (example, code) = (example(Task::Anomaly, "abnormal"), reward(RewardPreset::Code));
    let wrong = code.of(&example, &said("normal"), Some(30.0));
    assert!(!wrong.parts.contains_key("reward_grounding"));
    let right = code.of(&example, &said("abnormal"), Some(30.0));
    // The same words as the reference: nothing is lost, and nothing is longer.
    assert!(right.parts["reward_grounding"].abs() < 1e-12);
    assert!((right.parts["reward_coherence"] - 0.5 * 0.7).abs() < 1e-12);
    assert!(right.parts["reward_brevity"].abs() < 1e-12);
    assert!((right.total() - (0.1 + 1.0 + 0.35)).abs() < 1e-12);

    // Eight words in the reference: ten are a little longer, thirty are far too many, four too few.
    let brevity = |words: usize| {
        let text = format!("<think>{}</think><answer>abnormal</answer>", "word ".repeat(words).trim());
        code.of(&example, &text, None).parts["reward_brevity"]
    };
    assert!((brevity(10) - 0.5 * 4.0 / 18.0).abs() < 1e-12, "{}", brevity(10));
    assert!((brevity(6) + 0.5 * 4.0 / 14.0).abs() < 1e-12);
    assert!(brevity(60) < -0.5);
}

#[test]
fn in_the_paper_reasoning_pays_when_it_is_grounded_fluent_and_as_long_as_the_reference() {
    let (example, paper) = (example(Task::Anomaly, "abnormal"), reward(RewardPreset::Paper));
    let good = paper.of(&example, &said("abnormal"), Some(10.0));
    let part = |text: &str, perplexity, name| paper.of(&example, text, Some(perplexity)).parts[name];
    let vague = "<think>This looks bad to me.</think><answer>abnormal</answer>";
    assert!(good.parts["reward_grounding"] > part(vague, 10.0, "reward_grounding"));
    assert!(good.parts["reward_brevity"] > part(vague, 10.0, "reward_brevity"));
    assert!(good.parts["reward_coherence"] > part(&said("abnormal"), 90.0, "reward_coherence"));
    assert_eq!(part(&said("abnormal"), 1e9, "reward_coherence"), -0.25);
}

#[test]
fn templates_and_free_text_are_judged_by_degrees() {
    let r_log = reward(RewardPreset::RLog);
    let of = |task, label, answer| r_log.of(&example(task, label), &said(answer), None);
    let template = of(Task::Parsing, "send <*> to <*>", "send <*>");
    assert!((template.parts["reward_answer"] - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!((template.right, of(Task::Parsing, "a <*>", "a <*>").right), (Some(false), Some(true)));
    let cause =
        of(Task::RootCause, "the fan stopped and the node overheated", "the fan stopped and the node overheated");
    assert!((cause.parts["reward_answer"] - 1.0 / 0.8).abs() < 1e-9);
    assert_eq!(cause.right, None);
    assert!(of(Task::RootCause, "the fan stopped", "bad luck").parts["reward_answer"] < 0.1);
    assert_eq!(of(Task::SemanticMatching, "yes", "Yes").parts["reward_answer"], 1.0);
}

#[test]
fn a_recipes_figures_win_over_the_preset_and_are_checked() {
    let settings = RewardSettings { missed_anomaly: Some(-9.0), thinking: Some(0.0), ..RewardSettings::default() };
    let own = Reward::new(&settings);
    let rewarded = own.of(&example(Task::Anomaly, "abnormal"), &said("normal"), Some(5.0));
    assert_eq!((rewarded.parts["reward_answer"], rewarded.parts.len()), (-9.0, 2));
    assert!(!own.needs_perplexity() && reward(RewardPreset::Paper).needs_perplexity());
    let written = settings.written_out();
    assert_eq!((written.missed_anomaly, written.found_anomaly), (Some(-9.0), Some(1.5)));
    assert_eq!(written.weights(), settings.weights());
    let wrong = RewardSettings { wrong: Some(f64::NAN), free_text: Some(0.0), ..RewardSettings::default() };
    assert_eq!(wrong.complaints().len(), 2);
}

#[test]
fn a_question_without_a_reference_is_rewarded_by_what_needs_none() {
    for preset in [RewardPreset::Paper, RewardPreset::Code, RewardPreset::RLog] {
        let with = example(Task::Anomaly, "abnormal");
        let without = Example { completion: String::new(), ..with.clone() };
        let rewarded = reward(preset).of(&without, &said("abnormal"), Some(20.0));
        assert_eq!(rewarded.right, Some(true));
        assert!(!rewarded.parts.contains_key("reward_brevity"), "{preset:?}");
        assert!(rewarded.parts.values().all(|value| value.is_finite()));
        let referred = reward(preset).of(&with, &said("abnormal"), Some(20.0));
        for part in ["reward_format", "reward_answer", "reward_coherence"] {
            assert_eq!(rewarded.parts.get(part), referred.parts.get(part), "{preset:?} {part}");
        }
    }
}
