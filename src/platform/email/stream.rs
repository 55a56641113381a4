//! Bytes to and from the server: TCP or TLS, and the TLS settings of an account.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{ErrorKind, SendError};

use super::settings::Settings;

/// The connection's bytes.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Between the two, and after a handshake that failed.
    Gone,
}

impl Stream {
    /// Reads what there is; 0 is the end. Safe to cancel.
    pub(super) async fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(into).await,
            Stream::Tls(stream) => stream.read(into).await,
            Stream::Gone => Ok(0),
        }
    }

    /// Writes some of it and says how much. Safe to cancel: either it was written or not.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(bytes).await,
            Stream::Tls(stream) => stream.write(bytes).await,
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Hands to the kernel what TLS still holds.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tls(stream) => stream.flush().await,
            _ => Ok(()),
        }
    }

    /// The protocol version as a person knows it, once there is TLS.
    pub(super) fn tls_version(&self) -> Option<&'static str> {
        let Stream::Tls(stream) = self else { return None };
        match stream.get_ref().1.protocol_version()? {
            rustls::ProtocolVersion::TLSv1_3 => Some("TLS1.3"),
            rustls::ProtocolVersion::TLSv1_2 => Some("TLS1.2"),
            _ => Some("TLS"),
        }
    }
}

/// Connects to one address, from the account's source address where it has one, without Nagle's delay.
pub(super) async fn connect(settings: &Settings, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = settings.source_address {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The TLS settings of an account: roots of the system or of `ca_file`, names checked always.
pub(super) fn tls(settings: &Settings) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?;
    let builder = match &settings.ca_file {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path, "ca_file")? {
                roots.add(certificate).map_err(|error| format!("ca_file {}: {error}", path.display()))?;
            }
            builder.with_root_certificates(roots)
        }
        None => {
            let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(|error| format!("TLS: {error}"))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let config = match (&settings.client_cert, &settings.client_key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert, "client_cert")?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("client_key {}: {error}", key.display()))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| format!("client_cert: {error}"))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn certificates(path: &std::path::Path, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |what: String| format!("{key} {}: {what}", path.display());
    let list: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?.collect();
    match list.map_err(|error| wrong(error.to_string()))? {
        list if list.is_empty() => Err(wrong("no certificate in PEM".to_owned())),
        list => Ok(list),
    }
}

/// The handshake over a connected stream.
pub(super) async fn handshake(config: Arc<ClientConfig>, host: &str, stream: TcpStream) -> Result<Stream, SendError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        SendError::new(ErrorKind::Misconfigured, format!("`{host}` is not a name that a certificate could carry"))
    })?;
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
        Err(error) => Err(refused(host, &error)),
    }
}

/// A certificate that is not trusted is a setting to mend; anything else is the network.
fn refused(host: &str, error: &io::Error) -> SendError {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            let text = format!("{reason:?}");
            let hint = if text.contains("CaUsedAsEndEntity") {
                ": it is a self-signed CA used as the server's own certificate; issue a server certificate with it, and name the CA in `ca_file`"
            } else if text.contains("UnknownIssuer") {
                ": its issuer is not trusted here; name the issuer's certificate in `ca_file`"
            } else if text.contains("NotValidForName") {
                ": it is for another name than the host in `url`"
            } else {
                ""
            };
            let reason = text.split(['(', '{', ' ']).next().unwrap_or_default();
            SendError::new(ErrorKind::Misconfigured, format!("the certificate of {host} is refused ({reason}){hint}"))
        }
        Some(rustls::Error::InvalidMessage(_)) => SendError::new(
            ErrorKind::Misconfigured,
            format!(
                "{host} does not speak TLS on this port: use smtp+starttls:// (587) or smtp:// (25), or smtps:// on port 465"
            ),
        ),
        Some(rustls::Error::AlertReceived(alert)) => {
            SendError::new(ErrorKind::Misconfigured, format!("{host} refused the TLS handshake ({alert:?})"))
        }
        _ => SendError::new(ErrorKind::Unreachable, format!("TLS with {host}: {error}")),
    }
}
