//! Comprehend Medical: `DetectEntitiesV2` and `InferICD10CM` over a small list of words, in the shape of AWS's answers
//! (<https://docs.aws.amazon.com/comprehend-medical/latest/api/Welcome.html>). Offsets count Unicode code points, as AWS's do.
//!
//! It speaks both protocols of the SDKs: Smithy's RPC v2 with CBOR, and JSON 1.1, which older ones and the command line use.

mod entities;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use self::entities::{detect, infer};
use crate::chime::Rate;
use crate::rate_limit::RateLimit;
use crate::service::{
    Answer, ArnScope, AwsService, ErrorBody, Operation, Permission, Protocol, RPC_V2_CBOR, target_operation,
};

/// Its endpoints (<https://docs.aws.amazon.com/general/latest/gr/comprehend-med_region.html>).
const REGIONS: [&str; 8] = [
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "ap-southeast-2",
    "ca-central-1",
    "eu-west-1",
    "eu-west-2",
    "us-gov-west-1",
];

/// Quotas (<https://docs.aws.amazon.com/comprehend-medical/latest/dev/comprehendmedical-quotas.html>).
const RATE: Rate = Rate { per_second: 100.0, burst: 100 };
const MAX_DETECT_BYTES: usize = 20_000;
const MAX_INFER_BYTES: usize = 10_000;

const JSON: Protocol = Protocol {
    content_type: "application/x-amz-json-1.1",
    refusal_status: StatusCode::BAD_REQUEST,
    throttled_status: StatusCode::BAD_REQUEST,
    failure_code: "InternalServerException",
    error_body: |code, message, _| ErrorBody::Json(json!({ "__type": code, "Message": message })),
    names_error_in_header: false,
};

const CBOR: Protocol = Protocol {
    content_type: "application/cbor",
    error_body: |code, message, _| cbor(&json!({ "__type": code, "Message": message })),
    ..JSON
};

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct ComprehendMedical {
    rate: Arc<RateLimit>,
}

impl Default for ComprehendMedical {
    fn default() -> Self {
        Self::with_rate(RATE)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Input {
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    DetectEntitiesV2,
    InferICD10CM,
}

impl Call {
    /// By the header of JSON 1.1, or by the address of RPC v2.
    fn parse(request: &Parts) -> Option<(Self, String)> {
        let by_path = || {
            let path = request.uri.path().strip_prefix("/service/ComprehendMedical_20181030/operation/")?;
            Some(path.to_owned())
        };
        let name = target_operation(request, "ComprehendMedical_20181030.").or_else(by_path)?;
        let call = match name.as_str() {
            "DetectEntitiesV2" => Self::DetectEntitiesV2,
            "InferICD10CM" => Self::InferICD10CM,
            _ => return None,
        };
        Some((call, name))
    }

    const fn max_bytes(self) -> usize {
        match self {
            Self::DetectEntitiesV2 => MAX_DETECT_BYTES,
            Self::InferICD10CM => MAX_INFER_BYTES,
        }
    }
}

fn cbor(value: &Value) -> ErrorBody {
    let mut bytes = Vec::new();
    match ciborium::into_writer(value, &mut bytes) {
        Ok(()) => ErrorBody::Cbor(bytes.into()),
        Err(error) => {
            tracing::error!(%error, "an answer of Comprehend Medical is not written");
            ErrorBody::Cbor(Bytes::new())
        }
    }
}

fn speaks_cbor(request: &Parts) -> bool {
    request.headers.get("smithy-protocol").is_some_and(|it| it == RPC_V2_CBOR)
}

#[async_trait]
impl AwsService for ComprehendMedical {
    fn scope(&self) -> &'static str {
        "comprehendmedical"
    }

    fn protocol(&self) -> &'static Protocol {
        &JSON
    }

    fn protocol_of(&self, request: &Parts) -> &'static Protocol {
        if speaks_cbor(request) { &CBOR } else { &JSON }
    }

    fn throttled(&self, request: &Parts) -> Answer {
        self.refuse(request, "TooManyRequestsException", "Rate exceeded")
    }

    fn operation(&self, _: ArnScope<'_>, request: &Parts, _: &[u8]) -> Option<Operation> {
        let (_, name) = Call::parse(request)?;
        let permission = Permission::new(format!("comprehendmedical:{name}"), None);
        Some(Operation { name, permissions: vec![permission] })
    }

    async fn answer(&self, region: &str, request: &Parts, body: Bytes) -> Answer {
        let Some((call, _)) = Call::parse(request) else {
            return self.refuse(request, "UnknownOperationException", "Unknown operation");
        };
        if !REGIONS.contains(&region) {
            let message = format!("Comprehend Medical has no endpoint in {region}");
            return self.refuse(request, "InvalidRequestException", &message);
        }
        if !self.rate.admits() {
            return self.throttled(request);
        }
        let cbor_body = speaks_cbor(request);
        let input: Result<Input, String> = if cbor_body {
            ciborium::from_reader(body.as_ref()).map_err(|error| error.to_string())
        } else {
            serde_json::from_slice(&body).map_err(|error| error.to_string())
        };
        let text = match input {
            Ok(Input { text }) => text,
            Err(error) => return self.refuse(request, "InvalidRequestException", &error),
        };
        if text.is_empty() {
            return self.refuse(request, "InvalidRequestException", "Text must have at least one character");
        }
        if text.len() > call.max_bytes() {
            let message = format!("Text has {} bytes, the limit is {}", text.len(), call.max_bytes());
            return self.refuse(request, "TextSizeLimitExceededException", &message);
        }
        let found = match call {
            Call::DetectEntitiesV2 => detect(&text),
            Call::InferICD10CM => infer(&text),
        };
        let protocol = self.protocol_of(request);
        protocol.answer(StatusCode::OK, if cbor_body { cbor(&found) } else { ErrorBody::Json(found) })
    }
}

impl ComprehendMedical {
    /// With another rate of requests, on the real clock.
    #[must_use]
    pub fn with_rate(rate: Rate) -> Self {
        Self { rate: Arc::new(RateLimit::new(rate.per_second, rate.burst)) }
    }

    fn refuse(&self, request: &Parts, code: &str, message: &str) -> Answer {
        self.protocol_of(request).error(StatusCode::BAD_REQUEST, code, message)
    }
}
