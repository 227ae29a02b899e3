//! The loop of a function: parse the trigger, call the handler, answer, log once.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use domain::Error;
use domain::error::causes;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;
use time::OffsetDateTime;
use tracing::Instrument as _;

use crate::answer::{self, Answer};
use crate::edge::Edge;
use crate::failed_message::FailedMessage;
use crate::function::Function;
use crate::metrics::{self, Metric};
use crate::trigger::{Trigger, TriggerKind};

/// Time of an invocation that is reserved for sending the answer.
const RESERVE: Duration = Duration::from_millis(500);

/// Serves invocations of a function until the environment ends.
///
/// # Errors
/// When the Lambda runtime cannot be reached.
pub async fn run<A: Send + Sync + 'static>(
    app: A,
    function: &'static Function<A>,
    edge: Edge,
) -> Result<(), crate::Error> {
    let (app, edge) = (Arc::new(app), Arc::new(edge));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let (app, edge) = (Arc::clone(&app), Arc::clone(&edge));
        async move { serve(event, &edge, async |trigger| function.handle(&app, trigger).await).await }
    }))
    .await
}

/// Time for a request: API Gateway gives it up after 30 s, and a function with a schedule may have more itself. It ends as a crash would:
/// what it stored is continued by the schedule.
const MAX_REQUEST: Duration = Duration::from_millis(19_500);

/// One invocation.
pub(crate) async fn serve(
    event: LambdaEvent<Box<RawValue>>,
    edge: &Edge,
    handle: impl AsyncFnOnce(Trigger) -> Result<Answer, Error>,
) -> Result<Value, Diagnostic> {
    let request_id = event.context.request_id.clone();
    let span = tracing::info_span!(
        "invocation",
        request_id,
        appointment = tracing::field::Empty,
        session = tracing::field::Empty
    );
    async {
        let began = Instant::now();
        let kind = TriggerKind::of(&event.payload);
        let mut trigger = kind.read(&event.payload, &request_id, OffsetDateTime::now_utc(), edge);
        if trigger.as_ref().is_err_and(|error| !kind.has_caller() || error.status() >= 500) {
            metrics::emit(&[(Metric::EventUnreadable, 1)]);
        }
        let route = route(&trigger);
        let unreadable = match &mut trigger {
            Ok(Trigger::Messages(messages)) => Some(messages.take_unreadable()),
            Ok(Trigger::Request(_) | Trigger::Schedule(_)) | Err(_) => None,
        };
        let mut outcome = match trigger {
            // No message could be parsed: there is nothing to handle.
            Ok(Trigger::Messages(messages)) if messages.list.is_empty() => Ok(messages.answer([])),
            Ok(trigger) => {
                let time = time_for(&trigger, remaining(event.context.deadline));
                tokio::time::timeout(time, Box::pin(handle(trigger))).await.unwrap_or_else(|elapsed| {
                    Err(Error::Unavailable { backend: "function", source: Box::new(elapsed) })
                })
            }
            Err(error) => Err(error),
        };
        if let Some(unreadable) = unreadable {
            outcome = outcome.and_then(|answer| with(unreadable, answer));
        }
        log(&route, &outcome, began.elapsed());
        match outcome {
            // The answer to an event has no reader; alarms count failed invocations.
            Err(error) if !kind.has_caller() => Err(Diagnostic {
                error_type: error.code().to_owned(),
                error_message: "the event was not handled; the log has the cause".to_owned(),
            }),
            Ok(Answer { failed: Some(failed), .. }) => Ok(answer::to_queue(&failed)),
            outcome => Ok(answer::to_http(&outcome, &request_id)),
        }
    }
    .instrument(span)
    .await
}

fn route(trigger: &Result<Trigger, Error>) -> String {
    match trigger {
        Ok(Trigger::Request(request)) => request.route.name().to_owned(),
        Ok(Trigger::Schedule(_)) => "schedule".to_owned(),
        Ok(Trigger::Messages(_)) => "messages".to_owned(),
        Err(_) => "unreadable".to_owned(),
    }
}

/// The handler's answer with the messages that could not be parsed. A function that answers messages with another
/// kind of answer has handled none: all are delivered again.
fn with(mut unreadable: Vec<FailedMessage>, mut answer: Answer) -> Result<Answer, Error> {
    let failed =
        answer.failed.take().ok_or_else(|| Error::internal("messages have no answer of their own"))?;
    unreadable.extend(failed);
    Ok(Answer::batch(unreadable))
}

/// Time for the handler of a trigger, of what is left of the invocation.
fn time_for(trigger: &Trigger, left: Duration) -> Duration {
    match trigger {
        Trigger::Request(_) => left.min(MAX_REQUEST),
        Trigger::Schedule(_) | Trigger::Messages(_) => left,
    }
}

/// Time of the invocation that is left: until shortly before Lambda ends the invocation.
fn remaining(deadline_ms: u64) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(deadline_ms).saturating_sub(now).saturating_sub(RESERVE)
}

fn log(route: &str, outcome: &Result<Answer, Error>, took: Duration) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    match outcome {
        Ok(Answer { failed: Some(failed), .. }) => {
            failed.iter().for_each(FailedMessage::log);
            tracing::info!(route, failed = failed.len(), duration_ms, "answered");
        }
        Ok(answer) => tracing::info!(route, status = answer.status, duration_ms, "answered"),
        Err(error) => {
            let (status, code) = (error.status(), error.code());
            let cause = causes(error);
            if status >= 500 {
                tracing::error!(route, status, code, cause, duration_ms, "failed");
            } else {
                tracing::info!(route, status, code, duration_ms, "refused");
            }
        }
    }
}

/// Work within its share of a schedule's run.
///
/// # Errors
/// That of the work, or 503 at `until`.
pub async fn within<T>(
    until: tokio::time::Instant,
    work: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    let cut = |elapsed| Err(Error::Unavailable { backend: "the run's time", source: Box::new(elapsed) });
    tokio::time::timeout_at(until, work).await.unwrap_or_else(cut)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use domain::audit::{Origin, Via};

    use super::*;
    use crate::json::Fields;
    use crate::request::{Request, Route};

    #[test]
    fn a_request_ends_before_api_gateway_gives_it_up_whatever_time_the_function_has() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let origin = Origin { request_id: "r-1".to_owned(), via: Via::Api, ip: None, user_agent: None, now };
        let route = Route::Http("GET /things".to_owned());
        let request = Request::new(route, None, HashMap::new(), Fields::parse(b""), origin.clone());
        let request = Trigger::Request(request);
        let (short, long) = (Duration::from_secs(9), Duration::from_mins(2));
        assert_eq!(time_for(&request, short), short);
        assert!(time_for(&request, long) < Duration::from_secs(20));
        assert_eq!(time_for(&Trigger::Schedule(origin), long), long);
    }
}
