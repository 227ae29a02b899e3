//! Secrets Manager: `GetSecretValue` over secrets in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::clock::Clock;
use crate::endpoint::{Answer, Service};

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

    /// What a secret says now.
    #[must_use]
    pub fn text(&self, arn: &str) -> Option<String> {
        self.all().get(arn).map(|version| version.text.clone())
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Version>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn answer(&self, request: &Parts, body: &[u8]) -> Answer {
        let service = Service::SecretsManager;
        let refuse = |code, message: &str| service.error(StatusCode::BAD_REQUEST, code, message);
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
        service.json(StatusCode::OK, &body)
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
