//! The certificate of `wss://`. Browsers under test accept it by the hash of its key.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("a certificate cannot be made")]
    Make(#[from] rcgen::Error),
    #[error("a certificate cannot be used")]
    Use(#[from] rustls::Error),
}

pub(super) struct Certificate {
    config: Arc<ServerConfig>,
    public_key_hash: String,
}

impl Certificate {
    /// Makes one for Chime's hosts and for loopback.
    pub(super) fn make() -> Result<Self, CertificateError> {
        let key = KeyPair::generate()?;
        let names = ["*.chime.aws", "localhost", "127.0.0.1"].map(str::to_owned);
        let certificate = CertificateParams::new(names)?.self_signed(&key)?;
        let public_key_hash = STANDARD.encode(Sha256::digest(key.subject_public_key_info()));
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.into()], key)?;
        Ok(Self { config: Arc::new(config), public_key_hash })
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    pub(super) fn public_key_hash(&self) -> &str {
        &self.public_key_hash
    }
}
