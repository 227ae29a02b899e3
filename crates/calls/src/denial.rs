//! Denied requests (403) are answered as such, and audited.

use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Target};
use store::denials::Denial;

use crate::Calls;

/// A request, as far as the audit entry of its denial needs it.
#[derive(Clone, Copy, Debug)]
pub struct RequestInfo<'a> {
    /// The caller; none on routes without an authorizer, which deny nothing.
    pub actor: Option<&'a Actor>,
    /// The call, as far as the request could be parsed.
    pub target: Option<Target>,
    pub route: &'a str,
    pub origin: &'a Origin,
}

impl Calls {
    /// Returns a use case's outcome, and audits it in the actor's chain if it is a denial (403). Every function passes what it
    /// answers to requests through here. It takes at most one round trip, and a denial that cannot be audited is still a denial.
    ///
    /// # Errors
    /// The outcome's own, unchanged.
    pub async fn audit_denial<T>(
        &self,
        request: RequestInfo<'_>,
        outcome: Result<T, Error>,
    ) -> Result<T, Error> {
        if let (Err(Error::Forbidden(reason)), Some(actor)) = (&outcome, request.actor) {
            let denial = Denial { actor, target: request.target, route: request.route, code: reason.code };
            if let Err(error) = self.store.count_denial(&denial, request.origin).await {
                tracing::warn!(error = %error, code = reason.code, route = request.route, "denial not audited");
            }
        }
        outcome
    }
}
