//! The operations of the media pipelines API.

use serde_json::{Value, json};
use uuid::Uuid;

use super::artifacts::{Sink, Wanted};
use super::call::Call;
use super::capture::Capture;
use super::concatenation::{Concatenation, Source};
use super::fault::OutputFault;
use super::input::{CreateCapture, CreateConcatenation};
use super::pipeline::{BEGIN, Kind, Pipeline, START, Status, Step, milliseconds};
use super::pipeline_arn;
use super::refusal::Refusal;
use crate::chime::state::State;
use crate::chime::{Chime, input, meeting_arn, region, validate};

/// The service that puts and reads objects in its own name.
const SERVICE: &str = "mediapipelines.chime.amazonaws.com";
/// Control regions of the meetings API in which there is no media pipelines API.
const WITHOUT: [&str; 4] = ["af-south-1", "il-central-1", "us-gov-east-1", "us-gov-west-1"];
/// Pipelines that `ListMediaPipelines` answers at once.
const MAX_PAGE: usize = 100;

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::BadRequest(message.into())
}

impl Chime {
    /// Answers a call, or says why it is refused.
    pub(super) fn perform_pipeline_call(
        &self,
        region: &str,
        call: &Call,
        body: &[u8],
    ) -> Result<Value, Refusal> {
        if !region::is_control(region) || WITHOUT.contains(&region) {
            return Err(bad(format!("the Chime SDK has no media pipelines endpoint in {region}")));
        }
        let state = &mut *self.current_state();
        self.check_rate(state, &format!("{region} media pipelines"))?;
        let now_ms = self.clock.now_ms();
        match call {
            Call::CreateMediaCapturePipeline => self.create_capture(state, region, body, now_ms),
            Call::CreateMediaConcatenationPipeline => self.create_concatenation(state, region, body, now_ms),
            Call::ListMediaPipelines { max_results, next_token } => {
                list(state, region, max_results.as_deref(), next_token.as_deref(), now_ms)
            }
            Call::GetMediaCapturePipeline { pipeline } => {
                let pipeline = find(state, region, pipeline, now_ms)?;
                pipeline.capture().ok_or(Refusal::NotFound)?;
                Ok(json!({ "MediaCapturePipeline": pipeline.json() }))
            }
            Call::GetMediaPipeline { pipeline } => {
                let pipeline = find(state, region, pipeline, now_ms)?;
                Ok(json!({ "MediaPipeline": { pipeline.member(): pipeline.json() } }))
            }
            Call::DeleteMediaCapturePipeline { pipeline } => {
                let pipeline = find(state, region, pipeline, now_ms)?;
                pipeline.capture().ok_or(Refusal::NotFound)?;
                delete(pipeline, now_ms)
            }
            Call::DeleteMediaPipeline { pipeline } => delete(find(state, region, pipeline, now_ms)?, now_ms),
        }
    }

    fn create_capture(
        &self,
        state: &mut State,
        region: &str,
        body: &[u8],
        now_ms: i64,
    ) -> Result<Value, Refusal> {
        let input: CreateCapture = input::read(body)?;
        input.check()?;
        let request: Value = input::read(body)?;
        if let Some(first) = repeated(state, region, input.client_request_token.as_deref(), &request)? {
            return Ok(first);
        }
        let of_source = |id: &str| meeting_arn(region, &self.account, id) == input.source_arn;
        let meeting = state.meetings.iter().find(|meeting| of_source(&meeting.id) && meeting.live());
        let meeting = meeting.ok_or_else(|| bad("SourceArn: there is no such meeting"))?;
        let key_id = input.sse_aws_key_management_params.as_ref().map(|it| it.aws_kms_key_id.clone());
        let sink = self.sink("SinkArn", &input.sink_arn, key_id)?;
        let id = Uuid::new_v4().to_string();
        let arn = pipeline_arn(region, &self.account, &id);
        self.check_bucket(&sink, &sink.base(&id), &arn, &["s3:PutObject", "s3:PutObjectAcl"])?;
        if self.bucket_region() != Some(&meeting.media_region) {
            return Err(bad("SinkArn: the bucket must be in the region of the meeting's media"));
        }
        // Seen on AWS: https://github.com/aws/amazon-chime-sdk-js/issues/1552
        let captured = |it: &Pipeline| {
            it.meeting == meeting.id && it.capture().is_some() && it.status != Status::Stopped
        };
        if state.pipelines.all.iter().any(captured) {
            return Err(limit(&input.source_arn));
        }
        let (count, quota) = state.pipelines.count(region);
        if count >= quota {
            return Err(limit(&input.source_arn));
        }
        let wanted = Wanted::new(input.artifacts());
        let configuration = input.chime_sdk_meeting_configuration;
        let selected = configuration.and_then(|it| it.source_configuration?.selected_video_streams);
        let pipeline = Pipeline {
            meeting: meeting.id.clone(),
            token: input.client_request_token,
            kind: Kind::Capture(Capture::new(wanted, selected)),
            steps: vec![(now_ms + milliseconds(START), Step::Start)],
            ..new(id, arn, region, request, sink, now_ms)
        };
        let pipeline = state.pipelines.add(pipeline);
        Ok(json!({ pipeline.member(): pipeline.json() }))
    }

    fn create_concatenation(
        &self,
        state: &mut State,
        region: &str,
        body: &[u8],
        now_ms: i64,
    ) -> Result<Value, Refusal> {
        let input: CreateConcatenation = input::read(body)?;
        let (source, destination) = input.check()?;
        let request: Value = input::read(body)?;
        if let Some(first) = repeated(state, region, input.client_request_token.as_deref(), &request)? {
            return Ok(first);
        }
        let mut captures =
            state.pipelines.all.iter().filter(|it| it.capture().is_some() && it.region == region);
        let capture = captures.find(|it| it.arn == source.media_pipeline_arn);
        let capture = capture.ok_or_else(|| bad("MediaPipelineArn: there is no such capture pipeline"))?;
        let sink = self.sink("Destination", destination, None)?;
        let id = Uuid::new_v4().to_string();
        let arn = pipeline_arn(region, &self.account, &id);
        self.check_bucket(&sink, &sink.base(&id), &arn, &["s3:PutObject", "s3:PutObjectAcl"])?;
        self.check_bucket(
            &capture.sink,
            &capture.sink.base(&capture.id),
            &arn,
            &["s3:GetObject", "s3:ListBucket"],
        )?;
        let (count, quota) = state.pipelines.count(region);
        if count >= quota {
            return Err(limit(&source.media_pipeline_arn));
        }
        let source_of = Source { id: capture.id.clone(), sink: capture.sink.clone() };
        let artifacts = source.chime_sdk_meeting_configuration.artifacts_configuration.clone();
        let kind = Concatenation { source: source_of, artifacts, fault: None::<OutputFault>, joined: None };
        let pipeline = Pipeline {
            meeting: capture.meeting.clone(),
            token: input.client_request_token.clone(),
            kind: Kind::Concatenation(kind),
            steps: vec![(now_ms + milliseconds(BEGIN), Step::Start)],
            ..new(id, arn, region, request, sink, now_ms)
        };
        let pipeline = state.pipelines.add(pipeline);
        Ok(json!({ pipeline.member(): pipeline.json() }))
    }

    /// The sink of an ARN, if its bucket exists.
    fn sink(&self, member: &str, arn: &str, key_id: Option<String>) -> Result<Sink, Refusal> {
        let sink =
            Sink::parse(arn, key_id).ok_or_else(|| bad(format!("{member} must be the ARN of a bucket")))?;
        let exists = self.buckets.get().is_some_and(|(s3, _)| s3.has(&sink.bucket));
        if exists { Ok(sink) } else { Err(bad(format!("{member}: there is no such bucket"))) }
    }

    /// Whether the bucket's policy lets the service do this for the pipeline.
    fn check_bucket(&self, sink: &Sink, base: &str, arn: &str, actions: &[&str]) -> Result<(), Refusal> {
        let Some((s3, _)) = self.buckets.get() else { return Err(bad("there are no buckets")) };
        let context = [("aws:SourceAccount", &*self.account), ("aws:SourceArn", arn)];
        for action in actions {
            let bucket = format!("arn:aws:s3:::{}", sink.bucket);
            let resource =
                if *action == "s3:ListBucket" { bucket } else { format!("{bucket}/{base}/audio/x") };
            if !s3.allows_service(SERVICE, action, &resource, &context) {
                let message =
                    format!("the policy of the bucket {} does not allow {SERVICE} {action}", sink.bucket);
                return Err(Refusal::Forbidden(message));
            }
        }
        Ok(())
    }

    fn bucket_region(&self) -> Option<&String> {
        self.buckets.get().map(|(_, region)| region)
    }
}

/// A new pipeline without what its kind has.
fn new(id: String, arn: String, region: &str, request: Value, sink: Sink, now_ms: i64) -> Pipeline {
    Pipeline {
        id,
        arn,
        region: region.to_owned(),
        token: None,
        request,
        meeting: String::new(),
        sink,
        status: Status::Initializing,
        created_ms: now_ms,
        updated_ms: now_ms,
        ended_ms: None,
        steps: Vec::new(),
        kind: Kind::Capture(Capture::new(Wanted::new(None), None)),
        happened: Vec::new(),
    }
}

fn limit(source: &str) -> Refusal {
    let message = format!(
        "Cannot create new media capture pipeline for source type 'ChimeSdkMeeting' and source arn '{source}'. Limit \
         reached"
    );
    Refusal::ResourceLimitExceeded(message)
}

/// A token's second use gives the first one's pipeline, whatever became of it. The service model has no `ConflictException`
/// for another request with the same token, so that it is a bad one.
fn repeated(
    state: &State,
    region: &str,
    token: Option<&str>,
    request: &Value,
) -> Result<Option<Value>, Refusal> {
    let Some(token) = token else { return Ok(None) };
    let same = |it: &&Pipeline| it.region == region && it.token.as_deref() == Some(token);
    match state.pipelines.all.iter().find(same) {
        Some(first) if first.request == *request => Ok(Some(json!({ first.member(): first.json() }))),
        Some(_) => Err(bad("ClientRequestToken: it was used for another request")),
        None => Ok(None),
    }
}

fn find<'s>(state: &'s mut State, region: &str, id: &str, now_ms: i64) -> Result<&'s mut Pipeline, Refusal> {
    validate::guid("MediaPipelineId", id)?;
    let mut all = state.pipelines.all.iter_mut();
    let found = all.find(|it| it.id == id && it.region == region && it.is_visible(now_ms));
    found.ok_or(Refusal::NotFound)
}

fn delete(pipeline: &mut Pipeline, now_ms: i64) -> Result<Value, Refusal> {
    match pipeline.status {
        Status::Stopped => Err(Refusal::NotFound),
        Status::Stopping => Ok(Value::Null),
        // A concatenation that has failed has ended; a capture is still the meeting's one.
        Status::Failed if pipeline.ended_ms.is_some() => Err(Refusal::NotFound),
        Status::Failed | Status::Initializing | Status::InProgress | Status::Paused | Status::NotStarted => {
            pipeline.stop(now_ms);
            Ok(Value::Null)
        }
    }
}

fn list(
    state: &State,
    region: &str,
    max_results: Option<&str>,
    next_token: Option<&str>,
    now_ms: i64,
) -> Result<Value, Refusal> {
    let size = match max_results {
        None => MAX_PAGE,
        Some(text) => match text.parse() {
            Ok(size) if (1..=MAX_PAGE).contains(&size) => size,
            _ => return Err(bad("MaxResults must be between 1 and 100")),
        },
    };
    // The token names the last pipeline that was given, so that an end in between skips no other.
    let start = match next_token {
        None => 0,
        Some(token) => {
            let last = state.pipelines.all.iter().position(|it| it.id == token);
            last.ok_or_else(|| bad("NextToken is not one that this API gave"))? + 1
        }
    };
    let rest = state.pipelines.all.iter().skip(start);
    let mut rest = rest.filter(|it| it.region == region && it.is_visible(now_ms)).peekable();
    let page: Vec<&Pipeline> = rest.by_ref().take(size).collect();
    let next = page.last().filter(|_| rest.peek().is_some()).map(|last| last.id.clone());
    let summary = |it: &&Pipeline| json!({ "MediaPipelineId": it.id, "MediaPipelineArn": it.arn });
    Ok(json!({ "MediaPipelines": page.iter().map(summary).collect::<Vec<_>>(), "NextToken": next }))
}
