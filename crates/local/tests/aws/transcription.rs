//! Live transcription by the meetings API's client.

use aws_sdk_chimesdkmeetings::Client;
use aws_sdk_chimesdkmeetings::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_chimesdkmeetings::types::{
    EngineTranscribeMedicalSettings, EngineTranscribeSettings, TranscribeLanguageCode,
    TranscribeMedicalLanguageCode, TranscribeMedicalSpecialty, TranscribeMedicalType,
    TranscriptionConfiguration,
};
use local::chime::{EventDelivery, Options};

use crate::fixture::{Fixture, create};

fn code<T: ProvideErrorMetadata, R>(error: &SdkError<T, R>) -> &str {
    error.code().unwrap_or("no code")
}

async fn fixture() -> (Fixture, Client, String) {
    let options = Options { event_delivery: EventDelivery::Immediate, ..Options::default() };
    let fixture = Fixture::with(options).await;
    let client = fixture.chime();
    let made = create(&client, "token-1").send().await.expect("a meeting");
    let id = made.meeting().and_then(|it| it.meeting_id()).expect("it has an id").to_owned();
    (fixture, client, id)
}

fn language(code: &str) -> TranscriptionConfiguration {
    let settings =
        EngineTranscribeSettings::builder().language_code(TranscribeLanguageCode::from(code)).build();
    TranscriptionConfiguration::builder().engine_transcribe_settings(settings).build()
}

fn medical() -> TranscriptionConfiguration {
    let settings = EngineTranscribeMedicalSettings::builder()
        .language_code(TranscribeMedicalLanguageCode::EnUs)
        .specialty(TranscribeMedicalSpecialty::Primarycare)
        .r#type(TranscribeMedicalType::Conversation)
        .build()
        .expect("it has all that it needs");
    TranscriptionConfiguration::builder().engine_transcribe_medical_settings(settings).build()
}

impl Fixture {
    fn transcription_events(&self) -> Vec<String> {
        self.clock.advance(2);
        self.chime.deliver_due_events();
        let events = std::mem::take(&mut *self.events.lock().expect("no test panics here"));
        let names = events.iter().filter_map(|it| it["detail"]["eventType"].as_str());
        names.filter_map(|it| it.strip_prefix("chime:Transcription")).map(ToOwned::to_owned).collect()
    }
}

#[tokio::test]
async fn a_transcription_starts_and_stops_by_events_and_needs_a_star_in_the_role() {
    let (fixture, client, id) = fixture().await;
    let start = || client.start_meeting_transcription().meeting_id(&id);
    start().transcription_configuration(language("sw-KE")).send().await.expect("any code passes");
    assert_eq!(fixture.last_asked(), ("chime:StartMeetingTranscription".to_owned(), None));
    assert_eq!(fixture.transcription_events(), ["Started"]);
    client.stop_meeting_transcription().meeting_id(&id).send().await.expect("it runs");
    assert_eq!(fixture.last_asked(), ("chime:StopMeetingTranscription".to_owned(), None));
    assert_eq!(fixture.transcription_events(), ["Stopped"]);
    let again = client.stop_meeting_transcription().meeting_id(&id).send().await;
    assert_eq!(again.as_ref().map_err(code), Err("UnprocessableEntityException"));
    start().transcription_configuration(medical()).send().await.expect("it is answered first");
    assert_eq!(fixture.transcription_events(), ["Failed"], "eu-central-1 has no Transcribe Medical");
}

#[tokio::test]
async fn an_unknown_meeting_is_not_found_and_a_role_without_the_action_is_refused() {
    let (fixture, client, id) = fixture().await;
    let start = |id: &str| {
        client.start_meeting_transcription().meeting_id(id).transcription_configuration(language("en-US"))
    };
    let unknown = start("00000000-0000-4000-8000-000000000706").send().await;
    assert_eq!(unknown.as_ref().map_err(code), Err("NotFoundException"));
    client.delete_meeting().meeting_id(&id).send().await.expect("it lives");
    let ended = start(&id).send().await;
    assert_eq!(ended.as_ref().map_err(code), Err("NotFoundException"));
    fixture.deny("chime:StartMeetingTranscription");
    let refused = start(&id).send().await;
    assert!(refused.as_ref().map_err(code).is_err_and(|it| it.contains("AccessDenied")), "{refused:?}");
}
