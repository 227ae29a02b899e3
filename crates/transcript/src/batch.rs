//! Jobs of Transcribe on the sound of a call: they make the text of a run in batch mode, and fill the gaps of the live text where the
//! operator wants it.

use domain::Error;
use domain::audit::Origin;
use domain::error::causes;
use domain::id::CaptureId;
use domain::transcript::batch::job::{self, Job, JobFailure, JobStatus};
use domain::transcript::batch::plan::{self, Next};
use domain::transcript::batch::{self, Recording};
use domain::transcript::segments::{Attendees, assemble};
use domain::transcript::{Interval, Turn, Voice};
use runtime::metrics::{self, Metric};
use store::jobs::{JobChange, JobRow, NewJob};
use store::transcripts::StoredResult;
use time::Duration;

use crate::App;
use crate::evidence::Known;
use crate::jobs::{self, JobError, Progress};
use crate::schedule::Outcome;
use crate::sound::Sound;
use crate::text;

/// A file that is not there yet is looked for this often.
const LOOK_EVERY: Duration = Duration::seconds(30);

/// Transcribe is asked this often for a job whose event has not come; those of medical jobs are not documented.
const ASK_EVERY: Duration = Duration::minutes(2);

/// The largest output that is read: 4 hours of speech are some 25 MB.
const MAX_OUTPUT_BYTES: u64 = 32 * 1024 * 1024;

/// A running job is asked for this long after its deadline, and then given up whatever the answer is.
const ASK_AFTER_DEADLINE: Duration = Duration::hours(1);

/// The rank of a job's result: each job has one.
const RANK: &str = "batch";

impl App {
    /// The next step towards the text of a transcript.
    pub(crate) fn next_jobs(&self, known: &Known<'_>) -> Next {
        let wanted: Vec<Interval> = known
            .fillable(self.fill_gaps)
            .iter()
            .filter_map(|gap| Interval::new(gap.start_ms, gap.end_ms))
            .collect();
        let sounds = known.sounds(self.speech_retention);
        plan::next(&sounds, &wanted, &known.row.jobs)
    }

    /// Orders jobs: captures with the number of the attempt.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn order_jobs(
        &self,
        known: &Known<'_>,
        orders: &[(CaptureId, u32)],
        origin: &Origin,
    ) -> Result<(), Error> {
        let transcript = known.row.transcript_id;
        let new = |&(id, attempt): &(CaptureId, u32)| {
            let capture = known.capture(id)?;
            let settings = known.settings(capture)?;
            let kept = capture.ended_at.filter(|_| !capture.recorded).map(|at| at + self.speech_retention);
            let deadline = origin.now + job::WITHIN;
            Some(NewJob {
                name: Job { transcript, capture: id, attempt }.name(&self.project),
                capture_id: id,
                attempt,
                kind: settings.engine,
                settings,
                deadline: kept.map_or(deadline, |kept| deadline.min(kept)),
            })
        };
        let jobs: Vec<NewJob> = orders.iter().filter_map(new).collect();
        if self.calls.store().order_jobs(transcript, &jobs, origin.now).await? == 0 {
            // Something else ordered them, or the transcript is finished or deleted: it is completed again.
            return Err(Error::Unavailable {
                backend: "database",
                source: "the jobs were not ordered".into(),
            });
        }
        Ok(())
    }

    /// Starts a job once its sound is one file.
    ///
    /// # Errors
    /// A backend is down: the job is started later.
    pub(crate) async fn start_job(&self, name: &str, origin: &Origin) -> Result<Outcome, Error> {
        let Some(job) = self.open_job(name, JobStatus::Waiting).await? else { return Ok(Outcome::Done) };
        if origin.now >= job.deadline {
            return self.fail(&job, JobFailure::Overdue, None, origin).await;
        }
        if job.revoked_at.zip(job.captured_from).is_some_and(|(revoked, from)| from < revoked) {
            return self.fail(&job, JobFailure::ConsentRevoked, None, origin).await;
        }
        let file = match self.sound(&job, origin).await? {
            Sound::NotYet => return Ok(Outcome::Later(origin.now + LOOK_EVERY, "the file is not there yet")),
            Sound::None(reason) => return self.fail(&job, reason, None, origin).await,
            Sound::File(file) => file,
        };
        let length_ms = i64::try_from(file.length.whole_milliseconds()).unwrap_or(i64::MAX);
        if !job::takes(length_ms, file.bytes) {
            return self.fail(&job, JobFailure::TooLarge, None, origin).await;
        }
        let started = self
            .jobs
            .start(jobs::NewJob {
                name,
                settings: &job.settings,
                file: &file.key,
                output: &output_key(&job),
                people: job.attendees.len(),
            })
            .await;
        match started {
            Ok(()) | Err(JobError::Exists) => {}
            Err(JobError::Rejected(message)) => {
                return self.fail(&job, JobFailure::Refused, Some(&message), origin).await;
            }
            Err(error) => return Err(error.into()),
        }
        let change = JobChange {
            sound_began_at: Some(file.began_at),
            sound_seconds: Some(file.length.as_seconds_f64()),
            ..JobChange::to(JobStatus::Running)
        };
        self.calls.store().apply_job(&job, &change, origin.now + ASK_EVERY, origin.now).await?;
        tracing::info!(job = name, seconds = file.length.whole_seconds(), "transcription job started");
        Ok(Outcome::Done)
    }

    /// Asks Transcribe for a job, and takes the text of one that has completed. It may be repeated.
    ///
    /// # Errors
    /// A backend is down: the job is checked later.
    pub(crate) async fn check_job(&self, name: &str, origin: &Origin) -> Result<Outcome, Error> {
        let Some(job) = self.open_job(name, JobStatus::Running).await? else { return Ok(Outcome::Done) };
        if origin.now >= job.deadline + ASK_AFTER_DEADLINE {
            return self.fail(&job, JobFailure::Overdue, None, origin).await;
        }
        let engine = job.settings.engine;
        let progress = self.jobs.progress(engine, name).await?;
        let taken = match &progress {
            Progress::Open if origin.now < job.deadline => {
                return Ok(Outcome::Later(origin.now + ASK_EVERY, "the job has not ended"));
            }
            // Transcribe deletes no job that is in progress.
            Progress::Open => return self.fail(&job, JobFailure::Overdue, None, origin).await,
            Progress::Failed(message) => Err((JobFailure::TranscribeFailed, Some(message.as_str()))),
            // One whose text was taken is deleted at Transcribe before the row says so.
            Progress::Completed | Progress::Unknown => self.take_output(&job, origin).await?,
        };
        if let Err(error) = self.jobs.delete(engine, name).await {
            // Transcribe keeps it for 90 days (<https://docs.aws.amazon.com/transcribe/latest/dg/API_GetTranscriptionJob.html>).
            tracing::warn!(job = name, error = causes(&error), "transcription job not deleted at Transcribe");
        }
        match taken {
            Ok(()) => {
                let change = JobChange::to(JobStatus::Completed);
                self.calls.store().apply_job(&job, &change, origin.now, origin.now).await?;
                Ok(Outcome::Done)
            }
            Err((reason, message)) => self.fail(&job, reason, message, origin).await,
        }
    }

    /// Stores the text of a job's output.
    async fn take_output(
        &self,
        job: &JobRow,
        origin: &Origin,
    ) -> Result<Result<(), (JobFailure, Option<&'static str>)>, Error> {
        let unreadable = |message| Ok(Err((JobFailure::Unreadable, Some(message))));
        let key = output_key(job);
        match self.size(&key).await? {
            None => return unreadable("there is no output"),
            Some(bytes) if bytes > MAX_OUTPUT_BYTES => return unreadable("the output is too large"),
            Some(_) => {}
        }
        let Ok(output) = batch::parse(&self.objects.read(&key).await?) else {
            return unreadable("the output is malformed");
        };
        let store = self.calls.store();
        let Some(row) = store.load_transcript(job.transcript_id).await? else {
            return unreadable("there is no transcript");
        };
        // Without what an earlier execution stored, so that each gives the same text.
        let others = store.transcript_turns(job.transcript_id).await?;
        let others = assemble(others.into_iter().filter(|turn| turn.result != job.name).collect());
        let known = Known::of(&row, &others, origin.now);
        let attendees: Attendees =
            job.attendees.iter().map(|one| (one.attendee_id.clone(), one.user_id, one.role)).collect();
        let activity: Vec<(Voice, Interval)> = row
            .captures
            .iter()
            .flat_map(|capture| &capture.speaking)
            .filter_map(|spoken| {
                let voice = attendees.voice(&spoken.2, Some(&spoken.2));
                Some((voice, Interval::new(spoken.0, spoken.1)?))
            })
            .collect();
        let turns = batch::fill(
            &output,
            &Recording {
                job: &job.name,
                offset_ms: known.ms(job.sound_began_at.unwrap_or(row.call_began_at)),
                language: job.settings.codes.first().map_or("", String::as_str),
                activity: &activity,
                gaps: &known.fillable(self.fill_gaps),
                // Its sound went to the job before a revocation; the text of it is marked when the transcript is completed.
                revoked: &[],
            },
        );
        let segments = turns.len();
        let result = StoredResult {
            result_id: job.name.clone(),
            rank: RANK.to_owned(),
            segments: turns.into_iter().map(|turn| text::segment(named(&job.name, turn))).collect(),
        };
        store.store_segments(job.transcript_id, &[result]).await?;
        tracing::info!(job = %job.name, words = output.words.len(), segments, "text of a job taken");
        Ok(Ok(()))
    }

    async fn fail(
        &self,
        job: &JobRow,
        reason: JobFailure,
        message: Option<&str>,
        origin: &Origin,
    ) -> Result<Outcome, Error> {
        let change = JobChange { reason: Some(reason), message, ..JobChange::to(JobStatus::Failed) };
        if !self.calls.store().apply_job(job, &change, origin.now, origin.now).await? {
            return Ok(Outcome::Done);
        }
        let (name, reason) = (&job.name, reason.as_str());
        if change.reason.is_some_and(JobFailure::is_final) || job.attempt >= job::MAX_ATTEMPTS {
            tracing::error!(job = %name, reason, "transcription job failed");
            metrics::emit(&[(Metric::TranscriptionsFailed, 1)]);
        } else {
            tracing::warn!(job = %name, reason, "transcription job failed, another one follows");
        }
        Ok(Outcome::Done)
    }

    async fn open_job(&self, name: &str, status: JobStatus) -> Result<Option<JobRow>, Error> {
        let job = self.calls.store().load_job(name).await?;
        Ok(job.filter(|job| job.status == status))
    }
}

/// The key of a job's output in the bucket of its file.
fn output_key(job: &JobRow) -> String {
    format!("transcripts/{}/{}.json", job.transcript_id, job.name)
}

/// Each job has labels of its own: those of two are not the same speakers.
fn named(job: &str, turn: Turn) -> Turn {
    match turn.voice {
        Voice::Unknown(label) => Turn { voice: Voice::Unknown(format!("{job}:{label}")), ..turn },
        Voice::Participant { .. } | Voice::Content { .. } => turn,
    }
}
