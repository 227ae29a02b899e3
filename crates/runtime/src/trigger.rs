//! What invoked the function: API Gateway, a direct invocation, a schedule, or a queue.

use aws_lambda_events::event::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::Error;
use domain::audit::{Origin, Via};
use domain::call::Actor;
use domain::id::UserId;
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::json;
use crate::messages::Messages;
use crate::request::{Request, Route};

/// What a function is invoked with.
#[derive(Debug)]
pub enum Trigger {
    /// Somebody asks.
    Request(Request),
    /// The schedule runs.
    Schedule(Origin),
    /// A queue brings events.
    Messages(Messages),
}

/// Members whose presence tells the triggers apart.
#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow, rename = "requestContext")]
    request_context: Option<&'a RawValue>,
    #[serde(borrow, rename = "detail-type")]
    detail_type: Option<&'a RawValue>,
    #[serde(borrow, rename = "Records")]
    records: Option<&'a RawValue>,
}

/// `{"body": "{\"action\": ..., \"userId\": ...}"}`; the body may also be given as an object.
#[derive(Deserialize)]
struct Direct {
    body: Option<Box<RawValue>>,
}

/// Who a direct invocation acts for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OnBehalfOf {
    user_id: UserId,
}

impl Trigger {
    /// Reads an event. `now` is used only where the event bears no time: by a direct invocation.
    pub(crate) fn read(event: &RawValue, request_id: &str, now: OffsetDateTime) -> Result<Self, Error> {
        let unmapped = |_| Error::Malformed { part: "event", reason: "is of no known trigger".to_owned() };
        let peek: Peek<'_> = serde_json::from_str(event.get()).map_err(unmapped)?;
        if peek.request_context.is_some() {
            let event: ApiGatewayV2httpRequest = serde_json::from_str(event.get()).map_err(unmapped)?;
            return from_api(event, request_id).map(Self::Request);
        }
        if peek.detail_type.is_some() {
            let event: EventBridgeEvent = serde_json::from_str(event.get()).map_err(unmapped)?;
            return from_schedule(&event, request_id).map(Self::Schedule);
        }
        if peek.records.is_some() {
            let event: SqsEvent = serde_json::from_str(event.get()).map_err(unmapped)?;
            return Messages::read(event, request_id, now).map(Self::Messages);
        }
        from_direct(event, request_id, now).map(Self::Request)
    }

    /// Whether somebody waits for the answer; nobody does for that of an event, not even of one that cannot be read.
    pub(crate) fn is_request(event: &RawValue) -> bool {
        let peek = serde_json::from_str(event.get());
        peek.map_or(true, |peek: Peek<'_>| {
            peek.request_context.is_some() || peek.detail_type.is_none() && peek.records.is_none()
        })
    }
}

fn from_api(event: ApiGatewayV2httpRequest, request_id: &str) -> Result<Request, Error> {
    let malformed = |reason: &str| Error::Malformed { part: "event", reason: reason.to_owned() };
    let context = event.request_context;
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(context.time_epoch) * 1_000_000)
        .map_err(|_| malformed("has a time that cannot be"))?;
    let claims = context.authorizer.and_then(|authorizer| authorizer.jwt).map(|jwt| jwt.claims);
    let subject = claims.and_then(|mut claims| claims.remove("sub")).filter(|sub| well_formed(sub));
    let body = match (event.body, event.is_base64_encoded) {
        (None, _) => Vec::new(),
        (Some(body), false) => body.into_bytes(),
        (Some(body), true) => base64(&body)?,
    };
    Ok(Request {
        route: Route::Http(context.route_key.or(event.route_key).ok_or_else(|| malformed("has no route"))?),
        actor: subject.map(Actor::Subject),
        path: event.path_parameters,
        body,
        origin: Origin {
            request_id: request_id.to_owned(),
            via: Via::Api,
            ip: context.http.source_ip.map(|ip| bounded(&ip, 64)),
            user_agent: context.http.user_agent.map(|agent| bounded(&agent, 256)),
            now,
        },
    })
}

fn from_direct(event: &RawValue, request_id: &str, now: OffsetDateTime) -> Result<Request, Error> {
    let direct: Direct = json::read(event.get().as_bytes())?;
    let body = direct.body.ok_or_else(|| Error::invalid("body", "is required"))?;
    // The contract's body is a text that holds JSON.
    let body = serde_json::from_str::<String>(body.get()).unwrap_or_else(|_| body.get().to_owned());
    let on_behalf_of: OnBehalfOf = json::read(body.as_bytes())?;
    Ok(Request {
        route: Route::Direct,
        actor: Some(Actor::User(on_behalf_of.user_id)),
        path: std::collections::HashMap::new(),
        body: body.into_bytes(),
        origin: Origin {
            request_id: request_id.to_owned(),
            via: Via::Direct,
            ip: None,
            user_agent: None,
            now,
        },
    })
}

fn from_schedule(event: &EventBridgeEvent, request_id: &str) -> Result<Origin, Error> {
    if event.detail_type != "Scheduled Event" {
        return Err(Error::Malformed { part: "event", reason: "is of no known detail type".to_owned() });
    }
    let time = event.time.ok_or_else(|| Error::invalid("time", "is required"))?;
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.timestamp_millis()) * 1_000_000)
        .map_err(|_| Error::invalid("time", "must be an instant"))?;
    Ok(Origin { request_id: request_id.to_owned(), via: Via::Schedule, ip: None, user_agent: None, now })
}

/// Firebase's user ids have at most 128 characters; PostgreSQL takes no NUL in a text.
fn well_formed(subject: &str) -> bool {
    !subject.is_empty() && subject.len() <= 256 && !subject.chars().any(char::is_control)
}

/// A caller's text for the audit: bounded, and without control characters.
fn bounded(text: &str, most: usize) -> String {
    text.chars().filter(|character| !character.is_control()).take(most).collect()
}

fn base64(body: &str) -> Result<Vec<u8>, Error> {
    aws_smithy_types::base64::decode(body)
        .map_err(|_| Error::Malformed { part: "body", reason: "is not base64".to_owned() })
}
