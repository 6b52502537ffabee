//! Writes safetensors files tensor by tensor: never two of them in memory, the same bytes for the same contents, and the
//! file whole on the disk or not there at all.
//!
//! The `safetensors` crate reads every file here; its writer wants all tensors at once and puts the notes of the header in an
//! order that changes from run to run.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::ModelError;

/// A tensor that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// `F32` or `BF16`.
    pub format: PlainFormat,
}

/// How the numbers of a written tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainFormat {
    /// Single precision, 4 bytes.
    F32,
    /// bfloat16, 2 bytes.
    BF16,
}

impl PlainFormat {
    const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::BF16 => "BF16",
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::BF16 => 2,
        }
    }

    /// The bytes of some numbers, little-endian.
    fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::BF16 => values.iter().flat_map(|&value| half::bf16::from_f32(value).to_le_bytes()).collect(),
        }
    }
}

/// Writes `tensors` in their order, with `notes` in the header; `values` gives the numbers of one at a time.
///
/// # Errors
/// When the file cannot be written, or `values` gives another number of values than the shape says.
pub fn write(
    path: &Path,
    notes: &[(&str, &str)],
    tensors: &[Planned],
    mut values: impl FnMut(&Planned) -> Result<Vec<f32>, ModelError>,
) -> Result<(), ModelError> {
    let mut header = Map::new();
    if !notes.is_empty() {
        let notes: Map<String, Value> = notes.iter().map(|(key, note)| ((*key).to_owned(), json!(note))).collect();
        header.insert("__metadata__".into(), Value::Object(notes));
    }
    let mut offset = 0;
    for tensor in tensors {
        let end = offset + tensor.shape.iter().product::<usize>() * tensor.format.bytes();
        let entry = json!({"dtype": tensor.format.name(), "shape": tensor.shape, "data_offsets": [offset, end]});
        header.insert(tensor.name.clone(), entry);
        offset = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    // The numbers begin at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');

    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let file_error = |error| ModelError::file(&beside, error);
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&beside).map_err(file_error)?);
    file.write_all(&(header.len() as u64).to_le_bytes()).map_err(file_error)?;
    file.write_all(&header).map_err(file_error)?;
    for tensor in tensors {
        let numbers = values(tensor)?;
        if numbers.len() != tensor.shape.iter().product::<usize>() {
            let (name, shape, n) = (&tensor.name, &tensor.shape, numbers.len());
            return Err(ModelError::Request(format!("{name} has {n} numbers for the shape {shape:?}")));
        }
        file.write_all(&tensor.format.encode(&numbers)).map_err(file_error)?;
    }
    let file = file.into_inner().map_err(|error| ModelError::file(&beside, error.into_error()))?;
    file.sync_all().map_err(file_error)?;
    std::fs::rename(&beside, path).map_err(|error| ModelError::file(path, error))
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    #[test]
    fn what_is_written_is_read_by_the_crate_and_the_same_bytes_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let plan = |name: &str, shape: &[usize], format| Planned { name: name.into(), shape: shape.to_vec(), format };
        let tensors = [plan("b.weight", &[2, 3], PlainFormat::F32), plan("a", &[4], PlainFormat::BF16)];
        let numbers = |tensor: &Planned| Ok((0..tensor.shape.iter().product::<usize>()).map(|i| i as f32).collect());
        let notes = [("format", "pt"), ("base", "x"), ("more", "y")];
        let files = ["one", "two"].map(|name| {
            let path = folder.path().join(name);
            write(&path, &notes, &tensors, numbers).unwrap();
            std::fs::read(path).unwrap()
        });
        assert_eq!(files[0], files[1]);
        let read = SafeTensors::deserialize(&files[0]).unwrap();
        assert_eq!(read.tensor("b.weight").unwrap().shape(), [2, 3]);
        assert_eq!(read.tensor("b.weight").unwrap().data()[20..], 5f32.to_le_bytes());
        assert_eq!(read.tensor("a").unwrap().dtype(), safetensors::Dtype::BF16);
        let (_, metadata) = SafeTensors::read_metadata(&files[0]).unwrap();
        assert_eq!(metadata.metadata().as_ref().unwrap()["base"], "x");
    }

    #[test]
    fn a_tensor_of_another_size_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let tensors = [Planned { name: "a".into(), shape: vec![3], format: PlainFormat::F32 }];
        assert!(write(&path, &[], &tensors, |_| Ok(vec![1.0])).is_err());
        assert!(!path.exists());
    }
}
