//! The refusals of the media pipelines API, as its service model names and numbers them.

use http::StatusCode;

use crate::chime::error;

pub(super) const THROTTLED: &str = "ThrottledClientException";

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    Forbidden(String),
    #[error("The media pipeline was not found.")]
    NotFound,
    #[error("{0}")]
    ResourceLimitExceeded(String),
    #[error("Rate exceeded")]
    Throttled,
}

impl Refusal {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "BadRequestException",
            Self::Forbidden(_) => "ForbiddenException",
            Self::NotFound => "NotFoundException",
            Self::ResourceLimitExceeded(_) => "ResourceLimitExceededException",
            Self::Throttled => THROTTLED,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::ResourceLimitExceeded(_) => StatusCode::BAD_REQUEST,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Throttled => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// The refusals of the parts that both APIs share.
impl From<error::Refusal> for Refusal {
    fn from(refusal: error::Refusal) -> Self {
        match refusal {
            error::Refusal::Throttled => Self::Throttled,
            error::Refusal::BadRequest(message) => Self::BadRequest(message),
            other @ (error::Refusal::NotFound(_)
            | error::Refusal::Conflict
            | error::Refusal::Unprocessable(_)
            | error::Refusal::LimitExceeded(_)) => Self::BadRequest(other.to_string()),
        }
    }
}
