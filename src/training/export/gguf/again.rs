//! From a GGUF file: everything that the adapter does not touch is the base file's, byte for byte.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{self, TensorInfo, Value};

use super::{GgufFormat, file_type, planned, stored};
use crate::model::gguf::file::{self, Planned};
use crate::model::weights::{interleaved_row, transformers_name};
use crate::model::{Adapter, LanguageModel, Target};
use crate::training::TrainingError;

/// Writes the file; gives how many linears the adapter changed.
pub(super) fn write(
    model: &LanguageModel,
    adapter: &Adapter,
    format: GgufFormat,
    out: &Path,
) -> Result<usize, TrainingError> {
    let path = model.path();
    let file = File::open(path).map_err(|error| TrainingError::file(path, error))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let content = gguf_file::Content::read(&mut reader)?;
    let interleaved =
        matches!(content.metadata.get("general.architecture"), Some(Value::String(name)) if name == "llama");

    // In the order of the base file, as llama.cpp maps it.
    let mut infos: Vec<_> = content.tensor_infos.iter().collect();
    infos.sort_by_key(|(_, info)| info.offset);
    let tunes = |name: &str| {
        Target::of_weight(&transformers_name(name)).filter(|&(layer, target)| adapter.tunes(layer, target))
    };
    let plan = |(name, info): &(&String, &TensorInfo)| {
        let (shape, base) = (info.shape.dims(), info.ggml_dtype);
        match tunes(name) {
            Some(_) => planned(name, shape, format.of(base)),
            None => Planned { name: (*name).clone(), shape: shape.to_vec(), format: base },
        }
    };
    let planned: Vec<Planned> = infos.iter().map(plan).collect();
    let mut merged = 0;
    file::write(out, &metadata(&content, format), &planned, |_, planned| {
        let tensor = content.tensor(&mut reader, &planned.name, &Device::Cpu)?;
        let Some((layer, target)) = tunes(&planned.name) else { return Ok(tensor) };
        let Some(update) = adapter.update(layer, target)? else { return Ok(tensor) };
        merged += 1;
        let turned = interleaved && matches!(target, Target::Query | Target::Key);
        changed(&tensor, update, turned.then_some(model.config().heads.dimension), planned)
    })?;
    Ok(merged)
}

/// W + `update`, whose rows are in Transformers' order; the file's are in llama.cpp's where a head's `dimension` is given.
fn changed(
    base: &QTensor,
    update: Vec<f32>,
    dimension: Option<usize>,
    planned: &Planned,
) -> Result<QTensor, TrainingError> {
    let (_, columns) = base.shape().dims2()?;
    let mut values = base.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    for (row, change) in update.chunks_exact(columns).enumerate() {
        let at = dimension.map_or(row, |dimension| interleaved_row(row, dimension)) * columns;
        values[at..at + columns].iter_mut().zip(change).for_each(|(value, change)| *value += change);
    }
    stored(values, planned)
}

/// The base's metadata in a fixed order, saying which format most weights have now.
fn metadata(content: &gguf_file::Content, format: GgufFormat) -> Vec<(String, Value)> {
    let mut metadata: Vec<(String, Value)> =
        content.metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    metadata.sort_by(|a, b| a.0.cmp(&b.0));
    if format != GgufFormat::Keep
        && let Some(file_type) = file_type(format.of(candle_core::quantized::GgmlDType::F32))
        && let Some((_, value)) = metadata.iter_mut().find(|(key, _)| key == "general.file_type")
    {
        *value = Value::U32(file_type);
    }
    metadata
}
