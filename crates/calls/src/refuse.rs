//! Refusals: who asks for what is not theirs is told so, and it is noted.

use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Target};
use store::denials::Denial;

use crate::Calls;

/// A request, as far as a refusal of it is to be noted.
#[derive(Clone, Copy, Debug)]
pub struct RequestInfo<'a> {
    /// Who asked. Nobody: the API has let nobody in without a name but to routes that refuse nothing.
    pub actor: Option<&'a Actor>,
    /// For which call, as far as the request could be read.
    pub target: Option<Target>,
    /// By which route.
    pub route: &'a str,
    /// Where from, and when.
    pub origin: &'a Origin,
}

impl Calls {
    /// Passes a use case's outcome on, and notes it in the actor's chain if it is a refusal (403). Every function sends
    /// what it answers to people through here. It takes one round trip at most, and a refusal that cannot be noted is
    /// still a refusal.
    ///
    /// # Errors
    /// The outcome's own, unchanged.
    pub async fn audit_denial<T>(&self, asked: RequestInfo<'_>, outcome: Result<T, Error>) -> Result<T, Error> {
        if let (Err(Error::Forbidden(reason)), Some(actor)) = (&outcome, asked.actor) {
            let refused = Refused { actor, target: asked.target, route: asked.route, code: reason.code };
            if let Err(error) = self.store.refuse(&refused, asked.origin).await {
                tracing::warn!(error = %error, code = reason.code, route = asked.route, "a refusal could not be noted");
            }
        }
        outcome
    }
}
