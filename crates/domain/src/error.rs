//! The one error of use cases and rules: its variants are named by what the caller can do about it.

use std::error::Error as StdError;
use std::time::Duration;

/// What the inside knows of a failure: kept for the log, never shown.
pub type Source = Box<dyn StdError + Send + Sync>;

/// What the outside may read: a code that programs know and a sentence for people. Both are constants, so that
/// nothing from the inside can slip into an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `PATIENT_CANNOT_CREATE`.
    pub code: &'static str,
    /// A sentence.
    pub text: &'static str,
}

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request cannot be read at all.
    #[error("malformed {part}: {reason}")]
    Malformed {
        /// Which part: `body`.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// One field has a value that cannot be.
    #[error("invalid {field}: {reason}")]
    Invalid {
        /// The field, as the caller wrote it.
        field: String,
        /// What it must be. Never repeats the value.
        reason: String,
    },
    /// Who is asking is not known.
    #[error("no identity: {}", .0.code)]
    Unauthenticated(Reason),
    /// Not theirs.
    #[error("forbidden: {}", .0.code)]
    Forbidden(Reason),
    /// Not there.
    #[error("not found: {}", .0.code)]
    NotFound(Reason),
    /// Not now; the same request may do later.
    #[error("conflict: {}", .reason.code)]
    Conflict {
        /// Why.
        reason: Reason,
        /// When to try again, if waiting helps.
        retry_after: Option<Duration>,
    },
    /// It was there and is over.
    #[error("gone: {}", .0.code)]
    Gone(Reason),
    /// Too fast or too many.
    #[error("too many: {}", .reason.code)]
    TooMany {
        /// Why.
        reason: Reason,
        /// When to try again.
        retry_after: Duration,
    },
    /// A backend is down or does not answer; nothing is known to be lost, and the request may be repeated.
    #[error("{backend} is unavailable")]
    Unavailable {
        /// Which: `database`, `chime` ...
        backend: &'static str,
        /// What the inside knows.
        #[source]
        source: Source,
    },
    /// A defect.
    #[error("internal error")]
    Internal(#[source] Source),
}

impl Error {
    /// A field whose value cannot be.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }

    /// Not now, and waiting does not help.
    #[must_use]
    pub const fn conflict(reason: Reason) -> Self {
        Self::Conflict { reason, retry_after: None }
    }

    /// A defect, told in the log by its source.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    /// Whether the same request may succeed when it is repeated unchanged.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Malformed { .. }
            | Self::Invalid { .. }
            | Self::Unauthenticated(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Gone(_)
            | Self::Internal(_) => false,
            Self::Conflict { retry_after, .. } => retry_after.is_some(),
            Self::TooMany { .. } | Self::Unavailable { .. } => true,
        }
    }

    /// When to repeat it, for `Retry-After`.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Malformed { .. }
            | Self::Invalid { .. }
            | Self::Unauthenticated(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Gone(_)
            | Self::Internal(_) => None,
            Self::Conflict { retry_after, .. } => *retry_after,
            Self::TooMany { retry_after, .. } => Some(*retry_after),
            Self::Unavailable { .. } => Some(Duration::from_secs(1)),
        }
    }

    /// The code that the answer bears.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "MALFORMED_REQUEST",
            Self::Invalid { .. } => "INVALID_FIELD",
            Self::Unauthenticated(reason)
            | Self::Forbidden(reason)
            | Self::NotFound(reason)
            | Self::Gone(reason)
            | Self::Conflict { reason, .. }
            | Self::TooMany { reason, .. } => reason.code,
            Self::Unavailable { .. } => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }
}

/// The reasons that the app knows (design, "Codes the app knows") and the others that we give.
pub mod reason {
    use super::Reason;

    macro_rules! reasons {
        ($($name:ident $text:literal;)*) => {
            $(
                #[doc = $text]
                pub const $name: Reason = Reason { code: stringify!($name), text: $text };
            )*
        };
    }

    reasons! {
        NO_IDENTITY "The request bears no identity.";
        UNKNOWN_USER "This account is not known here.";
        NOT_A_MEMBER "This appointment belongs to others.";
        PATIENT_CANNOT_CREATE "Only the provider can start the call.";
        PATIENT_CANNOT_END "Only the provider can end the call.";
        PROVIDER_ONLY "Only the provider can do this.";
        REMOVED_FROM_CALL "The provider has removed you from this call.";
        TURNED_AWAY "The provider does not let you in now.";
        ALREADY_REMOVED "They were removed from this call.";
        ALREADY_JOINED "They have joined already: remove them instead.";
        NOT_FOR_PROVIDER "The provider holds the call and is not admitted, changed or removed.";
        PARTICIPANT_NOT_FOUND "They have no part in this call.";
        APPOINTMENT_NOT_FOUND "There is no such appointment.";
        USER_NOT_FOUND "There is no such user.";
        ATTENDEE_NOT_CREATED "The call has no room for them now.";
        APPOINTMENT_CANCELLED "The appointment is cancelled.";
        VIDEO_NOT_ENABLED "The appointment is not a video consultation.";
        ROUTE_NOT_FOUND "There is no such route.";
        NO_ACTIVE_CALL "There is no call in progress.";
        NOT_IN_CALL "You are not in this call.";
        MEETING_EXPIRED "The call is over.";
        CALL_NOT_READY "The call is being started.";
        CALL_LIMIT_REACHED "Too many calls are in progress.";
        CALLS_THROTTLED "Too many requests at this moment.";
        JOIN_RATE_LIMITED "You have joined and left very often in the last minute.";
        CONSENT_CHANGED_TOO_OFTEN "You have changed your mind very often in this call. You can still take your consent back.";
    }
}
