//! Bytes in: the formats that logs and tables come in, templates and their masks, and text made safe to show.
//!
//! This room is pure: it reads slices and strings, never files, and knows no terminal. Everything else in the program
//! sees outside text through two types of this room: a [`Template`] is what people judge, and a [`SafeText`] is the only
//! form in which outside text reaches a screen.

mod drain;
pub mod format;
mod mask;
mod safe_text;
pub mod table;
mod template;

pub use drain::{Drain, DrainLimits, DrainSettings, SavedCluster, StateError};
pub use mask::{MaskBuffers, MaskError, Masks};
pub use safe_text::SafeText;
pub use template::{Segment, Template, TemplateKey, VARIABLE, made_id, segments};
