//! Placeholder: being built.
use std::sync::Arc;
use crate::config::account::AccountConfig;
use crate::platform::{Opening, Platform};
use crate::problem::Problem;
pub fn open(_: &AccountConfig, _: &Opening) -> Result<Arc<dyn Platform>, Problem> { todo!() }
