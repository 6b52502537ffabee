//! How much memory there is, and how much this process has taken.

use std::fs;

use crate::model::{LanguageModel, memory_limit};

/// What a training whose model is loaded already may take, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What may still be taken, and what the model took; `None` where nobody knows, or anything goes.
    pub bytes: Option<u64>,
    /// A device of its own, such as a GPU, has this memory; not the machine.
    pub on_device: bool,
}

impl Room {
    /// The room for a training of `model`: the memory of the device that it is on.
    pub fn of(model: &LanguageModel) -> Self {
        match model.device_memory() {
            Some(memory) => {
                let bytes = Some(memory.free.saturating_add(model.decoder().memory_bytes() as u64));
                Self { bytes, on_device: true }
            }
            None => Self::of_machine(),
        }
    }

    /// The room on the CPU: what may still be taken of the machine's memory, and what this process has.
    pub fn of_machine() -> Self {
        Self { bytes: memory_limit().map(|free| free + resident_bytes().unwrap_or(0)), on_device: false }
    }
}

/// The most bytes that this process has had in memory at once.
pub fn peak_bytes() -> Option<u64> {
    fs::read_to_string("/proc/self/status").ok().and_then(|text| field(&text, "VmHWM:"))
}

/// Begins [`peak_bytes`] anew with what this process has now, where the system can do that: in a program that stays open, what
/// was taken before says nothing of what is tried next.
pub fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Bytes that this process has in memory.
pub fn resident_bytes() -> Option<u64> {
    fs::read_to_string("/proc/self/status").ok().and_then(|text| field(&text, "VmRSS:"))
}

/// `NAME   1234 kB` in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_proc_is_in_bytes() {
        assert_eq!(field("MemTotal:  9 kB\nMemAvailable:    12 kB\n", "MemAvailable:"), Some(12 * 1024));
        assert_eq!(field("MemAvailable:    many\n", "MemAvailable:"), None);
    }
}
