//! How the sequences of a batch are laid out for attention: few large products, whatever the sequences' lengths.
//!
//! Sequences stand end to end in a batch, without padding. Attention alone takes them in groups of alike lengths, padded within
//! the group; what is padded is masked, and put back it is gone.

use candle_core::{DType, Device, Result, Tensor};

use super::choice::{Choice, Return};
use crate::model::kernels::attention::{Heads, Rotation, Span};

/// Scores that exist together, of all heads.
pub const SCORES: usize = 1 << 27;

/// Sequences whose attention is computed together.
#[derive(Debug, Clone)]
pub struct Group {
    /// How many.
    pub sequences: usize,
    /// Queries of each, some of them padding.
    pub queries: usize,
    /// Keys of each, some of them padding.
    pub keys: usize,
    /// Where its queries begin among those of all groups.
    pub first_query: usize,
    /// Where its keys begin among those of all groups; behind a cache, the first of its slots.
    pub first_key: usize,
    /// 0 where a query sees a key and −∞ where not: sequences (or 1) × 1 × queries × keys.
    pub mask: Option<Tensor>,
}

/// What all layers need to know of a batch.
#[derive(Debug, Clone)]
pub struct Layout {
    cos: Tensor,
    sin: Tensor,
    sin_back: Tensor,
    /// The sequences, end to end.
    pub spans: Vec<Span>,
    /// The groups.
    pub groups: Vec<Group>,
    /// The groups' queries from the batch's rows.
    pub queries: Choice,
    /// The batch's rows from the groups' queries.
    pub rows: Return,
    /// The groups' keys from the batch's rows; not used behind a cache.
    pub keys: Choice,
    /// The way back from `keys`: a row may be part of several texts.
    pub key_rows: Return,
}

/// A sequence's place in its group.
struct Member {
    /// Its rows of queries.
    rows: Vec<u32>,
    /// The rows of its keys.
    text: Vec<u32>,
    /// Keys that its first query has before itself.
    start: usize,
}

impl Layout {
    /// The layout of `spans`, which end to end take all rows of `rotation`; `cached` where their keys come from a cache.
    ///
    /// # Errors
    /// When the device cannot take it.
    pub fn new(
        spans: Vec<Span>,
        rotation: &Rotation,
        heads: Heads,
        cached: bool,
        (device, dtype): (&Device, DType),
    ) -> Result<Self> {
        let half = heads.dimension / 2;
        let n = rotation.cos.len() / half;
        let angles = |values: &[f32]| Tensor::from_slice(values, (n, half), device)?.to_dtype(dtype);
        let (cos, sin) = (angles(&rotation.cos)?, angles(&rotation.sin)?);
        let sin_back = sin.neg()?;

        let grouped = if cached { behind_cache(&spans) } else { alike(&spans, heads.query) };
        let (mut groups, mut queries, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for (slot, members) in grouped {
            let longest = |length: fn(&Member) -> usize| members.iter().map(length).max().unwrap_or(0);
            let group_queries = longest(|member| member.rows.len());
            let group_keys = longest(|member| member.start + member.rows.len());
            groups.push(Group {
                sequences: members.len(),
                queries: group_queries,
                keys: group_keys,
                first_query: queries.len(),
                first_key: if cached { slot } else { keys.len() },
                mask: mask(&members, group_queries, group_keys, device, dtype)?,
            });
            for member in members {
                let padded = |rows: Vec<u32>, to: usize| {
                    let missing = to - rows.len();
                    rows.into_iter().chain(std::iter::repeat_n(n as u32, missing))
                };
                queries.extend(padded(member.rows, group_queries));
                if !cached {
                    keys.extend(padded(member.text, group_keys));
                }
            }
        }
        let rows = Return::new(&queries, n, device)?;
        let key_rows = Return::new(&keys, n, device)?;
        let (queries, keys) = (Choice::new(queries, n, device)?, Choice::new(keys, n, device)?);
        Ok(Self { cos, sin, sin_back, spans, groups, queries, rows, keys, key_rows })
    }

    /// Rows of `heads` heads turned by their angles.
    ///
    /// # Errors
    /// When the device fails.
    pub fn turn(&self, x: &Tensor, heads: usize) -> Result<Tensor> {
        self.turn_by(x, heads, &self.sin)
    }

    /// The gradient of [`Layout::turn`]: turned the other way.
    ///
    /// # Errors
    /// When the device fails.
    pub fn turn_back(&self, g: &Tensor, heads: usize) -> Result<Tensor> {
        self.turn_by(g, heads, &self.sin_back)
    }

    fn turn_by(&self, x: &Tensor, heads: usize, sin: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let by_head = x.contiguous()?.reshape((1, rows, heads, width / heads))?;
        candle_nn::rotary_emb::rope_thd(&by_head, &self.cos, sin)?.reshape((rows, width))
    }
}

/// Sequences of alike lengths together, as long as their scores fit.
fn alike(spans: &[Span], heads: usize) -> Vec<(usize, Vec<Member>)> {
    let mut order: Vec<&Span> = spans.iter().collect();
    order.sort_by_key(|span| std::cmp::Reverse(span.rows.len()));
    let mut groups: Vec<(usize, Vec<Member>)> = Vec::new();
    let mut keys = 0;
    for span in order {
        let seen = span.start + span.rows.len();
        let member = Member {
            rows: span.rows.clone().map(|row| row as u32).collect(),
            text: span.text().map(|row| row as u32).collect(),
            start: span.start,
        };
        let fits = groups.last().is_some_and(|(_, members)| {
            let queries = members[0].rows.len();
            let scores = (members.len() + 1) * heads * queries * seen.max(keys);
            scores <= SCORES && 2 * span.rows.len() >= queries
        });
        match groups.last_mut() {
            Some((_, members)) if fits => members.push(member),
            _ => {
                keys = 0;
                groups.push((0, vec![member]));
            }
        }
        keys = keys.max(seen);
    }
    groups
}

/// Behind a cache: sequences that grow by one token together, slot by slot, and the others each on its own.
fn behind_cache(spans: &[Span]) -> Vec<(usize, Vec<Member>)> {
    let member = |span: &Span| Member {
        rows: span.rows.clone().map(|row| row as u32).collect(),
        text: Vec::new(),
        start: span.start,
    };
    let (single, several): (Vec<&Span>, Vec<&Span>) = spans.iter().partition(|span| span.rows.len() == 1);
    let mut groups: Vec<(usize, Vec<Member>)> =
        several.into_iter().map(|span| (span.slot, vec![member(span)])).collect();
    let slots = single.iter().map(|span| span.slot);
    if let (Some(first), Some(last)) = (slots.clone().min(), slots.max()) {
        // Slots between them that have nothing to do are computed too and thrown away: one product is quicker than several.
        let idle = || Member { rows: Vec::new(), text: Vec::new(), start: 0 };
        let of_slot = |slot| single.iter().find(|span| span.slot == slot).map_or_else(idle, |span| member(span));
        groups.push((first, (first..=last).map(of_slot).collect()));
    }
    groups
}

/// What each query sees: the keys up to its own. What is padding sees something, so that its weights are numbers.
fn mask(members: &[Member], queries: usize, keys: usize, device: &Device, dtype: DType) -> Result<Option<Tensor>> {
    let sees = |member: &Member, query: usize| member.start + query.min(member.rows.len().saturating_sub(1)) + 1;
    let is_alike = |member: &Member| (member.start, member.rows.len()) == (members[0].start, members[0].rows.len());
    let different = if members.iter().all(is_alike) { &members[..1] } else { members };
    let seen: Vec<usize> = different.iter().flat_map(|member| (0..queries).map(|query| sees(member, query))).collect();
    if seen.iter().all(|&seen| seen == keys) {
        return Ok(None);
    }
    let values =
        seen.iter().flat_map(|&seen| (0..keys).map(move |key| if key < seen { 0f32 } else { f32::NEG_INFINITY }));
    let mask = Tensor::from_iter(values, device)?.reshape((different.len(), 1, queries, keys))?;
    mask.to_dtype(dtype).map(Some)
}
