//! `EventBridge` rules on a schedule, on the cloud's clock.
//!
//! A rule is due for the first time one interval after the start. Ticks that a jump of the clock passes over
//! become one run. A run that takes longer than the interval does not hold up the next one, as on AWS.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::lambda::{InvokeError, Invoked, Lambda};
use local_template::plan::{Plan, Schedule};

/// The schedules of a plan. Cheap to clone; dropping the last clone ends them.
#[derive(Clone)]
pub struct Schedules(Arc<Running>);

struct Running {
    bus: Arc<Bus>,
    timers: Mutex<JoinSet<()>>,
}

/// The parts that a run uses.
struct Bus {
    account: String,
    region: String,
    rules: Vec<Schedule>,
    lambda: Lambda,
    clock: Clock,
}

/// Why a schedule did not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No rule has this function as its target.
    #[error("function {0} has no schedule")]
    NoSchedule(String),
    /// The rule's target has no permission for it; on AWS such runs vanish without a trace.
    #[error("no AWS::Lambda::Permission lets events.amazonaws.com invoke {0} for its rule")]
    NotPermitted(String),
    /// Lambda did not take the event.
    #[error("the schedule's event was not taken")]
    Invoke(#[from] InvokeError),
}

impl Schedules {
    /// Starts the schedules. With `auto` the enabled ones run when they are due, otherwise only on demand.
    #[must_use]
    pub fn start(plan: &Plan, lambda: Lambda, clock: Clock, auto: bool) -> Self {
        let rules = plan.schedules.clone();
        let bus = Arc::new(Bus {
            account: plan.account.clone(),
            region: plan.region.clone(),
            rules,
            lambda,
            clock,
        });
        let mut timers = JoinSet::new();
        if auto {
            for rule in bus.rules.iter().filter(|rule| rule.enabled && !rule.every.is_zero()) {
                // Counted from here, and not from when the task gets its turn.
                let first = bus.clock.now() + rule.every;
                timers.spawn(Arc::clone(&bus).keep(rule.clone(), first));
            }
        }
        Self(Arc::new(Running { bus, timers: Mutex::new(timers) }))
    }

    /// Runs the schedule of a function now, also if it is disabled; returns when the invocation has ended.
    pub async fn run(&self, function: &str) -> Result<Invoked, RunError> {
        let bus = &self.0.bus;
        let rule = bus.rules.iter().find(|rule| rule.function == function);
        let rule = rule.ok_or_else(|| RunError::NoSchedule(function.to_owned()))?;
        bus.fire(rule, bus.clock.now()).await
    }

    /// Ends the schedules: nothing runs by itself any more.
    pub fn stop(&self) {
        self.0.timers.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

impl Bus {
    /// Runs one rule whenever it is due.
    async fn keep(self: Arc<Self>, rule: Schedule, mut due: OffsetDateTime) {
        let mut moves = self.clock.moves();
        let mut runs = JoinSet::new();
        loop {
            // Seen before looking at the clock, so that a move in between is not lost.
            moves.borrow_and_update();
            let now = self.clock.now();
            if now < due {
                let wait = Duration::try_from(due - now).unwrap_or_default();
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = moves.changed() => {}
                    Some(_) = runs.join_next() => {}
                }
                continue;
            }
            due = next_after(due, now, rule.every);
            let (bus, rule) = (Arc::clone(&self), rule.clone());
            runs.spawn(async move {
                match bus.fire(&rule, now).await {
                    Ok(Invoked { function_error: Some(_), payload, .. }) => {
                        let error = String::from_utf8_lossy(&payload);
                        tracing::warn!(rule = rule.name, %error, "a scheduled run failed");
                    }
                    Ok(_) => {}
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(rule = rule.name, error, "a scheduled run did not start");
                    }
                }
            });
        }
    }

    async fn fire(&self, rule: &Schedule, now: OffsetDateTime) -> Result<Invoked, RunError> {
        if !self.lambda.permits(&rule.function, "events.amazonaws.com", &rule.arn) {
            return Err(RunError::NotPermitted(rule.function.clone()));
        }
        let event = scheduled_event(&self.account, &self.region, &rule.arn, now);
        Ok(self.lambda.invoke_event(&rule.function, Bytes::from(event.to_string())).await?)
    }
}

fn scheduled_event(account: &str, region: &str, rule: &str, now: OffsetDateTime) -> Value {
    json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": seconds(now),
        "region": region,
        "resources": [rule],
        "detail": {},
    })
}

/// An instant as `EventBridge` writes it: it counts seconds only.
pub(crate) fn seconds(instant: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    instant.format(format).unwrap_or_default()
}

/// The first tick after `now`, in step with `due`.
fn next_after(due: OffsetDateTime, now: OffsetDateTime, every: Duration) -> OffsetDateTime {
    let missed =
        (now - due).whole_nanoseconds().max(0) / i128::try_from(every.as_nanos()).unwrap_or(1).max(1);
    due + every * u32::try_from(missed + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Duration, OffsetDateTime, next_after, scheduled_event};

    #[test]
    fn missed_ticks_become_one_and_the_beat_is_kept() {
        let at = |second| OffsetDateTime::from_unix_timestamp(second).expect("a time");
        let minute = Duration::from_mins(1);
        assert_eq!(next_after(at(60), at(60), minute), at(120));
        assert_eq!(next_after(at(60), at(119), minute), at(120));
        assert_eq!(next_after(at(60), at(3_605), minute), at(3_660));
    }

    #[test]
    fn the_event_is_that_of_event_bridge() {
        let now = OffsetDateTime::from_unix_timestamp(1_583_348_638).expect("a time");
        let mut event = scheduled_event("000000000000", "eu-central-1", "arn:rule", now);
        event["id"] = "id".into();
        insta::assert_json_snapshot!(event, @r#"
        {
          "account": "000000000000",
          "detail": {},
          "detail-type": "Scheduled Event",
          "id": "id",
          "region": "eu-central-1",
          "resources": [
            "arn:rule"
          ],
          "source": "aws.events",
          "time": "2020-03-04T19:03:58Z",
          "version": "0"
        }
        "#);
    }
}
