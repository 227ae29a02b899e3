//! Meetings and attendees.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_chimesdkmeetings::Client;
use aws_sdk_chimesdkmeetings::config::Region;
use aws_sdk_chimesdkmeetings::types::{AttendeeCapabilities, CreateAttendeeRequestItem, MediaCapabilities};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use domain::call::Attendee;
use domain::capabilities::{Capabilities, Direction};
use domain::id::{ChimeAttendeeId, ChimeMeetingId, SessionId, UserId};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::Error;
use crate::raw::RawAnswer;

/// How long making a meeting may take in all, waiting one's turn included; the function has 20 s for the whole request.
const CREATE_DEADLINE: Duration = Duration::from_secs(9);
/// The same for the rest.
const DEADLINE: Duration = Duration::from_secs(8);
/// Asking whether a meeting lives is a courtesy: who cannot be answered soon is believed.
const ASK_DEADLINE: Duration = Duration::from_millis(2500);
/// How long one attempt may take: a pooled connection that died is found out within this time.
const ATTEMPT: Duration = Duration::from_millis(2500);
/// Chime allows an account 10 requests a second. A clinic whose calls all begin on the hour meets that limit: waiting a
/// few seconds for one's turn is better than an error. The SDK retries three times and gives up within a second, as is
/// right where Chime is down; a throttled call goes on asking until its deadline, at random moments up to so far apart.
const TURN_PAUSE: Duration = Duration::from_secs(1);
/// What one more answer takes: with less time left, the caller hears "throttled" and not "no answer".
const ANSWER: Duration = Duration::from_millis(500);
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
                .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build())
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
            .map_err(incomplete)?;
        let raw = RawAnswer::default();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let answer = in_turn(CREATE_DEADLINE, || {
                self.client(new.control_region)
                    .create_meeting_with_attendees()
                    .client_request_token(new.session.to_string())
                    .media_region(new.media_region)
                    .external_meeting_id(new.external_id)
                    .attendees(attendee.clone())
                    .customize()
                    .interceptor(raw.clone())
                    .send()
            })
            .await;
            match answer {
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
        capabilities: Capabilities,
    ) -> Result<Attendee, Error> {
        let raw = RawAnswer::default();
        let capabilities = chime_s(capabilities)?;
        in_turn(DEADLINE, || {
            self.client(control_region)
                .create_attendee()
                .meeting_id(meeting.to_string())
                .external_user_id(user.to_string())
                .capabilities(capabilities.clone())
                .customize()
                .interceptor(raw.clone())
                .send()
        })
        .await?;
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
        users: &[(UserId, Capabilities)],
    ) -> Result<Vec<(UserId, Attendee)>, Error> {
        let item = |(user, capabilities): &(UserId, Capabilities)| {
            CreateAttendeeRequestItem::builder()
                .external_user_id(user.to_string())
                .capabilities(chime_s(*capabilities)?)
                .build()
                .map_err(incomplete)
        };
        let items = users.iter().map(item).collect::<Result<Vec<_>, _>>()?;
        let raw = RawAnswer::default();
        let answer = in_turn(DEADLINE, || {
            self.client(control_region)
                .batch_create_attendee()
                .meeting_id(meeting.to_string())
                .set_attendees(Some(items.clone()))
                .customize()
                .interceptor(raw.clone())
                .send()
        })
        .await?;
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
        in_turn(ASK_DEADLINE, || {
            self.client(control_region).get_meeting().meeting_id(meeting.to_string()).send()
        })
        .await
        .map(|_| true)
        .or_else(gone(false))
    }

    /// The same in a single request, for a caller that keeps to a rate of its own: a retry would not be counted.
    ///
    /// # Errors
    /// Everything but "no".
    pub async fn is_live_once(&self, control_region: &str, meeting: ChimeMeetingId) -> Result<bool, Error> {
        let answer = self.client(control_region).get_meeting().meeting_id(meeting.to_string()).customize();
        let answer = answer.config_override(once()).send().await.map_err(Error::of);
        answer.map(|_| true).or_else(gone(false))
    }

    /// Ends a meeting. One that is over already is no error.
    ///
    /// # Errors
    /// When it may still live.
    pub async fn delete(&self, control_region: &str, meeting: ChimeMeetingId) -> Result<(), Error> {
        in_turn(DEADLINE, || {
            self.client(control_region).delete_meeting().meeting_id(meeting.to_string()).send()
        })
        .await
        .map(drop)
        .or_else(gone(()))
    }

    /// The same in a single request, for a caller that keeps to a rate of its own.
    ///
    /// # Errors
    /// When it may still live.
    pub async fn delete_once(&self, control_region: &str, meeting: ChimeMeetingId) -> Result<(), Error> {
        let answer = self.client(control_region).delete_meeting().meeting_id(meeting.to_string()).customize();
        let answer = answer.config_override(once()).send().await.map_err(Error::of);
        answer.map(drop).or_else(gone(()))
    }

    /// Changes what an attendee may send and receive. One that is gone, or whose meeting is, is no error: nobody sends
    /// there.
    ///
    /// # Errors
    /// When they may have the capabilities that they had.
    pub async fn set_capabilities(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        attendee: ChimeAttendeeId,
        capabilities: Capabilities,
    ) -> Result<(), Error> {
        let capabilities = chime_s(capabilities)?;
        let answer = in_turn(DEADLINE, || {
            self.client(control_region)
                .update_attendee_capabilities()
                .meeting_id(meeting.to_string())
                .attendee_id(attendee.to_string())
                .capabilities(capabilities.clone())
                .send()
        })
        .await;
        answer.map(drop).or_else(gone(()))
    }

    /// The same in a single request, for a caller that keeps to a rate of its own.
    ///
    /// # Errors
    /// When they may have the capabilities that they had.
    pub async fn set_capabilities_once(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        attendee: ChimeAttendeeId,
        capabilities: Capabilities,
    ) -> Result<(), Error> {
        let call = self
            .client(control_region)
            .update_attendee_capabilities()
            .meeting_id(meeting.to_string())
            .attendee_id(attendee.to_string())
            .capabilities(chime_s(capabilities)?)
            .customize();
        call.config_override(once()).send().await.map(drop).map_err(Error::of).or_else(gone(()))
    }

    /// Takes an attendee's token away, in a single request.
    ///
    /// # Errors
    /// When the token may still be good.
    pub async fn delete_attendee_once(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        attendee: ChimeAttendeeId,
    ) -> Result<(), Error> {
        let call = self
            .client(control_region)
            .delete_attendee()
            .meeting_id(meeting.to_string())
            .attendee_id(attendee.to_string())
            .customize();
        call.config_override(once()).send().await.map(drop).map_err(Error::of).or_else(gone(()))
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
        let answer = in_turn(DEADLINE, || {
            self.client(control_region)
                .delete_attendee()
                .meeting_id(meeting.to_string())
                .attendee_id(attendee.to_string())
                .send()
        })
        .await;
        answer.map(drop).or_else(gone(()))
    }
}

/// Capabilities as the SDK has them.
fn chime_s(capabilities: Capabilities) -> Result<AttendeeCapabilities, Error> {
    let direction = |direction| match direction {
        Direction::SendReceive => MediaCapabilities::SendReceive,
        Direction::Send => MediaCapabilities::Send,
        Direction::Receive => MediaCapabilities::Receive,
        Direction::None => MediaCapabilities::None,
    };
    AttendeeCapabilities::builder()
        .audio(direction(capabilities.audio))
        .video(direction(capabilities.video))
        .content(direction(capabilities.content))
        .build()
        .map_err(incomplete)
}

/// A request that lacks what Chime requires, which the types of ours rule out.
fn incomplete(error: aws_smithy_types::error::operation::BuildError) -> Error {
    Error::Refused { code: "incomplete".to_owned(), source: Box::new(error) }
}

/// Calls until it is not throttled any more, or the time is over.
async fn in_turn<T, E, F>(all: Duration, call: impl Fn() -> F) -> Result<T, Error>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    F: Future<Output = Result<T, SdkError<E, Response>>>,
{
    let ends = Instant::now() + all;
    loop {
        let outcome = match timeout_at(ends, Box::pin(call())).await {
            Ok(outcome) => outcome.map_err(Error::of),
            Err(elapsed) => return Err(Error::Unavailable(Box::new(elapsed))),
        };
        let pause = TURN_PAUSE.mul_f64(fastrand::f64());
        match outcome {
            Err(Error::Throttled(_)) if Instant::now() + pause + ANSWER < ends => {
                tokio::time::sleep(pause).await;
            }
            outcome => return outcome,
        }
    }
}

/// What is gone is no failure where it is to be gone, or was asked after.
fn gone<T>(answer: T) -> impl FnOnce(Error) -> Result<T, Error> {
    move |error| match error {
        Error::NotFound => Ok(answer),
        error => Err(error),
    }
}

/// One attempt, and no more.
fn once() -> aws_sdk_chimesdkmeetings::config::Builder {
    let timeouts = TimeoutConfig::builder().operation_timeout(RUN_DEADLINE).build();
    aws_sdk_chimesdkmeetings::Config::builder().timeout_config(timeouts).retry_config(RetryConfig::disabled())
}

fn meeting(answer: &mut Value) -> Result<Meeting, Error> {
    let json = answer["Meeting"].take();
    match json["MeetingId"].as_str().and_then(|id| id.parse().ok()) {
        Some(id) => Ok(Meeting { id, json }),
        None => Err(Error::Unavailable("an answer without a meeting's id".into())),
    }
}
