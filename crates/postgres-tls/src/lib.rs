#![doc = include_str!("../README.md")]

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Why certificate authorities cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("is not PEM")]
    NotPem,
    #[error("holds a certificate that cannot be read")]
    Unreadable,
    #[error("holds no certificate")]
    Empty,
    #[error("TLS is not available")]
    NoTls,
}

/// Whether the host is this machine, so that the traffic does not leave it.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    ["127.0.0.1", "::1", "localhost"].contains(&host)
}

/// A connector that trusts only the given certificate authorities.
///
/// # Errors
/// When the text is not PEM, or contains no readable certificate.
pub fn connector(ca_pem: &str) -> Result<MakeRustlsConnect, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.map_err(|_| Error::NotPem)?).map_err(|_| Error::Unreadable)?;
    }
    if roots.is_empty() {
        return Err(Error::Empty);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::NoTls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
