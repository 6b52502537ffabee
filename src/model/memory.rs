//! What a model will take of the machine's memory, reckoned before it is loaded, and what there is.
//!
//! The system would end the program without a word where memory runs out, and perhaps others with it. So a load that
//! cannot fit is refused with the numbers; `LOGWRIGHT_MEMORY` says otherwise.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::ModelError;
use super::config::ModelConfig;

/// Names what a model may take: a number of bytes (`8GB` and the like), or `unlimited` to try all the same.
pub const MEMORY_VARIABLE: &str = "LOGWRIGHT_MEMORY";

/// What a model takes on the CPU, in bytes. Reckoned, and meant to be a little high.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Footprint {
    /// The weights, as the file has them.
    pub weights_bytes: u64,
    /// Keys and values that a token leaves for those after it.
    pub cache_bytes_per_token: u64,
    /// What a token takes while it goes through a layer.
    pub activation_bytes_per_token: u64,
    /// Logits and buffers, whatever the length.
    pub fixed_bytes: u64,
}

impl Footprint {
    /// The footprint of a model of this shape whose weights take `weights_bytes`.
    pub fn of(config: &ModelConfig, weights_bytes: u64) -> Self {
        const FLOAT: u64 = 4;
        let [hidden, intermediate, vocabulary, layers] =
            [config.hidden, config.intermediate, config.vocabulary, config.layers].map(|size| size as u64);
        let (query, key_value) = (config.heads.query_width() as u64, config.heads.key_value_width() as u64);
        Self {
            weights_bytes,
            cache_bytes_per_token: FLOAT * 2 * layers * key_value,
            // The residual stream and its norm, query, key and value before and after they are turned, gate, up and
            // their product.
            activation_bytes_per_token: FLOAT * (4 * hidden + 2 * (query + 2 * key_value) + 3 * intermediate),
            // A row of logits with its copies, and the program itself.
            fixed_bytes: FLOAT * 4 * vocabulary + (32 << 20),
        }
    }

    /// Bytes for one sequence of `tokens` tokens.
    pub fn total_bytes(&self, tokens: usize) -> u64 {
        let per_token = self.cache_bytes_per_token.saturating_add(self.activation_bytes_per_token);
        let fixed = self.weights_bytes.saturating_add(self.fixed_bytes);
        per_token.saturating_mul(tokens as u64).saturating_add(fixed)
    }

    /// Refuses a model that does not fit with one sequence of `tokens` tokens.
    pub(super) fn check(&self, path: &Path, tokens: usize) -> Result<(), ModelError> {
        let needed = self.total_bytes(tokens);
        match limit() {
            Some(available) if needed > available => {
                Err(ModelError::Memory { path: path.to_owned(), footprint: *self, tokens, available })
            }
            _ => Ok(()),
        }
    }
}

/// Bytes that a model may take: what [`MEMORY_VARIABLE`] says, else what is free; `None` where nobody knows.
pub fn limit() -> Option<u64> {
    match std::env::var(MEMORY_VARIABLE) {
        Ok(said) if said.trim().eq_ignore_ascii_case("unlimited") => None,
        Ok(said) => parse_bytes(&said).or_else(available_bytes),
        Err(_) => available_bytes(),
    }
}

/// `1500000000`, `1.5 GB`, `800MiB`.
fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c.is_whitespace());
    let unit = match text[digits.len()..].trim() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let number: f64 = digits.parse().ok()?;
    (number >= 0.0).then_some((number * unit) as u64)
}

/// Bytes that are free for this process: the machine's, or those of the control group that it lives in.
fn available_bytes() -> Option<u64> {
    available_below(Path::new("/"))
}

fn available_below(root: &Path) -> Option<u64> {
    let machine = fs::read_to_string(root.join("proc/meminfo")).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib.saturating_mul(1024))
    });
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let left = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next()?, fields.next()?);
        let group = group.trim_start_matches('/');
        match controllers {
            "" => left_of(&root.join("sys/fs/cgroup"), group, &["memory.max", "memory.current", "inactive_file"]),
            memory if memory.split(',').any(|name| name == "memory") => left_of(
                &root.join("sys/fs/cgroup/memory"),
                group,
                &["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"],
            ),
            _ => None,
        }
    });
    machine.into_iter().chain(left).min()
}

/// What is left in a control group and all above it: the limit less what is used and could not be given back.
fn left_of(mount: &Path, group: &str, [limit, usage, reclaimable]: &[&str; 3]) -> Option<u64> {
    let number = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let inner = mount.join(group);
    let folders = inner.ancestors().take_while(|folder| folder.starts_with(mount));
    let left = folders.filter_map(|folder| {
        let (limit, used) = (number(folder, limit)?, number(folder, usage)?);
        let statistics = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let freed = statistics.lines().find_map(|line| line.strip_prefix(reclaimable)?.trim().parse::<u64>().ok());
        Some(limit.saturating_sub(used.saturating_sub(freed.unwrap_or(0))))
    });
    left.min()
}

/// Bytes for people: `1.4 GB`.
pub fn told_bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(parse_bytes("1500"), Some(1500));
        assert_eq!(parse_bytes(" 1.5 GB"), Some(1_500_000_000));
        assert_eq!(parse_bytes("8GiB"), Some(8 << 30));
        for wrong in ["", "much", "-1", "1 PB", "GB"] {
            assert_eq!(parse_bytes(wrong), None, "{wrong}");
        }
        assert_eq!(told_bytes(98_362_432), "98 MB");
        assert_eq!(told_bytes(16_060_522_496), "16.1 GB");
    }

    #[test]
    fn the_tightest_limit_counts_and_file_caches_can_be_given_back() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(available_below(root.path()), None);
        write("proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    4000 kB\n");
        assert_eq!(available_below(root.path()), Some(4_096_000));
        write("proc/self/cgroup", "0::/user/shell\n");
        write("sys/fs/cgroup/user/memory.max", "3000000\n");
        write("sys/fs/cgroup/user/memory.current", "2500000\n");
        write("sys/fs/cgroup/user/memory.stat", "anon 1\ninactive_file 1000000\n");
        write("sys/fs/cgroup/user/shell/memory.max", "max\n");
        write("sys/fs/cgroup/user/shell/memory.current", "10\n");
        assert_eq!(available_below(root.path()), Some(1_500_000));
        write("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/box\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000");
        write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1900000");
        assert_eq!(available_below(root.path()), Some(100_000), "the group itself may be out of sight");
    }
}
