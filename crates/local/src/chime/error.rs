//! The refusals of the meetings API.

use http::StatusCode;

/// A refusal, as the service model names and numbers them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    NotFound(&'static str),
    #[error("Multiple instances of the same request have been made simultaneously.")]
    Conflict,
    #[error("{0}")]
    LimitExceeded(String),
    #[error("{0}")]
    Unprocessable(&'static str),
    #[error("Rate exceeded")]
    Throttled,
}

impl Refusal {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "BadRequestException",
            Self::NotFound(_) => "NotFoundException",
            Self::Conflict => "ConflictException",
            Self::LimitExceeded(_) => "LimitExceededException",
            Self::Unprocessable(_) => "UnprocessableEntityException",
            Self::Throttled => "ThrottlingException",
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::LimitExceeded(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Throttled => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}
