//! A message cut into tokens, each with a 64-bit key, so that templates are compared as arrays of numbers.

/// The key of a template's variable. No token of a message has it.
pub(super) const VARIABLE_KEY: u64 = 0;

/// The key of a `<*>` in a message: what a mask left behind. It equals no constant and no variable.
pub(super) const MASKED_KEY: u64 = 1;

/// What masks put in place of a variable part.
pub(super) const MASKED: &[u8] = crate::logs::VARIABLE.as_bytes();

/// Set in the keys of tokens longer than seven bytes: those are hashes, and equal keys need a look at the bytes.
const HASHED: u64 = 1 << 63;

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = EACH * 0x80;

/// Odd constants without structure (digits of pi).
const SEED: u64 = 0x243f_6a88_85a3_08d3;
const MULTIPLIER: u64 = 0x1319_8a2e_0370_7345;
const LAST_MULTIPLIER: u64 = 0xa409_3822_299f_31d1;

/// Whether equal keys mean equal tokens only most probably.
pub(super) fn is_hashed(key: u64) -> bool {
    key & HASHED != 0
}

/// Multiplies to 128 bits and folds the halves.
pub(super) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The high bit of every byte up to a space, 0x20; of the lowest such byte for certain, above it perhaps falsely.
fn separators(word: u64) -> u64 {
    word.wrapping_sub(EACH * 0x21) & !word & HIGH_BITS
}

/// The `bytes` lowest bytes of a word; `bytes` is under 8.
fn lowest(word: u64, bytes: u32) -> u64 {
    word & ((1 << (8 * bytes)) - 1)
}

const fn packed(token: &[u8]) -> u64 {
    let mut key = (token.len() as u64) << 56;
    let mut index = 0;
    while index < token.len() {
        key |= (token[index] as u64) << (8 * index);
        index += 1;
    }
    key
}

const PACKED_MASK: u64 = packed(MASKED);

/// Blanks behind the message, so that eight bytes can be read wherever it has one.
const PADDING: [u8; 16] = [b' '; 16];

/// The tokens of one message. Kept between messages, so that none costs an allocation.
///
/// Tokens are parted by blanks and control characters (bytes up to 0x20). Neighbouring tokens that a mask replaced
/// whole count as one: a list of addresses is one variable, however long.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    padded: Vec<u8>,
    keys: Vec<u64>,
    /// Where each token starts and ends in `padded`.
    spans: Vec<(u32, u32)>,
}

impl Tokens {
    /// Cuts `message`, which is under 4 GiB long.
    pub fn split(&mut self, message: &[u8]) {
        self.padded.clear();
        self.padded.extend_from_slice(message);
        self.padded.extend_from_slice(&PADDING);
        self.keys.clear();
        self.spans.clear();

        let line = self.padded.as_slice();
        let end = message.len();
        let word_at = |at: usize| line[at..].first_chunk().map_or(EACH * 0x20, |bytes| u64::from_le_bytes(*bytes));
        let mut at = 0;
        loop {
            while at < end && line[at] <= b' ' {
                at += 1;
            }
            if at >= end {
                break;
            }
            let start = at;
            let mut word = word_at(at);
            let mut found = separators(word);
            let mut key;
            if found != 0 {
                // Seven bytes and their number fit a key as they are.
                let length = found.trailing_zeros() / 8;
                key = lowest(word, length) | u64::from(length) << 56;
                at += length as usize;
                if key == PACKED_MASK {
                    key = MASKED_KEY;
                    if self.keys.last() == Some(&MASKED_KEY) {
                        continue;
                    }
                }
            } else {
                key = SEED;
                while found == 0 {
                    key = fold(key ^ word, MULTIPLIER);
                    at += 8;
                    word = word_at(at);
                    found = separators(word);
                }
                let rest = found.trailing_zeros() / 8;
                at += rest as usize;
                key = fold(key ^ lowest(word, rest), LAST_MULTIPLIER ^ (at - start) as u64) | HASHED;
            }
            self.keys.push(key);
            self.spans.push((start as u32, at as u32));
        }
    }

    /// The key of each token.
    pub fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// A token's bytes.
    pub fn bytes(&self, index: usize) -> &[u8] {
        let (start, end) = self.spans[index];
        &self.padded[start as usize..end as usize]
    }
}

/// Whether a token without its punctuation is a word: ASCII letters and nothing else.
pub(super) fn is_word(token: &[u8]) -> bool {
    let token = token.strip_prefix(b"(").unwrap_or(token);
    let end = token.iter().rposition(|byte| !b".,;:!?)".contains(byte)).map_or(0, |last| last + 1);
    end > 0 && token[..end].iter().all(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use proptest::prelude::*;

    fn split(message: &[u8]) -> Tokens {
        let mut tokens = Tokens::default();
        tokens.split(message);
        tokens
    }

    #[test]
    fn tokens_are_parted_by_any_run_of_blanks() {
        let tokens = split(b" \tdata  TLB error\r\x0b interrupt-handler-failed ");
        let found: Vec<_> = (0..tokens.len()).map(|index| tokens.bytes(index)).collect();
        assert_eq!(found, [b"data" as &[u8], b"TLB", b"error", b"interrupt-handler-failed"]);
        assert_eq!(split(b"").len(), 0);
        assert_eq!(split(b" \n").len(), 0);
    }

    #[test]
    fn masked_neighbours_are_one_variable() {
        assert_eq!(split(b"delete <*> <*>\t<*> now <*>").len(), 4);
        assert_eq!(split(b"delete <*>,<*> <*>").len(), 3);
    }

    #[test]
    fn words_are_told_from_values() {
        for word in [b"severed" as &[u8], b"(reserved)", b"Link", b"failed:"] {
            assert!(is_word(word), "{}", String::from_utf8_lossy(word));
        }
        for value in [b"uid=0" as &[u8], b"core.12", b"...", b"", b"0x1f", b"/tmp/x"] {
            assert!(!is_word(value), "{}", String::from_utf8_lossy(value));
        }
    }

    proptest! {
        #[test]
        fn splitting_agrees_with_the_plain_way_and_keys_with_bytes(message in proptest::collection::vec(any::<u8>(), 0..90)) {
            let tokens = split(&message);
            let plain: Vec<&[u8]> = message.split(|byte| *byte <= b' ').filter(|token| !token.is_empty()).collect();
            let found: Vec<&[u8]> = (0..tokens.len()).map(|index| tokens.bytes(index)).collect();
            prop_assert_eq!(&found, &plain);
            let mut by_key = HashMap::new();
            for (&key, token) in tokens.keys().iter().zip(found) {
                prop_assert!(key > MASKED_KEY);
                prop_assert_eq!(is_hashed(key), token.len() > 7);
                prop_assert_eq!(*by_key.entry(key).or_insert(token), token);
            }
        }
    }
}
