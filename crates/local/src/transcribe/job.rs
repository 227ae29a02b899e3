//! Jobs and their lives, by the cloud's clock.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use local_media::mp4::Movie;
use serde_json::{Value, json};
use uuid::Uuid;

use super::control::{JobFault, NewJobFault, Speech};
use super::input::Start;
use super::language::Language;
use super::output;
use super::{Kind, Surroundings};
use crate::chime::{EventDelivery, Recorded, date};
use crate::s3::{Object, ObjectHeaders};

/// From the start of a job until its end, however long the file is.
const RUN_MS: i64 = 10_000;
/// Jobs that run at once (<https://docs.aws.amazon.com/transcribe/latest/dg/limits-guidelines.html>).
const USUAL_QUOTA: usize = 250;
/// Jobs are forgotten after so long (the same page).
const KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1_000;
/// The greatest file, and the longest one (the same page).
const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;
const MAX_LENGTH_US: u64 = 4 * 60 * 60 * 1_000_000;
/// A larger file is not read here: its length is not checked.
const MAX_READ_BYTES: u64 = 128 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Queued,
    InProgress,
    Completed,
    Failed,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }

    const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) kind: Kind,
    pub(super) start: Start,
    /// The request, of which members are answered.
    pub(super) request: Value,
    pub(super) region: String,
    pub(super) status: Status,
    pub(super) created_ms: i64,
    pub(super) started_ms: Option<i64>,
    pub(super) completed_ms: Option<i64>,
    pub(super) failure: Option<String>,
    /// The identified languages and the seconds of each.
    pub(super) languages: Vec<(String, f64)>,
    /// As it was when the job was started.
    media: Arc<Object>,
    fault: Option<NewJobFault>,
}

/// The jobs in the order of their making, and what the control API has set for them.
#[derive(Debug, Default)]
pub(in crate::transcribe) struct Jobs {
    pub(super) all: Vec<Job>,
    pub(super) faults: VecDeque<NewJobFault>,
    pub(super) speech: Vec<Speech>,
    pub(super) quota: Option<usize>,
}

impl Jobs {
    pub(super) fn find(&self, kind: Kind, name: &str) -> Option<&Job> {
        self.all.iter().find(|it| it.kind == kind && it.start.name == name)
    }

    fn running(&self) -> usize {
        self.all.iter().filter(|it| it.status == Status::InProgress).count()
    }

    pub(super) fn is_full(&self) -> bool {
        self.running() >= self.quota.unwrap_or(USUAL_QUOTA)
    }

    pub(super) fn add(
        &mut self,
        kind: Kind,
        region: &str,
        (start, request): (Start, Value),
        media: Arc<Object>,
        now_ms: i64,
    ) -> &Job {
        let fault = self.faults.iter_mut().find(|it| it.times > 0).map(|it| {
            it.times -= 1;
            it.clone()
        });
        self.faults.retain(|it| it.times > 0);
        let waits = self.is_full();
        self.all.push(Job {
            kind,
            start,
            request,
            region: region.to_owned(),
            status: if waits { Status::Queued } else { Status::InProgress },
            created_ms: now_ms,
            started_ms: (!waits).then_some(now_ms),
            completed_ms: None,
            failure: None,
            languages: Vec::new(),
            media,
            fault,
        });
        &self.all[self.all.len() - 1]
    }

    /// When the next job ends.
    pub(super) fn next_ms(&self) -> Option<i64> {
        self.all.iter().filter_map(Job::ends_ms).min()
    }

    /// Ends what is due, and starts what waits. The events of it.
    pub(super) fn advance(&mut self, around: &Surroundings, now_ms: i64) -> Vec<Value> {
        self.all.retain(|it| it.completed_ms.is_none_or(|at_ms| now_ms < at_ms + KEPT_MS));
        let mut events = Vec::new();
        while let Some(at_ms) = self.next_ms().filter(|at_ms| *at_ms <= now_ms) {
            for index in 0..self.all.len() {
                if self.all[index].ends_ms() == Some(at_ms) {
                    let event = self.end(index, around, at_ms, None);
                    events.extend(event.filter(|_| around.event_delivery != EventDelivery::ControlApiOnly));
                }
            }
            let mut free = self.quota.unwrap_or(USUAL_QUOTA).saturating_sub(self.running());
            for job in self.all.iter_mut().filter(|it| it.status == Status::Queued) {
                if free > 0 {
                    free -= 1;
                    (job.status, job.started_ms) = (Status::InProgress, Some(at_ms));
                }
            }
        }
        events
    }

    /// Ends a job; its event. `failure`: why the control API has it fail.
    pub(super) fn end(
        &mut self,
        index: usize,
        around: &Surroundings,
        at_ms: i64,
        failure: Option<String>,
    ) -> Option<Value> {
        let job = &self.all[index];
        let (bucket, key) = &job.start.media;
        let scripted = self.speech.iter().rev().find(|it| it.is_of(bucket, key));
        let recorded = scripted.map(|it| it.recorded.clone()).or_else(|| around.chime.recorded(bucket, key));
        let job = &mut self.all[index];
        if job.status.is_over() {
            return Some(job.event(around, at_ms));
        }
        let failure = failure.or_else(|| job.failure_of_media());
        job.completed_ms = Some(at_ms);
        job.started_ms.get_or_insert(at_ms);
        match failure {
            Some(reason) => (job.status, job.failure) = (Status::Failed, Some(reason)),
            None => job.complete(around, &recorded.unwrap_or_default()),
        }
        // Of a medical job no event is documented.
        (job.kind == Kind::Standard).then(|| job.event(around, at_ms))
    }
}

impl Job {
    fn ends_ms(&self) -> Option<i64> {
        let never = self.fault.as_ref().is_some_and(|it| it.kind == JobFault::NeverEnds);
        self.started_ms.filter(|_| self.status == Status::InProgress && !never).map(|at_ms| at_ms + RUN_MS)
    }

    /// The reasons are those of the API's reference
    /// (<https://docs.aws.amazon.com/transcribe/latest/APIReference/API_TranscriptionJob.html>), except for the length.
    fn failure_of_media(&self) -> Option<String> {
        if let Some(NewJobFault { kind: JobFault::Fails, reason, .. }) = &self.fault {
            return Some(reason.clone().unwrap_or_else(|| "Internal error".to_owned()));
        }
        if self.media.size() > MAX_BYTES {
            return Some("Invalid file size: file size too large.".to_owned());
        }
        if self.media.size() > MAX_READ_BYTES {
            return None;
        }
        // A file that cannot be read is none of a known format.
        let bytes = self.media.bytes().unwrap_or_default();
        let Some(formats) = formats(&bytes) else { return Some("Unsupported media format.".to_owned()) };
        if self.start.media_format.as_deref().is_some_and(|it| !formats.contains(&it)) {
            return Some("The media format provided does not match the detected media format.".to_owned());
        }
        let too_long =
            formats.contains(&"mp4") && Movie::read(&bytes).is_ok_and(|it| it.duration_us > MAX_LENGTH_US);
        too_long.then(|| "The media file is longer than 4 hours.".to_owned())
    }

    fn complete(&mut self, around: &Surroundings, recorded: &Recorded) {
        let output = output::Output::new(self.kind, &self.start, recorded);
        let mut text = output.json(&self.start.name, &around.account).to_string();
        match self.fault.as_ref().map(|it| it.kind) {
            Some(JobFault::OutputMalformed) => {
                let half = (0..=text.len() / 2).rev().find(|it| text.is_char_boundary(*it));
                text.truncate(half.unwrap_or_default());
            }
            Some(JobFault::OutputMissing) => text.clear(),
            Some(JobFault::Fails | JobFault::NeverEnds) | None => {}
        }
        let (bucket, key) = &self.start.output;
        let headers = ObjectHeaders {
            content_type: Some("application/json".to_owned()),
            encryption: self.start.output_key_id.as_ref().map(|_| "aws:kms".to_owned()),
            encryption_key: self.start.output_key_id.clone(),
            ..ObjectHeaders::default()
        };
        if !text.is_empty()
            && let Err(error) = around.s3.put(bucket, key, Bytes::from(text), headers)
        {
            tracing::error!(%error, key, "the output of a transcription job is lost");
        }
        self.languages = output.languages();
        self.status = Status::Completed;
    }

    /// <https://docs.aws.amazon.com/transcribe/latest/dg/monitoring-events.html>
    fn event(&self, around: &Surroundings, at_ms: i64) -> Value {
        json!({
            "version": "0",
            "id": Uuid::new_v4().to_string(),
            "detail-type": "Transcribe Job State Change",
            "source": "aws.transcribe",
            "account": around.account,
            // EventBridge counts seconds only.
            "time": date(at_ms.div_euclid(1000) * 1000),
            "region": self.region,
            "resources": [],
            "detail": {
                "TranscriptionJobName": self.start.name,
                "TranscriptionJobStatus": self.status.name(),
            },
        })
    }

    /// The address of the output.
    fn output_uri(&self) -> String {
        let (bucket, key) = &self.start.output;
        format!("https://s3.{}.amazonaws.com/{bucket}/{key}", self.region)
    }

    /// As the API answers it; a summary of it in a list.
    pub(super) fn json(&self, summary: bool) -> Value {
        let seconds = |at_ms: Option<i64>| at_ms.map(output::seconds);
        let mut json = json!({
            self.kind.name_member(): self.start.name,
            "TranscriptionJobStatus": self.status.name(),
            "CreationTime": seconds(Some(self.created_ms)),
            "StartTime": seconds(self.started_ms),
            "CompletionTime": seconds(self.completed_ms),
            "FailureReason": self.failure,
        });
        let of_request: &[&str] = if summary {
            &[
                "Specialty",
                "Type",
                "ContentIdentificationType",
                "IdentifyLanguage",
                "IdentifyMultipleLanguages",
            ]
        } else {
            &[
                "MediaSampleRateHertz",
                "MediaFormat",
                "Media",
                "Settings",
                "JobExecutionSettings",
                "IdentifyLanguage",
                "IdentifyMultipleLanguages",
                "LanguageOptions",
                "Specialty",
                "Type",
                "ContentIdentificationType",
                "Tags",
            ]
        };
        for member in of_request {
            if let Some(value) = self.request.get(*member) {
                json[*member] = value.clone();
            }
        }
        let codes = || -> Vec<Value> {
            let code = |(code, seconds): &(String, f64)| json!({ "LanguageCode": code, "DurationInSeconds": seconds });
            self.languages.iter().map(code).collect()
        };
        match &self.start.language {
            Language::Given(code) => json["LanguageCode"] = code.as_str().into(),
            Language::Identified(_) => {
                if let Some((code, _)) = self.languages.first() {
                    json["LanguageCode"] = code.as_str().into();
                    json["IdentifiedLanguageScore"] = output::LANGUAGE_SCORE.into();
                }
            }
            Language::Several(_) if !self.languages.is_empty() => json["LanguageCodes"] = codes().into(),
            Language::Several(_) => {}
        }
        if summary {
            json["OutputLocationType"] = "CUSTOMER_BUCKET".into();
        } else if self.status == Status::Completed {
            json["Transcript"] = json!({ "TranscriptFileUri": self.output_uri() });
        }
        if let Some(members) = json.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        json
    }
}

/// The formats that a file may be, by its first bytes.
fn formats(bytes: &[u8]) -> Option<&'static [&'static str]> {
    let known: [(usize, &[u8], &'static [&'static str]); 7] = [
        (4, b"ftyp", &["mp4", "m4a"]),
        (0, b"OggS", &["ogg"]),
        (0, b"fLaC", &["flac"]),
        (0, b"RIFF", &["wav"]),
        (0, b"ID3", &["mp3"]),
        (0, b"#!AMR", &["amr"]),
        (0, &[0x1a, 0x45, 0xdf, 0xa3], &["webm"]),
    ];
    let found =
        known.into_iter().find(|(at, magic, _)| bytes.get(*at..).is_some_and(|it| it.starts_with(magic)));
    found.map(|(.., formats)| formats)
}
