//! How the sequences of a batch are laid out for attention: few large products, whatever the sequences' lengths.
//!
//! Sequences stand end to end in a batch, without padding. Attention alone takes them in groups of alike lengths, padded within
//! the group; what is padded is masked, and put back it is gone.

use candle_core::{DType, Device, Result, Tensor};

use super::choice::{Choice, NOUGHT, Return};
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
    /// Its queries in pieces whose scores fit, in order.
    pub blocks: Vec<Block>,
}

/// Some queries of each sequence of a group.
#[derive(Debug, Clone)]
pub struct Block {
    /// The first of them.
    pub first: usize,
    /// How many.
    pub queries: usize,
    /// Keys that any of them sees: the first so many.
    pub keys: usize,
    /// 0 where a query sees a key and −∞ where not: sequences (or 1) × 1 × queries × keys.
    pub mask: Option<Tensor>,
}

/// What attention needs where keys and values are those of the batch.
#[derive(Debug, Clone)]
pub struct InBatch {
    /// The groups' keys from the batch's rows.
    pub keys: Choice,
    /// The way back: a row may be part of several texts.
    pub rows: Return,
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
    /// Where keys do not come from a cache.
    pub in_batch: Option<InBatch>,
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
        place: (&Device, DType),
    ) -> Result<Self> {
        Self::within(SCORES, spans, rotation, heads, cached, place)
    }

    /// The same with at most `most` scores together.
    pub(super) fn within(
        most: usize,
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

        let grouped = if cached { behind_cache(&spans) } else { alike(&spans, heads.query, most) };
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
                blocks: blocks(&members, heads.query, most, device, dtype)?,
            });
            for member in members {
                let padded = |rows: Vec<u32>, to: usize| {
                    let missing = to - rows.len();
                    rows.into_iter().chain(std::iter::repeat_n(NOUGHT, missing))
                };
                queries.extend(padded(member.rows, group_queries));
                if !cached {
                    keys.extend(padded(member.text, group_keys));
                }
            }
        }
        let rows = Return::new(&queries, n, device)?;
        let queries = Choice::new(queries, n, device)?;
        let in_batch = if cached {
            None
        } else {
            Some(InBatch { rows: Return::new(&keys, n, device)?, keys: Choice::new(keys, n, device)? })
        };
        Ok(Self { cos, sin, sin_back, spans, groups, queries, rows, in_batch })
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
fn alike(spans: &[Span], heads: usize, most: usize) -> Vec<(usize, Vec<Member>)> {
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
            scores <= most && 2 * span.rows.len() >= queries
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

/// The queries of a group in pieces whose scores fit.
fn blocks(members: &[Member], heads: usize, most: usize, device: &Device, dtype: DType) -> Result<Vec<Block>> {
    let queries = members.iter().map(|member| member.rows.len()).max().unwrap_or(0);
    let start = members.iter().map(|member| member.start).max().unwrap_or(0);
    let all_keys = members.iter().map(|member| member.start + member.rows.len()).max().unwrap_or(0);
    let is_alike = |member: &Member| (member.start, member.rows.len()) == (members[0].start, members[0].rows.len());
    let different = if members.iter().all(is_alike) { &members[..1] } else { members };
    let most = (most / (members.len() * heads * all_keys).max(1)).max(1);
    let block = |first: usize| {
        let block_queries = most.min(queries - first);
        let keys = (start + first + block_queries).min(all_keys);
        // What is padding sees something too, so that its weights are numbers.
        let sees = |member: &Member, query: usize| {
            (member.start + query.min(member.rows.len().saturating_sub(1)) + 1).min(keys) as u32
        };
        let seen =
            different.iter().flat_map(|member| (first..first + block_queries).map(move |query| sees(member, query)));
        let seen: Vec<u32> = seen.collect();
        let mask = if seen.iter().all(|&seen| seen as usize == keys) {
            None
        } else {
            let seen = Tensor::from_vec(seen, (different.len(), 1, block_queries, 1), device)?;
            Some(mask(&seen, keys, dtype)?)
        };
        Ok(Block { first, queries: block_queries, keys, mask })
    };
    (0..queries).step_by(most).map(block).collect()
}

/// 0 for the first `seen` of `keys`, −∞ for the others.
fn mask(seen: &Tensor, keys: usize, dtype: DType) -> Result<Tensor> {
    let device = seen.device();
    let hidden = Tensor::arange(0u32, keys as u32, device)?.reshape((1, 1, 1, keys))?.broadcast_ge(seen)?;
    let filled = |value: f32| Tensor::new(value, device)?.to_dtype(dtype)?.broadcast_as(hidden.shape());
    hidden.where_cond(&filled(f32::NEG_INFINITY)?, &filled(0.0)?)
}
