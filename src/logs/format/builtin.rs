//! The formats that are known by name: headers, masks and Drain's settings as in the LogHub benchmark of log parsers
//! (Zhu et al., ICSE-SEIP 2019).

use crate::logs::DrainSettings;

/// A format known by name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// How its lines begin.
    pub header: &'static str,
    /// What is masked in its messages.
    pub masks: &'static [&'static str],
    /// How its messages are grouped.
    pub drain: DrainSettings,
}

const fn drain(similarity: f64, depth: usize) -> DrainSettings {
    DrainSettings { similarity, depth, max_children: 100 }
}

/// The header that Spirit and Thunderbird share.
const SYSLOG_WITH_ALERTS: &str =
    r"<Label> <Timestamp> <Date> <User> <Month> <Day> <Time> <Location> <Component>(\[<PID>\])?: <Content>";

/// All formats known by name.
pub const BUILT_IN: [BuiltIn; 10] = [
    BuiltIn {
        name: "bgl",
        header: "<Label> <Timestamp> <Date> <Node> <Time> <NodeRepeat> <Type> <Component> <Level> <Content>",
        masks: &[r"core\.\d+"],
        drain: drain(0.5, 4),
    },
    BuiltIn { name: "spirit", header: SYSLOG_WITH_ALERTS, masks: &[r"(\d+\.){3}\d+"], drain: drain(0.5, 4) },
    BuiltIn { name: "thunderbird", header: SYSLOG_WITH_ALERTS, masks: &[r"(\d+\.){3}\d+"], drain: drain(0.5, 4) },
    BuiltIn {
        name: "linux",
        header: r"<Month> <Date> <Time> <Level> <Component>(\[<PID>\])?: <Content>",
        masks: &[r"(\d+\.){3}\d+", r"\d{2}:\d{2}:\d{2}"],
        drain: drain(0.39, 6),
    },
    BuiltIn {
        name: "hdfs",
        header: "<Date> <Time> <Pid> <Level> <Component>: <Content>",
        masks: &[r"blk_-?\d+", r"(\d+\.){3}\d+(:\d+)?"],
        drain: drain(0.5, 4),
    },
    BuiltIn {
        name: "openssh",
        header: r"<Date> <Day> <Time> <Component> sshd\[<Pid>\]: <Content>",
        masks: &[r"(\d+\.){3}\d+", r"([\w-]+\.){2,}[\w-]+"],
        drain: drain(0.6, 5),
    },
    BuiltIn {
        name: "hadoop",
        header: r"<Date> <Time> <Level> \[<Process>\] <Component>: <Content>",
        masks: &[r"(\d+\.){3}\d+"],
        drain: drain(0.5, 4),
    },
    BuiltIn {
        name: "zookeeper",
        header: r"<Date> <Time> - <Level>  \[<Node>:<Component>@<Id>\] - <Content>",
        masks: &[r"(/|)(\d+\.){3}\d+(:\d+)?"],
        drain: drain(0.5, 4),
    },
    BuiltIn {
        name: "openstack",
        header: r"<Logrecord> <Date> <Time> <Pid> <Level> <Component> \[<ADDR>\] <Content>",
        masks: &[r"((\d+\.){3}\d+,?)+", r"/.+?\s", r"\d+"],
        drain: drain(0.5, 5),
    },
    BuiltIn {
        name: "hpc",
        header: "<LogId> <Node> <Component> <State> <Time> <Flag> <Content>",
        masks: &[r"=\d+"],
        drain: drain(0.5, 4),
    },
];

/// The format of this name, however it is capitalised.
pub fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|format| format.name.eq_ignore_ascii_case(name))
}
