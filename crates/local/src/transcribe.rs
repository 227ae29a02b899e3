//! Amazon Transcribe's jobs (<https://docs.aws.amazon.com/transcribe/latest/APIReference/Welcome.html>): standard and medical ones, over
//! media files in the buckets, by the cloud's clock. The text is what a script had people say; nothing is recognized.

mod control;
mod input;
mod job;
mod language;
mod operations;
mod output;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::control::{JobError, NewJobEnd, NewJobFault, NewSpeech};
use self::job::Jobs;
use crate::chime::{Chime, EventDelivery, EventSink};
use crate::clock::Clock;
use crate::identity::Caller;
use crate::s3::S3;
use crate::service::{
    Answer, ArnScope, AwsService, Context, ErrorBody, Operation, Permission, Protocol, body_json,
    target_operation,
};

/// Where it is and what it acts on.
pub struct Surroundings {
    pub account: String,
    pub clock: Clock,
    /// The buckets, and their region: a job reads and puts only there.
    pub s3: S3,
    pub region: String,
    /// Its meetings' scripts are what is said in recorded files.
    pub chime: Chime,
    /// By itself it sends events where the Chime engine does.
    pub event_delivery: EventDelivery,
    pub sink: EventSink,
}

/// The service. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Transcribe {
    around: Arc<Surroundings>,
    jobs: Arc<Mutex<Jobs>>,
    changed: Arc<watch::Sender<()>>,
}

impl fmt::Debug for Transcribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transcribe").field("region", &self.around.region).finish_non_exhaustive()
    }
}

const PROTOCOL: Protocol = Protocol {
    content_type: "application/x-amz-json-1.1",
    refusal_status: StatusCode::BAD_REQUEST,
    throttled_status: StatusCode::BAD_REQUEST,
    failure_code: "InternalFailureException",
    error_body: |code, message, _| ErrorBody::Json(json!({ "__type": code, "Message": message })),
    names_error_in_header: false,
};

/// A refusal, as the service model names them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    BadRequest(String),
    #[error("The requested job name already exists. Use a different job name.")]
    Conflict,
    #[error("{0}")]
    LimitExceeded(&'static str),
}

impl Refusal {
    const fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "BadRequestException",
            Self::Conflict => "ConflictException",
            Self::LimitExceeded(_) => "LimitExceededException",
        }
    }
}

/// An operation with the kind of its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Start(Kind),
    Get(Kind),
    List(Kind),
    Delete(Kind),
}

/// Names of jobs of different kinds do not collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Standard,
    Medical,
}

impl Kind {
    /// The member of requests with a job's name.
    const fn name_member(self) -> &'static str {
        match self {
            Self::Standard => "TranscriptionJobName",
            Self::Medical => "MedicalTranscriptionJobName",
        }
    }

    const fn resource(self) -> &'static str {
        match self {
            Self::Standard => "transcription-job",
            Self::Medical => "medical-transcription-job",
        }
    }
}

impl Call {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "StartTranscriptionJob" => Self::Start(Kind::Standard),
            "StartMedicalTranscriptionJob" => Self::Start(Kind::Medical),
            "GetTranscriptionJob" => Self::Get(Kind::Standard),
            "GetMedicalTranscriptionJob" => Self::Get(Kind::Medical),
            "ListTranscriptionJobs" => Self::List(Kind::Standard),
            "ListMedicalTranscriptionJobs" => Self::List(Kind::Medical),
            "DeleteTranscriptionJob" => Self::Delete(Kind::Standard),
            "DeleteMedicalTranscriptionJob" => Self::Delete(Kind::Medical),
            _ => return None,
        })
    }
}

#[async_trait]
impl AwsService for Transcribe {
    fn scope(&self) -> &'static str {
        "transcribe"
    }

    fn protocol(&self) -> &'static Protocol {
        &PROTOCOL
    }

    /// Of its errors this one says that there were too many requests.
    fn throttled(&self, _: &Parts) -> Answer {
        PROTOCOL.error(StatusCode::BAD_REQUEST, "LimitExceededException", "Rate exceeded")
    }

    fn operation(&self, arns: ArnScope<'_>, request: &Parts, body: &[u8]) -> Option<Operation> {
        let name = target_operation(request, "Transcribe.")?;
        let call = Call::parse(&name)?;
        let body = body_json(body);
        let resource = |kind: Kind| {
            let job = body[kind.name_member()].as_str().unwrap_or_default();
            Some(format!("arn:aws:transcribe:{}:{}:{}/{job}", arns.region, arns.account, kind.resource()))
        };
        let keys = [
            ("transcribe:OutputBucketName", "OutputBucketName"),
            ("transcribe:OutputKey", "OutputKey"),
            ("transcribe:OutputEncryptionKMSKeyId", "OutputEncryptionKMSKeyId"),
        ];
        let keys = keys.into_iter();
        let keys = keys.filter_map(|(key, member)| Some((key.to_owned(), body[member].as_str()?.to_owned())));
        let action = format!("transcribe:{name}");
        let permission = match call {
            Call::Start(_) => {
                Permission { context: keys.collect::<Context>(), ..Permission::new(action, None) }
            }
            Call::List(_) => Permission::new(action, None),
            Call::Get(kind) | Call::Delete(kind) => Permission::new(action, resource(kind)),
        };
        Some(Operation { name, permissions: vec![permission] })
    }

    async fn answer(&self, region: &str, request: &Parts, body: Bytes) -> Answer {
        let call = target_operation(request, "Transcribe.").and_then(|name| Call::parse(&name));
        let Some((call, caller)) = call.zip(request.extensions.get::<Caller>()) else {
            return PROTOCOL.error(StatusCode::BAD_REQUEST, "UnknownOperationException", "Unknown operation");
        };
        let outcome = self.perform(region, caller, call, &body);
        self.deliver_and_wake();
        match outcome {
            Ok(body) => PROTOCOL.json(StatusCode::OK, &body),
            Err(refusal) => PROTOCOL.error(StatusCode::BAD_REQUEST, refusal.code(), &refusal.to_string()),
        }
    }
}

impl Transcribe {
    /// Without jobs.
    #[must_use]
    pub fn new(around: Surroundings) -> Self {
        let changed = Arc::new(watch::Sender::new(()));
        Self { around: Arc::new(around), jobs: Arc::default(), changed }
    }

    /// Spawns the task that ends jobs when it is time. The caller aborts it.
    #[must_use]
    pub fn spawn_jobs(&self) -> JoinHandle<()> {
        let service = self.clone();
        tokio::spawn(async move {
            let (mut moves, mut changes) = (service.around.clock.moves(), service.changed.subscribe());
            loop {
                // Marked as seen before the state is read, so that a change in between wakes the task.
                moves.borrow_and_update();
                changes.borrow_and_update();
                let next_ms = service.deliver_due();
                let wait = async {
                    let Some(next_ms) = next_ms else { return std::future::pending().await };
                    let left = next_ms.saturating_sub(service.around.clock.now_ms());
                    tokio::time::sleep(Duration::from_millis(u64::try_from(left).unwrap_or(0))).await;
                };
                tokio::select! {
                    () = wait => {}
                    _ = moves.changed() => {}
                    _ = changes.changed() => {}
                }
            }
        })
    }

    /// Ends the jobs whose time has come, sends their events, and returns when the next one ends.
    fn deliver_due(&self) -> Option<i64> {
        let (events, next_ms) = {
            let mut jobs = self.jobs();
            let events = jobs.advance(&self.around, self.around.clock.now_ms());
            (events, jobs.next_ms())
        };
        // Outside the lock: the sink may ask the service.
        for event in events {
            (self.around.sink)(event);
        }
        next_ms
    }

    /// Ends the jobs whose time has come, sends their events, and wakes the task of the jobs, which computes its next due time anew.
    pub fn deliver_and_wake(&self) {
        self.deliver_due();
        self.changed.send_replace(());
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
