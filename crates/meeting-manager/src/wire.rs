//! JSON in.

use calls::NewCall;
use calls::request::{CapabilitiesWish, Object};
use domain::Error;
use domain::capabilities::CapabilityChange;
use domain::id::{AppointmentId, UserId};
use domain::invite::Terms;
use domain::state::ObserverKind;
use serde::de::value::StringDeserializer;
use serde::{Deserialize, Deserializer};

/// What a body of `POST /meetings` wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    Create,
    Join,
    Leave,
    End,
    GetStatus,
    GetLink,
    BatchJoin,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ActionBody {
    #[serde(deserialize_with = "runtime::word")]
    pub(crate) action: Action,
}

/// The body of a start.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StartBody {
    #[serde(default)]
    enable_recording: bool,
    #[serde(default)]
    enable_transcription: bool,
    transcription_language: Option<String>,
    #[serde(default)]
    checked: bool,
}

/// What the action `create` has beside the body of a start. Not one struct with it: a flattened one cannot say which
/// field is wrong.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateBody {
    pub(crate) appointment_id: AppointmentId,
}

/// The body of the action `get-link`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkBody {
    pub(crate) appointment_id: AppointmentId,
}

/// The body of the action `batch-join`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchJoinBody {
    pub(crate) appointment_id: AppointmentId,
    pub(crate) user_ids: Vec<UserId>,
    #[serde(default, deserialize_with = "some_word")]
    observer_kind: Option<ObserverKind>,
    capabilities: Option<Object<CapabilitiesWish>>,
}

/// A word of a closed set, or null.
fn some_word<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let Some(word) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    T::deserialize(StringDeserializer::new(word)).map(Some)
}

impl BatchJoinBody {
    pub(crate) fn terms(&self) -> Result<Terms, Error> {
        let wish = self.capabilities.map(|wish| CapabilityChange::from(wish.0).checked()).transpose()?;
        Ok(Terms { observer_kind: self.observer_kind, capabilities: wish.unwrap_or_default() })
    }
}

impl StartBody {
    pub(crate) fn for_appointment(self, appointment: AppointmentId) -> Result<NewCall, Error> {
        if let Some(language) = &self.transcription_language {
            language_tag(language)?;
        }
        Ok(NewCall {
            appointment,
            recording: self.enable_recording,
            transcription: self.enable_transcription,
            transcription_language: self.transcription_language,
            checked: self.checked,
        })
    }
}

/// A language tag like `en-US`. Whether live transcription knows the language is for the transcription to say.
fn language_tag(text: &str) -> Result<(), Error> {
    let mut parts = text.split('-');
    let letters = |part: &str| part.chars().all(|character| character.is_ascii_alphabetic());
    let language = parts.next().is_some_and(|part| matches!(part.len(), 2 | 3) && letters(part));
    let plain = |part: &str| part.chars().all(|character| character.is_ascii_alphanumeric());
    let plausible =
        text.len() <= 16 && language && parts.all(|part| matches!(part.len(), 2..=8) && plain(part));
    if plausible {
        Ok(())
    } else {
        Err(Error::invalid("transcriptionLanguage", "must be a language tag like en-US"))
    }
}
