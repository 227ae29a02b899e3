//! Lambda's event for a batch of a queue, and the parsing of the function's response.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Message, md5_of};
use crate::lambda::Invoked;

/// The event: `Records`.
pub(super) fn event(messages: &[Message], queue: &str, region: &str) -> Value {
    let record = |message: &Message| {
        let mut attributes = json!({
            "ApproximateReceiveCount": message.receives.to_string(),
            "SentTimestamp": message.sent_ms.to_string(),
            "SenderId": message.sender,
            "ApproximateFirstReceiveTimestamp": message.first_received_ms.to_string(),
        });
        if let Some(from) = &message.from {
            attributes["DeadLetterQueueSourceArn"] = json!(from);
        }
        json!({
            "messageId": message.id,
            "receiptHandle": message.receipt,
            "body": message.body,
            "attributes": attributes,
            "messageAttributes": {},
            "md5OfBody": md5_of(&message.body),
            "eventSource": "aws:sqs",
            "eventSourceARN": queue,
            "awsRegion": region,
        })
    };
    json!({ "Records": messages.iter().map(record).collect::<Vec<_>>() })
}

/// The messages that are done; none where the answer cannot be read.
pub(super) fn done<'m>(messages: &'m [Message], invoked: &Invoked, partial: bool) -> Vec<&'m Message> {
    if invoked.function_error.is_some() {
        return Vec::new();
    }
    if !partial {
        return messages.iter().collect();
    }
    match failed(&invoked.payload) {
        Some(failed) if failed.iter().all(|id| messages.iter().any(|message| message.id == *id)) => {
            messages.iter().filter(|message| !failed.contains(&message.id)).collect()
        }
        Some(_) | None => Vec::new(),
    }
}

/// The reported failures; none if the answer is no report.
fn failed(payload: &[u8]) -> Option<BTreeSet<String>> {
    let report = match serde_json::from_slice(payload).ok()? {
        Value::Null => return Some(BTreeSet::new()),
        Value::Object(report) => report,
        _ => return None,
    };
    match report.get("batchItemFailures") {
        None if report.is_empty() => Some(BTreeSet::new()),
        Some(Value::Null) => Some(BTreeSet::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.get("itemIdentifier")?.as_str().filter(|id| !id.is_empty()).map(str::to_owned))
            .collect(),
        None | Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(id: &str) -> Message {
        Message {
            id: id.to_owned(),
            receipt: format!("receipt-{id}"),
            body: "hello".to_owned(),
            sender: "sender".to_owned(),
            sent_ms: 1_545_082_649_183,
            first_received_ms: 1_545_082_649_185,
            receives: 1,
            from: None,
        }
    }

    fn done_after(payload: &str, error: bool, partial: bool) -> String {
        let messages = ["a", "b", "c"].map(message);
        let invoked = Invoked {
            request_id: String::new(),
            payload: Bytes::from(payload.to_owned()),
            function_error: error.then(|| "Unhandled".to_owned()),
            log_tail: String::new(),
        };
        done(&messages, &invoked, partial).iter().map(|message| message.id.as_str()).collect()
    }

    #[test]
    fn an_answer_is_read_as_lambda_documents_it() {
        for (payload, done) in [
            (r#"{"batchItemFailures": [{"itemIdentifier": "b"}]}"#, "ac"),
            (r#"{"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "a"}]}"#, "c"),
            (r#"{"batchItemFailures": []}"#, "abc"),
            (r#"{"batchItemFailures": null}"#, "abc"),
            ("{}", "abc"),
            ("null", "abc"),
            (r#"{"batchItemFailures": [{"itemIdentifier": ""}]}"#, ""),
            (r#"{"batchItemFailures": [{"itemIdentifier": null}]}"#, ""),
            (r#"{"batchItemFailures": [{"messageId": "b"}]}"#, ""),
            (r#"{"batchItemFailures": [{"itemIdentifier": "nobody"}]}"#, ""),
            (r#"{"batchItemFailures": "b"}"#, ""),
            (r#"{"statusCode": 200}"#, ""),
            (r#""done""#, ""),
            ("no JSON", ""),
        ] {
            assert_eq!(done_after(payload, false, true), done, "{payload}");
        }
        assert_eq!(done_after("{}", true, true), "", "the function failed");
        assert_eq!(done_after("{}", true, false), "", "the function failed");
        assert_eq!(done_after("anything", false, false), "abc", "nothing is asked for");
    }

    #[test]
    fn the_event_is_that_of_lambda() {
        insta::assert_json_snapshot!(event(&[message("a")], "arn:queue", "us-east-2"), @r#"
        {
          "Records": [
            {
              "attributes": {
                "ApproximateFirstReceiveTimestamp": "1545082649185",
                "ApproximateReceiveCount": "1",
                "SenderId": "sender",
                "SentTimestamp": "1545082649183"
              },
              "awsRegion": "us-east-2",
              "body": "hello",
              "eventSource": "aws:sqs",
              "eventSourceARN": "arn:queue",
              "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
              "messageAttributes": {},
              "messageId": "a",
              "receiptHandle": "receipt-a"
            }
          ]
        }
        "#);
    }
}
