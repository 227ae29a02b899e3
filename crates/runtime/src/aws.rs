//! The one `SdkConfig` that every AWS client of a function is made from.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use crate::{ConfigError, Env};

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(1);

/// Builds it from what Lambda puts into the environment: region and temporary credentials (valid as long as the
/// environment lives), and `AWS_ENDPOINT_URL` where all services are behind one endpoint. rustls with ring, because
/// the SDK's default TLS costs a small function half a second at its first handshake. Adapters set the deadline of
/// each operation; retries are the SDK's standard ones, three attempts, and only of calls that are safe to repeat.
///
/// # Errors
/// When a variable is missing.
pub fn sdk_config() -> Result<SdkConfig, ConfigError> {
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
        .http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(SystemTimeSource::new()))
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build());
    config.set_endpoint_url(std::env::var("AWS_ENDPOINT_URL").ok());
    Ok(config.build())
}
