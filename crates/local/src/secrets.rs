//! Secrets Manager: `GetSecretValue` over secrets in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::clock::Clock;
use crate::service::{
    Answer, ArnScope, AwsService, ErrorBody, Operation, Permission, Protocol, body_json, target_operation,
};

#[derive(Clone, Debug)]
struct Version {
    id: String,
    text: String,
    created_ms: i64,
}

/// The secrets, by ARN. Cheap to clone; all clones see the same.
#[derive(Clone, Debug)]
pub struct Secrets {
    clock: Clock,
    current: Arc<Mutex<BTreeMap<String, Version>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetSecretValue {
    secret_id: String,
    version_id: Option<String>,
    version_stage: Option<String>,
}

impl Secrets {
    /// No secrets yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, current: Arc::default() }
    }

    /// Gives a secret its value, as a new version; the next reader sees it.
    pub fn set(&self, arn: &str, text: &str) {
        let version = Version {
            id: Uuid::new_v4().to_string(),
            text: text.to_owned(),
            created_ms: self.clock.now_ms(),
        };
        self.all().insert(arn.to_owned(), version);
    }

    /// The ARN of a secret that is known by this ARN or name.
    #[must_use]
    pub fn arn_of(&self, id: &str) -> Option<String> {
        self.all().keys().find(|arn| *arn == id || name_of(arn) == id).cloned()
    }

    /// The current value of a secret.
    #[must_use]
    pub fn text(&self, arn: &str) -> Option<String> {
        self.all().get(arn).map(|version| version.text.clone())
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Version>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get_secret_value(&self, request: &Parts, body: &[u8]) -> Answer {
        let refuse = |code, message: &str| PROTOCOL.error(StatusCode::BAD_REQUEST, code, message);
        let target = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        if target != Some("secretsmanager.GetSecretValue") {
            return refuse("UnknownOperationException", "The local cloud knows only GetSecretValue.");
        }
        let asked: GetSecretValue = match serde_json::from_slice(body) {
            Ok(asked) => asked,
            Err(error) => return refuse("ValidationException", &error.to_string()),
        };
        let found = self.arn_of(&asked.secret_id).and_then(|arn| {
            let version = self.all().get(&arn).cloned()?;
            Some((arn, version))
        });
        let Some((arn, version)) = found else {
            return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
        };
        let stage = asked.version_stage.as_deref().unwrap_or("AWSCURRENT");
        if stage != "AWSCURRENT" || asked.version_id.is_some_and(|id| id != version.id) {
            let message =
                format!("Secrets Manager can't find the specified secret value for staging label: {stage}");
            return refuse("ResourceNotFoundException", &message);
        }
        // Seconds with a fraction, as JSON 1.1 writes times.
        let created = serde_json::Number::from_f64(
            std::time::Duration::from_millis(version.created_ms.unsigned_abs()).as_secs_f64(),
        );
        let body = json!({
            "ARN": arn,
            "Name": name_of(&arn),
            "VersionId": version.id,
            "SecretString": version.text,
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": created,
        });
        PROTOCOL.json(StatusCode::OK, &body)
    }
}

const PROTOCOL: Protocol = Protocol {
    content_type: "application/x-amz-json-1.1",
    refusal_status: StatusCode::BAD_REQUEST,
    throttled_status: StatusCode::BAD_REQUEST,
    failure_code: "InternalServiceError",
    error_body: |code, message, _| ErrorBody::Json(json!({ "__type": code, "Message": message })),
    names_error_in_header: false,
};

#[async_trait]
impl AwsService for Secrets {
    fn scope(&self) -> &'static str {
        "secretsmanager"
    }

    fn protocol(&self) -> &'static Protocol {
        &PROTOCOL
    }

    fn operation(&self, arns: ArnScope<'_>, request: &Parts, body: &[u8]) -> Option<Operation> {
        let name = target_operation(request, "secretsmanager.")?;
        let id = body_json(body)["SecretId"].as_str().map(ToOwned::to_owned);
        let resource = id.map(|id| match self.arn_of(&id) {
            Some(arn) => arn,
            None if id.starts_with("arn:") => id,
            None => format!("arn:aws:secretsmanager:{}:{}:secret:{id}", arns.region, arns.account),
        });
        let permission = Permission::new(format!("secretsmanager:{name}"), resource);
        Some(Operation { name, permissions: vec![permission] })
    }

    async fn answer(&self, _region: &str, request: &Parts, body: Bytes) -> Answer {
        self.get_secret_value(request, &body)
    }
}

/// An ARN ends in the secret's name, a hyphen and six characters of AWS's own.
fn name_of(arn: &str) -> &str {
    let last = arn.rsplit(':').next().unwrap_or(arn);
    match last.rsplit_once('-') {
        Some((name, suffix)) if suffix.len() == 6 => name,
        _ => last,
    }
}
