//! Buses, rules, queues, and what reads the queues.

use std::time::Duration;

use super::ResourceStatement;
use crate::event_pattern::Pattern;

/// An event bus that a template makes. The account's own, `default`, is always there.
#[derive(Clone, Debug)]
pub struct EventBus {
    pub name: String,
    pub arn: String,
}

/// A rule that picks events from a bus.
#[derive(Clone, Debug)]
pub struct EventRule {
    pub name: String,
    pub arn: String,
    /// The bus, by its name.
    pub bus: String,
    /// Which events it picks.
    pub pattern: Pattern,
    /// Whether it does.
    pub enabled: bool,
    /// Where they go.
    pub targets: Vec<RuleTarget>,
}

/// A target of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleTarget {
    pub target: Target,
    /// The ARN of the queue for events that could not be delivered.
    pub dead_letters: Option<String>,
}

/// Where a rule sends its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A queue, by its ARN.
    Queue(String),
    /// A function, by its name.
    Function(String),
}

/// A standard queue.
#[derive(Clone, Debug)]
pub struct Queue {
    pub name: String,
    pub arn: String,
    /// For so long a message that was received is hidden.
    pub visibility: Duration,
    /// For so long a message is hidden at first.
    pub delay: Duration,
    /// After that a message is gone.
    pub retention: Duration,
    /// The greatest body in bytes.
    pub greatest: usize,
    /// Where a message goes that was received too often.
    pub redrive: Option<Redrive>,
    /// The ARN of the customer's key, if it is encrypted with one.
    pub key: Option<String>,
    /// The queue's policy.
    pub policy: Vec<ResourceStatement>,
}

/// A queue's dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    pub queue: String,
    /// How often a message is received at most.
    pub most_receives: u32,
}

/// A KMS key and its policy.
#[derive(Clone, Debug)]
pub struct Key {
    pub arn: String,
    pub policy: Vec<ResourceStatement>,
}

/// An `AWS::Lambda::EventSourceMapping`: Lambda reads a queue for a function.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The function, by its name.
    pub function: String,
    /// The queue's ARN.
    pub queue: String,
    /// The greatest number of messages in one invocation.
    pub batch: usize,
    /// How long a batch is waited for that is not full.
    pub window: Duration,
    /// Whether the function reports failed messages (`ReportBatchItemFailures`).
    pub partial: bool,
    /// How many invocations at once, if that is limited.
    pub concurrency: Option<u32>,
    /// Whether it reads.
    pub enabled: bool,
}
