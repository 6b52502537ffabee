//! Where a model computes.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use candle_core::{DType, Device, Tensor};

/// What activations are computed in, and frozen weights that are not quantised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 16-bit brain floats: the range of `f32`, three significant digits.
    BF16,
    /// 16-bit IEEE floats, for GPUs that know no others.
    F16,
}

impl Precision {
    const ALL: [Self; 3] = [Self::F32, Self::BF16, Self::F16];

    const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::BF16 => "bf16",
            Self::F16 => "f16",
        }
    }
}

/// The device a user asked for: `cpu`, `cuda:N`, or either with a precision behind it (`cuda:0:f32`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The processor, by this program's own kernels, in `f32`.
    #[default]
    Cpu,
    /// The processor as if it were a GPU: slow, and a reference for what a GPU computes.
    Portable(Precision),
    /// The NVIDIA GPU with this index, in this precision or the best that it has.
    Cuda(usize, Option<Precision>),
}

/// A device that is open.
pub struct Opened {
    /// The device.
    pub device: Device,
    /// What it computes in; `None` for the CPU's own kernels.
    pub precision: Option<Precision>,
    /// What the user should know.
    pub note: Option<String>,
}

impl DeviceChoice {
    /// Opens the device. A GPU that is not there is no error: the CPU is used, and the note says why.
    pub(crate) fn open(self) -> Opened {
        let cpu = |note| Opened { device: Device::Cpu, precision: None, note };
        match self {
            Self::Cpu => cpu(None),
            Self::Portable(precision) => Opened { precision: Some(precision), ..cpu(None) },
            Self::Cuda(..) if !candle_core::utils::cuda_is_available() => {
                cpu(Some(format!("{self}: this build has no CUDA support; using the CPU")))
            }
            // One stream for all threads: with one for each, what a thread asks for would not wait for another's.
            Self::Cuda(index, precision) => match Device::new_cuda_with_stream(index) {
                Ok(device) => match precision.map_or_else(|| best_precision(&device), |one| try_in(&device, one)) {
                    Ok(precision) => Opened { device, precision: Some(precision), note: None },
                    Err(why) => cpu(Some(format!("{self}: {why}; using the CPU"))),
                },
                Err(error) => cpu(Some(format!("{self}: no usable GPU ({}); using the CPU", first_line(&error)))),
            },
        }
    }
}

fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Whether a device computes in a precision: a GPU may be too old for it, or the program built for an older one.
fn try_in(device: &Device, precision: Precision) -> Result<Precision, String> {
    let two = || Tensor::ones(1, precision.dtype(), device)?.affine(2.0, 0.0)?.to_dtype(DType::F32)?.to_vec1::<f32>();
    match two() {
        Ok(found) if found == [2.0] => Ok(precision),
        Ok(found) => Err(format!("this GPU computes wrongly in {} ({found:?} for 2)", precision.name())),
        Err(error) => Err(format!("this GPU or build cannot compute in {} ({})", precision.name(), first_line(&error))),
    }
}

/// The first precision that a device computes in: brain floats where it has them.
fn best_precision(device: &Device) -> Result<Precision, String> {
    let mut tried =
        [Precision::BF16, Precision::F16, Precision::F32].map(|precision| try_in(device, precision)).into_iter();
    let first = tried.next().unwrap_or_else(|| Err("no precision".into()));
    tried.fold(first, Result::or)
}

/// The first GPU, where this build can use one and this machine has one; else the CPU. The driver is asked once.
pub fn default_device() -> DeviceChoice {
    static FOUND: OnceLock<DeviceChoice> = OnceLock::new();
    *FOUND.get_or_init(|| if has_gpu() { DeviceChoice::Cuda(0, None) } else { DeviceChoice::Cpu })
}

#[cfg(feature = "cuda")]
fn has_gpu() -> bool {
    use candle_core::cuda_backend::cudarc::driver::CudaContext;
    CudaContext::device_count().is_ok_and(|devices| devices > 0)
}

#[cfg(not(feature = "cuda"))]
fn has_gpu() -> bool {
    false
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
            Self::Portable(precision) => write!(f, "cpu:{}", precision.name()),
            Self::Cuda(index, None) => write!(f, "cuda:{index}"),
            Self::Cuda(index, Some(precision)) => write!(f, "cuda:{index}:{}", precision.name()),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let precision = |name: &str| Precision::ALL.into_iter().find(|precision| precision.name() == name);
        let parts: Vec<&str> = text.split(':').collect();
        let choice = match parts[..] {
            ["cpu"] => Some(Self::Cpu),
            ["cpu", name] => precision(name).map(Self::Portable),
            ["cuda"] => Some(Self::Cuda(0, None)),
            ["cuda", index] => index.parse().ok().map(|index| Self::Cuda(index, None)),
            ["cuda", index, name] => {
                index.parse().ok().zip(precision(name)).map(|(index, precision)| Self::Cuda(index, Some(precision)))
            }
            _ => None,
        };
        choice.ok_or_else(|| {
            format!("device {text:?} is neither cpu nor cuda:N, nor one with :bf16, :f16 or :f32 behind it")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_named_as_it_is_parsed() {
        for text in ["cpu", "cpu:bf16", "cuda:0", "cuda:3", "cuda:1:f32", "cuda:0:f16"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        for wrong in ["gpu", "cuda:x", "cuda:0:f64", "cpu:0", "cuda:0:f32:", ""] {
            assert!(wrong.parse::<DeviceChoice>().unwrap_err().contains("neither cpu nor cuda:N"), "{wrong}");
        }
    }

    #[test]
    fn a_gpu_says_its_memory_and_the_cpu_has_none_of_its_own() {
        assert_eq!(DeviceMemory::of(&Device::Cpu), None);
        let Opened { device, note, .. } = DeviceChoice::Cuda(0, None).open();
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
        let Opened { device, precision, note } = DeviceChoice::Cuda(0, None).open();
        assert!(device.is_cpu() && precision.is_none());
        assert!(note.unwrap().contains("using the CPU"));
    }

    #[test]
    fn it_is_the_first_gpu_where_there_is_one_and_else_the_cpu() {
        let expected = if has_gpu() { "cuda:0" } else { "cpu" };
        assert_eq!(default_device().to_string(), expected);
        if !candle_core::utils::cuda_is_available() {
            assert_eq!(expected, "cpu");
        }
    }
}
