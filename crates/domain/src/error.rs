//! The error type of use cases and rules: each variant says what the caller can do about it.

use std::error::Error as StdError;
use std::time::Duration;

use crate::id::UserId;

/// The internal cause of a failure: logged, never answered.
pub type Source = Box<dyn StdError + Send + Sync>;

/// An error with its causes, for a log line. Adapters keep values out of them. A cause that the text contains already is not
/// repeated: an SDK's errors contain the text of their causes.
#[must_use]
pub fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

/// The part of an error with the HTTP status `STATUS` that a caller may read: a code for programs and a sentence for people. Both
/// are constants, so that nothing internal can get into an answer.
///
/// The status is part of the type, so that a code is never answered with another status:
///
/// ```compile_fail,E0308
/// use domain::error::{Error, reason};
/// let error = Error::Forbidden(reason::NO_ACTIVE_CALL); // 404, not 403
/// ```
///
/// ```
/// use domain::error::{Error, reason};
/// let error = Error::NotFound(reason::NO_ACTIVE_CALL);
/// assert_eq!((error.status(), error.code()), (404, "NO_ACTIVE_CALL"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<const STATUS: u16> {
    /// `PATIENT_CANNOT_CREATE`.
    pub code: &'static str,
    /// A sentence for people.
    pub text: &'static str,
}

impl<const STATUS: u16> Reason<STATUS> {
    /// The same with the status as a value, for answers and documents.
    #[must_use]
    pub const fn erase(self) -> ErrorCode {
        ErrorCode { status: STATUS, code: self.code, text: self.text }
    }
}

/// A code with its HTTP status and its sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// The HTTP status of an answer with this code.
    pub status: u16,
    /// `PATIENT_CANNOT_CREATE`.
    pub code: &'static str,
    /// A sentence for people.
    pub text: &'static str,
}

/// Why one item of a request that lists several was not carried out, in an answer that succeeds for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemReason {
    /// `USER_NOT_FOUND`.
    pub code: &'static str,
    /// A sentence for people.
    pub text: &'static str,
}

impl<const STATUS: u16> From<Reason<STATUS>> for ItemReason {
    fn from(Reason { code, text }: Reason<STATUS>) -> Self {
        Self { code, text }
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request cannot be parsed.
    #[error("malformed {part}: {reason}")]
    Malformed {
        /// The part that cannot be parsed: `body`.
        part: &'static str,
        reason: String,
    },
    /// A field has an invalid value.
    #[error("invalid {field}: {reason}")]
    Invalid {
        /// The field's name, as in the request.
        field: String,
        /// The requirement. Never repeats the value.
        reason: String,
    },
    /// The request has no verified identity.
    #[error("no identity: {}", .0.code)]
    Unauthenticated(Reason<401>),
    /// The caller may not do this (403).
    #[error("forbidden: {}", .0.code)]
    Forbidden(Reason<403>),
    /// The resource does not exist (404).
    #[error("not found: {}", .0.code)]
    NotFound(Reason<404>),
    /// No media type that the caller accepts can be given (406).
    #[error("no acceptable media type")]
    NotAcceptable,
    /// The state does not allow it (409); the same request may succeed later.
    #[error("conflict: {}", .reason.code)]
    Conflict {
        reason: Reason<409>,
        /// When to retry, if waiting helps.
        retry_after: Option<Duration>,
    },
    /// Consent of users is missing, who are named (409).
    #[error("consent required of {} users", .missing.len())]
    ConsentRequired {
        /// Empty where nobody is in the call.
        missing: Vec<UserId>,
    },
    /// The resource existed and has ended (410).
    #[error("gone: {}", .0.code)]
    Gone(Reason<410>),
    /// Too many requests (429).
    #[error("too many: {}", .reason.code)]
    TooMany {
        reason: Reason<429>,
        /// When to retry.
        retry_after: Duration,
    },
    /// The day's budget of transcription is used up (429).
    #[error("the budget of transcription is used up")]
    BudgetUsed {
        /// The rest of it, in seconds.
        seconds_left: i64,
        /// Until the next UTC day.
        retry_after: Duration,
    },
    /// A quota of the account is exhausted for now (503). The request had no effect.
    #[error("no capacity: {}", .0.code)]
    NoCapacity(Reason<503>),
    /// A backend is down or does not answer. Nothing is known to be lost, and the request may be repeated.
    #[error("{backend} is unavailable")]
    Unavailable {
        /// The backend: `database`, `chime` ...
        backend: &'static str,
        #[source]
        source: Source,
    },
    /// A defect of this service (500).
    #[error("internal error")]
    Internal(#[source] Source),
}

impl Error {
    /// A field with an invalid value.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }

    /// A conflict that waiting does not resolve.
    #[must_use]
    pub const fn conflict(reason: Reason<409>) -> Self {
        Self::Conflict { reason, retry_after: None }
    }

    /// A defect; its source is logged.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    /// Whether the unchanged request may succeed when it is repeated.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Malformed { .. }
            | Self::Invalid { .. }
            | Self::Unauthenticated(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::NotAcceptable
            | Self::ConsentRequired { .. }
            | Self::Gone(_)
            | Self::Internal(_) => false,
            Self::Conflict { retry_after, .. } => retry_after.is_some(),
            Self::TooMany { .. }
            | Self::BudgetUsed { .. }
            | Self::NoCapacity(_)
            | Self::Unavailable { .. } => true,
        }
    }

    /// When to repeat the request, for `Retry-After`.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Malformed { .. }
            | Self::Invalid { .. }
            | Self::Unauthenticated(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::NotAcceptable
            | Self::ConsentRequired { .. }
            | Self::Gone(_)
            | Self::Internal(_) => None,
            Self::Conflict { retry_after, .. } => *retry_after,
            Self::TooMany { retry_after, .. } | Self::BudgetUsed { retry_after, .. } => Some(*retry_after),
            // Pipelines are released when recordings end.
            Self::NoCapacity(_) => Some(Duration::from_mins(1)),
            Self::Unavailable { .. } => Some(Duration::from_secs(1)),
        }
    }

    /// The code of the answer, with its status and a sentence.
    #[must_use]
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::Malformed { .. } => reason::MALFORMED_REQUEST.erase(),
            Self::Unauthenticated(reason) => reason.erase(),
            Self::Forbidden(reason) => reason.erase(),
            Self::NotFound(reason) => reason.erase(),
            Self::NotAcceptable => reason::NOT_ACCEPTABLE.erase(),
            Self::Conflict { reason, .. } => reason.erase(),
            Self::ConsentRequired { .. } => reason::CONSENT_REQUIRED.erase(),
            Self::NoCapacity(reason) => reason.erase(),
            Self::Gone(reason) => reason.erase(),
            Self::Invalid { .. } => reason::INVALID_FIELD.erase(),
            Self::TooMany { reason, .. } => reason.erase(),
            Self::BudgetUsed { .. } => reason::TRANSCRIPTION_BUDGET.erase(),
            Self::Internal(_) => reason::INTERNAL.erase(),
            Self::Unavailable { .. } => reason::UNAVAILABLE.erase(),
        }
    }

    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.error_code().code
    }

    #[must_use]
    pub const fn status(&self) -> u16 {
        self.error_code().status
    }
}

/// Every code of an answer, by HTTP status.
pub mod reason {
    use super::{ErrorCode, ItemReason, Reason};

    macro_rules! reasons {
        ($($status:literal { $($name:ident $(= $code:literal)? $text:literal;)+ })+) => {
            $($(
                #[doc = $text]
                pub const $name: Reason<$status> = Reason { code: reasons!(@ $name $($code)?), text: $text };
            )+)+

            pub const ALL: &[ErrorCode] = &[$($($name.erase()),+),+];
        };
        (@ $name:ident $code:literal) => { $code };
        (@ $name:ident) => { stringify!($name) };
    }

    reasons! {
        400 {
            MALFORMED_REQUEST "The request cannot be read.";
        }
        401 {
            NO_IDENTITY "The request bears no identity.";
        }
        403 {
            UNKNOWN_USER "This account is not known here.";
            NOT_A_MEMBER "This appointment belongs to others.";
            PATIENT_CANNOT_CREATE "Only the provider can start the call.";
            PATIENT_CANNOT_END "Only the provider can end the call.";
            PROVIDER_ONLY "Only the provider can do this.";
            RECORDING_RIGHT_MISSING "You have no right to this recording.";
            AUDITOR_ONLY "Only an auditor can do this.";
            TRANSCRIPT_RIGHT_MISSING "You have no right to this transcript.";
            REMOVED_FROM_CALL "The provider has removed you from this call.";
            TURNED_AWAY "The provider does not let you in now.";
            EDGE_REQUIRED "Send requests to the address of the call page.";
        }
        404 {
            ROUTE_NOT_FOUND "There is no such route.";
            APPOINTMENT_NOT_FOUND "There is no such appointment.";
            NO_ACTIVE_CALL "There is no call in progress.";
            NOT_IN_CALL "You are not in this call.";
            PARTICIPANT_NOT_FOUND "They have no part in this call.";
            RECORDING_NOT_FOUND "There is no such recording.";
            TRANSCRIPT_NOT_FOUND "There is no such transcript.";
        }
        406 {
            NOT_ACCEPTABLE "None of the accepted media types can be given.";
        }
        409 {
            APPOINTMENT_CANCELLED "The appointment is cancelled.";
            VIDEO_NOT_ENABLED "The appointment is not a video consultation.";
            JOIN_WINDOW_NOT_OPEN "It is too early: the call cannot be entered yet.";
            JOIN_WINDOW_CLOSED "It is too late: the call cannot be entered any more.";
            CALL_NOT_READY "The call is being started.";
            // The same code as with 404: a user who was never in a call cannot leave it; a user who has left can
            // return and send quality reports then.
            NOT_IN_CALL_NOW = "NOT_IN_CALL" "You are not in this call.";
            ALREADY_REMOVED "They were removed from this call.";
            ALREADY_JOINED "They have joined already: remove them instead.";
            NOT_FOR_PROVIDER "The provider holds the call and is not admitted, changed or removed.";
            CONSENT_CHANGED_TOO_OFTEN "You have changed your mind very often in this call. You can still take your consent back.";
            CONSENT_REQUIRED "Not everyone in the call has consented to this.";
            RECORDING_PAUSED "The recording is paused: resume or stop it.";
            RECORDING_ENDED "The recording has ended: start another one.";
            RECORDING_NOT_ENDED "The recording has not ended yet.";
            RECORDING_NOT_READY "There is nothing to play yet.";
            RECORDING_RETAINED "The recording must be kept until its retention ends.";
            RECORDING_ON_HOLD "The recording is on hold.";
            TRANSCRIPT_NOT_READY "The transcript is not complete yet.";
            TRANSCRIPT_NOT_MARKED "Personal data was not marked in this transcript, so that it cannot be hidden.";
            TRANSCRIPT_DELETED "The transcript of this call was deleted.";
            TRANSCRIPT_RETAINED "The transcript must be kept until its retention ends.";
            TRANSCRIPT_ON_HOLD "The transcript is on hold.";
        }
        410 {
            MEETING_EXPIRED "The call is over.";
        }
        422 {
            INVALID_FIELD "A field has a value that it cannot have.";
        }
        429 {
            CALL_LIMIT_REACHED "Too many calls are in progress.";
            CALLS_THROTTLED "Too many requests at this moment.";
            TRANSCRIPTION_BUDGET "The time that may be transcribed today is used up.";
            JOIN_RATE_LIMITED "You have joined and left very often in the last minute.";
        }
        500 {
            INTERNAL "Something went wrong on our side.";
        }
        503 {
            RECORDING_CAPACITY "As many calls are being recorded as possible. Please try again later.";
            UNAVAILABLE "The service is not available at this moment. Please try again.";
        }
    }

    /// Only in the list of an invitation.
    pub const USER_NOT_FOUND: ItemReason =
        ItemReason { code: "USER_NOT_FOUND", text: "There is no such user." };
    /// Only in the list of an invitation.
    pub const ATTENDEE_NOT_CREATED: ItemReason =
        ItemReason { code: "ATTENDEE_NOT_CREATED", text: "The call has no room for them now." };

    /// All codes of items that are not the code of an answer.
    pub const ITEMS: &[ItemReason] = &[USER_NOT_FOUND, ATTENDEE_NOT_CREATED];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn a_cause_is_named_once() {
        let inner = Layer("connection refused", None);
        let service = Layer("service error: connection refused", Some(Box::new(inner)));
        let outer = Layer("chime is unavailable", Some(Box::new(service)));
        assert_eq!(causes(&outer), "chime is unavailable: service error: connection refused");
    }

    #[test]
    fn a_code_with_its_status_is_in_the_table_once() {
        let all: BTreeSet<_> = reason::ALL.iter().map(|code| (code.status, code.code)).collect();
        assert_eq!(all.len(), reason::ALL.len());
        for code in reason::ALL {
            let known =
                matches!(code.status, 400 | 401 | 403 | 404 | 406 | 409 | 410 | 422 | 429 | 500 | 503);
            assert!(known && !code.text.is_empty(), "{code:?}");
        }
    }
}
