//! Text to the word pieces of a BERT, framed by `[CLS]` and `[SEP]`.
//!
//! Text is encoded as text: `[SEP]` inside a log line becomes ordinary pieces, never the token.

use std::path::Path;

use tokenizers::Tokenizer;

use super::super::ModelError;

pub(super) struct WordPieces {
    inner: Tokenizer,
    first: u32,
    last: u32,
}

impl WordPieces {
    pub fn load(folder: &Path, vocabulary: usize) -> Result<Self, ModelError> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|error| ModelError::file(&path, error))?;
        let mut description: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| ModelError::damaged(&path, error))?;
        if !description.is_object() {
            return Err(ModelError::damaged(&path, "not the description of a tokenizer"));
        }
        // Framing and cutting are done here; their reader panics over what it does not know.
        for part in ["decoder", "post_processor", "padding", "truncation"] {
            description[part] = serde_json::Value::Null;
        }
        let mut inner =
            Tokenizer::from_bytes(description.to_string()).map_err(|error| ModelError::damaged(&path, error))?;
        inner.set_encode_special_tokens(true);
        let id =
            |token: &str| inner.token_to_id(token).ok_or_else(|| ModelError::damaged(&path, format!("no {token}")));
        let (first, last) = (id("[CLS]")?, id("[SEP]")?);
        let largest = inner.get_vocab(true).values().copied().max().unwrap_or_default();
        if largest as usize >= vocabulary {
            return Err(ModelError::damaged(&path, format!("token {largest} of a vocabulary of {vocabulary}")));
        }
        Ok(Self { inner, first, last })
    }

    /// At most `most` ids, the two of the frame among them.
    pub fn encode(&self, text: &str, most: usize) -> Result<Vec<u32>, ModelError> {
        // A text of megabytes is not taken apart for the sake of its beginning; a piece has at most some tens of bytes.
        let text = text.trim();
        let longest = text.len().min(most * 128);
        let beginning = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        let encoding = self.inner.encode_fast(&text[..beginning], false);
        let encoding = encoding.map_err(|error| ModelError::Tokenizer(error.to_string()))?;
        let pieces = encoding.get_ids().iter().copied().take(most.saturating_sub(2));
        Ok(std::iter::once(self.first).chain(pieces).chain([self.last]).collect())
    }
}
