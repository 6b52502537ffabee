//! Which device computes where nobody names one.

use std::sync::OnceLock;

use super::DeviceChoice;

/// The first GPU, where this build can use one and this machine has one; else the CPU. The driver is asked once.
pub fn default_device() -> DeviceChoice {
    static FOUND: OnceLock<DeviceChoice> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let first = if has_gpu() { "cuda:0".parse().ok() } else { None };
        first.unwrap_or_default()
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_first_gpu_where_there_is_one_and_else_the_cpu() {
        let expected = if has_gpu() { "cuda:0" } else { "cpu" };
        assert_eq!(default_device().to_string(), expected);
        if !candle_core::utils::cuda_is_available() {
            assert_eq!(expected, "cpu");
        }
    }
}
