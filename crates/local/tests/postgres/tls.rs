use std::sync::Arc;

use local::pgproxy::{Certificate, Proxy};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::types::Type;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fixture::{Fixture, turn, with_fixture};

async fn proxy(fixture: &Fixture, certificate: &Certificate) -> Proxy {
    let (identities, calls, faults) =
        (fixture.identities.clone(), fixture.calls.clone(), fixture.faults.clone());
    let proxy = Proxy::start_with_tls(fixture.server.addr(), identities, calls, faults, 0, certificate);
    proxy.await.expect("a proxy")
}

fn trusting(certificate: &Certificate) -> MakeRustlsConnect {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(certificate.authority().as_bytes()).expect("a PEM");
    roots.add(authority).expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    MakeRustlsConnect::new(config)
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_connects_with_tls() {
    with_fixture(|fixture| async move {
        let certificate = Certificate::make().expect("a certificate");
        let proxy = proxy(&fixture, &certificate).await;
        let mut config = fixture.config_for(&proxy);
        config.ssl_mode(SslMode::Require);
        let (client, connection) = config.connect(trusting(&certificate)).await.expect("connected");
        tokio::spawn(connection);
        let long = "x".repeat(3_000_000);
        let rows = client.query_typed("-- echo\nSELECT $1", &[(&long, Type::TEXT)]).await.expect("an echo");
        assert!(rows[0].get::<_, String>(0) == long, "the text was changed on its way");
        assert_eq!(fixture.turns(), [turn("", "echo", 200)]);

        let other = Certificate::make().expect("a certificate");
        config.connect(trusting(&other)).await.map(drop).expect_err("another authority");
    })
    .await;
}

#[tokio::test]
async fn a_proxy_without_a_certificate_says_so() {
    with_fixture(|fixture| async move {
        let certificate = Certificate::make().expect("a certificate");
        let mut config = fixture.config();
        config.ssl_mode(SslMode::Require);
        config.connect(trusting(&certificate)).await.map(drop).expect_err("no TLS");
        config.ssl_mode(SslMode::Prefer);
        config.connect(trusting(&certificate)).await.map(drop).expect("without TLS");
    })
    .await;
}
