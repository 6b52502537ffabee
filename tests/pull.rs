//! Pulling models from a Hub on the loopback: whole, cut, missing and wrong answers.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc;

use logwright::model::Progress;
use logwright::model::pull::{DEFAULT_MODEL, PullError, Puller};
use serde_json::json;
use sha2::{Digest, Sha256};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const REPOSITORY: &str = "someone/model";
const FILE: &str = "model.Q4_1.gguf";

fn body() -> Vec<u8> {
    (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// A Hub that lists one repository and declares its file as having `etag`.
async fn hub(files: &[&str], etag: &str) -> MockServer {
    let server = MockServer::start().await;
    let siblings: Vec<_> = files.iter().map(|f| json!({ "rfilename": f })).collect();
    Mock::given(method("GET"))
        .and(path(format!("/api/models/{REPOSITORY}/revision/main")))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "siblings": siblings, "sha": "abc" })))
        .mount(&server)
        .await;
    let declared = ResponseTemplate::new(206)
        .insert_header("etag", format!("\"{etag}\"").as_str())
        .insert_header("x-repo-commit", "abc")
        .insert_header("content-range", format!("bytes 0-0/{}", body().len()).as_str())
        .set_body_bytes(&body()[..1]);
    Mock::given(method("GET"))
        .and(header("range", "bytes=0-0"))
        .respond_with(declared)
        .with_priority(1)
        .mount(&server)
        .await;
    server
}

async fn serve(server: &MockServer, bytes: Vec<u8>) {
    Mock::given(method("GET"))
        .and(path(format!("/{REPOSITORY}/resolve/main/{FILE}")))
        .respond_with(ResponseTemplate::new(200).set_body_bytes(bytes))
        .mount(server)
        .await;
}

struct Pulled {
    result: Result<PathBuf, PullError>,
    progress: Vec<Progress>,
}

/// Pulls on a thread of its own, as the program does.
fn pull(endpoint: &str, folder: &std::path::Path, name: &str) -> Pulled {
    let puller = Puller::mirror(endpoint, folder);
    let name = name.to_owned();
    let worker = std::thread::spawn(move || {
        let mut progress = Vec::new();
        let result = puller.pull(&name, &mut |p| {
            progress.push(p);
            ControlFlow::Continue(())
        });
        Pulled { result, progress }
    });
    worker.join().unwrap()
}

fn nothing_half_done(folder: &std::path::Path) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(path.extension().is_none_or(|e| e != "part"), "{}", path.display());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_comes_whole_and_is_then_installed() {
    let server = hub(&[FILE, "README.md"], &sha256(&body())).await;
    serve(&server, body()).await;
    let folder = tempfile::tempdir().unwrap();
    let pulled = pull(&server.uri(), folder.path(), REPOSITORY);
    let path = pulled.result.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), body());
    let last = pulled.progress.iter().rfind(|p| matches!(p, Progress::Receiving { .. })).unwrap();
    let size = body().len() as u64;
    assert_eq!(*last, Progress::Receiving { file: FILE.into(), received: size, total: Some(size) });
    nothing_half_done(folder.path());

    let puller = Puller::mirror("http://127.0.0.1:9", folder.path());
    assert!(puller.installed(REPOSITORY).is_some());
    assert_eq!(puller.list()[0].name, format!("{REPOSITORY}/{FILE}"));
    // What is here is not asked for again.
    assert!(puller.pull(REPOSITORY, &mut |_| ControlFlow::Continue(())).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_told_as_missing() {
    let server = hub(&["README.md"], "x").await;
    let folder = tempfile::tempdir().unwrap();
    let error = pull(&server.uri(), folder.path(), REPOSITORY).result.unwrap_err().to_string();
    assert!(error.contains("neither safetensors") && error.contains("GGUF"), "{error}");
    let error = pull(&server.uri(), folder.path(), "no/such").result.unwrap_err().to_string();
    assert!(error.contains("has no no/such") && error.contains("HF_TOKEN"), "{error}");
    // The default model's file is not there either.
    let error = pull(&server.uri(), folder.path(), DEFAULT_MODEL).result.unwrap_err().to_string();
    assert!(error.contains("404") && error.contains("local file"), "{error}");
    assert!(!error.contains('\n'));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_another_hash_is_refused_and_not_kept() {
    let server = hub(&[FILE], &sha256(&body())).await;
    let mut wrong = body();
    wrong[1000] ^= 1;
    serve(&server, wrong).await;
    let folder = tempfile::tempdir().unwrap();
    let error = pull(&server.uri(), folder.path(), REPOSITORY).result.unwrap_err().to_string();
    assert!(error.contains("SHA-256") && error.contains(&sha256(&body())), "{error}");
    assert!(Puller::mirror("http://127.0.0.1:9", folder.path()).installed(REPOSITORY).is_none());
    nothing_half_done(folder.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_pull_stops_and_says_so() {
    let server = hub(&[FILE], &sha256(&body())).await;
    serve(&server, body()).await;
    let folder = tempfile::tempdir().unwrap();
    let puller = Puller::mirror(server.uri(), folder.path());
    let worker = std::thread::spawn(move || {
        puller.pull(REPOSITORY, &mut |p| match p {
            Progress::Receiving { .. } => ControlFlow::Break(()),
            Progress::Step(_) => ControlFlow::Continue(()),
        })
    });
    assert!(matches!(worker.join().unwrap(), Err(PullError::Cancelled)));
}

#[test]
fn no_network_is_one_clear_line() {
    // Nothing listens on the discard port.
    let folder = tempfile::tempdir().unwrap();
    for name in [REPOSITORY, DEFAULT_MODEL] {
        let error = pull("http://127.0.0.1:9", folder.path(), name).result.unwrap_err().to_string();
        assert!(error.contains("127.0.0.1:9") && error.contains("network"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_read_only_cache_folder_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let models = folder.path().join("models");
    if std::fs::create_dir(&models).is_ok() {
        println!("skipped: this user may write everywhere");
        return;
    }
    let error = pull("http://127.0.0.1:9", &models, DEFAULT_MODEL).result.unwrap_err().to_string();
    assert!(error.contains("models") && error.contains("denied"), "{error}");
}

/// A Hub that sends half of the file, hangs up, and then serves the range that it is asked for.
fn cutting_hub(listener: TcpListener, ranges: mpsc::Sender<String>) {
    let bytes = body();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut request, mut range) = (String::new(), None);
        reader.read_line(&mut request).unwrap();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("range: bytes=") {
                range = Some(value.trim().to_owned());
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let size = bytes.len();
        if request.contains("/api/models/") {
            let json = json!({ "siblings": [{ "rfilename": FILE }], "sha": "abc" }).to_string();
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{json}", json.len())
                .unwrap();
            continue;
        }
        match range.as_deref() {
            Some("0-0") => write!(
                stream,
                "HTTP/1.1 206 Partial Content\r\netag: \"{}\"\r\nx-repo-commit: abc\r\ncontent-range: bytes 0-0/{size}\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx",
                sha256(&bytes)
            )
            .unwrap(),
            Some(range) => {
                ranges.send(range.to_owned()).unwrap();
                let start: usize = range.trim_end_matches('-').parse().unwrap();
                write!(
                    stream,
                    "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {start}-{}/{size}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    size - 1,
                    size - start
                )
                .unwrap();
                stream.write_all(&bytes[start..]).unwrap();
                return;
            }
            None => {
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n").unwrap();
                stream.write_all(&bytes[..size / 2]).unwrap();
            }
        }
    }
}

#[test]
fn a_cut_body_is_resumed_where_it_was_cut() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, ranges) = mpsc::channel();
    let server = std::thread::spawn(move || cutting_hub(listener, sender));
    let folder = tempfile::tempdir().unwrap();
    let path = pull(&endpoint, folder.path(), REPOSITORY).result.unwrap();
    server.join().unwrap();
    assert_eq!(std::fs::read(path).unwrap(), body());
    let start: usize = ranges.recv().unwrap().trim_end_matches('-').parse().unwrap();
    assert!(start > 0 && start <= body().len() / 2);
    nothing_half_done(folder.path());
}
