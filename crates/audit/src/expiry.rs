//! The expiry of entries in the audit table, which a legal hold moves. By a role of its own, which may change nothing else of an entry:
//! the function's own role can neither update nor delete.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use domain::Error;
use domain::error::causes;
use store::Store;
use store::holds::HoldEntries;
use time::OffsetDateTime;
use tokio::task::JoinSet;

use crate::Config;
use crate::table::{HELD_EXPIRY, client, retention, usual_expiry};

/// Holds of one run. Most have a few new entries; the next run continues.
const MAX_HOLDS: i64 = 50;
/// As long as the function's timeout: a run that died holds nothing in the next one.
const LEASE: time::Duration = time::Duration::seconds(50);
/// Entries that are changed at the same time.
const MAX_CONCURRENT_UPDATES: usize = 16;
/// The least life of a role's credentials (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const SESSION_SECONDS: i32 = 900;
const STS_DEADLINE: Duration = Duration::from_secs(5);

/// Gives the entries of appointments on hold the expiry of a hold, and those of which the hold was lifted the usual one again.
///
/// # Errors
/// The last failure, when the others are done: the next run tries again.
pub(crate) async fn apply_holds(
    store: &Store,
    expiry: &HeldExpiry,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let due = store.lease_hold_entries(MAX_HOLDS, LEASE, now).await?;
    if due.is_empty() {
        return Ok(());
    }
    let table = expiry.assume_role().await?;
    let mut failure = None;
    for entries in due {
        match table.apply(&entries).await {
            Ok(changed) => {
                store.hold_entries_applied(&entries, now).await?;
                tracing::info!(
                    chain = entries.chain,
                    on = entries.on_hold,
                    changed,
                    "legal hold applied to audit entries"
                );
            }
            Err(error) => {
                tracing::warn!(
                    chain = entries.chain,
                    error = causes(&error),
                    "legal hold not applied to audit entries, will retry"
                );
                failure = Some(error);
            }
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Takes the role that may move the expiry.
#[derive(Clone, Debug)]
pub(crate) struct HeldExpiry {
    sts: aws_sdk_sts::Client,
    sdk: SdkConfig,
    role: String,
    table: String,
    retention: Duration,
}

impl HeldExpiry {
    pub(crate) fn new(sdk: &SdkConfig, config: &Config) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(STS_DEADLINE).build();
        let sts = aws_sdk_sts::config::Builder::from(sdk).timeout_config(timeouts).build();
        Self {
            sts: aws_sdk_sts::Client::from_conf(sts),
            sdk: sdk.clone(),
            role: config.hold_role_arn.clone(),
            table: config.table.clone(),
            retention: retention(config),
        }
    }

    async fn assume_role(&self) -> Result<HeldTable, Error> {
        let assume = self.sts.assume_role().role_arn(&self.role).role_session_name("audit-hold");
        let answer = assume.duration_seconds(SESSION_SECONDS).send().await;
        let answer =
            answer.map_err(|error| Error::Unavailable { backend: "sts", source: Box::new(error) })?;
        let given = answer.credentials().ok_or_else(|| Error::internal("a role without credentials"))?;
        let credentials = Credentials::new(
            given.access_key_id(),
            given.secret_access_key(),
            Some(given.session_token().to_owned()),
            None,
            "hold",
        );
        let client = Client::from_conf(client(&self.sdk).credentials_provider(credentials).build());
        Ok(HeldTable { client, name: self.table.clone(), retention: self.retention })
    }
}

/// The audit table, as the role that may move the expiry.
#[derive(Clone, Debug)]
struct HeldTable {
    client: Client,
    name: String,
    retention: Duration,
}

impl HeldTable {
    /// Gives the entries of a chain between two numbers their expiry, and returns how many had another one.
    async fn apply(&self, entries: &HoldEntries) -> Result<usize, Error> {
        let mut changed = 0;
        let mut pages = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .select(Select::SpecificAttributes)
            .projection_expression("#pk, #sk, #at, #expires")
            .key_condition_expression("#pk = :pk AND #sk BETWEEN :first AND :last")
            .expression_attribute_names("#pk", "pk")
            .expression_attribute_names("#sk", "sk")
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#expires", "expiresAt")
            .expression_attribute_values(":pk", AttributeValue::S(entries.chain.clone()))
            .expression_attribute_values(":first", AttributeValue::S(format!("{:012}", entries.after + 1)))
            .expression_attribute_values(":last", AttributeValue::S(format!("{:012}", entries.until)))
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(unavailable)?;
            let mut updates = JoinSet::new();
            for item in page.items() {
                let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
                let (Some(sk), Some(at)) = (text("sk"), text("at")) else {
                    return Err(Error::internal("an audit entry without a number or a time"));
                };
                let wanted = if entries.on_hold { HELD_EXPIRY } else { usual_expiry(at, self.retention)? };
                let stored = item.get("expiresAt").and_then(|value| value.as_n().ok());
                if stored == Some(&wanted.to_string()) {
                    continue;
                }
                changed += 1;
                if updates.len() == MAX_CONCURRENT_UPDATES {
                    joined(updates.join_next().await)?;
                }
                let (table, chain, sk) = (self.clone(), entries.chain.clone(), sk.clone());
                updates.spawn(async move { table.set_expiry(chain, sk, wanted).await });
            }
            while !updates.is_empty() {
                joined(updates.join_next().await)?;
            }
        }
        Ok(changed)
    }

    /// Moves the expiry of an entry, unless it has expired meanwhile: an update would make an entry without a content.
    async fn set_expiry(&self, chain: String, sk: String, expires_at: i64) -> Result<(), Error> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", AttributeValue::S(chain))
            .key("sk", AttributeValue::S(sk))
            .update_expression("SET expiresAt = :expires")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":expires", AttributeValue::N(expires_at.to_string()));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unavailable { backend: "dynamodb", source: Box::new(error) }
}

type Joined = Option<Result<Result<(), Error>, tokio::task::JoinError>>;

fn joined(result: Joined) -> Result<(), Error> {
    match result {
        None => Ok(()),
        Some(Ok(result)) => result,
        Some(Err(panic)) => Err(Error::internal(panic)),
    }
}
