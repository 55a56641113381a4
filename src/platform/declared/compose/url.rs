//! URLs of requests: which are taken, and which may carry a credential.

use crate::platform::http::{self, Url};

/// Longest URL that servers can be trusted to take.
const LONGEST_URL: usize = 8000;

/// An absolute http or https URL.
///
/// # Errors
/// One sentence that does not repeat the URL.
pub fn parse_url(text: &str) -> Result<Url, String> {
    if text.is_empty() || text.len() > LONGEST_URL || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("not an URL: it is empty, too long or holds spaces".to_owned());
    }
    let mut url = Url::parse(text).map_err(|_| "not an URL: write https://host/path".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("an URL of the scheme {}: is refused; only http and https are sent to", url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("an URL without a host".to_owned());
    }
    url.set_fragment(None);
    Ok(url)
}

/// A credential travels over https, or not out of this machine.
///
/// # Errors
/// It would travel in the clear.
pub fn guard(url: &Url) -> Result<(), String> {
    if url.scheme() == "http" && !is_loopback(url) {
        return Err(format!("{}: a password or token would travel in the clear", http::host(url)));
    }
    Ok(())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
