//! How well messages are grouped, against the events that people found in LogHub's samples.
//!
//! Grouping accuracy (Zhu et al., ICSE-SEIP 2019): the share of lines whose group holds just the lines of their event.
//! The floors are what was published for Drain; where ours is better, that is the floor.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use logwright::logs::format::{LineFormat, built_in};
use logwright::logs::{Drain, DrainLimits, MaskBuffers, Masks};

/// The samples, if they are here: they are not part of the project.
fn samples() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/loghub");
    let found = dir.is_dir();
    if !found {
        println!("skipped: {} is not here", dir.display());
    }
    found.then_some(dir)
}

/// The share of lines whose group and event are the same set of lines.
fn grouping_accuracy(groups: &[u32], events: &[String]) -> f64 {
    let mut lines_of_group: HashMap<u32, Vec<usize>> = HashMap::new();
    let mut size_of_event: HashMap<&str, usize> = HashMap::new();
    for (line, (&group, event)) in groups.iter().zip(events).enumerate() {
        lines_of_group.entry(group).or_default().push(line);
        *size_of_event.entry(event).or_default() += 1;
    }
    let right: usize = lines_of_group
        .values()
        .filter(|lines| {
            let event = &events[lines[0]];
            lines.iter().all(|&line| events[line] == *event) && size_of_event[event.as_str()] == lines.len()
        })
        .map(Vec::len)
        .sum();
    right as f64 / events.len() as f64
}

#[test]
fn groups_are_at_least_as_right_as_published() {
    let Some(dir) = samples() else { return };
    for (name, file, floor) in
        [("bgl", "BGL", 0.970), ("thunderbird", "Thunderbird", 0.955), ("hdfs", "HDFS", 1.0), ("linux", "Linux", 0.690)]
    {
        let known = built_in(name).unwrap();
        let format = LineFormat::new(known.header).unwrap();
        let masks = Masks::new(known.masks).unwrap();
        let mut buffers = MaskBuffers::default();
        let mut drain = Drain::new(known.drain, DrainLimits::default());

        let log = fs::read(dir.join(format!("{file}_2k.log"))).unwrap();
        let mut table = csv::Reader::from_path(dir.join(format!("{file}_2k.log_structured.csv"))).unwrap();
        let header = table.headers().unwrap().clone();
        let column = |wanted: &str| header.iter().position(|name| name == wanted).unwrap();
        let (content, event) = (column("Content"), column("EventId"));
        let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();

        let mut groups = Vec::new();
        for (line, row) in log.split(|byte| *byte == b'\n').zip(&rows) {
            let message = format.read(line).unwrap().content;
            assert_eq!(String::from_utf8_lossy(message), row[content], "{name}: the header is split as LogHub does");
            groups.push(drain.add(masks.apply(message, &mut buffers)));
        }
        let events: Vec<String> = rows.iter().map(|row| row[event].to_owned()).collect();
        assert_eq!(groups.len(), 2_000);
        let accuracy = grouping_accuracy(&groups, &events);
        println!("{name}: grouping accuracy {accuracy:.4} over 2000 lines, {} templates", drain.len());
        assert!(accuracy >= floor, "{name}: {accuracy} is under {floor}");
    }
}
