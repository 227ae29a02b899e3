//! The parts of a function: a table of routes, a table of actions, and handlers of its other triggers.

use std::future::Future;
use std::pin::Pin;

use api::fields;
use domain::Error;
use domain::audit::Origin;
use domain::error::{Reason, reason};
use serde::Deserialize;

use crate::answer::Answer;
use crate::request::{Request, Route};
use crate::trigger::Trigger;
use crate::trigger::sqs::Messages;

/// The future that a handler returns.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Answers a request.
pub type Handler<A> = for<'a> fn(&'a A, &'a Request) -> Pending<'a, Result<Answer, Error>>;

/// Routes or actions with their handlers, made by [`handlers!`](crate::handlers).
pub type Handlers<A> = &'static [(&'static str, Handler<A>)];

/// Handles a run of the schedule.
pub type OnSchedule<A> = for<'a> fn(&'a A, &'a Origin) -> Pending<'a, Result<(), Error>>;
/// Handles the messages of a queue.
pub type OnMessages<A> = for<'a> fn(&'a A, &'a Messages) -> Pending<'a, Result<Answer, Error>>;
/// Handles a denied request.
pub type OnDenial<A> = for<'a> fn(&'a A, &'a Request, Reason<403>) -> Pending<'a, ()>;

/// A function, over its backends `A`. A trigger without a handler is an error: nothing is configured to send it.
#[derive(Debug)]
pub struct Function<A: 'static> {
    /// By API Gateway's route key: `POST /appointments/{appointmentId}/call`. The templates and the API's document have
    /// the same routes; tests compare them.
    pub routes: Handlers<A>,
    /// By the body's `action`: of direct invocations, and of the route [`Function::action_route`].
    pub actions: Handlers<A>,
    /// The route whose body names the action.
    pub action_route: Option<&'static str>,
    /// Runs once per schedule.
    pub on_schedule: Option<OnSchedule<A>>,
    /// Handles a queue's messages: [`Messages::answer`].
    pub on_messages: Option<OnMessages<A>>,
    /// Audits a denied request (403). It cannot fail: a denial that cannot be audited is still a denial.
    pub on_denial: Option<OnDenial<A>>,
}

/// Makes a table of handlers from async functions: `handlers! { "GET /health" => health }`.
#[macro_export]
macro_rules! handlers {
    ($($name:literal => $handler:path),* $(,)?) => {
        &[$(($name, |app, request| Box::pin($handler(app, request)))),*]
    };
}

impl<A> Function<A> {
    /// A function without any trigger, to be completed: `Function { routes: ..., ..Function::EMPTY }`.
    pub const EMPTY: Self = Self {
        routes: &[],
        actions: &[],
        action_route: None,
        on_schedule: None,
        on_messages: None,
        on_denial: None,
    };

    /// Every route, in the order of the table; the route of actions last.
    pub fn route_keys(&self) -> impl Iterator<Item = &'static str> {
        self.routes.iter().map(|(key, _)| *key).chain(self.action_route)
    }

    /// Answers a trigger.
    pub(crate) async fn handle(&self, app: &A, trigger: Trigger) -> Result<Answer, Error> {
        let no_route = Error::NotFound(reason::ROUTE_NOT_FOUND);
        match trigger {
            // Before anything is done: what the setting keeps off must cost less than what it lets pass. It is not audited, which
            // would be a write to the database for each; `refused` in the log has it.
            Trigger::Request(request) if request.bypasses_edge() => {
                Err(Error::Forbidden(reason::EDGE_REQUIRED))
            }
            Trigger::Request(request) => {
                let outcome = self.answer(app, &request).await;
                if let (Err(Error::Forbidden(reason)), Some(on_denial)) = (&outcome, self.on_denial) {
                    on_denial(app, &request, *reason).await;
                }
                outcome
            }
            Trigger::Schedule(origin) => {
                self.on_schedule.ok_or(no_route)?(app, &origin).await.map(|()| Answer::done())
            }
            Trigger::Messages(messages) => self.on_messages.ok_or(no_route)?(app, &messages).await,
        }
    }

    async fn answer(&self, app: &A, request: &Request) -> Result<Answer, Error> {
        let handler = match &request.route {
            Route::Direct => self.action(request)?,
            Route::Http(key) if self.action_route == Some(key.as_str()) => self.action(request)?,
            Route::Http(key) => find(self.routes, key).ok_or(Error::NotFound(reason::ROUTE_NOT_FOUND))?,
        };
        handler(app, request).await
    }

    fn action(&self, request: &Request) -> Result<Handler<A>, Error> {
        if self.actions.is_empty() {
            return Err(Error::NotFound(reason::ROUTE_NOT_FOUND));
        }
        let ActionRequest { action } = request.json()?;
        find(self.actions, &action).ok_or_else(|| {
            let names: Vec<_> = self.actions.iter().map(|(name, _)| format!("`{name}`")).collect();
            Error::invalid("action", format!("must be one of {}", names.join(", ")))
        })
    }
}

#[derive(Deserialize)]
struct ActionRequest {
    #[serde(deserialize_with = "fields::member")]
    action: String,
}

fn find<A>(handlers: Handlers<A>, name: &str) -> Option<Handler<A>> {
    handlers.iter().find(|(key, _)| *key == name).map(|(_, handler)| *handler)
}

#[cfg(test)]
mod tests;
