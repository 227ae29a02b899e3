//! The script of a meeting by the control API: who says what, and when.

use local_media::{CaptionEntity, CaptionItem, CaptionStatus, CaptionStatusKind, CaptionWords};
use serde::Deserialize;

use super::script::items;
use super::speech::Entry;
use crate::chime::Chime;
use crate::chime::meeting::Meeting;

/// So long a word takes, where the script does not say it.
const WORD_MS: i64 = 300;
/// The score of an identified language.
const LANGUAGE_SCORE: f64 = 0.97;
const DEFAULT_CONFIDENCE: f64 = 0.98;

/// A step of a script: `{"state": "started"}`, or words of a speaker. Times are milliseconds after the script's start.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum NewCaption {
    /// A message for the people in the meeting alone: the transcription itself is started by the API.
    Status {
        state: NewStatus,
        #[serde(default)]
        after_ms: u32,
    },
    Words(Box<NewWords>),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NewStatus {
    Started,
    Interrupted,
    Resumed,
    Stopped,
    Failed,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewWords {
    attendee_id: String,
    /// The attendee's own when absent.
    external_user_id: Option<String>,
    text: String,
    /// A later step with the same id replaces the words.
    result_id: String,
    #[serde(default)]
    partial: bool,
    /// When the text comes.
    #[serde(default)]
    after_ms: u32,
    /// When it was said: before it comes, an hour before if need be. When absent it was said until then.
    start_ms: Option<i64>,
    end_ms: Option<i64>,
    /// Where the language is identified.
    language: Option<String>,
    confidence: Option<f64>,
    /// The words of the text when absent.
    items: Option<Vec<NewItem>>,
    #[serde(default)]
    entities: Vec<NewEntity>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewItem {
    content: String,
    /// The speaker's of the step when absent.
    attendee_id: Option<String>,
    start_ms: Option<i64>,
    end_ms: Option<i64>,
    confidence: Option<f64>,
    stable: Option<bool>,
    #[serde(default)]
    punctuation: bool,
}

/// It is in the text only where the transcription identifies or redacts.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewEntity {
    /// As in the text.
    content: String,
    /// `NAME`, for example.
    r#type: Option<String>,
    confidence: Option<f64>,
}

/// Why a script is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptionError {
    #[error("there is no live meeting {0}")]
    NoMeeting(String),
    #[error("the meeting never had an attendee {0}: externalUserId gives one who is not known")]
    NoAttendee(String),
}

impl Chime {
    /// Has people in a meeting say this, from now on.
    pub fn add_captions(&self, meeting_id: &str, script: Vec<NewCaption>) -> Result<(), CaptionError> {
        let now_ms = self.clock.now_ms();
        {
            let mut state = self.current_state();
            let live = state.meetings.iter_mut().find(|it| it.id == meeting_id && it.live());
            let meeting = live.ok_or_else(|| CaptionError::NoMeeting(meeting_id.to_owned()))?;
            let steps: Result<Vec<_>, _> =
                script.into_iter().map(|step| entries(meeting, step, now_ms)).collect();
            for (at_ms, entry) in steps?.into_iter().flatten() {
                meeting.speech.plan(at_ms, entry);
            }
        }
        self.deliver_and_wake();
        Ok(())
    }
}

fn entries(meeting: &Meeting, step: NewCaption, now_ms: i64) -> Result<Vec<(i64, Entry)>, CaptionError> {
    let words = match step {
        NewCaption::Words(words) => *words,
        NewCaption::Status { state, after_ms } => {
            let at_ms = now_ms + i64::from(after_ms);
            let status = CaptionStatus {
                kind: state.into(),
                at_ms,
                region: meeting.media_region.clone(),
                configuration: "{}".to_owned(),
                message: None,
            };
            return Ok(vec![(at_ms, Entry::Status(status))]);
        }
    };
    let speaker = |attendee_id: &str| match &words.external_user_id {
        Some(external_id) => Ok((attendee_id.to_owned(), external_id.clone())),
        None => speaker(meeting, attendee_id),
    };
    let own = speaker(&words.attendee_id)?;
    let at_ms = now_ms + i64::from(words.after_ms);
    let count = i64::try_from(words.text.split_whitespace().count()).unwrap_or_default();
    let end_ms = words.end_ms.map_or_else(
        || words.start_ms.map_or(at_ms, |start_ms| (now_ms + start_ms + count * WORD_MS).min(at_ms)),
        |end_ms| now_ms + end_ms,
    );
    let start_ms = words.start_ms.map_or(end_ms - count * WORD_MS, |start_ms| now_ms + start_ms);
    let confidence = words.confidence.unwrap_or(DEFAULT_CONFIDENCE);
    let items = match &words.items {
        None => items(&words.text, &own, (start_ms, end_ms), Some(confidence)),
        Some(given) => given
            .iter()
            .map(|it| {
                let (attendee_id, external_user_id) =
                    it.attendee_id.as_deref().map_or(Ok(own.clone()), speaker)?;
                Ok(CaptionItem {
                    content: it.content.clone(),
                    punctuation: it.punctuation,
                    start_ms: it.start_ms.map_or(start_ms, |at| now_ms + at),
                    end_ms: it.end_ms.map_or(end_ms, |at| now_ms + at),
                    attendee_id,
                    external_user_id,
                    confidence: it.confidence,
                    stable: it.stable,
                })
            })
            .collect::<Result<_, CaptionError>>()?,
    };
    let entity = |it: NewEntity| CaptionEntity {
        category: "PII".to_owned(),
        kind: it.r#type,
        content: it.content,
        confidence: it.confidence.unwrap_or(DEFAULT_CONFIDENCE),
        start_ms,
        end_ms,
    };
    let caption = CaptionWords {
        result_id: words.result_id,
        partial: words.partial,
        start_ms,
        end_ms,
        transcript: words.text,
        items,
        entities: words.entities.into_iter().map(entity).collect(),
        language: words.language.map(|code| (code, LANGUAGE_SCORE)),
    };
    // Nobody speaks before the script begins.
    let begins = (start_ms.max(now_ms), Entry::Speaker(own.0));
    Ok(vec![begins, (at_ms, Entry::Words(Box::new(caption)))])
}

/// An attendee of the meeting and their user, also one who has been deleted.
fn speaker(meeting: &Meeting, attendee_id: &str) -> Result<(String, String), CaptionError> {
    let base = attendee_id.strip_suffix("#content").unwrap_or(attendee_id);
    let known = meeting.attendees.iter().find(|it| it.id == base);
    let known = known.ok_or_else(|| CaptionError::NoAttendee(attendee_id.to_owned()))?;
    Ok((attendee_id.to_owned(), known.external_id.clone()))
}

impl From<NewStatus> for CaptionStatusKind {
    fn from(status: NewStatus) -> Self {
        match status {
            NewStatus::Started => Self::Started,
            NewStatus::Interrupted => Self::Interrupted,
            NewStatus::Resumed => Self::Resumed,
            NewStatus::Stopped => Self::Stopped,
            NewStatus::Failed => Self::Failed,
        }
    }
}
