//! Requests to start jobs: strict, so that what would be lost in silence is refused, and what is not known here too.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::language::{Language, is_known};
use super::{Kind, Refusal};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StartStandard {
    transcription_job_name: String,
    language_code: Option<String>,
    media_sample_rate_hertz: Option<i64>,
    media_format: Option<String>,
    media: Media,
    output_bucket_name: Option<String>,
    output_key: Option<String>,
    #[serde(rename = "OutputEncryptionKMSKeyId")]
    output_encryption_kms_key_id: Option<String>,
    #[serde(default)]
    settings: Settings,
    job_execution_settings: Option<JobExecutionSettings>,
    identify_language: Option<bool>,
    identify_multiple_languages: Option<bool>,
    language_options: Option<Vec<String>>,
    #[expect(dead_code, reason = "kept as the request has them")]
    tags: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StartMedical {
    medical_transcription_job_name: String,
    language_code: String,
    media_sample_rate_hertz: Option<i64>,
    media_format: Option<String>,
    media: Media,
    output_bucket_name: String,
    output_key: Option<String>,
    #[serde(rename = "OutputEncryptionKMSKeyId")]
    output_encryption_kms_key_id: Option<String>,
    #[serde(default)]
    settings: Settings,
    content_identification_type: Option<String>,
    specialty: String,
    r#type: String,
    #[expect(dead_code, reason = "kept as the request has them")]
    tags: Option<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Media {
    media_file_uri: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Settings {
    vocabulary_name: Option<String>,
    show_speaker_labels: Option<bool>,
    max_speaker_labels: Option<i64>,
    channel_identification: Option<bool>,
    show_alternatives: Option<bool>,
    max_alternatives: Option<i64>,
    vocabulary_filter_name: Option<String>,
    vocabulary_filter_method: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct JobExecutionSettings {
    allow_deferred_execution: Option<bool>,
    data_access_role_arn: Option<String>,
}

/// The members of a request that its job needs.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) name: String,
    pub(super) language: Language,
    pub(super) media: (String, String),
    pub(super) media_format: Option<String>,
    pub(super) output: (String, String),
    pub(super) output_key_id: Option<String>,
    /// The most speakers that are distinguished; none: they are not.
    pub(super) speakers: Option<usize>,
    /// Whether it may wait for others.
    pub(super) deferred: bool,
}

const FORMATS: [&str; 8] = ["mp3", "mp4", "wav", "flac", "ogg", "amr", "webm", "m4a"];

impl Start {
    pub(super) fn read(kind: Kind, body: &[u8]) -> Result<Self, Refusal> {
        match kind {
            Kind::Standard => standard(read(body)?),
            Kind::Medical => medical(read(body)?),
        }
    }
}

fn standard(input: StartStandard) -> Result<Start, Refusal> {
    let language = language(&input)?;
    let deferred = match input.job_execution_settings {
        None => false,
        Some(JobExecutionSettings {
            allow_deferred_execution: Some(deferred),
            data_access_role_arn: Some(_),
        }) => deferred,
        Some(_) => return refuse("JobExecutionSettings needs AllowDeferredExecution and DataAccessRoleArn"),
    };
    // As in an organization that has opted out: https://docs.aws.amazon.com/transcribe/latest/dg/opt-out.html
    let bucket = input.output_bucket_name.ok_or_else(|| {
        Refusal::BadRequest(
            "OutputBucketName: the organization has opted out, so that a bucket must be named".to_owned(),
        )
    })?;
    let name = input.transcription_job_name;
    checked_name("TranscriptionJobName", &name)?;
    media_settings(input.media_sample_rate_hertz, input.media_format.as_deref(), 8_000)?;
    Ok(Start {
        output: (bucket.clone(), output_key(&bucket, input.output_key.as_deref(), &name, "")?),
        name,
        language,
        media: uri(&input.media.media_file_uri)?,
        media_format: input.media_format,
        output_key_id: input.output_encryption_kms_key_id,
        speakers: speakers(&input.settings, Kind::Standard)?,
        deferred,
    })
}

fn medical(input: StartMedical) -> Result<Start, Refusal> {
    if input.language_code != "en-US" {
        return refuse("LanguageCode must be en-US");
    }
    if input.specialty != "PRIMARYCARE" {
        return refuse("Specialty must be PRIMARYCARE");
    }
    if !["CONVERSATION", "DICTATION"].contains(&input.r#type.as_str()) {
        return refuse("Type must be CONVERSATION or DICTATION");
    }
    if input.content_identification_type.as_deref().is_some_and(|it| it != "PHI") {
        return refuse("ContentIdentificationType must be PHI");
    }
    let name = input.medical_transcription_job_name;
    checked_name("MedicalTranscriptionJobName", &name)?;
    media_settings(input.media_sample_rate_hertz, input.media_format.as_deref(), 16_000)?;
    let bucket = input.output_bucket_name;
    Ok(Start {
        output: (bucket.clone(), output_key(&bucket, input.output_key.as_deref(), &name, "medical/")?),
        name,
        language: Language::Given(input.language_code),
        media: uri(&input.media.media_file_uri)?,
        media_format: input.media_format,
        output_key_id: input.output_encryption_kms_key_id,
        speakers: speakers(&input.settings, Kind::Medical)?,
        deferred: false,
    })
}

fn language(input: &StartStandard) -> Result<Language, Refusal> {
    let options = input.language_options.clone().unwrap_or_default();
    let identifies = [input.identify_language, input.identify_multiple_languages].map(|it| it == Some(true));
    if let Some(unknown) = input.language_code.iter().chain(&options).find(|it| !is_known(it)) {
        return refuse(format!(
            "Value '{unknown}' at 'languageCode' failed to satisfy constraint: Member must satisfy enum value set"
        ));
    }
    if input.language_options.is_some() && !identifies.contains(&true) {
        return refuse("LanguageOptions needs IdentifyLanguage or IdentifyMultipleLanguages");
    }
    if input.language_options.is_some() && options.len() < 2 {
        return refuse("LanguageOptions must have at least two languages");
    }
    let languages: BTreeSet<&str> = options.iter().filter_map(|it| it.split('-').next()).collect();
    if languages.len() < options.len() {
        return refuse("LanguageOptions must have one dialect of each language");
    }
    match (&input.language_code, identifies) {
        (Some(code), [false, false]) => Ok(Language::Given(code.clone())),
        (None, [true, false]) => Ok(Language::Identified(options)),
        (None, [false, true]) => Ok(Language::Several(options)),
        _ => refuse("Specify exactly one of LanguageCode, IdentifyLanguage and IdentifyMultipleLanguages"),
    }
}

fn speakers(settings: &Settings, kind: Kind) -> Result<Option<usize>, Refusal> {
    let labels = settings.show_speaker_labels == Some(true);
    if labels != settings.max_speaker_labels.is_some() {
        return refuse("Settings: ShowSpeakerLabels and MaxSpeakerLabels need each other");
    }
    if settings.max_speaker_labels.is_some_and(|it| !(2..=30).contains(&it)) {
        return refuse("Settings: MaxSpeakerLabels must be between 2 and 30");
    }
    if labels && settings.channel_identification == Some(true) {
        return refuse("Settings: ShowSpeakerLabels and ChannelIdentification exclude each other");
    }
    if settings.channel_identification == Some(true) {
        return refuse("Settings: ChannelIdentification is not known here");
    }
    if (settings.show_alternatives == Some(true)) != settings.max_alternatives.is_some() {
        return refuse("Settings: ShowAlternatives and MaxAlternatives need each other");
    }
    if settings.max_alternatives.is_some_and(|it| !(2..=10).contains(&it)) {
        return refuse("Settings: MaxAlternatives must be between 2 and 10");
    }
    if settings.vocabulary_filter_name.is_some() != settings.vocabulary_filter_method.is_some() {
        return refuse("Settings: VocabularyFilterName and VocabularyFilterMethod need each other");
    }
    if kind == Kind::Medical && settings.vocabulary_filter_name.is_some() {
        return refuse("Settings: VocabularyFilterName is no member of a medical job");
    }
    if let Some(name) = &settings.vocabulary_name {
        checked_name("VocabularyName", name)?;
    }
    Ok(settings.max_speaker_labels.filter(|_| labels).and_then(|it| usize::try_from(it).ok()))
}

fn media_settings(rate: Option<i64>, format: Option<&str>, least_rate: i64) -> Result<(), Refusal> {
    if rate.is_some_and(|it| !(least_rate..=48_000).contains(&it)) {
        return refuse(format!("MediaSampleRateHertz must be between {least_rate} and 48000"));
    }
    match format {
        Some(format) if !FORMATS.contains(&format) => {
            refuse(format!("MediaFormat: {format} is not in the enumeration"))
        }
        _ => Ok(()),
    }
}

fn checked_name(member: &str, name: &str) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=200).contains(&name.len()) && name.chars().all(plain) {
        Ok(())
    } else {
        refuse(format!("{member} must have 1 to 200 characters of ^[0-9a-zA-Z._-]+"))
    }
}

/// Bucket and key of `s3://bucket/key`, or of the same as an address of S3.
fn uri(uri: &str) -> Result<(String, String), Refusal> {
    let path = uri.strip_prefix("s3://").or_else(|| {
        let rest = uri.strip_prefix("https://s3.").or_else(|| uri.strip_prefix("https://s3-"))?;
        rest.split_once(".amazonaws.com/").map(|(_, path)| path)
    });
    let pair = path
        .and_then(|path| path.split_once('/'))
        .filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty());
    match pair {
        Some((bucket, key)) if uri.len() <= 2000 => Ok((bucket.to_owned(), key.to_owned())),
        _ => refuse("Media.MediaFileUri must be s3://bucket/key"),
    }
}

/// The key of the output, by the examples of the API's reference
/// (<https://docs.aws.amazon.com/transcribe/latest/APIReference/API_StartTranscriptionJob.html>).
fn output_key(bucket: &str, key: Option<&str>, name: &str, usual_folder: &str) -> Result<String, Refusal> {
    if !(3..=63).contains(&bucket.len()) {
        return refuse("OutputBucketName must have 3 to 63 characters");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.!*'()/".contains(c);
    match key {
        None => Ok(format!("{usual_folder}{name}.json")),
        Some(key) if key.is_empty() || key.len() > 1024 || !key.chars().all(plain) => {
            refuse("OutputKey must have 1 to 1024 characters of [a-zA-Z0-9-_.!*'()/]")
        }
        Some(key) if key.rsplit_once('.').is_some_and(|(_, ending)| ending == "json") => Ok(key.to_owned()),
        Some(key) => Ok(format!("{}/{name}.json", key.trim_end_matches('/'))),
    }
}

/// Reads a body; the refusal names the member that is wrong.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!("{path}: ") };
        Refusal::BadRequest(format!("{place}{}", error.inner()))
    })
}

fn refuse<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::BadRequest(message.into()))
}
