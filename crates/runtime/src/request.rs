//! A request of a user or program, from any trigger.

use std::collections::HashMap;
use std::str::FromStr;

use api::attendees::ParticipantSelector;
use api::call::{AppointmentSelector, CallSelector};
use api::recordings::RecordingSelector;
use api::transcripts::TranscriptSelector;
use domain::Error;
use domain::audit::{NamedIds, Origin};
use domain::call::{Actor, Target};
use domain::error::reason;
use domain::id::{AppointmentId, UserId};
use serde::de::DeserializeOwned;

use crate::json::{BodyError, Fields};

/// The route of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A route of the HTTP API, by its key: `POST /appointments/{appointmentId}/call`.
    Http(String),
    /// A direct invocation; the body's `action` names the use case.
    Direct,
}

impl Route {
    /// The name in logs and audit entries.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Http(key) => key,
            Self::Direct => "direct",
        }
    }
}

/// A request. The caller is authenticated: by the API's authorizer, or by IAM for a direct invocation.
#[derive(Debug)]
pub struct Request {
    pub route: Route,
    /// Its source and time, for rules and audit.
    pub origin: Origin,
    actor: Option<Actor>,
    /// Of the token, as API Gateway passes them on: a list as the text `[a b]`.
    claims: HashMap<String, String>,
    path: HashMap<String, String>,
    query: HashMap<String, String>,
    accept: Option<String>,
    body: Result<Fields, BodyError>,
    bypasses_edge: bool,
}

impl Request {
    pub(crate) fn new(
        route: Route,
        actor: Option<Actor>,
        path: HashMap<String, String>,
        body: Result<Fields, BodyError>,
        origin: Origin,
    ) -> Self {
        let query = HashMap::new();
        let claims = HashMap::new();
        Self { route, origin, actor, claims, path, query, accept: None, body, bypasses_edge: false }
    }

    /// The same with the parameters of its query and its `Accept`.
    pub(crate) fn with_query(self, query: HashMap<String, String>, accept: Option<String>) -> Self {
        Self { query, accept, ..self }
    }

    /// The same with the claims of its token.
    pub(crate) fn with_claims(self, claims: HashMap<String, String>) -> Self {
        Self { claims, ..self }
    }

    /// Whether the token has a claim with exactly this value. A list that contains the value has another one.
    pub(crate) fn has_claim(&self, name: &str, value: &str) -> bool {
        self.claims.get(name).is_some_and(|it| it == value)
    }

    /// Whether the function was invoked directly, which IAM has authorized.
    pub(crate) const fn is_direct(&self) -> bool {
        matches!(self.route, Route::Direct)
    }

    /// The same as one that did not come through CloudFront although it has to.
    pub(crate) fn bypassing_edge(self) -> Self {
        Self { bypasses_edge: true, ..self }
    }

    /// Whether the request has to be rejected, because it did not come through CloudFront.
    pub(crate) const fn bypasses_edge(&self) -> bool {
        self.bypasses_edge
    }

    /// The caller.
    ///
    /// # Errors
    /// 401 where the trigger has no identity.
    pub fn actor(&self) -> Result<&Actor, Error> {
        self.actor.as_ref().ok_or(Error::Unauthenticated(reason::NO_IDENTITY))
    }

    /// The appointment: from the route's path, else from the body.
    ///
    /// # Errors
    /// 422 when it is missing or invalid.
    pub fn appointment(&self) -> Result<AppointmentId, Error> {
        if self.has_parameter("appointmentId") {
            return self.path("appointmentId");
        }
        let AppointmentSelector { appointment_id } = self.json()?;
        Ok(appointment_id)
    }

    /// The call: from the route's path, else from the body's appointment or meeting.
    ///
    /// # Errors
    /// 422 when it is missing or invalid.
    pub fn target(&self) -> Result<Target, Error> {
        if self.has_parameter("appointmentId") {
            return self.path("appointmentId").map(Target::Appointment);
        }
        self.json::<CallSelector>()?.target()
    }

    /// The participant that the request is about: from the route's path, else from the body.
    ///
    /// # Errors
    /// 422 when it is missing or invalid.
    pub fn participant(&self) -> Result<UserId, Error> {
        if self.has_parameter("userId") {
            return self.path("userId");
        }
        let ParticipantSelector { participant_id } = self.json()?;
        Ok(participant_id)
    }

    /// Whether the route's path has a parameter. Then the body's field of that name is ignored.
    #[must_use]
    pub fn has_parameter(&self, name: &str) -> bool {
        match &self.route {
            Route::Http(key) => key
                .split('/')
                .any(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) == Some(name)),
            Route::Direct => false,
        }
    }

    /// A parameter of the path.
    ///
    /// # Errors
    /// 422, naming it, when it does not parse.
    pub fn path<T: FromStr>(&self, name: &str) -> Result<T, Error>
    where
        T::Err: std::fmt::Display,
    {
        let text = self.path.get(name).map_or("", String::as_str);
        text.parse().map_err(|error: T::Err| Error::invalid(name, error.to_string()))
    }

    /// A parameter of the query; `None` where it is not given.
    ///
    /// # Errors
    /// 422, naming it, when it does not parse.
    pub fn query<T: FromStr>(&self, name: &str) -> Result<Option<T>, Error>
    where
        T::Err: std::fmt::Display,
    {
        let text = self.query.get(name);
        text.map(|text| text.parse().map_err(|error: T::Err| Error::invalid(name, error.to_string())))
            .transpose()
    }

    /// The header `Accept`.
    #[must_use]
    pub fn accept(&self) -> Option<&str> {
        self.accept.as_deref()
    }

    /// A parameter of the query that is `true` or `false`; without it `false`.
    ///
    /// # Errors
    /// 422, naming it, when it is anything else.
    pub fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.query.get(name).map(String::as_str) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::invalid(name, "must be true or false")),
        }
    }

    /// The ids that the request names beside its call, as far as they can be read: for the audit entry of its denial.
    #[must_use]
    pub fn named_ids(&self) -> NamedIds {
        let recording = if self.has_parameter("recordingId") {
            self.path("recordingId").ok()
        } else {
            self.json().ok().map(|RecordingSelector { recording_id }| recording_id)
        };
        let transcript = if self.has_parameter("transcriptId") {
            self.path("transcriptId").ok()
        } else {
            self.json().ok().map(|TranscriptSelector { transcript_id }| transcript_id)
        };
        NamedIds {
            recording_id: recording,
            transcript_id: transcript,
            participant_id: self.participant().ok(),
        }
    }

    /// The body as JSON; an empty body is an empty object.
    ///
    /// # Errors
    /// 400 when it is not JSON, 422, naming the field, when a field is missing or of the wrong kind.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.body.as_ref().map_err(|error| Error::from(error.clone()))?.read()
    }
}
