//! Whom to ask: what was given, else what the project's settings say.

use super::{Address, Endpoint, Keys, TeacherError};
use crate::workspace::Workspace;

/// The name of the teacher's model.
///
/// # Errors
/// [`TeacherError::Settings`] when neither names one.
pub fn model_of<'a>(workspace: &'a Workspace, given: Option<&'a str>) -> Result<&'a str, TeacherError> {
    let named = given.or(workspace.settings().teacher.model.as_deref()).map(str::trim);
    named.filter(|name| !name.is_empty()).ok_or_else(|| {
        let what = "no teacher's model: name one with --model, or as model under [teacher] in logwright.toml";
        TeacherError::Settings(what.into())
    })
}

/// The teacher's service, with the key of the environment. `address` and `model` are what the user named himself, if he did.
///
/// # Errors
/// [`TeacherError::Settings`] when nothing says where or whom; else what is wrong with the address or the key.
pub fn endpoint_of(
    workspace: &Workspace,
    address: Option<&str>,
    model: Option<&str>,
) -> Result<Endpoint, TeacherError> {
    let model = model_of(workspace, model)?;
    let trusted = address.is_some();
    let address = address.or(workspace.settings().teacher.endpoint.as_deref()).ok_or_else(|| {
        let what = "no teacher's address: name one with --endpoint, or as endpoint under [teacher] in logwright.toml";
        TeacherError::Settings(what.into())
    })?;
    Endpoint::with_keys(Address::parse(address)?, model, Keys::of_environment(), trusted)
}
