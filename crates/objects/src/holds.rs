//! Legal holds on objects, by a role of their own: the function's role can neither place nor lift one.

use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_types::SdkConfig;
use tokio::time::Instant;

use crate::credentials::Role;
use crate::{Error, Marker, Objects, Progress};

/// Places and lifts legal holds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Holds {
    sdk: SdkConfig,
    role: Role,
    bucket: String,
}

/// The same for as long as the role's credentials last, 15 minutes.
#[derive(Clone, Debug)]
pub struct HoldSession(Objects);

impl Holds {
    /// Holds on objects of a bucket, as the role of this ARN.
    #[must_use]
    pub fn new(sdk: &SdkConfig, role: &str, bucket: &str) -> Self {
        Self { sdk: sdk.clone(), role: Role::new(sdk, role), bucket: bucket.to_owned() }
    }

    /// Takes the role. One request.
    ///
    /// # Errors
    /// When STS does not answer or rejects it.
    pub async fn begin(&self) -> Result<HoldSession, Error> {
        let (credentials, _) = self.role.assume("legal-hold", None).await?;
        let sdk = self.sdk.to_builder();
        let sdk = sdk.credentials_provider(SharedCredentialsProvider::new(credentials));
        Ok(HoldSession(Objects::new(&sdk.build(), &self.bucket)))
    }
}

impl HoldSession {
    /// Places or lifts the legal hold on all versions below a prefix. Ends after the page during which `until` passes.
    ///
    /// # Errors
    /// When S3 does not answer or rejects it.
    pub async fn hold(
        &self,
        prefix: &str,
        on: bool,
        from: Option<Marker>,
        until: Instant,
    ) -> Result<Progress, Error> {
        self.0.hold(prefix, on, from, until).await
    }
}
