//! SentencePiece's byte-pair tokenizers as GGUF carries them (Llama 1 and 2, TinyLlama, Mistral v0.1): pieces with scores
//! in place of merges.
//!
//! SentencePiece joins, again and again, the two neighbours whose joint piece has the highest score; of equals the leftmost
//! (Kudo & Richardson 2018, "SentencePiece"). That is byte-pair encoding with the pairs ranked by their joint piece's
//! score, which is how it is built here. What no piece covers is spelt in bytes.

use std::collections::HashMap;

use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::prepend::Prepend;
use tokenizers::normalizers::replace::Replace;
use tokenizers::normalizers::{NormalizerWrapper, Sequence};
use tokenizers::{Result, Tokenizer};

/// SentencePiece's stand-in for a space.
const SPACE: &str = "▁";

/// GGUF's `tokenizer.ggml.token_type` of an ordinary piece, the only ones that are joined.
const NORMAL: usize = 1;

/// A tokenizer of these pieces; ids are their places. `prefixed`: a text that does not follow another begins with a space.
pub(super) fn tokenizer(
    pieces: &[&str],
    scores: &[f32],
    kinds: &[usize],
    unknown: Option<u32>,
    prefixed: bool,
) -> Result<Tokenizer> {
    let vocabulary: tokenizers::models::bpe::Vocab =
        pieces.iter().zip(0..).map(|(piece, id)| ((*piece).to_owned(), id)).collect();
    let mut model =
        BPE::builder().vocab_and_merges(vocabulary, merges(pieces, scores, kinds)).byte_fallback(true).fuse_unk(true);
    if let Some(unknown) = unknown.and_then(|id| pieces.get(id as usize)) {
        model = model.unk_token((*unknown).to_owned());
    }
    let mut tokenizer = Tokenizer::new(model.build()?);
    let spaces: NormalizerWrapper = Replace::new(" ", SPACE)?.into();
    let first: Option<NormalizerWrapper> = prefixed.then(|| Prepend::new(SPACE.to_owned()).into());
    tokenizer.with_normalizer(Some(Sequence::new(first.into_iter().chain([spaces]).collect())))?;
    Ok(tokenizer)
}

/// What turns pieces into text again, for a `tokenizer.json`.
pub(super) fn decoder() -> Result<Decoders> {
    Ok(Decoders::new(vec![
        Replace::new(SPACE, " ")?.into(),
        ByteFallback::new().into(),
        Fuse::new().into(),
        Strip::new(' ', 1, 0).into(),
    ]))
}

/// Scores that stand for these merges: of two joint pieces the one that is merged first scores higher. Pieces that nothing is
/// merged into score least. An error names what no scores can say.
pub(super) fn scores(
    pieces: &[&str],
    kinds: &[usize],
    ranked: &[(String, String)],
) -> std::result::Result<Vec<f32>, String> {
    let ranks: HashMap<(&str, &str), usize> =
        ranked.iter().enumerate().map(|(rank, (left, right))| ((left.as_str(), right.as_str()), rank)).collect();
    let mut scores = vec![-(ranked.len() as f32) - 1.0; pieces.len()];
    let ids: HashMap<&str, usize> = pieces.iter().enumerate().map(|(id, piece)| (*piece, id)).collect();
    // Any order of the scores will do to find the pairs that SentencePiece would join.
    let mut spans: HashMap<usize, (usize, usize)> = HashMap::new();
    for (left, right) in merges(pieces, &[], kinds) {
        let Some(&rank) = ranks.get(&(left.as_str(), right.as_str())) else {
            return Err(format!("a tokenizer that never joins {left:?} and {right:?}, as SentencePiece would"));
        };
        let Some(&id) = ids.get(format!("{left}{right}").as_str()) else { continue };
        let (first, last) = spans.entry(id).or_insert((rank, rank));
        (*first, *last) = ((*first).min(rank), (*last).max(rank));
    }
    let mut ordered: Vec<(usize, usize, usize)> =
        spans.into_iter().map(|(id, (first, last))| (first, last, id)).collect();
    ordered.sort_unstable();
    if let Some(pair) = ordered.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        return Err(format!("a tokenizer that ranks ways to join {:?} apart", pieces[pair[0].2]));
    }
    for (first, _, id) in ordered {
        scores[id] = -(first as f32);
    }
    Ok(scores)
}

/// Every way to join two pieces into a third, the third's score deciding the order.
fn merges(pieces: &[&str], scores: &[f32], kinds: &[usize]) -> Vec<(String, String)> {
    let normal = |id: usize| kinds.get(id).is_none_or(|kind| *kind == NORMAL);
    let known: HashMap<&str, usize> =
        pieces.iter().enumerate().filter(|(id, _)| normal(*id)).map(|(id, piece)| (*piece, id)).collect();
    let mut joined: Vec<(f32, usize, &str, &str)> = Vec::new();
    for (piece, &id) in &known {
        let score = scores.get(id).copied().unwrap_or(f32::NEG_INFINITY);
        for (at, _) in piece.char_indices().skip(1) {
            let (left, right) = piece.split_at(at);
            if known.contains_key(left) && known.contains_key(right) {
                joined.push((score, id, left, right));
            }
        }
    }
    // Of one piece's pairs any may come first: they never meet over the same characters with the same result.
    joined.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.len().cmp(&b.2.len())));
    joined.into_iter().map(|(_, _, left, right)| (left.to_owned(), right.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_made_of_merges_say_the_same_and_what_they_cannot_say_is_refused() {
        let pieces = ["<unk>", "a", "b", "c", "d", "ab", "bc", "abc", "cd"];
        let kinds = [2, 1, 1, 1, 1, 1, 1, 1, 1];
        let ranked: Vec<(String, String)> = [("b", "c"), ("a", "b"), ("a", "bc"), ("ab", "c"), ("c", "d")]
            .map(|(left, right)| (left.to_owned(), right.to_owned()))
            .to_vec();
        let made = scores(&pieces, &kinds, &ranked).unwrap();
        assert_eq!(made, [-6.0, -6.0, -6.0, -6.0, -6.0, -1.0, -0.0, -2.0, -4.0]);
        let said: std::collections::HashSet<_> = merges(&pieces, &made, &kinds).into_iter().collect();
        assert_eq!(said, ranked.iter().cloned().collect());
        assert!(scores(&pieces, &kinds, &ranked[1..]).unwrap_err().contains("never joins \"b\" and \"c\""));
        let mut apart = ranked;
        apart.swap(3, 4);
        assert!(scores(&pieces, &kinds, &apart).unwrap_err().contains("\"abc\" apart"));
    }

    #[test]
    fn the_best_scored_neighbours_are_joined_first_and_the_rest_is_spelt_in_bytes() {
        let pieces = ["<unk>", "<0xC3>", "<0xA9>", "▁", "a", "b", "c", "ab", "bc", "▁a", "<0x61>"];
        let scores = [0.0, 0.0, 0.0, -8.0, -5.0, -6.0, -7.0, -2.0, -1.0, -3.0, 0.0];
        let kinds = [2, 6, 6, 1, 1, 1, 1, 1, 1, 1, 6];
        let tokenizer = tokenizer(&pieces, &scores, &kinds, Some(0), true).unwrap();
        let ids = |text: &str| tokenizer.encode_fast(text, false).unwrap().get_ids().to_vec();
        assert_eq!(ids("abc"), [9, 8], "bc before ab");
        assert_eq!(ids("ab"), [3, 7], "ab before the space and a");
        assert_eq!(ids("é"), [3, 1, 2]);
        assert_eq!(ids(""), [0_u32; 0]);
    }
}
