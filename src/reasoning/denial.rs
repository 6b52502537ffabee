//! What a step names without claiming it of the log: because it says that it is *not* there ("no `panic` or `segfault`"), or because it
//! only asks for it ("I look for words like `error`").

use std::ops::Range;

/// Words after which something is denied, or only supposed.
const DENIALS: &str = "no not without none nor never neither nothing lacks lack lacking absence absent cannot if \
    whether unless would";

/// Words after which something is looked for, where "for" follows.
const SEARCHES: &str = "look looks looking scan scanning check checking search searching";

/// Words after which a claim begins again, whatever was denied before: "it is not routine, since the log says …".
const CLAIMS: &str = "since because but although though while which whereas however says states reads shows \
    reports mentions contains prints indicates names see find";

/// Whether what stands at `claim` in a step (in bytes) is denied, or only asked for, by the words of its sentence before it. A guess
/// by rule: it looks for the last such word, and for one that begins a claim anew after it.
pub fn is_denied(step: &str, claim: &Range<usize>) -> bool {
    let before = without_quotations(&step[sentence_start(step, claim.start)..claim.start]);
    let words: Vec<String> = before
        .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
        .map(|word| word.trim_matches(['\'', '’']).to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    let searches = |at: usize| is_among(SEARCHES, &words[at]) && words.get(at + 1).is_some_and(|word| word == "for");
    let denies = |at: &usize| {
        let word = words[*at].as_str();
        is_among(DENIALS, word) || word.ends_with("n't") || word.ends_with("n’t") || searches(*at)
    };
    (0..words.len()).rev().find(denies).is_some_and(|at| words[at + 1..].iter().all(|word| !is_among(CLAIMS, word)))
}

fn is_among(words: &str, word: &str) -> bool {
    words.split(' ').any(|one| one == word)
}

/// Where the sentence or clause begins that holds the byte `at`: after the last full stop, semicolon, colon or line break that ends
/// one.
fn sentence_start(step: &str, at: usize) -> usize {
    let before = &step[..at];
    let ends = before.char_indices().rev().find(|&(place, c)| {
        let next = before[place + c.len_utf8()..].chars().next();
        c == '\n' || (".;:!?".contains(c) && next.is_some_and(char::is_whitespace))
    });
    ends.map_or(0, |(place, c)| place + c.len_utf8())
}

/// A text with every whole quotation in it left out, and what is open at its end.
fn without_quotations(text: &str) -> String {
    let mut out = String::new();
    for (number, piece) in text.split(['"', '`', '“', '”']).enumerate() {
        if number % 2 == 0 {
            out.push_str(piece);
            out.push(' ');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(step: &str, claim: &str) -> bool {
        let start = step.find(claim).unwrap();
        is_denied(step, &(start..start + claim.len()))
    }

    #[test]
    fn what_is_said_to_be_missing_is_denied() {
        let list = "There are no words such as \"error\", \"fail,\" or \"interrupt\" in it.";
        assert!(["error", "fail,", "interrupt"].iter().all(|claim| denied(list, claim)));
        assert!(denied("It doesn't mention `panic`.", "panic") && denied("It does not name R02-M1.", "R02-M1"));
        assert!(denied("The line goes on without 0x1f.", "0x1f"));
        assert!(denied("I see neither \"lost\" nor \"dead\" there", "dead"));
    }

    #[test]
    fn what_is_only_asked_for_is_not_claimed() {
        assert!(denied("I look for words like `error` or `fail`.", "fail"));
        assert!(denied("Step 4 applies only if there is a keyword such as \"interrupt\"", "interrupt"));
        assert!(!denied("Looking at the log, the term `error` stands out.", "error"));
        assert!(!denied("I check for trouble and find `error`.", "error"));
    }

    #[test]
    fn what_is_claimed_is_not() {
        assert!(!denied("The log says \"segfault\", which is not routine.", "segfault"));
        assert!(!denied("This is not routine, since the log says \"segfault\".", "segfault"));
        assert!(!denied("It is not routine. It says \"segfault\".", "segfault"));
        assert!(!denied("Not routine: \"segfault\".", "segfault"));
        assert!(
            !denied("The log entry \"no route to host\" is followed by \"abort\"", "abort"),
            "denied inside a quotation"
        );
        assert!(!denied("\"segfault\"", "segfault"));
    }
}
