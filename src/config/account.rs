//! One account of the config: a platform with credentials and pace, before it is opened.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::knobs::Knobs;
use super::literal::is_secret_key;
use super::secret::{Reference, Secret};
use super::sentence::{Misfit, retold};
use super::typed;
use crate::limit::Quota;
use crate::problem::{Problem, did_you_mean};
use crate::recovery::presets::{self, Provider};
use crate::recovery::shaping::Shaping;
use crate::state::holds::HoldKey;

/// An account as written. The platform's own keys stay a tree until the platform reads them.
#[derive(Clone)]
pub struct AccountConfig {
    /// `corp-mail`.
    pub name: Arc<str>,
    /// `smtp`, `webhook`, `outbox`, or the name of a definition.
    pub platform: String,
    /// `limits:`; `None` leaves the platform's own.
    pub limits: Option<Vec<Quota>>,
    /// `concurrency:` of this account.
    pub concurrency: Option<NonZeroUsize>,
    /// The keys of `concurrency:`, where it is not a number.
    pub knobs: Knobs,
    /// `shaping:`; `None` leaves what presets say.
    pub shaping: Option<Shaping>,
    /// Every other key, for the platform. Paths of files are absolute by now.
    pub settings: serde_yaml::Mapping,
}

/// Keys that say to whom an account speaks, beside those of secrets.
const WHERE: [&str; 8] = ["url", "base", "host", "server", "user", "username", "command", "from_number"];

/// The settings by their keys only: among the values are secrets.
impl std::fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&str> = self.settings.keys().filter_map(serde_yaml::Value::as_str).collect();
        f.debug_struct("AccountConfig")
            .field("name", &self.name)
            .field("platform", &self.platform)
            .field("limits", &self.limits)
            .field("concurrency", &self.concurrency)
            .field("knobs", &self.knobs)
            .field("shaping", &self.shaping)
            .field("settings", &keys)
            .finish()
    }
}

impl AccountConfig {
    /// The account that is always there: writes files, sends nothing.
    pub fn outbox() -> AccountConfig {
        AccountConfig {
            name: Arc::from("outbox"),
            platform: "outbox".to_owned(),
            limits: None,
            concurrency: None,
            knobs: Knobs::default(),
            shaping: None,
            settings: serde_yaml::Mapping::new(),
        }
    }

    /// The big mail provider whose server this account sends through, unless `shaping: off` says that it is not to matter.
    pub fn provider(&self) -> Option<&'static Provider> {
        if self.platform != "smtp" || self.shaping.as_ref().is_some_and(|shaping| shaping.off) {
            return None;
        }
        let text = |key: &str| self.settings.get(key).and_then(serde_yaml::Value::as_str);
        let (_, rest) = text("url")?.split_once("://")?;
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (Some(user.replace("%40", "@")), host),
            None => (None, rest),
        };
        let host = host.split([':', '/', '?']).next().unwrap_or_default();
        presets::of_host(host, text("user").or(user.as_deref()))
    }

    /// The account with what its provider's preset says where nobody said anything.
    #[must_use]
    pub fn with_preset(&self) -> AccountConfig {
        let mut account = self.clone();
        let Some(provider) = self.provider() else { return account };
        let given = [("connections", provider.connections), ("messages_per_connection", provider.messages_per_connection)];
        for (key, value) in given {
            let unsaid = account.settings.get(key).is_none_or(serde_yaml::Value::is_null);
            if let (Some(value), true) = (value, unsaid) {
                account.settings.insert(key.into(), value.into());
            }
        }
        if account.limits.is_none() && !provider.limits.is_empty() {
            account.limits = Some(provider.limits.clone());
        }
        account
    }

    /// A hash of the endpoint and its credential: the same for two accounts, of two configs, that speak to the same service as the same
    /// client, whatever they are called. Secrets of the environment and of files are read for it; a command is not run again, its words
    /// stand for what it prints.
    pub fn identity(&self) -> String {
        let mut parts: Vec<(String, String)> = Vec::new();
        for (key, value) in &self.settings {
            let Some(key) = key.as_str() else { continue };
            if WHERE.contains(&key) || key.ends_with("_id") || key.ends_with("_sid") || is_secret_key(key) {
                let secret = serde_yaml::from_value::<Secret>(value.clone()).ok();
                let known = secret.filter(|secret| !matches!(secret, Secret::Reference(Reference::Cmd(_))));
                let resolved = known.and_then(|secret| secret.resolve().ok());
                let text = resolved.map(|value| secrecy::ExposeSecret::expose_secret(&value).to_owned());
                let text = text.or_else(|| serde_json::to_string(value).ok()).unwrap_or_default();
                parts.push((key.to_owned(), text.trim().to_owned()));
            }
        }
        if parts.is_empty() {
            parts.push(("account".to_owned(), self.name.to_string()));
        }
        parts.sort();
        let words: Vec<&str> = std::iter::once(self.platform.as_str())
            .chain(parts.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]))
            .collect();
        HoldKey::of(&words).to_string()
    }

    /// Reads the platform's own keys into `T`. A key that is not in `known` is an error that suggests the nearest one.
    ///
    /// # Errors
    /// A [`Problem`] that names account and key; [`super::Config::locate`] adds file, line and column. Never the value of a secret.
    pub fn settings<T: serde::de::DeserializeOwned>(&self, known: &[&str]) -> Result<T, Problem> {
        for key in self.settings.keys() {
            let key = key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
            if !known.contains(&key.as_str()) {
                let help = match did_you_mean(&key, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if known.is_empty() => format!("platform {} takes no keys of its own", self.platform),
                    None => format!("platform {} takes: {}", self.platform, known.join(", ")),
                };
                return Err(Problem {
                    what: format!("account {}: unknown key `{key}`", self.name),
                    help: Some(help),
                    ..Problem::default()
                });
            }
        }
        typed::read(&self.settings).map_err(|(path, error)| {
            let Misfit { what, help } = retold(&error.to_string()).split();
            let secret = path.split(['.', '[']).any(is_secret_key);
            let what = match what.rsplit_once(", not ") {
                Some((what, _)) if secret => what.to_owned(),
                _ => what,
            };
            let account = &self.name;
            let what = match path.rsplit_once('.').map_or(path.as_str(), |(_, last)| last) {
                "" => format!("account {account}: {what}"),
                // The sentence names the key already.
                last if what.ends_with(&format!("`{last}`")) => format!("account {account}: {what} (`{path}`)"),
                _ => format!("account {account}: `{path}`: {what}"),
            };
            Problem { what, help, ..Problem::default() }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::secret::Secret;
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Settings {
        url: String,
        connections: Option<NonZeroUsize>,
        password: Option<Secret>,
        dkim: Option<Dkim>,
        ports: Option<Vec<u16>>,
        mode: Option<Mode>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Dkim {
        domain: String,
        key: Secret,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Required,
        None,
    }

    fn read(yaml: &str) -> Result<Settings, Problem> {
        let settings = serde_yaml::from_str(yaml).unwrap();
        let account = AccountConfig { name: Arc::from("mail"), platform: "smtp".into(), settings, ..AccountConfig::outbox() };
        account.settings(&["url", "connections", "password", "dkim", "ports", "mode"])
    }

    #[test]
    fn a_platform_reads_its_keys() {
        let settings = read(
            "{ url: x, connections: 3, password: { env: X }, dkim: { domain: d, key: { file: k } }, ports: [1], mode: none }",
        )
        .unwrap();
        assert_eq!((settings.connections.unwrap().get(), settings.ports), (3, Some(vec![1])));
        assert!(matches!(settings.mode, Some(Mode::None)));
        assert!(read("{ url: x, connections: ~, mode: ~ }").unwrap().mode.is_none());
    }

    #[test]
    fn a_mistake_names_its_key_and_what_to_write() {
        for (yaml, what, help) in [
            ("{ url: x, conections: 3 }", "account mail: unknown key `conections`", Some("did you mean `connections`?")),
            ("{ url: x, connections: many }", "account mail: `connections`: write a whole number above 0, not \"many\"", None),
            ("{ url: x, connections: 0 }", "account mail: `connections`: write a whole number above 0, not 0", None),
            ("{ url: [x] }", "account mail: `url`: write a text, not a list", None),
            ("{ }", "account mail: `url` is missing", Some("add `url:`")),
            ("{ url: x, dkim: { domain: d } }", "account mail: `dkim`: `key` is missing", Some("add `key:`")),
            ("{ url: x, dkim: { domain: d, kez: k } }", "account mail: unknown key `kez` (`dkim.kez`)", None),
            ("{ url: x, ports: [1, 70000] }", "account mail: `ports[1]`: write a whole number from 0 to 65535, not 70000", None),
            (
                "{ url: x, mode: maybe }",
                "account mail: `mode`: \"maybe\" is not understood",
                Some("write one of: required, none"),
            ),
            ("{ url: x, password: 12345 }", "account mail: `password`: a secret that looks like a number needs quotes", None),
            (
                "{ url: x, password: [12345] }",
                "account mail: `password`: write a secret: { env: NAME }, { file: PATH } or { cmd: \"pass show x\" }",
                None,
            ),
            (
                "{ url: x, password: { evn: X } }",
                "account mail: `password`: a secret has no source `evn`",
                Some("did you mean `env`?"),
            ),
        ] {
            let problem = read(yaml).unwrap_err();
            assert_eq!(problem.what, what, "{yaml}");
            if help.is_some() {
                assert_eq!(problem.help.as_deref(), help, "{yaml}");
            }
        }
    }

    #[test]
    fn an_account_is_who_it_speaks_to_and_as_whom() {
        let identity = |name: &str, platform: &str, yaml: &str| {
            let settings = serde_yaml::from_str(yaml).unwrap();
            AccountConfig { name: Arc::from(name), platform: platform.into(), settings, ..AccountConfig::outbox() }.identity()
        };
        let one = identity("ops", "slack-webhook", "{ webhook: https://hooks.example/T1, username: x }");
        assert_eq!(one, identity("nightly", "slack-webhook", "{ webhook: https://hooks.example/T1, username: x, icon: y }"));
        assert_ne!(one, identity("ops", "slack-webhook", "{ webhook: https://hooks.example/T2, username: x }"));
        assert_ne!(one, identity("ops", "other", "{ webhook: https://hooks.example/T1, username: x }"));
        assert!(!one.contains("hooks"), "{one}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "t0ken\n").unwrap();
        let by_file = format!("{{ token: {{ file: {} }} }}", file.path().display());
        assert_eq!(identity("a", "slack", "{ token: t0ken }"), identity("b", "slack", &by_file));
        assert_eq!(identity("a", "slack", "{ token: { cmd: pass } }"), identity("b", "slack", "{ token: { cmd: pass } }"));
        assert_ne!(identity("a", "outbox", "{}"), identity("b", "outbox", "{}"));
    }

    #[test]
    fn debug_shows_keys_only() {
        let settings = serde_yaml::from_str("{ url: x, password: hunter2 }").unwrap();
        let told = format!("{:?}", AccountConfig { settings, ..AccountConfig::outbox() });
        assert!(told.contains("password") && !told.contains("hunter2"), "{told}");
    }
}
