//! The language and the specialty that a start asks for.

use std::str::FromStr;

use super::table::{self, Language};
use super::{Engine, Reason};

/// The word for a language that is to be identified.
const IDENTIFY: &str = "identify";

/// A request that names languages of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub wanted: Wanted,
    pub specialty: Option<Specialty>,
}

/// One language, or one of several that is to be identified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    Code(&'static Language),
    /// At least two, of different languages.
    Identify(Vec<&'static Language>),
}

impl Wanted {
    /// Reads the fields `language` and `languageOptions`. A tag's letters may be of any case, as RFC 5646 says.
    ///
    /// # Errors
    /// The reason why no transcription is of that language.
    pub fn parse(language: &str, options: &[String]) -> Result<Self, Reason> {
        if language != IDENTIFY {
            if !options.is_empty() {
                return Err(Reason::OptionsWithoutIdentify);
            }
            return find(language).map(Self::Code);
        }
        let mut languages: Vec<&'static Language> =
            Vec::with_capacity(options.len().min(table::LANGUAGES.len()));
        for option in options {
            let option = find(option)?;
            let same = languages.iter().find(|language| primary(language) == primary(option));
            if let Some(same) = same {
                return Err(Reason::TwoDialects(same.code, option.code));
            }
            languages.push(option);
        }
        if languages.len() < 2 {
            return Err(Reason::TooFewOptions);
        }
        Ok(Self::Identify(languages))
    }

    pub(super) fn languages(&self) -> &[&'static Language] {
        match self {
            Self::Code(language) => std::slice::from_ref(language),
            Self::Identify(languages) => languages,
        }
    }

    #[must_use]
    pub const fn identify(&self) -> bool {
        matches!(self, Self::Identify(_))
    }
}

fn find(code: &str) -> Result<&'static Language, Reason> {
    table::find(code).ok_or_else(|| Reason::UnknownLanguage(code.to_owned()))
}

/// The language without its region: `sw` of `sw-KE`.
fn primary(language: &Language) -> &'static str {
    language.code.split('-').next().unwrap_or(language.code)
}

impl Request {
    /// The medical engine where a specialty is given.
    pub(super) fn engine(&self) -> Result<Engine, Reason> {
        match (self.specialty, &self.wanted) {
            (None, _) => Ok(Engine::Standard),
            (Some(_), Wanted::Code(language)) if language.code == table::MEDICAL_LANGUAGE => {
                Ok(Engine::Medical)
            }
            (Some(_), _) => Err(Reason::MedicalLanguage),
        }
    }
}

/// A specialty of the medical engine
/// (<https://docs.aws.amazon.com/chime-sdk/latest/APIReference/API_meeting-chime_EngineTranscribeMedicalSettings.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Specialty {
    PrimaryCare,
    Cardiology,
    Neurology,
    Oncology,
    Radiology,
    Urology,
}

impl Specialty {
    const ALL: [Self; 6] = [
        Self::PrimaryCare,
        Self::Cardiology,
        Self::Neurology,
        Self::Oncology,
        Self::Radiology,
        Self::Urology,
    ];

    /// The spelling in the request to Chime, and in ours.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PrimaryCare => "PRIMARYCARE",
            Self::Cardiology => "CARDIOLOGY",
            Self::Neurology => "NEUROLOGY",
            Self::Oncology => "ONCOLOGY",
            Self::Radiology => "RADIOLOGY",
            Self::Urology => "UROLOGY",
        }
    }
}

/// A text that names no specialty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be PRIMARYCARE, CARDIOLOGY, NEUROLOGY, ONCOLOGY, RADIOLOGY or UROLOGY")]
pub struct NotASpecialty;

impl FromStr for Specialty {
    type Err = NotASpecialty;

    fn from_str(text: &str) -> Result<Self, NotASpecialty> {
        Self::ALL.into_iter().find(|specialty| specialty.as_str() == text).ok_or(NotASpecialty)
    }
}
