//! R-Log's frames of reasoning as thoughts to begin with: one is chosen for a task and, where it has one, a system.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::reasoning::Task;

/// A thought that comes with the program.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Seed {
    /// Its id.
    pub id: String,
    /// What it helps with.
    pub task: Task,
    /// `conceptual`, `procedural` or `manual`.
    pub kind: String,
    /// The system whose logs it is for; any if `None`.
    #[serde(default)]
    pub system: Option<String>,
    /// What makes such questions hard.
    pub challenge: String,
    /// What to do, in order.
    pub steps: Vec<String>,
}

static SEEDS: LazyLock<Vec<Seed>> = LazyLock::new(|| {
    let lines = include_str!("../../assets/thoughts/seeds.jsonl").lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).expect("the bundled thoughts can be read")).collect()
});

/// All of them, in the order of the file.
pub fn seeds() -> &'static [Seed] {
    &SEEDS
}

/// The seed for a task on the logs of a system: one for that very system, else the procedural one, else the first that is
/// for any system. `None` where there is none for the task.
pub fn seed_for(task: Task, system: &str) -> Option<&'static Seed> {
    let of_task = || SEEDS.iter().filter(|seed| seed.task == task);
    let for_system = of_task().find(|seed| {
        seed.system.as_ref().is_some_and(|known| system.to_ascii_lowercase().contains(&known.to_ascii_lowercase()))
    });
    let general = || of_task().filter(|seed| seed.system.is_none());
    for_system.or_else(|| general().find(|seed| seed.kind == "procedural")).or_else(|| general().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_chosen_by_task_and_system() {
        let id = |task, system| seed_for(task, system).map(|seed| seed.id.as_str());
        assert_eq!(id(Task::Anomaly, "bgl"), Some("seed-anomaly-procedural-bgl"));
        assert_eq!(id(Task::Anomaly, "Spirit2"), Some("seed-anomaly-procedural-spirit"));
        assert_eq!(id(Task::Anomaly, "hdfs"), Some("seed-anomaly-conceptual"));
        assert_eq!(id(Task::RootCause, ""), Some("seed-root-cause-procedural"));
        assert_eq!(id(Task::SemanticMatching, "bgl"), None);
        assert_eq!(seeds().len(), 13);
    }
}
