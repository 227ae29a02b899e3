//! What more than one function reads from a request.

use std::fmt;
use std::marker::PhantomData;

use domain::Error;
use domain::admission::ParticipantChange;
use domain::call::Target;
use domain::capabilities::{CapabilityChange, Direction};
use domain::consent::ConsentDecision;
use domain::id::{AppointmentId, ChimeMeetingId, SessionId};
use domain::quality::Sample;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};

/// Which call is meant: the existing app names it by its appointment or by its meeting.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhichCall {
    appointment_id: Option<AppointmentId>,
    meeting_id: Option<ChimeMeetingId>,
}

impl WhichCall {
    /// The call; the meeting where both are named, for it is the narrower.
    ///
    /// # Errors
    /// 422 where neither is named.
    pub fn target(self) -> Result<Target, Error> {
        match (self.meeting_id, self.appointment_id) {
            (Some(meeting), _) => Ok(Target::Meeting(meeting)),
            (None, Some(appointment)) => Ok(Target::Appointment(appointment)),
            (None, None) => Err(Error::invalid("appointmentId", "or meetingId is required")),
        }
    }
}

/// How to join.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct JoinOptions {
    /// The client could not connect with what it was given: ask Chime before answering.
    #[serde(default)]
    pub checked: bool,
}

/// What to end.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndOptions {
    /// Only this session, so that a late repetition never ends a later call.
    pub session_id: Option<SessionId>,
}

/// What someone is to send and receive from now on. A direction is a text of the set and nothing else: serde by itself takes
/// `{"Send": null}` too.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct CapabilitiesWish {
    #[serde(default, deserialize_with = "direction")]
    audio: Option<Direction>,
    #[serde(default, deserialize_with = "direction")]
    video: Option<Direction>,
    #[serde(default, deserialize_with = "direction")]
    content: Option<Direction>,
}

impl From<CapabilitiesWish> for CapabilityChange {
    fn from(wish: CapabilitiesWish) -> Self {
        Self { audio: wish.audio, video: wish.video, content: wish.content }
    }
}

fn direction<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Direction>, D::Error> {
    let Some(word) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    Direction::deserialize(de::value::StringDeserializer::new(word)).map(Some)
}

/// What is to be changed of someone's place.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ChangeOptions {
    admitted: Option<bool>,
    capabilities: Option<Object<CapabilitiesWish>>,
}

impl From<ChangeOptions> for ParticipantChange {
    fn from(options: ChangeOptions) -> Self {
        Self { admitted: options.admitted, capabilities: options.capabilities.map(|wish| wish.0.into()) }
    }
}

/// What someone consents to.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ConsentOptions {
    recording: Option<bool>,
    transcription: Option<bool>,
}

impl From<ConsentOptions> for ConsentDecision {
    fn from(options: ConsentOptions) -> Self {
        Self { recording: options.recording, transcription: options.transcription }
    }
}

/// What a client saw of its connection.
#[derive(Clone, Debug, Deserialize)]
pub struct Samples {
    samples: Vec<Object<SampleBody>>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SampleBody {
    at: Option<i64>,
    packet_loss_percent: Option<Number>,
    round_trip_ms: Option<Number>,
    jitter_ms: Option<Number>,
    bitrate_kbps: Option<Number>,
}

impl From<Samples> for Vec<Sample> {
    fn from(body: Samples) -> Self {
        let value = |number: Option<Number>| number.map(|number| number.0);
        let sample = |body: SampleBody| Sample {
            at: body.at,
            packet_loss_percent: value(body.packet_loss_percent),
            round_trip_ms: value(body.round_trip_ms),
            jitter_ms: value(body.jitter_ms),
            bitrate_kbps: value(body.bitrate_kbps),
        };
        body.samples.into_iter().map(|body| sample(body.0)).collect()
    }
}

/// An object of JSON. serde by itself takes an array too, as the fields of a struct in their order.
#[derive(Clone, Copy, Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnObject(PhantomData)).map(Self)
    }
}

struct AnObject<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnObject<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<T, M::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// A number of JSON. Says "a number" of what it wants, where serde says "f64".
#[derive(Clone, Copy, Debug)]
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(ANumber)
    }
}

struct ANumber;

impl Visitor<'_> for ANumber {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
        Ok(Number(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "what is so large is out of every measure's bounds")]
    fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "what is so large is out of every measure's bounds")]
    fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }
}
