//! Identities of callers: every environment of a function has its own credentials, so that each call shows which function,
//! and which process of it, made it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use local_template::iam::RoleSession;
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;

/// The name of the operator, who has full access to S3. No function has this name.
pub const OPERATOR: &str = "operator";

/// Temporary credentials as a Lambda environment finds them in its variables.
#[derive(Clone)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: String,
}

/// A caller of backends.
#[derive(Clone)]
pub struct Caller {
    /// The function, by its crate's name.
    pub function: String,
    /// The environment's id; also its log stream's name and its `application_name` at `PostgreSQL`.
    pub environment: String,
    /// The session, if the caller has assumed a role; then the role counts and not that of the function.
    pub session: Option<Arc<Session>>,
    kill: mpsc::Sender<oneshot::Sender<()>>,
}

/// A session of a role that was assumed.
#[derive(Debug)]
pub struct Session {
    pub role: RoleSession,
    /// When the credentials end, by the cloud's clock.
    pub expires_at: OffsetDateTime,
    /// When they were made, in real time, which signatures have.
    pub made_at: OffsetDateTime,
    clock: Clock,
}

impl Session {
    /// Whether the credentials have ended.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.clock.now() >= self.expires_at
    }
}

impl Caller {
    /// Kills the caller's process; returns when it is dead.
    pub async fn kill(&self) {
        let (done, dead) = oneshot::channel();
        // Either end may be gone already, because the process is: dead is what was asked for.
        if self.kill.send(done).await.is_ok() {
            let _gone = dead.await;
        }
    }
}

/// The supervisor's end of [`Caller::kill`]: on a message kill the process, then answer. Dropping it means dead.
pub type KillOrders = mpsc::Receiver<oneshot::Sender<()>>;

/// All callers by access key and by environment. Cheap to clone.
#[derive(Clone, Default)]
pub struct Identities(Arc<Mutex<HashMap<String, (Credentials, Caller)>>>);

impl Identities {
    /// Makes credentials for a new environment of a function.
    #[must_use]
    pub fn issue(&self, function: &str, environment: &str) -> (Credentials, KillOrders) {
        let (kill, orders) = mpsc::channel(4);
        let (function, environment) = (function.to_owned(), environment.to_owned());
        let caller = Caller { function, environment, session: None, kill };
        (self.insert(caller), orders)
    }

    /// Makes credentials of a role for a caller. They outlive its environment.
    #[must_use]
    pub fn issue_session(
        &self,
        caller: &Caller,
        role: RoleSession,
        life: Duration,
        clock: &Clock,
    ) -> (Credentials, OffsetDateTime) {
        let (expires_at, made_at) = (clock.now() + life, OffsetDateTime::now_utc());
        let session = Arc::new(Session { role, expires_at, made_at, clock: clock.clone() });
        (self.insert(Caller { session: Some(session), ..caller.clone() }), expires_at)
    }

    fn insert(&self, caller: Caller) -> Credentials {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let credentials = Credentials {
            access_key_id: format!("LOCAL{}", random()[..15].to_uppercase()),
            secret_access_key: random(),
            session_token: random(),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(credentials.access_key_id.clone(), (credentials.clone(), caller));
        credentials
    }

    /// The owner of this access key, with the secret that verifies the signature.
    #[must_use]
    pub fn by_access_key(&self, access_key_id: &str) -> Option<(Credentials, Caller)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(access_key_id).cloned()
    }

    /// The caller of this environment.
    #[must_use]
    pub fn by_environment(&self, environment: &str) -> Option<Caller> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_environment = |caller: &Caller| caller.environment == environment && caller.session.is_none();
        all.values().find(|(_, caller)| of_environment(caller)).map(|(_, caller)| caller.clone())
    }

    /// Forgets an environment that is gone, and the sessions that have ended.
    pub fn revoke(&self, environment: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, caller)| match &caller.session {
            Some(session) => !session.is_expired(),
            None => caller.environment != environment,
        });
    }
}
