//! A certificate for the proxy, and the authority that issued it.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It could not be created.
    #[error("the certificate could not be created")]
    Made(#[from] rcgen::Error),
    /// It could not be used.
    #[error("the certificate could not be used")]
    Used(#[from] rustls::Error),
}

/// A certificate for `127.0.0.1` and `localhost`, new each time. Its key never leaves the process.
#[derive(Clone, Debug)]
pub struct Certificate {
    authority: String,
    config: Arc<ServerConfig>,
}

impl Certificate {
    /// Makes an authority and has it issue a certificate: rustls refuses an authority's own at the server.
    pub fn make() -> Result<Self, CertificateError> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);

        let key = KeyPair::generate()?;
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.into()], key)?;
        Ok(Self { authority: authority_certificate.pem(), config: Arc::new(config) })
    }

    /// The authority as PEM: what a client trusts (`sslrootcert`).
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}
