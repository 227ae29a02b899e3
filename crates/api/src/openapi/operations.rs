//! Every route, with what it reads and answers.

mod direct;
mod holds;
mod recordings;
mod transcripts;

use std::collections::BTreeMap;

use domain::error::{ErrorCode, reason};
use serde_json::{Value, json};

pub(super) use self::direct::direct_invocations;
use super::schemas::Schemas;
use crate::attendees::{
    ChangeRequest, JoinRequest, LeaveResponse, RemoveResponse, RosterAttendee, RosterResponse,
    WaitingResponse,
};
use crate::call::{
    AppointmentSelector, CallSelector, EndRequest, EndResponse, HealthResponse, JoinInfo, LinkResponse,
    StartRequest, StatusResponse,
};
use crate::consent::{ConsentRequest, ConsentRequiredResponse, ConsentResponse};
use crate::invitations::{InviteRequest, InviteResponse};
use crate::quality::{QualityRequest, QualityResponse};

/// A body.
pub(super) struct Content {
    pub(super) schema: Value,
    pub(super) required: bool,
}

/// A route.
pub(super) struct Operation {
    pub(super) function: &'static str,
    /// As API Gateway's route key.
    pub(super) route: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// Open to anyone.
    pub(super) public: bool,
    /// Answers 202 with a path to poll.
    pub(super) polls: bool,
    /// Parameters of the query, all optional: name, meaning, schema.
    pub(super) query: Vec<(&'static str, &'static str, Value)>,
    /// Media types beside JSON in which 200 is answered.
    pub(super) texts: &'static [&'static str],
    pub(super) request: Option<Content>,
    pub(super) responses: Vec<(u16, &'static str, Value)>,
    /// Codes beyond those that every route of its kind has.
    pub(super) codes: Vec<ErrorCode>,
}

impl Operation {
    const fn new(
        function: &'static str,
        route: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Self {
        Self {
            function,
            route,
            id,
            summary,
            public: false,
            polls: false,
            query: Vec::new(),
            texts: &[],
            request: None,
            responses: Vec::new(),
            codes: Vec::new(),
        }
    }

    fn optional_body(mut self, schema: Value) -> Self {
        self.request = Some(Content { schema, required: false });
        self
    }

    fn body(mut self, schema: Value) -> Self {
        self.request = Some(Content { schema, required: true });
        self
    }

    fn reads(mut self, name: &'static str, text: &'static str, schema: Value) -> Self {
        self.query.push((name, text, schema));
        self
    }

    /// A parameter of the query that is `true` or `false`.
    fn flag(mut self, name: &'static str, text: &'static str) -> Self {
        self.query.push((name, text, json!({ "type": "boolean", "default": false })));
        self
    }

    fn answers(mut self, status: u16, text: &'static str, schema: Value) -> Self {
        self.responses.push((status, text, schema));
        self
    }

    fn fails(mut self, codes: &[ErrorCode]) -> Self {
        self.codes.extend_from_slice(codes);
        self
    }

    pub(super) fn method_and_path(&self) -> (&'static str, &'static str) {
        self.route.split_once(' ').expect("a route key has a method and a path")
    }

    /// Whether API Gateway itself may answer so. It answers 404 only where there is no route.
    pub(super) fn gateway_answers(&self, status: u16) -> bool {
        match status {
            401 => !self.public,
            404 => false,
            _ => true,
        }
    }

    /// All codes by their status.
    pub(super) fn errors(&self) -> BTreeMap<u16, Vec<ErrorCode>> {
        let mut codes = self.codes.clone();
        codes.extend([reason::EDGE_REQUIRED.erase(), reason::INTERNAL.erase(), reason::UNAVAILABLE.erase()]);
        if !self.public {
            codes.extend([
                reason::NO_IDENTITY.erase(),
                reason::UNKNOWN_USER.erase(),
                reason::NOT_A_MEMBER.erase(),
                reason::REMOVED_FROM_CALL.erase(),
                reason::APPOINTMENT_NOT_FOUND.erase(),
                reason::INVALID_FIELD.erase(),
            ]);
        }
        if self.request.is_some() {
            codes.push(reason::MALFORMED_REQUEST.erase());
        }
        let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
        for code in codes {
            let of_status = by_status.entry(code.status).or_default();
            if !of_status.contains(&code) {
                of_status.push(code);
            }
        }
        for of_status in by_status.values_mut() {
            of_status.sort_by_key(|code| code.code);
        }
        by_status
    }
}

const CONSENT_REQUIRED: &str =
    "The call is being captured for a purpose to which the caller has not consented.";

/// Codes of routes that call Chime.
const CHIME: [ErrorCode; 3] =
    [reason::CALLS_THROTTLED.erase(), reason::CALL_LIMIT_REACHED.erase(), reason::MEETING_EXPIRED.erase()];

const START: [ErrorCode; 7] = [
    reason::PATIENT_CANNOT_CREATE.erase(),
    reason::APPOINTMENT_CANCELLED.erase(),
    reason::VIDEO_NOT_ENABLED.erase(),
    reason::JOIN_WINDOW_NOT_OPEN.erase(),
    reason::JOIN_WINDOW_CLOSED.erase(),
    reason::CALL_NOT_READY.erase(),
    reason::JOIN_RATE_LIMITED.erase(),
];
const JOIN: [ErrorCode; 8] = [
    reason::APPOINTMENT_CANCELLED.erase(),
    reason::VIDEO_NOT_ENABLED.erase(),
    reason::JOIN_WINDOW_NOT_OPEN.erase(),
    reason::JOIN_WINDOW_CLOSED.erase(),
    reason::TURNED_AWAY.erase(),
    reason::NO_ACTIVE_CALL.erase(),
    reason::CALL_NOT_READY.erase(),
    reason::JOIN_RATE_LIMITED.erase(),
];
const LEAVE: [ErrorCode; 3] =
    [reason::NO_ACTIVE_CALL.erase(), reason::NOT_IN_CALL.erase(), reason::CALL_NOT_READY.erase()];
const END: [ErrorCode; 3] =
    [reason::PATIENT_CANNOT_END.erase(), reason::NO_ACTIVE_CALL.erase(), reason::CALL_NOT_READY.erase()];
const LINK: [ErrorCode; 3] =
    [reason::PROVIDER_ONLY.erase(), reason::APPOINTMENT_CANCELLED.erase(), reason::VIDEO_NOT_ENABLED.erase()];
const INVITE: [ErrorCode; 3] =
    [reason::PROVIDER_ONLY.erase(), reason::NO_ACTIVE_CALL.erase(), reason::CALL_NOT_READY.erase()];
const CHANGE: [ErrorCode; 7] = [
    reason::PROVIDER_ONLY.erase(),
    reason::NO_ACTIVE_CALL.erase(),
    reason::PARTICIPANT_NOT_FOUND.erase(),
    reason::NOT_FOR_PROVIDER.erase(),
    reason::ALREADY_REMOVED.erase(),
    reason::ALREADY_JOINED.erase(),
    reason::CALL_NOT_READY.erase(),
];
const REMOVE: [ErrorCode; 5] = [
    reason::PROVIDER_ONLY.erase(),
    reason::NO_ACTIVE_CALL.erase(),
    reason::PARTICIPANT_NOT_FOUND.erase(),
    reason::NOT_FOR_PROVIDER.erase(),
    reason::CALL_NOT_READY.erase(),
];
const CONSENT: [ErrorCode; 4] = [
    reason::TURNED_AWAY.erase(),
    reason::NO_ACTIVE_CALL.erase(),
    reason::CONSENT_CHANGED_TOO_OFTEN.erase(),
    reason::CALL_NOT_READY.erase(),
];
const QUALITY: [ErrorCode; 3] =
    [reason::NO_ACTIVE_CALL.erase(), reason::NOT_IN_CALL_NOW.erase(), reason::CALL_NOT_READY.erase()];

/// Every route of every function.
pub(super) fn all(schemas: &mut Schemas) -> Vec<Operation> {
    let mut all = calls(schemas);
    all.push(actions(schemas));
    all.extend(attendees(schemas));
    all.extend(recordings::all(schemas));
    all.extend(holds::all(schemas));
    all.extend(transcripts::all(schemas));
    all
}

fn calls(schemas: &mut Schemas) -> Vec<Operation> {
    let function = "meeting-manager";
    vec![
        Operation {
            polls: true,
            ..Operation::new(
                function,
                "POST /appointments/{appointmentId}/call",
                "startCall",
                "Start the call of an appointment, or get the one that is on",
            )
        }
        .optional_body(schemas.request::<StartRequest>())
        .answers(200, "The call was on already.", schemas.response::<JoinInfo>())
        .answers(201, "The call was started.", schemas.response::<JoinInfo>())
        .answers(202, CONSENT_REQUIRED, schemas.response::<ConsentRequiredResponse>())
        .fails(&START)
        .fails(&CHIME),
        Operation::new(
            function,
            "GET /appointments/{appointmentId}/call",
            "getCallStatus",
            "State of the call, who is present, whether the caller may join",
        )
        .answers(200, "The state.", schemas.response::<StatusResponse>()),
        Operation::new(
            function,
            "DELETE /appointments/{appointmentId}/call",
            "endCall",
            "End the call for everyone",
        )
        .optional_body(schemas.request::<EndRequest>())
        .answers(200, "The call is over, also when it was before.", schemas.response::<EndResponse>())
        .fails(&END)
        .fails(&CHIME),
        Operation::new(
            function,
            "GET /appointments/{appointmentId}/call/link",
            "getCallLink",
            "Links that lead to the call",
        )
        .answers(200, "The links.", schemas.response::<LinkResponse>())
        .fails(&LINK),
        Operation {
            public: true,
            ..Operation::new(function, "GET /health", "getHealth", "Whether calls can be served")
        }
        .answers(
            200,
            "The database answers, and the host's views can be read.",
            schemas.response::<HealthResponse>(),
        ),
    ]
}

/// The route of the existing app: the action is in the body.
fn actions(schemas: &mut Schemas) -> Operation {
    let appointment = schemas.request::<AppointmentSelector>();
    let call = schemas.request::<CallSelector>();
    let requests = [
        ("create", vec![appointment.clone(), schemas.request::<StartRequest>()]),
        ("join", vec![call.clone(), schemas.request::<JoinRequest>()]),
        ("leave", vec![call.clone()]),
        ("end", vec![call.clone(), schemas.request::<EndRequest>()]),
        ("get-status", vec![call]),
        ("get-link", vec![appointment.clone()]),
        ("batch-join", vec![appointment, schemas.request::<InviteRequest>()]),
    ];
    let requests: Vec<_> = requests.into_iter().map(|(action, fields)| with_action(action, fields)).collect();
    let answers = [
        schemas.response::<JoinInfo>(),
        schemas.response::<LeaveResponse>(),
        schemas.response::<EndResponse>(),
        schemas.response::<StatusResponse>(),
        schemas.response::<LinkResponse>(),
        schemas.response::<InviteResponse>(),
    ];
    Operation {
        polls: true,
        ..Operation::new(
            "meeting-manager",
            "POST /meetings",
            "performMeetingAction",
            "The existing app's contract: the action is in the body",
        )
    }
    .body(json!({ "oneOf": requests }))
    .answers(200, "As the action's own route answers.", json!({ "anyOf": answers }))
    .answers(201, "create: the call was started.", schemas.response::<JoinInfo>())
    .answers(
        202,
        "join: the caller waits to be admitted. create and join: the caller must consent first.",
        waits(schemas),
    )
    .fails(&START)
    .fails(&JOIN)
    .fails(&LEAVE)
    .fails(&END)
    .fails(&LINK)
    .fails(&INVITE)
    .fails(&CHIME)
}

/// The answer of a join in place of a meeting.
fn waits(schemas: &mut Schemas) -> Value {
    json!({ "anyOf": [schemas.response::<WaitingResponse>(), schemas.response::<ConsentRequiredResponse>()] })
}

fn with_action(action: &str, mut fields: Vec<Value>) -> Value {
    let tag =
        json!({ "type": "object", "properties": { "action": { "const": action } }, "required": ["action"] });
    fields.insert(0, tag);
    json!({ "title": action, "allOf": fields })
}

fn attendees(schemas: &mut Schemas) -> Vec<Operation> {
    let function = "attendee";
    vec![
        Operation {
            polls: true,
            ..Operation::new(
                function,
                "POST /appointments/{appointmentId}/call/attendees",
                "joinCall",
                "Join the call",
            )
        }
        .optional_body(schemas.request::<JoinRequest>())
        .answers(200, "The caller may connect.", schemas.response::<JoinInfo>())
        .answers(202, "The caller waits to be admitted, or must consent first.", waits(schemas))
        .fails(&JOIN)
        .fails(&CHIME),
        Operation::new(
            function,
            "GET /appointments/{appointmentId}/call/attendees",
            "getRoster",
            "Who is and was in the call",
        )
        .answers(200, "The roster.", schemas.response::<RosterResponse>())
        .fails(&[reason::NO_ACTIVE_CALL.erase()]),
        Operation::new(
            function,
            "DELETE /appointments/{appointmentId}/call/attendees/me",
            "leaveCall",
            "Leave the call; it goes on",
        )
        .answers(200, "The caller has left.", schemas.response::<LeaveResponse>())
        .fails(&LEAVE),
        Operation::new(
            function,
            "PATCH /appointments/{appointmentId}/call/attendees/{userId}",
            "changeAttendee",
            "Admit someone or turn them away; change what they may send and receive",
        )
        .body(schemas.request::<ChangeRequest>())
        .answers(200, "Their entry of the roster.", schemas.response::<RosterAttendee>())
        .fails(&CHANGE)
        .fails(&CHIME),
        Operation::new(
            function,
            "DELETE /appointments/{appointmentId}/call/attendees/{userId}",
            "removeAttendee",
            "Remove someone, who cannot join this call again",
        )
        .answers(200, "They were removed.", schemas.response::<RemoveResponse>())
        .fails(&REMOVE)
        .fails(&CHIME),
        Operation::new(
            function,
            "PUT /appointments/{appointmentId}/call/consent",
            "setConsent",
            "The caller's own consent to recording and transcription",
        )
        .body(schemas.request::<ConsentRequest>())
        .answers(200, "The consents of the call.", schemas.response::<ConsentResponse>())
        .fails(&CONSENT),
        Operation::new(
            function,
            "POST /appointments/{appointmentId}/call/quality",
            "reportQuality",
            "Samples of the quality of the caller's connection",
        )
        .body(schemas.request::<QualityRequest>())
        .answers(202, "They were accepted.", schemas.response::<QualityResponse>())
        .fails(&QUALITY),
    ]
}
