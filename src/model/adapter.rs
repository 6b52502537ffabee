//! LoRA adapters: the weights that train, in memory and in PEFT's files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::device::Precision;
use super::ops::linear::{Dropout, LowRank};
use super::random;
use super::tensor_file::{self, PlainFormat, Planned};
use super::{LanguageModel, ModelError};

const WEIGHTS_FILE: &str = "adapter_model.safetensors";
const CONFIG_FILE: &str = "adapter_config.json";
/// PEFT finds nothing, silently, without this prefix.
const PREFIX: &str = "base_model.model.model.layers.";
/// The first of the streams of random numbers that dropout draws from.
const DROPOUT: u64 = 1 << 32;
/// Where the base model's fingerprint is kept in the safetensors' own metadata.
const BASE_KEY: &str = "logwright.base";

/// A linear of a layer that an adapter can update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// Attention queries.
    #[serde(rename = "q_proj")]
    Query,
    /// Attention keys.
    #[serde(rename = "k_proj")]
    Key,
    /// Attention values.
    #[serde(rename = "v_proj")]
    Value,
    /// Attention output.
    #[serde(rename = "o_proj")]
    Output,
    /// Feed-forward gate.
    #[serde(rename = "gate_proj")]
    Gate,
    /// Feed-forward up.
    #[serde(rename = "up_proj")]
    Up,
    /// Feed-forward down.
    #[serde(rename = "down_proj")]
    Down,
}

impl Target {
    /// All of a layer's linears.
    pub const ALL: [Self; 7] = [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// The module's name in Transformers, such as `q_proj`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query => "q_proj",
            Self::Key => "k_proj",
            Self::Value => "v_proj",
            Self::Output => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
        }
    }

    /// The module's path within its layer, such as `self_attn.q_proj`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Query => "self_attn.q_proj",
            Self::Key => "self_attn.k_proj",
            Self::Value => "self_attn.v_proj",
            Self::Output => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    /// The layer and linear of a weight's name in Transformers (`model.layers.0.self_attn.q_proj.weight`), if it is one.
    pub fn of_weight(name: &str) -> Option<(usize, Self)> {
        let (layer, path) = name.strip_prefix("model.layers.")?.split_once('.')?;
        let path = path.strip_suffix(".weight")?;
        let target = Self::ALL.into_iter().find(|target| target.path() == path)?;
        Some((layer.parse().ok()?, target))
    }

    /// The target of a module name (`q_proj`), if it is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }
}

/// The shape of an adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoraSettings {
    /// Rank of the updates.
    pub rank: usize,
    /// Updates are scaled by alpha / rank, or as `rank_stabilized` says.
    pub alpha: f32,
    /// Updates are scaled by alpha / √rank (rsLoRA; Kalajdzievski 2023, "A rank stabilization scaling factor for
    /// fine-tuning with LoRA"), so that a higher rank does not learn more slowly.
    pub rank_stabilized: bool,
    /// Share of the inputs that an update does not see while it trains; see [`Adapter::dropping`].
    pub dropout: f32,
    /// The linears that get an update.
    pub targets: Vec<Target>,
    /// Seed of A's random start (B starts at zero).
    pub seed: u64,
}

impl Default for LoraSettings {
    fn default() -> Self {
        Self { rank: 8, alpha: 16.0, rank_stabilized: false, dropout: 0.0, targets: Target::ALL.to_vec(), seed: 0 }
    }
}

impl LoraSettings {
    /// What multiplies B·A·x.
    pub fn scale(&self) -> f32 {
        let rank = self.rank as f32;
        self.alpha / if self.rank_stabilized { rank.sqrt() } else { rank }
    }
}

/// The update of one linear.
#[derive(Clone)]
struct Update {
    a: Var,
    b: Var,
}

/// A set of LoRA weights over a base model, `f32` whatever the base's format is.
pub struct Adapter {
    settings: LoraSettings,
    scale: f32,
    base: String,
    base_fingerprint: String,
    updates: BTreeMap<(usize, Target), Update>,
    /// Seed of a batch's dropout, where something is dropped.
    dropping: Option<u64>,
}

/// The updates of one layer, as the decoder takes them.
#[derive(Debug, Default, Clone)]
pub struct LayerUpdates([Option<LowRank>; Target::ALL.len()]);

impl LayerUpdates {
    /// The update of a linear, if it has one.
    pub fn get(&self, target: Target) -> Option<&LowRank> {
        self.0[target as usize].as_ref()
    }

    /// The same, made ready for rows that come a few at a time: turned for the CPU's kernels, cast where activations have
    /// another precision.
    pub(crate) fn ready(mut self, precision: Option<Precision>) -> Result<Self, ModelError> {
        let ready = |update: LowRank| match precision {
            None => update.turned(),
            Some(precision) => update.cast(precision.dtype()),
        };
        for update in &mut self.0 {
            *update = update.take().map(ready).transpose()?;
        }
        Ok(self)
    }
}

impl Adapter {
    /// A fresh adapter: A uniform in ±1/√inputs (PEFT's Kaiming start), B zero, so that it changes nothing yet.
    pub fn new(model: &LanguageModel, settings: &LoraSettings) -> Result<Self, ModelError> {
        if settings.rank == 0 || settings.targets.is_empty() {
            return Err(ModelError::Request("an adapter needs a rank of at least 1 and at least one target".into()));
        }
        let device = model.decoder().device();
        Self::build(model, settings.clone(), |layer, target, inputs, outputs| {
            let bound = 1.0 / (inputs as f32).sqrt();
            let stream = (layer * Target::ALL.len() + target as usize) as u64;
            let a: Vec<f32> = (0..settings.rank * inputs)
                .map(|i| (random::uniform(settings.seed, stream, i as u64) * 2.0 - 1.0) * bound)
                .collect();
            let a = Tensor::from_vec(a, (settings.rank, inputs), device)?;
            Ok((a, Tensor::zeros((outputs, settings.rank), DType::F32, device)?))
        })
    }

    fn build(
        model: &LanguageModel,
        settings: LoraSettings,
        mut start: impl FnMut(usize, Target, usize, usize) -> Result<(Tensor, Tensor), ModelError>,
    ) -> Result<Self, ModelError> {
        let decoder = model.decoder();
        let mut updates = BTreeMap::new();
        for layer in 0..decoder.layers() {
            for &target in &settings.targets {
                let Some((inputs, outputs)) = decoder.linear_shape(layer, target) else { continue };
                let (a, b) = start(layer, target, inputs, outputs)?;
                updates.insert((layer, target), Update { a: Var::from_tensor(&a)?, b: Var::from_tensor(&b)? });
            }
        }
        let base_fingerprint = model.fingerprint();
        let (scale, base) = (settings.scale(), model.name().to_owned());
        Ok(Self { settings, scale, base, base_fingerprint, updates, dropping: None })
    }

    /// Reads a PEFT folder (`adapter_config.json`, `adapter_model.safetensors`) for this model.
    ///
    /// Refused, naming what does not fit: an adapter for another base, other shapes, missing or unknown tensors.
    pub fn load(folder: &Path, model: &LanguageModel) -> Result<Self, ModelError> {
        let path = folder.join(CONFIG_FILE);
        let refuse = |path: &Path, why: String| ModelError::Adapter { path: path.to_owned(), why };
        let text = std::fs::read_to_string(&path).map_err(|e| ModelError::file(&path, e))?;
        let config: PeftConfig =
            serde_json::from_str(&text).map_err(|e| refuse(&path, format!("not a PEFT config: {e}")))?;
        let settings = config.settings().map_err(|why| refuse(&path, why))?;

        const ADVICE: &str = "choose the model it was trained on (--model)";
        let wanted = config.base_model_name_or_path.as_deref().unwrap_or("another model");
        let path = folder.join(WEIGHTS_FILE);
        let bytes = std::fs::read(&path).map_err(|e| ModelError::file(&path, e))?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes)
            .map_err(|e| refuse(&path, format!("damaged ({e}); copy or train the adapter again")))?;
        if let Some(base) = metadata.metadata().as_ref().and_then(|m| m.get(BASE_KEY))
            && *base != model.fingerprint()
        {
            return Err(refuse(&path, format!("made for {wanted}, not for {}; {ADVICE}", model.name())));
        }
        let tensors = SafeTensors::deserialize(&bytes)
            .map_err(|e| refuse(&path, format!("damaged ({e}); copy or train the adapter again")))?;
        let mut used = 0;
        let device = model.decoder().device();
        let adapter = Self::build(model, settings.clone(), |layer, target, inputs, outputs| {
            let mut take = |which: char, shape: [usize; 2]| {
                used += 1;
                let name = parameter_name(layer, target, which);
                let view = tensors.tensor(&name).map_err(|_| {
                    refuse(
                        &path,
                        format!("no tensor {name}, which {} needs; made for {wanted}: {ADVICE}", model.name()),
                    )
                })?;
                if view.shape() != shape {
                    let (found, name_of) = (view.shape(), model.name());
                    let why =
                        format!("{name} has shape {found:?}, {name_of} needs {shape:?}; made for {wanted}: {ADVICE}");
                    return Err(refuse(&path, why));
                }
                read_tensor(&view, shape, device).map_err(|why| refuse(&path, format!("{name}: {why}")))
            };
            Ok((take('A', [settings.rank, inputs])?, take('B', [outputs, settings.rank])?))
        })?;
        if used != tensors.len() {
            let held = tensors.len();
            let why = format!("holds {held} tensors where {} has {used}; made for {wanted}: {ADVICE}", model.name());
            return Err(refuse(&path, why));
        }
        Ok(adapter)
    }

    /// Writes the PEFT folder, each file whole or not at all.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        std::fs::create_dir_all(folder).map_err(|e| ModelError::file(folder, e))?;
        let parameters: BTreeMap<String, Var> = self.parameters().into_iter().collect();
        let plan = |(name, var): (&String, &Var)| Planned {
            name: name.clone(),
            shape: var.dims().to_vec(),
            format: PlainFormat::F32,
        };
        let planned: Vec<Planned> = parameters.iter().map(plan).collect();
        let notes = [("format", "pt"), (BASE_KEY, self.base_fingerprint.as_str())];
        tensor_file::write(&folder.join(WEIGHTS_FILE), &notes, &planned, |tensor| {
            let tensor = parameters[&tensor.name].as_detached_tensor().to_device(&Device::Cpu)?;
            Ok(tensor.flatten_all()?.to_vec1::<f32>()?)
        })?;
        let names: Vec<&str> = self.settings.targets.iter().map(|t| t.name()).collect();
        let config = json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": self.base,
            "r": self.settings.rank,
            "lora_alpha": self.settings.alpha,
            "lora_dropout": self.settings.dropout,
            "target_modules": names,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "modules_to_save": null,
            "use_rslora": self.settings.rank_stabilized,
        });
        write_whole(&folder.join(CONFIG_FILE), format!("{config:#}\n").as_bytes())
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &LoraSettings {
        &self.settings
    }

    /// The fingerprint of the model that it belongs to; see [`LanguageModel::fingerprint`].
    pub fn base_fingerprint(&self) -> &str {
        &self.base_fingerprint
    }

    /// The trainable variables by their PEFT names, in a fixed order: layer by layer, A before B.
    pub fn parameters(&self) -> Vec<(String, Var)> {
        let both = |(&(layer, target), update): (&(usize, Target), &Update)| {
            [
                (parameter_name(layer, target, 'A'), update.a.clone()),
                (parameter_name(layer, target, 'B'), update.b.clone()),
            ]
        };
        self.updates.iter().flat_map(both).collect()
    }

    /// scale·B·A of one linear, output × input features row by row; `None` where it has no update.
    ///
    /// # Errors
    /// When the product fails.
    pub fn update(&self, layer: usize, target: Target) -> Result<Option<Vec<f32>>, ModelError> {
        let Some(update) = self.updates.get(&(layer, target)) else { return Ok(None) };
        let product = update.b.as_detached_tensor().matmul(&update.a.as_detached_tensor())?;
        let product = (product * f64::from(self.scale))?.to_device(&Device::Cpu)?;
        Ok(Some(product.flatten_all()?.to_vec1()?))
    }

    /// Whether it changes a linear.
    pub fn tunes(&self, layer: usize, target: Target) -> bool {
        self.updates.contains_key(&(layer, target))
    }

    /// Number of trainable weights.
    pub fn parameter_count(&self) -> usize {
        self.updates.values().map(|u| u.a.elem_count() + u.b.elem_count()).sum()
    }

    /// The same adapter with another share of its inputs dropped in training: that is the recipe's to say, not the file's.
    #[must_use]
    pub fn with_dropout(mut self, dropout: f32) -> Self {
        self.settings.dropout = dropout;
        self
    }

    /// The same variables with dropout on: what a batch of a training step computes with, `batch` being any number of its
    /// own.
    ///
    /// Of each token's inputs of each linear a share of [`LoraSettings::dropout`] is hidden from A and the rest scaled up. What is
    /// hidden is a pure function of seed, batch, linear, token and input, so that layers that are computed again and runs that go
    /// on hide the same; a token that several texts of the batch begin with is one token.
    pub fn dropping(&self, seed: u64, batch: u64) -> Self {
        Self {
            settings: self.settings.clone(),
            scale: self.scale,
            base: self.base.clone(),
            base_fingerprint: self.base_fingerprint.clone(),
            updates: self.updates.clone(),
            dropping: (self.settings.dropout > 0.0).then(|| random::bits(seed, DROPOUT, batch)),
        }
    }

    /// The updates of one layer; `tracked` for training, otherwise cut off from the graph.
    pub(crate) fn layer(&self, layer: usize, tracked: bool) -> LayerUpdates {
        let tensor = |var: &Var| if tracked { var.as_tensor().clone() } else { var.as_detached_tensor() };
        LayerUpdates(Target::ALL.map(|target| {
            let update = self.updates.get(&(layer, target))?;
            let stream = DROPOUT + (layer * Target::ALL.len() + target as usize) as u64;
            let dropout = self.dropping.map(|seed| Dropout::new(self.settings.dropout, seed, stream));
            Some(LowRank { a: tensor(&update.a), b: tensor(&update.b), scale: self.scale, dropout, turned: None })
        }))
    }

    /// The variables of one layer, in the order of [`Adapter::parameters`].
    pub(crate) fn layer_variables(&self, layer: usize) -> impl Iterator<Item = &Var> {
        self.updates.iter().filter(move |((l, _), _)| *l == layer).flat_map(|(_, u)| [&u.a, &u.b])
    }
}

fn parameter_name(layer: usize, target: Target, which: char) -> String {
    format!("{PREFIX}{layer}.{}.lora_{which}.weight", target.path())
}

fn read_tensor(
    view: &safetensors::tensor::TensorView<'_>,
    shape: [usize; 2],
    device: &Device,
) -> Result<Tensor, String> {
    use super::kernels::blocks::{Format, expand};
    let format = match view.dtype() {
        safetensors::Dtype::F32 => Format::F32,
        safetensors::Dtype::F16 => Format::F16,
        safetensors::Dtype::BF16 => Format::BF16,
        other => return Err(format!("format {other:?} is not one of F32, F16, BF16")),
    };
    let mut values = vec![0f32; shape[0] * shape[1]];
    expand(format, view.data(), &mut values);
    if values.iter().any(|v| !v.is_finite()) {
        return Err("holds a value that is not a finite number".into());
    }
    Tensor::from_vec(values, (shape[0], shape[1]), device).map_err(|e| e.to_string())
}

/// Writes a file beside its place and moves it there, so that a reader never sees half of it.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, bytes).map_err(|e| ModelError::file(&beside, e))?;
    std::fs::rename(&beside, path).map_err(|e| ModelError::file(path, e))
}

/// The parts of PEFT's `adapter_config.json` that change what an adapter computes.
#[derive(Debug, Deserialize)]
struct PeftConfig {
    peft_type: String,
    #[serde(default)]
    base_model_name_or_path: Option<String>,
    r: usize,
    lora_alpha: f32,
    target_modules: serde_json::Value,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    lora_dropout: f32,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    bias: Option<String>,
    #[serde(default)]
    modules_to_save: Option<Vec<String>>,
    #[serde(default)]
    rank_pattern: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    alpha_pattern: serde_json::Map<String, serde_json::Value>,
}

impl PeftConfig {
    fn settings(&self) -> Result<LoraSettings, String> {
        let unsupported = [
            (self.peft_type != "LORA", "its peft_type is not LORA"),
            (self.r == 0, "its rank is 0"),
            (self.use_dora, "DoRA is not supported"),
            (self.fan_in_fan_out, "fan_in_fan_out is not supported"),
            (self.bias.as_deref().is_some_and(|b| b != "none"), "trained biases are not supported"),
            (self.modules_to_save.as_ref().is_some_and(|m| !m.is_empty()), "modules_to_save is not supported"),
            (
                !self.rank_pattern.is_empty() || !self.alpha_pattern.is_empty(),
                "rank and alpha patterns are not supported",
            ),
        ];
        if let Some((_, why)) = unsupported.iter().find(|(bad, _)| *bad) {
            return Err((*why).to_owned());
        }
        let names: Vec<&str> = match &self.target_modules {
            serde_json::Value::String(name) if name == "all-linear" => Target::ALL.iter().map(|t| t.name()).collect(),
            serde_json::Value::String(name) => vec![name],
            serde_json::Value::Array(names) => names.iter().filter_map(|n| n.as_str()).collect(),
            _ => return Err("no target_modules".into()),
        };
        let mut targets = names
            .iter()
            .map(|name| {
                Target::from_name(name).ok_or_else(|| format!("target module {name:?} is not a linear of this decoder"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        targets.sort();
        targets.dedup();
        Ok(LoraSettings {
            rank: self.r,
            alpha: self.lora_alpha,
            rank_stabilized: self.use_rslora,
            dropout: self.lora_dropout,
            targets,
            seed: 0,
        })
    }
}
