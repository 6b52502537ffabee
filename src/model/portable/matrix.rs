//! A frozen matrix on any device: dense in the precision of the activations, or quantised as its file has it.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::quantized::{QStorage, QTensor};
use candle_core::{DType, Device, Result, Tensor};

use super::Precision;
use crate::model::kernels::PackedMatrix;
use crate::model::kernels::blocks::Format;

/// Output × input features. Cloning shares the weights.
#[derive(Debug, Clone)]
pub struct FrozenMatrix {
    form: Form,
    precision: Precision,
}

#[derive(Debug, Clone)]
enum Form {
    Dense(Tensor),
    /// Expanded for each product and forgotten: a quarter of the memory, for one more pass over the weights.
    Quantised(Arc<QTensor>),
}

impl FrozenMatrix {
    /// Puts a matrix on a device.
    ///
    /// # Errors
    /// When the device cannot take it.
    pub fn new(matrix: &PackedMatrix, device: &Device, precision: Precision) -> Result<Self> {
        let shape = [matrix.rows(), matrix.columns()];
        let dense = |stored| Tensor::from_raw_buffer(matrix.bytes(), stored, &shape, device);
        let form = match matrix.format() {
            Format::F32 => Form::Dense(dense(DType::F32)?.to_dtype(precision.dtype())?),
            Format::F16 => Form::Dense(dense(DType::F16)?.to_dtype(precision.dtype())?),
            Format::BF16 => Form::Dense(dense(DType::BF16)?.to_dtype(precision.dtype())?),
            quantised => {
                let data = QStorage::from_data(Cow::Borrowed(matrix.bytes()), device, quantised.to_ggml())?;
                Form::Quantised(Arc::new(QTensor::new(data, (shape[0], shape[1]))?))
            }
        };
        Ok(Self { form, precision })
    }

    /// Output and input features.
    pub fn shape(&self) -> (usize, usize) {
        let dimensions = match &self.form {
            Form::Dense(tensor) => tensor.dims(),
            Form::Quantised(tensor) => tensor.shape().dims(),
        };
        (dimensions[0], dimensions[1])
    }

    /// Bytes that it takes on its device.
    pub fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Dense(tensor) => tensor.elem_count() * tensor.dtype().size_in_bytes(),
            Form::Quantised(tensor) => tensor.storage_size_in_bytes(),
        }
    }

    /// Whether two are the same matrix, and take its memory once.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.form, &other.form) {
            (Form::Dense(a), Form::Dense(b)) => a.id() == b.id(),
            (Form::Quantised(a), Form::Quantised(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// All weights in the precision of the activations.
    ///
    /// # Errors
    /// When the device fails.
    pub fn expanded(&self) -> Result<Tensor> {
        match (&self.form, self.precision) {
            (Form::Dense(tensor), _) => Ok(tensor.clone()),
            (Form::Quantised(tensor), Precision::F32) => tensor.dequantize(&tensor.device()),
            // By way of f16, which the scales of all formats are: half the traffic of expanding to f32.
            (Form::Quantised(tensor), precision) => {
                tensor.dequantize_f16(&tensor.device())?.to_dtype(precision.dtype())
            }
        }
    }

    /// x·Wᵀ for rows x.
    ///
    /// # Errors
    /// When the device fails.
    pub fn product(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.expanded()?.t()?)
    }

    /// g·W, the gradient of [`FrozenMatrix::product`] with respect to x.
    ///
    /// # Errors
    /// When the device fails.
    pub fn product_backward(&self, g: &Tensor) -> Result<Tensor> {
        g.matmul(&self.expanded()?)
    }

    /// The rows of some ids: ids × input features.
    ///
    /// # Errors
    /// When an id is beyond the rows, or the device fails.
    pub fn embed(&self, ids: &Tensor) -> Result<Tensor> {
        match &self.form {
            Form::Dense(tensor) => tensor.index_select(ids, 0),
            Form::Quantised(tensor) => tensor.embedding(ids)?.to_dtype(self.precision.dtype()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_expands_to_what_its_blocks_say() {
        let (rows, columns) = (6, 512);
        let values = Tensor::randn(0f32, 0.1f32, (rows, columns), &Device::Cpu).unwrap();
        for format in Format::ALL {
            let bytes = QTensor::quantize(&values, format.to_ggml()).unwrap().data().unwrap().into_owned();
            let packed = PackedMatrix::new(rows, columns, format, bytes).unwrap();
            let mut expected = vec![0f32; rows * columns];
            packed.expand_rows(0..rows, &mut expected);
            for (precision, tolerance) in [(Precision::F32, 1e-6), (Precision::F16, 1e-3), (Precision::BF16, 4e-3)] {
                let matrix = FrozenMatrix::new(&packed, &Device::Cpu, precision).unwrap();
                assert_eq!(matrix.shape(), (rows, columns));
                let ids = Tensor::new(&[5u32, 0, 5], &Device::Cpu).unwrap();
                let embedded = matrix.embed(&ids).unwrap();
                assert_eq!(embedded.dtype(), precision.dtype());
                let wanted = [&expected[5 * columns..], &expected[..columns], &expected[5 * columns..]].concat();
                let all = matrix.expanded().unwrap();
                for (found, wanted) in [(all, &expected), (embedded, &wanted)] {
                    let found = found.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
                    assert!(worst <= tolerance, "{format:?} as {precision:?}: {worst}");
                }
            }
        }
    }
}
