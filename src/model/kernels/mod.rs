//! The arithmetic that the decoder spends its time in, on plain `f32` slices.
//!
//! Nothing here knows tensors, devices or gradients graphs: [`super::ops`] wraps these functions for candle. This is the
//! only place of the crate where `unsafe` is allowed, for two things: calling a function compiled for an instruction set
//! that was found at run time ([`simd`]) and calling the `gemm` crate on bounds-checked slices ([`gemm`]).
#![allow(unsafe_code)]

pub mod attention;
pub mod blocks;
pub mod elementwise;
pub mod encoder;
pub mod gemm;
pub mod head;
pub mod low_rank;
pub mod packed;
pub mod simd;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use packed::PackedMatrix;
