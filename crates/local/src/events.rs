//! `EventBridge`: buses, rules that pick events, and their delivery to queues and functions.
//!
//! As on AWS, a queue gets an event only if its policy lets `events.amazonaws.com` send for that rule, and the key that it
//! is encrypted with lets it, too; otherwise the event is lost, and only the control API shows it.

mod put;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::Clock;
use crate::faults::{FaultKind, Faults};
use crate::lambda::Lambda;
use crate::queues::Queues;
use crate::schedules::seconds;
use local_template::iam::policy_allows;
use local_template::plan::{EventBus, EventRule, Key, Plan, Queue, RuleTarget, Target};

/// The bus of AWS services' events, which every account has.
pub const DEFAULT_BUS: &str = "default";

/// The principal that the queues' policies name.
const SERVICE: &str = "events.amazonaws.com";

/// The delivery of an event to a rule's target; without a rule, to the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The event's id.
    pub event: String,
    /// The bus.
    pub bus: String,
    /// The rule that picked it.
    pub rule: Option<String>,
    /// The target's ARN, or the function's name.
    pub target: Option<String>,
    pub outcome: DeliveryOutcome,
}

/// The outcome of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryOutcome {
    /// The target has it.
    Delivered,
    /// The target did not get it, because of this.
    Refused(String),
    /// The target did not get it, because of this; it is in the rule's dead-letter queue.
    DeadLetter(String),
    /// A fault lost it.
    Lost,
    /// It went to a bus that is not there.
    NoBus,
}

/// An event as `POST /_local/events` takes it; what is left out is filled in as `EventBridge` would.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewEvent {
    /// `aws.chime`.
    pub source: String,
    /// `Chime Meeting State Change`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// The event's content.
    pub detail: Map<String, Value>,
    /// Its id. To give the same twice is how a double is made.
    pub id: Option<String>,
    /// When, as a text.
    pub time: Option<String>,
    /// ARNs of the resources.
    #[serde(default)]
    pub resources: Vec<String>,
    /// Whose; the cloud's account when absent.
    pub account: Option<String>,
    /// Where; the cloud's region when absent.
    pub region: Option<String>,
    /// As AWS always has it: `0`.
    pub version: Option<String>,
    /// The bus; `default` when absent.
    pub bus: Option<String>,
}

/// The buses with their rules. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct EventBridge(Arc<Inner>);

struct Inner {
    account: String,
    region: String,
    clock: Clock,
    faults: Faults,
    buses: Vec<EventBus>,
    rules: Vec<EventRule>,
    keys: Vec<Key>,
    targets: Vec<Queue>,
    queues: Queues,
    lambda: Lambda,
    received_events: Arc<Mutex<Vec<Value>>>,
    deliveries: Mutex<Vec<Delivery>>,
}

impl EventBridge {
    /// The buses and rules of a plan.
    #[must_use]
    pub fn new(plan: &Plan, clock: Clock, faults: Faults, queues: Queues, lambda: Lambda) -> Self {
        Self(Arc::new(Inner {
            account: plan.account.clone(),
            region: plan.region.clone(),
            clock,
            faults,
            buses: plan.buses.clone(),
            rules: plan.rules.clone(),
            keys: plan.keys.clone(),
            targets: plan.queues.clone(),
            queues,
            lambda,
            received_events: Arc::default(),
            deliveries: Mutex::default(),
        }))
    }

    /// Puts an event on a bus, with what `EventBridge` adds to it, and answers it as its rules see it.
    #[must_use]
    pub fn put(&self, event: NewEvent) -> Value {
        let inner = &self.0;
        let whole = json!({
            "version": event.version.unwrap_or_else(|| "0".to_owned()),
            "id": event.id.unwrap_or_else(|| Uuid::new_v4().to_string()),
            "detail-type": event.detail_type,
            "source": event.source,
            "account": event.account.unwrap_or_else(|| inner.account.clone()),
            "time": event.time.unwrap_or_else(|| seconds(inner.clock.now())),
            "region": event.region.unwrap_or_else(|| inner.region.clone()),
            "resources": event.resources,
            "detail": event.detail,
        });
        self.publish(event.bus.as_deref().unwrap_or(DEFAULT_BUS), &whole);
        whole
    }

    /// Takes a whole event and delivers it. `bus` is a name or an ARN.
    pub fn publish(&self, bus: &str, event: &Value) {
        let inner = &self.0;
        let bus = bus.rsplit_once("event-bus/").map_or(bus, |(_, name)| name);
        lock(&inner.received_events).push(event.clone());
        let id = event["id"].as_str().unwrap_or_default();
        let note = |rule: Option<&EventRule>, target: Option<&str>, outcome| {
            lock(&inner.deliveries).push(Delivery {
                event: id.to_owned(),
                bus: bus.to_owned(),
                rule: rule.map(|rule| rule.name.clone()),
                target: target.map(str::to_owned),
                outcome,
            });
        };
        if bus != DEFAULT_BUS && !inner.buses.iter().any(|known| known.name == bus) {
            tracing::warn!(bus, "an event went to a bus that is not there");
            return note(None, None, DeliveryOutcome::NoBus);
        }
        let kind = event["detail"]["eventType"].as_str().or(event["detail-type"].as_str());
        let effect = inner.faults.effect_on_event(kind.unwrap_or_default());
        if effect.fault == Some(FaultKind::Lose) {
            return note(None, None, DeliveryOutcome::Lost);
        }
        let times = if effect.fault == Some(FaultKind::Double) { 2 } else { 1 };
        let delay_ms = i64::try_from(effect.latency.as_millis()).unwrap_or(i64::MAX);
        for rule in inner.rules.iter().filter(|rule| rule.bus == bus && rule.enabled) {
            if !rule.pattern.matches(event) {
                continue;
            }
            for target in &rule.targets {
                for _ in 0..times {
                    let (Target::Queue(name) | Target::Function(name)) = &target.target;
                    note(Some(rule), Some(name), inner.deliver(rule, target, event, delay_ms));
                }
            }
        }
    }

    /// Every event that comes to any bus, in order.
    #[must_use]
    pub fn received_events(&self) -> Arc<Mutex<Vec<Value>>> {
        Arc::clone(&self.0.received_events)
    }

    /// The deliveries of all events, in order.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.0.deliveries).clone()
    }

    /// The names of the rules that picked an event.
    #[must_use]
    pub fn picked(&self, event: &str) -> Vec<String> {
        let deliveries = lock(&self.0.deliveries);
        let mut rules: Vec<String> =
            deliveries.iter().filter(|it| it.event == event).filter_map(|it| it.rule.clone()).collect();
        rules.dedup();
        rules
    }
}

impl Inner {
    /// Delivers an event to a target, or to the target's dead-letter queue.
    fn deliver(
        &self,
        rule: &EventRule,
        target: &RuleTarget,
        event: &Value,
        delay_ms: i64,
    ) -> DeliveryOutcome {
        let sent = match &target.target {
            Target::Queue(arn) => self.send(rule, arn, event, delay_ms),
            Target::Function(name) if self.lambda.permits(name, SERVICE, &rule.arn) => {
                self.invoke(name.clone(), Bytes::from(event.to_string()));
                Ok(())
            }
            Target::Function(name) => Err(format!("no permission lets {SERVICE} invoke {name} for the rule")),
        };
        let Err(reason) = sent else { return DeliveryOutcome::Delivered };
        match target.dead_letters.as_ref().map(|arn| self.send(rule, arn, event, 0)) {
            Some(Ok(())) => DeliveryOutcome::DeadLetter(reason),
            Some(Err(also)) => {
                tracing::warn!(
                    rule = rule.name,
                    reason,
                    also,
                    "an event is lost, not even its dead-letter queue takes it"
                );
                DeliveryOutcome::Refused(format!("{reason}; its dead-letter queue: {also}"))
            }
            None => {
                tracing::warn!(rule = rule.name, reason, "an event was not delivered");
                DeliveryOutcome::Refused(reason)
            }
        }
    }

    fn send(&self, rule: &EventRule, arn: &str, event: &Value, delay_ms: i64) -> Result<(), String> {
        let context = [("aws:SourceArn", rule.arn.as_str()), ("aws:SourceAccount", self.account.as_str())];
        let queue = self.targets.iter().find(|queue| queue.arn == arn).ok_or("there is no such queue")?;
        if !policy_allows(&queue.policy, SERVICE, "sqs:SendMessage", arn, &context) {
            return Err(format!("the queue's policy does not let {SERVICE} send for the rule"));
        }
        let key = queue.key.as_ref().and_then(|key| self.keys.iter().find(|known| known.arn == *key));
        if let Some(key) = key {
            for action in ["kms:GenerateDataKey", "kms:Decrypt"] {
                // Without the source: AWS documents for encrypted topics that a key's policy cannot ask for it here.
                if !policy_allows(&key.policy, SERVICE, action, &key.arn, &[]) {
                    return Err(format!("the key's policy does not let {SERVICE} use it: {action}"));
                }
            }
        }
        self.queues
            .send(arn, &event.to_string(), SENDER, delay_ms)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Invokes a function without waiting for its answer.
    fn invoke(&self, function: String, payload: Bytes) {
        let lambda = self.lambda.clone();
        tokio::spawn(async move {
            if let Err(error) = lambda.invoke_event(&function, payload).await {
                tracing::warn!(function, error = &error as &dyn std::error::Error, "an event was not taken");
            }
        });
    }
}

/// `SenderId` of what `EventBridge` sends: an id of a role of AWS's own.
const SENDER: &str = "AIDALOCALEVENTBRIDGE0";

/// The data behind these locks is whole between any two statements, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
