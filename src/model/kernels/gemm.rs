//! Matrix multiplication on strided views, checked before it is handed to the `gemm` crate.

/// A matrix in a slice: element (i, j) is at `i * row_stride + j * column_stride`.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// A row-major matrix whose rows start `row_stride` apart.
    pub fn rows(data: &'a [f32], row_stride: usize) -> Self {
        Self { data, row_stride, column_stride: 1 }
    }

    /// The transpose of a row-major matrix whose rows start `row_stride` apart.
    pub fn transposed(data: &'a [f32], row_stride: usize) -> Self {
        Self { data, row_stride: 1, column_stride: row_stride }
    }

    fn fits(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.data.len()
    }
}

/// How a product is computed and where it goes.
#[derive(Clone, Copy)]
pub struct Product {
    /// Rows of the result.
    pub rows: usize,
    /// Columns of the result.
    pub columns: usize,
    /// Length of the inner dimension.
    pub inner: usize,
    /// Factor on the product.
    pub scale: f32,
    /// Add to what the result holds, instead of replacing it.
    pub accumulate: bool,
    /// Use all threads of the current rayon pool.
    pub parallel: bool,
}

impl Product {
    /// A plain product of `rows`×`inner` by `inner`×`columns` on one thread.
    pub fn new(rows: usize, columns: usize, inner: usize) -> Self {
        Self { rows, columns, inner, scale: 1.0, accumulate: false, parallel: false }
    }

    /// Multiplies the product by a factor.
    pub fn scaled(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// Adds to the result instead of replacing it.
    pub fn accumulating(self) -> Self {
        Self { accumulate: true, ..self }
    }

    /// Uses all threads.
    pub fn parallel(self) -> Self {
        Self { parallel: true, ..self }
    }

    /// c = scale · a·b (+ c), with c row-major, its rows `c_stride` apart.
    ///
    /// # Panics
    /// When a view is too short for the dimensions: a bug of the caller, never a matter of input.
    pub fn run(self, a: View<'_>, b: View<'_>, c: &mut [f32], c_stride: usize) {
        let Self { rows, columns, inner, scale, accumulate, parallel } = self;
        if rows == 0 || columns == 0 {
            return;
        }
        assert!(a.fits(rows, inner) && b.fits(inner, columns), "operand shorter than its shape");
        assert!(c_stride >= columns && (rows - 1) * c_stride + columns <= c.len(), "result shorter than its shape");
        let threads = rayon::current_num_threads();
        let parallelism =
            if parallel && threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
        // SAFETY: the asserts above keep every element that `gemm` touches inside the three slices, `c` is borrowed
        // mutably and so overlaps neither operand, and `c_stride >= columns` keeps its elements distinct.
        unsafe {
            gemm::gemm(
                rows,
                columns,
                inner,
                c.as_mut_ptr(),
                1,
                c_stride as isize,
                accumulate,
                a.data.as_ptr(),
                a.column_stride as isize,
                a.row_stride as isize,
                b.data.as_ptr(),
                b.column_stride as isize,
                b.row_stride as isize,
                1.0,
                scale,
                false,
                false,
                false,
                parallelism,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_matches_the_definition_for_every_orientation() {
        let (m, n, k) = (5, 7, 3);
        let a: Vec<f32> = (0..m * k).map(|i| i as f32 - 4.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i % 5) as f32).collect();
        let b_transposed: Vec<f32> = (0..n * k).map(|i| b[(i % k) * n + i / k]).collect();
        let mut expected = vec![1f32; m * n];
        for i in 0..m {
            for j in 0..n {
                expected[i * n + j] += (0..k).map(|l| 0.5 * a[i * k + l] * b[l * n + j]).sum::<f32>();
            }
        }
        for view in [View::rows(&b, n), View::transposed(&b_transposed, k)] {
            let mut c = vec![1f32; m * n];
            Product::new(m, n, k).scaled(0.5).accumulating().run(View::rows(&a, k), view, &mut c, n);
            assert_eq!(c, expected);
        }
    }

    #[test]
    #[should_panic(expected = "operand shorter")]
    fn a_short_operand_is_refused() {
        let mut c = vec![0.0; 4];
        Product::new(2, 2, 2).run(View::rows(&[1.0; 3], 2), View::rows(&[1.0; 4], 2), &mut c, 2);
    }
}
