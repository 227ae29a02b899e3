//! Which operation a request is, and what a role must allow for it.

use http::request::Parts;
use serde_json::Value;

use super::Context;
use super::answer::Service;
use crate::chime;
use crate::events;
use crate::secrets::Secrets;

/// A permission that a call needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// `chime:CreateMeeting`.
    pub(super) action: String,
    /// None for an action without a resource type.
    pub(super) resource: Option<String>,
    /// Condition keys of this action alone, and their values.
    pub(super) context: Context,
}

impl Need {
    fn new(action: impl Into<String>, resource: Option<String>) -> Self {
        Self { action: action.into(), resource, context: Context::new() }
    }
}

/// A request whose operation is known.
#[derive(Debug)]
pub(super) struct Routed {
    /// `CreateMeeting`.
    pub(super) operation: String,
    /// All of them must be allowed.
    pub(super) needs: Vec<Need>,
}

/// What ARNs are made of.
pub(super) struct ArnScope<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
}

/// The operation of a request to a service; None if the service has none such.
pub(super) fn route(
    service: Service,
    place: &ArnScope<'_>,
    secrets: &Secrets,
    request: &Parts,
    body: &[u8],
) -> Option<Routed> {
    match service {
        Service::Chime => chime_call(place, request, body),
        Service::DynamoDb => {
            let operation = target(request, "DynamoDB_20120810.")?;
            let needs = dynamodb_needs(&operation, place, &json(body));
            Some(Routed { operation, needs })
        }
        Service::Events => {
            let operation = target(request, "AWSEvents.").filter(|operation| operation == "PutEvents")?;
            let need = |(arn, context)| Need { context, ..Need::new("events:PutEvents", Some(arn)) };
            let needs = events::needs(&json(body), place.region, place.account).into_iter().map(need);
            Some(Routed { operation, needs: needs.collect() })
        }
        Service::SecretsManager => {
            let operation = target(request, "secretsmanager.")?;
            let id = json(body)["SecretId"].as_str().map(ToOwned::to_owned);
            let resource = id.map(|id| {
                secrets.arn_of(&id).unwrap_or_else(|| {
                    if id.starts_with("arn:") {
                        id
                    } else {
                        format!("arn:aws:secretsmanager:{}:{}:secret:{id}", place.region, place.account)
                    }
                })
            });
            let need = Need::new(format!("secretsmanager:{operation}"), resource);
            Some(Routed { operation, needs: vec![need] })
        }
    }
}

fn chime_call(place: &ArnScope<'_>, request: &Parts, body: &[u8]) -> Option<Routed> {
    let call =
        chime::Call::parse(&request.method, request.uri.path(), request.uri.query().unwrap_or_default())?;
    let operation = call.name();
    let resource = call.meeting_id().map(|id| chime::meeting_arn(place.region, place.account, id));
    let mut needs = vec![Need::new(format!("chime:{operation}"), resource)];
    // To create with tags is to tag, for IAM too.
    if call.meeting_id().is_none() && json(body)["Tags"].as_array().is_some_and(|tags| !tags.is_empty()) {
        let resource = Some(chime::meeting_arn(place.region, place.account, "*"));
        needs.push(Need::new("chime:TagResource", resource));
    }
    Some(Routed { operation: operation.to_owned(), needs })
}

fn dynamodb_needs(operation: &str, place: &ArnScope<'_>, body: &Value) -> Vec<Need> {
    let need =
        |operation: &str, resource: Option<String>| Need::new(format!("dynamodb:{operation}"), resource);
    let table = |name: &str| {
        if name.starts_with("arn:") {
            name.to_owned()
        } else {
            format!("arn:aws:dynamodb:{}:{}:table/{name}", place.region, place.account)
        }
    };
    match operation {
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(name, _)| need(operation, Some(table(name)))).collect()
        }
        "TransactGetItems" | "TransactWriteItems" => {
            let items = body["TransactItems"].as_array().into_iter().flatten();
            let items = items.filter_map(Value::as_object).flatten();
            items
                .map(|(kind, item)| {
                    let action = if kind == "ConditionCheck" {
                        "ConditionCheckItem".to_owned()
                    } else {
                        format!("{kind}Item")
                    };
                    need(&action, item["TableName"].as_str().map(table))
                })
                .collect()
        }
        _ => {
            let resource =
                body["TableName"].as_str().map(table).map(|arn| match body["IndexName"].as_str() {
                    Some(index) => format!("{arn}/index/{index}"),
                    None => arn,
                });
            vec![need(operation, resource)]
        }
    }
}

fn target(request: &Parts, prefix: &str) -> Option<String> {
    let target = request.headers.get("x-amz-target")?.to_str().ok()?;
    Some(target.strip_prefix(prefix)?.to_owned())
}

/// The body as far as the role's check looks into it; the engine judges whether it is well-formed.
fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}
