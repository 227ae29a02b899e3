//! Errors of the API, by what they say about the effect of the request.

use std::time::Duration;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use domain::error::{Source, reason};

/// Why a request to Chime failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This control region has no such meeting or attendee: it has ended or was deleted.
    #[error("Chime does not know the resource")]
    NotFound,
    /// Another request with the same token is in progress.
    #[error("Chime is processing another request with the same token")]
    Conflict(#[source] Source),
    /// Throttled. The request had no effect.
    #[error("Chime throttled the request")]
    Throttled(#[source] Source),
    /// A quota of the account is exhausted. The request had no effect.
    #[error("a quota of Chime is reached")]
    Limit(#[source] Source),
    /// Rejected: a defect of this code or of the function's role. The request had no effect.
    #[error("Chime rejected the request: {code}")]
    Refused {
        code: String,
        #[source]
        source: Source,
    },
    /// Not reached, no response in time, or an internal error of Chime: whether the request had an effect is not
    /// known.
    #[error("Chime is unavailable")]
    Unavailable(#[source] Source),
}

impl Error {
    /// Whether the request is known to have had no effect.
    #[must_use]
    pub const fn without_effect(&self) -> bool {
        match self {
            Self::NotFound | Self::Throttled(_) | Self::Limit(_) | Self::Refused { .. } => true,
            Self::Conflict(_) | Self::Unavailable(_) => false,
        }
    }

    /// The reason that a failed session stores for operators: a constant, never text from Chime.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => "meeting_gone",
            Self::Conflict(_) => "chime_conflict",
            Self::Throttled(_) => "chime_throttled",
            Self::Limit(_) => "chime_limit_reached",
            Self::Refused { .. } => "chime_refused",
            Self::Unavailable(_) => "chime_unavailable",
        }
    }

    pub(crate) fn of<E>(error: SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        let source: Source = Box::new(error);
        match (code.as_str(), status) {
            ("NotFoundException", _) => Self::NotFound,
            ("ConflictException", _) => Self::Conflict(source),
            ("ThrottlingException" | "ThrottledClientException", _) | (_, Some(429)) => {
                Self::Throttled(source)
            }
            ("LimitExceededException" | "ResourceLimitExceededException", _) => Self::Limit(source),
            (_, Some(400..=499)) => Self::Refused { code, source },
            _ => Self::Unavailable(source),
        }
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::Gone(reason::MEETING_EXPIRED),
            Error::Throttled(_) => {
                Self::TooMany { reason: reason::CALLS_THROTTLED, retry_after: Duration::from_secs(1) }
            }
            Error::Limit(_) => {
                Self::TooMany { reason: reason::CALL_LIMIT_REACHED, retry_after: Duration::from_secs(30) }
            }
            Error::Refused { .. } => Self::internal(error),
            Error::Conflict(_) | Error::Unavailable(_) => {
                Self::Unavailable { backend: "chime", source: Box::new(error) }
            }
        }
    }
}
