//! The `OpenAPI` 3.1 document, from the types: `infra/openapi.json`.
//!
//! schemars gives the schemas and this module puts them together: generators that read handlers would need to be named
//! in the functions, and ignore a serde name that comes from a macro.

mod operations;
mod schemas;

use std::collections::BTreeMap;

use domain::error::{ErrorCode, reason};
use serde_json::{Map, Value, json};

use self::operations::{Content, Operation};
use self::schemas::Schemas;
use crate::{ErrorResponse, GatewayMessage};

/// Answers of API Gateway itself on a route, by status. Its body is a [`GatewayMessage`].
const GATEWAY: [(u16, &str, &str); 7] = [
    (401, "Unauthorized", "The token is missing, expired, or of another issuer or audience."),
    (404, "Not Found", "There is no such route."),
    (413, "Request Too Long", "The body is larger than 10 MB."),
    (429, "Too Many Requests", "The stage's throttle was reached."),
    (
        431,
        "Request Header Fields Too Large",
        "The request line and the values of the headers are larger than 10,240 bytes together.",
    ),
    (500, "Internal Server Error", "The function failed, or its answer could not be read."),
    (503, "Service Unavailable", "The function did not answer within 30 seconds or could not be invoked."),
];

/// The whole document.
#[must_use]
pub fn document() -> Value {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for operation in operations::all(&mut schemas) {
        let (method, path) = operation.method_and_path();
        let described = describe(&operation, &mut schemas);
        paths.entry(path.to_owned()).or_default().insert(method.to_lowercase(), described);
    }
    let direct = operations::direct_invocations(&mut schemas);
    let gateway: Map<_, _> = GATEWAY
        .iter()
        .map(|(status, text, why)| {
            let body = json!({ "application/json": {
                "schema": schemas.response::<GatewayMessage>(),
                "example": { "message": text },
            } });
            (
                format!("Gateway{status}"),
                json!({ "description": gateway_text(*status, why), "content": body }),
            )
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "MedZen Meetings",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT", "identifier": "MIT" },
            "description": "Video consultations: a provider starts the call of an appointment, the patient joins. \
                Generated from crates/api by `make openapi`.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "idToken": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "idToken": {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "A token of the configured OpenID issuer. A parameter of the deployment may name \
                    another header for it.",
            } },
            "responses": gateway,
            "schemas": schemas.into_components(),
        },
        "x-error-codes": codes(),
        "x-direct-invocations": direct,
    })
}

fn gateway_text(status: u16, why: &str) -> String {
    format!("{status} by API Gateway itself: {why}")
}

/// Every code, by its status, with its sentence.
fn codes() -> Value {
    let mut by_status: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for ErrorCode { status, code, text } in reason::ALL {
        by_status.entry(status.to_string()).or_default().insert((*code).to_owned(), json!(text));
    }
    let items: Map<_, _> =
        reason::ITEMS.iter().map(|item| (item.code.to_owned(), json!(item.text))).collect();
    by_status.insert("items".to_owned(), items);
    json!(by_status)
}

fn describe(operation: &Operation, schemas: &mut Schemas) -> Value {
    let mut described = Map::new();
    described.insert("operationId".to_owned(), json!(operation.id));
    described.insert("summary".to_owned(), json!(operation.summary));
    described.insert("x-function".to_owned(), json!(operation.function));
    if operation.public {
        described.insert("security".to_owned(), json!([]));
    }
    let parameters = parameters(operation);
    if !parameters.is_empty() {
        described.insert("parameters".to_owned(), json!(parameters));
    }
    if let Some(Content { schema, required }) = &operation.request {
        let body = json!({ "required": required, "content": { "application/json": { "schema": schema } } });
        described.insert("requestBody".to_owned(), body);
    }
    let mut responses: BTreeMap<String, Value> = BTreeMap::new();
    for (status, text, schema) in &operation.responses {
        let mut response =
            json!({ "description": text, "content": { "application/json": { "schema": schema } } });
        if *status == 200 {
            for media_type in operation.texts {
                response["content"][*media_type] = json!({ "schema": { "type": "string" } });
            }
        }
        if *status == 202 && operation.polls {
            response["headers"] = json!({
                "location": { "description": "The path to poll.", "schema": { "type": "string" } },
                "retry-after": retry_after(),
            });
        }
        responses.insert(status.to_string(), response);
    }
    for (status, codes) in operation.errors() {
        responses.insert(status.to_string(), failure(status, &codes, operation, schemas));
    }
    for (status, _, why) in GATEWAY.iter().filter(|(status, ..)| operation.gateway_answers(*status)) {
        responses.entry(status.to_string()).or_insert_with(|| {
            let schema = schemas.response::<GatewayMessage>();
            json!({
                "description": gateway_text(*status, why),
                "content": { "application/json": { "schema": schema } },
            })
        });
    }
    described.insert("responses".to_owned(), json!(responses));
    Value::Object(described)
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let (_, path) = operation.method_and_path();
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let path = names.map(|name| {
        json!({ "name": name, "in": "path", "required": true,
            "schema": { "type": "string", "format": "uuid" } })
    });
    let query = operation.query.iter().map(
        |(name, text, schema)| json!({ "name": name, "in": "query", "description": text, "schema": schema }),
    );
    path.chain(query).collect()
}

fn retry_after() -> Value {
    json!({ "description": "Seconds to wait.", "schema": { "type": "string" } })
}

/// A route's answer with one status in place of the requested one.
fn failure(status: u16, codes: &[ErrorCode], operation: &Operation, schemas: &mut Schemas) -> Value {
    let names: Vec<_> = codes.iter().map(|code| code.code).collect();
    let mut schema = json!({ "allOf": [
        schemas.response::<ErrorResponse>(),
        { "type": "object", "properties": { "code": { "enum": names } }, "required": ["code"] },
    ] });
    let mut lines: Vec<_> = codes.iter().map(|code| format!("{}: {}", code.code, code.text)).collect();
    let gateway = GATEWAY.iter().find(|(of, ..)| *of == status && operation.gateway_answers(status));
    if let Some((_, _, why)) = gateway {
        schema = json!({ "anyOf": [schema, schemas.response::<GatewayMessage>()] });
        lines.push(gateway_text(status, why));
    }
    let mut response = json!({
        "description": lines.join("\n"),
        "content": { "application/json": { "schema": schema } },
    });
    if matches!(status, 409 | 429 | 503) {
        response["headers"] = json!({ "retry-after": retry_after() });
    }
    response
}
