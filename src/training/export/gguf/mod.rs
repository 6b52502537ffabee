//! Base and adapter as one GGUF file: what llama.cpp runs.
//!
//! - `again`: from a GGUF file, whose metadata, tokenizer, norms and embeddings stay as they are;
//! - `anew`: from a folder in Transformers' layout, all of it said in GGUF's words.

mod again;
mod anew;

use std::path::Path;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use crate::model::gguf::file::Planned;
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

/// A tensor that is to be in a format, or in half precision where its rows are not whole blocks of it.
fn planned(name: &str, shape: &[usize], format: GgmlDType) -> Planned {
    let columns = shape.last().copied().unwrap_or(0);
    let format = if columns.is_multiple_of(format.block_size()) { format } else { GgmlDType::F16 };
    Planned { name: name.to_owned(), shape: shape.to_vec(), format }
}

/// The numbers of a tensor as it is to be.
fn stored(values: Vec<f32>, planned: &Planned) -> Result<QTensor, TrainingError> {
    Ok(QTensor::quantize(&Tensor::from_vec(values, planned.shape.as_slice(), &Device::Cpu)?, planned.format)?)
}
