//! A key that must not be seen: not printed, not logged, not kept, and taken out of whatever comes back.

use std::collections::HashSet;
use std::fmt;

/// What stands in its place.
const HIDDEN: &str = "***";
/// A piece of the key this long is hidden too: services like to quote some of it.
const PIECE: usize = 6;
/// A key shorter than this may well be a plain word ("EMPTY"), and stays in texts that a model wrote.
const TELLING: usize = 12;

/// A key. `Debug` and `Display` show nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a key; white space around it does not count. `None` where nothing is left.
    pub fn new(key: &str) -> Option<Self> {
        let key = key.trim();
        (!key.is_empty()).then(|| Self(key.to_owned()))
    }

    /// The key itself, for the header of a request and nothing else.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without the key and without longer pieces of it: for messages.
    pub fn scrub(&self, text: &str) -> String {
        let text = text.replace(&self.0, HIDDEN);
        let key: Vec<char> = self.0.chars().collect();
        if key.len() < PIECE {
            return text;
        }
        let pieces: HashSet<&[char]> = key.windows(PIECE).collect();
        let text: Vec<char> = text.chars().collect();
        let mut hidden = vec![false; text.len()];
        for (at, piece) in text.windows(PIECE).enumerate() {
            if pieces.contains(piece) {
                hidden[at..at + PIECE].fill(true);
            }
        }
        let mut scrubbed = String::with_capacity(text.len());
        for (at, character) in text.iter().enumerate() {
            match hidden[at] {
                false => scrubbed.push(*character),
                true if at == 0 || !hidden[at - 1] => scrubbed.push_str(HIDDEN),
                true => {}
            }
        }
        scrubbed
    }

    /// `text` without the key: for what a model wrote, in which other words must stand.
    pub fn scrub_whole(&self, text: String) -> String {
        if self.0.len() >= TELLING && text.contains(&self.0) { text.replace(&self.0, HIDDEN) } else { text }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_of_it_is_shown() {
        let secret = Secret::new(" sk-proj-abcdef123456 \n").unwrap();
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.reveal(), "sk-proj-abcdef123456");
        assert_eq!(Secret::new(" \n"), None);
    }

    #[test]
    fn it_is_taken_out_of_texts_whole_and_in_pieces() {
        let secret = Secret::new("sk-proj-abcdef123456").unwrap();
        assert_eq!(secret.scrub("Bearer sk-proj-abcdef123456!"), "Bearer ***!");
        assert_eq!(secret.scrub("wrong key sk-proj-abc****3456"), "wrong key *******3456");
        assert_eq!(secret.scrub_whole("it says sk-proj-abcdef123456".into()), "it says ***");
        let word = Secret::new("EMPTY").unwrap();
        assert_eq!((word.scrub("EMPTY?"), word.scrub_whole("EMPTY?".into())), ("***?".into(), "EMPTY?".into()));
    }

    proptest! {
        #[test]
        fn no_long_piece_of_a_key_survives(key in "[a-z0-9-]{6,24}", before in "\\PC{0,20}", after in "\\PC{0,20}", cut in 0_usize..18) {
            let secret = Secret::new(&key).unwrap();
            let end = (cut + PIECE).min(key.len());
            let start = end - PIECE;
            let scrubbed = secret.scrub(&format!("{before}{}{after}{key}", &key[start..end]));
            for piece in key.as_bytes().windows(PIECE) {
                prop_assert!(!scrubbed.contains(std::str::from_utf8(piece).unwrap()), "{scrubbed}");
            }
        }
    }
}
