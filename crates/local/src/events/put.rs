//! `PutEvents`, as functions call it.

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{DEFAULT_BUS, EventBridge, NewEvent};
use crate::schedules::seconds;
use crate::service::{
    Answer, ArnScope, AwsService, Context, ErrorBody, Operation, Permission, Protocol, body_json,
    target_operation,
};

/// The greatest number of entries in a call.
const MOST: usize = 10;

/// The greatest size of all entries together, as AWS counts it.
const GREATEST: usize = 256 * 1024;

/// An entry's time counts 14 bytes.
const TIME_SIZE: usize = 14;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    #[serde(default)]
    entries: Vec<PutEventsEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEventsEntry {
    time: Option<f64>,
    source: Option<String>,
    resources: Option<Vec<String>>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
}

/// Why an entry is not taken: code and message.
type Refused = (&'static str, String);

const PROTOCOL: Protocol = Protocol {
    content_type: "application/x-amz-json-1.1",
    refusal_status: StatusCode::BAD_REQUEST,
    throttled_status: StatusCode::BAD_REQUEST,
    failure_code: "InternalException",
    error_body: |code, message, _| ErrorBody::Json(json!({ "__type": code, "message": message })),
    names_error_in_header: false,
};

#[async_trait]
impl AwsService for EventBridge {
    fn scope(&self) -> &'static str {
        "events"
    }

    fn protocol(&self) -> &'static Protocol {
        &PROTOCOL
    }

    fn operation(&self, arns: ArnScope<'_>, request: &Parts, body: &[u8]) -> Option<Operation> {
        let name = target_operation(request, "AWSEvents.").filter(|name| name == "PutEvents")?;
        Some(Operation { name, permissions: permissions(&body_json(body), arns) })
    }

    async fn answer(&self, _region: &str, request: &Parts, body: Bytes) -> Answer {
        self.put_events(request, &body)
    }
}

/// For each entry the bus's ARN and the condition keys of `events:PutEvents`.
fn permissions(body: &Value, ArnScope { account, region }: ArnScope<'_>) -> Vec<Permission> {
    let entries = body["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let need = |entry: &Value| {
        let bus = entry["EventBusName"].as_str().unwrap_or(DEFAULT_BUS);
        let arn = if bus.starts_with("arn:") {
            bus.to_owned()
        } else {
            format!("arn:aws:events:{region}:{account}:event-bus/{bus}")
        };
        let keys = [("events:source", "Source"), ("events:detail-type", "DetailType")];
        let context = keys
            .into_iter()
            .filter_map(|(key, name)| Some((key.to_owned(), entry[name].as_str()?.to_owned())));
        let context: Context = context.collect();
        Permission { context, ..Permission::new("events:PutEvents", Some(arn)) }
    };
    entries.iter().map(need).collect()
}

impl EventBridge {
    fn put_events(&self, request: &Parts, body: &[u8]) -> Answer {
        let operation = request.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        if operation != Some("AWSEvents.PutEvents") {
            let message = "The local cloud knows no such operation of events.";
            return PROTOCOL.error(StatusCode::BAD_REQUEST, "UnknownOperationException", message);
        }
        let refuse = |code: &str, message: &str| PROTOCOL.error(StatusCode::BAD_REQUEST, code, message);
        let entries = match serde_json::from_slice::<Input>(body) {
            Ok(input) => input.entries,
            Err(error) => return refuse("SerializationException", &error.to_string()),
        };
        if entries.is_empty() || entries.len() > MOST {
            let limit =
                if entries.is_empty() { "greater than or equal to 1" } else { "less than or equal to 10" };
            let message = format!(
                "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length \
                 {limit}"
            );
            return refuse("ValidationException", &message);
        }
        if entries.iter().map(PutEventsEntry::size).sum::<usize>() > GREATEST {
            return refuse(
                "ValidationException",
                "Total size of the entries in the request is over the limit.",
            );
        }
        let results: Vec<_> = entries.into_iter().map(|entry| self.take(entry)).collect();
        let failed = results.iter().filter(|result| result.is_err()).count();
        let entry_result = |result: Result<String, Refused>| match result {
            Ok(id) => json!({ "EventId": id }),
            Err((code, message)) => json!({ "ErrorCode": code, "ErrorMessage": message }),
        };
        let results: Vec<_> = results.into_iter().map(entry_result).collect();
        PROTOCOL.json(StatusCode::OK, &json!({ "FailedEntryCount": failed, "Entries": results }))
    }

    /// Puts one entry on its bus, whatever becomes of the others.
    fn take(&self, entry: PutEventsEntry) -> Result<String, Refused> {
        let invalid = |name: &str, reason: &str| {
            ("InvalidArgument", format!("Parameter {name} is not valid. Reason: {reason}"))
        };
        let required = |name: &str, value: Option<String>| {
            let missing = || invalid(name, &format!("{name} is a required argument."));
            value.filter(|text| !text.is_empty()).ok_or_else(missing)
        };
        let source = required("Source", entry.source)?;
        let detail_type = required("DetailType", entry.detail_type)?;
        let detail = required("Detail", entry.detail)?;
        for (name, text) in [("Source", &source), ("DetailType", &detail_type)] {
            if text.chars().count() > 256 {
                return Err(invalid(name, "it has more than 256 characters."));
            }
        }
        if source.starts_with("aws.") {
            return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
        }
        let detail: Map<String, Value> = serde_json::from_str(&detail)
            .map_err(|_| ("MalformedDetail", "Detail is malformed.".to_owned()))?;
        let id = Uuid::new_v4().to_string();
        let _event = self.put(NewEvent {
            source,
            detail_type,
            detail,
            id: Some(id.clone()),
            time: entry.time.and_then(instant),
            resources: entry.resources.unwrap_or_default(),
            account: None,
            region: None,
            version: None,
            bus: entry.event_bus_name,
        });
        Ok(id)
    }
}

impl PutEventsEntry {
    /// As AWS counts it.
    fn size(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let resources: usize = self.resources.iter().flatten().map(String::len).sum();
        let time = if self.time.is_some() { TIME_SIZE } else { 0 };
        time + text(&self.source) + text(&self.detail_type) + text(&self.detail) + resources
    }
}

/// Seconds since 1970, as the protocol writes them.
fn instant(at: f64) -> Option<String> {
    let whole = time::Duration::checked_seconds_f64(at)?;
    OffsetDateTime::UNIX_EPOCH.checked_add(whole).map(seconds)
}
