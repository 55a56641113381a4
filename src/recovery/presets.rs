//! What is known of the big mail providers: the data of `presets.yaml`, read once.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::limit::Quota;
use crate::recovery::shaping::{Rule, Scope, Shaping, Written};

/// Rules of one account.
const MOST_RULES: usize = 100;

/// The data, as it comes along.
pub const TEXT: &str = include_str!("presets.yaml");

/// One provider.
#[derive(Debug, Clone)]
pub struct Provider {
    /// `gmail`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Its submission servers; `*` stands for any run of characters.
    pub hosts: Vec<String>,
    /// Only where the account logs in as somebody of these domains; empty: whoever.
    pub users: Vec<String>,
    /// Its mailboxes, in lower case.
    pub domains: Vec<String>,
    /// Connections at once, where the account does not say.
    pub connections: Option<u64>,
    /// Messages of one connection, where the account does not say.
    pub messages_per_connection: Option<u64>,
    /// Limits of an account, where it does not say.
    pub limits: Vec<Quota>,
    /// What its replies ask for.
    pub rules: Vec<Rule>,
    /// Where that was read.
    pub docs: Vec<String>,
    /// What a person should know.
    pub note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    title: String,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    domains: Vec<String>,
    connections: Option<u64>,
    messages_per_connection: Option<u64>,
    #[serde(default)]
    limits: Vec<Quota>,
    #[serde(default)]
    rules: Vec<Written>,
    #[serde(default)]
    docs: Vec<String>,
    note: Option<String>,
}

static ALL: LazyLock<Vec<Provider>> = LazyLock::new(|| read(TEXT).unwrap_or_default());

/// All of them. A test proves that the data can be read.
pub fn all() -> &'static [Provider] {
    &ALL
}

/// The provider whose server that is, for an account that logs in as `user`.
pub fn of_host(host: &str, user: Option<&str>) -> Option<&'static Provider> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let domain = user.and_then(|user| user.rsplit_once('@')).map(|(_, domain)| domain.to_ascii_lowercase());
    all().iter().find(|provider| {
        let theirs = || provider.users.is_empty() || domain.as_ref().is_some_and(|domain| provider.users.contains(domain));
        provider.hosts.iter().any(|known| fits(known, &host)) && theirs()
    })
}

/// The mailboxes of a provider, by its name.
///
/// # Errors
/// There is none of that name, or it has none.
pub fn mailboxes(name: &str) -> Result<Vec<String>, String> {
    let Some(provider) = all().iter().find(|provider| provider.name == name) else {
        let names: Vec<&str> =
            all().iter().filter(|provider| !provider.domains.is_empty()).map(|provider| provider.name.as_str()).collect();
        return Err(format!("no provider is called \"{name}\"; there are {}", names.join(", ")));
    };
    if provider.domains.is_empty() {
        return Err(format!("{name} has no mailboxes: name the `domains` that are meant"));
    }
    Ok(provider.domains.clone())
}

/// The rules of an account: the user's own, then those of the preset of its server; where its server is no big provider's, those of
/// every provider for its own recipients.
pub fn rules_of(own: Option<&Shaping>, smtp: bool, provider: Option<&'static Provider>) -> Vec<Rule> {
    let mut rules = own.map(|own| own.rules.clone()).unwrap_or_default();
    if !smtp || own.is_some_and(|own| own.off) {
        return rules;
    }
    match provider {
        Some(provider) => rules.extend(provider.rules.iter().map(|rule| Rule { scope: Scope::Account, ..rule.clone() })),
        None => {
            let theirs = all().iter().filter(|provider| !provider.domains.is_empty());
            let by_domain = |provider: &Provider| {
                let domains = provider.domains.clone();
                let rules = provider.rules.clone();
                rules.into_iter().map(move |rule| Rule { scope: Scope::Domain, domains: domains.clone(), ..rule })
            };
            rules.extend(theirs.flat_map(by_domain));
        }
    }
    rules.truncate(MOST_RULES);
    rules
}

/// One `*` stands for any run of characters.
fn fits(known: &str, host: &str) -> bool {
    match known.split_once('*') {
        None => known == host,
        Some((before, after)) => host.len() >= before.len() + after.len() && host.starts_with(before) && host.ends_with(after),
    }
}

fn read(text: &str) -> Result<Vec<Provider>, String> {
    let entries: Vec<Entry> = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    // The names live as long as the program, so that rules can carry them.
    entries
        .into_iter()
        .map(|entry| {
            let name: &'static str = Box::leak(entry.name.clone().into_boxed_str());
            let rule = |written: &Written| match written.rule(|_| Err("a preset names its own domains".to_owned())) {
                Ok(rule) => Ok(Rule { preset: Some(name), ..rule }),
                Err((key, what)) => Err(format!("{name}: {key}: {what}")),
            };
            Ok(Provider {
                rules: entry.rules.iter().map(rule).collect::<Result<_, String>>()?,
                name: entry.name,
                title: entry.title,
                hosts: entry.hosts,
                users: entry.users,
                domains: entry.domains,
                connections: entry.connections,
                messages_per_connection: entry.messages_per_connection,
                limits: entry.limits,
                docs: entry.docs,
                note: entry.note,
            })
        })
        .collect()
}

impl Provider {
    /// What it gives an account, in words.
    pub fn told(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.connections.map(|n| format!("{n} connections")));
        words.extend(self.messages_per_connection.map(|n| format!("{n} messages a connection")));
        words.extend(self.limits.iter().map(Quota::to_string));
        words.push(format!("{} rules about replies", self.rules.len()));
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, SendError};
    use crate::recovery::shaping::find;

    #[test]
    fn the_data_can_be_read() {
        let all = read(TEXT).unwrap_or_else(|error| panic!("presets.yaml: {error}"));
        let names: Vec<&str> = all.iter().map(|provider| provider.name.as_str()).collect();
        for wanted in ["gmail", "workspace", "microsoft", "yahoo", "qq", "163", "ses", "directmail"] {
            assert!(names.contains(&wanted), "{wanted}: {names:?}");
        }
    }

    #[test]
    fn a_provider_is_known_by_its_host_and_user() {
        let name = |host, user| of_host(host, user).map(|provider| provider.name.as_str());
        assert_eq!(name("smtp.gmail.com", Some("me@gmail.com")), Some("gmail"));
        assert_eq!(name("SMTP.Gmail.com.", Some("me@corp.example")), Some("workspace"));
        assert_eq!(name("email-smtp.eu-west-1.amazonaws.com", None), Some("ses"));
        assert_eq!(name("email-smtp.amazonaws.com.evil.example", None), None);
        assert_eq!(name("smtp.office365.com", None), Some("microsoft"));
        assert_eq!(name("mail.corp.example", Some("me@gmail.com")), None);
    }

    #[test]
    fn replies_of_each_provider_find_their_rule() {
        for (provider, code, text) in [
            ("gmail", "421 4.7.28", "Our system has detected an unusual rate of unsolicited mail"),
            ("gmail", "450 4.2.1", "The user you are trying to contact is receiving mail at a rate"),
            ("microsoft", "432 4.3.2", "Concurrent connections limit exceeded"),
            ("microsoft", "451 4.7.650", "The mail server has been temporarily rate limited due to IP reputation"),
            ("yahoo", "421 4.7.0", "[TSS04] Messages temporarily deferred due to unexpected volume"),
            ("qq", "550", "Connection frequency limited"),
            ("qq", "550", "Ip frequency limited"),
            ("163", "450", "MI:DMC"),
            ("163", "451", "MI:SFQ"),
            ("163", "421", "HL:ICC 163 smtp8"),
            ("ses", "454", "Throttling failure: Maximum sending rate exceeded."),
            ("ses", "454", "Throttling failure: Daily message quota exceeded."),
            ("directmail", "552", "Daily sending quota exceeded"),
        ] {
            let known = all().iter().find(|known| known.name == provider).expect(provider);
            let error = SendError::new(ErrorKind::Throttled, text).with_code(code);
            let domain = known.domains.first().map_or("example.com", String::as_str);
            assert!(find(&known.rules, &format!("a@{domain}"), &error).is_some(), "{provider}: {code} {text}");
        }
    }

    fn written(yaml: &str) -> Rule {
        serde_yaml::from_str::<Written>(yaml).unwrap().rule(mailboxes).unwrap()
    }

    #[test]
    fn rules_of_the_users_come_first_and_presets_can_be_turned_off() {
        let own = Shaping { off: false, rules: vec![written("{ match: x, action: suspend, for: 1m }")] };
        let rules = rules_of(Some(&own), true, None);
        assert!(rules.len() > 5 && rules[0].preset.is_none());
        assert!(rules[1..].iter().all(|rule| rule.scope == Scope::Domain && !rule.domains.is_empty() && rule.preset.is_some()));
        let gmail = of_host("smtp.gmail.com", Some("me@corp.example"));
        assert!(rules_of(None, true, gmail).iter().all(|rule| rule.scope == Scope::Account));
        assert_eq!(rules_of(Some(&Shaping { off: true, ..own }), true, gmail).len(), 1);
        assert_eq!(rules_of(None, false, None).len(), 0, "replies of an API are told by its definition");
    }

    #[test]
    fn a_refusal_finds_its_rule_by_words_and_recipient() {
        let rules = rules_of(None, true, None);
        let error = SendError::new(ErrorKind::Throttled, "Our system has detected an unusual rate").with_code("421 4.7.28");
        assert_eq!(find(&rules, "a@gmail.com", &error).and_then(|rule| rule.preset), Some("gmail"));
        assert_eq!(find(&rules, "a@corp.example", &error), None, "somebody else's recipient");
        let other = SendError::new(ErrorKind::BadAddress, "no such user").with_code("550 5.1.1");
        assert_eq!(find(&rules, "a@gmail.com", &other), None);
    }
}
