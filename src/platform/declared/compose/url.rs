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

/// A URL that was put together from a template and a row's values stays on the path that the template says: a segment of dots alone
/// would walk up, however it is written (the URL standard reads `%2e` as a dot).
///
/// # Errors
/// One sentence that does not repeat the URL.
pub fn stays(text: &str) -> Result<(), String> {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    match path.split(['/', '\\']).skip(1).any(dots) {
        true => Err("it would stand in the URL as a part that is `.` or `..`, which leads elsewhere".to_owned()),
        false => Ok(()),
    }
}

/// A credential travels over https, or not out of this machine.
///
/// # Errors
/// It would travel in the clear.
pub fn guard(url: &Url) -> Result<(), String> {
    if url.scheme() == "http" && !http::is_loopback(url) {
        return Err(format!("{}: a password or token would travel in the clear", http::host(url)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_dots_leads_elsewhere() {
        for bad in [
            "https://h/a/../b",
            "https://h/a/.",
            "http://h/..",
            "https://h/a/%2E%2e/b",
            "https://h/a/.%2E?x=1",
            "https://h/a\\..\\b",
        ] {
            assert!(stays(bad).is_err(), "{bad}");
        }
        for good in ["https://h", "https://..h/a..b/...", "https://h/a?x=/../b", "https://h/a/%252e%252e", "https://h/a#/../x"] {
            assert!(stays(good).is_ok(), "{good}");
        }
    }
}
