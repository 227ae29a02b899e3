//! The operations of the API.

use serde_json::{Value, json};

use super::input::{self, Start};
use super::job::Job;
use super::{Call, Kind, Refusal, Transcribe};
use crate::chime::MEDICAL_REGIONS;
use crate::identity::Caller;

const MAX_PAGE: usize = 100;
/// Without `MaxResults`.
const USUAL_PAGE: usize = 5;

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::BadRequest(message.into())
}

fn not_found() -> Refusal {
    // The model has a NotFoundException, which nobody has seen.
    bad("The requested job couldn't be found. Check the job name and try your request again.")
}

impl Transcribe {
    pub(super) fn perform(
        &self,
        region: &str,
        caller: &Caller,
        call: Call,
        body: &[u8],
    ) -> Result<Value, Refusal> {
        match call {
            Call::Start(kind) => self.start(region, caller, kind, body),
            Call::Get(kind) => {
                let name = name(kind, body)?;
                let jobs = self.jobs();
                let job = jobs.find(kind, &name).filter(|it| it.region == region).ok_or_else(not_found)?;
                Ok(json!({ member(kind): job.json(false) }))
            }
            Call::List(kind) => self.list(region, kind, body),
            Call::Delete(kind) => {
                let name = name(kind, body)?;
                let mut jobs = self.jobs();
                let known = |it: &Job| it.kind == kind && it.start.name == name && it.region == region;
                let count = jobs.all.len();
                jobs.all.retain(|it| !known(it));
                if jobs.all.len() == count { Err(not_found()) } else { Ok(Value::Null) }
            }
        }
    }

    fn start(&self, region: &str, caller: &Caller, kind: Kind, body: &[u8]) -> Result<Value, Refusal> {
        if kind == Kind::Medical && !MEDICAL_REGIONS.contains(&region) {
            return Err(bad(format!("Amazon Transcribe Medical has no endpoint in {region}")));
        }
        let start = Start::read(kind, body)?;
        let request: Value = input::read(body)?;
        let (s3, around) = (&self.around.s3, &self.around);
        // https://docs.aws.amazon.com/transcribe/latest/APIReference/API_Media.html
        if around.region != region {
            return Err(bad("The S3 bucket must be in the region of the request."));
        }
        let (bucket, key) = &start.media;
        let media = s3.object(bucket, key).filter(|_| s3.allows_caller(caller, "s3:GetObject", bucket, key));
        let media = media.ok_or_else(|| {
            bad(
                "The S3 URI that you provided can't be accessed. Make sure that you have read permission and try \
                 your request again.",
            )
        })?;
        let (bucket, key) = &start.output;
        if !s3.has(bucket) || !s3.allows_caller(caller, "s3:PutObject", bucket, key) {
            return Err(bad(
                "The specified S3 bucket can't be accessed. Make sure that you have write permission and try your \
                 request again.",
            ));
        }
        let mut jobs = self.jobs();
        if jobs.find(kind, &start.name).is_some() {
            return Err(Refusal::Conflict);
        }
        if jobs.is_full() && !start.deferred {
            return Err(Refusal::LimitExceeded("Too many jobs run at once. Wait, or use job queueing."));
        }
        let job = jobs.add(kind, region, (start, request), media, around.clock.now_ms());
        Ok(json!({ member(kind): job.json(false) }))
    }

    fn list(&self, region: &str, kind: Kind, body: &[u8]) -> Result<Value, Refusal> {
        let input: Value = input::read(body)?;
        let size = match input["MaxResults"].as_u64() {
            None if input["MaxResults"].is_null() => USUAL_PAGE,
            Some(size) if (1..=MAX_PAGE as u64).contains(&size) => usize::try_from(size).unwrap_or(MAX_PAGE),
            _ => return Err(bad("MaxResults must be between 1 and 100")),
        };
        let status = input["Status"].as_str();
        if status.is_some_and(|it| !["QUEUED", "IN_PROGRESS", "FAILED", "COMPLETED"].contains(&it)) {
            return Err(bad("Status is not in the enumeration"));
        }
        let part = input["JobNameContains"].as_str().unwrap_or_default();
        let jobs = self.jobs();
        let wanted = |it: &&Job| {
            it.kind == kind
                && it.region == region
                && it.start.name.contains(part)
                && status.is_none_or(|status| it.status.name() == status)
        };
        // The newest first; the token is the name of the last one that was given.
        let mut all: Vec<&Job> = jobs.all.iter().rev().filter(wanted).collect();
        if let Some(token) = input["NextToken"].as_str() {
            let last = all.iter().position(|it| it.start.name == token);
            all.drain(..=last.ok_or_else(|| bad("NextToken is not one that this API gave"))?);
        }
        let page: Vec<Value> = all.iter().take(size).map(|it| it.json(true)).collect();
        let next = all.get(size - 1).filter(|_| all.len() > size).map(|it| it.start.name.clone());
        let summaries = match kind {
            Kind::Standard => "TranscriptionJobSummaries",
            Kind::Medical => "MedicalTranscriptionJobSummaries",
        };
        let mut answer = json!({ summaries: page });
        if let Some(status) = status {
            answer["Status"] = status.into();
        }
        if let Some(next) = next {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    }
}

const fn member(kind: Kind) -> &'static str {
    match kind {
        Kind::Standard => "TranscriptionJob",
        Kind::Medical => "MedicalTranscriptionJob",
    }
}

fn name(kind: Kind, body: &[u8]) -> Result<String, Refusal> {
    let input: Value = input::read(body)?;
    let name = input[kind.name_member()].as_str();
    name.map(ToOwned::to_owned).ok_or_else(|| bad(format!("missing field `{}`", kind.name_member())))
}
