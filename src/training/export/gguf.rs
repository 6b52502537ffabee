//! Base and adapter as one GGUF file: what llama.cpp runs.
//!
//! Everything that the adapter does not touch is the base file's, byte for byte: metadata, tokenizer, norms, embeddings.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use crate::model::weights::{interleaved_row, transformers_name};
use crate::model::{Adapter, LanguageModel, Target};
use crate::training::TrainingError;

/// How the linears that the adapter changed are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GgufFormat {
    /// Blocks of 32 eight-bit numbers: within half a per cent of what was trained, at 1.06 bytes a weight.
    #[default]
    Q8_0,
    /// As the base has them. A four-bit format rounds most of an adapter's small change away.
    Keep,
    /// Half precision.
    F16,
    /// Single precision.
    F32,
}

/// Writes the file; gives how many linears the adapter changed.
pub(super) fn write(
    model: &LanguageModel,
    adapter: &Adapter,
    format: GgufFormat,
    out: &Path,
) -> Result<usize, TrainingError> {
    let path = model.path();
    if path.is_dir() {
        let why = "the base is a folder of safetensors, and a GGUF is made from a GGUF; export --to merged, and turn that \
                   into a GGUF with llama.cpp's convert_hf_to_gguf.py";
        return Err(TrainingError::damaged(path, why));
    }
    let file = File::open(path).map_err(|error| TrainingError::file(path, error))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let content = gguf_file::Content::read(&mut reader)?;
    let interleaved =
        matches!(content.metadata.get("general.architecture"), Some(Value::String(name)) if name == "llama");

    // In the order of the base file, as llama.cpp maps it.
    let mut infos: Vec<_> = content.tensor_infos.iter().collect();
    infos.sort_by_key(|(_, info)| info.offset);
    let mut tensors = Vec::with_capacity(infos.len());
    let mut merged = 0;
    for (name, _) in infos {
        let tensor = content.tensor(&mut reader, name, &Device::Cpu)?;
        let update = match Target::of_weight(&transformers_name(name)) {
            Some((layer, target)) => adapter.update(layer, target)?.map(|update| (target, update)),
            None => None,
        };
        let tensor = match update {
            None => tensor,
            Some((target, update)) => {
                merged += 1;
                let turned = interleaved && matches!(target, Target::Query | Target::Key);
                changed(&tensor, update, turned.then_some(model.config().heads.dimension), format)?
            }
        };
        tensors.push((name.as_str(), tensor));
    }
    let metadata = metadata(&content, format);
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();

    let file_error = |error| TrainingError::file(out, error);
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(out).map_err(file_error)?);
    gguf_file::write(&mut writer, &metadata, &tensors)?;
    writer.flush().map_err(file_error)?;
    writer.get_ref().sync_all().map_err(file_error)?;
    Ok(merged)
}

/// W + `update`, whose rows are in Transformers' order; the file's are in llama.cpp's where a head's `dimension` is given.
fn changed(
    base: &QTensor,
    update: Vec<f32>,
    dimension: Option<usize>,
    format: GgufFormat,
) -> Result<QTensor, TrainingError> {
    let (rows, columns) = base.shape().dims2()?;
    let mut values = base.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    for (row, change) in update.chunks_exact(columns).enumerate() {
        let at = dimension.map_or(row, |dimension| interleaved_row(row, dimension)) * columns;
        values[at..at + columns].iter_mut().zip(change).for_each(|(value, change)| *value += change);
    }
    let values = Tensor::from_vec(values, (rows, columns), &Device::Cpu)?;
    let wanted = match format {
        GgufFormat::Q8_0 => GgmlDType::Q8_0,
        GgufFormat::Keep => base.dtype(),
        GgufFormat::F16 => GgmlDType::F16,
        GgufFormat::F32 => GgmlDType::F32,
    };
    // Rows that are not whole blocks cannot be quantised.
    let wanted = if columns.is_multiple_of(wanted.block_size()) { wanted } else { GgmlDType::F16 };
    Ok(QTensor::quantize(&values, wanted)?)
}

/// The base's metadata in a fixed order, saying which format most weights have now.
fn metadata(content: &gguf_file::Content, format: GgufFormat) -> Vec<(String, Value)> {
    let mut metadata: Vec<(String, Value)> =
        content.metadata.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    metadata.sort_by(|a, b| a.0.cmp(&b.0));
    // llama.cpp's `llama_ftype`.
    let file_type = match format {
        GgufFormat::Keep => None,
        GgufFormat::F32 => Some(0),
        GgufFormat::F16 => Some(1),
        GgufFormat::Q8_0 => Some(7),
    };
    if let Some(file_type) = file_type
        && let Some((_, value)) = metadata.iter_mut().find(|(key, _)| key == "general.file_type")
    {
        *value = Value::U32(file_type);
    }
    metadata
}
