//! One account of the config: a platform with credentials and pace, before it is opened.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::limit::Quota;
use crate::problem::Problem;

/// An account as written. The platform's own keys stay a tree until the platform reads them.
#[derive(Debug, Clone)]
pub struct AccountConfig {
    /// `corp-mail`.
    pub name: Arc<str>,
    /// `smtp`, `webhook`, `outbox`, or the name of a definition.
    pub platform: String,
    /// `limits:`; `None` leaves the platform's own.
    pub limits: Option<Vec<Quota>>,
    /// `concurrency:` of this account.
    pub concurrency: Option<NonZeroUsize>,
    /// Every other key, for the platform.
    pub settings: serde_yaml::Mapping,
}

impl AccountConfig {
    /// Reads the platform's own keys into `T`. A key that is not in `known` is an error that suggests the nearest one.
    ///
    /// # Errors
    /// A [`Problem`] that names account, key and, where the file is known, line and column.
    pub fn settings<T: serde::de::DeserializeOwned>(&self, known: &[&str]) -> Result<T, Problem> {
        for key in self.settings.keys().filter_map(|key| key.as_str()) {
            if !known.contains(&key) {
                let help = match crate::problem::did_you_mean(key, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("platform {} takes: {}", self.platform, known.join(", ")),
                };
                return Err(Problem { what: format!("account {}: unknown key `{key}`", self.name), help: Some(help), ..Problem::default() });
            }
        }
        serde_yaml::from_value(serde_yaml::Value::Mapping(self.settings.clone()))
            .map_err(|error| Problem { what: format!("account {}: {error}", self.name), ..Problem::default() })
    }
}
