//! Base and adapter as one GGUF file: what llama.cpp runs.
//!
//! - `again`: from a GGUF file, whose metadata, tokenizer, norms and embeddings stay as they are;
//! - `anew`: from a folder in Transformers' layout, all of it said in GGUF's words.

mod again;
mod anew;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use crate::model::{Adapter, LanguageModel};
use crate::training::TrainingError;

/// How the linears that the adapter changed are stored; from a folder in Transformers' layout, all matrices.
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

impl GgufFormat {
    /// The format of a matrix that the base has in `base`.
    const fn of(self, base: GgmlDType) -> GgmlDType {
        match self {
            Self::Q8_0 => GgmlDType::Q8_0,
            Self::Keep => base,
            Self::F16 => GgmlDType::F16,
            Self::F32 => GgmlDType::F32,
        }
    }
}

/// llama.cpp's `llama_ftype` of a file whose matrices are mostly so, where that is one of the plain ones.
fn file_type(format: GgmlDType) -> Option<u32> {
    Some(match format {
        GgmlDType::F32 => 0,
        GgmlDType::F16 => 1,
        GgmlDType::Q8_0 => 7,
        GgmlDType::BF16 => 32,
        _ => return None,
    })
}

/// Writes the file; gives how many linears the adapter changed.
pub(super) fn write(
    run: &str,
    model: &LanguageModel,
    adapter: &Adapter,
    format: GgufFormat,
    out: &Path,
) -> Result<usize, TrainingError> {
    match model.path().is_dir() {
        true => anew::write(run, model, adapter, format, out),
        false => again::write(model, adapter, format, out),
    }
}

/// A matrix in a format, or in half precision where its rows are not whole blocks of it.
fn stored(values: Vec<f32>, shape: &[usize], format: GgmlDType) -> Result<QTensor, TrainingError> {
    let columns = shape.last().copied().unwrap_or(0);
    let format = if columns.is_multiple_of(format.block_size()) { format } else { GgmlDType::F16 };
    Ok(QTensor::quantize(&Tensor::from_vec(values, shape, &Device::Cpu)?, format)?)
}

/// Writes the file, whole on the disk when this returns.
fn save(out: &Path, metadata: &[(String, Value)], tensors: &[(String, QTensor)]) -> Result<(), TrainingError> {
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let file_error = |error| TrainingError::file(out, error);
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(out).map_err(file_error)?);
    gguf_file::write(&mut writer, &metadata, &tensors)?;
    writer.flush().map_err(file_error)?;
    writer.get_ref().sync_all().map_err(file_error)
}
