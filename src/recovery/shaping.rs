//! Reply-driven shaping as data: words of a reply that slow or suspend an account, a domain or a target for a time. Pure.

use std::str::FromStr;
use std::time::Duration;

use regex::Regex;
use serde::Deserialize;

use crate::error::SendError;
use crate::limit::Quota;
use crate::recovery::gate::key_of;

/// How long a reply is slowed or suspended for at most: what lasts longer is a limit of the account.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// Whom a rule holds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All of the account.
    Account,
    /// The recipients of one domain (or the URLs of one host).
    Domain,
    /// What the platform holds up together: an endpoint, a chat.
    Target,
}

impl Scope {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Account => "account",
            Scope::Domain => "domain",
            Scope::Target => "target",
        }
    }
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Act {
    /// One delivery each so long.
    Slow(Duration),
    /// None.
    Suspend,
}

impl Act {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Act::Slow(_) => "slow",
            Act::Suspend => "suspend",
        }
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Looked for in `CODE TEXT` of a refusal.
    pub pattern: Regex,
    /// Only for recipients of these domains; empty: all.
    pub domains: Vec<String>,
    /// What is done.
    pub act: Act,
    /// For how long.
    pub length: Duration,
    /// To whom.
    pub scope: Scope,
    /// The preset that it comes from.
    pub preset: Option<&'static str>,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.pattern.as_str() == other.pattern.as_str()
            && (&self.domains, self.act, self.length, self.scope, self.preset)
                == (&other.domains, other.act, other.length, other.scope, other.preset)
    }
}

/// A rule as written, before it means something.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// A regular expression.
    #[serde(rename = "match")]
    pub pattern: String,
    /// The name of a preset: its domains.
    pub provider: Option<String>,
    /// Domains of recipients.
    #[serde(default)]
    pub domains: Vec<String>,
    /// `slow` or `suspend`.
    pub action: String,
    /// A length of time.
    #[serde(rename = "for")]
    pub length: String,
    /// With `slow`.
    pub rate: Option<String>,
    /// Whom it holds up.
    pub scope: Option<Scope>,
}

/// What is wrong with a rule: the key, and a sentence about it.
pub type Wrong = (&'static str, String);

/// The keys of a rule.
pub const KEYS: [&str; 7] = ["match", "provider", "domains", "action", "for", "rate", "scope"];

impl Written {
    /// The rule that is meant. Without a scope it is the domain where the rule names domains, else the account. `mailboxes` are those of
    /// a provider by its name.
    ///
    /// # Errors
    /// The first key that is wrong.
    pub fn rule(&self, mailboxes: impl Fn(&str) -> Result<Vec<String>, String>) -> Result<Rule, Wrong> {
        let pattern = regex::RegexBuilder::new(&self.pattern)
            .case_insensitive(true)
            .size_limit(1 << 20)
            .build()
            .map_err(|error| ("match", format!("not a regular expression: {}", last_line(&error.to_string()))))?;
        if self.pattern.trim().is_empty() {
            return Err(("match", "it is empty, and would match every refusal".to_owned()));
        }
        let mut domains: Vec<String> = self.domains.iter().map(|domain| domain.trim().to_ascii_lowercase()).collect();
        if let Some(name) = &self.provider {
            domains.extend(mailboxes(name).map_err(|what| ("provider", what))?);
        }
        let length = time(&self.length)
            .filter(|length| *length <= LONGEST)
            .ok_or_else(|| ("for", format!("\"{}\" is not a length of time: write 30s, 10m, 1h, up to 7d", self.length)))?;
        let act = match (self.action.as_str(), &self.rate) {
            ("suspend", None) => Act::Suspend,
            ("suspend", Some(_)) => {
                return Err(("rate", "what is suspended has no rate: write `action: slow`, or leave it out".to_owned()));
            }
            ("slow", None) => return Err(("rate", "`action: slow` needs one, such as `rate: 1/s`".to_owned())),
            ("slow", Some(rate)) => {
                let quota = Quota::from_str(rate).map_err(|error| ("rate", error.to_string()))?;
                Act::Slow(quota.interval())
            }
            (other, _) => return Err(("action", format!("\"{other}\" is neither slow nor suspend"))),
        };
        let scope = self.scope.unwrap_or(if domains.is_empty() { Scope::Account } else { Scope::Domain });
        if scope == Scope::Target && matches!(act, Act::Slow(_)) {
            return Err(("scope", "a target can be suspended; what is slowed is a domain or the account".to_owned()));
        }
        Ok(Rule { pattern, domains, act, length, scope, preset: None })
    }
}

/// A length of time as rates write it.
fn time(text: &str) -> Option<Duration> {
    let text = text.trim();
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Quota::from_str(&format!("1/{text}")).ok().map(|quota| quota.period)
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ")
}

/// `shaping:` of an account.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shaping {
    /// `off`: nothing of the presets.
    pub off: bool,
    /// The user's own, which come first.
    pub rules: Vec<Rule>,
}

/// The first rule that speaks of this refusal.
pub fn find<'a>(rules: &'a [Rule], to: &str, error: &SendError) -> Option<&'a Rule> {
    if rules.is_empty() {
        return None;
    }
    let text = format!("{} {}", error.code.as_deref().unwrap_or_default(), error.detail);
    let domain = key_of(to);
    let concerns = |rule: &&Rule| {
        rule.domains.is_empty() || domain.as_deref().is_some_and(|domain| rule.domains.iter().any(|known| known == domain))
    };
    rules.iter().filter(concerns).find(|rule| rule.pattern.is_match(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(yaml: &str) -> Written {
        serde_yaml::from_str(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
    }

    fn gmail(name: &str) -> Result<Vec<String>, String> {
        if name == "gmail" { Ok(vec!["gmail.com".to_owned()]) } else { Err("nobody".to_owned()) }
    }

    #[test]
    fn a_rule_is_read_with_what_it_leaves_open() {
        let rule = written("{ match: '4\\.7\\.28', provider: gmail, action: suspend, for: 10m }").rule(gmail).unwrap();
        assert_eq!((rule.scope, rule.act, rule.length), (Scope::Domain, Act::Suspend, Duration::from_secs(600)));
        assert!(rule.domains.contains(&"gmail.com".to_owned()));
        let rule = written("{ match: slow down, action: slow, rate: 2/s, for: 1h }").rule(gmail).unwrap();
        assert_eq!((rule.scope, rule.act), (Scope::Account, Act::Slow(Duration::from_millis(500))));
    }

    #[test]
    fn a_mistake_names_its_key() {
        for (yaml, key) in [
            ("{ match: '(', action: suspend, for: 1m }", "match"),
            ("{ match: '', action: suspend, for: 1m }", "match"),
            ("{ match: x, action: pause, for: 1m }", "action"),
            ("{ match: x, action: suspend, for: soon }", "for"),
            ("{ match: x, action: suspend, for: 30d }", "for"),
            ("{ match: x, action: slow, for: 1m }", "rate"),
            ("{ match: x, action: slow, rate: fast, for: 1m }", "rate"),
            ("{ match: x, action: suspend, rate: 1/s, for: 1m }", "rate"),
            ("{ match: x, action: suspend, for: 1m, provider: gmial }", "provider"),
            ("{ match: x, action: slow, rate: 1/s, for: 1m, scope: target }", "scope"),
        ] {
            assert_eq!(written(yaml).rule(gmail).unwrap_err().0, key, "{yaml}");
        }
    }
}
