//! The decoder and its training against Transformers and PEFT, on tiny random models of every family
//! (`tests/fixtures/make_model_fixtures.py`).

#![allow(clippy::unwrap_used)]

#[path = "support/tiny.rs"]
mod tiny;

use std::ops::ControlFlow;

use logwright::model::tokenizer::Part;
use logwright::model::{
    Activations, Adapter, DeviceChoice, Endings, Finish, GenerateSettings, LanguageModel, LoraSettings, Message,
    ModelTokenizer, Role, Sampling, Sequence, Target, Trace,
};
use serde_json::Value;
use tiny::{
    FAMILIES, IN_GGUF, expected, folder, gguf, ids, in_gguf, largest_difference, lora_batch, numbers, weight_sum,
};

fn load(family: &str) -> LanguageModel {
    LanguageModel::load(&folder(family), &DeviceChoice::Cpu).unwrap()
}

fn write(
    model: &LanguageModel,
    prompts: &[Vec<u32>],
    adapter: Option<&Adapter>,
    settings: &GenerateSettings,
) -> Vec<Trace> {
    model.generate(prompts, adapter, settings, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn written(trace: &Trace) -> Vec<u32> {
    trace.tokens.iter().map(|t| t.id).collect()
}

#[test]
fn every_family_has_the_logits_of_transformers() {
    for family in FAMILIES {
        let (model, expected) = (load(family), expected(family));
        check_logits(family, &model, &expected);
    }
}

#[test]
fn a_gguf_has_the_logits_of_the_folder_that_it_was_made_from() {
    for family in IN_GGUF {
        let (model, expected) = (LanguageModel::load(&gguf(family), &DeviceChoice::Cpu).unwrap(), expected(family));
        check_logits(family, &model, &expected);
        let (tokenizer, of_folder) = (model.tokenizer(), load(family));
        let text = "fan 12 <|im_end|> é\u{1f642}\n";
        assert_eq!(tokenizer.encode(text).unwrap(), of_folder.tokenizer().encode(text).unwrap(), "{family}");
        let chat = [Message::new(Role::User, text)];
        assert_eq!(model.encode_chat(&chat, true).unwrap(), of_folder.encode_chat(&chat, true).unwrap(), "{family}");
    }
}

/// Q8_0, Q4_0, Q4_1, Q5_0, Q4_K, Q6_K, F16 and F32 in one model.
#[test]
fn every_format_of_gguf_has_the_logits_of_what_it_holds() {
    let model = LanguageModel::load(&gguf("formats"), &DeviceChoice::Cpu).unwrap();
    check_logits("formats", &model, &in_gguf()["formats"]);
}

#[test]
fn sentence_piece_ids_are_those_of_sentence_piece() {
    let path = gguf("sentencepiece");
    let mut file = std::fs::File::open(&path).unwrap();
    let content = candle_core::quantized::gguf_file::Content::read(&mut file).unwrap();
    let tokenizer = ModelTokenizer::from_gguf(&path, &content.metadata).unwrap();
    for entry in in_gguf()["sentencepiece"].as_array().unwrap() {
        let (text, expected) = (entry["text"].as_str().unwrap(), ids(&entry["ids"]));
        let tokens = tokenizer.encode(text).unwrap();
        assert_eq!(tokens, expected, "{text:?}");
        // SentencePiece puts a space before a text, and takes it off again.
        assert_eq!(tokenizer.decode(&tokens).strip_prefix(' ').unwrap_or_default(), text.replace('\u{2581}', " "));
        assert!(tokens.iter().all(|id| !tokenizer.is_control(*id)), "{text:?}");
    }
    assert_eq!((tokenizer.bos_text().as_str(), tokenizer.eos()), ("<s>", &[2][..]));
    let parts = [Part::Frame("<s>disk"), Part::Content(" </s>"), Part::Frame("</s>")];
    let ids = tokenizer.encode_parts(&parts).unwrap();
    assert_eq!((ids[0], ids[ids.len() - 1]), (1, 2));
    assert_eq!(ids.iter().filter(|id| tokenizer.is_control(**id)).count(), 2);
}

fn check_logits(name: &str, model: &LanguageModel, expected: &Value) {
    let logits = model.logits(&ids(&expected["ids"]), None).unwrap().to_vec2::<f32>().unwrap();
    for (row, values) in ids(&expected["rows"]).iter().zip(expected["logits"].as_array().unwrap()) {
        let difference = largest_difference(&logits[*row as usize], &numbers(values));
        assert!(difference < 1e-4, "{name}: row {row} differs by {difference}");
    }
}

#[test]
fn every_family_writes_what_transformers_writes_greedily() {
    for family in FAMILIES {
        let (model, expected) = (load(family), expected(family));
        // The reference ran with no end token; the tiny models hardly ever choose one.
        let prompt = ids(&expected["ids"])[..9].to_vec();
        let trace =
            write(&model, &[prompt], None, &GenerateSettings { max_tokens: 24, ..Default::default() }).remove(0);
        let greedy = ids(&expected["greedy"]);
        let ended = greedy.iter().position(|id| model.tokenizer().eos().contains(id)).unwrap_or(greedy.len());
        assert_eq!(written(&trace), greedy[..ended], "{family}");
    }
}

#[test]
fn an_adapter_of_peft_changes_the_logits_as_peft_does() {
    let (model, expected) = (load("llama"), expected("llama"));
    let adapter = Adapter::load(&folder("llama").join("adapter"), &model).unwrap();
    let logits = model.logits(&ids(&expected["ids"]), Some(&adapter)).unwrap().to_vec2::<f32>().unwrap();
    assert!(largest_difference(&logits[69], &numbers(&expected["lora"]["logits"])) < 1e-4);
}

#[test]
fn loss_and_lora_gradients_are_those_of_peft() {
    let (model, expected) = (load("llama"), expected("llama"));
    let adapter = Adapter::load(&folder("llama").join("adapter"), &model).unwrap();
    let batch = lora_batch(&expected);
    let result = model.loss(&batch, &adapter, weight_sum(&batch)).unwrap();
    assert!((result.loss as f64 - expected["lora"]["loss"].as_f64().unwrap()).abs() < 1e-5);
    let parameters = adapter.parameters();
    assert_eq!(parameters.len(), result.gradients.len());
    assert_eq!(parameters.len(), expected["lora"]["gradients"].as_object().unwrap().len());
    for ((name, var), gradient) in parameters.iter().zip(&result.gradients) {
        assert_eq!(var.dims(), gradient.dims());
        let expected = numbers(&expected["lora"]["gradients"][name.as_str()]);
        let gradient = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let size = expected.iter().map(|v| v.abs()).fold(1e-3, f32::max);
        let difference = largest_difference(&gradient, &expected);
        assert!(difference < 1e-4 * size + 1e-6, "{name} differs by {difference} of {size}");
    }
}

#[test]
fn a_ragged_batch_counts_as_its_sequences_do_alone() {
    let (model, expected) = (load("llama"), expected("llama"));
    let adapter = Adapter::load(&folder("llama").join("adapter"), &model).unwrap();
    let batch = lora_batch(&expected);
    let normaliser = weight_sum(&batch);
    let whole = model.loss(&batch, &adapter, normaliser).unwrap();
    let parts: Vec<_> =
        batch.iter().map(|s| model.loss(std::slice::from_ref(s), &adapter, normaliser).unwrap()).collect();
    assert!((whole.loss - parts.iter().map(|p| p.loss).sum::<f32>()).abs() < 1e-5);
    for (i, gradient) in whole.gradients.iter().enumerate() {
        let sum = parts.iter().skip(1).fold(parts[0].gradients[i].clone(), |sum, p| (sum + &p.gradients[i]).unwrap());
        let difference = (gradient - sum).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(difference < 1e-5);
    }
    let alone = model.loss_only(&batch, Some(&adapter), normaliser).unwrap();
    assert!((whole.loss - alone).abs() < 1e-6);
    let log_probabilities = model.log_probabilities(&batch, Some(&adapter)).unwrap();
    assert_eq!(log_probabilities, whole.log_probabilities);
    assert_eq!(log_probabilities[0][..12], [0.0; 12]);
}

#[test]
fn recomputing_activations_changes_nothing_to_the_bit() {
    let (model, expected) = (load("llama"), expected("llama"));
    let adapter = Adapter::load(&folder("llama").join("adapter"), &model).unwrap();
    let batch = lora_batch(&expected);
    let step = |activations| model.loss_with(&batch, &adapter, 45.0, activations).unwrap();
    let (kept, recomputed) = (step(Activations::Keep), step(Activations::Recompute));
    assert_eq!(kept.loss.to_bits(), recomputed.loss.to_bits());
    for (a, b) in kept.gradients.iter().zip(&recomputed.gradients) {
        assert_eq!(a.to_vec2::<f32>().unwrap(), b.to_vec2::<f32>().unwrap());
    }
}

#[test]
fn every_lora_variable_receives_a_gradient_in_every_family() {
    for family in FAMILIES {
        let model = load(family);
        let settings = LoraSettings { rank: 2, alpha: 4.0, ..Default::default() };
        let adapter = Adapter::new(&model, &settings).unwrap();
        for (name, var) in adapter.parameters().iter().filter(|(name, _)| name.contains("lora_B")) {
            let values = candle_core::Tensor::rand(-0.1f32, 0.1, var.shape(), var.device()).unwrap();
            assert!(var.to_vec2::<f32>().unwrap().iter().flatten().all(|v| *v == 0.0), "{name} does not start at zero");
            var.set(&values).unwrap();
        }
        let tokens = ids(&expected(family)["ids"]);
        let sequence = Sequence { weights: vec![1.0; tokens.len()], tokens };
        let result = model.loss(&[sequence], &adapter, 69.0).unwrap();
        for ((name, _), gradient) in adapter.parameters().iter().zip(&result.gradients) {
            let size = gradient.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(size > 0.0 && size.is_finite(), "{family}: {name} has a gradient of {size}");
        }
    }
}

#[test]
fn a_saved_adapter_is_the_same_adapter() {
    let model = load("llama");
    let targets = vec![Target::Query, Target::Down];
    let settings = LoraSettings { rank: 4, alpha: 6.0, rank_stabilized: true, dropout: 0.1, targets, seed: 3 };
    let adapter = Adapter::new(&model, &settings).unwrap();
    let place = tempfile::tempdir().unwrap();
    adapter.save(place.path()).unwrap();
    let loaded = Adapter::load(place.path(), &model).unwrap();
    for ((name, a), (other, b)) in adapter.parameters().iter().zip(&loaded.parameters()) {
        assert_eq!(name, other);
        assert_eq!(a.to_vec2::<f32>().unwrap(), b.to_vec2::<f32>().unwrap());
    }
    assert_eq!(loaded.parameters()[0].0, "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
    assert_eq!(loaded.settings().targets, settings.targets);
    assert_eq!(loaded.settings(), &LoraSettings { seed: 0, ..settings });
    assert_eq!(loaded.settings().scale(), 3.0);
    let file = |folder: &tempfile::TempDir| std::fs::read(folder.path().join("adapter_model.safetensors")).unwrap();
    let again = tempfile::tempdir().unwrap();
    loaded.save(again.path()).unwrap();
    assert_eq!(file(&again), file(&place));
}

#[test]
fn dropout_is_replayed_to_the_bit_and_hides_other_inputs_of_every_token() {
    let model = load("llama");
    let batch = lora_batch(&expected("llama"));
    let settings = LoraSettings { dropout: 0.25, ..LoraSettings::default() };
    let adapter = Adapter::new(&model, &settings).unwrap();
    for (_, var) in adapter.parameters().iter().filter(|(name, _)| name.contains("lora_B")) {
        var.set(&(var.ones_like().unwrap() * 0.1).unwrap()).unwrap();
    }
    let step = |adapter: &Adapter, activations| model.loss_with(&batch, adapter, 45.0, activations).unwrap();
    let first = adapter.dropping(7, 1);
    let (kept, recomputed) = (step(&first, Activations::Keep), step(&first, Activations::Recompute));
    assert_eq!(kept.loss.to_bits(), recomputed.loss.to_bits());
    for (((name, _), a), b) in adapter.parameters().iter().zip(&kept.gradients).zip(&recomputed.gradients) {
        let rows = a.to_vec2::<f32>().unwrap();
        assert_eq!(rows, b.to_vec2::<f32>().unwrap());
        if name.contains("lora_A") {
            // What is hidden of one token is seen of another, so that every input has its part in the gradient.
            assert!((0..rows[0].len()).all(|i| rows.iter().any(|row| row[i] != 0.0)), "{name}");
        }
    }
    let again = step(&adapter.dropping(7, 1), Activations::Keep);
    assert_eq!(again.loss.to_bits(), kept.loss.to_bits());
    for other in [adapter.dropping(7, 2), adapter.dropping(8, 1)] {
        assert_ne!(step(&other, Activations::Keep).loss, kept.loss);
    }
    // Off by itself wherever nobody trains.
    let without = Adapter::new(&model, &LoraSettings::default()).unwrap();
    for ((_, to), (_, from)) in without.parameters().iter().zip(adapter.parameters()) {
        to.set(from.as_tensor()).unwrap();
    }
    assert_eq!(step(&adapter, Activations::Keep).loss.to_bits(), step(&without, Activations::Keep).loss.to_bits());
}

#[test]
fn an_adapter_for_another_base_is_refused() {
    let (llama, mistral) = (load("llama"), load("mistral"));
    let place = tempfile::tempdir().unwrap();
    Adapter::new(&llama, &LoraSettings::default()).unwrap().save(place.path()).unwrap();
    let error = Adapter::load(place.path(), &mistral).err().unwrap().to_string();
    assert!(error.contains("made for llama, not for mistral"), "{error}");
    // Without a fingerprint, as PEFT writes it, the shapes decide.
    let error = Adapter::load(&folder("llama").join("adapter"), &load("qwen3")).err().unwrap().to_string();
    assert!(error.contains("has shape"), "{error}");
    std::fs::write(place.path().join("adapter_model.safetensors"), b"cut").unwrap();
    let error = Adapter::load(place.path(), &llama).err().unwrap().to_string();
    assert!(error.contains("damaged"), "{error}");
}

#[test]
fn endings_score_as_they_do_written_out_after_their_contexts() {
    for family in FAMILIES {
        let model = load(family);
        // Contexts with a long shared start and without, more rows than one forward takes, endings of all lengths.
        let shared: Vec<u32> = (0..20).map(|i| 3 + i % 11).collect();
        let questions: Vec<Endings> = (0..90_u32)
            .map(|n| {
                let mut context = shared.clone();
                context.extend((0..1 + n % 13).map(|i| 2 + (n * 7 + i) % 17));
                let endings = (1..=1 + n % 3).map(|length| (0..length).map(|i| 4 + (n + i) % 9).collect()).collect();
                Endings { context, endings }
            })
            .collect();
        for questions in [&questions[..], &questions[..1]] {
            let scores = model.score_endings(questions, None, &mut |_| true).unwrap().unwrap();
            for (question, scores) in questions.iter().zip(scores).step_by(11) {
                for (ending, score) in question.endings.iter().zip(scores) {
                    let tokens = [&question.context[..], ending].concat();
                    let weights = (0..tokens.len()).map(|i| f32::from(u8::from(i >= question.context.len())));
                    let whole = Sequence { weights: weights.collect(), tokens };
                    let expected: f32 = model.log_probabilities(&[whole], None).unwrap()[0].iter().sum();
                    assert!((score - f64::from(expected)).abs() < 1e-4, "{family}: {score} is not {expected}");
                }
            }
        }
        assert_eq!(model.score_endings(&questions, None, &mut |_| false).unwrap(), None);
        let nothing = Endings { context: vec![], endings: vec![vec![1]] };
        assert!(model.score_endings(&[nothing], None, &mut |_| true).is_err());
    }
}

#[test]
fn a_batch_writes_what_its_prompts_write_alone() {
    let model = load("llama");
    let adapter = Adapter::load(&folder("llama").join("adapter"), &model).unwrap();
    let tokens = ids(&expected("llama")["ids"]);
    // A shared start, different lengths, more prompts than slots.
    let prompts: Vec<Vec<u32>> = (0..7).map(|i| [&tokens[..12], &tokens[20..21 + 5 * i]].concat()).collect();
    for adapter in [None, Some(&adapter)] {
        for temperature in [0.0, 0.7] {
            let sampling = Sampling { temperature, seed: 5, ..Default::default() };
            let settings = GenerateSettings { max_tokens: 20, sampling, batch: 3, ..Default::default() };
            let together = write(&model, &prompts, adapter, &settings);
            for (i, prompt) in prompts.iter().enumerate() {
                let sampling = Sampling { seed: 5 + i as u64, ..sampling };
                let settings = GenerateSettings { sampling, ..settings.clone() };
                let alone = write(&model, std::slice::from_ref(prompt), adapter, &settings).remove(0);
                assert_eq!(written(&together[i]), written(&alone), "prompt {i} at temperature {temperature}");
                for (a, b) in together[i].tokens.iter().zip(&alone.tokens) {
                    assert!((a.probability - b.probability).abs() < 1e-4);
                }
            }
        }
    }
}

#[test]
fn a_trace_is_its_tokens_end_to_end_with_honest_probabilities() {
    let model = load("qwen2");
    let prompt = ids(&expected("qwen2")["ids"]);
    let sampling = Sampling { temperature: 1.0, seed: 9, ..Default::default() };
    let settings = GenerateSettings { max_tokens: 60, sampling, ..Default::default() };
    let trace = write(&model, std::slice::from_ref(&prompt), None, &settings).remove(0);
    assert_eq!(trace.text, trace.tokens.iter().map(|t| t.text.as_str()).collect::<String>());
    let mut end = 0;
    for token in &trace.tokens {
        assert_eq!(token.range.start, end);
        assert_eq!(&trace.text[token.range.clone()], token.text);
        end = token.range.end;
        assert_eq!(token.alternatives.len(), 5);
        assert!(token.alternatives.iter().all(|a| a.id != token.id));
        assert!(token.alternatives.is_sorted_by(|a, b| a.probability >= b.probability));
        assert!(token.probability + token.alternatives.iter().map(|a| a.probability).sum::<f32>() <= 1.0 + 1e-4);
    }
    assert_eq!(end, trace.text.len());
    // The recorded probabilities are those of scoring the text again.
    let tokens = [prompt.clone(), written(&trace)].concat();
    let weights = (0..tokens.len()).map(|i| if i < prompt.len() { 0.0 } else { 1.0 }).collect();
    let scored = model.log_probabilities(&[Sequence { tokens, weights }], None).unwrap().remove(0);
    for (token, scored) in trace.tokens.iter().zip(&scored[prompt.len()..]) {
        assert!((token.probability.ln() - scored).abs() < 1e-3);
    }
}

#[test]
fn a_stop_asked_for_at_any_token_ends_everything() {
    let model = load("llama");
    let tokens = ids(&expected("llama")["ids"]);
    let prompts = vec![tokens[..9].to_vec(), tokens[..20].to_vec(), tokens[..30].to_vec()];
    let mut seen = 0;
    let settings = GenerateSettings { max_tokens: 50, batch: 2, ..Default::default() };
    let traces = model
        .generate(&prompts, None, &settings, &mut |_| {
            seen += 1;
            if seen == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(seen, 4);
    assert_eq!(traces.len(), 3);
    assert_eq!(traces.iter().map(|t| t.tokens.len()).sum::<usize>(), 4);
    assert!(traces.iter().all(|t| t.finish == Finish::Cancelled));
}

#[test]
fn a_text_that_must_be_long_does_not_end_before() {
    let model = load("llama");
    let prompt = ids(&expected("llama")["ids"])[..9].to_vec();
    let prompts = vec![prompt; 200];
    let sampling = Sampling { temperature: 3.0, ..Sampling::default() };
    let settings = GenerateSettings { max_tokens: 30, sampling, ..Default::default() };
    let short = |settings: &GenerateSettings| {
        let traces = write(&model, &prompts, None, settings);
        traces.iter().filter(|trace| trace.tokens.len() < 20).count()
    };
    assert!(short(&settings) > 0, "some end by themselves");
    assert_eq!(short(&GenerateSettings { min_tokens: 20, ..settings }), 0);
}

#[test]
fn a_stop_string_ends_the_text_right_behind_it() {
    let model = load("llama");
    let prompt = ids(&expected("llama")["ids"])[..9].to_vec();
    let settings = GenerateSettings { max_tokens: 24, ..Default::default() };
    let whole = write(&model, std::slice::from_ref(&prompt), None, &settings).remove(0);
    let chars: Vec<char> = whole.text.chars().collect();
    let stop: String = chars[6..9].iter().collect();
    let settings = GenerateSettings { stop: vec!["never".into(), stop.clone()], ..settings };
    let stopped = write(&model, &[prompt], None, &settings).remove(0);
    assert_eq!(stopped.finish, Finish::Stop);
    assert!(stopped.text.ends_with(&stop) && whole.text.starts_with(&stopped.text));
    assert_eq!(stopped.text.matches(&stop).count(), 1);
    assert_eq!(stopped.text, stopped.tokens.iter().map(|t| t.text.as_str()).collect::<String>());
}

#[test]
fn a_constrained_answer_is_one_of_those_allowed_whatever_the_model_would_say() {
    for family in FAMILIES {
        let model = load(family);
        let begun = "<think>y</think><answer>";
        let prompt = model.tokenizer().encode(begun).unwrap();
        for seed in 0..4 {
            let sampling = Sampling { temperature: 1.5, seed, min_p: Some(0.01), ..Default::default() };
            let settings = GenerateSettings {
                max_tokens: 40,
                sampling,
                answers: vec!["normal".to_owned(), "abnormal".to_owned()],
                begun: begun.to_owned(),
                stop: vec!["</answer>".to_owned()],
                ..Default::default()
            };
            let trace = write(&model, std::slice::from_ref(&prompt), None, &settings).remove(0);
            let allowed = ["normal</answer>", "abnormal</answer>"];
            assert!(allowed.contains(&trace.text.as_str()), "{family}: {}", trace.text);
            assert_eq!(trace.finish, Finish::Stop);
        }
    }
}

#[test]
fn prompts_that_cannot_be_answered_are_refused_at_once() {
    let model = load("llama");
    let refuse = |prompt: Vec<u32>| {
        let mut none = |_| ControlFlow::Continue(());
        model.generate(&[prompt], None, &GenerateSettings::default(), &mut none).unwrap_err().to_string()
    };
    assert!(refuse(vec![]).contains("no tokens"));
    assert!(refuse(vec![1; 256]).contains("does not fit the model's context of 256"));
    assert!(refuse(vec![100_000]).contains("beyond the vocabulary"));
    let adapter = Adapter::new(&model, &LoraSettings::default()).unwrap();
    let nothing = Sequence { tokens: vec![1, 2, 3], weights: vec![1.0, 0.0, 0.0] };
    assert!(model.loss(&[nothing], &adapter, 1.0).unwrap_err().to_string().contains("without a token to predict"));
    let uneven = Sequence { tokens: vec![1, 2, 3], weights: vec![0.0, 1.0] };
    assert!(model.loss(&[uneven], &adapter, 1.0).unwrap_err().to_string().contains("3 tokens but 2 weights"));
}

#[test]
fn a_damaged_folder_is_told_in_one_line() {
    let place = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(folder("llama").join(name), place.path().join(name)).unwrap();
    }
    let weights = std::fs::read(folder("llama").join("model.safetensors")).unwrap();
    let error = || LanguageModel::load(place.path(), &DeviceChoice::Cpu).unwrap_err().to_string();
    assert!(error().contains("model.safetensors"), "{}", error());
    for length in [0, 4, 100, weights.len() / 2, weights.len() - 1] {
        std::fs::write(place.path().join("model.safetensors"), &weights[..length]).unwrap();
        assert!(error().contains("cut short") || error().contains("header"), "{length}: {}", error());
        assert!(!error().contains('\n'));
    }
    std::fs::write(place.path().join("model.safetensors"), &weights).unwrap();
    let config = std::fs::read_to_string(place.path().join("config.json")).unwrap();
    std::fs::write(place.path().join("config.json"), config.replace("\"hidden_size\": 32", "\"hidden_size\": 48"))
        .unwrap();
    assert!(error().contains("has shape"), "{}", error());
}
