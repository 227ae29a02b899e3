//! Legal holds on what is kept of appointments, and how far they are applied to files and audit entries.

use domain::audit::{Event, Origin};
use domain::call::{Actor, UserRef};
use domain::hold::HoldReason;
use domain::id::{AppointmentId, CaptureId, OperationId, RecordingId, TranscriptId};
use domain::operation::ApplyHold;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::view::Keys;
use crate::{Error, Store};

/// The newest hold of an appointment, with the caller.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldView {
    pub caller: Option<UserRef>,
    /// The host has the appointment, or had it: it has calls.
    pub appointment_exists: bool,
    /// Recordings whose deletion was not requested, and the others.
    pub recordings: u64,
    pub deleted_recordings: u64,
    pub hold: Option<Hold>,
}

/// A hold that stands or was lifted.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    pub reason: HoldReason,
    #[serde(with = "time::serde::rfc3339")]
    pub placed_at: OffsetDateTime,
    pub placed_by: String,
    #[serde(with = "time::serde::rfc3339::option")]
    pub lifted_at: Option<OffsetDateTime>,
    pub lifted_by: Option<String>,
    /// Whether all files are under hold, or none is any more.
    pub files_applied: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    pub files_applied_at: Option<OffsetDateTime>,
    /// The versions of files that the last pass changed.
    pub file_versions: u64,
    /// Whether all audit entries have the expiry of a hold, or the usual one again.
    pub entries_applied: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    pub entries_applied_at: Option<OffsetDateTime>,
    pub entries: u64,
}

/// The files of an appointment, by what their keys begin with.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct HoldFiles {
    pub recordings: Vec<RecordingId>,
    pub captures: Vec<CaptureId>,
    pub transcripts: Vec<TranscriptId>,
    /// Where the pass goes on.
    pub pass: Option<HoldPass>,
}

/// How far a pass over the files of a hold came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldPass {
    /// The change of which it is.
    pub change: i32,
    /// The last prefix that it was at.
    pub prefix: String,
    /// The place there, as the crate `objects` writes it; `None`: the prefix is done.
    pub marker: Option<serde_json::Value>,
    /// Versions that it has changed.
    pub versions: u64,
}

/// A hold whose audit entries are to be changed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldEntries {
    pub id: i64,
    pub chain: String,
    /// Whether it stands; otherwise it was lifted.
    pub on_hold: bool,
    /// The entries after this number ...
    pub after: i64,
    /// ... up to this one are in the audit table.
    pub until: i64,
    /// The chain's last entry.
    pub last: i64,
}

impl Store {
    /// The newest hold of an appointment. One round trip.
    pub async fn load_hold(&self, actor: &Actor, appointment: AppointmentId) -> Result<HoldView, Error> {
        let caller = Keys::of(actor);
        let params = [
            (&caller.subject as _, Type::TEXT),
            (&caller.user as _, Type::UUID),
            (&appointment.as_uuid() as _, Type::UUID),
        ];
        Ok(self.ask(sql!("load_hold"), &params).await?.unwrap_or_default())
    }

    /// Places a hold, unless one stands; returns whether it did. One round trip.
    pub async fn place_hold(
        &self,
        appointment: AppointmentId,
        reason: &HoldReason,
        auditor: &str,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let params = [
            (&appointment.as_uuid() as _, Type::UUID),
            (&reason.as_str() as _, Type::TEXT),
            (&auditor as _, Type::TEXT),
            (&origin.now as _, Type::TIMESTAMPTZ),
            (&Json(origin) as _, Type::JSONB),
            (&Event::HoldPlaced.as_str() as _, Type::TEXT),
        ];
        Ok(self.ask::<bool>(sql!("place_hold"), &params).await?.is_some())
    }

    /// Lifts the hold that stands; returns whether one did. One round trip.
    pub async fn lift_hold(
        &self,
        appointment: AppointmentId,
        auditor: &str,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let params = [
            (&appointment.as_uuid() as _, Type::UUID),
            (&auditor as _, Type::TEXT),
            (&origin.now as _, Type::TIMESTAMPTZ),
            (&Json(origin) as _, Type::JSONB),
            (&Event::HoldLifted.as_str() as _, Type::TEXT),
        ];
        Ok(self.ask::<bool>(sql!("lift_hold"), &params).await?.is_some())
    }

    /// Whether a hold stands on the appointment of a recording. One round trip.
    pub async fn recording_on_hold(&self, recording: RecordingId) -> Result<bool, Error> {
        self.is_on_hold(Some(recording), None, None).await
    }

    /// Whether a hold stands on the appointment of a capture. One round trip.
    pub async fn capture_on_hold(&self, capture: CaptureId) -> Result<bool, Error> {
        self.is_on_hold(None, Some(capture), None).await
    }

    /// Whether a hold stands on the appointment of a transcript. One round trip.
    pub async fn transcript_on_hold(&self, transcript: TranscriptId) -> Result<bool, Error> {
        self.is_on_hold(None, None, Some(transcript)).await
    }

    async fn is_on_hold(
        &self,
        recording: Option<RecordingId>,
        capture: Option<CaptureId>,
        transcript: Option<TranscriptId>,
    ) -> Result<bool, Error> {
        let (recording, capture) = (recording.map(RecordingId::as_uuid), capture.map(CaptureId::as_uuid));
        let transcript = transcript.map(TranscriptId::as_uuid);
        let params =
            [(&recording as _, Type::UUID), (&capture as _, Type::UUID), (&transcript as _, Type::UUID)];
        Ok(self.ask(sql!("is_on_hold"), &params).await?.unwrap_or_default())
    }

    /// The files of an appointment. One round trip.
    pub async fn hold_files(&self, appointment: AppointmentId, pass: &ApplyHold) -> Result<HoldFiles, Error> {
        let params = [(&appointment.as_uuid() as _, Type::UUID), (&pass.change as _, Type::INT4)];
        Ok(self.ask(sql!("hold_files"), &params).await?.unwrap_or_default())
    }

    /// Stores how far a pass came that has changed so many versions: where it goes on, or that it is complete. May be repeated. One round
    /// trip.
    pub async fn advance_hold(
        &self,
        pass: &ApplyHold,
        versions: u64,
        at: Option<&HoldPass>,
        origin: &Origin,
    ) -> Result<(), Error> {
        let versions = i64::try_from(versions).unwrap_or(i64::MAX);
        let params = [
            (&pass.hold as _, Type::INT8),
            (&pass.change as _, Type::INT4),
            (&versions as _, Type::INT8),
            (&at.map(Json) as _, Type::JSONB),
            (&origin.now as _, Type::TIMESTAMPTZ),
            (&Json(origin) as _, Type::JSONB),
            (&Event::HoldApplied.as_str() as _, Type::TEXT),
            (&pass.on as _, Type::BOOL),
        ];
        self.ask::<bool>(sql!("advance_hold"), &params).await?;
        Ok(())
    }

    /// Releases an operation that has to wait until `due`. It counts as no attempt. One round trip.
    pub async fn postpone_operation(
        &self,
        id: OperationId,
        due: OffsetDateTime,
        reason: &str,
    ) -> Result<(), Error> {
        let params =
            [(&id.as_uuid() as _, Type::UUID), (&due as _, Type::TIMESTAMPTZ), (&reason as _, Type::TEXT)];
        self.ask::<bool>(sql!("postpone_operation"), &params).await?;
        Ok(())
    }

    /// Leases holds whose audit entries are to be changed. One round trip.
    pub async fn lease_hold_entries(
        &self,
        limit: i64,
        lease: Duration,
        now: OffsetDateTime,
    ) -> Result<Vec<HoldEntries>, Error> {
        let until = now + lease;
        let params =
            [(&now as _, Type::TIMESTAMPTZ), (&until as _, Type::TIMESTAMPTZ), (&limit as _, Type::INT8)];
        Ok(self.ask(sql!("lease_hold_entries"), &params).await?.unwrap_or_default())
    }

    /// Stores that a hold's audit entries were changed. One round trip.
    pub async fn hold_entries_applied(
        &self,
        entries: &HoldEntries,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let is_last = entries.until == entries.last;
        let params = [
            (&entries.id as _, Type::INT8),
            (&entries.until as _, Type::INT8),
            (&now as _, Type::TIMESTAMPTZ),
            (&is_last as _, Type::BOOL),
            (&entries.on_hold as _, Type::BOOL),
        ];
        self.ask::<bool>(sql!("hold_entries_applied"), &params).await?;
        Ok(())
    }
}
