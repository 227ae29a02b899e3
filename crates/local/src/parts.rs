//! The parts of a running local cloud.

use std::sync::{Arc, Mutex};

use local_postgres::database::Database;
use local_template::iam::Iam;
use local_template::plan::Plan;
use serde_json::{Value, json};

use crate::calls::CallLog;
use crate::chime::Chime;
use crate::clock::Clock;
use crate::database_secret::DatabaseSecret;
use crate::dynamodb::DynamoDb;
use crate::events::EventBridge;
use crate::faults::Faults;
use crate::identity::Identities;
use crate::lambda::Lambda;
use crate::media::Media;
use crate::pgproxy::Proxy;
use crate::queues::{Pollers, Queues};
use crate::s3::S3;
use crate::schedules::Schedules;
use crate::secrets::Secrets;
use crate::seed::Seed;
use crate::tokens::{self, Issuer, TokenError};
use crate::transcribe::Transcribe;

/// The parts that the control API and the tests use. Cheap to share.
pub struct Parts {
    /// The resolved templates.
    pub plan: Plan,
    pub clock: Clock,
    /// The calls that functions made.
    pub calls: CallLog,
    /// The faults in force.
    pub faults: Faults,
    pub iam: Arc<Iam>,
    /// The Chime engine.
    pub chime: Chime,
    pub transcribe: Transcribe,
    /// The media plane, if one runs.
    pub media: Option<Media>,
    pub dynamodb: DynamoDb,
    pub s3: S3,
    /// The known credentials.
    pub identities: Identities,
    /// `http://127.0.0.1:8081`, the call page's distribution.
    pub page_url: String,
    pub secrets: Secrets,
    pub lambda: Lambda,
    pub schedules: Schedules,
    /// The issuer of tokens.
    pub issuer: Issuer,
    /// The functions' database.
    pub database: Database,
    /// The secret with the database's address and login.
    pub database_secret: DatabaseSecret,
    /// The way to it.
    pub proxy: Proxy,
    /// The seeded users and appointments.
    pub seed: Seed,
    /// All events that came to a bus, in order.
    pub bus: Arc<Mutex<Vec<Value>>>,
    /// The buses and their rules.
    pub events: EventBridge,
    pub queues: Queues,
    /// The pollers of the queues.
    pub pollers: Pollers,
}

impl Parts {
    /// The used, unused and denied permissions of each function. Logs count as used by functions that ran.
    #[must_use]
    pub fn iam_usage(&self) -> Value {
        for line in self.lambda.logs() {
            self.iam.mark_implied(&line.function, "logs");
        }
        serde_json::to_value(self.iam.usage()).unwrap_or_default()
    }

    /// A token for `claims`, laid over those of a valid provider's token.
    ///
    /// # Errors
    /// When the claims are no object.
    pub fn token(&self, claims: &Value, expires_in: i64, key: tokens::Key) -> Result<String, TokenError> {
        let mut all = json!({
            "aud": self.seed.audience(),
            "sub": self.seed.first().provider.firebase_uid,
        });
        if let (Some(all), Some(claims)) = (all.as_object_mut(), claims.as_object()) {
            for (name, value) in claims {
                all.insert(name.clone(), value.clone());
            }
        }
        self.issuer.issue(all, expires_in, key)
    }
}
