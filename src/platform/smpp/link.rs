//! Bytes to and from the service: TCP, or TLS with the system's roots or those of `ca_file`.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::{ErrorKind, SendError};

use super::settings::Settings;

/// What a session reads from and writes to.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// The TLS settings of an account that uses TLS; the certificate is checked always.
pub(super) fn tls(settings: &Settings) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS: {error}"))?;
    let builder = match &settings.ca_file {
        Some(path) => {
            let wrong = |what: String| format!("ca_file {}: {what}", path.display());
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(wrong("no certificate in PEM".to_owned()));
            }
            builder.with_root_certificates(roots)
        }
        None => {
            let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(|error| format!("TLS: {error}"))?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Resolves the name, tries its addresses in turn, and shakes hands where there is TLS; all within one deadline.
pub(super) async fn connect(settings: &Settings, tls: Option<Arc<ClientConfig>>) -> Result<Box<dyn Bytes>, SendError> {
    let (host, port) = (settings.host.as_str(), settings.port);
    let unreachable = |what: String| SendError::new(ErrorKind::Unreachable, what);
    let attempt = async {
        let addresses: Vec<_> = tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| unreachable(format!("{host}: the name could not be resolved: {error}")))?
            .collect();
        // One address that swallows packets must leave time for the others.
        let share = settings.timeout / u32::try_from(addresses.len().clamp(1, 4)).unwrap_or(1);
        let mut last = unreachable(format!("{host}: the name has no address"));
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = unreachable(format!("{host}:{port}: {error}")),
                Err(_) => last = unreachable(format!("{host}:{port}: no connection within {share:?}")),
            }
        }
        Err(last)
    };
    let whole = async {
        let tcp = attempt.await?;
        tcp.set_nodelay(true).map_err(|error| unreachable(format!("{host}:{port}: {error}")))?;
        let Some(config) = tls else { return Ok(Box::new(tcp) as Box<dyn Bytes>) };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            SendError::new(ErrorKind::Misconfigured, format!("`{host}` is not a name that a certificate could carry"))
        })?;
        let stream = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| refused(host, &error))?;
        Ok(Box::new(stream) as Box<dyn Bytes>)
    };
    match timeout(settings.timeout, whole).await {
        Ok(done) => done,
        Err(_) => Err(unreachable(format!("{host}:{port}: no connection within {:?}", settings.timeout))),
    }
}

/// A certificate that is not trusted is a setting to mend; anything else is the network.
fn refused(host: &str, error: &io::Error) -> SendError {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            let text = format!("{reason:?}");
            let reason = text.split(['(', '{', ' ']).next().unwrap_or_default();
            let hint = if text.contains("UnknownIssuer") { ": name its issuer's certificate in `ca_file`" } else { "" };
            SendError::new(ErrorKind::Misconfigured, format!("the certificate of {host} is refused ({reason}){hint}"))
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            SendError::new(ErrorKind::Misconfigured, format!("{host} does not speak TLS on this port: write smpp://"))
        }
        _ => SendError::new(ErrorKind::Unreachable, format!("TLS with {host}: {error}")),
    }
}
