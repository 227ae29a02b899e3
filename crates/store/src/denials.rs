//! Denied requests (403): counted per actor and hour, and appended to the actor's audit chain.

use domain::audit::{Event, NamedIds, Origin, stranger_chain};
use domain::call::{Actor, Target};
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::view::{Keys, TargetKeys};
use crate::{Error, Store};

/// Audit entries of an actor's denials in an hour. The rest is counted, and the first entry of a later hour carries the count.
pub(crate) const MAX_ENTRIES_PER_HOUR: i32 = 10;

/// A denied request.
#[derive(Clone, Copy, Debug)]
pub struct Denial<'a> {
    pub actor: &'a Actor,
    /// The call, as far as the request could be parsed.
    pub target: Option<Target>,
    /// Ids that the request names beside the call.
    pub ids: NamedIds,
    pub route: &'a str,
    pub code: &'a str,
}

impl Store {
    /// Counts a denied request and appends its audit entry; `false` when it was only counted. One round trip.
    pub async fn count_denial(&self, denial: &Denial<'_>, origin: &Origin) -> Result<bool, Error> {
        let caller = Keys::of(denial.actor);
        let target = denial.target.map(TargetKeys::of).unwrap_or_default();
        let name = caller
            .subject
            .map_or_else(|| caller.user.map(|id| id.to_string()), |subject| Some(subject.to_owned()));
        let stranger = stranger_chain(name.as_deref().unwrap_or_default());
        let appended: Option<bool> = self
            .ask(
                sql!("count_denial"),
                &[
                    (&caller.subject, Type::TEXT),
                    (&caller.user, Type::UUID),
                    (&target.appointment, Type::UUID),
                    (&target.meeting, Type::TEXT),
                    (&stranger, Type::TEXT),
                    (&origin.now, Type::TIMESTAMPTZ),
                    (&origin.request_id, Type::TEXT),
                    (&MAX_ENTRIES_PER_HOUR, Type::INT4),
                    (&Json(origin), Type::JSONB),
                    (&Event::AccessDenied.as_str(), Type::TEXT),
                    (&denial.code, Type::TEXT),
                    (&denial.route, Type::TEXT),
                    (&Json(denial.ids), Type::JSONB),
                ],
            )
            .await?;
        Ok(appended.is_some())
    }
}
