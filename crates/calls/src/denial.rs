//! Denied requests (403) are answered as such, and audited.

use domain::audit::{NamedIds, Origin};
use domain::call::{Actor, Target};
use domain::error::{Reason, causes};
use store::denials::Denial;

use crate::Calls;

/// A request, as far as the audit entry of its denial needs it.
#[derive(Clone, Copy, Debug)]
pub struct RequestInfo<'a> {
    /// The caller; none on a route without an authorizer (`GET /health`). What that route answers 403, `EDGE_REQUIRED`, is
    /// answered before the handler and audited on no route.
    pub actor: Option<&'a Actor>,
    /// The call, as far as the request could be parsed.
    pub target: Option<Target>,
    /// Ids that the request names beside the call.
    pub ids: NamedIds,
    pub route: &'a str,
    pub origin: &'a Origin,
}

impl Calls {
    /// Audits a denied request (403) in the actor's chain. Every function passes each denial here before it answers. It takes at
    /// most one round trip, and a denial that cannot be audited is still a denial.
    pub async fn audit_denial(&self, request: RequestInfo<'_>, reason: Reason<403>) {
        let Some(actor) = request.actor else { return };
        let RequestInfo { target, ids, route, .. } = request;
        let denial = Denial { actor, target, ids, route, code: reason.code };
        if let Err(error) = self.store.count_denial(&denial, request.origin).await {
            tracing::warn!(
                error = causes(&error),
                code = reason.code,
                route = request.route,
                "denial not audited"
            );
        }
    }
}
