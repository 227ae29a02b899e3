//! Amazon Transcribe's jobs, standard and medical, in the region of the recordings bucket. Transcribe reads the file and writes its output
//! with the function's role (<https://docs.aws.amazon.com/transcribe/latest/dg/security_iam_id-based-policy-examples.html>).

use std::time::Duration;

use aws_sdk_transcribe::Client;
use aws_sdk_transcribe::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_transcribe::types::{
    LanguageCode, Media, MediaFormat, MedicalContentIdentificationType, MedicalTranscriptionSetting,
    Settings, Specialty, TranscriptionJobStatus, Type,
};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use domain::error::Source;
use domain::transcript::batch::job::{MAX_SPEAKERS, MIN_SPEAKERS};
use domain::transcript::language::Engine;
use domain::transcript::settings::BatchSettings;

/// Time for one attempt: a pooled connection that died is detected within it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a request with its retries.
const DEADLINE: Duration = Duration::from_secs(15);

/// Why a request to Transcribe failed, by what it says about the effect of the request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// There is a job of this name: an earlier answer was lost.
    #[error("there is a job of this name")]
    Exists,
    /// Transcribe rejected the request, or knows no such job. It had no effect.
    #[error("Transcribe rejected the request: {0}")]
    Rejected(String),
    /// A defect of this code or of the function's role. The request had no effect.
    #[error("Transcribe refused the request: {code}")]
    Refused {
        code: String,
        #[source]
        source: Source,
    },
    /// Too many requests, or too many jobs: the request had no effect, and is repeated.
    #[error("Transcribe has no capacity")]
    Limit(#[source] Source),
    /// Not reached, no response in time, or an internal error: whether the request had an effect is not known.
    #[error("Transcribe is unavailable")]
    Unavailable(#[source] Source),
}

impl JobError {
    fn of<E>(error: SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        match (error.code(), status) {
            (Some("ConflictException"), _) => Self::Exists,
            (Some("LimitExceededException" | "ThrottlingException"), _) | (_, Some(429)) => {
                Self::Limit(Box::new(error))
            }
            // An unknown job gets the first one too.
            (Some("BadRequestException" | "NotFoundException"), _) => {
                Self::Rejected(error.message().unwrap_or("no reason").to_owned())
            }
            (code, Some(400..=499)) => {
                Self::Refused { code: code.unwrap_or_default().to_owned(), source: Box::new(error) }
            }
            _ => Self::Unavailable(Box::new(error)),
        }
    }
}

impl From<JobError> for domain::Error {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Limit(_) | JobError::Unavailable(_) => {
                Self::Unavailable { backend: "transcribe", source: Box::new(error) }
            }
            JobError::Exists | JobError::Rejected(_) | JobError::Refused { .. } => Self::internal(error),
        }
    }
}

/// A job that is to be started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewJob<'a> {
    pub(crate) name: &'a str,
    pub(crate) settings: &'a BatchSettings,
    /// The key of the file in the bucket.
    pub(crate) file: &'a str,
    /// The key of the output in the same bucket.
    pub(crate) output: &'a str,
    /// People who may speak.
    pub(crate) people: usize,
}

/// The state of a job at Transcribe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It knows none of this name.
    Unknown,
    Open,
    Completed,
    /// With what it says.
    Failed(String),
}

/// The jobs. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Jobs {
    client: Client,
    bucket: String,
    /// Without it Transcribe encrypts an output with S3's own key
    /// (<https://docs.aws.amazon.com/transcribe/latest/dg/data-encryption.html>).
    key_arn: String,
}

impl Jobs {
    pub(crate) fn new(sdk: &SdkConfig, bucket: &str, key_arn: &str) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(DEADLINE)
            .build();
        let config = aws_sdk_transcribe::config::Builder::from(sdk).timeout_config(timeouts).build();
        Self { client: Client::from_conf(config), bucket: bucket.to_owned(), key_arn: key_arn.to_owned() }
    }

    /// Starts a job.
    pub(crate) async fn start(&self, new: NewJob<'_>) -> Result<(), JobError> {
        match new.settings.engine {
            Engine::Standard => self.start_standard(new).await,
            Engine::Medical => self.start_medical(new).await,
        }
    }

    async fn start_standard(&self, new: NewJob<'_>) -> Result<(), JobError> {
        let NewJob { name, settings, output, .. } = new;
        let mut codes = settings.codes.iter().map(|code| LanguageCode::from(code.as_str()));
        let mut speakers =
            Settings::builder().show_speaker_labels(true).max_speaker_labels(max_speakers(new.people));
        let mut request = self
            .client
            .start_transcription_job()
            .transcription_job_name(name)
            .media(self.media(&new))
            .media_format(MediaFormat::Mp4)
            .output_bucket_name(&self.bucket)
            .output_key(output)
            .output_encryption_kms_key_id(&self.key_arn);
        if settings.identify {
            // People who speak different languages keep them. Vocabularies are of one language each, and need one that is given.
            request = request.identify_multiple_languages(true).set_language_options(Some(codes.collect()));
        } else {
            request = request.set_language_code(codes.next());
            speakers = speakers.set_vocabulary_name(settings.vocabularies.first().cloned());
        }
        request.settings(speakers.build()).send().await.map(drop).map_err(JobError::of)
    }

    async fn start_medical(&self, new: NewJob<'_>) -> Result<(), JobError> {
        let settings = new.settings;
        let speakers = MedicalTranscriptionSetting::builder()
            .show_speaker_labels(true)
            .max_speaker_labels(max_speakers(new.people))
            .set_vocabulary_name(settings.vocabularies.first().cloned())
            .build();
        self.client
            .start_medical_transcription_job()
            .medical_transcription_job_name(new.name)
            .set_language_code(settings.codes.first().map(|code| LanguageCode::from(code.as_str())))
            .media(self.media(&new))
            .media_format(MediaFormat::Mp4)
            .output_bucket_name(&self.bucket)
            .output_key(new.output)
            .output_encryption_kms_key_id(&self.key_arn)
            .settings(speakers)
            // The only specialty of jobs.
            .specialty(Specialty::Primarycare)
            .r#type(Type::Conversation)
            .set_content_identification_type(
                settings.identify_content.then_some(MedicalContentIdentificationType::Phi),
            )
            .send()
            .await
            .map(drop)
            .map_err(JobError::of)
    }

    fn media(&self, new: &NewJob<'_>) -> Media {
        Media::builder().media_file_uri(format!("s3://{}/{}", self.bucket, new.file)).build()
    }

    /// Asks for a job.
    pub(crate) async fn progress(&self, engine: Engine, name: &str) -> Result<Progress, JobError> {
        let asked = match engine {
            Engine::Standard => {
                let answer = self.client.get_transcription_job().transcription_job_name(name).send().await;
                answer.map_err(JobError::of).map(|answer| {
                    let job = answer.transcription_job;
                    job.map(|job| (job.transcription_job_status, job.failure_reason))
                })
            }
            Engine::Medical => {
                let request = self.client.get_medical_transcription_job();
                let answer = request.medical_transcription_job_name(name).send().await;
                answer.map_err(JobError::of).map(|answer| {
                    let job = answer.medical_transcription_job;
                    job.map(|job| (job.transcription_job_status, job.failure_reason))
                })
            }
        };
        match asked {
            Ok(Some((Some(TranscriptionJobStatus::Completed), _))) => Ok(Progress::Completed),
            Ok(Some((Some(TranscriptionJobStatus::Failed), reason))) => {
                Ok(Progress::Failed(reason.unwrap_or_else(|| "no reason".to_owned())))
            }
            // The SDK's enum is open; a status that is not known yet is none that ends a job.
            Ok(Some(_)) => Ok(Progress::Open),
            Ok(None) | Err(JobError::Rejected(_)) => Ok(Progress::Unknown),
            Err(error) => Err(error),
        }
    }

    /// Deletes what Transcribe keeps of a job. One that it does not know is not an error.
    pub(crate) async fn delete(&self, engine: Engine, name: &str) -> Result<(), JobError> {
        let deleted = match engine {
            Engine::Standard => {
                let request = self.client.delete_transcription_job().transcription_job_name(name);
                request.send().await.map(drop).map_err(JobError::of)
            }
            Engine::Medical => {
                let request = self.client.delete_medical_transcription_job();
                request.medical_transcription_job_name(name).send().await.map(drop).map_err(JobError::of)
            }
        };
        match deleted {
            Ok(()) | Err(JobError::Rejected(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn max_speakers(people: usize) -> i32 {
    i32::try_from(people.clamp(MIN_SPEAKERS, MAX_SPEAKERS)).unwrap_or(i32::MAX)
}
