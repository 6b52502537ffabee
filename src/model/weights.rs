//! Weights from files: a GGUF, or a folder of safetensors (one or sharded), behind one way of asking for a matrix.
//!
//! Names are those of Transformers (`model.layers.0.self_attn.q_proj.weight`), whatever the file calls them, and rows of
//! queries and keys are in Transformers' order, so that adapters mean the same thing over every source.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Value};
use safetensors::tensor::{Dtype, Metadata};

use super::ModelError;
use super::config::{Family, ModelConfig};
use super::kernels::PackedMatrix;
use super::kernels::blocks::{self, Format};

/// Where one tensor lies.
struct Entry {
    file: usize,
    offset: u64,
    /// Bytes that it takes; all of them lie in the file.
    length: u64,
    format: Format,
    shape: Vec<usize>,
}

/// The tensors of a model's files.
pub struct WeightFiles {
    paths: Vec<PathBuf>,
    files: Vec<BufReader<File>>,
    entries: HashMap<String, Entry>,
    /// GGUF metadata; empty for safetensors.
    pub(crate) metadata: HashMap<String, Value>,
    /// Query and key rows are in llama.cpp's interleaved order and must be turned back.
    interleaved: bool,
}

impl WeightFiles {
    /// Opens a GGUF file: reads its metadata and where the tensors are, not the tensors.
    pub fn open_gguf(path: &Path) -> Result<Self, ModelError> {
        let file = File::open(path).map_err(|e| ModelError::file(path, e))?;
        let size = file.metadata().map_err(|e| ModelError::file(path, e))?.len();
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let content = gguf_file::Content::read(&mut reader).map_err(|e| {
            let why = e.to_string().lines().next().unwrap_or_default().to_owned();
            ModelError::damaged(path, format!("not a whole GGUF file ({why})"))
        })?;
        let mut entries = HashMap::new();
        for (name, info) in &content.tensor_infos {
            let format = Format::from_ggml(info.ggml_dtype).ok_or_else(|| ModelError::Unsupported {
                path: path.to_owned(),
                what: format!("tensor format {:?} of {name}", info.ggml_dtype),
            })?;
            let shape = info.shape.dims().to_vec();
            let offset = content.tensor_data_offset.saturating_add(info.offset);
            let bytes = tensor_bytes(&shape, format).ok_or_else(|| {
                ModelError::damaged(path, format!("{name} is not a whole number of {} blocks", format.name()))
            })?;
            if offset.saturating_add(bytes as u64) > size {
                let why = format!("cut short at {size} bytes: {name} ends at {}", offset.saturating_add(bytes as u64));
                return Err(ModelError::damaged(path, why));
            }
            let length = bytes as u64;
            entries.insert(transformers_name(name), Entry { file: 0, offset, length, format, shape });
        }
        let interleaved =
            matches!(content.metadata.get("general.architecture"), Some(Value::String(a)) if a == "llama");
        Ok(Self { paths: vec![path.to_owned()], files: vec![reader], entries, metadata: content.metadata, interleaved })
    }

    /// Opens `model.safetensors`, or the shards that `model.safetensors.index.json` names.
    pub fn open_safetensors(folder: &Path) -> Result<Self, ModelError> {
        let index = folder.join("model.safetensors.index.json");
        let names: Vec<String> = if index.exists() {
            let text = std::fs::read_to_string(&index).map_err(|e| ModelError::file(&index, e))?;
            let json: serde_json::Value = serde_json::from_str(&text).map_err(|e| ModelError::damaged(&index, e))?;
            let map = json["weight_map"].as_object().ok_or_else(|| ModelError::damaged(&index, "no weight_map"))?;
            let mut names: Vec<String> = map.values().filter_map(|v| v.as_str().map(str::to_owned)).collect();
            names.sort();
            names.dedup();
            // An index from elsewhere must not make this program read anything but what lies beside it.
            if let Some(name) = names.iter().find(|name| !is_file_name(name)) {
                return Err(ModelError::damaged(&index, format!("{name:?} is not the name of a file beside it")));
            }
            names
        } else {
            vec!["model.safetensors".to_owned()]
        };
        let mut opened = Self {
            paths: Vec::new(),
            files: Vec::new(),
            entries: HashMap::new(),
            metadata: HashMap::new(),
            interleaved: false,
        };
        for name in names {
            let path = folder.join(name);
            if index.exists() && !path.exists() {
                return Err(ModelError::damaged(&path, "the index names this part, and it is missing"));
            }
            opened.add_safetensors(&path)?;
        }
        Ok(opened)
    }

    fn add_safetensors(&mut self, path: &Path) -> Result<(), ModelError> {
        let file = File::open(path).map_err(|e| ModelError::file(path, e))?;
        let size = file.metadata().map_err(|e| ModelError::file(path, e))?.len();
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut length = [0u8; 8];
        reader.read_exact(&mut length).map_err(|_| ModelError::damaged(path, "cut short in its header"))?;
        let length = u64::from_le_bytes(length);
        if length > size.saturating_sub(8) {
            return Err(ModelError::damaged(path, format!("cut short: a header of {length} bytes in {size}")));
        }
        let mut header = vec![0u8; length as usize];
        reader.read_exact(&mut header).map_err(|e| ModelError::file(path, e))?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|e| ModelError::damaged(path, format!("its header: {e}")))?;
        for (name, info) in metadata.tensors() {
            let format = match info.dtype {
                Dtype::F32 => Format::F32,
                Dtype::F16 => Format::F16,
                Dtype::BF16 => Format::BF16,
                // Buffers such as integer masks are no weights of ours.
                _ => continue,
            };
            let (from, to) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
            let (offset, end) = ((8 + length).saturating_add(from), (8 + length).saturating_add(to));
            if end > size {
                return Err(ModelError::damaged(path, format!("cut short at {size} bytes: {name} ends at {end}")));
            }
            let length = tensor_bytes(&info.shape, format).map(|bytes| bytes as u64);
            let Some(length) = length.filter(|length| from.checked_add(*length) == Some(to)) else {
                let why =
                    format!("{name} of shape {:?} does not take the {from} to {to} bytes that it says", info.shape);
                return Err(ModelError::damaged(path, why));
            };
            let shape = info.shape.clone();
            self.entries.insert(name, Entry { file: self.files.len(), offset, length, format, shape });
        }
        self.paths.push(path.to_owned());
        self.files.push(reader);
        Ok(())
    }

    /// The first file, for messages.
    pub(crate) fn path(&self) -> &Path {
        self.paths.first().map_or(Path::new(""), PathBuf::as_path)
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Name and shape of every tensor, in the order of their names.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut all: Vec<_> = self.entries.iter().map(|(name, entry)| (name.clone(), entry.shape.clone())).collect();
        all.sort();
        all
    }

    /// All numbers of a tensor, rows of queries and keys in Transformers' order.
    ///
    /// # Errors
    /// When there is no such tensor, or it cannot be read.
    pub fn values(&mut self, name: &str, config: &ModelConfig) -> Result<Vec<f32>, ModelError> {
        let shape = self.entries.get(name).map(|entry| entry.shape.clone()).unwrap_or_default();
        let (format, data) = self.read(name, &shape)?;
        let mut values = vec![0f32; shape.iter().product()];
        blocks::expand(format, &data, &mut values);
        match shape[..] {
            [rows, columns] if self.is_interleaved(name) => {
                let order = (0..rows).map(|row| interleaved_row(row, config.heads.dimension));
                Ok(order.flat_map(|row| values[row * columns..(row + 1) * columns].iter().copied()).collect())
            }
            _ => Ok(values),
        }
    }

    /// Whether a tensor's rows stand in llama.cpp's own order in the file.
    pub fn is_interleaved(&self, name: &str) -> bool {
        self.interleaved && ["q_proj.weight", "k_proj.weight"].iter().any(|end| name.ends_with(end))
    }

    /// How the numbers of a tensor are stored.
    pub(crate) fn format(&self, name: &str) -> Option<Format> {
        self.entries.get(name).map(|entry| entry.format)
    }

    /// Bytes that all tensors take.
    pub(super) fn bytes(&self) -> u64 {
        self.entries.values().map(|entry| entry.length).sum()
    }

    /// The format of every tensor with the number of its weights.
    pub(super) fn formats(&self) -> impl Iterator<Item = (Format, u64)> {
        self.entries.values().map(|entry| (entry.format, entry.shape.iter().map(|n| *n as u64).product()))
    }

    fn read(&mut self, name: &str, shape: &[usize]) -> Result<(Format, Vec<u8>), ModelError> {
        let first = self.path().to_owned();
        let entry = self.entries.get(name).ok_or_else(|| ModelError::damaged(&first, format!("no tensor {name}")))?;
        let path = &self.paths[entry.file];
        if entry.shape != shape {
            let why = format!("{name} has shape {:?} where its configuration says {shape:?}", entry.shape);
            return Err(ModelError::damaged(path, why));
        }
        let mut data = vec![0u8; entry.length as usize];
        let file = &mut self.files[entry.file];
        file.seek(SeekFrom::Start(entry.offset)).map_err(|e| ModelError::file(path, e))?;
        file.read_exact(&mut data)
            .map_err(|_| ModelError::damaged(path, format!("cut short: {name} cannot be read")))?;
        Ok((entry.format, data))
    }

    /// A matrix of `rows` output and `columns` input features.
    pub fn matrix(&mut self, name: &str, rows: usize, columns: usize) -> Result<PackedMatrix, ModelError> {
        let (format, data) = self.read(name, &[rows, columns])?;
        PackedMatrix::new(rows, columns, format, data)
            .map_err(|why| ModelError::damaged(self.path(), format!("{name}: {why}")))
    }

    /// The matrix of a query or key projection, its rows head by head in Transformers' order.
    pub fn rotary_matrix(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
        dimension: usize,
    ) -> Result<PackedMatrix, ModelError> {
        let matrix = self.matrix(name, rows, columns)?;
        Ok(if self.interleaved { matrix.reorder_rows(|row| interleaved_row(row, dimension)) } else { matrix })
    }

    /// The output head, where it is not the embedding once more.
    pub fn head(&mut self, config: &ModelConfig) -> Result<Option<PackedMatrix>, ModelError> {
        const NAME: &str = "lm_head.weight";
        self.contains(NAME).then(|| self.matrix(NAME, config.vocabulary, config.hidden)).transpose()
    }

    /// A vector, as `f32` values.
    pub fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        let (format, data) = self.read(name, &[length])?;
        let mut values = vec![0f32; length];
        blocks::expand(format, &data, &mut values);
        Ok(values)
    }

    /// The biases of a projection, for the families that have them.
    pub fn bias(&mut self, name: &str, length: usize, family: Family) -> Result<Option<Vec<f32>>, ModelError> {
        match family {
            Family::Qwen2 => self.vector(name, length).map(Some),
            _ if self.contains(name) => {
                Err(ModelError::Unsupported { path: self.path().to_owned(), what: format!("a bias ({name})") })
            }
            _ => Ok(None),
        }
    }
}

/// Whether this is a plain file name, which no path leads out of a folder with.
fn is_file_name(name: &str) -> bool {
    Path::new(name).file_name().is_some_and(|file| file == name) && !name.contains('\\')
}

/// llama.cpp stores the two halves of a head's rotary pairs interleaved: its row 2i + h is Transformers' row h·d/2 + i.
pub(crate) fn interleaved_row(row: usize, dimension: usize) -> usize {
    let (head, within) = (row / dimension, row % dimension);
    let (half, pair) = (within / (dimension / 2), within % (dimension / 2));
    head * dimension + 2 * pair + half
}

fn tensor_bytes(shape: &[usize], format: Format) -> Option<usize> {
    let (last, outer) = shape.split_last()?;
    outer.iter().try_fold(format.row_bytes(*last)?, |bytes, n| bytes.checked_mul(*n))
}

/// What GGUF calls the parts of a layer, and what Transformers does.
const PARTS: [(&str, &str); 11] = [
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_norm", "input_layernorm"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// What GGUF calls the parts outside the layers, and what Transformers does.
const WHOLE: [(&str, &str); 3] = [
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

/// GGUF's name for a tensor of Transformers; `None` where it has none.
pub(crate) fn gguf_name(name: &str) -> Option<String> {
    if let Some((theirs, _)) = WHOLE.iter().find(|(_, ours)| *ours == name) {
        return Some((*theirs).to_owned());
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    let (theirs, _) = PARTS.iter().find(|(_, ours)| *ours == part)?;
    layer.parse::<usize>().is_ok().then(|| format!("blk.{layer}.{theirs}.{kind}"))
}

/// Transformers' name for a GGUF tensor.
pub(crate) fn transformers_name(gguf: &str) -> String {
    if let Some((_, ours)) = WHOLE.iter().find(|(theirs, _)| *theirs == gguf) {
        return (*ours).to_owned();
    }
    let Some((layer, rest)) = gguf.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else {
        return gguf.to_owned();
    };
    let Some((part, kind)) = rest.rsplit_once('.') else { return gguf.to_owned() };
    let part = PARTS.iter().find(|(theirs, _)| *theirs == part).map_or(part, |(_, ours)| ours);
    format!("model.layers.{layer}.{part}.{kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gguf_names_become_those_of_transformers() {
        assert_eq!(transformers_name("blk.3.attn_q.weight"), "model.layers.3.self_attn.q_proj.weight");
        assert_eq!(transformers_name("blk.12.ffn_down.weight"), "model.layers.12.mlp.down_proj.weight");
        assert_eq!(transformers_name("rope_freqs.weight"), "rope_freqs.weight");
        for (part, _) in PARTS {
            let name = format!("blk.7.{part}.weight");
            assert_eq!(gguf_name(&transformers_name(&name)), Some(name));
        }
        assert_eq!(gguf_name("lm_head.weight").as_deref(), Some("output.weight"));
        assert_eq!(gguf_name("model.layers.0.self_attn.rotary_emb.inv_freq"), None);
    }

    #[test]
    fn interleaved_rows_are_put_back_in_halves() {
        let order: Vec<usize> = (0..8).map(|row| interleaved_row(row, 4)).collect();
        assert_eq!(order, [0, 2, 1, 3, 4, 6, 5, 7]);
    }
}
