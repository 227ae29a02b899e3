//! The request of `StartMeetingTranscription`. What the service model forbids is refused at once; an invalid combination of members makes
//! the transcription fail later, with the message of Transcribe
//! (<https://docs.aws.amazon.com/chime-sdk/latest/APIReference/API_meeting-chime_EngineTranscribeSettings.html>).

use std::collections::BTreeSet;

use local_media::{CaptionItem, CaptionWords};
use serde::Deserialize;
use serde_json::Value;

use super::languages::{Engine, is_streaming, language};
use super::script::items;
use crate::chime::error::Refusal;
use crate::chime::input;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Start {
    transcription_configuration: Engines,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Engines {
    engine_transcribe_settings: Option<Standard>,
    engine_transcribe_medical_settings: Option<Medical>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Standard {
    language_code: Option<String>,
    #[expect(dead_code, reason = "read only to refuse what is not in the enumeration")]
    vocabulary_filter_method: Option<FilterMethod>,
    vocabulary_filter_name: Option<String>,
    vocabulary_name: Option<String>,
    region: Option<String>,
    enable_partial_results_stabilization: Option<bool>,
    partial_results_stability: Option<Stability>,
    content_identification_type: Option<Pii>,
    content_redaction_type: Option<Pii>,
    pii_entity_types: Option<String>,
    language_model_name: Option<String>,
    identify_language: Option<bool>,
    language_options: Option<String>,
    preferred_language: Option<String>,
    vocabulary_names: Option<String>,
    vocabulary_filter_names: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Medical {
    #[expect(dead_code, reason = "read only to refuse what is not in the enumeration")]
    language_code: EnUs,
    #[expect(dead_code, reason = "as above")]
    specialty: Specialty,
    #[expect(dead_code, reason = "as above")]
    r#type: MedicalType,
    vocabulary_name: Option<String>,
    region: Option<String>,
    content_identification_type: Option<Phi>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FilterMethod {
    Remove,
    Mask,
    Tag,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stability {
    Low,
    Medium,
    High,
}

#[derive(Debug, Deserialize)]
enum Pii {
    #[serde(rename = "PII")]
    Pii,
}

#[derive(Debug, Deserialize)]
enum Phi {
    #[serde(rename = "PHI")]
    Phi,
}

#[derive(Debug, Deserialize)]
enum EnUs {
    #[serde(rename = "en-US")]
    EnUs,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Specialty {
    PrimaryCare,
    Cardiology,
    Neurology,
    Oncology,
    Radiology,
    Urology,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum MedicalType {
    Conversation,
    Dictation,
}

/// The treatment of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Plain,
    /// Marked as this category.
    Identified(&'static str),
    Redacted,
}

/// The configuration of a transcription.
#[derive(Debug)]
pub(super) struct Configuration {
    /// Where it runs, or would.
    pub(super) region: String,
    /// As the request had it.
    pub(super) text: String,
    /// The language of a result, where it is identified: the script's, or the first one of these.
    identified: Option<Vec<String>>,
    content: Content,
    /// Why it will fail.
    pub(super) failure: Option<String>,
}

impl Configuration {
    pub(super) fn read(body: &[u8], media_region: &str) -> Result<Self, Refusal> {
        let text: Value = input::read(body)?;
        let Start { transcription_configuration: engines } = input::read(body)?;
        let text = text["TranscriptionConfiguration"].to_string();
        match (engines.engine_transcribe_settings, engines.engine_transcribe_medical_settings) {
            (Some(settings), None) => settings.configuration(text, media_region),
            (None, Some(settings)) => settings.configuration(text, media_region),
            _ => {
                Err(bad("TranscriptionConfiguration must have exactly one of EngineTranscribeSettings and \
                 EngineTranscribeMedicalSettings"))
            }
        }
    }

    /// Words as this transcription shows them.
    pub(super) fn present(&self, words: CaptionWords) -> CaptionWords {
        let mut words = match self.content {
            Content::Plain => CaptionWords { entities: Vec::new(), ..words },
            Content::Redacted => redact(words),
            Content::Identified(category) => {
                let mut words = words;
                words.entities.iter_mut().for_each(|it| category.clone_into(&mut it.category));
                words
            }
        };
        words.language = self.identified.as_ref().map(|options| {
            let own = words.language.take();
            own.or_else(|| Some((options.first()?.clone(), 0.9))).unwrap_or_else(|| ("en-US".to_owned(), 0.9))
        });
        words
    }
}

impl Standard {
    fn configuration(self, text: String, media_region: &str) -> Result<Configuration, Refusal> {
        region(Engine::Standard, self.region.as_deref())?;
        let code = |c: char| c.is_ascii_alphabetic() || c == '-';
        let name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let names = |c: char| name(c) || c == ',';
        let types = |c: char| c.is_ascii_uppercase() || "_, ".contains(c);
        matches("LanguageCode", self.language_code.as_deref(), 20, code)?;
        matches("LanguageOptions", self.language_options.as_deref(), 200, |c| code(c) || c == ',')?;
        matches("PreferredLanguage", self.preferred_language.as_deref(), 20, code)?;
        matches("VocabularyName", self.vocabulary_name.as_deref(), 200, name)?;
        matches("VocabularyFilterName", self.vocabulary_filter_name.as_deref(), 200, name)?;
        matches("LanguageModelName", self.language_model_name.as_deref(), 200, name)?;
        matches("VocabularyNames", self.vocabulary_names.as_deref(), 3000, names)?;
        matches("VocabularyFilterNames", self.vocabulary_filter_names.as_deref(), 3000, names)?;
        matches("PiiEntityTypes", self.pii_entity_types.as_deref(), 300, types)?;
        let runs_in = Engine::Standard.region(self.region.as_deref(), media_region);
        let failure = self.conflict().map(|it| format!("BadRequestException: {it}"));
        let options = self.options();
        Ok(Configuration {
            failure: failure
                .or_else(|| runs_in.as_ref().err().map(|region| absent("Amazon Transcribe", region))),
            region: runs_in.unwrap_or_else(|region| region),
            text,
            identified: self.identifies().then_some(options),
            content: match (self.content_identification_type, self.content_redaction_type) {
                (_, Some(Pii::Pii)) => Content::Redacted,
                (Some(Pii::Pii), None) => Content::Identified("PII"),
                (None, None) => Content::Plain,
            },
        })
    }

    fn identifies(&self) -> bool {
        self.identify_language == Some(true)
    }

    fn options(&self) -> Vec<String> {
        self.language_options.iter().flat_map(|it| it.split(',')).map(|it| it.trim().to_owned()).collect()
    }

    /// The members that Transcribe takes for a contradiction
    /// (<https://docs.aws.amazon.com/transcribe/latest/APIReference/API_streaming_StartStreamTranscription.html>).
    fn conflict(&self) -> Option<String> {
        let options = self.options();
        let languages: BTreeSet<&str> = options.iter().map(|it| language(it)).collect();
        let redacts = self.content_redaction_type.is_some();
        let rules = [
            (
                self.language_code.is_some() == self.identifies(),
                "You must include either LanguageCode or IdentifyLanguage.",
            ),
            (
                self.language_options.is_some() && !self.identifies(),
                "LanguageOptions needs IdentifyLanguage.",
            ),
            (
                self.language_options.is_some() && options.len() < 2,
                "LanguageOptions must have at least two languages.",
            ),
            (languages.len() < options.len(), "LanguageOptions must have one dialect of each language."),
            (
                self.preferred_language.as_ref().is_some_and(|it| !options.contains(it)),
                "PreferredLanguage must be one of LanguageOptions.",
            ),
            (
                redacts && self.content_identification_type.is_some(),
                "ContentIdentificationType and ContentRedactionType exclude each other.",
            ),
            (
                self.pii_entity_types.is_some() && !redacts && self.content_identification_type.is_none(),
                "PiiEntityTypes needs ContentIdentificationType or ContentRedactionType.",
            ),
            (
                self.identifies() && (redacts || self.language_model_name.is_some()),
                "Language identification cannot be combined with a custom language model or redaction.",
            ),
            (
                self.identifies()
                    && (self.vocabulary_name.is_some() || self.vocabulary_filter_name.is_some()),
                "With IdentifyLanguage use VocabularyNames and VocabularyFilterNames.",
            ),
            (
                self.partial_results_stability.is_some()
                    && self.enable_partial_results_stabilization != Some(true),
                "PartialResultsStability needs EnablePartialResultsStabilization.",
            ),
        ];
        if let Some((_, message)) = rules.into_iter().find(|(broken, _)| *broken) {
            return Some(message.to_owned());
        }
        let mut codes = self.language_code.iter().chain(&options);
        let unknown = codes.find(|code| !is_streaming(code))?;
        Some(format!("{unknown} is no language of Amazon Transcribe's streaming."))
    }
}

impl Medical {
    fn configuration(self, text: String, media_region: &str) -> Result<Configuration, Refusal> {
        region(Engine::Medical, self.region.as_deref())?;
        let name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        matches("VocabularyName", self.vocabulary_name.as_deref(), 200, name)?;
        let runs_in = Engine::Medical.region(self.region.as_deref(), media_region);
        Ok(Configuration {
            failure: runs_in.as_ref().err().map(|region| absent("Amazon Transcribe Medical", region)),
            region: runs_in.unwrap_or_else(|region| region),
            text,
            identified: None,
            content: self
                .content_identification_type
                .map_or(Content::Plain, |Phi::Phi| Content::Identified("PHI")),
        })
    }
}

/// With each entity replaced by its type in brackets, as Transcribe redacts.
fn redact(words: CaptionWords) -> CaptionWords {
    let mut transcript = words.transcript.clone();
    for entity in &words.entities {
        let mark = format!("[{}]", entity.kind.as_deref().unwrap_or("PII"));
        transcript = transcript.replace(&entity.content, &mark);
    }
    if transcript == words.transcript {
        return CaptionWords { entities: Vec::new(), ..words };
    }
    let speaker = words.items.first();
    let speaker = speaker.map(|it| (it.attendee_id.clone(), it.external_user_id.clone())).unwrap_or_default();
    let items: Vec<CaptionItem> = items(&transcript, &speaker, (words.start_ms, words.end_ms), None);
    CaptionWords { transcript, items, entities: Vec::new(), ..words }
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal::BadRequest(message.into())
}

fn absent(engine: &str, region: &str) -> String {
    format!("{engine} is not available in {region}")
}

fn region(engine: Engine, region: Option<&str>) -> Result<(), Refusal> {
    match region {
        Some(region) if !engine.is_region(region) => {
            Err(bad(format!("Region: {region} is not in the enumeration")))
        }
        _ => Ok(()),
    }
}

fn matches(
    member: &str,
    text: Option<&str>,
    max: usize,
    known: impl Fn(char) -> bool,
) -> Result<(), Refusal> {
    match text {
        Some(text) if text.is_empty() || text.len() > max => {
            Err(bad(format!("{member} must have length between 1 and {max}")))
        }
        Some(text) if !text.chars().all(known) => Err(bad(format!("{member} must satisfy its pattern"))),
        _ => Ok(()),
    }
}
