//! Asynchronous invocations: of a schedule, a rule, or the Invoke API with the type `Event`.
//!
//! Lambda takes the event and repeats the invocation when the function fails, after one minute and then after two, and when
//! it is throttled, until the event is too old. `AWS::Lambda::EventInvokeConfig` limits both.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use time::OffsetDateTime;

use super::{InvokeError, Invoked, Lambda, Running};
use crate::clock::Clock;
use local_template::plan::Asynchronous;

/// Before a throttled event is tried again; on AWS from one second to five minutes.
const THROTTLED: Duration = Duration::from_secs(1);

/// Before the second attempt; before the third it is twice as long.
const FAILED: Duration = Duration::from_mins(1);

struct Event {
    function: String,
    payload: Bytes,
    client_context: Option<String>,
    accepted_at: OffsetDateTime,
    /// How often the function has failed on it.
    failures: u32,
}

impl Lambda {
    /// Invokes a function asynchronously. Returns what became of the first attempt; Lambda repeats it by itself.
    pub async fn invoke_event(&self, function: &str, payload: Bytes) -> Result<Invoked, InvokeError> {
        self.invoke_event_with_context(function, payload, None).await
    }

    /// The same with a client context.
    pub async fn invoke_event_with_context(
        &self,
        function: &str,
        payload: Bytes,
        client_context: Option<String>,
    ) -> Result<Invoked, InvokeError> {
        let shared = &self.0.shared;
        let config = shared.pools.get(function).map(|pool| pool.function.asynchronous);
        let accepted_at = shared.settings.clock.now();
        let mut event =
            Event { function: function.to_owned(), payload, client_context, accepted_at, failures: 0 };
        let outcome = event.attempt(self).await;
        if let (Some(config), Some(wait)) = (config, event.wait(&outcome)) {
            // Not the last owner of the environments: they end with the cloud.
            let (lambda, clock) = (Arc::downgrade(&self.0), shared.settings.clock.clone());
            tokio::spawn(event.repeat(lambda, clock, config, wait));
        }
        outcome
    }
}

impl Event {
    async fn attempt(&mut self, lambda: &Lambda) -> Result<Invoked, InvokeError> {
        let context = self.client_context.clone();
        let outcome = lambda.invoke_with_context(&self.function, self.payload.clone(), context).await;
        if outcome.as_ref().is_ok_and(|it| it.function_error.is_some()) {
            self.failures += 1;
        }
        outcome
    }

    /// How long the next attempt waits; none if there is no use in one.
    fn wait(&self, outcome: &Result<Invoked, InvokeError>) -> Option<Duration> {
        match outcome {
            Ok(invoked) => invoked.function_error.is_some().then(|| FAILED * self.failures),
            Err(InvokeError::Throttled(_)) => Some(THROTTLED),
            Err(InvokeError::NotFound(_) | InvokeError::TooLarge(_) | InvokeError::Stopped) => None,
        }
    }

    async fn repeat(mut self, lambda: Weak<Running>, clock: Clock, config: Asynchronous, first: Duration) {
        let mut wait = first;
        while self.failures <= config.retries {
            clock.reach(clock.now() + wait).await;
            if clock.now() - self.accepted_at > config.max_age {
                tracing::warn!(function = self.function, "an event was dropped, it is too old");
                return;
            }
            let Some(running) = lambda.upgrade() else { return };
            let outcome = self.attempt(&Lambda(running)).await;
            match self.wait(&outcome) {
                Some(next) => wait = next,
                None => return,
            }
        }
    }
}
