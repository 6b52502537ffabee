//! The words of a template, as numbers: what near-duplicates and the label-error finder compare.

/// What stands for a varying part: `<*>`, and any number, which a parser may have left in one template and not in another.
const VARYING: u64 = 0;

/// FNV-1a, 64 bits: the same on every machine and in every run, unlike the standard library's hasher.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

pub(super) fn mix(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

/// Hashes of the words of a text, in order: runs of letters and digits in lower case, with every run of digits taken for
/// one digit (`node12` is `node7`), and a run of nothing but digits, like `<*>`, for what varies. Scripts that write no
/// spaces have a word for each character.
pub(super) fn words(text: &str) -> Vec<u64> {
    let mut words = Vec::new();
    let mut word = Word::default();
    for character in text.replace(crate::logs::VARIABLE, " 0 ").chars() {
        if !character.is_alphanumeric() {
            word.end(&mut words);
        } else if character >= '\u{2e80}' {
            word.end(&mut words);
            word.push(character);
            word.end(&mut words);
        } else {
            word.push(character);
        }
    }
    word.end(&mut words);
    words
}

/// The word that is being read.
#[derive(Default)]
struct Word {
    hash: Option<u64>,
    in_digits: bool,
    letters: bool,
}

impl Word {
    fn push(&mut self, character: char) {
        let digit = character.is_ascii_digit();
        if digit && self.in_digits {
            return;
        }
        self.in_digits = digit;
        self.letters |= !digit;
        let mut hash = self.hash.unwrap_or(FNV_OFFSET);
        let mut bytes = [0; 4];
        if digit {
            hash = mix(hash, b"0");
        } else {
            for lower in character.to_lowercase() {
                hash = mix(hash, lower.encode_utf8(&mut bytes).as_bytes());
            }
        }
        self.hash = Some(hash);
    }

    fn end(&mut self, words: &mut Vec<u64>) {
        let Self { hash, letters, .. } = std::mem::take(self);
        words.extend(hash.map(|hash| if letters { hash } else { VARYING }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_variables_are_alike_and_case_does_not_matter() {
        assert_eq!(words("Node 12: FAILED <*> times"), words("node <*> failed 3 times"));
        assert_eq!(words("ido0chip7"), words("ido12chip34"));
        assert_ne!(words("ido0chip7"), words("ido12"));
        assert_eq!(words("<*><*>").len(), 2);
        assert_eq!(words("電源 off").len(), 3);
        assert!(words("--- !!! ...").is_empty());
    }
}
