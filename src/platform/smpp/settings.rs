//! The keys of an `smpp` account, read, checked and given their defaults.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use crate::config::account::AccountConfig;
use crate::config::duration;
use crate::config::secret::Secret;
use crate::platform::Opening;
use crate::problem::Problem;

use super::pdu::Party;

/// `data_coding:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Coding {
    /// The default alphabet (taken for GSM 7-bit, one octet a septet) where the text allows it, else UCS-2.
    #[default]
    Auto,
    Gsm7,
    Ia5,
    Latin1,
    Ucs2,
}

/// `long:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Long {
    /// Several messages that the telephone joins.
    #[default]
    Udh,
    /// One message that the service parts.
    Payload,
}

/// An account as it works.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub account: Arc<str>,
    pub host: String,
    pub port: u16,
    pub tls: bool,
    pub ca_file: Option<PathBuf>,
    pub system_id: String,
    pub password: Option<SecretString>,
    pub system_type: String,
    /// `--from`: over what the message says.
    pub from_over: Option<Party>,
    pub from: Option<Party>,
    pub ton: Option<u8>,
    pub npi: Option<u8>,
    /// Unanswered messages of one connection.
    pub window: NonZeroUsize,
    pub connections: NonZeroUsize,
    pub receipts: bool,
    pub coding: Coding,
    pub long: Long,
    /// Relative time (section 7.1.1), or empty: the service's own.
    pub validity: String,
    pub enquire_link: Duration,
    /// Whose national numbers are meant where one has no `+`.
    pub region: Option<String>,
    pub timeout: Duration,
    pub final_timeout: Duration,
}

/// The keys, as the list of platforms tells them: name, secret, about.
pub(super) const KEYS: &[(&str, bool, &str)] = &[
    ("url", false, "smpp://host:2775, or smpps://host:3550 for TLS"),
    ("user", false, "system_id"),
    ("password", true, "its password"),
    ("system_type", false, "where the service asks for one"),
    ("from", false, "the sender: at most 11 letters, a short code, or a number"),
    ("source_ton", false, "type of number of the sender, where it is not what its form says"),
    ("source_npi", false, "numbering plan of the sender, likewise"),
    ("window", false, "unanswered messages of one connection; 10"),
    ("connections", false, "binds at once; 1"),
    ("registered_delivery", false, "true: ask for delivery receipts, which are counted"),
    ("data_coding", false, "auto, gsm7, ia5, latin1 or ucs2"),
    ("long", false, "udh (several parts) or payload (message_payload)"),
    ("validity", false, "how long the service tries: 24h"),
    ("enquire_link", false, "how long silence lasts before the service is asked whether it is there; 30s"),
    ("region", false, "country of numbers without +, such as CN"),
    ("ca_file", false, "certificates (PEM) to trust beside the system's"),
];

#[derive(Deserialize)]
struct Written {
    url: String,
    user: Option<String>,
    password: Option<Secret>,
    system_type: Option<String>,
    from: Option<String>,
    source_ton: Option<u8>,
    source_npi: Option<u8>,
    window: Option<NonZeroUsize>,
    connections: Option<NonZeroUsize>,
    registered_delivery: Option<bool>,
    data_coding: Option<Coding>,
    long: Option<Long>,
    validity: Option<String>,
    enquire_link: Option<String>,
    region: Option<String>,
    ca_file: Option<PathBuf>,
}

const WINDOW: NonZeroUsize = NonZeroUsize::new(10).unwrap();
const ENQUIRE_LINK: Duration = Duration::from_secs(30);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(60);

impl Settings {
    /// Reads and checks the account's keys.
    pub(super) fn read(account: &AccountConfig, opening: &Opening) -> Result<Settings, Problem> {
        let wrong = |what: String| Problem { what: format!("account {}: {what}", account.name), ..Problem::default() };
        let known: Vec<&str> = KEYS.iter().map(|(name, _, _)| *name).collect();
        let written: Written = account.settings(&known)?;
        let (tls, host, port) = server(&written.url).map_err(|what| Problem {
            help: Some("write smpp://host:2775, or smpps://host:3550 for TLS".to_owned()),
            ..wrong(what)
        })?;
        if written.ca_file.is_some() && !tls {
            return Err(wrong("`ca_file` is for smpps://, and the url says smpp://".to_owned()));
        }
        let word = |key: &str, text: Option<String>, most: usize| match text {
            Some(text) if text.len() > most || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
                Err(wrong(format!("{key}: write at most {most} letters of ASCII")))
            }
            text => Ok(text.unwrap_or_default()),
        };
        let system_id = word("user", written.user, 64)?;
        let system_type = word("system_type", written.system_type, 12)?;
        let password =
            written.password.map(|secret| secret.resolve().map_err(|what| wrong(format!("password: {what}")))).transpose()?;
        let party = |key: &str, text: Option<&String>| {
            text.map(|text| sender(text, written.source_ton, written.source_npi))
                .transpose()
                .map_err(|what| wrong(format!("{key}: {what}")))
        };
        let time = |key: &str, text: Option<&String>| {
            text.map(|text| duration::parse(text)).transpose().map_err(|what| wrong(format!("{key}: {what}")))
        };
        let validity = match time("validity", written.validity.as_ref())? {
            Some(length) => relative(length).ok_or_else(|| wrong("validity: write from 1s to 31d".to_owned()))?,
            None => String::new(),
        };
        let enquire_link = time("enquire_link", written.enquire_link.as_ref())?.unwrap_or(ENQUIRE_LINK);
        if enquire_link.is_zero() {
            return Err(wrong("enquire_link: write a time above 0, such as 30s".to_owned()));
        }
        if let Some(region) = &written.region
            && !(region.len() == 2 && region.bytes().all(|byte| byte.is_ascii_alphabetic()))
        {
            return Err(wrong("region: write two letters, such as CN or US".to_owned()));
        }
        let connections = written.connections.unwrap_or(NonZeroUsize::MIN);
        Ok(Settings {
            account: account.name.clone(),
            host,
            port,
            tls,
            ca_file: written.ca_file,
            system_id,
            password,
            system_type,
            from_over: party("--from", opening.from.as_ref())?,
            from: party("from", written.from.as_ref())?,
            ton: written.source_ton,
            npi: written.source_npi,
            window: written.window.unwrap_or(WINDOW),
            connections: opening.width.map_or(connections, |width| connections.min(width)),
            receipts: written.registered_delivery.unwrap_or(false),
            coding: written.data_coding.unwrap_or_default(),
            long: written.long.unwrap_or_default(),
            validity,
            enquire_link,
            region: written.region,
            timeout: opening.timeout,
            final_timeout: opening.final_timeout.unwrap_or(ANSWER),
        })
    }
}

/// The sender as the wire wants it: letters are 5/0, few digits are a short code 3/0, more are an international number 1/1.
pub(super) fn sender(text: &str, ton: Option<u8>, npi: Option<u8>) -> Result<Party, String> {
    let text = text.trim();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (by_ton, by_npi, address) = match numeric {
        true if digits.len() > 20 => return Err("a number has at most 20 digits".to_owned()),
        true if text.len() == digits.len() && digits.len() <= 8 => (3, 0, digits),
        true => (1, 1, digits),
        false if text.is_empty() || text.len() > 11 || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) => {
            return Err("a sender is at most 11 letters of ASCII, a short code, or a number".to_owned());
        }
        false => (5, 0, text),
    };
    Ok(Party { ton: ton.unwrap_or(by_ton), npi: npi.unwrap_or(by_npi), address: address.to_owned() })
}

/// `YYMMDDhhmmss000R` (section 7.1.1.2).
fn relative(length: Duration) -> Option<String> {
    let seconds = length.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let fits = seconds > 0 && (days < 31 || (days == 31 && rest == 0));
    fits.then(|| format!("0000{days:02}{:02}{:02}{:02}000R", rest / 3600, rest / 60 % 60, rest % 60))
}

/// Reads `smpp[s]://host[:port]`: TLS, host, port.
fn server(url: &str) -> Result<(bool, String, u16), String> {
    let (scheme, rest) = url.split_once("://").ok_or("url: no scheme")?;
    let (tls, port) = match scheme {
        "smpp" => (false, 2775),
        "smpps" => (true, 3550),
        other => return Err(format!("url: `{other}` is not a scheme of SMPP")),
    };
    let rest = rest.trim_end_matches('/');
    if rest.contains('@') {
        return Err("url: names have no place in it, use the keys `user` and `password`".to_owned());
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("url: `[` without `]`")?;
            host.parse::<IpAddr>().map_err(|_| "url: what stands in [ ] is no address")?;
            (host, after.strip_prefix(':').map_or(Ok(port), str::parse))
        }
        None => match rest.rsplit_once(':') {
            Some((host, digits)) => (host, digits.parse()),
            None => (rest, Ok(port)),
        },
    };
    let port = port.map_err(|_| "url: the port is not a number up to 65535")?;
    if host.is_empty() || host.contains(|c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '?' | '#')) {
        return Err("url: no host".to_owned());
    }
    Ok((tls, host.to_owned(), port))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn settings(yaml: &str) -> Result<Settings, Problem> {
        let settings = serde_yaml::from_str(yaml).unwrap();
        let account = AccountConfig { name: "sms".into(), platform: "smpp".into(), settings, ..AccountConfig::outbox() };
        Settings::read(&account, &Opening::default())
    }

    #[test]
    fn the_sender_tells_its_type() {
        for (text, ton, npi, address) in [
            ("NOTIFY", 5, 0, "NOTIFY"),
            ("+8613900001234", 1, 1, "8613900001234"),
            ("8613900001234", 1, 1, "8613900001234"),
            ("10690", 3, 0, "10690"),
            ("+10690", 1, 1, "10690"),
            ("4 You", 5, 0, "4 You"),
        ] {
            assert_eq!(sender(text, None, None), Ok(Party { ton, npi, address: address.into() }), "{text}");
        }
        assert_eq!(sender("10690", Some(0), Some(1)).map(|party| (party.ton, party.npi)), Ok((0, 1)));
        for text in ["", "TWELVELETTER", "Größe", &"1".repeat(21)] {
            assert!(sender(text, None, None).is_err(), "{text}");
        }
    }

    #[test]
    fn keys_and_their_mistakes() {
        let read = settings("{ url: 'smpps://h.example', user: u, password: p, validity: 25h 30m, window: 4 }").unwrap();
        assert_eq!((read.tls, read.port, read.validity.as_str(), read.window.get()), (true, 3550, "000001013000000R", 4));
        assert!(!format!("{read:?}").contains("\"p\""));
        for (yaml, what) in [
            ("{ url: 'http://h' }", "`http` is not a scheme of SMPP"),
            ("{ url: 'smpp://u:p@h' }", "use the keys"),
            ("{ url: 'smpp://h:x' }", "the port is not a number"),
            ("{ url: 'smpp://h', user: 'ü' }", "user: write at most"),
            ("{ url: 'smpp://h', from: TWELVELETTER }", "from: a sender is"),
            ("{ url: 'smpp://h', validity: 32d }", "validity: write from"),
            ("{ url: 'smpp://h', enquire_link: 0s }", "enquire_link: write"),
            ("{ url: 'smpp://h', region: China }", "region: write two"),
            ("{ url: 'smpp://h', ca_file: x }", "`ca_file` is for smpps"),
            ("{ url: 'smpp://h', windo: 3 }", "unknown key `windo`"),
            ("{ url: 'smpp://h', data_coding: 8 }", "data_coding"),
        ] {
            let problem = settings(yaml).unwrap_err();
            assert!(problem.what.contains(what), "{yaml}: {}", problem.what);
        }
    }
}
