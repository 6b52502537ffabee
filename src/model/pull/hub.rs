//! The Hugging Face Hub: hf-hub for addresses, tokens and what a repository holds; the bodies streamed and resumed here.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hf_hub::api::tokio::{Api, ApiBuilder};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RANGE};
use reqwest::{Client, StatusCode};

use super::{Expected, OnProgress, Progress, PullError, Puller, folder_name, is_gguf, step};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// How often a cut body is resumed before giving up.
const ATTEMPTS: usize = 4;
/// How often progress is told.
const TELL: Duration = Duration::from_millis(50);

/// Files of a Transformers folder that the loader reads, beside the weights.
const SIDE_FILES: &[&str] =
    &["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"];

struct Hub {
    api: Api,
    client: Client,
    endpoint: String,
}

impl Hub {
    fn open(puller: &Puller) -> Result<Self, PullError> {
        let unavailable = |why: String| PullError::Unavailable { name: "the Hub".into(), why };
        let mut builder = ApiBuilder::from_env().with_progress(false);
        if let Some(endpoint) = &puller.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
        }
        let token =
            std::env::var("HF_TOKEN").ok().filter(|t| !t.is_empty()).or_else(|| hf_hub::Cache::from_env().token());
        builder = builder.with_token(token.clone());
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut value = value.map_err(|_| unavailable("HF_TOKEN is not a token".into()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = Client::builder()
            .user_agent(concat!("logwright/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .build()
            .map_err(|e| unavailable(root_cause(&e)))?;
        let endpoint = puller.endpoint.clone().unwrap_or_else(|| "https://huggingface.co".into());
        let api = builder.build().map_err(|e| unavailable(root_cause(&e)))?;
        Ok(Self { api, client, endpoint })
    }

    fn host(&self) -> &str {
        self.endpoint.split("://").last().unwrap_or(&self.endpoint)
    }

    fn unavailable(&self, name: &str, why: impl std::fmt::Display) -> PullError {
        PullError::Unavailable { name: name.to_owned(), why: format!("{}: {why}", self.host()) }
    }

    /// Streams a file to `target`, through `target.part`, resuming what an earlier attempt left there.
    async fn download(
        &self,
        repository: &str,
        file: &str,
        expected: &Expected,
        target: &Path,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<(), PullError> {
        let url = self.api.model(repository.to_owned()).url(file);
        let mut part = target.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut failures = 0;
        loop {
            let before = super::size(&part);
            match self.receive(repository, &url, file, expected, &part, on_progress).await {
                Ok(()) => break,
                // A body that was cut after it brought something is resumed; a source that gives nothing is given up.
                Err(PullError::Unavailable { .. }) if super::size(&part) > before && failures + 1 < ATTEMPTS => {
                    failures += 1
                }
                Err(error) => return Err(error),
            }
        }
        if expected.sha256.is_some() {
            step(on_progress, format!("checking {file}"))?;
        }
        if let Err(why) = expected.check(&part) {
            // Nothing of a wrong file is worth resuming.
            let _ = std::fs::remove_file(&part);
            return Err(PullError::Wrong { what: format!("{} {file}", self.host()), why });
        }
        std::fs::rename(&part, target).map_err(|e| PullError::file(target, e))
    }

    /// One request: appends to the part file what it lacks.
    async fn receive(
        &self,
        repository: &str,
        url: &str,
        file: &str,
        expected: &Expected,
        part: &Path,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<(), PullError> {
        let mut have = super::size(part);
        if expected.bytes.is_some_and(|bytes| have > bytes) {
            std::fs::remove_file(part).map_err(|e| PullError::file(part, e))?;
            have = 0;
        }
        if have > 0 && expected.bytes == Some(have) {
            return Ok(());
        }
        step(on_progress, format!("asking {} for {file}", self.host()))?;
        let mut request = self.client.get(url);
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let mut response = request.send().await.map_err(|e| self.unavailable(repository, root_cause(&e)))?;
        let mut options = OpenOptions::new();
        let mut output: File = match response.status() {
            StatusCode::PARTIAL_CONTENT => options.append(true),
            StatusCode::OK => {
                have = 0;
                options.write(true).create(true).truncate(true)
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                std::fs::remove_file(part).map_err(|e| PullError::file(part, e))?;
                return Err(self.unavailable(repository, format!("cannot resume {file}; pull again")));
            }
            StatusCode::NOT_FOUND => {
                return Err(self.unavailable(repository, format!("has no {repository}/{file} (404)")));
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let why = format!("{repository} needs a token with access to it: set HF_TOKEN ({})", response.status());
                return Err(self.unavailable(repository, why));
            }
            status => return Err(self.unavailable(repository, format!("answers {status} for {file}"))),
        }
        .open(part)
        .map_err(|e| PullError::file(part, e))?;
        let total = expected.bytes.or_else(|| response.content_length().map(|rest| rest + have));
        let mut told = Instant::now();
        let mut tell = |received: u64| match on_progress(Progress::Receiving { file: file.to_owned(), received, total })
        {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(PullError::Cancelled),
        };
        tell(have)?;
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unavailable(repository, root_cause(&e)))? {
            output.write_all(&chunk).map_err(|e| PullError::file(part, e))?;
            have += chunk.len() as u64;
            if expected.bytes.is_some_and(|bytes| have > bytes) {
                drop(output);
                let _ = std::fs::remove_file(part);
                let why = "sends more bytes than the model has".to_owned();
                return Err(PullError::Wrong { what: format!("{} {file}", self.host()), why });
            }
            if told.elapsed() >= TELL {
                told = Instant::now();
                tell(have)?;
            }
        }
        tell(have)?;
        output.sync_all().map_err(|e| PullError::file(part, e))?;
        match total {
            Some(total) if have < total => {
                Err(self.unavailable(repository, format!("{file} ended at {have} of {total} bytes")))
            }
            _ => Ok(()),
        }
    }

    /// Size and, for large files, SHA-256 as the Hub declares them.
    async fn expected(&self, repository: &str, file: &str) -> Result<Expected, PullError> {
        let url = self.api.model(repository.to_owned()).url(file);
        let metadata = tokio::time::timeout(SILENCE, self.api.metadata(&url)).await;
        let metadata = metadata
            .map_err(|_| self.unavailable(repository, "does not answer"))?
            .map_err(|e| self.unavailable(repository, format!("{file}: {}", root_cause(&e))))?;
        let etag = metadata.etag().to_owned();
        let is_sha256 = etag.len() == 64 && etag.bytes().all(|b| b.is_ascii_hexdigit());
        Ok(Expected { bytes: Some(metadata.size() as u64), sha256: is_sha256.then_some(etag) })
    }

    /// The names of a repository's files.
    async fn files(&self, repository: &str) -> Result<Vec<String>, PullError> {
        let info = tokio::time::timeout(CONNECT * 3, self.api.model(repository.to_owned()).info_request().send()).await;
        let response = info
            .map_err(|_| self.unavailable(repository, "does not answer"))?
            .map_err(|e| self.unavailable(repository, root_cause(&e)))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED => {
                let why = format!("has no {repository}, or it needs a token (HF_TOKEN)");
                return Err(self.unavailable(repository, why));
            }
            status => return Err(self.unavailable(repository, format!("answers {status}"))),
        }
        let info: hf_hub::api::RepoInfo =
            response.json().await.map_err(|e| self.unavailable(repository, root_cause(&e)))?;
        Ok(info.siblings.into_iter().map(|s| s.rfilename).collect())
    }
}

/// The innermost cause of an error: what people need to know.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().lines().next().unwrap_or_default().to_owned()
}

fn wait<T>(future: impl Future<Output = Result<T, PullError>>) -> Result<T, PullError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| PullError::Unavailable { name: "the Hub".into(), why: e.to_string() })?.block_on(future)
}

/// Fetches one file whose bytes are known.
pub(super) fn pull_file(
    puller: &Puller,
    repository: &str,
    file: &str,
    expected: &Expected,
    target: &Path,
    on_progress: &mut OnProgress<'_>,
) -> Result<(), PullError> {
    let hub = Hub::open(puller)?;
    wait(hub.download(repository, file, expected, target, on_progress))
}

/// Fetches what the loader needs of a repository: a GGUF file, or the safetensors with their tokenizer.
pub(super) fn pull_repository(
    puller: &Puller,
    repository: &str,
    file: Option<&str>,
    on_progress: &mut OnProgress<'_>,
) -> Result<PathBuf, PullError> {
    let hub = Hub::open(puller)?;
    let folder = puller.models.join(folder_name(repository));
    wait(async {
        step(on_progress, format!("asking {} for {repository}", hub.host()))?;
        let files = hub.files(repository).await?;
        let wanted = choose_files(repository, &files, file)?;
        let single = wanted.len() == 1;
        // A folder of several files appears as a whole.
        let place =
            if single { folder.clone() } else { puller.models.join(format!(".{}.part", folder_name(repository))) };
        std::fs::create_dir_all(&place).map_err(|e| PullError::file(&place, e))?;
        for name in &wanted {
            let target = place.join(name);
            if target.exists() {
                continue;
            }
            let expected = hub.expected(repository, name).await?;
            hub.download(repository, name, &expected, &target, on_progress).await?;
        }
        if single {
            return Ok(folder.join(&wanted[0]));
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(|e| PullError::file(&folder, e))?;
        }
        std::fs::rename(&place, &folder).map_err(|e| PullError::file(&folder, e))?;
        Ok(folder)
    })
}

fn choose_files(repository: &str, files: &[String], file: Option<&str>) -> Result<Vec<String>, PullError> {
    let wrong = |why: &str| PullError::Wrong { what: repository.to_owned(), why: why.to_owned() };
    if let Some(file) = file {
        return match files.iter().any(|f| f == file) {
            true => Ok(vec![file.to_owned()]),
            false => Err(wrong(&format!("has no file {file}"))),
        };
    }
    let has = |name: &str| files.iter().any(|f| f == name);
    let weights: Vec<&String> =
        files.iter().filter(|f| f.starts_with("model") && f.ends_with(".safetensors")).collect();
    if has("config.json") && has("tokenizer.json") && !weights.is_empty() {
        let side = SIDE_FILES.iter().copied().chain(["model.safetensors.index.json"]).filter(|f| has(f));
        return Ok(side.map(str::to_owned).chain(weights.into_iter().cloned()).collect());
    }
    let models: Vec<&String> = files.iter().filter(|f| is_gguf(Path::new(f)) && !f.contains('/')).collect();
    match models.as_slice() {
        [] => Err(wrong("holds neither safetensors with a tokenizer.json nor a GGUF file")),
        [only] => Ok(vec![(*only).clone()]),
        several => {
            let files: Vec<String> = several.iter().map(|f| format!("{repository}/{f}")).collect();
            Err(PullError::Ambiguous { name: repository.to_owned(), files: files.join(", ") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[&str]) -> Vec<String> {
        files.iter().map(|f| (*f).to_owned()).collect()
    }

    #[test]
    fn a_transformers_repository_gives_its_weights_and_tokenizer() {
        let files = names(&["README.md", "config.json", "tokenizer.json", "model.safetensors", "onnx/model.onnx"]);
        let chosen = choose_files("a/b", &files, None).unwrap();
        assert_eq!(chosen, names(&["config.json", "tokenizer.json", "model.safetensors"]));
    }

    #[test]
    fn several_gguf_files_are_offered_by_name() {
        let files = names(&["m.Q4_1.gguf", "m.Q8_0.gguf"]);
        let error = choose_files("a/b", &files, None).unwrap_err().to_string();
        assert!(error.contains("a/b/m.Q4_1.gguf") && error.contains("a/b/m.Q8_0.gguf"), "{error}");
        assert_eq!(choose_files("a/b", &files, Some("m.Q8_0.gguf")).unwrap(), names(&["m.Q8_0.gguf"]));
        assert!(choose_files("a/b", &files, Some("m.Q2_K.gguf")).is_err());
    }
}
