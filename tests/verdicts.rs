//! What a model's verdicts are taken apart into, on a tiny random model whose tokens are bytes: entropies, what-ifs,
//! sessions.

#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::path::PathBuf;

use logwright::evaluation::{Asked, Asking, Change, Margins, SteppedTrace, log_words, step_through, weigh, what_if};
use logwright::model::{DeviceChoice, LanguageModel};
use logwright::reasoning::prompt::AnomalyPrompt;

const LOG: &str = "disk gone at 7";

fn model() -> LanguageModel {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/llama");
    LanguageModel::load(&folder, &DeviceChoice::Cpu).unwrap()
}

/// Short, since the model's context is.
fn prompt(session: bool) -> AnomalyPrompt {
    AnomalyPrompt { system: "Judge.".into(), user: "{{ lines }}: {{ log }}".into(), session }
}

fn asked<'a>(model: &'a LanguageModel, prompt: &'a AnomalyPrompt) -> Asked<'a> {
    Asked { model, model_name: "tiny", adapter: None, prompt }
}

#[test]
fn every_token_says_how_unsure_it_was() {
    let (model, prompt) = (model(), prompt(false));
    let asking = Asking { max_tokens: 24, ..Asking::default() };
    let trace = step_through(asked(&model, &prompt), LOG, &asking, &mut |_| ControlFlow::Continue(())).unwrap();
    let tokens: Vec<_> = trace.steps.iter().flat_map(|step| &step.tokens).collect();
    assert!(!tokens.is_empty());
    let most = (model.config().vocabulary as f32).ln();
    for token in tokens {
        let entropy = token.entropy.unwrap();
        // At least what the shown tokens have of it, and no more than if all were alike.
        let shown = std::iter::once(token.probability).chain(token.alternatives.iter().map(|other| other.probability));
        let least: f32 = shown.map(|p| if p > 0.0 { -p * p.ln() } else { 0.0 }).sum();
        assert!(entropy >= least - 1e-4 && entropy <= most + 1e-4, "{least} {entropy} {most}");
    }
    let json = serde_json::to_value(&trace).unwrap();
    assert!(json["steps"][0]["tokens"][0]["entropy"].is_number() && json["session"] == false);
    // Traces from before these keys are still read.
    let mut old = json;
    for token in old["steps"][0]["tokens"].as_array_mut().unwrap() {
        token.as_object_mut().unwrap().remove("entropy");
    }
    old.as_object_mut().unwrap().remove("session");
    let read: SteppedTrace = serde_json::from_value(old).unwrap();
    assert_eq!(read.steps[0].tokens[0].entropy, None);
}

#[test]
fn a_what_if_is_the_margin_of_the_changed_log() {
    let (model, prompt) = (model(), prompt(false));
    let asked = asked(&model, &prompt);
    let go_on = &mut || true;
    let margins = Margins::new(asked).at_once(&[LOG, "disk <*> at 7", "gone at 7"], go_on).unwrap().unwrap();
    let words = log_words(LOG);
    let masked = what_if(asked, LOG, None, &[Change::mask(words[1].clone())], go_on).unwrap().unwrap();
    assert_eq!((masked.input.as_str(), &masked.masked[..]), ("disk <*> at 7", &["gone".to_owned()][..]));
    let near = |a: f64, b: f64| (a - b).abs() < 1e-4;
    assert!(near(masked.margin, margins[1]) && near(masked.delta, margins[1] - margins[0]), "{masked:?} {margins:?}");
    let known = what_if(asked, LOG, Some(margins[0]), &[Change::mask(words[1].clone())], go_on).unwrap().unwrap();
    assert!(near(known.delta, masked.delta));
    // Leaving a word out is what its evidence says.
    let (_, evidence) = Margins::new(asked).evidence(LOG, go_on).unwrap().unwrap();
    let without = Change { range: 0..5, with: String::new() };
    let without = what_if(asked, LOG, None, &[without], go_on).unwrap().unwrap();
    assert!(near(without.margin, margins[2]) && near(without.delta, -evidence[0].delta));
    assert!(what_if(asked, LOG, None, &[], &mut || false).unwrap().is_none());
    assert!(what_if(asked, "x", None, &[Change { range: 0..1, with: " ".into() }], go_on).is_err());
}

#[test]
fn a_session_is_told_apart_from_a_log() {
    let (model, prompt) = (model(), prompt(true));
    let asking = Asking { max_tokens: 8, ..Asking::default() };
    let go_on = &mut |_: &str| ControlFlow::Continue(());
    let mut trace = step_through(asked(&model, &prompt), "disk gone\nfan ok", &asking, go_on).unwrap();
    assert!(trace.session && trace.input == "disk gone\nfan ok");
    assert!(weigh(asked(&model, &prompt), &mut trace, true, &mut || true).unwrap());
    let words: Vec<&str> = trace.evidence.iter().map(|word| word.token.as_str()).collect();
    assert_eq!(words, ["disk", "gone", "fan", "ok"]);
}
