//! The audit table in DynamoDB.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use domain::Error;
use serde_json::Value;
use store::audit::Outgoing;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::Config;

const DEADLINE: Duration = Duration::from_secs(5);

/// The result of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// The table has the entry, put now or before.
    There,
    /// The table has another entry under this number.
    OtherThere,
}

/// When an entry expires on whose appointment a legal hold stands: on the last day that a date has, 9999-12-31. So an entry under hold is
/// recognised, and the hold is on it whatever becomes of this function.
pub(crate) const HELD_EXPIRY: i64 = 253_402_300_799;

/// When an entry of this time expires, without a hold.
pub(crate) fn usual_expiry(at: &str, retention: Duration) -> Result<i64, Error> {
    let at = OffsetDateTime::parse(at, &Rfc3339).map_err(Error::internal)?;
    Ok((at + retention).unix_timestamp())
}

/// The days that entries are kept, as a duration.
pub(crate) fn retention(config: &Config) -> Duration {
    Duration::from_secs(u64::from(config.retention_days) * 24 * 3600)
}

/// A client whose requests have a deadline.
pub(crate) fn client(sdk: &SdkConfig) -> aws_sdk_dynamodb::config::Builder {
    let timeouts = TimeoutConfig::builder().operation_timeout(DEADLINE).build();
    aws_sdk_dynamodb::config::Builder::from(sdk).timeout_config(timeouts)
}

/// The table. Entries are only ever added: the role may not update or delete.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    client: Client,
    name: String,
    retention: Duration,
}

impl Table {
    pub(crate) fn new(sdk: &SdkConfig, config: &Config) -> Self {
        Self {
            client: Client::from_conf(client(sdk).build()),
            name: config.table.clone(),
            retention: retention(config),
        }
    }

    /// Puts an entry under its number, if the number is free.
    pub(crate) async fn put(&self, entry: &Outgoing) -> Result<Put, Error> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let payload: Value = serde_json::from_str(&entry.payload).map_err(Error::internal)?;
        let at = payload["at"].as_str().ok_or_else(|| Error::internal("an audit entry without a time"))?;
        let usual = usual_expiry(at, self.retention)?;
        let expires_at = if entry.on_hold { HELD_EXPIRY } else { usual };
        let mut put = self
            .client
            .put_item()
            .table_name(&self.name)
            .item("pk", text(&entry.chain))
            .item("sk", AttributeValue::S(format!("{:012}", entry.seq)))
            .item("payload", text(&entry.payload))
            .item("previousHash", text(&entry.previous_hash))
            .item("hash", text(&entry.hash))
            .item("at", text(at))
            // Not in the hash: a legal hold changes it.
            .item("expiresAt", AttributeValue::N(expires_at.to_string()));
        // The keys of the indexes by meeting and by actor, and the attributes for filtering.
        for name in ["event", "meetingId", "actor"] {
            if let Some(value) = payload[name].as_str() {
                put = put.item(name, text(value));
            }
        }
        let outcome = put
            .condition_expression("attribute_not_exists(pk)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = outcome else {
            return Ok(Put::There);
        };
        match error.as_service_error() {
            Some(service) if service.is_conditional_check_failed_exception() => {
                let stored = match service {
                    aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
                        failed,
                    ) => failed.item().and_then(|item| item.get("hash")).and_then(|hash| hash.as_s().ok()),
                    _ => None,
                };
                Ok(if stored == Some(&entry.hash) { Put::There } else { Put::OtherThere })
            }
            // Rejected because of its content: a retry does not help.
            Some(service) if service.meta().code() == Some("ValidationException") => {
                Err(Error::internal(error))
            }
            _ => Err(Error::Unavailable { backend: "dynamodb", source: Box::new(error) }),
        }
    }
}
