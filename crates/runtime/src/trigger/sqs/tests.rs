//! Batches, through the function's whole loop except Lambda itself.

use aws_lambda_events::event::sqs::SqsBatchResponse;
use domain::error::reason;
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::edge::Edge;
use crate::run::serve;
use crate::trigger::Trigger;

fn record(id: &str, body: &str) -> Value {
    json!({
        "messageId": id,
        "receiptHandle": "handle",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "2",
            "SentTimestamp": "1767225600000",
            "SenderId": "sender",
            "ApproximateFirstReceiveTimestamp": "1767225601500",
        },
        "messageAttributes": {},
        "md5OfBody": "md5",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
        "awsRegion": "us-east-1",
    })
}

fn event(id: &str, detail: &Value) -> String {
    let event = json!({
        "version": "0", "id": id, "detail-type": "Chime Meeting State Change", "source": "aws.chime",
        "account": "000000000000", "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [],
        "detail": detail,
    });
    event.to_string()
}

/// Returns the answer to Lambda and the messages that the handler got.
async fn serve_batch(
    records: Vec<Value>,
    handle: impl Fn(&Messages) -> Result<Answer, Error> + Send + Sync,
) -> (Result<Value, Diagnostic>, Vec<String>) {
    let payload = serde_json::value::to_raw_value(&json!({ "Records": records })).expect("it is JSON");
    let mut context = Context::default();
    context.deadline = u64::MAX / 2;
    let mut seen = Vec::new();
    let answer = serve(LambdaEvent::new(payload, context), &Edge::default(), async |trigger| match trigger {
        Trigger::Messages(messages) => {
            seen.extend(messages.list.iter().map(|message| message.id.clone()));
            handle(&messages)
        }
        other => Err(Error::internal(format!("{other:?} is no batch"))),
    })
    .await;
    (answer, seen)
}

fn failures(answer: Result<Value, Diagnostic>) -> Vec<String> {
    let answer = answer.expect("the invocation did not fail");
    let answer: SqsBatchResponse = serde_json::from_value(answer).expect("the answer is a batch's");
    answer.batch_item_failures.into_iter().map(|item| item.item_identifier).collect()
}

#[tokio::test]
async fn each_message_has_its_own_result() {
    let batch = ["m-1", "m-2", "m-3"].map(|id| record(id, &event(id, &json!({ "eventType": "x" }))));
    let (answer, seen) = serve_batch(batch.into(), |messages| {
        let message = &messages.list[0];
        assert_eq!((message.event.source.as_str(), message.receives), ("aws.chime", 2));
        assert_eq!(message.event.detail.get(), r#"{"eventType":"x"}"#);
        assert_eq!(message.event.time, datetime!(2026-01-01 00:00 UTC));
        assert_eq!(messages.origin.now, datetime!(2026-01-01 00:00:01.5 UTC));
        Ok(messages.answer([Ok(()), Err(Error::NotFound(reason::NO_ACTIVE_CALL)), Ok(())]))
    })
    .await;
    assert_eq!(seen, ["m-1", "m-2", "m-3"]);
    assert_eq!(failures(answer), ["m-2"]);
}

#[tokio::test]
async fn an_unreadable_message_does_not_affect_the_others() {
    let good = event("e", &json!({}));
    let bodies = [
        "",
        "no JSON",
        "[]",
        "{}",
        &good.replace(r#""detail":{}"#, r#""detail":[]"#),
        &good.replace(r#""id":"e""#, r#""id":"""#),
        &good.replace(r#""id":"e""#, r#""id":"\u0000""#),
        &good.replace("2026-01-01T00:00:00Z", "today"),
    ];
    let mut batch: Vec<_> =
        bodies.iter().enumerate().map(|(n, body)| record(&format!("bad-{n}"), body)).collect();
    let bad: Vec<_> = (0..bodies.len()).map(|n| format!("bad-{n}")).collect();
    let (answer, seen) = serve_batch(batch.clone(), |_| Err(Error::internal("it has nothing to see"))).await;
    assert_eq!((failures(answer), seen), (bad.clone(), Vec::new()), "a batch of nothing else");

    batch.insert(3, record("good", &good));
    let (answer, seen) = serve_batch(batch, |messages| Ok(messages.answer([Ok(())]))).await;
    assert_eq!((failures(answer), seen), (bad, vec!["good".to_owned()]));
}

#[tokio::test]
async fn members_that_are_not_used_may_be_anything() {
    let odd = [
        json!({ "attributes": null, "messageAttributes": null, "md5OfBody": 5, "awsRegion": null }),
        json!({ "attributes": { "SenderId": null, "ApproximateReceiveCount": null }, "eventSourceARN": [] }),
        json!({ "messageAttributes": { "x": null }, "receiptHandle": null }),
    ];
    let batch = odd.iter().enumerate().map(|(n, odd)| {
        let mut record = record(&format!("m-{n}"), &event("e", &json!({})));
        record
            .as_object_mut()
            .into_iter()
            .for_each(|record| record.extend(odd.as_object().cloned().unwrap_or_default()));
        record
    });
    let (answer, seen) =
        serve_batch(batch.collect(), |messages| Ok(messages.answer([Ok(()), Ok(()), Ok(())]))).await;
    assert_eq!(
        (failures(answer), seen),
        (Vec::new(), vec!["m-0".to_owned(), "m-1".to_owned(), "m-2".to_owned()])
    );
}

#[tokio::test]
async fn a_message_without_a_result_is_delivered_again() {
    let batch = || vec![record("m-1", &event("1", &json!({}))), record("m-2", &event("2", &json!({})))];
    let (answer, _) = serve_batch(batch(), |messages| Ok(messages.answer([Ok(())]))).await;
    assert_eq!(failures(answer), ["m-2"]);
    let (answer, _) = serve_batch(batch(), |_| Ok(Answer::done())).await;
    assert!(answer.is_err(), "an answer that is no batch's must not delete the messages");
}

#[tokio::test]
async fn a_failed_function_or_a_message_without_an_id_returns_all() {
    let batch = vec![record("m-1", &event("1", &json!({})))];
    let (answer, _) = serve_batch(batch, |_| Err(Error::internal("password=hunter2"))).await;
    let failed = answer.expect_err("the invocation failed");
    assert_eq!(failed.error_type, "INTERNAL");
    assert!(!failed.error_message.contains("hunter2"), "{}", failed.error_message);
    let (answer, seen) =
        serve_batch(vec![record("", &event("1", &json!({})))], |messages| Ok(messages.answer([Ok(())])))
            .await;
    assert_eq!(answer.expect_err("it cannot be reported").error_type, "MALFORMED_REQUEST");
    assert!(seen.is_empty());
}
