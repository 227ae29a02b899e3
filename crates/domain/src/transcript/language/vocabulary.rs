//! The custom vocabularies of a deployment.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::Engine;
use super::table::{self, Language};

/// Vocabularies by engine, language and region: a vocabulary is of one language, lives in one region, and one of the standard engine is
/// none of the medical engine (<https://docs.aws.amazon.com/transcribe/latest/dg/custom-vocabulary.html>). As a parameter:
/// `de-DE/eu-central-1=terms,medical:en-US/us-east-1=medical-terms`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabularies(BTreeMap<(Engine, &'static str, String), String>);

impl Vocabularies {
    pub(super) fn of(&self, engine: Engine, languages: &[&Language], region: &str) -> Vec<String> {
        let name = |language: &&Language| self.0.get(&(engine, language.code, region.to_owned())).cloned();
        languages.iter().filter_map(name).collect()
    }
}

/// A text that is no list of vocabularies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be like de-DE/eu-central-1=name,medical:en-US/us-east-1=name")]
pub struct NotVocabularies;

impl FromStr for Vocabularies {
    type Err = NotVocabularies;

    fn from_str(text: &str) -> Result<Self, NotVocabularies> {
        let mut vocabularies = BTreeMap::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (place, name) = entry.split_once('=').ok_or(NotVocabularies)?;
            let (code, region) = place.split_once('/').ok_or(NotVocabularies)?;
            let (engine, code) = match code.strip_prefix("medical:") {
                Some(code) => (Engine::Medical, code),
                None => (Engine::Standard, code),
            };
            let language = table::find(code).ok_or(NotVocabularies)?;
            if !is_name(name) || region.is_empty() {
                return Err(NotVocabularies);
            }
            let before = vocabularies.insert((engine, language.code, region.to_owned()), name.to_owned());
            if before.is_some() {
                return Err(NotVocabularies);
            }
        }
        Ok(Self(vocabularies))
    }
}

/// `^[0-9a-zA-Z._-]+` of at most 200 characters (<https://docs.aws.amazon.com/transcribe/latest/APIReference/API_CreateVocabulary.html>).
fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=200).contains(&name.len()) && name.chars().all(allowed)
}
