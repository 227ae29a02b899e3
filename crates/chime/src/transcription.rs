//! Live transcription of a meeting.
//!
//! The answer to a start says only that Chime accepted it
//! (<https://docs.aws.amazon.com/chime-sdk/latest/APIReference/API_meeting-chime_StartMeetingTranscription.html>).

use aws_sdk_chimesdkmeetings::types as sdk;
use domain::id::ChimeMeetingId;
use domain::transcript::language::Engine;
use domain::transcript::settings::LiveSettings;

use crate::Error;
use crate::meetings::{DEADLINE, Meetings, incomplete, not_found_as};

impl Meetings {
    /// Starts the transcription of a meeting.
    ///
    /// # Errors
    /// `NotFound` where the meeting has ended, `Conflict` where it is being transcribed; see [`Error::without_effect`].
    pub async fn start_transcription(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        settings: &LiveSettings,
    ) -> Result<(), Error> {
        let configuration = configuration(settings)?;
        self.send(DEADLINE, || {
            self.client(control_region)
                .start_meeting_transcription()
                .meeting_id(meeting.to_string())
                .transcription_configuration(configuration.clone())
                .send()
        })
        .await
        .map(drop)
    }

    /// Stops the transcription of a meeting. One that is not transcribed, or has ended, is no error.
    ///
    /// # Errors
    /// When Chime may still transcribe.
    pub async fn stop_transcription(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
    ) -> Result<(), Error> {
        self.send(DEADLINE, || {
            self.client(control_region).stop_meeting_transcription().meeting_id(meeting.to_string()).send()
        })
        .await
        .map(drop)
        .or_else(not_found_as(()))
        .or_else(|error| match error {
            // The model has this error and does not say when: there is nothing to stop.
            Error::Refused { code, .. } if code == "UnprocessableEntityException" => Ok(()),
            error => Err(error),
        })
    }
}

/// Exactly one engine. An engine that marks content has one type of it: PII, or PHI of the medical one.
fn configuration(settings: &LiveSettings) -> Result<sdk::TranscriptionConfiguration, Error> {
    let LiveSettings { engine, code, options, region, vocabularies, identify_content, specialty } = settings;
    let configuration = sdk::TranscriptionConfiguration::builder();
    Ok(match engine {
        Engine::Standard => {
            let identified = (!options.is_empty()).then(|| options.join(","));
            let engine = sdk::EngineTranscribeSettings::builder()
                .set_language_code(code.as_deref().map(sdk::TranscribeLanguageCode::from))
                .set_identify_language(code.is_none().then_some(true))
                .set_language_options(identified)
                .region(region.as_str().into())
                // With several languages a vocabulary is named for each of them.
                .set_vocabulary_name(vocabularies.first().filter(|_| code.is_some()).cloned())
                .set_vocabulary_names(
                    (code.is_none() && !vocabularies.is_empty()).then(|| vocabularies.join(",")),
                )
                .set_content_identification_type(
                    identify_content.then_some(sdk::TranscribeContentIdentificationType::Pii),
                )
                .build();
            configuration.engine_transcribe_settings(engine).build()
        }
        Engine::Medical => {
            let specialty = specialty.as_deref().unwrap_or("PRIMARYCARE");
            let engine = sdk::EngineTranscribeMedicalSettings::builder()
                .language_code(code.as_deref().unwrap_or("en-US").into())
                .specialty(specialty.into())
                .r#type(sdk::TranscribeMedicalType::Conversation)
                .region(region.as_str().into())
                .set_vocabulary_name(vocabularies.first().cloned())
                .set_content_identification_type(
                    identify_content.then_some(sdk::TranscribeMedicalContentIdentificationType::Phi),
                )
                .build()
                .map_err(incomplete)?;
            configuration.engine_transcribe_medical_settings(engine).build()
        }
    })
}
