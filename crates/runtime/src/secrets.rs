//! Secrets: their ARN is in the environment, their value never is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use domain::Error;

/// Reads a secret's current text.
pub type ReadSecret =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, Error>> + Send>> + Send + Sync>;

const DEADLINE: Duration = Duration::from_secs(2);

/// A reader of one secret of AWS Secrets Manager. It requests the secret at each call, so it finds a rotated one.
#[must_use]
pub fn secret_reader(sdk: &SdkConfig, arn: &str) -> ReadSecret {
    let timeouts = TimeoutConfig::builder().operation_timeout(DEADLINE).build();
    let config = aws_sdk_secretsmanager::config::Builder::from(sdk).timeout_config(timeouts).build();
    let client = aws_sdk_secretsmanager::Client::from_conf(config);
    let arn = arn.to_owned();
    Arc::new(move || {
        let call = client.get_secret_value().secret_id(&arn);
        Box::pin(async move {
            let unavailable = |source| Error::Unavailable { backend: "secretsmanager", source };
            let answer = call.send().await.map_err(|error| unavailable(Box::new(error)))?;
            // A secret that was written as binary holds text too.
            let binary = || String::from_utf8(answer.secret_binary?.into_inner()).ok();
            answer.secret_string.or_else(binary).ok_or_else(|| unavailable("the secret holds no text".into()))
        })
    })
}
