//! Identities of callers: every environment of a function has its own credentials, so that each call shows which function,
//! and which process of it, made it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

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
    kill: mpsc::Sender<oneshot::Sender<()>>,
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
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let credentials = Credentials {
            access_key_id: format!("LOCAL{}", random()[..15].to_uppercase()),
            secret_access_key: random(),
            session_token: random(),
        };
        let caller = Caller { function: function.to_owned(), environment: environment.to_owned(), kill };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(credentials.access_key_id.clone(), (credentials.clone(), caller));
        (credentials, orders)
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
        all.values().find(|(_, caller)| caller.environment == environment).map(|(_, caller)| caller.clone())
    }

    /// Forgets an environment that is gone.
    pub fn revoke(&self, environment: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, (_, caller)| caller.environment != environment);
    }
}
