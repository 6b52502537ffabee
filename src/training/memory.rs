//! How much memory there is, and how much this process has taken.

use std::fs;

use crate::model::memory_limit;

/// Bytes for a training whose model is in memory already: what may still be taken, and what this process has. `None` where
/// nobody knows, or anything goes.
pub fn there_is() -> Option<u64> {
    memory_limit().map(|free| free + resident_bytes().unwrap_or(0))
}

/// The most bytes that this process has had in memory at once.
pub fn peak_bytes() -> Option<u64> {
    fs::read_to_string("/proc/self/status").ok().and_then(|text| field(&text, "VmHWM:"))
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
