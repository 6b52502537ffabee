//! Whether all of a checkpoint is there: a disk that was full or torn from its machine leaves files that end too early.
//!
//! Only lengths and headers are read, so that looking at a checkpoint of gigabytes takes no time.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use safetensors::tensor::Metadata;

/// The longest header of tensors that is believed, in bytes; the format's own limit.
const LONGEST_HEADER: u64 = 100_000_000;

/// The first file of a checkpoint with which something is wrong, and what.
pub(super) fn flaw(checkpoint: &Path) -> Option<String> {
    let adapter = checkpoint.join("adapter");
    let moments = checkpoint.join("optimizer.safetensors");
    let weights = files(&adapter);
    if !weights.iter().any(|name| name.ends_with(".safetensors")) {
        return Some("the adapter's weights are not there".into());
    }
    if !moments.is_file() {
        return Some("optimizer.safetensors is not there".into());
    }
    let beside = files(checkpoint).into_iter().map(|name| checkpoint.join(name));
    let mut all = beside.chain(weights.into_iter().map(|name| adapter.join(name)));
    all.find_map(|path| {
        let why = match path.extension()?.to_str()? {
            "safetensors" => whole_tensors(&path).err()?,
            "json" => whole_json(&path).err()?,
            _ => return None,
        };
        let name = path.strip_prefix(checkpoint).unwrap_or(&path);
        Some(format!("{}: {why}", name.display()))
    })
}

/// The names of what is in a folder, in order.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn whole_json(path: &Path) -> Result<(), String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).map(drop).map_err(|error| error.to_string())
}

/// Whether a file is as long as its header says.
fn whole_tensors(path: &Path) -> Result<(), String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let mut size = [0; 8];
    let cut = |_| "it is cut off in its header".to_owned();
    file.read_exact(&mut size).map_err(cut)?;
    let size = u64::from_le_bytes(size);
    if size > LONGEST_HEADER || size > length {
        return cut_off(length, size.saturating_add(8));
    }
    let mut header = vec![0; size as usize];
    file.read_exact(&mut header).map_err(cut)?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| format!("its header: {error}"))?;
    let whole = 8 + size + metadata.data_len() as u64;
    if length == whole { Ok(()) } else { cut_off(length, whole) }
}

fn cut_off(length: u64, whole: u64) -> Result<(), String> {
    Err(format!("it has {length} bytes of {whole}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_ends_too_early_is_found_wherever_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = folder.path();
        fs::create_dir(checkpoint.join("adapter")).unwrap();
        let tensor = candle_core::Tensor::new(&[1f32, 2.0, 3.0], &candle_core::Device::Cpu).unwrap();
        let tensors = std::collections::HashMap::from([("a".to_owned(), tensor)]);
        let paths = [checkpoint.join("optimizer.safetensors"), checkpoint.join("adapter/weights.safetensors")];
        assert_eq!(flaw(checkpoint).unwrap(), "the adapter's weights are not there");
        for path in paths.iter().rev() {
            candle_core::safetensors::save(&tensors, path).unwrap();
        }
        fs::write(checkpoint.join("rollouts.json"), "{\"groups\": []}").unwrap();
        assert_eq!(flaw(checkpoint), None);
        for path in &paths {
            let whole = fs::read(path).unwrap();
            for end in 0..whole.len() {
                fs::write(path, &whole[..end]).unwrap();
                assert!(flaw(checkpoint).is_some(), "{} after {end} bytes", path.display());
            }
            fs::write(path, &whole).unwrap();
        }
        assert_eq!(flaw(checkpoint), None);
        fs::write(checkpoint.join("rollouts.json"), "{\"groups\": [").unwrap();
        assert!(flaw(checkpoint).unwrap().starts_with("rollouts.json: "));
    }
}
