//! Where a model of a name lies on this machine, and what there is.

use std::path::{Path, PathBuf};

use super::PullError;
use super::known::known;

/// A model on this machine.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Installed {
    /// The name to give.
    pub name: String,
    /// Its file or folder.
    pub path: PathBuf,
    /// Bytes that it takes.
    pub bytes: u64,
}

/// `owner/repo` or `owner/repo/file.gguf`, of characters that the Hub allows.
pub(super) fn repository_name(name: &str) -> Option<(String, Option<String>)> {
    let parts: Vec<&str> = name.split('/').collect();
    let allowed = |part: &&str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    if !parts.iter().all(allowed) {
        return None;
    }
    match parts.as_slice() {
        [owner, repo] => Some((format!("{owner}/{repo}"), None)),
        [owner, repo, file] if is_gguf(Path::new(file)) => Some((format!("{owner}/{repo}"), Some((*file).to_owned()))),
        _ => None,
    }
}

pub(super) fn folder_name(repository: &str) -> String {
    repository.replace('/', "--")
}

pub(super) fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf"))
}

pub(super) fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.sort();
    files
}

pub(super) fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

pub(super) fn holds_a_model(folder: &Path) -> bool {
    folder.join("config.json").exists() || files_of(folder).iter().any(|f| is_gguf(f))
}

/// The folder that models are kept in: `$LOGWRIGHT_CACHE/models`, else `models` in the user's cache folder.
pub fn models_dir() -> Result<PathBuf, PullError> {
    if let Some(cache) = std::env::var_os("LOGWRIGHT_CACHE").filter(|v| !v.is_empty()) {
        return Ok(PathBuf::from(cache).join("models"));
    }
    let dirs = directories::ProjectDirs::from("", "", "logwright").ok_or(PullError::NoCacheFolder)?;
    Ok(dirs.cache_dir().join("models"))
}

/// What other programs call the model that `name` means – a name that `pull` takes, or a path among our models –: its
/// repository on the Hub, and of a known model the one that Transformers loads. `None` of a model that did not come from there.
pub fn hub_name(name: &str) -> Option<String> {
    hub_name_among(name, models_dir().ok().as_deref())
}

fn hub_name_among(name: &str, models: Option<&Path>) -> Option<String> {
    let original = |name: &str| known(name).map(|known| known.original.to_owned());
    if let Some(original) = original(name) {
        return Some(original);
    }
    let path = Path::new(name);
    if let Some(within) = models.and_then(|models| path.strip_prefix(models).ok()) {
        let folder = within.components().next()?.as_os_str().to_str()?;
        return original(folder).or_else(|| folder.split_once("--").map(|(owner, repo)| format!("{owner}/{repo}")));
    }
    repository_name(name).filter(|_| !path.exists()).map(|(repository, _)| repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_of_the_hub_keeps_its_name_there() {
        let name = |name: &str| hub_name_among(name, Some(Path::new("/cache/models")));
        let smollm = "HuggingFaceTB/SmolLM2-135M-Instruct";
        for (named, expected) in [
            ("smollm2-135m", Some(smollm)),
            ("/cache/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf", Some(smollm)),
            ("Qwen/Qwen2.5-1.5B-Instruct", Some("Qwen/Qwen2.5-1.5B-Instruct")),
            ("/cache/models/Qwen--Qwen2.5-1.5B-Instruct", Some("Qwen/Qwen2.5-1.5B-Instruct")),
            ("owner/repo-GGUF/repo.Q8_0.gguf", Some("owner/repo-GGUF")),
            ("/somewhere/else", None),
            ("tests/fixtures", None),
            ("own", None),
        ] {
            assert_eq!(name(named).as_deref(), expected, "{named}");
        }
    }

    #[test]
    fn names_of_the_hub_are_told_from_other_text() {
        assert_eq!(repository_name("a/b"), Some(("a/b".into(), None)));
        assert_eq!(repository_name("a/b/c.gguf"), Some(("a/b".into(), Some("c.gguf".into()))));
        for wrong in ["", "a", "a/../b", "a/b/c.bin", "../b", "a/b c", "a/b/c/d.gguf"] {
            assert_eq!(repository_name(wrong), None, "{wrong}");
        }
    }
}
