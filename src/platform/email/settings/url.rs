//! The url of an `smtp` account: scheme, user, host, port.

use std::net::IpAddr;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Implicit,
    StartTls,
    Plain,
}

pub(super) struct Server {
    pub scheme: Scheme,
    pub user: Option<String>,
    pub host: String,
    pub port: u16,
}

/// Reads `smtp://[user@]host[:port]` and its kin.
pub(super) fn server(url: &str) -> Result<Server, String> {
    let (scheme, rest) = url.split_once("://").ok_or("url: no scheme".to_owned())?;
    let (scheme, port) = match scheme {
        "smtps" => (Scheme::Implicit, 465),
        "smtp+starttls" => (Scheme::StartTls, 587),
        "smtp" => (Scheme::Plain, 25),
        other => return Err(format!("url: `{other}` is not a scheme of email")),
    };
    let rest = rest.trim_end_matches('/');
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, _)) if user.contains(':') => {
            return Err("url: a password has no place in a url, use the key `password`".to_owned());
        }
        Some((user, rest)) => (Some(user.replace("%40", "@")), rest),
        None => (None, rest),
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("url: `[` without `]`".to_owned())?;
            (host, after.strip_prefix(':').map_or(Ok(port), str::parse))
        }
        None => match rest.rsplit_once(':') {
            Some((host, digits)) => (host, digits.parse()),
            None => (rest, Ok(port)),
        },
    };
    let port = port.map_err(|_| "url: the port is not a number up to 65535".to_owned())?;
    if host.is_empty() || host.contains(|c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '?' | '#')) {
        return Err("url: no host".to_owned());
    }
    Ok(Server { scheme, user, host: host.to_owned(), port })
}

/// Whether the host is this machine by its very name.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
