//! y = x·Wᵀ (+ b) with W frozen, and the same with a low-rank update that trains.

use std::borrow::Cow;

use candle_core::{CpuStorage, CustomOp1, CustomOp3, DType, Device, Layout, Result, Shape, Tensor};

use rayon::prelude::*;

use super::{values, with_values};
use crate::model::kernels::PackedMatrix;
use crate::model::kernels::gemm::{Product, View};
use crate::model::kernels::low_rank::add_low_rank;
use crate::model::random;

/// A low-rank update of one linear: y += scale · (x·Aᵀ)·Bᵀ (Hu et al. 2021, "LoRA", eq. 3).
#[derive(Debug, Clone)]
pub struct LowRank {
    /// A, rank × input features.
    pub a: Tensor,
    /// B, output features × rank.
    pub b: Tensor,
    /// α / rank.
    pub scale: f32,
    /// What it does not see while it trains.
    pub dropout: Option<Dropout>,
    /// Bᵀ, rank × output features, for rows that come a few at a time: while it does not train.
    pub turned: Option<Tensor>,
}

impl LowRank {
    /// The same with Bᵀ at hand.
    pub fn turned(self) -> Result<Self> {
        let turned = Some(self.b.t()?.contiguous()?);
        Ok(Self { turned, ..self })
    }

    /// The same with A and B of another type, for a forward that nothing is differentiated through.
    pub fn cast(self, dtype: DType) -> Result<Self> {
        Ok(Self { a: self.a.to_dtype(dtype)?, b: self.b.to_dtype(dtype)?, ..self })
    }
}

/// Up to this many rows [`add_low_rank`] is faster than two matrix products.
const FEW_ROWS: usize = 16;

/// Inputs that one random number decides.
const LANES: usize = 4;

/// Dropout of an update's inputs, drawn anew for every token and every linear (Hu et al. 2021; PEFT's `lora_dropout`).
///
/// What is hidden is a pure function of the stream, the row and the input: a layer that is computed again, or a run that goes
/// on, hides the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// The share that is hidden, in 65,536ths; the rest is scaled up.
    share: u32,
    /// Where the stream of random numbers begins.
    begin: u64,
}

impl Dropout {
    /// Hides `rate` of the inputs, as the numbers of `stream` under `seed` say.
    pub fn new(rate: f32, seed: u64, stream: u64) -> Self {
        let share = (f64::from(rate.clamp(0.0, 0.999)) * 65_536.0).round() as u32;
        Self { share, begin: random::begin(seed, stream) }
    }

    /// Replaces what is hidden in rows of `width` by nought, and scales the rest up.
    fn hide(self, x: &mut [f32], width: usize) {
        let kept = self.kept_scale();
        x.par_chunks_mut(width).enumerate().for_each(|(row, x)| {
            for (block, x) in x.chunks_mut(LANES).enumerate() {
                let hidden = self.hidden(row, block, width);
                for (lane, x) in x.iter_mut().enumerate() {
                    *x *= if (hidden >> lane) & 1 == 1 { 0.0 } else { kept };
                }
            }
        });
    }

    /// Which of a block's inputs are hidden, the first in the lowest bit.
    fn hidden(self, row: usize, block: usize, width: usize) -> u8 {
        let drawn = random::bits_from(self.begin, row as u64 * width.div_ceil(LANES) as u64 + block as u64);
        let is_hidden = |lane: usize| ((drawn >> (16 * lane)) as u16 as u32) < self.share;
        (0..LANES).map(|lane| u8::from(is_hidden(lane)) << lane).sum()
    }

    /// What the inputs that are seen are scaled up by.
    pub fn kept_scale(self) -> f32 {
        65_536.0 / (65_536.0 - self.share as f32)
    }

    /// Which inputs of rows of `width` are hidden, eight to a byte, the first in the lowest bit; a row begins with a new byte.
    pub fn hidden_bits(self, rows: usize, width: usize) -> Vec<u8> {
        const BLOCKS: usize = 8 / LANES;
        let bytes = width.div_ceil(8);
        let mut bits = vec![0u8; rows * bytes];
        bits.par_chunks_mut(bytes).enumerate().for_each(|(row, bits)| {
            for (byte, bits) in bits.iter_mut().enumerate() {
                let block = |at: usize| self.hidden(row, byte * BLOCKS + at, width) << (at * LANES);
                *bits = (0..BLOCKS).map(block).sum();
            }
        });
        bits
    }
}

/// A frozen linear of the base model.
#[derive(Debug, Clone)]
pub struct Linear {
    /// W, output × input features.
    pub weight: PackedMatrix,
    /// b, output features.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// Applies the linear to rows `x` (n × input features), with an adapter's update if there is one.
    pub fn forward(&self, x: &Tensor, update: Option<&LowRank>) -> Result<Tensor> {
        let y = match update {
            Some(update) => {
                let LowRank { scale, dropout, .. } = *update;
                let op = LowRankLinear { weight: self.weight.clone(), scale, dropout, turned: update.turned.clone() };
                x.contiguous()?.apply_op3(&update.a, &update.b, op)?
            }
            None => frozen_product(x, &self.weight)?,
        };
        match &self.bias {
            // The bias is frozen and a leaf, so the addition gives it no gradient that anyone keeps.
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// x·Wᵀ; the gradient goes to x alone.
pub fn frozen_product(x: &Tensor, weight: &PackedMatrix) -> Result<Tensor> {
    x.contiguous()?.apply_op1(FrozenProduct { weight: weight.clone() })
}

struct FrozenProduct {
    weight: PackedMatrix,
}

impl CustomOp1 for FrozenProduct {
    fn name(&self) -> &'static str {
        "frozen-product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(x, layout)?;
        let n = x.len() / self.weight.columns();
        let mut y = vec![0f32; n * self.weight.rows()];
        self.weight.multiply(x, n, &mut y);
        Ok((CpuStorage::F32(y), (n, self.weight.rows()).into()))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, g: &Tensor) -> Result<Option<Tensor>> {
        let n = g.elem_count() / self.weight.rows();
        let mut dx = vec![0f32; n * self.weight.columns()];
        with_values(g, |g| self.weight.multiply_transposed(g, n, &mut dx))?;
        Tensor::from_vec(dx, (n, self.weight.columns()), &Device::Cpu).map(Some)
    }
}

/// Fused: the wide intermediate of the update is never kept, and W gets no gradient.
struct LowRankLinear {
    weight: PackedMatrix,
    scale: f32,
    dropout: Option<Dropout>,
    turned: Option<Tensor>,
}

impl LowRankLinear {
    /// The inputs that the update sees, rows of `inputs`.
    fn seen<'x>(&self, x: &'x [f32], inputs: usize) -> Cow<'x, [f32]> {
        self.dropout.map_or(Cow::Borrowed(x), |dropout| {
            let mut seen = x.to_vec();
            dropout.hide(&mut seen, inputs);
            Cow::Owned(seen)
        })
    }
}

impl CustomOp3 for LowRankLinear {
    fn name(&self) -> &'static str {
        "low-rank-linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, a, b) = (values(x, x_layout)?, values(a, a_layout)?, values(b, b_layout)?);
        let (outputs, inputs) = (self.weight.rows(), self.weight.columns());
        let (n, rank) = (x.len() / inputs, a.len() / inputs);
        let mut y = vec![0f32; n * outputs];
        self.weight.multiply(x, n, &mut y);
        if let Some(turned) = self.turned.as_ref().filter(|_| n <= FEW_ROWS && self.dropout.is_none()) {
            with_values(turned, |turned| add_low_rank(x, a, turned, rank, self.scale, &mut y))?;
            return Ok((CpuStorage::F32(y), (n, outputs).into()));
        }
        let mut low = vec![0f32; n * rank];
        Product::new(n, rank, inputs).parallel().run(
            View::rows(&self.seen(x, inputs), inputs),
            View::transposed(a, inputs),
            &mut low,
            rank,
        );
        Product::new(n, outputs, rank).scaled(self.scale).accumulating().parallel().run(
            View::rows(&low, rank),
            View::transposed(b, rank),
            &mut y,
            outputs,
        );
        Ok((CpuStorage::F32(y), (n, outputs).into()))
    }

    /// With u = scale·g·B, and x̂ the inputs that are seen, each times m: dx = g·W + m∘(u·A), dA = uᵀ·x̂, dB = scale·gᵀ·(x̂·Aᵀ).
    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        g: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (outputs, inputs) = (self.weight.rows(), self.weight.columns());
        let (n, rank) = (x.elem_count() / inputs, a.dim(0)?);
        let (mut dx, mut da, mut db) = (vec![0f32; n * inputs], vec![0f32; rank * inputs], vec![0f32; outputs * rank]);
        let (mut u, mut low) = (vec![0f32; n * rank], vec![0f32; n * rank]);
        let (x, a, b, g) = (x.contiguous()?, a.contiguous()?, b.contiguous()?, g.contiguous()?);
        with_values(&x, |x| {
            with_values(&a, |a| {
                with_values(&b, |b| {
                    with_values(&g, |g| {
                        self.weight.multiply_transposed(g, n, &mut dx);
                        Product::new(n, rank, outputs).scaled(self.scale).parallel().run(
                            View::rows(g, outputs),
                            View::rows(b, rank),
                            &mut u,
                            rank,
                        );
                        let back = (View::rows(&u, rank), View::rows(a, inputs));
                        match self.dropout {
                            None => Product::new(n, inputs, rank)
                                .accumulating()
                                .parallel()
                                .run(back.0, back.1, &mut dx, inputs),
                            Some(dropout) => {
                                let mut through = vec![0f32; n * inputs];
                                Product::new(n, inputs, rank).parallel().run(back.0, back.1, &mut through, inputs);
                                dropout.hide(&mut through, inputs);
                                dx.iter_mut().zip(&through).for_each(|(dx, through)| *dx += through);
                            }
                        }
                        let x = &*self.seen(x, inputs);
                        Product::new(rank, inputs, n).parallel().run(
                            View::transposed(&u, rank),
                            View::rows(x, inputs),
                            &mut da,
                            inputs,
                        );
                        Product::new(n, rank, inputs).scaled(self.scale).parallel().run(
                            View::rows(x, inputs),
                            View::transposed(a, inputs),
                            &mut low,
                            rank,
                        );
                        Product::new(outputs, rank, n).parallel().run(
                            View::transposed(g, outputs),
                            View::rows(&low, rank),
                            &mut db,
                            rank,
                        );
                    })
                })
            })
        })????;
        let cpu = &Device::Cpu;
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), cpu)?),
            Some(Tensor::from_vec(da, (rank, inputs), cpu)?),
            Some(Tensor::from_vec(db, (outputs, rank), cpu)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Var;

    fn random(shape: (usize, usize)) -> Tensor {
        Tensor::randn(0f32, 1f32, shape, &Device::Cpu).unwrap()
    }

    /// Σ y∘g for the linear's y, in f64 from the definition.
    fn objective(x: &[Vec<f32>], w: &[Vec<f32>], a: &[Vec<f32>], b: &[Vec<f32>], scale: f64, g: &[Vec<f32>]) -> f64 {
        let mut total = 0.0;
        for (x, g) in x.iter().zip(g) {
            let low: Vec<f64> = a.iter().map(|a| a.iter().zip(x).map(|(a, x)| *a as f64 * *x as f64).sum()).collect();
            for (o, g) in g.iter().enumerate() {
                let base: f64 = w[o].iter().zip(x).map(|(w, x)| *w as f64 * *x as f64).sum();
                let update: f64 = b[o].iter().zip(&low).map(|(b, l)| *b as f64 * l).sum();
                total += (base + scale * update) * *g as f64;
            }
        }
        total
    }

    #[test]
    fn the_lora_linear_has_the_gradient_that_finite_differences_find() {
        let (n, inputs, outputs, rank, scale) = (5, 12, 7, 3, 2.0);
        let (x, w, a, b, g) = (
            random((n, inputs)),
            random((outputs, inputs)),
            random((rank, inputs)),
            random((outputs, rank)),
            random((n, outputs)),
        );
        let packed = PackedMatrix::from_f32(outputs, inputs, &w.flatten_all().unwrap().to_vec1().unwrap()).unwrap();
        let linear = Linear { weight: packed, bias: None };
        let (xv, av, bv) =
            (Var::from_tensor(&x).unwrap(), Var::from_tensor(&a).unwrap(), Var::from_tensor(&b).unwrap());
        let update = LowRank {
            a: av.as_tensor().clone(),
            b: bv.as_tensor().clone(),
            scale: scale as f32,
            dropout: None,
            turned: None,
        };
        let y = linear.forward(xv.as_tensor(), Some(&update)).unwrap();
        let gradients = (y * &g).unwrap().sum_all().unwrap().backward().unwrap();

        let rows = |t: &Tensor| t.to_vec2::<f32>().unwrap();
        let (x, w, a, b, g) = (rows(&x), rows(&w), rows(&a), rows(&b), rows(&g));
        let step = 1e-2f32;
        for (name, var) in [("x", &xv), ("A", &av), ("B", &bv)] {
            let gradient = rows(gradients.get(var).unwrap());
            for (i, row) in gradient.iter().enumerate() {
                for (j, got) in row.iter().enumerate() {
                    let moved = |by: f32| {
                        let (mut x, mut a, mut b) = (x.clone(), a.clone(), b.clone());
                        match name {
                            "x" => x[i][j] += by,
                            "A" => a[i][j] += by,
                            _ => b[i][j] += by,
                        }
                        objective(&x, &w, &a, &b, scale, &g)
                    };
                    let (got, expected) = (*got as f64, (moved(step) - moved(-step)) / (2.0 * step as f64));
                    assert!(
                        (got - expected).abs() < 2e-3 * expected.abs().max(1.0),
                        "d{name}[{i},{j}] {got} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn few_rows_give_what_many_do() {
        let (inputs, outputs, rank) = (40, 70, 3);
        let (x, w) = (random((FEW_ROWS, inputs)), random((outputs, inputs)));
        let packed = PackedMatrix::from_f32(outputs, inputs, &w.flatten_all().unwrap().to_vec1().unwrap()).unwrap();
        let linear = Linear { weight: packed, bias: None };
        let (a, b) = (random((rank, inputs)), random((outputs, rank)));
        let update = LowRank { a, b, scale: 0.5, dropout: None, turned: None };
        let many = linear.forward(&x, Some(&update)).unwrap();
        let few = linear.forward(&x, Some(&update.turned().unwrap())).unwrap();
        let difference = (few - many).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(difference < 1e-4, "{difference}");
    }

    #[test]
    fn dropout_hides_other_inputs_of_every_row_and_keeps_the_mean() {
        let (rows, width, rate) = (400, 50, 0.3);
        let hidden = |stream| {
            let mut x = vec![1f32; rows * width];
            Dropout::new(rate, 7, stream).hide(&mut x, width);
            x
        };
        let x = hidden(0);
        assert_eq!(x, hidden(0), "it can be computed again");
        assert_ne!(x, hidden(1));
        let mean = x.iter().sum::<f32>() / x.len() as f32;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        let share = x.iter().filter(|&&x| x == 0.0).count() as f32 / x.len() as f32;
        assert!((share - rate).abs() < 0.02, "{share}");
        assert!(x.chunks(width).zip(x.chunks(width).skip(1)).all(|(a, b)| a != b), "two tokens hide the same");
    }
}
