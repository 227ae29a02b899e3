//! Meetings and attendees.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_chimesdkmeetings::Client;
use aws_sdk_chimesdkmeetings::config::Region;
use aws_sdk_chimesdkmeetings::types::CreateAttendeeRequestItem;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use domain::call::Attendee;
use domain::id::{ChimeAttendeeId, ChimeMeetingId, SessionId, UserId};
use serde_json::Value;

use crate::Error;
use crate::raw::RawAnswer;

/// Making a meeting may take its time; a session waits for it.
const CREATE_DEADLINE: Duration = Duration::from_secs(10);
/// The rest is quick or not at all.
const DEADLINE: Duration = Duration::from_secs(4);
/// Concurrent calls with one token can be told `ConflictException`; the other call is done soon.
const CONFLICT_PAUSE: Duration = Duration::from_millis(200);

/// For a run that must be over before the function's time is.
const RUN_DEADLINE: Duration = Duration::from_secs(3);

/// The meetings API, in every control region. Cheap to clone; clones share their clients.
#[derive(Clone, Debug)]
pub struct Meetings {
    sdk: SdkConfig,
    clients: Arc<Mutex<HashMap<String, Client>>>,
}

/// What a meeting is made from.
#[derive(Clone, Copy, Debug)]
pub struct NewMeeting<'a> {
    /// The idempotency token: one session, one meeting.
    pub session: SessionId,
    /// The only region in which the meeting can be asked for or changed later.
    pub control_region: &'a str,
    /// Where the media flows.
    pub media_region: &'a str,
    /// Opaque: no personal or health data. At most 64 characters.
    pub external_id: &'a str,
    /// The first attendee.
    pub user: UserId,
}

/// A meeting.
#[derive(Clone, Debug)]
pub struct Meeting {
    /// Its id.
    pub id: ChimeMeetingId,
    /// Chime's `Meeting` object.
    pub json: Value,
}

/// A meeting that was made, with its first attendee; without one when the token gave a meeting made before.
#[derive(Clone, Debug)]
pub struct Made {
    /// The meeting.
    pub meeting: Meeting,
    /// The attendee.
    pub attendee: Option<Attendee>,
}

impl Meetings {
    /// Builds the client of the region the function runs in; those of other control regions are built on use.
    #[must_use]
    pub fn new(sdk: SdkConfig) -> Self {
        let meetings = Self { sdk, clients: Arc::default() };
        if let Some(region) = meetings.sdk.region().cloned() {
            let _built = meetings.client(region.as_ref());
        }
        meetings
    }

    fn client(&self, region: &str) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(region.to_owned()).or_insert_with(|| {
            let config = aws_sdk_chimesdkmeetings::config::Builder::from(&self.sdk)
                .region(Region::new(region.to_owned()))
                .build();
            Client::from_conf(config)
        });
        client.clone()
    }

    /// Makes the meeting of a session with its first attendee. The same session gives the same meeting, as long as
    /// Chime remembers its token; that may also be one that is over.
    ///
    /// # Errors
    /// See [`Error::without_effect`] for what a failure tells.
    pub async fn create(&self, new: NewMeeting<'_>) -> Result<Made, Error> {
        let attendee = CreateAttendeeRequestItem::builder()
            .external_user_id(new.user.to_string())
            .build()
            .map_err(|error| Error::Refused { code: "incomplete".to_owned(), source: Box::new(error) })?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let raw = RawAnswer::default();
            let call = self
                .client(new.control_region)
                .create_meeting_with_attendees()
                .client_request_token(new.session.to_string())
                .media_region(new.media_region)
                .external_meeting_id(new.external_id)
                .attendees(attendee.clone())
                .customize()
                .config_override(deadline(CREATE_DEADLINE))
                .interceptor(raw.clone());
            match call.send().await.map_err(Error::of) {
                Ok(_) => {
                    let mut answer = raw.take();
                    let attendee = answer["Attendees"].get_mut(0).map(Value::take).map(Attendee::new);
                    return Ok(Made { meeting: meeting(&mut answer)?, attendee });
                }
                Err(Error::Conflict(_)) if attempts < 3 => tokio::time::sleep(CONFLICT_PAUSE).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes an attendee. Two calls make two, so the caller stores and reuses what it got.
    ///
    /// # Errors
    /// `NotFound` when the meeting is over.
    pub async fn create_attendee(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        user: UserId,
    ) -> Result<Attendee, Error> {
        let raw = RawAnswer::default();
        self.client(control_region)
            .create_attendee()
            .meeting_id(meeting.to_string())
            .external_user_id(user.to_string())
            .customize()
            .config_override(deadline(DEADLINE))
            .interceptor(raw.clone())
            .send()
            .await
            .map_err(Error::of)?;
        Ok(Attendee::new(raw.take()["Attendee"].take()))
    }

    /// Makes attendees for several users in one call, 10 at most. Chime may make some and not others: who is not among
    /// the answer got none. Two calls make two, so the caller stores and reuses what it got.
    ///
    /// # Errors
    /// `NotFound` when the meeting is over.
    pub async fn create_attendees(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        users: &[UserId],
    ) -> Result<Vec<(UserId, Attendee)>, Error> {
        let item =
            |user: &UserId| CreateAttendeeRequestItem::builder().external_user_id(user.to_string()).build();
        let items = users
            .iter()
            .map(item)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Error::Refused { code: "incomplete".to_owned(), source: Box::new(error) })?;
        let raw = RawAnswer::default();
        let answer = self
            .client(control_region)
            .batch_create_attendee()
            .meeting_id(meeting.to_string())
            .set_attendees(Some(items))
            .customize()
            .config_override(deadline(DEADLINE))
            .interceptor(raw.clone())
            .send()
            .await
            .map_err(Error::of)?;
        for error in answer.errors() {
            tracing::warn!(
                user = error.external_user_id(),
                code = error.error_code(),
                "chime made no attendee"
            );
        }
        let made = match raw.take()["Attendees"].take() {
            Value::Array(made) => made,
            _ => Vec::new(),
        };
        let whose = |json: Value| Some((json["ExternalUserId"].as_str()?.parse().ok()?, Attendee::new(json)));
        Ok(made.into_iter().filter_map(whose).collect())
    }

    /// Whether Chime knows the meeting. Asking does not keep it alive.
    ///
    /// # Errors
    /// Everything but "no".
    pub async fn is_live(&self, control_region: &str, meeting: ChimeMeetingId) -> Result<bool, Error> {
        self.ask(control_region, meeting, deadline(DEADLINE)).await
    }

    /// The same in a single request, for a caller that keeps to a rate of its own: a retry would not be counted.
    ///
    /// # Errors
    /// Everything but "no".
    pub async fn is_live_once(&self, control_region: &str, meeting: ChimeMeetingId) -> Result<bool, Error> {
        let once = deadline(RUN_DEADLINE).retry_config(RetryConfig::disabled());
        self.ask(control_region, meeting, once).await
    }

    async fn ask(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        config: aws_sdk_chimesdkmeetings::config::Builder,
    ) -> Result<bool, Error> {
        let answer = self
            .client(control_region)
            .get_meeting()
            .meeting_id(meeting.to_string())
            .customize()
            .config_override(config)
            .send()
            .await
            .map_err(Error::of);
        match answer {
            Ok(_) => Ok(true),
            Err(Error::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends a meeting. One that is over already is no error.
    ///
    /// # Errors
    /// When it may still live.
    pub async fn delete(&self, control_region: &str, meeting: ChimeMeetingId) -> Result<(), Error> {
        self.end(control_region, meeting, deadline(DEADLINE)).await
    }

    /// The same in a single request, for a caller that keeps to a rate of its own.
    ///
    /// # Errors
    /// When it may still live.
    pub async fn delete_once(&self, control_region: &str, meeting: ChimeMeetingId) -> Result<(), Error> {
        let once = deadline(RUN_DEADLINE).retry_config(RetryConfig::disabled());
        self.end(control_region, meeting, once).await
    }

    async fn end(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        config: aws_sdk_chimesdkmeetings::config::Builder,
    ) -> Result<(), Error> {
        let answer = self
            .client(control_region)
            .delete_meeting()
            .meeting_id(meeting.to_string())
            .customize()
            .config_override(config)
            .send()
            .await
            .map_err(Error::of);
        match answer {
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes an attendee's token away. One that is gone already is no error.
    ///
    /// # Errors
    /// When the token may still be good.
    pub async fn delete_attendee(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        attendee: ChimeAttendeeId,
    ) -> Result<(), Error> {
        let answer = self
            .client(control_region)
            .delete_attendee()
            .meeting_id(meeting.to_string())
            .attendee_id(attendee.to_string())
            .customize()
            .config_override(deadline(DEADLINE))
            .send()
            .await
            .map_err(Error::of);
        match answer {
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn deadline(all: Duration) -> aws_sdk_chimesdkmeetings::config::Builder {
    let timeouts = TimeoutConfig::builder().operation_timeout(all).build();
    aws_sdk_chimesdkmeetings::Config::builder().timeout_config(timeouts)
}

fn meeting(answer: &mut Value) -> Result<Meeting, Error> {
    let json = answer["Meeting"].take();
    match json["MeetingId"].as_str().and_then(|id| id.parse().ok()) {
        Some(id) => Ok(Meeting { id, json }),
        None => Err(Error::Unavailable("an answer without a meeting's id".into())),
    }
}
