//! The model room on the real default model. Skipped, saying so, where the model cannot be had.

#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::OnceLock;

use logwright::model::{DeviceChoice, GenerateSettings, LanguageModel, Message, Role};

fn model_path() -> Option<PathBuf> {
    let named = std::env::var_os("LOGWRIGHT_TEST_MODEL").map(PathBuf::from);
    named.filter(|path| path.exists())
}

fn model() -> Option<&'static LanguageModel> {
    static MODEL: OnceLock<Option<LanguageModel>> = OnceLock::new();
    let model = MODEL.get_or_init(|| Some(LanguageModel::load(&model_path()?, &DeviceChoice::Cpu).unwrap()));
    if model.is_none() {
        println!("skipped: the default model is not installed and cannot be pulled");
    }
    model.as_ref()
}

#[test]
fn greedy_generation_makes_sense() {
    let Some(model) = model() else { return };
    let chat = [Message::new(Role::User, "What is the capital of France?")];
    let prompt = model.encode_chat(&chat, true).unwrap();
    let started = std::time::Instant::now();
    let settings = GenerateSettings { max_tokens: 40, ..Default::default() };
    let traces = model.generate(&[prompt], None, &settings, &mut |_| ControlFlow::Continue(())).unwrap();
    println!("{:?} {:?}", traces[0].text, started.elapsed());
    println!("{} tok/s, first {} ms", traces[0].tokens_per_second, traces[0].first_token_ms);
    assert!(traces[0].text.contains("Paris"));
}
