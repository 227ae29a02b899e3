//! A direct invocation: `{"body": "{\"action\": ..., \"userId\": ...}"}`. The body may also be given as an object.
//!
//! IAM has checked the right to invoke; `userId` names the user on whose behalf the request is made.

use std::collections::HashMap;

use domain::Error;
use domain::audit::{Origin, Via};
use domain::call::Actor;
use domain::id::UserId;
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::json::Fields;
use crate::request::{Request, Route};

#[derive(Deserialize)]
struct Direct {
    body: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OnBehalfOf {
    user_id: UserId,
}

pub(super) fn read(event: &RawValue, request_id: &str, now: OffsetDateTime) -> Result<Request, Error> {
    if !event.get().starts_with('{') {
        return Err(Error::Malformed { part: "event", reason: "must be an object".to_owned() });
    }
    let direct: Direct = Fields::parse(event.get().as_bytes())?.read()?;
    let body = direct.body.ok_or_else(|| Error::invalid("body", "is required"))?;
    // The contract's body is a text that holds JSON.
    let body = serde_json::from_str::<String>(body.get()).unwrap_or_else(|_| body.get().to_owned());
    let fields = Fields::parse(body.as_bytes())?;
    let on_behalf_of: OnBehalfOf = fields.read()?;
    let origin =
        Origin { request_id: request_id.to_owned(), via: Via::Direct, ip: None, user_agent: None, now };
    let actor = Some(Actor::User(on_behalf_of.user_id));
    Ok(Request::new(Route::Direct, actor, HashMap::new(), Ok(fields), origin))
}
