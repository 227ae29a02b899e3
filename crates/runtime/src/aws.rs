//! The `SdkConfig` that all AWS clients of a function share.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::Env;

/// The five root certificates of AWS's services. The system's store has some 140, which cost 3 to 6 ms of CPU at each
/// cold start to parse; and only AWS is trusted with a function's credentials.
const ROOTS: &[u8] = include_bytes!("aws/roots.pem");

/// Timeout for opening a connection.
const CONNECT: Duration = Duration::from_secs(1);

/// Builds it from what Lambda puts into the environment: region and temporary credentials (valid as long as the
/// environment lives), and `AWS_ENDPOINT_URL` where all services are behind one endpoint. rustls with ring, because
/// the SDK's default TLS costs a small function half a second at its first handshake. Adapters set the deadline of
/// each operation; retries are the SDK's standard ones, three attempts, and only of calls that are safe to repeat.
///
/// # Errors
/// When a variable is missing.
pub fn sdk_config() -> Result<SdkConfig, crate::Error> {
    let mut env = Env::new();
    let region = env.text("AWS_REGION");
    let key = env.text("AWS_ACCESS_KEY_ID");
    let secret = env.text("AWS_SECRET_ACCESS_KEY");
    let session = std::env::var("AWS_SESSION_TOKEN").ok();
    env.finish()?;

    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            key,
            secret,
            session,
            None,
            "environment",
        )))
        .http_client(http_client()?)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(SystemTimeSource::new()))
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build());
    config.set_endpoint_url(std::env::var("AWS_ENDPOINT_URL").ok());
    Ok(config.build())
}

fn http_client() -> Result<SharedHttpClient, crate::Error> {
    let trusted = TrustStore::empty().with_pem_certificate(ROOTS);
    let tls = TlsContext::builder().with_trust_store(trusted).build()?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls).build_https())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// SHA-256 of the certificates, from <https://www.amazontrust.com/repository/>.
    const FINGERPRINTS: [&str; 5] = [
        "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
        "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
        "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
        "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
    ];

    #[test]
    fn the_roots_are_those_that_amazon_publishes_and_no_others() {
        let pem = std::str::from_utf8(ROOTS).expect("PEM is text");
        let fingerprints: Vec<_> = pem
            .split("-----BEGIN CERTIFICATE-----")
            .skip(1)
            .map(|rest| {
                let (body, _) = rest.split_once("-----END CERTIFICATE-----").expect("the certificate ends");
                let body: String = body.split_whitespace().collect();
                let der = base64::engine::general_purpose::STANDARD.decode(body).expect("it is base64");
                hex::encode(Sha256::digest(der))
            })
            .collect();
        assert_eq!(fingerprints, FINGERPRINTS);
    }

    #[test]
    fn the_http_client_takes_the_roots() {
        http_client().expect("the roots are certificates");
    }
}
