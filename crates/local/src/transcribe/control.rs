//! Jobs by the control API: what is said in a file, faults, and ends.

use local_media::CaptionWords;
use serde::Deserialize;
use serde_json::{Value, json};

use super::job::Job;
use super::{Kind, Transcribe};
use crate::chime::{EventDelivery, Recorded, script_items};

/// The speech in a file in which no meeting was recorded, as `POST /_local/transcribe/speech` takes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSpeech {
    pub bucket: String,
    pub key: String,
    pub words: Vec<SpokenWords>,
}

/// Times are milliseconds from the file's beginning.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpokenWords {
    pub speaker: String,
    pub text: String,
    pub start_ms: i64,
    pub end_ms: i64,
    pub language: Option<String>,
    pub confidence: Option<f64>,
}

/// A fault of the next jobs, as `POST /_local/transcribe/faults` takes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewJobFault {
    pub kind: JobFault,
    /// Of a job that fails.
    pub reason: Option<String>,
    /// Of how many jobs; 1 when absent.
    #[serde(default = "one")]
    pub times: u32,
}

const fn one() -> u32 {
    1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobFault {
    Fails,
    /// It stays `IN_PROGRESS`.
    NeverEnds,
    /// The file of a completed job is half of one.
    OutputMalformed,
    /// A completed job has no file.
    OutputMissing,
}

/// The end of a job, as `POST /_local/transcribe/jobs/{name}/events` takes it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewJobEnd {
    /// Why it fails; without it the job ends as it would.
    pub failure_reason: Option<String>,
}

/// Why a job is not ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    #[error("there is no transcription job {0}")]
    Unknown(String),
}

/// The speech in a file, by the control API.
#[derive(Clone, Debug)]
pub(in crate::transcribe) struct Speech {
    bucket: String,
    key: String,
    pub(super) recorded: Recorded,
}

impl Speech {
    pub(super) fn is_of(&self, bucket: &str, key: &str) -> bool {
        self.bucket == bucket && self.key == key
    }
}

impl Transcribe {
    /// Sets what is said in a file.
    pub fn set_speech(&self, new: NewSpeech) {
        let words = new.words.into_iter().enumerate().map(|(n, it)| CaptionWords {
            result_id: n.to_string(),
            partial: false,
            start_ms: it.start_ms,
            end_ms: it.end_ms,
            items: script_items(&it.text, &it.speaker, (it.start_ms, it.end_ms), it.confidence),
            transcript: it.text,
            entities: Vec::new(),
            language: it.language.map(|code| (code, 1.0)),
        });
        let mut words: Vec<CaptionWords> = words.collect();
        words.sort_by_key(|it| it.start_ms);
        let recorded = Recorded { from_ms: 0, words };
        self.jobs().speech.push(Speech { bucket: new.bucket, key: new.key, recorded });
    }

    /// Puts a fault on jobs that are started after it.
    pub fn add_fault(&self, fault: NewJobFault) {
        self.jobs().faults.push_back(fault);
    }

    /// Takes back the faults that have not hit.
    pub fn clear_faults(&self) {
        self.jobs().faults.clear();
    }

    /// Limits the jobs that run at once; none: AWS's own limit.
    pub fn set_quota(&self, quota: Option<usize>) {
        self.jobs().quota = quota;
    }

    /// Ends a job, if it has not ended, and sends its event, that of a job that has ended once more. The event; null of a medical job.
    pub fn end_job(&self, name: &str, end: NewJobEnd) -> Result<Value, JobError> {
        let event = {
            let mut jobs = self.jobs();
            let index = jobs.all.iter().position(|it| it.start.name == name);
            let index = index.ok_or_else(|| JobError::Unknown(name.to_owned()))?;
            jobs.end(index, &self.around, self.around.clock.now_ms(), end.failure_reason)
        };
        if let Some(event) = &event {
            (self.around.sink)(event.clone());
        }
        self.changed.send_replace(());
        Ok(event.unwrap_or_default())
    }

    /// All jobs in the order of their making: `{"jobs": [{"name", "kind", "status", "failureReason", "output"}], "quota"}`.
    #[must_use]
    pub fn listed(&self) -> Value {
        let jobs = self.jobs();
        let job = |it: &Job| {
            let (bucket, key) = &it.start.output;
            json!({
                "name": it.start.name,
                "kind": match it.kind { Kind::Standard => "standard", Kind::Medical => "medical" },
                "status": it.status.name(),
                "failureReason": it.failure,
                "output": format!("s3://{bucket}/{key}"),
            })
        };
        json!({
            "jobs": jobs.all.iter().map(job).collect::<Vec<_>>(),
            "quota": jobs.quota,
            "sendsEvents": self.around.event_delivery != EventDelivery::ControlApiOnly,
        })
    }
}
