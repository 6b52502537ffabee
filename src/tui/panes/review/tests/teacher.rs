//! Asking the teacher again, over a connection that answers as a service would.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crossbeam_channel::unbounded;

use super::*;
use crate::tui::effects::{Courier, Edge};

/// A service that gives this text to everybody who asks, until the test ends.
fn service(text: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let body = serde_json::json!({
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 10},
    });
    let body = body.to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            // A request is whole once as much has come after its head as that says.
            let whole = |request: &[u8]| {
                let text = String::from_utf8_lossy(request).to_lowercase();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
                body.len() >= length.unwrap_or(0usize)
            };
            while !whole(&request) {
                match stream.read(&mut piece) {
                    Ok(0) | Err(_) => break,
                    Ok(n) => request.extend(&piece[..n]),
                }
            }
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

impl Bench {
    /// Presses keys, and carries the last effect out as the event loop does: in a thread. Gives what the user is told.
    fn ask(&mut self, keys: &str, hint: &str) -> String {
        self.press(keys);
        let mut effects = type_text(&mut self.state, hint);
        effects.extend(press(&mut self.state, "enter"));
        assert!(self.toast().starts_with("asking the teacher again for r-2"), "{}", self.toast());
        let (sender, inbox) = unbounded();
        let again = Workspace::open(self.workspace.dir()).unwrap();
        let mut edge = Edge::start(again, Courier::new(sender)).unwrap();
        for effect in effects {
            if let app::Effect::Review(effect) = effect {
                super::super::run(effect, &mut edge);
            }
        }
        loop {
            let message = inbox.recv().unwrap().message;
            let over = matches!(message, app::Message::Job(_, app::JobNews::Ended { .. }));
            let effects = tell(&mut self.state, message);
            self.settle(effects);
            if over {
                return self.toast().to_owned();
            }
        }
    }
}

#[test]
fn without_a_teacher_it_is_told_what_to_set() {
    let mut bench = Bench::new();
    let told = bench.ask("R", "");
    assert_eq!(told, "teacher: set endpoint and model under [teacher] in logwright.toml");
}

#[test]
fn what_the_teacher_says_is_a_new_item_of_the_queue() {
    let right = "<think>1. A \"fan\" tells its \"speed\".</think>\n<answer>normal</answer>";
    let settings = format!("[teacher]\nendpoint = \"{}\"\nmodel = \"m\"\n", service(right));
    let mut bench = Bench::with(&settings, &[(ImportKind::Rationales, "rationales.jsonl", RATIONALES)]);
    let told = bench.ask("R", "a speed is no fault");
    assert!(told.starts_with("asked again for r-2: ") && told.ends_with(" waits for review"), "{told}");
    assert_eq!(bench.front(), "r-2", "the cursor stays");
    let rationales = bench.workspace.rationales().unwrap();
    let new = rationales.last().unwrap();
    assert_eq!((rationales.len(), new.attributes["hint"].as_str()), (4, Some("a speed is no fault")));
    assert!(screen(&bench.state, 80, 24).contains("[rationales 0/4]"));
    let told = bench.ask("R", "a speed is no fault");
    assert!(told.contains("what is here already; give another hint"), "{told}");
}

#[test]
fn a_pair_cannot_be_asked_for_again() {
    let mut bench = Bench::new();
    bench.press("right R");
    assert_eq!(bench.toast(), "only a rationale can be asked for again");
}
