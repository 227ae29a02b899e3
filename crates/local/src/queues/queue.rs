//! One queue.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{SendError, date, md5_of};
use local_template::plan;

/// A message that was given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    /// The receipt handle that deletes it; a new one for each receive.
    pub receipt: String,
    pub body: String,
    /// The sender.
    pub sender: String,
    /// When it was sent, in ms of the cloud's clock.
    pub sent_ms: i64,
    /// When it was given out for the first time.
    pub first_received_ms: i64,
    /// How often it was given out, with this time.
    pub receives: u32,
    /// The queue that it came from, if this is its dead-letter queue.
    pub from: Option<String>,
}

/// How many messages a queue has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// They can be received.
    pub visible: usize,
    /// They were received and not deleted; they come back.
    pub in_flight: usize,
    /// They are not to be seen yet.
    pub delayed: usize,
}

#[derive(Clone, Debug)]
struct Kept {
    id: String,
    body: String,
    sender: String,
    sent_ms: i64,
    first_received_ms: Option<i64>,
    receives: u32,
    visible_ms: i64,
    receipt: Option<String>,
    from: Option<String>,
}

/// A queue with its messages.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) plan: plan::Queue,
    messages: Vec<Kept>,
}

fn ms(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Held {
    pub(super) fn new(plan: plan::Queue) -> Self {
        Self { plan, messages: Vec::new() }
    }

    pub(super) fn send(
        &mut self,
        body: &str,
        sender: &str,
        delay_ms: i64,
        now_ms: i64,
    ) -> Result<String, SendError> {
        if body.len() > self.plan.greatest {
            return Err(SendError::TooLarge);
        }
        let id = Uuid::new_v4().to_string();
        self.messages.push(Kept {
            id: id.clone(),
            body: body.to_owned(),
            sender: sender.to_owned(),
            sent_ms: now_ms,
            first_received_ms: None,
            receives: 0,
            visible_ms: now_ms.saturating_add(delay_ms.max(ms(self.plan.delay))),
            receipt: None,
            from: None,
        });
        Ok(id)
    }

    /// The received messages, and those that exceed the receive limit.
    pub(super) fn receive(&mut self, most: usize, now_ms: i64) -> (Vec<Message>, Vec<Buried>) {
        self.expire(now_ms);
        let hidden_until = now_ms.saturating_add(ms(self.plan.visibility));
        let limit = self.plan.redrive.as_ref().map_or(u32::MAX, |redrive| redrive.most_receives);
        let (mut given, mut dead) = (Vec::new(), Vec::new());
        for message in &mut self.messages {
            if given.len() >= most {
                break;
            }
            if message.visible_ms > now_ms {
                continue;
            }
            if message.receives >= limit {
                dead.push(Buried(message.clone()));
                continue;
            }
            message.receives += 1;
            message.visible_ms = hidden_until;
            let receipt = Uuid::new_v4().simple().to_string();
            message.receipt = Some(receipt.clone());
            given.push(Message {
                id: message.id.clone(),
                receipt,
                body: message.body.clone(),
                sender: message.sender.clone(),
                sent_ms: message.sent_ms,
                first_received_ms: *message.first_received_ms.get_or_insert(now_ms),
                receives: message.receives,
                from: message.from.clone(),
            });
        }
        self.messages.retain(|message| !dead.iter().any(|it| it.0.id == message.id));
        (given, dead)
    }

    /// Takes what was given out too often elsewhere. The time at which it was sent stays.
    pub(super) fn bury(&mut self, dead: Vec<Buried>, from: &str) {
        self.messages.extend(dead.into_iter().map(|Buried(message)| Kept {
            visible_ms: message.sent_ms,
            receipt: None,
            from: Some(from.to_owned()),
            ..message
        }));
    }

    pub(super) fn delete(&mut self, receipt: &str) {
        self.messages.retain(|message| message.receipt.as_deref() != Some(receipt));
    }

    pub(super) fn counts(&mut self, now_ms: i64) -> Counts {
        self.expire(now_ms);
        let mut counts = Counts::default();
        for message in &self.messages {
            match (message.visible_ms > now_ms, message.receives) {
                (false, _) => counts.visible += 1,
                (true, 0) => counts.delayed += 1,
                (true, _) => counts.in_flight += 1,
            }
        }
        counts
    }

    pub(super) fn bodies(&mut self, now_ms: i64) -> Vec<String> {
        self.expire(now_ms);
        self.messages.iter().map(|message| message.body.clone()).collect()
    }

    pub(super) fn listed(&mut self, with_messages: bool, now_ms: i64) -> Value {
        let counts = self.counts(now_ms);
        let redrive = self.plan.redrive.as_ref();
        let mut listed = json!({
            "name": self.plan.name,
            "visible": counts.visible,
            "inFlight": counts.in_flight,
            "delayed": counts.delayed,
            "deadLetterQueue": redrive.and_then(|redrive| redrive.queue.rsplit(':').next()),
        });
        if with_messages {
            let describe = |message: &Kept| {
                json!({
                    "id": message.id,
                    "receives": message.receives,
                    "sentAt": date(message.sent_ms),
                    "md5": md5_of(&message.body),
                    "body": message.body,
                })
            };
            listed["messages"] = self.messages.iter().map(describe).collect();
        }
        listed
    }

    /// The first moment at which something hidden shows.
    pub(super) fn next_visible(&self) -> Option<i64> {
        self.messages.iter().map(|message| message.visible_ms).min()
    }

    fn expire(&mut self, now_ms: i64) {
        let retention = ms(self.plan.retention);
        self.messages.retain(|message| now_ms.saturating_sub(message.sent_ms) <= retention);
    }
}

/// A message on its way to a dead-letter queue.
#[derive(Debug)]
pub(super) struct Buried(Kept);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use local_template::plan::Redrive;

    fn queue(redrive: Option<u32>) -> Held {
        let redrive = redrive.map(|most_receives| Redrive { queue: "arn:dead".to_owned(), most_receives });
        Held::new(plan::Queue {
            name: "queue".to_owned(),
            arn: "arn:queue".to_owned(),
            visibility: Duration::from_secs(30),
            delay: Duration::ZERO,
            retention: Duration::from_mins(10),
            greatest: 10,
            redrive,
            key: None,
            policy: Vec::new(),
        })
    }

    #[test]
    fn a_message_is_hidden_and_comes_back_with_a_new_receipt() {
        let mut queue = queue(None);
        let id = queue.send("body", "sender", 0, 1_000).expect("it fits");
        let first = queue.receive(10, 2_000).0.remove(0);
        assert_eq!((first.id, first.sent_ms, first.first_received_ms, first.receives), (id, 1_000, 2_000, 1));
        assert!(queue.receive(10, 31_999).0.is_empty(), "it is hidden for 30 s");
        assert_eq!(queue.counts(31_999), Counts { visible: 0, in_flight: 1, delayed: 0 });
        let second = queue.receive(10, 32_000).0.remove(0);
        assert_eq!((second.first_received_ms, second.receives), (2_000, 2));
        queue.delete(&first.receipt);
        assert_eq!(queue.counts(32_000).in_flight, 1, "an old receipt deletes nothing");
        queue.delete(&second.receipt);
        assert_eq!(queue.counts(32_000), Counts::default());
    }

    #[test]
    fn a_message_is_given_out_so_often_and_then_buried() {
        let (mut queue, mut dead) = (queue(Some(2)), queue(None));
        queue.send("body", "sender", 0, 0).expect("it fits");
        for at in [0, 30_000] {
            assert_eq!(queue.receive(10, at).0.len(), 1);
        }
        let (given, buried) = queue.receive(10, 60_000);
        assert!(given.is_empty());
        dead.bury(buried, "arn:queue");
        let message = dead.receive(1, 60_000).0.remove(0);
        assert_eq!((message.sent_ms, message.from.as_deref()), (0, Some("arn:queue")));
        assert_eq!(queue.counts(60_000), Counts::default());
    }

    #[test]
    fn size_number_delay_and_retention_are_kept_to() {
        let mut queue = queue(None);
        assert_eq!(queue.send("12345678901", "sender", 0, 0), Err(SendError::TooLarge));
        for _ in 0..3 {
            queue.send("body", "sender", 5_000, 0).expect("it fits");
        }
        assert_eq!(queue.counts(4_999), Counts { visible: 0, in_flight: 0, delayed: 3 });
        assert_eq!(queue.receive(2, 5_000).0.len(), 2);
        assert_eq!(queue.counts(600_001), Counts::default(), "retention is over");
    }
}
