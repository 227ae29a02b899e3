//! Credentials of roles that the function takes.

use std::time::Duration;

use aws_sdk_s3::config::Credentials;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use time::OffsetDateTime;

use crate::{DEADLINE, Error};

/// The life of the credentials: the least that STS gives
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
pub(crate) const LIFE: Duration = Duration::from_mins(15);

/// A role that the function may take.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    sts: aws_sdk_sts::Client,
    arn: String,
}

impl Role {
    pub(crate) fn new(sdk: &SdkConfig, arn: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(DEADLINE).build();
        let config = aws_sdk_sts::config::Builder::from(sdk).timeout_config(timeouts).build();
        Self { sts: aws_sdk_sts::Client::from_conf(config), arn: arn.to_owned() }
    }

    /// Credentials with the time at which they end. `session` names the requests in the logs of S3 and `CloudTrail`; a session policy leaves
    /// of the role's rights what it names.
    pub(crate) async fn assume(
        &self,
        session: &str,
        policy: Option<String>,
    ) -> Result<(Credentials, OffsetDateTime), Error> {
        let assume = self.sts.assume_role().role_arn(&self.arn).role_session_name(session).set_policy(policy);
        let seconds = i32::try_from(LIFE.as_secs()).map_err(|_| Error::Unexpected("a life is too long"))?;
        let answer = assume.duration_seconds(seconds).send().await.map_err(|it| Error::of("sts", it))?;
        let given = answer.credentials().ok_or(Error::Unexpected("a role has no credentials"))?;
        let expires_at = OffsetDateTime::from_unix_timestamp(given.expiration().secs())
            .map_err(|_| Error::Unexpected("credentials have no expiry"))?;
        let credentials = Credentials::new(
            given.access_key_id(),
            given.secret_access_key(),
            Some(given.session_token().to_owned()),
            None,
            "role",
        );
        Ok((credentials, expires_at))
    }
}
