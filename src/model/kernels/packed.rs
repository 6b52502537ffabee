//! A weight matrix in its file's format, multiplied without ever being expanded as a whole.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::blocks::{self, Format};
use super::gemm::{Product, View};
use super::simd::{dot_body, multiply_add, multiversion, sum_16};

/// Activation rows that are multiplied with a weight while it is at hand, in registers or in the first-level cache.
pub(super) const TILE: usize = 8;

/// Above this many activation rows, weights are expanded panel by panel for a blocked matrix product.
const FEW_ROWS: usize = 3 * TILE;

/// Weights in one expanded panel (4 MiB of `f32`).
const PANEL_WEIGHTS: usize = 1 << 20;

/// A frozen `rows`×`columns` matrix (output features × input features), row-major, in any [`Format`].
///
/// Cloning shares the bytes.
#[derive(Clone)]
pub struct PackedMatrix {
    rows: usize,
    columns: usize,
    format: Format,
    row_bytes: usize,
    bytes: Arc<[u8]>,
}

impl std::fmt::Debug for PackedMatrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PackedMatrix({}×{} {})", self.rows, self.columns, self.format.name())
    }
}

impl PackedMatrix {
    /// Takes over the bytes of a matrix; an error says in words what does not fit.
    pub fn new(rows: usize, columns: usize, format: Format, bytes: Vec<u8>) -> Result<Self, String> {
        let row_bytes = format.row_bytes(columns).ok_or_else(|| {
            format!("rows of {columns} weights are not whole {} blocks of {}", format.name(), format.block_length())
        })?;
        if row_bytes.checked_mul(rows) != Some(bytes.len()) {
            return Err(format!("a {rows}×{columns} {} matrix does not have {} bytes", format.name(), bytes.len()));
        }
        Ok(Self { rows, columns, format, row_bytes, bytes: bytes.into() })
    }

    /// A matrix of `f32` values.
    pub fn from_f32(rows: usize, columns: usize, values: &[f32]) -> Result<Self, String> {
        Self::new(rows, columns, Format::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// Output features.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Input features.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The format that the weights are stored in.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Bytes that the weights take.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The stored bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn row_slice(&self, rows: Range<usize>) -> &[u8] {
        &self.bytes[rows.start * self.row_bytes..rows.end * self.row_bytes]
    }

    /// Expands some rows: `out` is `rows.len()`×`columns`.
    pub fn expand_rows(&self, rows: Range<usize>, out: &mut [f32]) {
        blocks::expand(self.format, self.row_slice(rows), out);
    }

    /// The same matrix with its rows in another order: row i of the result is row `order(i)` of this one.
    pub fn reorder_rows(&self, order: impl Fn(usize) -> usize) -> Self {
        let bytes: Vec<u8> = (0..self.rows).flat_map(|i| self.row_slice(order(i)..order(i) + 1)).copied().collect();
        Self { bytes: bytes.into(), ..self.clone() }
    }

    /// Row ranges of at most [`PANEL_WEIGHTS`] weights.
    fn panels(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let height = (PANEL_WEIGHTS / self.columns.max(1)).max(1);
        let rows = self.rows;
        (0..rows).step_by(height).map(move |start| start..(start + height).min(rows))
    }

    /// Expands rows on all threads.
    fn expand_panel(&self, rows: Range<usize>, out: &mut [f32]) {
        let chunk = rows.len().div_ceil(rayon::current_num_threads() * 2).max(8);
        out[..rows.len() * self.columns].par_chunks_mut(chunk * self.columns).enumerate().for_each(|(i, out)| {
            let first = rows.start + i * chunk;
            self.expand_rows(first..first + out.len() / self.columns, out);
        });
    }

    /// y = x·Wᵀ for `n` rows of activations: `x` is n×columns, `y` is n×rows.
    pub fn multiply(&self, x: &[f32], n: usize, y: &mut [f32]) {
        debug_assert_eq!(x.len(), n * self.columns);
        debug_assert_eq!(y.len(), n * self.rows);
        match n {
            0 => {}
            1 => self.few_rows(x, 1, y),
            2..=FEW_ROWS => {
                let mut transposed = vec![0f32; n.min(TILE) * self.rows];
                for (x, y) in x.chunks(TILE * self.columns).zip(y.chunks_mut(TILE * self.rows)) {
                    // Threads own rows of W, so they write yᵀ; turning it is cheap beside reading W.
                    let n = y.len() / self.rows;
                    let transposed = &mut transposed[..n * self.rows];
                    self.few_rows(x, n, transposed);
                    for (i, y) in y.chunks_exact_mut(self.rows).enumerate() {
                        for (y, row) in y.iter_mut().zip(transposed.chunks_exact(n)) {
                            *y = row[i];
                        }
                    }
                }
            }
            _ => {
                let mut panel = Vec::new();
                for rows in self.panels() {
                    panel.resize(rows.len() * self.columns, 0f32);
                    self.expand_panel(rows.clone(), &mut panel);
                    Product::new(n, rows.len(), self.columns).parallel().run(
                        View::rows(x, self.columns),
                        View::transposed(&panel, self.columns),
                        &mut y[rows.start..],
                        self.rows,
                    );
                }
            }
        }
    }

    /// The transpose of x·Wᵀ for up to [`TILE`] rows of x: `y` is rows×n.
    fn few_rows(&self, x: &[f32], n: usize, y: &mut [f32]) {
        // Enough work for each task to outweigh handing it over.
        let least = (32_768 / self.columns.max(1)).max(1);
        let chunk = self.rows.div_ceil(rayon::current_num_threads() * 4).max(least);
        let run = |(i, y): (usize, &mut [f32])| {
            let first = i * chunk;
            let rows = first..first + y.len() / n;
            rows_times(self.format, self.row_slice(rows), self.row_bytes, x, n, y);
        };
        if chunk >= self.rows {
            run((0, y));
        } else {
            y.par_chunks_mut(chunk * n).enumerate().for_each(run);
        }
    }

    /// dx = g·W for `n` rows of output gradients: `g` is n×rows, `dx` is n×columns and is overwritten.
    pub fn multiply_transposed(&self, g: &[f32], n: usize, dx: &mut [f32]) {
        debug_assert_eq!(g.len(), n * self.rows);
        debug_assert_eq!(dx.len(), n * self.columns);
        let mut panel = Vec::new();
        for rows in self.panels() {
            panel.resize(rows.len() * self.columns, 0f32);
            self.expand_panel(rows.clone(), &mut panel);
            let product = Product::new(n, self.columns, rows.len()).parallel();
            let product = if rows.start == 0 { product } else { product.accumulating() };
            product.run(View::rows(&g[rows.start..], self.rows), View::rows(&panel, self.columns), dx, self.columns);
        }
    }
}

/// Four dot products that share one of their sides.
#[inline(always)]
fn dot_4<const FMA: bool>(w: &[f32], x: [&[f32]; 4]) -> [f32; 4] {
    let [x0, x1, x2, x3] = x.map(|x| x.as_chunks::<16>());
    let (w_chunks, w_rest) = w.as_chunks::<16>();
    let (mut s0, mut s1, mut s2, mut s3) = ([0f32; 16], [0f32; 16], [0f32; 16], [0f32; 16]);
    for ((((w, x0), x1), x2), x3) in w_chunks.iter().zip(x0.0).zip(x1.0).zip(x2.0).zip(x3.0) {
        for i in 0..16 {
            s0[i] = multiply_add::<FMA>(w[i], x0[i], s0[i]);
            s1[i] = multiply_add::<FMA>(w[i], x1[i], s1[i]);
            s2[i] = multiply_add::<FMA>(w[i], x2[i], s2[i]);
            s3[i] = multiply_add::<FMA>(w[i], x3[i], s3[i]);
        }
    }
    let finish = |sums: [f32; 16], rest: &[f32]| {
        w_rest.iter().zip(rest).fold(sum_16(sums), |sum, (w, x)| multiply_add::<FMA>(*w, *x, sum))
    };
    [finish(s0, x0.1), finish(s1, x1.1), finish(s2, x2.1), finish(s3, x3.1)]
}

/// The products of some weight rows with `n` activation rows; `y` is (weight rows)×n.
fn rows_times(format: Format, bytes: &[u8], row_bytes: usize, x: &[f32], n: usize, y: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if super::x86::covers(format) {
        use super::simd::{Level, level};
        match level() {
            // SAFETY: `level` has just found these instruction sets on this machine.
            Level::Avx512 => return unsafe { super::x86::avx512::dots(format, bytes, x, n, y) },
            // SAFETY: as above.
            Level::Avx2 => return unsafe { super::x86::avx2::dots(format, bytes, x, n, y) },
            Level::Portable => {}
        }
    }
    let mut row = vec![0f32; x.len() / n];
    for (bytes, y) in bytes.chunks_exact(row_bytes).zip(y.chunks_exact_mut(n)) {
        blocks::expand(format, bytes, &mut row);
        row_times(&row, x, y);
    }
}

multiversion! {
    /// The dot products of one weight row with all activation rows.
    fn row_times(row: &[f32], x: &[f32], y: &mut [f32]) {
        let columns = row.len();
        let x = |i: usize| &x[i * columns..][..columns];
        let whole = y.len() / 4 * 4;
        for i in (0..whole).step_by(4) {
            y[i..i + 4].copy_from_slice(&dot_4::<FMA>(row, [x(i), x(i + 1), x(i + 2), x(i + 3)]));
        }
        for (i, y) in y.iter_mut().enumerate().skip(whole) {
            *y = dot_body::<FMA>(row, x(i));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        (0..n as u32)
            .map(|i| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0)
            .collect()
    }

    #[test]
    fn products_match_the_definition_for_few_and_many_rows() {
        let (rows, columns) = (70, 96);
        let weights = numbers(rows * columns, 1);
        let matrix = PackedMatrix::from_f32(rows, columns, &weights).unwrap();
        for n in [1, 3, 4, 9, 24, 25, 60] {
            let x = numbers(n * columns, 7);
            let mut y = vec![f32::NAN; n * rows];
            matrix.multiply(&x, n, &mut y);
            let mut dx = vec![f32::NAN; n * columns];
            matrix.multiply_transposed(&y, n, &mut dx);
            for i in 0..n {
                for j in 0..rows {
                    let expected: f32 = (0..columns).map(|k| x[i * columns + k] * weights[j * columns + k]).sum();
                    assert!((y[i * rows + j] - expected).abs() < 1e-4);
                }
                for k in 0..columns {
                    let expected: f32 = (0..rows).map(|j| y[i * rows + j] * weights[j * columns + k]).sum();
                    assert!((dx[i * columns + k] - expected).abs() < 1e-3);
                }
            }
        }
    }

    #[test]
    fn a_matrix_taller_than_a_panel_is_multiplied_whole() {
        let (rows, columns, n) = (PANEL_WEIGHTS / 512 + 5, 512, 30);
        let weights = numbers(rows * columns, 3);
        let matrix = PackedMatrix::from_f32(rows, columns, &weights).unwrap();
        let x = numbers(n * columns, 5);
        let mut y = vec![f32::NAN; n * rows];
        matrix.multiply(&x, n, &mut y);
        let mut few = vec![f32::NAN; rows];
        matrix.multiply(&x[..columns], 1, &mut few);
        for j in 0..rows {
            assert!((y[j] - few[j]).abs() < 1e-3);
        }
        let mut dx = vec![f32::NAN; n * columns];
        matrix.multiply_transposed(&y, n, &mut dx);
        let expected: f64 = (0..rows).map(|j| y[j] as f64 * weights[j * columns] as f64).sum();
        assert!((dx[0] as f64 - expected).abs() < 1e-2 * expected.abs().max(1.0));
    }

    #[test]
    fn a_matrix_of_the_wrong_size_is_refused_in_words() {
        let error = PackedMatrix::new(2, 48, Format::Q4_1, vec![0; 40]).unwrap_err();
        assert!(error.contains("not whole Q4_1 blocks"), "{error}");
        let error = PackedMatrix::new(2, 64, Format::Q4_1, vec![0; 40]).unwrap_err();
        assert!(error.contains("does not have 40 bytes"), "{error}");
    }

    #[test]
    fn reordered_rows_keep_their_weights() {
        let matrix = PackedMatrix::from_f32(3, 2, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        let turned = matrix.reorder_rows(|i| 2 - i);
        let mut out = vec![0.0; 6];
        turned.expand_rows(0..3, &mut out);
        assert_eq!(out, [4.0, 5.0, 2.0, 3.0, 0.0, 1.0]);
    }
}
