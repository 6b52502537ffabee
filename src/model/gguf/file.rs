//! Writes GGUF files tensor by tensor: never two of them in memory.
//!
//! candle reads every GGUF file here; its writer wants all tensors at once. What is written is what candle's writer would write,
//! to the byte: version 2, little-endian, the numbers of each tensor at a multiple of 32 bytes
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use candle_core::quantized::gguf_file::Value;
use candle_core::quantized::{GgmlDType, QTensor};

use crate::model::ModelError;

const MAGIC: &[u8; 4] = b"GGUF";
const VERSION: u32 = 2;
const ALIGNMENT: usize = 32;

/// A tensor that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Its name.
    pub name: String,
    /// Its shape, rows before columns.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub format: GgmlDType,
}

impl Planned {
    fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() / self.format.block_size() * self.format.type_size()
    }
}

/// Writes `tensors` in their order, with `metadata` in its; `tensor` gives one at a time, asked in that order. The file is whole on
/// the disk when this returns.
///
/// # Errors
/// When the file cannot be written, and when `tensor` gives another shape or format than was planned.
pub(crate) fn write<E: From<ModelError>>(
    path: &Path,
    metadata: &[(String, Value)],
    tensors: &[Planned],
    mut tensor: impl FnMut(usize, &Planned) -> Result<QTensor, E>,
) -> Result<(), E> {
    let file_error = |error| ModelError::file(path, error);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(file_error)?);
    file.write_all(&header(metadata, tensors)?).map_err(file_error)?;
    for (at, planned) in tensors.iter().enumerate() {
        let tensor = tensor(at, planned)?;
        let data = tensor.data().map_err(ModelError::from)?;
        if tensor.shape().dims() != planned.shape || tensor.dtype() != planned.format || data.len() != planned.bytes() {
            let (name, shape, format) = (&planned.name, &planned.shape, planned.format);
            return Err(ModelError::Request(format!("{name} is not {format:?} of the shape {shape:?}")).into());
        }
        file.write_all(&data).map_err(file_error)?;
        file.write_all(&[0; ALIGNMENT][..padding(data.len())]).map_err(file_error)?;
    }
    file.flush().map_err(file_error)?;
    Ok(file.get_ref().sync_all().map_err(file_error)?)
}

/// Bytes from `length` to the next place where numbers may begin.
const fn padding(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT) - length
}

/// All that stands before the numbers.
fn header(metadata: &[(String, Value)], tensors: &[Planned]) -> Result<Vec<u8>, ModelError> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        push_text(&mut bytes, key);
        bytes.extend(code_of(value).to_le_bytes());
        push_value(&mut bytes, value)?;
    }
    let mut offset = 0;
    for planned in tensors {
        push_text(&mut bytes, &planned.name);
        bytes.extend((planned.shape.len() as u32).to_le_bytes());
        for &dimension in planned.shape.iter().rev() {
            bytes.extend((dimension as u64).to_le_bytes());
        }
        bytes.extend(code_of_format(planned.format).to_le_bytes());
        bytes.extend((offset as u64).to_le_bytes());
        offset += planned.bytes().next_multiple_of(ALIGNMENT);
    }
    bytes.resize(bytes.len() + padding(bytes.len()), 0);
    Ok(bytes)
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn push_value(bytes: &mut Vec<u8>, value: &Value) -> Result<(), ModelError> {
    match value {
        Value::U8(n) => bytes.push(*n),
        Value::I8(n) => bytes.extend(n.to_le_bytes()),
        Value::U16(n) => bytes.extend(n.to_le_bytes()),
        Value::I16(n) => bytes.extend(n.to_le_bytes()),
        Value::U32(n) => bytes.extend(n.to_le_bytes()),
        Value::I32(n) => bytes.extend(n.to_le_bytes()),
        Value::U64(n) => bytes.extend(n.to_le_bytes()),
        Value::I64(n) => bytes.extend(n.to_le_bytes()),
        Value::F32(n) => bytes.extend(n.to_le_bytes()),
        Value::F64(n) => bytes.extend(n.to_le_bytes()),
        Value::Bool(yes) => bytes.push(u8::from(*yes)),
        Value::String(text) => push_text(bytes, text),
        Value::Array(values) => {
            // Of an array without values the kind says nothing; candle calls it U32.
            let kind = values.first().map_or(code_of(&Value::U32(0)), code_of);
            if values.iter().any(|value| code_of(value) != kind) {
                return Err(ModelError::Request("an array of a GGUF file has values of two kinds".to_owned()));
            }
            bytes.extend(kind.to_le_bytes());
            bytes.extend((values.len() as u64).to_le_bytes());
            for value in values {
                push_value(bytes, value)?;
            }
        }
    }
    Ok(())
}

/// `gguf_metadata_value_type`.
const fn code_of(value: &Value) -> u32 {
    match value {
        Value::U8(_) => 0,
        Value::I8(_) => 1,
        Value::U16(_) => 2,
        Value::I16(_) => 3,
        Value::U32(_) => 4,
        Value::I32(_) => 5,
        Value::F32(_) => 6,
        Value::Bool(_) => 7,
        Value::String(_) => 8,
        Value::Array(_) => 9,
        Value::U64(_) => 10,
        Value::I64(_) => 11,
        Value::F64(_) => 12,
    }
}

/// `ggml_type`.
const fn code_of_format(format: GgmlDType) -> u32 {
    match format {
        GgmlDType::F32 => 0,
        GgmlDType::F16 => 1,
        GgmlDType::Q4_0 => 2,
        GgmlDType::Q4_1 => 3,
        GgmlDType::Q5_0 => 6,
        GgmlDType::Q5_1 => 7,
        GgmlDType::Q8_0 => 8,
        GgmlDType::Q8_1 => 9,
        GgmlDType::Q2K => 10,
        GgmlDType::Q3K => 11,
        GgmlDType::Q4K => 12,
        GgmlDType::Q5K => 13,
        GgmlDType::Q6K => 14,
        GgmlDType::Q8K => 15,
        GgmlDType::BF16 => 30,
    }
}

#[cfg(test)]
mod tests {
    use candle_core::quantized::gguf_file;
    use candle_core::{Device, Tensor};

    use super::*;

    fn tensors() -> Vec<(String, QTensor)> {
        let one = |name: &str, shape: &[usize], format| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|i: usize| (i % 37) as f32 / 9.0 - 2.0).collect();
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
            (name.to_owned(), QTensor::quantize(&tensor, format).unwrap())
        };
        use GgmlDType::{BF16, F16, F32, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0};
        let formats = [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K];
        let mut tensors: Vec<_> =
            formats.into_iter().map(|format| one(&format!("{format:?}"), &[3, 256], format)).collect();
        // Whose numbers end between two places.
        tensors.push(one("odd", &[5], F32));
        tensors.push(one("last", &[7, 3], F16));
        tensors
    }

    fn metadata() -> Vec<(String, Value)> {
        let values = [
            Value::U8(1),
            Value::I8(-2),
            Value::U16(3),
            Value::I16(-4),
            Value::U32(5),
            Value::I32(-6),
            Value::U64(7),
            Value::I64(-8),
            Value::F32(0.1),
            Value::F64(-0.2),
            Value::Bool(true),
            Value::String("pr\u{fc}f".into()),
            Value::Array(vec![Value::String("a".into()), Value::String(String::new())]),
            Value::Array(Vec::new()),
        ];
        values.into_iter().enumerate().map(|(at, value)| (format!("key.{at}"), value)).collect()
    }

    fn planned(tensors: &[(String, QTensor)]) -> Vec<Planned> {
        let plan = |(name, tensor): &(String, QTensor)| Planned {
            name: name.clone(),
            shape: tensor.shape().dims().to_vec(),
            format: tensor.dtype(),
        };
        tensors.iter().map(plan).collect()
    }

    #[test]
    fn the_bytes_are_those_of_candles_writer() {
        let folder = tempfile::tempdir().unwrap();
        let (tensors, metadata) = (tensors(), metadata());
        let mut expected = std::io::Cursor::new(Vec::new());
        let of_metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let of_tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        gguf_file::write(&mut expected, &of_metadata, &of_tensors).unwrap();

        let path = folder.path().join("x.gguf");
        let again = |at: usize, planned: &Planned| -> Result<QTensor, ModelError> {
            let values = tensors[at].1.data()?.into_owned();
            let storage = candle_core::quantized::QStorage::from_data(values.into(), &Device::Cpu, planned.format)?;
            Ok(QTensor::new(storage, planned.shape.clone())?)
        };
        write(&path, &metadata, &planned(&tensors), again).unwrap();
        assert!(std::fs::read(&path).unwrap() == expected.into_inner());
    }

    #[test]
    fn a_tensor_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.gguf");
        let plan = [Planned { name: "a".into(), shape: vec![2, 2], format: GgmlDType::F16 }];
        let other = |_: usize, _: &Planned| -> Result<QTensor, ModelError> {
            let tensor = Tensor::zeros((2, 2), candle_core::DType::F32, &Device::Cpu)?;
            Ok(QTensor::quantize(&tensor, GgmlDType::F32)?)
        };
        let error = write(&path, &[], &plan, other).unwrap_err().to_string();
        assert!(error.contains("a is not F16 of the shape [2, 2]"), "{error}");
        let mixed = [("x".to_owned(), Value::Array(vec![Value::U8(1), Value::Bool(true)]))];
        assert!(write(&path, &mixed, &[], other).is_err());
    }
}
