//! S3 and STS of the local cloud alone, with roles and a bucket from a template of their own: no functions and no database.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use axum::Router;
use local::calls::CallLog;
use local::clock::Clock;
use local::cloud::authorize;
use local::endpoint::{Endpoint, serve};
use local::faults::Faults;
use local::identity::{Identities, KillOrders};
use local::s3::{S3, Surroundings};
use local::sts::Sts;
use local_template::iam::Iam;
use local_template::plan::Plan;
use local_template::template;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::TestResult;

const REGION: &str = "eu-central-1";
const TEMPLATE: &str = include_str!("object_cloud/app.yaml");
const NOTHING: &str = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n";

/// S3 and STS. Ends when it is dropped.
pub struct ObjectCloud {
    pub s3: S3,
    pub clock: Clock,
    pub calls: CallLog,
    pub faults: Faults,
    pub plan: Plan,
    address: SocketAddr,
    credentials: Credentials,
    sdk: SdkConfig,
    server: JoinHandle<()>,
    _orders: KillOrders,
}

impl Drop for ObjectCloud {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl ObjectCloud {
    /// The name of the bucket.
    pub const BUCKET: &'static str = "test-recordings";

    /// The template, whose function calls. Its bucket has versions, object lock and a key; roles may be assumed.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> TestResult<Self> {
        Self::with(|template| template).await
    }

    /// The same with a change of the template.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn with(change: impl FnOnce(String) -> String) -> TestResult<Self> {
        let infra = tempfile::tempdir()?;
        std::fs::write(infra.path().join("app.yaml"), change(TEMPLATE.to_owned()))?;
        for other in ["storage.yaml", "cdn.yaml"] {
            std::fs::write(infra.path().join(other), NOTHING)?;
        }
        let plan = template::deploy(infra.path(), &std::collections::BTreeMap::new(), REGION)?;
        let iam = Arc::new(Iam::new(&plan)?);
        let (clock, identities) = (Clock::default(), Identities::default());
        let (calls, faults) = (CallLog::default(), Faults::default());
        let authorize = authorize(Arc::clone(&iam));
        let around = Surroundings {
            identities: identities.clone(),
            calls: calls.clone(),
            faults: faults.clone(),
            authorize: Arc::clone(&authorize),
            clock: clock.clone(),
            keys: plan.keys.clone(),
        };
        let s3 = S3::new(&plan.buckets, around)?;
        // The template's name.
        let (credentials, orders) = identities.issue("app", "environment-1");
        let endpoint = Endpoint {
            account: plan.account.clone(),
            identities: identities.clone(),
            calls: calls.clone(),
            faults: faults.clone(),
            authorize,
            services: vec![Arc::new(s3.clone()), Arc::new(Sts::new(iam, identities, clock.clone()))],
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(serve(listener, Arc::new(endpoint), Router::new()));
        let credentials = Credentials::new(
            credentials.access_key_id,
            credentials.secret_access_key,
            Some(credentials.session_token),
            None,
            "test",
        );
        let sdk = sdk_config(address, credentials.clone());
        Ok(Self { s3, clock, calls, faults, plan, address, credentials, sdk, server, _orders: orders })
    }

    /// The configuration of clients that call as the function.
    #[must_use]
    pub fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The configuration of clients that call with other credentials.
    #[must_use]
    pub fn sdk_as(&self, credentials: Credentials) -> SdkConfig {
        sdk_config(self.address, credentials)
    }

    /// The endpoint and the function's credentials in one line, for another process.
    #[must_use]
    pub fn endpoint_and_credentials(&self) -> String {
        let it = &self.credentials;
        let token = it.session_token().unwrap_or_default();
        format!("{} {} {} {token}", self.address, it.access_key_id(), it.secret_access_key())
    }

    /// The configuration of clients in that process.
    ///
    /// # Errors
    /// When the line is another.
    pub fn sdk_of(line: &str) -> TestResult<SdkConfig> {
        let [address, key, secret, token] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err("an address, a key, a secret and a token are needed".into());
        };
        let credentials = Credentials::new(key, secret, Some(token.to_owned()), None, "test");
        Ok(sdk_config(address.parse()?, credentials))
    }

    /// An output of the template.
    #[must_use]
    pub fn output(&self, name: &str) -> &str {
        self.plan.outputs.get(name).map_or("", String::as_str)
    }
}

fn sdk_config(address: SocketAddr, credentials: Credentials) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(Builder::new().build_http())
        .endpoint_url(format!("http://{address}"))
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .build()
}
