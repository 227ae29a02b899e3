//! The Chime SDK media pipelines API (2021-07-15): captures of meetings and their concatenation, beside the meetings API and over the
//! same engine. What AWS leaves open is decided in favour of the stricter reading; `README.md` lists it.

mod artifacts;
mod call;
mod capture;
mod concatenation;
mod control;
mod event;
mod fault;
mod input;
mod life;
mod operations;
mod pipeline;
mod recorded;
mod recorder;
mod refusal;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde_json::Value;

use self::call::Call;
pub use self::control::{NewPipelineEvent, PipelineEventError};
pub use self::fault::NewPipelineFault;
pub(super) use self::life::Surroundings;
pub(super) use self::pipeline::Pipelines;
pub(crate) use self::recorded::Recorded;
pub(crate) use self::recorder::{Command, run};
use super::{Chime, PROTOCOL as MEETINGS, region};
use crate::s3::S3;
use crate::service::{Answer, ArnScope, AwsService, Operation, Permission, Protocol, body_json};

/// The service. Its state is the engine's.
#[derive(Clone, Debug)]
pub struct MediaPipelines(Chime);

/// The ARN of a pipeline.
fn pipeline_arn(region: &str, account: &str, id: &str) -> String {
    format!("arn:{}:chime:{region}:{account}:media-pipeline/{id}", region::partition(region))
}

#[async_trait]
impl AwsService for MediaPipelines {
    /// That of the meetings API: both sign as `chime`.
    fn scope(&self) -> &'static str {
        "chime"
    }

    fn protocol(&self) -> &'static Protocol {
        &MEETINGS
    }

    fn throttled(&self, _: &Parts) -> Answer {
        MEETINGS.error(StatusCode::TOO_MANY_REQUESTS, refusal::THROTTLED, "Rate exceeded")
    }

    fn operation(&self, arns: ArnScope<'_>, request: &Parts, body: &[u8]) -> Option<Operation> {
        let call = Call::parse(&request.method, request.uri.path(), request.uri.query().unwrap_or_default())?;
        let pipeline = |id: &str| Some(pipeline_arn(arns.region, arns.account, id));
        let resource = call.pipeline_id().and_then(pipeline);
        let mut permissions = vec![Permission::new(format!("chime:{}", call.name()), resource)];
        if matches!(call, Call::CreateMediaCapturePipeline | Call::CreateMediaConcatenationPipeline) {
            let body = body_json(body);
            if let Some(bucket) = sink(&body).and_then(bucket_arn) {
                permissions.push(Permission::new("s3:GetBucketPolicy", Some(bucket)));
            }
            if body["Tags"].as_array().is_some_and(|tags| !tags.is_empty()) {
                permissions.push(Permission::new("chime:TagResource", pipeline("*")));
            }
        }
        Some(Operation { name: call.name().to_owned(), permissions })
    }

    async fn answer(&self, region: &str, request: &Parts, body: Bytes) -> Answer {
        let (path, query) = (request.uri.path(), request.uri.query().unwrap_or_default());
        let Some(call) = Call::parse(&request.method, path, query) else {
            return MEETINGS.error(StatusCode::NOT_FOUND, "UnknownOperationException", "Unknown operation");
        };
        let outcome = self.0.perform_pipeline_call(region, &call, &body);
        self.0.deliver_and_wake();
        match outcome {
            Ok(body) => MEETINGS.json(call.success(), &body),
            Err(refusal) => MEETINGS.error(refusal.status(), refusal.code(), &refusal.to_string()),
        }
    }
}

/// The ARN of the sink that a request names.
fn sink(body: &Value) -> Option<&str> {
    let concatenation = &body["Sinks"][0]["S3BucketSinkConfiguration"]["Destination"];
    body["SinkArn"].as_str().or_else(|| concatenation.as_str())
}

/// The bucket's ARN of a sink's.
fn bucket_arn(sink: &str) -> Option<String> {
    sink.starts_with("arn:").then(|| sink.split('/').next().unwrap_or_default().to_owned())
}

impl Chime {
    /// The media pipelines API of this engine.
    #[must_use]
    pub fn media_pipelines(&self) -> MediaPipelines {
        MediaPipelines(self.clone())
    }

    /// Has captures put what they capture into these buckets, which are in this region. Without it no sink exists.
    pub fn attach_buckets(&self, s3: S3, region: &str) {
        // A second call would be a fault of the caller; the first buckets stay.
        let _attached = self.buckets.set((s3, region.to_owned()));
    }
}
