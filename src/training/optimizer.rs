//! AdamW in f32, with moments that can be saved and restored to the bit.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Tensor, Var};

use super::{Gradients, OptimizerSettings, TrainingError};

/// AdamW (Loshchilov and Hutter 2019, algorithm 2), with bias correction and decoupled weight decay.
///
/// With gradient g in step t (from 1), rate η and decay λ, as PyTorch's `torch.optim.AdamW` has it:
///
/// ```text
/// θ ← θ·(1 − η·λ);  m ← β₁·m + (1 − β₁)·g;  v ← β₂·v + (1 − β₂)·g²
/// θ ← θ − η·(m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
/// ```
#[derive(Debug)]
pub struct AdamW {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    clip: f64,
    step: usize,
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    name: String,
    parameter: Var,
    mean: Tensor,
    square: Tensor,
    /// λ of its group.
    decay: f64,
}

impl AdamW {
    /// An optimiser of `parameters`, which must be f32, with moments of nought.
    ///
    /// # Errors
    /// When a parameter is not f32.
    pub fn new(parameters: &[(String, Var)], settings: &OptimizerSettings) -> Result<Self, TrainingError> {
        let slots = parameters
            .iter()
            .map(|(name, parameter)| {
                if parameter.dtype() != DType::F32 {
                    return Err(TrainingError::Model(format!("{name} is {:?}; it must be F32", parameter.dtype())));
                }
                let nought = parameter.zeros_like()?;
                let decays = settings.decay.iter().any(|group| group.holds(name));
                let decay = if decays { settings.weight_decay } else { 0.0 };
                Ok(Slot {
                    name: name.clone(),
                    parameter: parameter.clone(),
                    mean: nought.clone(),
                    square: nought,
                    decay,
                })
            })
            .collect::<Result<_, TrainingError>>()?;
        Ok(Self {
            beta1: settings.beta1,
            beta2: settings.beta2,
            epsilon: settings.epsilon,
            clip: settings.clip,
            step: 0,
            slots,
        })
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// Moves every parameter against its gradient and gives the gradient's norm before clipping.
    ///
    /// A norm that is not finite moves nothing: the caller decides what becomes of the run. A parameter without a
    /// gradient stays as it is, decay included, as in PyTorch.
    ///
    /// # Errors
    /// When the arithmetic fails.
    pub fn step(&mut self, gradients: &Gradients, learning_rate: f64) -> Result<f64, TrainingError> {
        let norm = norm(gradients)?;
        if !norm.is_finite() {
            return Ok(norm);
        }
        let scale = if self.clip > 0.0 && norm > self.clip { self.clip / norm } else { 1.0 };
        self.step += 1;
        let step = i32::try_from(self.step).unwrap_or(i32::MAX);
        let mean_correction = 1.0 - self.beta1.powi(step);
        let square_correction = 1.0 - self.beta2.powi(step);
        for (slot, gradient) in self.slots.iter_mut().zip(gradients) {
            let Some(gradient) = gradient else { continue };
            let gradient = if scale < 1.0 { (gradient * scale)? } else { gradient.clone() };
            slot.mean = ((&slot.mean * self.beta1)? + (&gradient * (1.0 - self.beta1))?)?;
            slot.square = ((&slot.square * self.beta2)? + (gradient.sqr()? * (1.0 - self.beta2))?)?;
            let denominator = ((&slot.square / square_correction)?.sqrt()? + self.epsilon)?;
            let update = ((&slot.mean / mean_correction)? / denominator)?;
            let decayed = (slot.parameter.as_tensor() * (1.0 - learning_rate * slot.decay))?;
            slot.parameter.set(&(decayed - (update * learning_rate)?)?)?;
        }
        Ok(norm)
    }

    /// Writes both moments of every parameter as safetensors: `NAME.mean` and `NAME.square`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TrainingError> {
        let tensors: HashMap<String, Tensor> = self
            .slots
            .iter()
            .flat_map(|slot| {
                [
                    (format!("{}.mean", slot.name), slot.mean.clone()),
                    (format!("{}.square", slot.name), slot.square.clone()),
                ]
            })
            .collect();
        candle_core::safetensors::save(&tensors, path).map_err(|error| TrainingError::damaged(path, error))
    }

    /// Restores both moments as they were after `step` steps.
    ///
    /// # Errors
    /// When the file cannot be read, or is of other parameters.
    pub fn restore(&mut self, path: &Path, step: usize) -> Result<(), TrainingError> {
        let device = match self.slots.first() {
            Some(slot) => slot.parameter.device().clone(),
            None => return Ok(()),
        };
        let mut tensors =
            candle_core::safetensors::load(path, &device).map_err(|error| TrainingError::damaged(path, error))?;
        for slot in &mut self.slots {
            for (moment, name) in [(&mut slot.mean, "mean"), (&mut slot.square, "square")] {
                let name = format!("{}.{name}", slot.name);
                let tensor = tensors
                    .remove(&name)
                    .ok_or_else(|| TrainingError::damaged(path, format!("{name} is not in it")))?;
                if tensor.shape() != moment.shape() || tensor.dtype() != DType::F32 {
                    let why =
                        format!("{name} is {:?} {:?}, not F32 {:?}", tensor.dtype(), tensor.shape(), moment.shape());
                    return Err(TrainingError::damaged(path, why));
                }
                *moment = tensor;
            }
        }
        self.step = step;
        Ok(())
    }
}

/// Euclidean norm over all gradients together, summed in f64.
fn norm(gradients: &Gradients) -> Result<f64, TrainingError> {
    let squares = gradients.iter().flatten().map(|gradient| gradient.sqr()?.sum_all());
    let squares = squares.collect::<candle_core::Result<Vec<_>>>()?;
    if squares.is_empty() {
        return Ok(0.0);
    }
    // All at once: a device waits for every number that is asked of it.
    let squares = Tensor::stack(&squares, 0)?.to_vec1::<f32>()?;
    Ok(squares.into_iter().map(f64::from).sum::<f64>().sqrt())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::training::DecayGroup;

    fn settings(weight_decay: f64, clip: f64) -> OptimizerSettings {
        OptimizerSettings { weight_decay, clip, ..OptimizerSettings::default() }
    }

    fn variable(values: &[f32]) -> Vec<(String, Var)> {
        vec![("w.lora_A".into(), Var::from_slice(values, values.len(), &Device::Cpu).unwrap())]
    }

    fn gradient(values: &[f32]) -> Gradients {
        vec![Some(Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap())]
    }

    fn values(parameters: &[(String, Var)]) -> Vec<f32> {
        parameters[0].1.to_vec1().unwrap()
    }

    /// Expected numbers: `tests/scripts/adamw.py`, the formula in double precision.
    #[test]
    fn ten_steps_equal_the_reference() {
        let parameters = variable(&[0.5, -1.25, 2.0]);
        let mut optimizer = AdamW::new(&parameters, &settings(0.1, 0.0)).unwrap();
        for step in 1..=10 {
            let t = step as f32;
            optimizer.step(&gradient(&[0.1 * t, -0.2, (t * 0.7).sin()]), 0.01).unwrap();
        }
        for (value, expected) in values(&parameters).iter().zip([0.3970014, -1.1380049, 1.9377439f32]) {
            assert!((value - expected).abs() < 2e-6, "{value} is not {expected}");
        }
    }

    #[test]
    fn only_the_groups_that_the_recipe_names_decay() {
        let var = |name: &str| (name.to_owned(), Var::from_slice(&[1f32], 1, &Device::Cpu).unwrap());
        let parameters = vec![var("q_proj.lora_A.weight"), var("q_proj.lora_B.weight")];
        let settings = OptimizerSettings { decay: vec![DecayGroup::LoraB], ..settings(0.5, 0.0) };
        let nought = Some(Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap());
        AdamW::new(&parameters, &settings).unwrap().step(&vec![nought.clone(), nought], 0.1).unwrap();
        let value = |at: usize| parameters[at].1.to_vec1::<f32>().unwrap()[0];
        assert_eq!((value(0), value(1)), (1.0, 0.95));
    }

    #[test]
    fn a_long_gradient_is_cut_to_the_clip_and_told_as_it_was() {
        let (cut, whole) = (variable(&[1.0, 1.0]), variable(&[1.0, 1.0]));
        let mut clipping = AdamW::new(&cut, &settings(0.0, 0.5)).unwrap();
        let mut plain = AdamW::new(&whole, &settings(0.0, 0.0)).unwrap();
        assert!((clipping.step(&gradient(&[3.0, 4.0]), 0.1).unwrap() - 5.0).abs() < 1e-6);
        plain.step(&gradient(&[0.3, 0.4]), 0.1).unwrap();
        assert_eq!(values(&cut), values(&whole));
    }

    #[test]
    fn a_gradient_that_is_no_number_moves_nothing() {
        let parameters = variable(&[1.0, 2.0]);
        let mut optimizer = AdamW::new(&parameters, &settings(0.1, 1.0)).unwrap();
        assert!(optimizer.step(&gradient(&[f32::NAN, 1.0]), 0.1).unwrap().is_nan());
        assert_eq!((values(&parameters), optimizer.steps_taken()), (vec![1.0, 2.0], 0));
    }

    #[test]
    fn restored_moments_go_on_to_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("optimizer.safetensors");
        let (straight, resumed) = (variable(&[0.3, -0.7]), variable(&[0.3, -0.7]));
        let mut optimizer = AdamW::new(&straight, &settings(0.01, 1.0)).unwrap();
        let mut other = AdamW::new(&resumed, &settings(0.01, 1.0)).unwrap();
        let at = |step: usize| gradient(&[0.1 * step as f32, -0.33]);
        for step in 0..3 {
            optimizer.step(&at(step), 0.01).unwrap();
        }
        optimizer.save(&path).unwrap();
        resumed[0].1.set(straight[0].1.as_tensor()).unwrap();
        other.restore(&path, 3).unwrap();
        for step in 3..6 {
            optimizer.step(&at(step), 0.01).unwrap();
            other.step(&at(step), 0.01).unwrap();
        }
        let bits = |parameters: &[(String, Var)]| values(parameters).iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&straight), bits(&resumed));
    }

    #[test]
    fn moments_of_other_parameters_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("optimizer.safetensors");
        AdamW::new(&variable(&[0.0; 3]), &settings(0.0, 0.0)).unwrap().save(&path).unwrap();
        let error = AdamW::new(&variable(&[0.0; 2]), &settings(0.0, 0.0)).unwrap().restore(&path, 1).unwrap_err();
        assert!(error.to_string().contains("w.lora_A.mean"), "{error}");
    }
}
