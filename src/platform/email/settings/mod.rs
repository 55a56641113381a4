//! The keys of an `smtp` account, read, checked and given their defaults. Nothing is opened here but files that the keys name.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use crate::config::account::AccountConfig;
use crate::config::secret::{Command, Reference, Secret};
use crate::platform::Opening;
use crate::problem::Problem;

use self::url::{Scheme, Server, is_loopback, server};
use super::address::{Mailbox, Path};
use super::{header, reserved};

mod url;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// TLS from the first byte (`smtps://`).
    Implicit,
    /// STARTTLS, and nothing without it.
    Required,
    /// STARTTLS where the server offers it; the certificate is checked all the same.
    Opportunistic,
    /// STARTTLS only where a login needs it or a `ca_file` says whom to trust: a server on this machine, over loopback.
    Demanded,
    /// Never.
    None,
}

/// `auth:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mechanism {
    /// PLAIN, else LOGIN, else CRAM-MD5; XOAUTH2, else OAUTHBEARER, where `oauth2` is given.
    #[default]
    Auto,
    /// RFC 4616.
    Plain,
    /// The older one that some servers alone know.
    Login,
    /// RFC 2195: the password itself does not travel. Only where a server offers nothing else.
    #[serde(rename = "cram-md5")]
    CramMd5,
    /// A bearer token as Google and Microsoft want it.
    Xoauth2,
    /// A bearer token as RFC 7628 has it.
    Oauthbearer,
}

/// What proves who we are.
#[derive(Clone)]
pub(super) enum Proof {
    /// A password.
    Password(SecretString),
    /// A token, resolved anew for each connection since tokens expire.
    Token(Secret),
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Proof::Password(_) => "Password(***)",
            Proof::Token(_) => "Token(***)",
        })
    }
}

/// User and proof.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub user: String,
    pub proof: Proof,
    pub mechanism: Mechanism,
}

/// `unsubscribe:`: what List-Unsubscribe is made of (RFC 2369, RFC 8058).
#[derive(Clone)]
pub(super) struct Unsubscribe {
    pub url: Option<String>,
    pub mailto: Option<String>,
    pub secret: Option<SecretString>,
}

impl fmt::Debug for Unsubscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsubscribe").field("url", &self.url).field("mailto", &self.mailto).finish_non_exhaustive()
    }
}

/// `dkim:`, not yet opened.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "dkim"), expect(dead_code, reason = "without the feature the key is only refused"))]
pub(super) struct Dkim {
    pub domain: String,
    pub selector: String,
    pub key: Secret,
}

/// An account as it works.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub account: Arc<str>,
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub login: Option<Login>,
    /// `--from`: over what the message says.
    pub from_over: Option<Mailbox>,
    /// The account's own, where the message says nothing.
    pub from: Option<Mailbox>,
    pub reply_to_over: Option<Mailbox>,
    pub reply_to: Option<Mailbox>,
    /// Connections at once: what bounds sockets.
    pub connections: NonZeroUsize,
    /// Deliveries in hand per connection: with `connections` it bounds what waits here.
    pub window: NonZeroUsize,
    pub messages_per_connection: usize,
    pub idle: Duration,
    pub ca_file: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub ehlo_name: String,
    pub source_address: Option<IpAddr>,
    pub headers: Vec<(String, String)>,
    /// The envelope sender with `{{delivery_id}}` in it; empty for `<>`.
    pub return_path: Option<String>,
    pub dkim: Option<Dkim>,
    pub unsubscribe: Option<Unsubscribe>,
    pub pipelining: bool,
    /// Bytes of messages built and not yet answered for.
    pub memory_budget: usize,
    pub timeout: Duration,
    pub final_timeout: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    url: String,
    user: Option<String>,
    password: Option<Secret>,
    oauth2: Option<OAuth2>,
    from: Option<String>,
    reply_to: Option<String>,
    connections: Option<NonZeroUsize>,
    window: Option<NonZeroUsize>,
    messages_per_connection: Option<NonZeroUsize>,
    idle: Option<String>,
    tls: Option<Tls>,
    ca_file: Option<PathBuf>,
    client_cert: Option<PathBuf>,
    client_key: Option<PathBuf>,
    ehlo_name: Option<String>,
    source_address: Option<IpAddr>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    return_path: Option<String>,
    dkim: Option<WrittenDkim>,
    unsubscribe: Option<WrittenUnsubscribe>,
    pipelining: Option<Pipelining>,
    auth: Option<Mechanism>,
    memory_budget: Option<Size>,
}

const KNOWN: [&str; 23] = [
    "url",
    "user",
    "password",
    "oauth2",
    "from",
    "reply_to",
    "connections",
    "window",
    "messages_per_connection",
    "idle",
    "tls",
    "ca_file",
    "client_cert",
    "client_key",
    "ehlo_name",
    "source_address",
    "headers",
    "return_path",
    "dkim",
    "unsubscribe",
    "pipelining",
    "auth",
    "memory_budget",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OAuth2 {
    token_cmd: Option<Command>,
    token: Option<Secret>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Tls {
    Required,
    Opportunistic,
    None,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Pipelining {
    Auto,
    Off,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDkim {
    domain: String,
    selector: String,
    key: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUnsubscribe {
    url: Option<String>,
    secret: Option<Secret>,
    mailto: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a size such as 32MB")]
enum Size {
    Bytes(usize),
    Words(String),
}

impl Size {
    fn bytes(&self) -> Option<usize> {
        let text = match self {
            Size::Bytes(bytes) => return Some(*bytes),
            Size::Words(text) => text.trim(),
        };
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let unit = match unit.trim() {
            "" | "B" => 1,
            "k" | "K" | "kB" | "KB" => 1000,
            "KiB" => 1 << 10,
            "M" | "MB" => 1_000_000,
            "MiB" => 1 << 20,
            "G" | "GB" => 1_000_000_000,
            "GiB" => 1 << 30,
            _ => return None,
        };
        number.parse::<usize>().ok()?.checked_mul(unit)
    }
}

impl Settings {
    /// Reads and checks the account's keys.
    pub(super) fn read(account: &AccountConfig, opening: &Opening) -> Result<Settings, Problem> {
        let wrong = |what: String| Problem { what: format!("account {}: {what}", account.name), ..Problem::default() };
        let advised = |what: String, help: &str| Problem { help: Some(help.to_owned()), ..wrong(what) };
        let written: Written = account.settings(&KNOWN)?;
        let Server { scheme, user: url_user, host, port } = server(&written.url).map_err(|what| {
            advised(
                what,
                "write smtps://host (TLS, port 465), smtp+starttls://host (587) or smtp://host (25), with :port where it differs",
            )
        })?;
        let user = written.user.or(url_user);
        let loopback = is_loopback(&host);

        let proof = match (written.password, written.oauth2) {
            (Some(_), Some(_)) => return Err(wrong("`password` and `oauth2` exclude each other".to_owned())),
            (Some(password), None) => Some(Proof::Password(password.resolve().map_err(|e| wrong(format!("password: {e}")))?)),
            (None, Some(OAuth2 { token_cmd: Some(command), token: None })) => {
                Some(Proof::Token(Secret::Reference(Reference::Cmd(command))))
            }
            (None, Some(OAuth2 { token_cmd: None, token: Some(token) })) => Some(Proof::Token(token)),
            (None, Some(_)) => return Err(wrong("oauth2 takes either `token_cmd` or `token`".to_owned())),
            (None, None) => None,
        };
        let mechanism = written.auth.unwrap_or_default();
        let login = match (user, proof) {
            (Some(user), Some(proof)) => {
                let bearer = matches!(mechanism, Mechanism::Xoauth2 | Mechanism::Oauthbearer);
                if mechanism != Mechanism::Auto && bearer != matches!(proof, Proof::Token(_)) {
                    let what =
                        "`auth` does not fit: plain, login and cram-md5 take `password`, xoauth2 and oauthbearer take `oauth2`";
                    return Err(wrong(what.to_owned()));
                }
                if user.chars().any(char::is_control) {
                    return Err(wrong("`user` contains a control character".to_owned()));
                }
                Some(Login { user, proof, mechanism })
            }
            (None, Some(_)) => return Err(advised("a password without a user".to_owned(), "add `user:`")),
            (Some(_), None) => return Err(advised("a user without a password".to_owned(), "add `password:` or `oauth2:`")),
            (None, None) => None,
        };
        let security = match (scheme, written.tls) {
            (Scheme::Implicit, None | Some(Tls::Required)) => Security::Implicit,
            (Scheme::StartTls, None | Some(Tls::Required)) => Security::Required,
            (Scheme::Implicit | Scheme::StartTls, Some(_)) => {
                return Err(wrong("`tls` contradicts the url, which demands TLS".to_owned()));
            }
            (Scheme::Plain, Some(Tls::Required)) => Security::Required,
            (Scheme::Plain, Some(tls)) if login.is_some() && !loopback => {
                return Err(advised(
                    format!("tls: {} would send the password in clear", if tls == Tls::None { "none" } else { "opportunistic" }),
                    "leave `tls` out, or use smtp+starttls:// or smtps://",
                ));
            }
            (Scheme::Plain, Some(Tls::Opportunistic)) => Security::Opportunistic,
            (Scheme::Plain, Some(Tls::None)) => Security::None,
            (Scheme::Plain, None) if loopback => Security::Demanded,
            (Scheme::Plain, None) if login.is_some() => Security::Required,
            (Scheme::Plain, None) => Security::Opportunistic,
        };

        let mailbox = |key: &str, text: Option<&String>| {
            text.map(|text| Mailbox::parse(text)).transpose().map_err(|error| wrong(format!("{key}: {error}")))
        };
        let from_over = mailbox("--from", opening.from.as_ref())?;
        let from = mailbox("from", written.from.as_ref())?;
        let reply_to_over = mailbox("--reply-to", opening.reply_to.as_ref())?;
        let reply_to = mailbox("reply_to", written.reply_to.as_ref())?;

        let return_path = written.return_path.map(|path| path.trim().trim_start_matches('<').trim_end_matches('>').to_owned());
        if let Some(path) = return_path.as_deref().filter(|path| !path.is_empty()) {
            Path::parse(&path.replace(reserved::DELIVERY_ID, "abcdefghijklmnopqrstuvwxyz"))
                .map_err(|error| wrong(format!("return_path: {error}")))?;
        }
        let headers: Vec<(String, String)> = written.headers.into_iter().collect();
        for (name, _) in &headers {
            if !header::is_name(name) || reserved::is_ours(name) {
                return Err(advised(
                    format!("headers: `{name}` cannot be set"),
                    "free are fields such as List-Id, Feedback-ID, Auto-Submitted, Precedence and X-…",
                ));
            }
        }
        let unsubscribe = written
            .unsubscribe
            .map(|written| unsubscribe(written).map_err(|e| wrong(format!("unsubscribe: {e}"))))
            .transpose()?;
        let connections = written.connections.unwrap_or(NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN));
        let connections = opening.width.map_or(connections, |width| connections.min(width));
        let idle = match &written.idle {
            None => Duration::from_secs(30),
            Some(text) => duration(text).ok_or_else(|| wrong(format!("idle: \"{text}\" is not a time: write 30s or 2m")))?,
        };
        let memory_budget = match &written.memory_budget {
            None => 32_000_000,
            Some(size) => size
                .bytes()
                .filter(|bytes| *bytes >= 100_000)
                .ok_or_else(|| wrong("memory_budget: write a size of at least 100KB, such as 32MB".to_owned()))?,
        };
        let ehlo_name = match written.ehlo_name {
            Some(name) if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) => {
                return Err(wrong("ehlo_name: write a host name".to_owned()));
            }
            Some(name) => name,
            None => own_name(from_over.as_ref().or(from.as_ref())),
        };
        if written.client_cert.is_some() != written.client_key.is_some() {
            return Err(wrong("`client_cert` and `client_key` need each other".to_owned()));
        }
        let dkim = written.dkim.map(|d| Dkim { domain: d.domain, selector: d.selector, key: d.key });
        Ok(Settings {
            account: account.name.clone(),
            host,
            port,
            security,
            login,
            from_over,
            from,
            reply_to_over,
            reply_to,
            connections,
            window: written.window.unwrap_or(NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN)),
            messages_per_connection: written.messages_per_connection.map_or(100, NonZeroUsize::get),
            idle,
            ca_file: written.ca_file,
            client_cert: written.client_cert,
            client_key: written.client_key,
            ehlo_name,
            source_address: written.source_address,
            headers,
            return_path,
            dkim,
            unsubscribe,
            pipelining: written.pipelining != Some(Pipelining::Off),
            memory_budget,
            timeout: opening.timeout,
            final_timeout: opening.final_timeout.unwrap_or(Duration::from_secs(600)),
        })
    }

    /// Whether a password may cross the wire without TLS.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

fn duration(text: &str) -> Option<Duration> {
    let signed: jiff::SignedDuration = text.trim().parse().ok()?;
    Duration::try_from(signed).ok().filter(|wait| !wait.is_zero())
}

/// The name for EHLO: the machine's where it is a full one, else the sender's domain, else an address literal (RFC 5321 §4.1.3).
fn own_name(from: Option<&Mailbox>) -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine = machine.trim();
    let full = machine.contains('.') && machine.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
    match from {
        _ if full => machine.to_owned(),
        Some(from) if !from.path.domain().is_empty() => from.path.domain().to_owned(),
        _ => "[127.0.0.1]".to_owned(),
    }
}

fn unsubscribe(written: WrittenUnsubscribe) -> Result<Unsubscribe, String> {
    let secret = written.secret.map(|secret| secret.resolve()).transpose().map_err(|e| format!("secret: {e}"))?;
    let uses = |text: &Option<String>, variable: &str| text.as_deref().is_some_and(|text| text.contains(variable));
    if let Some(url) = &written.url {
        if !url.starts_with("https://")
            || !url.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>'))
            || url.len() > 500
        {
            return Err("url must begin with https:// and be plain ASCII (RFC 8058)".to_owned());
        }
        if !uses(&written.url, reserved::TOKEN) && !uses(&written.url, reserved::ADDRESS) {
            return Err("url must say who unsubscribes: put {{token}} or {{address}} into it".to_owned());
        }
    }
    if let Some(mailto) = &written.mailto
        && (!mailto.contains('@') || !mailto.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b',')))
    {
        return Err("mailto must be an address, such as unsub@example.com?subject={{token}}".to_owned());
    }
    if written.url.is_none() && written.mailto.is_none() {
        return Err("give `url`, `mailto` or both".to_owned());
    }
    if secret.is_none() && (uses(&written.url, reserved::TOKEN) || uses(&written.mailto, reserved::TOKEN)) {
        return Err("{{token}} needs `secret`".to_owned());
    }
    Ok(Unsubscribe { url: written.url, mailto: written.mailto.map(|m| m.trim_start_matches("mailto:").to_owned()), secret })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An account from YAML, as the config would hand it on.
    pub(in crate::platform::email) fn account(yaml: &str) -> AccountConfig {
        AccountConfig {
            name: Arc::from("mail"),
            platform: "smtp".into(),
            limits: None,
            concurrency: None,
            knobs: Default::default(),
            shaping: None,
            settings: serde_yaml::from_str(yaml).unwrap(),
        }
    }

    fn read(yaml: &str) -> Result<Settings, Problem> {
        Settings::read(&account(yaml), &Opening::default())
    }

    #[test]
    fn defaults_follow_from_the_url() {
        let plain = read("url: smtp://127.0.0.1:2525").unwrap();
        assert_eq!((plain.port, plain.security, plain.connections.get(), plain.window.get()), (2525, Security::Demanded, 8, 8));
        assert_eq!((plain.messages_per_connection, plain.idle, plain.memory_budget), (100, Duration::from_secs(30), 32_000_000));
        assert_eq!((plain.timeout, plain.final_timeout), (Duration::from_secs(30), Duration::from_secs(600)));
        assert_eq!(read("url: smtp://mx.example").unwrap().security, Security::Opportunistic);
        assert_eq!(read("{ url: 'smtp://u@mx.example', password: x }").unwrap().security, Security::Required);
        let tls = read("url: smtps://mx.example").unwrap();
        assert_eq!((tls.port, tls.security), (465, Security::Implicit));
        assert_eq!(read("url: smtp+starttls://[::1]:26").unwrap().host, "::1");
    }

    #[test]
    fn mistakes_are_told() {
        for (yaml, part) in [
            ("{ url: 'smtp://x', pasword: y }", "unknown key `pasword`"),
            ("{ url: 'http://x' }", "`http` is not a scheme"),
            ("{ url: 'smtp://u:p@x' }", "password has no place"),
            ("{ url: 'smtp://x', user: u }", "a user without a password"),
            ("{ url: 'smtp://x', password: p }", "a password without a user"),
            ("{ url: 'smtp://x', user: u, password: p, tls: none }", "in clear"),
            ("{ url: 'smtps://x', tls: none }", "contradicts"),
            ("{ url: 'smtp://x', from: nobody }", "from: `nobody` is not an email address"),
            ("{ url: 'smtp://x', idle: soon }", "idle"),
            ("{ url: 'smtp://x', headers: { Subject: a } }", "`Subject` cannot be set"),
            ("{ url: 'smtp://x', headers: { 'X: y': a } }", "cannot be set"),
            ("{ url: 'smtp://x', unsubscribe: { url: 'https://u.example' } }", "who unsubscribes"),
            ("{ url: 'smtp://x', unsubscribe: { url: 'https://u.example/{{token}}' } }", "needs `secret`"),
            ("{ url: 'smtp://x', memory_budget: much }", "memory_budget"),
            ("{ url: 'smtp://x', return_path: 'bounce' }", "return_path"),
            ("{ url: 'smtp://x', client_cert: a.pem }", "need each other"),
        ] {
            let problem = read(yaml).unwrap_err();
            assert!(problem.what.contains(part) && problem.what.contains("account mail"), "{yaml}: {problem}");
        }
    }

    #[test]
    fn secrets_do_not_show_themselves() {
        let settings =
            read("{ url: 'smtps://u@x', password: hunter2, unsubscribe: { url: 'https://u/{{token}}', secret: hunter3 } }")
                .unwrap();
        assert!(!format!("{settings:?}").contains("hunter"));
    }
}
