//! The compact form in which the store knows every line of a log: what it belongs to and how long it is.
//!
//! Numbers are LEB128. `records`, compressed with zstd, has for each line `2 · (cluster + 1) + t` (0 for a line that is
//! in no cluster), its length in bytes with its line end, and, where `t` is 1, the number of its alert tag. `counts` has
//! for each cluster of the chunk, in ascending order, the distance to the cluster before (from -1), how many of its
//! lines there are, and a list of (tag, lines) preceded by its length.

use std::collections::BTreeMap;

/// What is known of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// Its cluster, if it could be read.
    pub cluster: Option<u32>,
    /// Bytes that it takes, with its line end.
    pub length: u64,
    /// Its alert tag, unless it is normal.
    pub tag: Option<u32>,
}

/// What a chunk has of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Count {
    /// How many lines.
    pub lines: u64,
    /// How many lines have which alert tag.
    pub tags: BTreeMap<u32, u64>,
}

/// Damage: not the form that is described above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("lines are not coded as they should be")]
pub(super) struct Damaged;

/// A chunk that is being put together.
#[derive(Debug, Default)]
pub(super) struct ChunkBuilder {
    records: Vec<u8>,
    counts: BTreeMap<u32, Count>,
    /// The counts of late, by cluster: most lines go here.
    recent: Vec<u64>,
    touched: Vec<u32>,
    lines: u64,
    bytes: u64,
}

/// A chunk that is ready for the store.
#[derive(Debug)]
pub(super) struct Chunk {
    /// How many bytes its lines take.
    pub bytes: u64,
    pub records: Vec<u8>,
    pub counts: BTreeMap<u32, Count>,
    /// `counts` as they are stored.
    pub coded_counts: Vec<u8>,
}

impl ChunkBuilder {
    pub fn lines(&self) -> u64 {
        self.lines
    }

    pub fn push(&mut self, record: Record) {
        let cluster = record.cluster.map_or(0, |cluster| u64::from(cluster) + 1);
        put(&mut self.records, cluster << 1 | u64::from(record.tag.is_some()));
        put(&mut self.records, record.length);
        self.lines += 1;
        self.bytes = self.bytes.saturating_add(record.length);
        if let Some(tag) = record.tag {
            put(&mut self.records, u64::from(tag));
        }
        let Some(cluster) = record.cluster else { return };
        let index = cluster as usize;
        if self.recent.len() <= index {
            self.recent.resize(index + 1, 0);
        }
        if self.recent[index] == 0 {
            self.touched.push(cluster);
        }
        self.recent[index] += 1;
        if let Some(tag) = record.tag {
            *self.counts.entry(cluster).or_default().tags.entry(tag).or_default() += 1;
        }
    }

    /// Takes the chunk out.
    pub fn take(&mut self) -> std::io::Result<Chunk> {
        let records = zstd::bulk::compress(&self.records, 1)?;
        self.records.clear();
        self.lines = 0;
        let mut counts = std::mem::take(&mut self.counts);
        for cluster in self.touched.drain(..) {
            counts.entry(cluster).or_default().lines += std::mem::take(&mut self.recent[cluster as usize]);
        }
        let coded_counts = code_counts(&counts);
        Ok(Chunk { bytes: std::mem::take(&mut self.bytes), records, counts, coded_counts })
    }
}

fn code_counts(counts: &BTreeMap<u32, Count>) -> Vec<u8> {
    let mut coded = Vec::new();
    let mut before = 0;
    for (&cluster, count) in counts {
        let next = u64::from(cluster) + 1;
        put(&mut coded, next - before);
        before = next;
        put(&mut coded, count.lines);
        put(&mut coded, count.tags.len() as u64);
        for (&tag, &lines) in &count.tags {
            put(&mut coded, u64::from(tag));
            put(&mut coded, lines);
        }
    }
    coded
}

/// The counts of a chunk, by cluster.
pub(super) fn counts(mut coded: &[u8]) -> Result<Vec<(u32, Count)>, Damaged> {
    let mut counts = Vec::new();
    let mut before = 0u64;
    while !coded.is_empty() {
        before = before.checked_add(take(&mut coded)?).ok_or(Damaged)?;
        let cluster = before.checked_sub(1).and_then(|cluster| u32::try_from(cluster).ok()).ok_or(Damaged)?;
        let mut count = Count { lines: take(&mut coded)?, tags: BTreeMap::new() };
        for _ in 0..take(&mut coded)? {
            let tag = u32::try_from(take(&mut coded)?).map_err(|_| Damaged)?;
            count.tags.insert(tag, take(&mut coded)?);
        }
        counts.push((cluster, count));
    }
    Ok(counts)
}

/// The records of a chunk, line by line.
pub(super) fn records(compressed: &[u8]) -> Result<Vec<Record>, Damaged> {
    let coded = zstd::stream::decode_all(compressed).map_err(|_| Damaged)?;
    let mut coded = coded.as_slice();
    let mut records = Vec::new();
    while !coded.is_empty() {
        let cluster = take(&mut coded)?;
        let length = take(&mut coded)?;
        let tag = if cluster & 1 == 1 { Some(take(&mut coded)?) } else { None };
        let number = |number: u64| u32::try_from(number).map_err(|_| Damaged);
        records.push(Record {
            cluster: (cluster >> 1).checked_sub(1).map(number).transpose()?,
            length,
            tag: tag.map(number).transpose()?,
        });
    }
    Ok(records)
}

fn put(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn take(from: &mut &[u8]) -> Result<u64, Damaged> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first().ok_or(Damaged)?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record() -> impl Strategy<Value = Record> {
        let cluster = prop_oneof![Just(None), (0u32..300).prop_map(Some), any::<u32>().prop_map(|n| Some(n % 5_000))];
        (cluster, any::<u64>(), proptest::option::of(any::<u32>())).prop_map(|(cluster, length, tag)| Record {
            cluster,
            length,
            tag,
        })
    }

    proptest! {
        #[test]
        fn a_chunk_is_read_as_it_was_written(lines in proptest::collection::vec(record(), 0..80)) {
            let mut chunk = ChunkBuilder::default();
            for line in &lines {
                chunk.push(*line);
            }
            prop_assert_eq!(chunk.lines(), lines.len() as u64);
            let taken = chunk.take().unwrap();
            prop_assert_eq!(records(&taken.records).unwrap(), lines.clone());
            prop_assert_eq!(counts(&taken.coded_counts).unwrap(), taken.counts.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(
                taken.counts.values().map(|count| count.lines).sum::<u64>(),
                lines.iter().filter(|line| line.cluster.is_some()).count() as u64
            );
            prop_assert_eq!(chunk.take().unwrap().counts, BTreeMap::new());
        }

        #[test]
        fn damage_is_told(bytes in proptest::collection::vec(any::<u8>(), 1..40)) {
            let _ = (records(&bytes), counts(&bytes));
            prop_assert_eq!(counts(&[0x80]), Err(Damaged));
        }
    }
}
