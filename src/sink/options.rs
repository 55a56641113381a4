//! What a sink is asked to be: addresses, what it offers, how it misbehaves, what it writes down.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::limit::Quota;
use crate::problem::{Problem, did_you_mean};
use crate::sink::faults::rule::Faults;

/// Everything `serve` needs to know.
#[derive(Clone)]
pub struct Options {
    /// Plain SMTP (with STARTTLS where `extensions` offer it). Port 0 takes a free one.
    pub smtp: Option<SocketAddr>,
    /// SMTP with TLS from the first byte.
    pub smtps: Option<SocketAddr>,
    /// HTTP/1.1.
    pub http: Option<SocketAddr>,
    /// How to misbehave; none by default.
    pub faults: Faults,
    /// Where to write down what arrived; counts are always kept.
    pub record: Vec<Record>,
    /// Whether ledger lines carry the SHA-256 of each message's content; costs microseconds a message.
    pub sha256: bool,
    /// User and password (or XOAUTH2 token) that AUTH must give; without them any are right.
    pub auth: Option<(String, String)>,
    /// Whether MAIL needs AUTH first (530 otherwise).
    pub require_auth: bool,
    /// What EHLO offers.
    pub extensions: Extensions,
    /// The largest message taken, in bytes (552 above); offered as SIZE.
    pub max_size: u64,
    /// Added to the way of every reply: an emulated round trip. Input is read on meanwhile, as on a long wire.
    pub delay: Duration,
    /// Whether an address that is not loopback may be bound. The sink trusts everyone: off unless asked.
    pub allow_remote: bool,
    /// Decides with what is asked, and nothing else, which items the faults strike.
    pub seed: u64,
    /// Ends by itself after so many messages and requests were taken.
    pub limit: Option<u64>,
    /// HTTP requests at once beyond which it breaks down.
    pub knee: Option<usize>,
    /// HTTP requests that come faster than this are answered 429.
    pub pace: Option<Quota>,
    /// More connections at once than this are answered 421 (SMTP) or 503 (HTTP).
    pub max_connections: Option<usize>,
    /// Where to write the PEM of the CA that signed the certificate, for clients to trust.
    pub cert_out: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            smtp: None,
            smtps: None,
            http: None,
            faults: Faults::default(),
            record: Vec::new(),
            sha256: false,
            auth: None,
            require_auth: false,
            extensions: Extensions::default(),
            max_size: 64 << 20,
            delay: Duration::ZERO,
            allow_remote: false,
            seed: 0,
            limit: None,
            knee: None,
            pace: None,
            max_connections: None,
            cert_out: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `auth` is a secret; the rest is what a bug report needs.
        f.debug_struct("Options")
            .field("smtp", &self.smtp)
            .field("smtps", &self.smtps)
            .field("http", &self.http)
            .field("faults", &self.faults)
            .field("record", &self.record)
            .field("auth", &self.auth.as_ref().map(|_| "(set)"))
            .field("extensions", &self.extensions)
            .field("delay", &self.delay)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// Where to write down what arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// One JSON line per message or request, appended to this file.
    Ledger(PathBuf),
    /// Each message as `.eml` (as sent, dots unstuffed), each request as `.json`, named by the `seq` of its ledger line.
    Folder(PathBuf),
}

/// What EHLO offers. All by default; what is not offered is refused as an old server would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extensions {
    /// RFC 2920. Not offered: input that comes in groups all the same is answered, and counted as `out_of_turn`.
    pub pipelining: bool,
    /// RFC 3030 (BDAT).
    pub chunking: bool,
    /// RFC 6531.
    pub smtputf8: bool,
    /// RFC 6152.
    pub eight_bit_mime: bool,
    /// RFC 3207.
    pub starttls: bool,
    /// RFC 1870.
    pub size: bool,
    /// RFC 4954.
    pub auth: bool,
    /// RFC 2034: `x.y.z` after the code.
    pub enhanced_codes: bool,
}

impl Default for Extensions {
    fn default() -> Self {
        Extensions {
            pipelining: true,
            chunking: true,
            smtputf8: true,
            eight_bit_mime: true,
            starttls: true,
            size: true,
            auth: true,
            enhanced_codes: true,
        }
    }
}

impl Extensions {
    /// The names that [`Extensions::without`] knows.
    pub const NAMES: [&'static str; 8] =
        ["pipelining", "chunking", "smtputf8", "8bitmime", "starttls", "size", "auth", "enhancedstatuscodes"];

    /// All but those of a comma-separated list of EHLO keywords.
    ///
    /// # Errors
    /// A word that is no extension of the sink.
    pub fn without(list: &str) -> Result<Self, Problem> {
        let mut offered = Extensions::default();
        for word in list.split([',', ' ']).filter(|word| !word.is_empty()) {
            let slot = match word.to_ascii_lowercase().as_str() {
                "pipelining" => &mut offered.pipelining,
                "chunking" => &mut offered.chunking,
                "smtputf8" => &mut offered.smtputf8,
                "8bitmime" => &mut offered.eight_bit_mime,
                "starttls" => &mut offered.starttls,
                "size" => &mut offered.size,
                "auth" => &mut offered.auth,
                "enhancedstatuscodes" => &mut offered.enhanced_codes,
                _ => {
                    return Err(Problem {
                        what: format!("`{word}` is not an extension of the sink"),
                        help: Some(match did_you_mean(word, Self::NAMES) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!("it offers {}", Self::NAMES.join(", ")),
                        }),
                        ..Problem::default()
                    });
                }
            };
            *slot = false;
        }
        Ok(offered)
    }
}

/// Where the sink listens, told once everything is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bound {
    /// Plain SMTP.
    pub smtp: Option<SocketAddr>,
    /// SMTP in TLS.
    pub smtps: Option<SocketAddr>,
    /// HTTP/1.1.
    pub http: Option<SocketAddr>,
}

/// Why a sink could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Nothing to listen on.
    #[error("the sink has no address to listen on: name at least one of --smtp and --http")]
    Nowhere,
    /// Not loopback, and not allowed.
    #[error("{0} is not a loopback address: the sink takes mail from everyone; say so (--allow-remote) if that is meant")]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A record cannot be written; nothing is taken that is not written down.
    #[error("cannot write {}: {source}", path.display())]
    Record {
        /// Ledger, folder or certificate.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_taken_away_by_name() {
        let offered = Extensions::without("chunking, STARTTLS").expect("known words");
        assert!(!offered.chunking && !offered.starttls && offered.pipelining);
        let problem = Extensions::without("chunkin").expect_err("unknown word");
        assert_eq!(problem.help.as_deref(), Some("did you mean `chunking`?"));
    }

    #[test]
    fn the_password_does_not_show() {
        let options = Options { auth: Some(("user".into(), "hunter2".into())), ..Options::default() };
        assert!(!format!("{options:?}").contains("hunter2"));
    }
}
