//! Rows chosen from others, and put back where they came from.
//!
//! Both are choices: candle's `index_add` goes through rows one after the other on a GPU.

use candle_core::{Device, Result, Tensor};

/// In the place of a row: noughts. candle's `index_select` writes them for the largest id there is.
pub const NOUGHT: u32 = u32::MAX;

/// Some rows of a tensor, in some order, with rows of noughts between them.
///
/// `None` where all rows are chosen as they stand.
#[derive(Debug, Clone)]
pub struct Choice(Option<Tensor>);

impl Choice {
    /// The rows `rows` of `n`, and noughts for [`NOUGHT`].
    ///
    /// # Errors
    /// When the device cannot take them.
    pub fn new(rows: Vec<u32>, n: usize, device: &Device) -> Result<Self> {
        let is_all = rows.len() == n && rows.iter().enumerate().all(|(i, &row)| i == row as usize);
        if is_all { Ok(Self(None)) } else { Tensor::new(rows, device).map(Some).map(Self) }
    }

    /// The chosen rows of `x`, rows × width.
    ///
    /// # Errors
    /// When the device fails.
    pub fn of(&self, x: &Tensor) -> Result<Tensor> {
        match &self.0 {
            None => Ok(x.clone()),
            Some(rows) => x.contiguous()?.index_select(rows, 0),
        }
    }
}

/// What puts chosen rows back where they came from, added up where a row was chosen more than once: the gradient of a
/// [`Choice`].
///
/// Each of its choices takes one of a row's places.
#[derive(Debug, Clone)]
pub struct Return(Vec<Choice>);

impl Return {
    /// The way back from the choice `rows` of `n` rows; what was not chosen is nought.
    ///
    /// # Errors
    /// When the device cannot take it.
    pub fn new(rows: &[u32], n: usize, device: &Device) -> Result<Self> {
        let mut passes = vec![vec![NOUGHT; n]];
        let mut found = vec![0usize; n];
        for (place, &row) in rows.iter().enumerate().filter(|(_, row)| **row != NOUGHT) {
            let pass = &mut found[row as usize];
            if *pass == passes.len() {
                passes.push(vec![NOUGHT; n]);
            }
            passes[*pass][row as usize] = place as u32;
            *pass += 1;
        }
        passes.into_iter().map(|from| Choice::new(from, rows.len(), device)).collect::<Result<_>>().map(Self)
    }

    /// The rows `x` put back.
    ///
    /// # Errors
    /// When the device fails.
    pub fn of(&self, x: &Tensor) -> Result<Tensor> {
        let mut places = self.0.iter().map(|choice| choice.of(x));
        let first = places.next().unwrap_or_else(|| x.zeros_like())?;
        places.try_fold(first, |sum, next| sum + next?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_and_put_back() {
        let cpu = &Device::Cpu;
        let x = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], cpu).unwrap();
        let rows = |x: Tensor| x.to_vec2::<f32>().unwrap();
        let chosen = Choice::new(vec![1, NOUGHT, 0, 1], 2, cpu).unwrap();
        assert_eq!(rows(chosen.of(&x).unwrap()), [[3.0, 4.0], [0.0, 0.0], [1.0, 2.0], [3.0, 4.0]]);
        let back = Return::new(&[3, 1], 4, cpu).unwrap();
        assert_eq!(rows(back.of(&x).unwrap()), [[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [1.0, 2.0]]);
        let all = Choice::new(vec![0, 1], 2, cpu).unwrap();
        assert!(all.0.is_none());
        assert_eq!(all.of(&x).unwrap().id(), x.id());
    }

    #[test]
    fn what_was_chosen_twice_is_added_up() {
        let x = Tensor::new(&[[1f32], [20.0], [300.0], [4000.0]], &Device::Cpu).unwrap();
        let back = Return::new(&[2, 0, 2, NOUGHT], 3, &Device::Cpu).unwrap();
        assert_eq!(back.of(&x).unwrap().to_vec2::<f32>().unwrap(), [[20.0], [0.0], [301.0]]);
    }
}
