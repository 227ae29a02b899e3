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

/// Time for creating a meeting, throttling included; the function has 20 s for the whole request.
const CREATE_DEADLINE: Duration = Duration::from_secs(9);
/// The same for other requests.
pub(crate) const DEADLINE: Duration = Duration::from_secs(8);
/// `GetMeeting` before a join is optional: without an answer in this time the stored meeting is returned.
const VERIFY_DEADLINE: Duration = Duration::from_millis(2500);
/// Time for one attempt: a pooled connection that died is detected within it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2500);
/// Chime allows an account 10 requests a second. A clinic whose calls all begin on the hour exceeds that limit for a moment:
/// waiting a few seconds is better than an error. The SDK retries three times and gives up within a second, as is right where
/// Chime is down; a throttled call is repeated until its deadline, after random pauses up to this one.
const MAX_THROTTLE_PAUSE: Duration = Duration::from_secs(1);
/// Time for one more response: with less left, the caller gets "throttled" and not "no answer".
const RESPONSE_RESERVE: Duration = Duration::from_millis(500);
/// Concurrent calls with one token can get `ConflictException`; the other call is done soon.
const CONFLICT_PAUSE: Duration = Duration::from_millis(200);
/// Time for a request without retries: a scheduled run must end before its function's timeout.
const SINGLE_DEADLINE: Duration = Duration::from_secs(3);

/// The meetings API, in every control region. Cheap to clone; clones share their clients.
#[derive(Clone, Debug)]
pub struct Meetings {
    sdk: SdkConfig,
    clients: Arc<Mutex<HashMap<String, Client>>>,
    retries: Retries,
}

/// How a throttled or unanswered request is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retries {
    /// Repeated until its deadline.
    UntilDeadline,
    /// Sent once: the caller counts its requests.
    None,
}

/// The properties of a new meeting.
#[derive(Clone, Copy, Debug)]
pub struct NewMeeting<'a> {
    /// The idempotency token: one session, one meeting.
    pub session: SessionId,
    /// The only region in which the meeting can be read or changed later.
    pub control_region: &'a str,
    /// Where the media is processed.
    pub media_region: &'a str,
    /// Opaque: no personal or health data. At most 64 characters.
    pub external_id: &'a str,
    /// The first attendee.
    pub user: UserId,
}

#[derive(Clone, Debug)]
pub struct Meeting {
    pub id: ChimeMeetingId,
    /// Chime's `Meeting` object.
    pub json: Value,
}

/// A created meeting with its first attendee. No attendee where the token returned a meeting that already existed.
#[derive(Clone, Debug)]
pub struct Made {
    pub meeting: Meeting,
    pub attendee: Option<Attendee>,
}

impl Meetings {
    /// Builds the client of the region the function runs in; those of other control regions are built on use.
    #[must_use]
    pub fn new(sdk: SdkConfig) -> Self {
        let meetings = Self { sdk, clients: Arc::default(), retries: Retries::UntilDeadline };
        if let Some(region) = meetings.sdk.region().cloned() {
            let _built = meetings.client(region.as_ref());
        }
        meetings
    }

    /// The same API without retries, for a caller with its own request rate: a retry would not be counted.
    #[must_use]
    pub fn without_retries(&self) -> Self {
        Self { sdk: self.sdk.clone(), clients: Arc::default(), retries: Retries::None }
    }

    pub(crate) fn client(&self, region: &str) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(region.to_owned()).or_insert_with(|| {
            let config = aws_sdk_chimesdkmeetings::config::Builder::from(&self.sdk)
                .region(Region::new(region.to_owned()));
            let config = match self.retries {
                Retries::UntilDeadline => config.timeout_config(
                    TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build(),
                ),
                Retries::None => config
                    .timeout_config(TimeoutConfig::builder().operation_timeout(SINGLE_DEADLINE).build())
                    .retry_config(RetryConfig::disabled()),
            };
            Client::from_conf(config.build())
        });
        client.clone()
    }

    /// Sends a request and repeats it while it is throttled and its deadline allows.
    pub(crate) async fn send<T, E, F>(&self, deadline: Duration, call: impl Fn() -> F) -> Result<T, Error>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, Response>>>,
    {
        match self.retries {
            Retries::UntilDeadline => retry_throttled(deadline, call).await,
            Retries::None => call().await.map_err(Error::of),
        }
    }

    /// Creates the meeting of a session with its first attendee. The same session returns the same meeting as long as
    /// Chime remembers its token; that meeting may have ended.
    ///
    /// # Errors
    /// See [`Error::without_effect`] for whether a failed request had an effect.
    pub async fn create(&self, new: NewMeeting<'_>) -> Result<Made, Error> {
        let attendee = CreateAttendeeRequestItem::builder()
            .external_user_id(new.user.to_string())
            .build()
            .map_err(incomplete)?;
        let raw = RawAnswer::default();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let answer = self
                .send(CREATE_DEADLINE, || {
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

    /// Creates an attendee. Two requests create two, so the caller stores and reuses the result.
    ///
    /// # Errors
    /// `NotFound` when the meeting has ended.
    pub async fn create_attendee(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        user: UserId,
        capabilities: Capabilities,
    ) -> Result<Attendee, Error> {
        let raw = RawAnswer::default();
        let capabilities = to_chime(capabilities)?;
        self.send(DEADLINE, || {
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

    /// Creates attendees for up to 10 users in one request. Chime may create some and not others: a user who is
    /// missing in the result has no attendee. Two requests create two each, so the caller stores and reuses the
    /// result.
    ///
    /// # Errors
    /// `NotFound` when the meeting has ended.
    pub async fn create_attendees(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        users: &[(UserId, Capabilities)],
    ) -> Result<Vec<(UserId, Attendee)>, Error> {
        let item = |(user, capabilities): &(UserId, Capabilities)| {
            CreateAttendeeRequestItem::builder()
                .external_user_id(user.to_string())
                .capabilities(to_chime(*capabilities)?)
                .build()
                .map_err(incomplete)
        };
        let items = users.iter().map(item).collect::<Result<Vec<_>, _>>()?;
        let raw = RawAnswer::default();
        let answer = self
            .send(DEADLINE, || {
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
                "Chime created no attendee"
            );
        }
        let made = match raw.take()["Attendees"].take() {
            Value::Array(made) => made,
            _ => Vec::new(),
        };
        let whose = |json: Value| Some((json["ExternalUserId"].as_str()?.parse().ok()?, Attendee::new(json)));
        Ok(made.into_iter().filter_map(whose).collect())
    }

    /// Whether Chime knows the meeting. The request does not extend the meeting's life.
    ///
    /// # Errors
    /// Every error but `NotFound`, which is `false`.
    pub async fn is_live(&self, control_region: &str, meeting: ChimeMeetingId) -> Result<bool, Error> {
        self.send(VERIFY_DEADLINE, || {
            self.client(control_region).get_meeting().meeting_id(meeting.to_string()).send()
        })
        .await
        .map(|_| true)
        .or_else(not_found_as(false))
    }

    /// Deletes a meeting. A meeting that has already ended is not an error.
    ///
    /// # Errors
    /// When the meeting may still be live.
    pub async fn delete(&self, control_region: &str, meeting: ChimeMeetingId) -> Result<(), Error> {
        self.send(DEADLINE, || {
            self.client(control_region).delete_meeting().meeting_id(meeting.to_string()).send()
        })
        .await
        .map(drop)
        .or_else(not_found_as(()))
    }

    /// Updates an attendee's capabilities. An attendee that does not exist any more, or whose meeting has ended, is
    /// not an error.
    ///
    /// # Errors
    /// When the attendee may still have the previous capabilities.
    pub async fn update_capabilities(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        attendee: ChimeAttendeeId,
        capabilities: Capabilities,
    ) -> Result<(), Error> {
        let capabilities = to_chime(capabilities)?;
        let answer = self
            .send(DEADLINE, || {
                self.client(control_region)
                    .update_attendee_capabilities()
                    .meeting_id(meeting.to_string())
                    .attendee_id(attendee.to_string())
                    .capabilities(capabilities.clone())
                    .send()
            })
            .await;
        answer.map(drop).or_else(not_found_as(()))
    }

    /// Deletes an attendee: its token becomes invalid and it is disconnected. An attendee that does not exist any
    /// more is not an error.
    ///
    /// # Errors
    /// When the token may still be valid.
    pub async fn delete_attendee(
        &self,
        control_region: &str,
        meeting: ChimeMeetingId,
        attendee: ChimeAttendeeId,
    ) -> Result<(), Error> {
        let answer = self
            .send(DEADLINE, || {
                self.client(control_region)
                    .delete_attendee()
                    .meeting_id(meeting.to_string())
                    .attendee_id(attendee.to_string())
                    .send()
            })
            .await;
        answer.map(drop).or_else(not_found_as(()))
    }
}

/// Capabilities as types of the SDK.
fn to_chime(capabilities: Capabilities) -> Result<AttendeeCapabilities, Error> {
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

/// A request that lacks a required member, which the types of this crate rule out.
pub(crate) fn incomplete(error: aws_smithy_types::error::operation::BuildError) -> Error {
    Error::Refused { code: "incomplete".to_owned(), source: Box::new(error) }
}

/// Repeats a throttled request after random pauses until its deadline.
async fn retry_throttled<T, E, F>(all: Duration, call: impl Fn() -> F) -> Result<T, Error>
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
        let pause = MAX_THROTTLE_PAUSE.mul_f64(fastrand::f64());
        match outcome {
            Err(Error::Throttled(_)) if Instant::now() + pause + RESPONSE_RESERVE < ends => {
                tokio::time::sleep(pause).await;
            }
            outcome => return outcome,
        }
    }
}

/// Turns `NotFound` into a result where a missing resource is the goal, or the question.
pub(crate) fn not_found_as<T>(answer: T) -> impl FnOnce(Error) -> Result<T, Error> {
    move |error| match error {
        Error::NotFound => Ok(answer),
        error => Err(error),
    }
}

fn meeting(answer: &mut Value) -> Result<Meeting, Error> {
    let json = answer["Meeting"].take();
    match json["MeetingId"].as_str().and_then(|id| id.parse().ok()) {
        Some(id) => Ok(Meeting { id, json }),
        None => Err(Error::Unavailable("an answer without a meeting's id".into())),
    }
}
