//! Messages of the transcription as a capture writes them: one JSON object on each line, with the members of AWS's examples
//! (<https://docs.aws.amazon.com/chime-sdk/latest/dg/transcription-messages.html>,
//! <https://docs.aws.amazon.com/chime-sdk/latest/dg/delivery-examples.html>). That the messages of its states are among them was seen
//! (<https://github.com/aws/amazon-chime-sdk-js/issues/2454>).

use local_media::{Caption, CaptionEntity, CaptionItem, CaptionStatus, CaptionStatusKind, CaptionWords};
use serde_json::{Map, Value, json};

/// A message without a line break. `pascal_case`: its members begin with capital letters.
pub(super) fn line(caption: &Caption, pascal_case: bool) -> String {
    let message = match caption {
        Caption::Status(status) => json!({ "status": of_status(status) }),
        Caption::Words(words) => json!({ "transcript": { "results": [result(words)] } }),
    };
    if pascal_case { capitalized(message).to_string() } else { message.to_string() }
}

fn of_status(status: &CaptionStatus) -> Value {
    let kind = match status.kind {
        CaptionStatusKind::Started => "started",
        CaptionStatusKind::Interrupted => "interrupted",
        CaptionStatusKind::Resumed => "resumed",
        CaptionStatusKind::Stopped => "stopped",
        CaptionStatusKind::Failed => "failed",
    };
    let mut json = json!({
        "type": kind,
        "eventTimeMs": status.at_ms,
        "transcriptionRegion": status.region,
        "transcriptionConfiguration": status.configuration,
    });
    if let Some(message) = &status.message {
        json["message"] = message.as_str().into();
    }
    json
}

fn result(words: &CaptionWords) -> Value {
    let mut alternative = json!({
        "items": words.items.iter().map(item).collect::<Vec<_>>(),
        "transcript": words.transcript,
    });
    if !words.entities.is_empty() {
        alternative["entities"] = words.entities.iter().map(entity).collect();
    }
    let mut json = json!({
        "resultId": words.result_id,
        "isPartial": words.partial,
        "startTimeMs": words.start_ms,
        "endTimeMs": words.end_ms,
        "alternatives": [alternative],
    });
    if let Some((code, score)) = &words.language {
        json["languageCode"] = code.as_str().into();
        json["languageIdentification"] = json!([{ "languageCode": code, "score": score }]);
    }
    json
}

fn item(item: &CaptionItem) -> Value {
    let mut json = json!({
        "type": if item.punctuation { "punctuation" } else { "pronunciation" },
        "startTimeMs": item.start_ms,
        "endTimeMs": item.end_ms,
        "attendee": { "attendeeId": item.attendee_id, "externalUserId": item.external_user_id },
        "content": item.content,
        "vocabularyFilterMatch": false,
    });
    if let Some(confidence) = item.confidence {
        json["confidence"] = confidence.into();
    }
    if let Some(stable) = item.stable {
        json["stable"] = stable.into();
    }
    json
}

fn entity(entity: &CaptionEntity) -> Value {
    let mut json = json!({
        "category": entity.category,
        "confidence": entity.confidence,
        "content": entity.content,
        "startTimeMs": entity.start_ms,
        "endTimeMs": entity.end_ms,
    });
    if let Some(kind) = &entity.kind {
        json["type"] = kind.as_str().into();
    }
    json
}

fn capitalized(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let capital = |(name, value): (String, Value)| {
                let mut letters = name.chars();
                let first = letters.next().map(|it| it.to_ascii_uppercase());
                (first.into_iter().chain(letters).collect(), capitalized(value))
            };
            Value::Object(members.into_iter().map(capital).collect::<Map<String, Value>>())
        }
        Value::Array(values) => values.into_iter().map(capitalized).collect(),
        other => other,
    }
}
