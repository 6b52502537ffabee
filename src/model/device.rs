//! Where a model computes.

use std::fmt;
use std::str::FromStr;

use candle_core::Device;

/// The device a user asked for: `cpu` or `cuda:N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The processor.
    #[default]
    Cpu,
    /// The NVIDIA GPU with this index.
    Cuda(usize),
}

impl DeviceChoice {
    /// Opens the device. A GPU that is not there is no error: the CPU is used, and the note says why.
    pub(crate) fn open(self) -> (Device, Option<String>) {
        match self {
            Self::Cpu => (Device::Cpu, None),
            Self::Cuda(_) if !candle_core::utils::cuda_is_available() => {
                (Device::Cpu, Some(format!("{self}: this build has no CUDA support; using the CPU")))
            }
            Self::Cuda(index) => match Device::new_cuda(index) {
                Ok(device) => (device, None),
                Err(error) => {
                    let why = error.to_string().lines().next().unwrap_or_default().to_owned();
                    (Device::Cpu, Some(format!("{self}: no usable GPU ({why}); using the CPU")))
                }
            },
        }
    }
}

/// The memory of a device of its own, such as a GPU's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMemory {
    /// Bytes that nobody uses.
    pub free: u64,
    /// Bytes that it has.
    pub total: u64,
}

impl DeviceMemory {
    /// The memory of a device; `None` on the CPU, whose memory is the process's, and where the driver does not say.
    pub(crate) fn of(device: &Device) -> Option<Self> {
        match device {
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => {
                let (free, total) = device.cuda_stream().context().mem_get_info().ok()?;
                Some(Self { free: free as u64, total: total as u64 })
            }
            _ => None,
        }
    }

    /// Bytes that are in use, by whomever.
    pub fn used(self) -> u64 {
        self.total.saturating_sub(self.free)
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| format!("device {text:?} is neither cpu nor cuda:N")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_as_it_is_parsed() {
        for text in ["cpu", "cuda:0", "cuda:3"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert!("gpu".parse::<DeviceChoice>().is_err());
    }

    #[test]
    fn a_gpu_says_its_memory_and_the_cpu_has_none_of_its_own() {
        assert_eq!(DeviceMemory::of(&Device::Cpu), None);
        let (device, note) = DeviceChoice::Cuda(0).open();
        match DeviceMemory::of(&device) {
            Some(memory) => assert!(memory.total > 1 << 30 && memory.used() > 0 && memory.free <= memory.total),
            None => println!("no CUDA device: {}", note.unwrap_or_default()),
        }
    }

    #[test]
    fn a_missing_gpu_falls_back_to_the_cpu_and_says_so() {
        if candle_core::utils::cuda_is_available() {
            return;
        }
        let (device, note) = DeviceChoice::Cuda(0).open();
        assert!(device.is_cpu());
        assert!(note.unwrap().contains("using the CPU"));
    }
}
