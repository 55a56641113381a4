//! The one HTTP client: sends a request once, under deadlines, and tells apart what got there from what did not.
//!
//! No redirects (a followed 302 turns a POST into a GET that ends in a false 200), no decompression, bodies read to a cap, and no URL
//! in any error text, because the URL of a webhook is its password. It never sends a request again by itself, but for one that hyper
//! knows it never wrote.
//!
//! What is absent on purpose: HTTP statuses are not errors here. Who sent the request knows what a status means.

use std::error::Error as StdError;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
pub use reqwest::{Method, Url};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;

use crate::error::{ErrorKind, SendError};
use crate::platform::Opening;
use crate::problem::Problem;

/// How much of a reply's body is read, where it speaks of one delivery.
pub const BODY_CAP: usize = 64 * 1024;

/// And for each further delivery of which it speaks: a member's verdict has about 200 bytes (Postmark, Tencent), and the reply to 500 of
/// them must be read whole, or they would all be in doubt.
pub const BODY_SHARE: usize = 1024;

/// Longest wait for name, connection and TLS together.
const CONNECT: Duration = Duration::from_secs(10);

/// Longest time from the start of a request to the last byte of its reply, unless `--final-timeout` says otherwise.
const WHOLE: Duration = Duration::from_secs(60);

/// Below the 5 s after which many servers (Node's default) close an idle connection: a request written into a closing connection is
/// in doubt, and a new connection is cheaper than a doubt.
const IDLE: Duration = Duration::from_secs(4);

/// Deadlines, size of the pool, trust.
#[derive(Debug, Clone)]
pub struct Tuning<'a> {
    /// Bounds name, connection and TLS together.
    pub connect: Duration,
    /// Bounds all of it, from the start to the last byte of the reply.
    pub whole: Duration,
    /// Connections kept open to one host: the account's width.
    pub width: NonZeroUsize,
    /// Certificates (PEM) to trust beside the system's.
    pub ca_file: Option<&'a Path>,
}

impl<'a> Tuning<'a> {
    /// The deadlines that `--timeout` and `--final-timeout` ask for.
    pub fn new(opening: &Opening, width: NonZeroUsize, ca_file: Option<&'a Path>) -> Self {
        let whole = opening.final_timeout.unwrap_or(WHOLE);
        // Half of the whole, so that a deadline that passes while connecting is told as such and never as a doubt.
        Tuning { connect: CONNECT.min(opening.timeout).min(whole / 2), whole, width, ca_file }
    }
}

/// A request, ready to be written.
pub struct Call {
    /// POST, PUT.
    pub method: Method,
    /// Where to; a credential.
    pub url: Url,
    /// Header fields; values may be credentials.
    pub headers: HeaderMap,
    /// The exact bytes, signed as they are.
    pub body: Vec<u8>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.method, host(&self.url), self.body.len())
    }
}

/// What the server answered.
#[derive(Clone)]
pub struct Reply {
    /// 100 to 599.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// Whether there was more.
    pub ending: Ending,
}

/// The status and a length: fields and body may hold tokens, and repeat what they were sent.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}, {} bytes, {:?})", self.status, self.body.len(), self.ending)
    }
}

/// How the body of a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All of it was read.
    Whole,
    /// There was more than [`BODY_CAP`] and the shares of further deliveries; the rest was not read.
    TooLong,
    /// The connection failed, or the deadline passed, before the end.
    Cut,
}

/// Where a request without an answer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The host has no address.
    Name,
    /// Nobody accepted a connection in time.
    Connect,
    /// The TLS handshake failed, but for trust.
    Tls,
    /// The certificate is not trusted, has run out, or names another host.
    Trust,
    /// The connection closed before any of the request was written.
    Unsent,
    /// The connection failed when the request was written, or may have been.
    Cut,
    /// The deadline passed when the request was written, or may have been.
    Timeout,
    /// The request could not be made at all.
    Malformed,
}

impl Fault {
    /// What policy needs to know.
    pub fn kind(self) -> ErrorKind {
        match self {
            Fault::Name | Fault::Connect | Fault::Tls | Fault::Unsent => ErrorKind::Unreachable,
            Fault::Cut | Fault::Timeout => ErrorKind::InDoubt,
            Fault::Trust | Fault::Malformed => ErrorKind::Misconfigured,
        }
    }
}

/// A request without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where it failed.
    pub fault: Fault,
    /// Words for a person; the host, never the URL.
    pub detail: String,
}

impl From<Failure> for SendError {
    fn from(failure: Failure) -> Self {
        SendError::new(failure.fault.kind(), failure.detail)
    }
}

/// The client of one account.
pub struct Client {
    inner: reqwest::Client,
    tls: Arc<rustls::ClientConfig>,
    connect: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    /// A client with these deadlines; nothing is connected yet.
    ///
    /// # Errors
    /// A certificate file that cannot be read.
    pub fn new(tuning: &Tuning<'_>) -> Result<Self, Problem> {
        // The system's certificates are the same for every account, and a few hundred of them take milliseconds to read.
        static SYSTEM: OnceLock<rustls::ClientConfig> = OnceLock::new();
        let tls = match (tuning.ca_file, SYSTEM.get()) {
            (None, Some(tls)) => tls.clone(),
            (None, None) => {
                let tls = tls_config(None)?;
                SYSTEM.get_or_init(|| tls).clone()
            }
            (Some(ca_file), _) => tls_config(Some(ca_file))?,
        };
        let inner = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .user_agent(concat!("notify/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(tuning.connect)
            .timeout(tuning.whole)
            .pool_max_idle_per_host(tuning.width.get())
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            .build()
            .map_err(|error| Problem {
                what: format!("the HTTP client cannot start: {}", error.without_url()),
                ..Problem::default()
            })?;
        Ok(Client { inner, tls: Arc::new(tls), connect: tuning.connect })
    }

    /// Sends the request of so many deliveries once and reads the answer, whatever its status.
    ///
    /// # Errors
    /// Where no status was read; the fault says whether the request may have got there.
    pub async fn exchange(&self, call: Call, deliveries: usize) -> Result<Reply, Failure> {
        let most = BODY_CAP + BODY_SHARE * deliveries.saturating_sub(1);
        let host = host(&call.url);
        let sent = self.inner.request(call.method, call.url).headers(call.headers).body(call.body).send().await;
        let mut response = sent.map_err(|error| failure(&error.without_url(), &host))?;
        let (status, headers) = (response.status().as_u16(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        let ending = loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > most => {
                    body.extend_from_slice(&chunk[..most - body.len()]);
                    break Ending::TooLong; // dropping the response closes the connection: the rest is never mistaken for a reply
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break Ending::Whole,
                Err(_) => break Ending::Cut,
            }
        };
        Ok(Reply { status, headers, body, ending })
    }

    /// Finds the host, connects and, for https, shakes hands; sends no request. Proxies of the environment are not asked.
    ///
    /// # Errors
    /// As a request that never left.
    pub async fn reach(&self, url: &Url) -> Result<String, Failure> {
        let name = host(url);
        let late = |_| Failure { fault: Fault::Connect, detail: format!("{name}: no connection within {:?}", self.connect) };
        tokio::time::timeout(self.connect, self.reach_patiently(url, &name)).await.map_err(late)?
    }

    async fn reach_patiently(&self, url: &Url, name: &str) -> Result<String, Failure> {
        let malformed = || Failure { fault: Fault::Malformed, detail: format!("{name}: not a host that can be reached") };
        let host = url.host_str().map(|host| host.trim_start_matches('[').trim_end_matches(']')).ok_or_else(malformed)?;
        let port = url.port_or_known_default().ok_or_else(malformed)?;
        let addresses: Vec<_> = match tokio::net::lookup_host((host, port)).await {
            Ok(found) => found.collect(),
            Err(error) => return Err(Failure { fault: Fault::Name, detail: format!("{name}: name not resolved: {error}") }),
        };
        let stream = TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|error| Failure { fault: Fault::Connect, detail: format!("{name}: {}", io_words(&error)) })?;
        if url.scheme() != "https" {
            return Ok(format!("connected to {name}"));
        }
        let server = ServerName::try_from(host.to_owned()).map_err(|_| malformed())?;
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.tls));
        match connector.connect(server, stream).await {
            Ok(_) => Ok(format!("connected to {name}, certificate trusted")),
            Err(error) => Err(tls_fault(&error, name)
                .unwrap_or_else(|| Failure { fault: Fault::Tls, detail: format!("{name}: TLS failed: {}", io_words(&error)) })),
        }
    }
}

/// System trust and the user's own certificates; ALPN offers HTTP/2.
fn tls_config(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, Problem> {
    let mut own = Vec::new();
    if let Some(path) = ca_file {
        let unread = |what: String| Problem { what, path: Some(path.to_owned()), ..Problem::default() };
        for certificate in
            CertificateDer::pem_file_iter(path).map_err(|error| unread(format!("ca_file cannot be read: {error}")))?
        {
            own.push(certificate.map_err(|error| unread(format!("ca_file holds no good PEM certificate: {error}")))?);
        }
        if own.is_empty() {
            return Err(unread("ca_file holds no certificate (PEM, -----BEGIN CERTIFICATE-----)".to_owned()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem { what: format!("TLS cannot start: {error}"), ..Problem::default() })?;
    let mut config = match rustls_platform_verifier::Verifier::new_with_extra_roots(own, provider) {
        Ok(verifier) => versions.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth(),
        // No system certificates (a bare container) must not stop plain http; https then fails as untrusted, which is the truth.
        Err(_) if ca_file.is_none() => versions.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
        Err(error) => {
            let what = format!("ca_file holds a certificate that cannot be used: {error}");
            return Err(Problem { what, path: ca_file.map(Path::to_owned), ..Problem::default() });
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Scheme and host, which may be shown.
pub fn host(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// The host is this machine itself.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn failure(error: &reqwest::Error, host: &str) -> Failure {
    if let Some(failure) = tls_fault(error, host) {
        return failure;
    }
    let (fault, words) = if error.is_builder() {
        (Fault::Malformed, "the request cannot be made".to_owned())
    } else if error.is_dns() {
        (Fault::Name, "name not resolved".to_owned())
    } else if error.is_connect() && error.is_timeout() {
        (Fault::Connect, "no connection in time".to_owned())
    } else if error.is_connect() {
        (Fault::Connect, causes(error).filter_map(io_cause).last().map_or_else(|| "no connection".to_owned(), io_words))
    } else if error.is_timeout() {
        (Fault::Timeout, "no answer in time; the request was sent".to_owned())
    } else if causes(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>()).any(hyper::Error::is_canceled) {
        (Fault::Unsent, "the connection closed before the request was written".to_owned())
    } else {
        let words = causes(error).filter_map(io_cause).last().map(io_words);
        (Fault::Cut, format!("{} after the request was sent", words.unwrap_or_else(|| "no HTTP answer".to_owned())))
    };
    Failure { fault, detail: format!("{host}: {words}") }
}

fn tls_fault(error: &(dyn StdError + 'static), host: &str) -> Option<Failure> {
    let found = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>())?;
    let failure = match found {
        rustls::Error::InvalidCertificate(why) => {
            Failure { fault: Fault::Trust, detail: format!("{host}: certificate not trusted: {}", trust_words(why)) }
        }
        // After the handshake TLS errors are errors of the connection: the request may be on its way.
        other => Failure { fault: Fault::Tls, detail: format!("{host}: TLS failed: {other}") },
    };
    let connecting = error.downcast_ref::<reqwest::Error>().is_none_or(reqwest::Error::is_connect);
    connecting.then_some(failure)
}

fn trust_words(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError as E;
    match why {
        E::UnknownIssuer => "unknown issuer; name its CA with ca_file".to_owned(),
        E::Expired | E::ExpiredContext { .. } => "it has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => "it is not valid yet (is the clock right?)".to_owned(),
        E::NotValidForName | E::NotValidForNameContext { .. } => "it names another host".to_owned(),
        other => other.to_string(),
    }
}

/// The chain of causes, through what an `io::Error` wraps: its own `source()` skips that, and TLS speaks through two of them.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    fn next<'a>(error: &&'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| (*error).source())
    }
    std::iter::successors(Some(error), next).take(16)
}

fn io_cause<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a std::io::Error> {
    cause.downcast_ref::<std::io::Error>()
}

fn io_words(error: &std::io::Error) -> String {
    use std::io::ErrorKind as K;
    match error.kind() {
        K::ConnectionRefused => "connection refused".to_owned(),
        K::ConnectionReset | K::BrokenPipe => "connection reset".to_owned(),
        K::UnexpectedEof => "connection closed".to_owned(),
        K::HostUnreachable | K::NetworkUnreachable => "no route to the host".to_owned(),
        kind => kind.to_string(),
    }
}
