//! A run's figures as a TensorBoard event file.
//!
//! The file is a TFRecord: length, its masked CRC-32C, an `Event` message, its masked CRC-32C. The messages need four fields
//! of two protocol buffers (tensorflow/core/util/event.proto, framework/summary.proto), written out here.

use std::fs;
use std::path::Path;

use jiff::Timestamp;

use crate::training::{StepRecord, TrainingError};

/// Writes the folder that `tensorboard --logdir` opens.
pub(super) fn write(steps: &[StepRecord], started: Timestamp, out: &Path) -> Result<(), TrainingError> {
    fs::create_dir_all(out).map_err(|error| TrainingError::file(out, error))?;
    let start = started.as_millisecond() as f64 / 1000.0;
    let mut bytes = Vec::new();
    let mut version = Vec::new();
    double(&mut version, 1, start);
    text(&mut version, 3, b"brain.Event:2");
    record(&mut bytes, &version);
    // A run keeps what each step took, not when it was: the clock of the file is the time spent training.
    let mut clock = start;
    for step in steps {
        clock += step.seconds;
        record(&mut bytes, &event(step, clock));
    }
    let path = out.join(format!("events.out.tfevents.{}.logwright", started.as_second()));
    fs::write(&path, bytes).map_err(|error| TrainingError::file(path, error))
}

/// Every figure of a step by its tag.
fn figures(step: &StepRecord) -> Vec<(String, f64)> {
    let mut figures = vec![
        ("train/loss".to_owned(), step.loss),
        ("train/learning_rate".to_owned(), step.learning_rate),
        ("train/gradient_norm".to_owned(), step.gradient_norm),
        ("train/epoch".to_owned(), step.epoch),
        ("train/tokens_per_second".to_owned(), step.tokens_per_second),
    ];
    // Where there are rewards, what is brought down on what is held out is the reward's opposite, told by its own name.
    let dev_loss = step.dev_loss.filter(|_| !step.statistics.contains_key("dev_reward"));
    figures.extend(dev_loss.map(|loss| ("eval/loss".to_owned(), loss)));
    figures.extend(step.statistics.iter().map(|(name, value)| match name.strip_prefix("dev_") {
        Some(name) => (format!("eval/{name}"), *value),
        None => (format!("train/{name}"), *value),
    }));
    figures
}

/// `Event { wall_time = 1, step = 2, summary = 5 }`, its summary `{ value = 1 { tag = 1, simple_value = 2 } }`.
fn event(step: &StepRecord, clock: f64) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, number) in figures(step) {
        let mut value = Vec::new();
        text(&mut value, 1, tag.as_bytes());
        value.push(2 << 3 | 5);
        value.extend((number as f32).to_le_bytes());
        text(&mut summary, 1, &value);
    }
    let mut event = Vec::new();
    double(&mut event, 1, clock);
    event.push(2 << 3);
    varint(&mut event, step.step as u64);
    text(&mut event, 5, &summary);
    event
}

fn double(out: &mut Vec<u8>, field: u8, value: f64) {
    out.push(field << 3 | 1);
    out.extend(value.to_le_bytes());
}

fn text(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn record(out: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    out.extend(length);
    out.extend(masked_crc(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked_crc(data).to_le_bytes());
}

/// TensorFlow's mask over CRC-32C (tensorflow/core/lib/hash/crc32c.h).
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn every_step_is_a_whole_record_with_its_figures() {
        let folder = tempfile::tempdir().unwrap();
        let mut steps: Vec<StepRecord> =
            (1..=300).map(|step| StepRecord { step, loss: 2.0, seconds: 0.5, ..StepRecord::default() }).collect();
        steps[1].dev_loss = Some(1.5);
        steps[1].statistics.insert("dev_f1".into(), 0.75);
        write(&steps, Timestamp::UNIX_EPOCH, folder.path()).unwrap();
        let bytes = fs::read(folder.path().join("events.out.tfevents.0.logwright")).unwrap();
        let (mut rest, mut records) = (&bytes[..], Vec::new());
        while let Some((length, after)) = rest.split_first_chunk::<8>() {
            let (crc, after) = after.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_le_bytes(*crc), masked_crc(length));
            let (data, after) = after.split_at(u64::from_le_bytes(*length) as usize);
            let (crc, after) = after.split_first_chunk::<4>().unwrap();
            assert_eq!(u32::from_le_bytes(*crc), masked_crc(data));
            records.push(data);
            rest = after;
        }
        assert_eq!(records.len(), 301);
        let holds = |record: &[u8], tag: &str| record.windows(tag.len()).any(|window| window == tag.as_bytes());
        assert!(holds(records[0], "brain.Event:2"));
        assert!(holds(records[2], "eval/loss") && holds(records[2], "eval/f1") && holds(records[2], "train/loss"));
        assert!(!holds(records[3], "eval/"));
        // Step 300 needs two bytes: 0xac 0x02.
        assert_eq!(records[300][9..12], [2 << 3, 0xac, 0x02]);
    }
}
