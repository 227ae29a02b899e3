#![doc = include_str!("../README.md")]

mod explain;

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use explain::{Address, explain};

/// Why certificate authorities cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "holds no certificate: it must be the PEM text of the database's certificate authority, with its BEGIN and END lines"
    )]
    Empty,
    #[error("holds {0} certificates and none can be read: download it again from the database's provider")]
    Unreadable(usize),
    #[error("TLS is not available")]
    NoTls,
}

/// Trust in an operator's certificate authorities.
#[derive(Clone)]
pub struct Trust {
    /// Trusts those authorities and no other, and checks the server's name.
    pub connector: MakeRustlsConnect,
    /// Certificates of the bundle that cannot be read and are left out.
    pub skipped: usize,
}

/// Whether the host is this machine, so that the traffic does not leave it.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    ["127.0.0.1", "::1", "localhost"].contains(&host)
}

/// Trusts only the given certificate authorities: those of the text (PEM) that can be read. A bundle of a provider has many,
/// some of them in forms that this TLS library does not know, and one is enough. A text whose line ends are the two
/// characters `\n`, as after being quoted twice, is read too.
///
/// # Errors
/// When no certificate can be read.
pub fn trust(ca_pem: &str) -> Result<Trust, Error> {
    let pem = if ca_pem.contains('\n') {
        ca_pem.to_owned()
    } else {
        ca_pem.replace("\\r", "").replace("\\n", "\n")
    };
    let mut roots = RootCertStore::empty();
    let mut skipped = 0;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        skipped += usize::from(added.is_none());
    }
    if roots.is_empty() {
        return Err(if skipped == 0 { Error::Empty } else { Error::Unreadable(skipped) });
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::NoTls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Trust { connector: MakeRustlsConnect::new(config), skipped })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Amazon's roots, which the AWS clients trust: five certificates.
    const BUNDLE: &str = include_str!("../../runtime/src/aws/roots.pem");

    fn skipped(pem: &str) -> Result<usize, Error> {
        trust(pem).map(|trust| trust.skipped)
    }

    #[test]
    fn one_unreadable_certificate_of_a_bundle_is_left_out() {
        let garbage = "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n";
        let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(skipped(BUNDLE), Ok(0));
        assert_eq!(skipped(&format!("{garbage}{BUNDLE}")), Ok(1));
        assert_eq!(skipped(&format!("{BUNDLE}{no_der}{garbage}")), Ok(2));
        assert_eq!(skipped(&format!("# a comment\r\n{}", BUNDLE.replace('\n', "\r\n"))), Ok(0));
        assert_eq!(skipped(&format!("{BUNDLE}-----BEGIN CERTIFICATE-----\nAAAA")), Ok(1));
        assert_eq!(skipped(&BUNDLE.replace('\n', "\\n")), Ok(0), "quoted twice");
    }

    #[test]
    fn a_text_without_a_readable_certificate_is_refused() {
        assert_eq!(skipped(""), Err(Error::Empty));
        assert_eq!(skipped("nonsense"), Err(Error::Empty));
        assert_eq!(
            skipped("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            Err(Error::Unreadable(1))
        );
    }
}
