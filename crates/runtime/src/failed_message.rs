//! A message of a batch that was not handled.

use domain::Error;
use domain::error::causes;

/// A message that the queue delivers again, or moves to the dead-letter queue after its last attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FailedMessage {
    /// The queue's message id.
    pub(crate) id: String,
    receives: u32,
    event: Option<String>,
    status: u16,
    code: &'static str,
    cause: String,
}

impl FailedMessage {
    pub(crate) fn new(id: String, receives: u32, event: Option<String>, error: &Error) -> Self {
        let (status, code) = (error.status(), error.code());
        Self { id, receives, event, status, code, cause: causes(error) }
    }

    /// Logs the failure in one line.
    pub(crate) fn log(&self) {
        let Self { id, receives, event, status, code, cause } = self;
        if *status >= 500 {
            tracing::error!(message_id = id, receives, event, code, cause, "message failed");
        } else {
            tracing::warn!(message_id = id, receives, event, code, cause, "message failed");
        }
    }
}
