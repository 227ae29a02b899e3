//! Every call that a function made to a backend, in the order in which they arrived.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;

/// One backend call. A `PostgreSQL` call is a turn: what the client sends after an answer.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Counts from 1 without gaps.
    pub n: u64,
    /// When it arrived, in milliseconds of the real clock since the log was made.
    pub at_ms: u64,
    /// The calling function, by its crate's name.
    pub function: String,
    /// `chime`, `dynamodb`, `secretsmanager`, `postgres` ...
    pub service: String,
    /// The AWS operation (`CreateAttendee`), or the name a statement carries in its leading comment.
    pub operation: String,
    /// Whether the function's role allows it.
    pub allowed: bool,
    /// HTTP status of the answer; for `PostgreSQL` 200 or 500. 0: nothing was answered (killed, dropped).
    pub status: u16,
    /// The request.
    pub request: CallRequest,
}

/// The request of a call. Bodies are kept for assertions, in memory only.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CallRequest {
    /// HTTP method; empty for `PostgreSQL`.
    pub method: String,
    /// HTTP path with query; empty for `PostgreSQL`.
    pub path: String,
    /// Body as text, or the SQL text.
    pub body: String,
}

/// The log of calls. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CallLog {
    calls: Arc<Mutex<Vec<Call>>>,
    made: Instant,
}

impl Default for CallLog {
    fn default() -> Self {
        Self { calls: Arc::default(), made: Instant::now() }
    }
}

impl CallLog {
    /// Records a call on its arrival, so that the order is that of arrival; the answer's status comes later.
    pub fn begin(&self, function: &str, service: &str, operation: &str, request: CallRequest) -> u64 {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let n = calls.len() as u64 + 1;
        calls.push(Call {
            n,
            at_ms: u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX),
            function: function.to_owned(),
            service: service.to_owned(),
            operation: operation.to_owned(),
            allowed: true,
            status: 0,
            request,
        });
        n
    }

    /// Adds to the body of call `n` what was sent before its answer.
    pub fn append(&self, n: u64, body: &str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(n).ok().and_then(|n| n.checked_sub(1));
        if let Some(call) = place.and_then(|place| calls.get_mut(place)) {
            call.request.body.push('\n');
            call.request.body.push_str(body);
        }
    }

    /// Records how call `n` was answered.
    pub fn end(&self, n: u64, allowed: bool, status: u16) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(n).ok().and_then(|n| n.checked_sub(1));
        if let Some(call) = place.and_then(|place| calls.get_mut(place)) {
            call.allowed = allowed;
            call.status = status;
        }
    }

    /// The calls after number `n`.
    #[must_use]
    pub fn since(&self, n: u64) -> Vec<Call> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().filter(|call| call.n > n).cloned().collect()
    }
}
