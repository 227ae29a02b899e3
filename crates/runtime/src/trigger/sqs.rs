//! A batch of an SQS queue: events of `EventBridge`, each with a result of its own.

use domain::Error;
use domain::audit::{Origin, Via};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use crate::answer::Answer;
use crate::failed_message::FailedMessage;
use crate::json::Fields;

/// `EventBridge`'s own ids are UUIDs.
const MAX_ID_BYTES: usize = 128;

/// A batch from a queue. Its handler returns a result for each message: [`Messages::answer`].
#[derive(Debug)]
pub struct Messages {
    /// The messages that could be parsed, in the order of the batch. A message that could not be parsed counts as
    /// failed, is logged, and ends in the dead-letter queue, without affecting the others.
    pub list: Vec<Message>,
    /// Their source, and their time: when the queue first delivered the youngest of them.
    pub origin: Origin,
    unreadable: Vec<FailedMessage>,
}

#[derive(Debug)]
pub struct Message {
    /// The queue's message id.
    pub id: String,
    /// How often the queue has delivered the message, this time included.
    pub receives: u32,
    pub event: Envelope,
}

/// The `EventBridge` envelope of an event.
#[derive(Debug, Deserialize)]
pub struct Envelope {
    /// The same in every delivery of the event; 1 to 128 characters.
    pub id: String,
    /// `Chime Meeting State Change`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// `aws.chime`.
    pub source: String,
    /// The event's time, to the second.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    pub region: String,
    /// A JSON object.
    pub detail: Box<RawValue>,
}

/// The members of a batch that are used. The other members may be anything: one odd member of one message must not return the whole batch.
#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Record {
    message_id: Value,
    body: Value,
    attributes: Value,
}

/// Parses a batch. A message without an id makes the whole batch unreadable, because it could not be reported as
/// failed.
pub(super) fn read(event: &RawValue, request_id: &str, now: OffsetDateTime) -> Result<Messages, Error> {
    let event: Batch =
        serde_json::from_str(event.get()).map_err(|_| super::unreadable("is no batch of a queue"))?;
    let first_received =
        |record: &Record| instant(record.attributes["ApproximateFirstReceiveTimestamp"].as_str()?);
    let now = event.records.iter().filter_map(first_received).max().unwrap_or(now);
    let (mut list, mut unreadable) = (Vec::new(), Vec::new());
    for record in event.records {
        let id = record.message_id.as_str().filter(|id| !id.is_empty()).map(str::to_owned);
        let id = id.ok_or_else(|| super::unreadable("has a message without an id"))?;
        let receives = record.attributes["ApproximateReceiveCount"].as_str();
        let receives = receives.and_then(|count| count.parse().ok()).unwrap_or(1);
        match Envelope::read(record.body.as_str().unwrap_or_default()) {
            Ok(event) => list.push(Message { id, receives, event }),
            Err(error) => unreadable.push(FailedMessage::new(id, receives, None, &error)),
        }
    }
    let origin =
        Origin { request_id: request_id.to_owned(), via: Via::Event, ip: None, user_agent: None, now };
    Ok(Messages { list, origin, unreadable })
}

impl Messages {
    /// The answer from each message's result, in the order of the list. A failed message is logged, is delivered
    /// again after the queue's visibility timeout, and moves to the dead-letter queue after its last attempt, whether
    /// a retry can help or not: a message that must not be retried has to be `Ok`. A message without a result counts
    /// as failed.
    #[must_use]
    pub fn answer(&self, outcomes: impl IntoIterator<Item = Result<(), Error>>) -> Answer {
        let mut outcomes = outcomes.into_iter();
        let mut failed = Vec::new();
        for message in &self.list {
            let outcome = outcomes.next();
            if let Err(error) = outcome
                .unwrap_or_else(|| Err(Error::internal("the handler returned no result for this message")))
            {
                let event = Some(message.event.id.clone());
                failed.push(FailedMessage::new(message.id.clone(), message.receives, event, &error));
            }
        }
        Answer::batch(failed)
    }

    pub(crate) fn take_unreadable(&mut self) -> Vec<FailedMessage> {
        std::mem::take(&mut self.unreadable)
    }
}

impl Envelope {
    fn read(body: &str) -> Result<Self, Error> {
        let envelope: Self = Fields::parse(body.as_bytes())?.read()?;
        let id = &envelope.id;
        if id.is_empty() || id.len() > MAX_ID_BYTES || id.chars().any(char::is_control) {
            return Err(Error::invalid("id", "must have 1 to 128 characters"));
        }
        if !envelope.detail.get().starts_with('{') {
            return Err(Error::invalid("detail", "must be an object"));
        }
        Ok(envelope)
    }
}

/// Milliseconds since 1970, as SQS writes them.
fn instant(text: &str) -> Option<OffsetDateTime> {
    let ms: i64 = text.parse().ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()
}

#[cfg(test)]
mod tests;
