//! Decides how the speech of a call is transcribed: live, afterwards as a batch job, or not at all and why.
//!
//! The answer has the language that was asked for and no other, and a region of the residency allow-list and no other; the region
//! `auto`, which Chime would replace by a near one across borders, does not occur.

mod request;
pub mod table;
mod vocabulary;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

pub use request::{Request, Specialty, Wanted};
pub use vocabulary::{NotVocabularies, Vocabularies};

use table::{Language, Streaming};

/// An engine of Chime's live transcription, or of batch jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    Standard,
    Medical,
}

impl Engine {
    /// The spelling in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Medical => "medical",
        }
    }
}

/// The data that an engine marks in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// Personal data: the standard engine.
    Pii,
    /// Personal health data: the medical engine.
    Phi,
}

impl ContentType {
    /// The spelling in Chime's and Transcribe's requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pii => "PII",
            Self::Phi => "PHI",
        }
    }
}

/// The settings of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Where speech may be processed, in the order of preference after the media region.
    pub allowed_regions: Vec<String>,
    /// The region of the recordings bucket: a batch job runs there.
    pub storage_region: String,
    /// Whether a language that Chime's model does not list is attempted.
    pub attempt_unconfirmed: bool,
    /// Whether personal data is marked.
    pub mark_content: bool,
    pub vocabularies: Vocabularies,
}

/// The result of the last attempt to transcribe a language live in a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attempt {
    Confirmed,
    /// Chime reported a failure that names the language.
    Failed,
}

/// The attempts of this deployment, by code and region.
#[derive(Clone, Debug, Default)]
pub struct Attempts(HashMap<(String, String), Attempt>);

impl FromIterator<(String, String, Attempt)> for Attempts {
    fn from_iter<I: IntoIterator<Item = (String, String, Attempt)>>(attempts: I) -> Self {
        Self(attempts.into_iter().map(|(code, region, attempt)| ((code, region), attempt)).collect())
    }
}

impl Attempts {
    /// The attempt for a language that is unconfirmed otherwise. One of Chime's model is not remembered: it failed for another reason,
    /// and must not be refused from then on.
    fn of(&self, language: &Language, region: &str) -> Option<Attempt> {
        if language.in_model {
            return None;
        }
        self.0.get(&(language.code.to_owned(), region.to_owned())).copied()
    }
}

/// A live transcription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    pub engine: Engine,
    /// One code, or the options of an identification in the order of the request.
    pub codes: Vec<&'static str>,
    pub identify: bool,
    pub region: String,
    /// At most one for each code.
    pub vocabularies: Vec<String>,
    /// None where the engine marks nothing in this language: then the redacted view masks the whole text.
    pub content_type: Option<ContentType>,
    pub specialty: Option<Specialty>,
    /// Chime's model does not list the language, and no attempt in this region succeeded yet.
    pub unconfirmed: bool,
}

/// A job on the recorded sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub engine: Engine,
    pub codes: Vec<&'static str>,
    pub identify: bool,
    pub region: String,
    pub vocabularies: Vec<String>,
    pub content_type: Option<ContentType>,
}

/// Why a language is not transcribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Transcribe has no such code.
    UnknownLanguage(String),
    /// Fewer than two options.
    TooFewOptions,
    /// Two options of one language.
    TwoDialects(&'static str, &'static str),
    /// Options, and a language that is not to be identified.
    OptionsWithoutIdentify,
    /// The medical engine knows US English alone.
    MedicalLanguage,
    /// Medical batch jobs know primary care alone.
    MedicalBatchSpecialty,
    /// Transcribe streams it nowhere.
    NotStreamed(&'static str),
    /// No region of the allow-list has the engine for it.
    NoRegion,
    /// The bucket's region has no batch jobs, or is not in the allow-list.
    NoBatchRegion,
    /// It is not confirmed, and the deployment attempts nothing.
    Unconfirmed(&'static str),
    /// It failed in each region of the allow-list.
    Failed(&'static str),
}

impl Reason {
    /// The field of the request that it is about.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::TooFewOptions | Self::TwoDialects(..) | Self::OptionsWithoutIdentify => "languageOptions",
            Self::MedicalBatchSpecialty => "specialty",
            Self::UnknownLanguage(_)
            | Self::MedicalLanguage
            | Self::NotStreamed(_)
            | Self::NoRegion
            | Self::NoBatchRegion
            | Self::Unconfirmed(_)
            | Self::Failed(_) => "language",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLanguage(code) if is_tag(code) => {
                write!(f, "{code} is no language code of Amazon Transcribe")
            }
            Self::UnknownLanguage(_) => f.write_str("must be a language code of Amazon Transcribe"),
            Self::TooFewOptions => {
                f.write_str("must be at least two codes where the language is to be identified")
            }
            Self::TwoDialects(a, b) => write!(f, "must name one dialect of a language, not {a} and {b}"),
            Self::OptionsWithoutIdentify => f.write_str("must be absent unless the language is \"identify\""),
            Self::MedicalLanguage => f.write_str("must be en-US where a specialty is given"),
            Self::MedicalBatchSpecialty => {
                f.write_str("must be PRIMARYCARE where the call cannot be transcribed live")
            }
            Self::NotStreamed(code) => write!(f, "{code} is not transcribed live"),
            Self::NoRegion => f.write_str("is not transcribed live in an allowed region"),
            Self::NoBatchRegion => f.write_str("is not transcribed in the region of the recordings"),
            Self::Unconfirmed(code) => {
                write!(f, "{code} is not confirmed for live transcription, and is not attempted")
            }
            Self::Failed(code) => write!(f, "{code} failed in every allowed region"),
        }
    }
}

/// Whether a text may be in a message to its caller: it has the form of a language tag, and at most 35 characters, which RFC 5646 recommends
/// to support.
fn is_tag(text: &str) -> bool {
    (1..=35).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    Live(Live),
    /// Not live, for this reason, but afterwards.
    Batch(Batch, Reason),
    /// Neither; the reason is that of the live transcription.
    Unsupported(Reason),
}

/// Decides how a call in a media region is transcribed.
#[must_use]
pub fn resolve(request: &Request, media_region: &str, policy: &Policy, attempts: &Attempts) -> Resolution {
    match live(request, media_region, policy, attempts) {
        Ok(live) => Resolution::Live(live),
        Err(reason) => match batch(request, policy) {
            Ok(batch) => Resolution::Batch(batch, reason),
            Err(of_batch @ Reason::MedicalBatchSpecialty) if reason == Reason::NoRegion => {
                Resolution::Unsupported(of_batch)
            }
            Err(_) => Resolution::Unsupported(reason),
        },
    }
}

/// The job that can make the text of a call after it; none where no job is possible.
#[must_use]
pub fn resolve_batch(request: &Request, policy: &Policy) -> Option<Batch> {
    batch(request, policy).ok()
}

/// A language as `GET /transcription/languages` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub code: &'static str,
    pub name: &'static str,
    pub live: Option<Live>,
    pub batch: Option<Batch>,
    /// Why it is not transcribed live.
    pub reason: Option<Reason>,
}

/// Every language of the table, for calls in a media region.
#[must_use]
pub fn entries(media_region: &str, policy: &Policy, attempts: &Attempts) -> Vec<Entry> {
    let entry = |language: &'static Language| {
        let request = Request { wanted: Wanted::Code(language), specialty: None };
        let (live, reason) = match live(&request, media_region, policy, attempts) {
            Ok(live) => (Some(live), None),
            Err(reason) => (None, Some(reason)),
        };
        Entry { code: language.code, name: language.name, live, batch: batch(&request, policy).ok(), reason }
    };
    table::LANGUAGES.iter().map(entry).collect()
}

fn live(request: &Request, media_region: &str, policy: &Policy, attempts: &Attempts) -> Result<Live, Reason> {
    let languages = request.wanted.languages();
    let engine = request.engine()?;
    if let Some(language) = languages.iter().find(|language| language.streaming == Streaming::No) {
        return Err(Reason::NotStreamed(language.code));
    }
    let regions = candidates(engine, languages, media_region, policy);
    if regions.is_empty() {
        return Err(Reason::NoRegion);
    }
    let mut reason = Reason::NoRegion;
    for region in regions {
        let attempt = |language: &&Language| attempts.of(language, region);
        if let Some(failed) = languages.iter().find(|language| attempt(language) == Some(Attempt::Failed)) {
            reason = Reason::Failed(failed.code);
            continue;
        }
        let confirmed =
            |language: &&Language| language.in_model || attempt(language) == Some(Attempt::Confirmed);
        let unconfirmed = languages.iter().copied().find(|language| !confirmed(language));
        if let Some(language) = unconfirmed.filter(|_| !policy.attempt_unconfirmed) {
            reason = Reason::Unconfirmed(language.code);
            continue;
        }
        return Ok(Live {
            engine,
            codes: languages.iter().map(|language| language.code).collect(),
            identify: request.wanted.identify(),
            region: region.to_owned(),
            vocabularies: policy.vocabularies.of(engine, languages, region),
            content_type: content_type(engine, languages, policy),
            specialty: request.specialty,
            unconfirmed: unconfirmed.is_some(),
        });
    }
    Err(reason)
}

/// The allowed regions that have the engine for all languages: the media region first, then as the allow-list orders them.
fn candidates<'a>(
    engine: Engine,
    languages: &[&Language],
    media_region: &str,
    policy: &'a Policy,
) -> Vec<&'a str> {
    let newer = languages.iter().any(|language| language.streaming == Streaming::Newer);
    let has = |region: &&str| match engine {
        Engine::Standard => {
            table::STANDARD_REGIONS.contains(region)
                && !(newer && table::WITHOUT_NEWER_LANGUAGES.contains(region))
        }
        Engine::Medical => table::MEDICAL_REGIONS.contains(region),
    };
    let mut regions: Vec<&str> = policy.allowed_regions.iter().map(String::as_str).filter(has).collect();
    // A stable sort: the order of the others stays.
    regions.sort_by_key(|region| *region != media_region);
    regions
}

fn batch(request: &Request, policy: &Policy) -> Result<Batch, Reason> {
    let languages = request.wanted.languages();
    let engine = request.engine()?;
    let region = policy.storage_region.as_str();
    let regions: &[&str] = match engine {
        Engine::Standard => &table::BATCH_REGIONS,
        Engine::Medical => &table::MEDICAL_REGIONS,
    };
    if !regions.contains(&region) || !policy.allowed_regions.iter().any(|allowed| allowed == region) {
        return Err(Reason::NoBatchRegion);
    }
    // https://docs.aws.amazon.com/transcribe/latest/APIReference/API_StartMedicalTranscriptionJob.html
    if request.specialty.is_some_and(|specialty| specialty != Specialty::PrimaryCare) {
        return Err(Reason::MedicalBatchSpecialty);
    }
    Ok(Batch {
        engine,
        codes: languages.iter().map(|language| language.code).collect(),
        identify: request.wanted.identify(),
        region: region.to_owned(),
        vocabularies: policy.vocabularies.of(engine, languages, region),
        content_type: (engine == Engine::Medical && policy.mark_content).then_some(ContentType::Phi),
    })
}

fn content_type(engine: Engine, languages: &[&Language], policy: &Policy) -> Option<ContentType> {
    match engine {
        Engine::Medical => policy.mark_content.then_some(ContentType::Phi),
        Engine::Standard => {
            let marks = languages.iter().all(|language| language.marks_pii);
            (policy.mark_content && marks).then_some(ContentType::Pii)
        }
    }
}
