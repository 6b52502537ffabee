//! From a folder in Transformers' layout: names, rows, shape and tokenizer as llama.cpp has them.

use std::path::Path;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::Value;

use super::{GgufFormat, file_type, planned, stored};
use crate::model::gguf::Description;
use crate::model::gguf::file::{self, Planned};
use crate::model::kernels::blocks::Format;
use crate::model::weights::WeightFiles;
use crate::model::{Adapter, LanguageModel, Target};
use crate::training::TrainingError;

/// Writes the file; gives how many linears the adapter changed.
pub(super) fn write(
    run: &str,
    model: &LanguageModel,
    adapter: &Adapter,
    format: GgufFormat,
    out: &Path,
) -> Result<usize, TrainingError> {
    let folder = model.path();
    let described = Description::of_folder(folder)?;
    let mut files = WeightFiles::open_safetensors(folder)?;
    let mut named = Vec::new();
    for (name, shape) in files.tensors() {
        if let Some(gguf) = described.name_of(folder, &name)? {
            named.push((place(&gguf), gguf, name, shape));
        }
    }
    named.sort();

    // What is not of the folder comes first.
    let divisors = described.divisors.as_ref();
    let mut tensors: Vec<Planned> =
        divisors.iter().map(|divisors| planned("rope_freqs.weight", &[divisors.len()], GgmlDType::F32)).collect();
    let before = tensors.len();
    let (mut parameters, mut kept) = (0, GgmlDType::F32);
    for (_, gguf, name, shape) in &named {
        parameters += shape.iter().product::<usize>();
        let wanted = match shape[..] {
            [_, _] => {
                kept = match files.format(name) {
                    Some(Format::F16) => GgmlDType::F16,
                    Some(Format::BF16) => GgmlDType::BF16,
                    _ => GgmlDType::F32,
                };
                format.of(kept)
            }
            // Norms and biases are small, and llama.cpp wants them whole.
            _ => GgmlDType::F32,
        };
        tensors.push(planned(gguf, shape, wanted));
    }

    let mut metadata = described.metadata.clone();
    let mut general = |key: &str, value: Value| metadata.push((format!("general.{key}"), value));
    general("name", Value::String(model.name().to_owned()));
    general("finetune", Value::String(run.to_owned()));
    general("size_label", Value::String(size_label(parameters)));
    general("quantization_version", Value::U32(2));
    if let Some(file_type) = file_type(format.of(kept)) {
        general("file_type", Value::U32(file_type));
    }
    // By name, general things first: llama.cpp's converter keeps a like order.
    metadata.sort_by(|a, b| a.0.cmp(&b.0));
    let mut merged = 0;
    file::write(out, &metadata, &tensors, |at, planned| {
        let Some((_, _, name, shape)) = at.checked_sub(before).and_then(|at| named.get(at)) else {
            return stored(divisors.cloned().unwrap_or_default(), planned);
        };
        let mut values = files.values(name, model.config())?;
        if let Some((layer, target)) = Target::of_weight(name)
            && let Some(update) = adapter.update(layer, target)?
        {
            values.iter_mut().zip(update).for_each(|(value, change)| *value += change);
            merged += 1;
        }
        if let [_, columns] = shape[..] {
            values = described.rows_in_place(name, values, columns, model.config().heads.dimension);
        }
        stored(values, planned)
    })?;
    Ok(merged)
}

/// Where a tensor stands in the file: the embedding, the layers in their order, what comes after them.
fn place(gguf: &str) -> (u8, usize) {
    let layer =
        gguf.strip_prefix("blk.").and_then(|rest| rest.split_once('.')).and_then(|(layer, _)| layer.parse().ok());
    match (gguf, layer) {
        ("token_embd.weight", _) => (0, 0),
        (_, Some(layer)) => (1, layer),
        _ => (2, 0),
    }
}

/// A number of weights for people, as llama.cpp has it: `135M`, `1.5B`.
fn size_label(parameters: usize) -> String {
    let (scaled, unit) = match parameters as f64 {
        n if n > 1e12 => (n / 1e12, 'T'),
        n if n > 1e9 => (n / 1e9, 'B'),
        n if n > 1e6 => (n / 1e6, 'M'),
        n => (n / 1e3, 'K'),
    };
    match scaled.round() < 10.0 {
        true => format!("{scaled:.1}{unit}"),
        false => format!("{scaled:.0}{unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_labelled_and_tensors_ordered_as_llama_cpp_does() {
        let labels = [(134_515_008, "135M"), (1_543_714_304, "1.5B"), (14_770_000_000, "15B"), (26_432, "26K")];
        labels.into_iter().for_each(|(n, label)| assert_eq!(size_label(n), label));
        let mut names = ["output_norm.weight", "blk.10.attn_q.weight", "blk.2.attn_q.weight", "token_embd.weight"];
        names.sort_by_key(|name| place(name));
        assert_eq!(names, ["token_embd.weight", "blk.2.attn_q.weight", "blk.10.attn_q.weight", "output_norm.weight"]);
    }
}
