//! Live transcription of a meeting (<https://docs.aws.amazon.com/chime-sdk/latest/dg/meeting-transcription.html>): its states by the
//! engine's clock, and what it makes of the words of a script. `TRANSCRIPTION.md` lists what AWS leaves open.

mod control;
mod fault;
mod input;
mod languages;
mod message;
mod script;
mod speech;
#[cfg(test)]
mod tests;

use local_media::{Caption, CaptionStatus, CaptionStatusKind};
use serde_json::{Value, json};

pub use self::control::{CaptionError, NewCaption};
pub use self::fault::NewTranscriptionFault;
pub(super) use self::fault::TranscriptionFaults;
use self::input::Configuration;
pub(crate) use self::languages::MEDICAL_REGIONS;
pub(crate) use self::script::script_items;
pub(in crate::chime) use self::speech::Speech;
use super::Chime;
use super::error::Refusal;
use super::happening::{Happening, TranscriptionDetail};
use super::media::MediaChange;
use super::meeting::Meeting;
use super::state::State as Engine;

/// From the request to start until it has started or failed; from the request to stop until it has stopped.
const START_MS: i64 = 1_000;
const STOP_MS: i64 = 500;
/// The longest stream of Transcribe (<https://docs.aws.amazon.com/transcribe/latest/dg/limits-guidelines.html>), and the message that was
/// seen after it (<https://github.com/aws/amazon-chime-sdk-js/issues/2454>).
const MAX_STREAM_MS: i64 = 4 * 60 * 60 * 1_000;
const TOO_LONG: &str =
    "LimitExceededException: Your audio stream has been running for too long. It exceeded the 4 hour limit.";
/// The message of AWS's sample of an interruption.
const NO_REASON: &str = "Internal server error";

const NOT_TRANSCRIBED: Refusal = Refusal::Unprocessable("The meeting is not being transcribed.");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Running,
    Interrupted,
    Stopping,
    Stopped,
    Failed,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// Whether it has neither ended nor been asked to.
    const fn is_active(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Interrupted)
    }

    /// Whether words become text. Until it has stopped they do.
    const fn transcribes(self) -> bool {
        matches!(self, Self::Running | Self::Stopping)
    }
}

/// A planned change, with the message of its event.
type Step = (i64, CaptionStatusKind, Option<String>);

/// The transcription of a meeting.
#[derive(Debug)]
pub(in crate::chime) struct Transcription {
    configuration: Configuration,
    state: State,
    message: Option<String>,
    /// In the order of their times.
    steps: Vec<Step>,
    /// It says that it runs, and makes no text.
    silent: bool,
    /// Members of its messages begin with capital letters.
    pascal_case: bool,
}

impl Transcription {
    fn new(configuration: Configuration, now_ms: i64) -> Self {
        let (kind, message) = match &configuration.failure {
            None => (CaptionStatusKind::Started, None),
            Some(message) => (CaptionStatusKind::Failed, Some(message.clone())),
        };
        Self {
            configuration,
            state: State::Starting,
            message: None,
            steps: vec![(now_ms + START_MS, kind, message)],
            silent: false,
            pascal_case: false,
        }
    }

    fn plan(&mut self, at_ms: i64, kind: CaptionStatusKind, message: Option<String>) {
        self.steps.push((at_ms, kind, message));
        self.steps.sort_by_key(|(at_ms, ..)| *at_ms);
    }

    /// As `GET /_local/chime/meetings` lists it.
    pub(super) fn listed(&self) -> Value {
        json!({
            "state": self.state.name(),
            "region": self.configuration.region,
            "configuration": self.configuration.text,
            "message": self.message,
        })
    }
}

/// The event of a change, without `chime:`.
const fn event_name(kind: CaptionStatusKind) -> &'static str {
    match kind {
        CaptionStatusKind::Started => "TranscriptionStarted",
        CaptionStatusKind::Interrupted => "TranscriptionInterrupted",
        CaptionStatusKind::Resumed => "TranscriptionResumed",
        CaptionStatusKind::Stopped => "TranscriptionStopped",
        CaptionStatusKind::Failed => "TranscriptionFailed",
    }
}

impl Chime {
    /// `StartMeetingTranscription`: 200 before anything runs. While one runs it changes the configuration, and there is a further event
    /// `TranscriptionStarted` (<https://docs.aws.amazon.com/chime-sdk/latest/dg/transcription-events.html>).
    pub(super) fn start_transcription(
        &self,
        engine: &mut Engine,
        region: &str,
        meeting: &str,
        body: &[u8],
    ) -> Result<Value, Refusal> {
        let now_ms = self.clock.now_ms();
        let media_region = engine.live(region, meeting)?.media_region.clone();
        let configuration = Configuration::read(body, &media_region)?;
        let mut new = Transcription::new(configuration, now_ms);
        engine.transcription_faults.apply(&mut new, now_ms);
        let meeting = engine.live(region, meeting)?;
        match meeting.transcription.as_ref().map(|it| it.state) {
            Some(State::Running | State::Interrupted) => new.state = State::Running,
            Some(State::Stopping) => meeting.change_transcription(CaptionStatusKind::Stopped, None, now_ms),
            Some(State::Starting | State::Stopped | State::Failed) | None => {}
        }
        meeting.transcription = Some(new);
        Ok(Value::Null)
    }
}

impl Meeting {
    /// `StopMeetingTranscription`.
    pub(super) fn stop_transcription(&mut self, now_ms: i64) -> Result<(), Refusal> {
        let active = self.transcription.as_mut().filter(|it| it.state.is_active());
        let transcription = active.ok_or(NOT_TRANSCRIBED)?;
        transcription.state = State::Stopping;
        transcription.steps.clear();
        transcription.plan(now_ms + STOP_MS, CaptionStatusKind::Stopped, None);
        Ok(())
    }

    /// The meeting has ended, and the transcription with it.
    pub(super) fn end_transcription(&mut self, at_ms: i64) {
        let Some(transcription) = &mut self.transcription else { return };
        transcription.steps.clear();
        match transcription.state {
            State::Running | State::Interrupted | State::Stopping => {
                self.change_transcription(CaptionStatusKind::Stopped, None, at_ms);
            }
            State::Starting => transcription.state = State::Stopped,
            State::Stopped | State::Failed => {}
        }
    }

    /// The state after the last event of the transcription; `None`: nobody has started one.
    pub(super) fn transcription_detail(
        &self,
        kind: CaptionStatusKind,
        message: Option<String>,
    ) -> Option<TranscriptionDetail> {
        let configuration = &self.transcription.as_ref()?.configuration;
        let has_reason = matches!(kind, CaptionStatusKind::Interrupted | CaptionStatusKind::Failed);
        Some(TranscriptionDetail {
            region: configuration.region.clone(),
            configuration: configuration.text.clone(),
            message: has_reason.then(|| message.unwrap_or_else(|| NO_REASON.to_owned())),
        })
    }

    /// The transcription becomes what the event says, and everyone in the meeting gets a message of it. The caller sends the event.
    pub(super) fn set_transcription(&mut self, kind: CaptionStatusKind, message: Option<String>, at_ms: i64) {
        let Some(transcription) = &mut self.transcription else { return };
        transcription.state = match kind {
            CaptionStatusKind::Started | CaptionStatusKind::Resumed => State::Running,
            CaptionStatusKind::Interrupted => State::Interrupted,
            CaptionStatusKind::Stopped => State::Stopped,
            CaptionStatusKind::Failed => State::Failed,
        };
        transcription.message.clone_from(&message);
        match kind {
            CaptionStatusKind::Started => {
                // The control API may be faster than the clock.
                transcription.steps.retain(|(_, planned, _)| *planned != kind);
                transcription.plan(
                    at_ms + MAX_STREAM_MS,
                    CaptionStatusKind::Failed,
                    Some(TOO_LONG.to_owned()),
                );
            }
            CaptionStatusKind::Stopped | CaptionStatusKind::Failed => transcription.steps.clear(),
            CaptionStatusKind::Interrupted | CaptionStatusKind::Resumed => {}
        }
        let caption = Caption::Status(CaptionStatus {
            kind,
            at_ms,
            region: transcription.configuration.region.clone(),
            configuration: transcription.configuration.text.clone(),
            message,
        });
        self.speech.add_line(at_ms, message::line(&caption, transcription.pascal_case));
        self.media_changes.push(MediaChange::Caption(Box::new(caption)));
    }

    /// As [`Self::set_transcription`], with the event.
    fn change_transcription(&mut self, kind: CaptionStatusKind, message: Option<String>, at_ms: i64) {
        let Some(detail) = self.transcription_detail(kind, message) else { return };
        self.happened.push(Happening::of_transcription(event_name(kind), detail.clone(), at_ms));
        self.set_transcription(kind, detail.message, at_ms);
    }

    /// When the transcription changes or something is said. `None`: never, unless somebody asks for it.
    pub(super) fn next_speech_ms(&self) -> Option<i64> {
        let live = self.live();
        let step = self.transcription.iter().filter_map(|it| it.steps.first().map(|(at_ms, ..)| *at_ms));
        step.chain(self.speech.next_ms()).min().filter(|_| live)
    }

    /// Changes the transcription and says what is due, in the order of the times.
    pub(super) fn advance_speech(&mut self, until_ms: i64) {
        while let Some(at_ms) = self.next_speech_ms().filter(|at_ms| *at_ms <= until_ms) {
            let due =
                self.transcription.as_mut().filter(|it| it.steps.first().is_some_and(|it| it.0 == at_ms));
            match due.map(|it| it.steps.remove(0)) {
                Some((_, kind, message)) => self.change_transcription(kind, message, at_ms),
                None => self.say(at_ms),
            }
        }
    }

    /// Takes the next entry of the script.
    fn say(&mut self, at_ms: i64) {
        let Some(words) = self.speech.take(at_ms, &mut self.media_changes) else { return };
        let caption = match &self.transcription {
            // A script alone, for tests of the page.
            None => Some(words),
            Some(transcription) if transcription.state.transcribes() && !transcription.silent => {
                let caption = Caption::Words(transcription.configuration.present(words));
                self.speech.add_line(at_ms, message::line(&caption, transcription.pascal_case));
                self.media_changes.push(MediaChange::Caption(Box::new(caption)));
                None
            }
            Some(_) => None,
        };
        if let Some(words) = caption {
            self.media_changes.push(MediaChange::Caption(Box::new(Caption::Words(words))));
        }
    }
}
