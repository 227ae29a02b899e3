//! The operation of the media pipelines API that a method, path and query name.

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

/// A call with what its address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    CreateMediaCapturePipeline,
    GetMediaCapturePipeline { pipeline: String },
    DeleteMediaCapturePipeline { pipeline: String },
    CreateMediaConcatenationPipeline,
    ListMediaPipelines { max_results: Option<String>, next_token: Option<String> },
    GetMediaPipeline { pipeline: String },
    DeleteMediaPipeline { pipeline: String },
}

impl Call {
    /// None: the API has no such operation, or it is not known here.
    pub(super) fn parse(method: &Method, path: &str, query: &str) -> Option<Self> {
        let mut segments = path.trim_start_matches('/').splitn(2, '/');
        let kind = segments.next()?;
        let pipeline = segments.next().map(|id| percent_decode_str(id).decode_utf8_lossy().into_owned());
        let parameter = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        Some(match (method.as_str(), kind, pipeline) {
            ("POST", "sdk-media-capture-pipelines", None) => Self::CreateMediaCapturePipeline,
            ("GET", "sdk-media-capture-pipelines", Some(pipeline)) => {
                Self::GetMediaCapturePipeline { pipeline }
            }
            ("DELETE", "sdk-media-capture-pipelines", Some(pipeline)) => {
                Self::DeleteMediaCapturePipeline { pipeline }
            }
            ("POST", "sdk-media-concatenation-pipelines", None) => Self::CreateMediaConcatenationPipeline,
            ("GET", "sdk-media-pipelines", None) => Self::ListMediaPipelines {
                max_results: parameter("max-results"),
                next_token: parameter("next-token"),
            },
            ("GET", "sdk-media-pipelines", Some(pipeline)) => Self::GetMediaPipeline { pipeline },
            ("DELETE", "sdk-media-pipelines", Some(pipeline)) => Self::DeleteMediaPipeline { pipeline },
            _ => return None,
        })
    }

    /// The operation's name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::CreateMediaCapturePipeline => "CreateMediaCapturePipeline",
            Self::GetMediaCapturePipeline { .. } => "GetMediaCapturePipeline",
            Self::DeleteMediaCapturePipeline { .. } => "DeleteMediaCapturePipeline",
            Self::CreateMediaConcatenationPipeline => "CreateMediaConcatenationPipeline",
            Self::ListMediaPipelines { .. } => "ListMediaPipelines",
            Self::GetMediaPipeline { .. } => "GetMediaPipeline",
            Self::DeleteMediaPipeline { .. } => "DeleteMediaPipeline",
        }
    }

    /// The status of its answer.
    pub(super) fn success(&self) -> StatusCode {
        match self {
            Self::CreateMediaCapturePipeline | Self::CreateMediaConcatenationPipeline => StatusCode::CREATED,
            Self::GetMediaCapturePipeline { .. }
            | Self::ListMediaPipelines { .. }
            | Self::GetMediaPipeline { .. } => StatusCode::OK,
            Self::DeleteMediaCapturePipeline { .. } | Self::DeleteMediaPipeline { .. } => {
                StatusCode::NO_CONTENT
            }
        }
    }

    /// The pipeline that it names.
    pub(super) fn pipeline_id(&self) -> Option<&str> {
        match self {
            Self::CreateMediaCapturePipeline
            | Self::CreateMediaConcatenationPipeline
            | Self::ListMediaPipelines { .. } => None,
            Self::GetMediaCapturePipeline { pipeline }
            | Self::DeleteMediaCapturePipeline { pipeline }
            | Self::GetMediaPipeline { pipeline }
            | Self::DeleteMediaPipeline { pipeline } => Some(pipeline),
        }
    }
}
