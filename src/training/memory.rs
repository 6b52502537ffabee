//! How much memory there is, and how much this process has taken.

use std::fs;
use std::path::Path;

/// Bytes that this process may still take: what the system says is available, or what its control group leaves of its limit,
/// whichever is less. `None` where neither can be read.
pub fn available_bytes() -> Option<u64> {
    let system = fs::read_to_string("/proc/meminfo").ok().and_then(|text| field(&text, "MemAvailable:"));
    let group = group_leaves(Path::new("/sys/fs/cgroup"));
    system.into_iter().chain(group).min()
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

/// What a control group (version 2, or 1 with its memory controller) leaves; pages that only cache files can be taken back.
fn group_leaves(root: &Path) -> Option<u64> {
    let number = |path: &str| fs::read_to_string(root.join(path)).ok()?.trim().parse::<u64>().ok();
    let statistic = |path: &str, name: &str| {
        let text = fs::read_to_string(root.join(path)).ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
    };
    let (limit, used, cached) = match number("memory.max") {
        Some(limit) => (limit, number("memory.current")?, statistic("memory.stat", "inactive_file ")),
        None => (
            number("memory/memory.limit_in_bytes")?,
            number("memory/memory.usage_in_bytes")?,
            statistic("memory/memory.stat", "total_inactive_file "),
        ),
    };
    Some(limit.saturating_sub(used.saturating_sub(cached.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_leaves_what_is_not_used_and_what_only_caches() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(group_leaves(folder.path()), None);
        fs::write(folder.path().join("memory.max"), "max\n").unwrap();
        assert_eq!(group_leaves(folder.path()), None);
        fs::write(folder.path().join("memory.max"), "1000\n").unwrap();
        fs::write(folder.path().join("memory.current"), "700\n").unwrap();
        fs::write(folder.path().join("memory.stat"), "anon 500\ninactive_file 150\n").unwrap();
        assert_eq!(group_leaves(folder.path()), Some(450));
    }

    #[test]
    fn a_field_of_proc_is_in_bytes() {
        assert_eq!(field("MemTotal:  9 kB\nMemAvailable:    12 kB\n", "MemAvailable:"), Some(12 * 1024));
        assert_eq!(field("MemAvailable:    many\n", "MemAvailable:"), None);
    }
}
