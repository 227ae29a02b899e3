//! Pending operations: leased, completed, failed. The statements that make them necessary insert them.

use domain::audit::{Event, Origin};
use domain::id::{OperationId, SessionId, UserId};
use domain::operation::{Changed, Executed, MAX_ATTEMPTS, Operation, PendingOperation};
use time::{Duration, OffsetDateTime};
use tokio_postgres::types::{Json, Type};
use uuid::Uuid;

use crate::statement::sql;
use crate::{Error, Store};

impl Store {
    /// Leases due operations of the named kinds for the schedule of an executor, at most so many, those with the oldest
    /// attempt first. They are held for `lease`, longer than their execution takes. One round trip.
    pub async fn lease_operations(
        &self,
        executor: &str,
        kinds: &[Operation],
        (limit, lease): (i64, Duration),
        now: OffsetDateTime,
    ) -> Result<Vec<PendingOperation>, Error> {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let until = now + lease;
        let params = [
            (&executor as _, Type::TEXT),
            (&kinds as _, Type::TEXT_ARRAY),
            (&now as _, Type::TIMESTAMPTZ),
            (&until as _, Type::TIMESTAMPTZ),
            (&limit as _, Type::INT8),
        ];
        Ok(self.ask(sql!("lease_operations"), &params).await?.unwrap_or_default())
    }

    /// The open operations of one kind on a participant's attendee.
    pub async fn participant_operations(
        &self,
        session: SessionId,
        user: UserId,
        kind: Operation,
    ) -> Result<Vec<PendingOperation>, Error> {
        let (session, user, kind) = (session.as_uuid(), user.as_uuid(), kind.as_str());
        let params = [(&session as _, Type::UUID), (&user as _, Type::UUID), (&kind as _, Type::TEXT)];
        Ok(self.ask(sql!("participant_operations"), &params).await?.unwrap_or_default())
    }

    /// Completes operations, and returns those whose payload is another by now: they are to be executed again. May be
    /// repeated. One round trip.
    pub async fn complete_operations(
        &self,
        executed: &[Executed],
        now: OffsetDateTime,
    ) -> Result<Vec<Changed>, Error> {
        let executed = Json(executed);
        let params = [(&executed as _, Type::JSONB), (&now as _, Type::TIMESTAMPTZ)];
        Ok(self.ask(sql!("complete_operations"), &params).await?.unwrap_or_default())
    }

    /// Releases an operation that was not executed; it is due again at `due`. `error` names the cause without values.
    pub async fn fail_operation(
        &self,
        id: OperationId,
        error: &str,
        due: OffsetDateTime,
    ) -> Result<(), Error> {
        let id = id.as_uuid();
        let params = [(&id as _, Type::UUID), (&error as _, Type::TEXT), (&due as _, Type::TIMESTAMPTZ)];
        self.ask::<bool>(sql!("fail_operation"), &params).await?;
        Ok(())
    }

    /// Counts open operations of an executor that have reached [`MAX_ATTEMPTS`].
    pub async fn count_exhausted_operations(&self, executor: &str) -> Result<u64, Error> {
        let params = [(&executor as _, Type::TEXT), (&MAX_ATTEMPTS as _, Type::INT4)];
        Ok(self.ask(sql!("count_exhausted_operations"), &params).await?.unwrap_or_default())
    }

    /// Enqueues the deletion of meetings that no open session owns and that were first seen before `before`, and returns how
    /// many. `prefix` is what our `ExternalMeetingId`s begin with. One round trip.
    pub async fn enqueue_orphan_deletions(
        &self,
        prefix: &str,
        before: OffsetDateTime,
        limit: i64,
        now: OffsetDateTime,
    ) -> Result<u64, Error> {
        let params = [
            (&prefix as _, Type::TEXT),
            (&before as _, Type::TIMESTAMPTZ),
            (&now as _, Type::TIMESTAMPTZ),
            (&limit as _, Type::INT8),
        ];
        Ok(self.ask(sql!("enqueue_orphan_deletions"), &params).await?.unwrap_or_default())
    }

    /// Returns operations that were leased and not executed; they are due first in the next run.
    pub async fn return_operations(&self, ids: &[OperationId]) -> Result<u64, Error> {
        let ids = uuids(ids);
        Ok(self.ask(sql!("return_operations"), &[(&ids as _, Type::UUID_ARRAY)]).await?.unwrap_or_default())
    }

    /// Completes the deletion of orphan meetings, with their audit entries, and returns how many. May be repeated.
    pub async fn complete_orphan_deletions(
        &self,
        ids: &[OperationId],
        origin: &Origin,
    ) -> Result<u64, Error> {
        let ids = uuids(ids);
        let params = [
            (&ids as _, Type::UUID_ARRAY),
            (&origin.now as _, Type::TIMESTAMPTZ),
            (&Json(origin) as _, Type::JSONB),
            (&Event::OrphanMeetingEnded.as_str() as _, Type::TEXT),
        ];
        Ok(self.ask(sql!("complete_orphan_deletions"), &params).await?.unwrap_or_default())
    }
}

fn uuids(ids: &[OperationId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.as_uuid()).collect()
}
