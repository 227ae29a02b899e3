//! Errors of S3 and STS, by what they say about the effect of the request.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use domain::error::Source;

/// Why a request to S3 or STS failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such object, or no such version of it.
    #[error("S3 has no such object")]
    NotFound,
    /// Rejected: a defect of this code or of the function's role.
    #[error("the request was rejected: {code}")]
    Refused {
        code: String,
        #[source]
        source: Source,
    },
    /// Not reached, no response in time, throttled, an internal error, or the object changed in between.
    #[error("{backend} is unavailable")]
    Unavailable {
        /// `s3` or `sts`.
        backend: &'static str,
        #[source]
        source: Source,
    },
    /// S3 answered what its documentation or Chime's excludes.
    #[error("unexpected: {0}")]
    Unexpected(&'static str),
}

impl Error {
    pub(crate) fn s3<E>(error: SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        Self::of("s3", error)
    }

    pub(crate) fn of<E>(backend: &'static str, error: SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        let source: Source = Box::new(error);
        match (code.as_str(), status) {
            // A HEAD has no body and so no code.
            ("NoSuchKey" | "NoSuchVersion" | "NoSuchUpload" | "NotFound", _) | ("", Some(404)) => {
                Self::NotFound
            }
            // `PreconditionFailed`: the version that was read first was replaced; another attempt reads the new one.
            (
                "PreconditionFailed" | "RequestTimeout" | "SlowDown" | "Throttling" | "ThrottlingException",
                _,
            )
            | (_, Some(429)) => Self::Unavailable { backend, source },
            (_, Some(400..=499)) => Self::Refused { code, source },
            _ => Self::Unavailable { backend, source },
        }
    }

    /// Nothing came in time.
    pub(crate) fn late(backend: &'static str) -> impl FnOnce(tokio::time::error::Elapsed) -> Self {
        move |elapsed| Self::Unavailable { backend, source: Box::new(elapsed) }
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable { backend, source } => Self::Unavailable { backend, source },
            Error::NotFound | Error::Refused { .. } | Error::Unexpected(_) => Self::internal(error),
        }
    }
}
