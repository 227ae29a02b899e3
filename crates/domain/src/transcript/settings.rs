//! The settings of a run: what was asked for, and what the service is asked for. They are stored with the run, so that a start that is
//! repeated is the same one.

use serde::{Deserialize, Serialize};

use crate::transcript::language::{Engine, Live};

/// The request to Chime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveSettings {
    pub engine: Engine,
    /// `None`: Transcribe identifies the language among `options`.
    pub code: Option<String>,
    /// Two or more, one dialect of each language.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Never `auto`, which crosses borders.
    pub region: String,
    /// At most one for each code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vocabularies: Vec<String>,
    /// Whether personal (standard) or health (medical) data is marked.
    pub identify_content: bool,
    /// Of the medical engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specialty: Option<String>,
}

impl From<Live> for LiveSettings {
    fn from(live: Live) -> Self {
        let codes: Vec<String> = live.codes.iter().map(|code| (*code).to_owned()).collect();
        let (code, options) =
            if live.identify { (None, codes) } else { (codes.into_iter().next(), Vec::new()) };
        Self {
            engine: live.engine,
            code,
            options,
            region: live.region,
            vocabularies: live.vocabularies,
            identify_content: live.content_type.is_some(),
            specialty: live.specialty.map(|specialty| specialty.as_str().to_owned()),
        }
    }
}

/// The settings of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSettings {
    /// The language that was asked for, or `identify`.
    pub language: String,
    /// `None`: the text is made after the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<LiveSettings>,
    /// Whether no attempt with this language in this region has succeeded yet.
    #[serde(default)]
    pub unconfirmed: bool,
}
