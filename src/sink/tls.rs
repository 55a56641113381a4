//! The sink's certificate: a small CA made at the start, and a leaf for localhost that it signed.
//!
//! Two certificates and not one: a leaf that is its own CA is refused by careful clients (rustls: CaUsedAsEndEntity).

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::sink::options::SinkError;

/// How to speak TLS, and what clients must trust to believe it.
pub(crate) struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    /// The CA alone, in PEM.
    pub(crate) ca_pem: String,
}

/// A new identity for `localhost`, 127.0.0.1 and ::1. The keys live in memory only.
pub(crate) fn identity() -> Result<Identity, SinkError> {
    let made = || -> Result<(CertifiedIssuer<'static, KeyPair>, rcgen::Certificate, KeyPair), rcgen::Error> {
        let mut ca = CertificateParams::new(Vec::<String>::new())?;
        ca.distinguished_name.push(DnType::CommonName, "notify sink CA");
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;

        let mut leaf = CertificateParams::new(["localhost", "127.0.0.1", "::1"].map(String::from))?;
        leaf.distinguished_name.push(DnType::CommonName, "notify sink");
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let leaf = leaf.signed_by(&key, &ca)?;
        Ok((ca, leaf, key))
    };
    let (ca, leaf, key) = made().map_err(|error| SinkError::Certificate(error.to_string()))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![leaf.der().clone(), ca.der().clone()], key))
        .map_err(|error| SinkError::Certificate(error.to_string()))?;
    Ok(Identity { config: Arc::new(config), ca_pem: ca.pem() })
}
