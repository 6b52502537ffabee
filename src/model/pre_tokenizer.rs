//! How text is cut before byte-pair merging: under llama.cpp's names, and as a `tokenizer.json` spells it.

use serde_json::Value as Json;
use tokenizers::SplitDelimiterBehavior;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};

/// A way to cut text; llama.cpp's names (`tokenizer.ggml.pre`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// GPT-2's expression.
    Gpt2,
    /// Every digit apart, then GPT-2's expression (SmolLM, StarCoder).
    SmolLm,
    /// Llama 3's expression: up to three digits together.
    Llama3,
    /// Qwen2's expression: every digit apart.
    Qwen2,
}

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Scheme {
    /// The scheme that a GGUF file names.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "default" | "gpt-2" | "gpt2" => Self::Gpt2,
            "smollm" | "starcoder" => Self::SmolLm,
            "llama-bpe" | "llama3" | "llama-v3" | "smaug-bpe" => Self::Llama3,
            "qwen2" | "deepseek-r1-qwen" => Self::Qwen2,
            _ => return None,
        })
    }

    /// Its name in a GGUF file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gpt2 => "gpt-2",
            Self::SmolLm => "smollm",
            Self::Llama3 => "llama-bpe",
            Self::Qwen2 => "qwen2",
        }
    }

    /// The scheme of a `tokenizer.json`; `None` where it is none of these.
    pub fn of_json(description: &Json) -> Option<Self> {
        let pre = &description["pre_tokenizer"];
        let steps = match pre["type"].as_str()? {
            "Sequence" => pre["pretokenizers"].as_array()?.as_slice(),
            _ => std::slice::from_ref(pre),
        };
        let (last, before) = steps.split_last()?;
        let bytes = last["type"] == "ByteLevel" && last["add_prefix_space"] != true;
        let by_expression = last["use_regex"] != false;
        let found = match before {
            [] if by_expression => Self::Gpt2,
            [digits] if by_expression && digits["type"] == "Digits" && digits["individual_digits"] == true => {
                Self::SmolLm
            }
            [split] if !by_expression && split["type"] == "Split" && split["behavior"] == "Isolated" => {
                match split["pattern"]["Regex"].as_str()? {
                    LLAMA3 => Self::Llama3,
                    QWEN2 => Self::Qwen2,
                    _ => return None,
                }
            }
            _ => return None,
        };
        // The name alone says whether a word of the vocabulary is taken whole.
        let ignores_merges = description["model"]["ignore_merges"] == true;
        (bytes && ignores_merges == found.ignores_merges()).then_some(found)
    }

    /// The cutting itself.
    pub fn pre_tokenizer(self) -> tokenizers::Result<PreTokenizerWrapper> {
        let bytes = |regex: bool| PreTokenizerWrapper::from(ByteLevel::new(false, true, regex));
        let split = |regex: &str| {
            Split::new(SplitPattern::Regex(regex.to_owned()), SplitDelimiterBehavior::Isolated, false).map(Into::into)
        };
        Ok(match self {
            Self::Gpt2 => bytes(true),
            Self::SmolLm => Sequence::new(vec![Digits::new(true).into(), bytes(true)]).into(),
            Self::Llama3 => Sequence::new(vec![split(LLAMA3)?, bytes(false)]).into(),
            Self::Qwen2 => Sequence::new(vec![split(QWEN2)?, bytes(false)]).into(),
        })
    }

    /// Whether a word that is in the vocabulary is taken as it is, whatever the merges say.
    pub fn ignores_merges(self) -> bool {
        self == Self::Llama3
    }

    /// Whether text is put into its composed form (NFC) first.
    pub fn normalises(self) -> bool {
        self == Self::Qwen2
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_scheme_is_known_again_by_its_name_and_by_its_json() {
        for scheme in [Scheme::Gpt2, Scheme::SmolLm, Scheme::Llama3, Scheme::Qwen2] {
            assert_eq!(Scheme::from_name(scheme.name()), Some(scheme));
            let pre = serde_json::to_value(scheme.pre_tokenizer().unwrap()).unwrap();
            let mut description = json!({"pre_tokenizer": pre, "model": {"ignore_merges": scheme.ignores_merges()}});
            assert_eq!(Scheme::of_json(&description), Some(scheme), "{description}");
            description["model"]["ignore_merges"] = json!(!scheme.ignores_merges());
            assert_eq!(Scheme::of_json(&description), None, "{scheme:?}");
        }
        let other = json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]});
        assert_eq!(Scheme::of_json(&json!({"pre_tokenizer": other, "model": {}})), None);
        assert_eq!(Scheme::of_json(&json!({"pre_tokenizer": null, "model": {}})), None);
    }
}
