//! The audit log: its entries, and the hash chain that reveals any later change.

use serde::Serialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::id::{RecordingId, TranscriptId, UserId};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The previous hash of a chain's first entry.
pub const GENESIS: Hash = [0; 32];

/// The hash of an entry: SHA-256 over the previous hash (32 bytes), the chain's id (UTF-8), the entry's number
/// (8 bytes, big-endian) and the payload (UTF-8, exactly as stored). The database computes the same in
/// `audit_append`, so that number and hash are taken under one lock.
#[must_use]
pub fn entry_hash(previous: &Hash, chain: &str, seq: i64, payload: &str) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    hasher.update(chain.as_bytes());
    hasher.update(seq.to_be_bytes());
    hasher.update(payload.as_bytes());
    hasher.finalize().into()
}

/// An entry as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number in its chain, from 1 without gaps.
    pub seq: i64,
    /// The payload text, exactly as stored.
    pub payload: String,
    pub hash: Hash,
}

/// Where a chain breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry is missing or duplicated; holds the expected number.
    #[error("entry {0} is missing")]
    Missing(i64),
    /// The payload, the number or the previous hash is not what was hashed.
    #[error("entry {0} was changed")]
    Changed(i64),
}

/// Verifies a chain from its first entry on, ordered by number.
///
/// # Errors
/// The first entry at which the chain breaks.
pub fn verify(chain: &str, entries: &[Entry]) -> Result<Hash, Broken> {
    let mut previous = GENESIS;
    for (entry, expected) in entries.iter().zip(1..) {
        if entry.seq != expected {
            return Err(Broken::Missing(expected));
        }
        if entry.hash != entry_hash(&previous, chain, entry.seq, &entry.payload) {
            return Err(Broken::Changed(expected));
        }
        previous = entry.hash;
    }
    Ok(previous)
}

/// How a request arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// API Gateway, with a verified token.
    Api,
    /// Direct invocation, authorized by IAM.
    Direct,
    /// A schedule of this service.
    Schedule,
    /// An event of `EventBridge`, delivered by a queue.
    Event,
}

/// The origin of a change, written into its audit entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The Lambda request's id, also in logs and answers.
    pub request_id: String,
    pub via: Via,
    /// The caller's address, from API Gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The caller's `User-Agent`, at most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The trigger's own time, which is `now` for every rule.
    #[serde(rename = "at", serialize_with = "crate::stamp::serialize")]
    pub now: OffsetDateTime,
}

/// Ids that a denied request names beside its call, for the audit entry of the denial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NamedIds {
    pub recording_id: Option<RecordingId>,
    pub transcript_id: Option<TranscriptId>,
    /// The participant that the request is about.
    pub participant_id: Option<UserId>,
}

/// The type of an audit entry. Privacy officers rely on these names, so they are never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A call became active.
    CallStarted,
    /// A call's meeting could not be created.
    CallFailed,
    /// The provider requested the end, or the system did for a call that every participant left or in which one was forgotten.
    CallEndRequested,
    /// A call ended.
    CallEnded,
    /// A participant was given an attendee, or returned after leaving.
    ParticipantJoined,
    /// A participant left by request.
    ParticipantLeft,
    /// The provider invited a user into the call.
    ParticipantInvited,
    /// Chime reported that a participant connected.
    ParticipantConnected,
    /// Chime reported that a participant disconnected.
    ParticipantDisconnected,
    /// Chime reported that a participant's connection was lost.
    ParticipantDropped,
    /// A participant who vanished was counted as gone: while waiting, or before connecting.
    ParticipantExpired,
    /// A participant started to share a screen.
    ContentStarted,
    /// A participant stopped sharing a screen.
    ContentStopped,
    /// A meeting without a session was deleted; no user had received a token for it.
    OrphanMeetingEnded,
    /// A participant waits to be admitted.
    ParticipantWaiting,
    /// The provider admitted a participant.
    ParticipantAdmitted,
    /// The provider turned a participant away.
    ParticipantTurnedAway,
    /// The provider removed a participant for the rest of the call.
    ParticipantRemoved,
    /// A participant lost membership of the appointment: the host application changed the appointment or an account.
    MembershipEnded,
    /// The provider changed a participant's capabilities.
    CapabilitiesChanged,
    /// A participant consented to recording or transcription.
    ConsentGiven,
    /// A participant refused or revoked consent.
    ConsentRevoked,
    /// The provider started a recording, or it started by itself when everyone had consented.
    RecordingStarted,
    /// A recording was paused.
    RecordingPaused,
    /// The provider resumed a recording.
    RecordingResumed,
    /// A recording ended: nothing is captured for it any more.
    RecordingEnded,
    /// Chime began to capture a call's media.
    CaptureStarted,
    /// Chime captures no more, or never did.
    CaptureEnded,
    /// A segment of a recording was verified, or given up.
    SegmentFinished,
    /// The deletion of a recording was requested, or its retention has ended.
    RecordingDeletionRequested,
    /// The files of a recording were deleted, all versions.
    RecordingDeleted,
    /// A recording was requested that waits for consent.
    RecordingRequested,
    /// That request was withdrawn.
    RecordingWithdrawn,
    /// Links to play a recording were handed out.
    RecordingPlayed,
    /// Links to save a recording's files were handed out.
    RecordingDownloaded,
    /// An auditor placed a legal hold on what is kept of an appointment.
    HoldPlaced,
    /// An auditor lifted it.
    HoldLifted,
    /// The hold was placed on all files of the appointment, or taken off them.
    HoldApplied,
    /// The provider started the transcription of a call, or it started by itself when everyone had consented.
    TranscriptionRequested,
    /// Chime transcribes a call, or its speech is captured for a transcript.
    TranscriptionStarted,
    /// The end of a transcription was requested.
    TranscriptionStopRequested,
    /// A transcription ended, or failed.
    TranscriptionEnded,
    /// A transcript is complete, or given up.
    TranscriptFinished,
    /// A transcript was read, searched or exported.
    TranscriptRead,
    /// The deletion of a transcript was requested, or its retention has ended.
    TranscriptDeletionRequested,
    /// The text of a transcript was deleted.
    TranscriptDeleted,
    /// A request was denied (403).
    AccessDenied,
}

impl Event {
    /// The name in the entry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallStarted => "call.started",
            Self::CallFailed => "call.failed",
            Self::CallEndRequested => "call.end_requested",
            Self::CallEnded => "call.ended",
            Self::ParticipantJoined => "participant.joined",
            Self::ParticipantLeft => "participant.left",
            Self::ParticipantInvited => "participant.invited",
            Self::ParticipantConnected => "participant.connected",
            Self::ParticipantDisconnected => "participant.disconnected",
            Self::ParticipantDropped => "participant.dropped",
            Self::ParticipantExpired => "participant.expired",
            Self::ContentStarted => "content.started",
            Self::ContentStopped => "content.stopped",
            Self::OrphanMeetingEnded => "meeting.unowned_ended",
            Self::ParticipantWaiting => "participant.waiting",
            Self::ParticipantAdmitted => "participant.admitted",
            Self::ParticipantTurnedAway => "participant.turned_away",
            Self::ParticipantRemoved => "participant.removed",
            Self::MembershipEnded => "participant.membership_ended",
            Self::CapabilitiesChanged => "participant.capabilities_changed",
            Self::ConsentGiven => "consent.given",
            Self::ConsentRevoked => "consent.revoked",
            Self::RecordingStarted => "recording.started",
            Self::RecordingPaused => "recording.paused",
            Self::RecordingResumed => "recording.resumed",
            Self::RecordingEnded => "recording.ended",
            Self::CaptureStarted => "capture.started",
            Self::CaptureEnded => "capture.ended",
            Self::SegmentFinished => "recording.segment_finished",
            Self::RecordingDeletionRequested => "recording.deletion_requested",
            Self::RecordingDeleted => "recording.deleted",
            Self::RecordingRequested => "recording.requested",
            Self::RecordingWithdrawn => "recording.withdrawn",
            Self::RecordingPlayed => "recording.played",
            Self::RecordingDownloaded => "recording.downloaded",
            Self::HoldPlaced => "hold.placed",
            Self::HoldLifted => "hold.lifted",
            Self::HoldApplied => "hold.applied",
            Self::TranscriptionRequested => "transcription.requested",
            Self::TranscriptionStarted => "transcription.started",
            Self::TranscriptionStopRequested => "transcription.stop_requested",
            Self::TranscriptionEnded => "transcription.ended",
            Self::TranscriptFinished => "transcript.finished",
            Self::TranscriptRead => "transcript.read",
            Self::TranscriptDeletionRequested => "transcript.deletion_requested",
            Self::TranscriptDeleted => "transcript.deleted",
            Self::AccessDenied => "access.denied",
        }
    }
}

/// The chain of an appointment across all its sessions; also its partition key in the audit table.
#[must_use]
pub fn appointment_chain(appointment: crate::id::AppointmentId) -> String {
    format!("APPT#{appointment}")
}

/// The chain of a user's denied requests that belong to no appointment of theirs.
#[must_use]
pub fn actor_chain(user: crate::id::UserId) -> String {
    format!("ACTOR#{user}")
}

/// The same for an account without a user id.
#[must_use]
pub fn stranger_chain(subject: &str) -> String {
    format!("ACTOR#{}", stranger(subject))
}

/// A person without a user id: the SHA-256 of the token's subject, which may be an email address.
#[must_use]
pub fn stranger(subject: &str) -> String {
    format!("sub:{:x}", Sha256::digest(subject.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chain_of(payloads: &[String]) -> Vec<Entry> {
        let mut previous = GENESIS;
        payloads
            .iter()
            .zip(1..)
            .map(|(payload, seq)| {
                previous = entry_hash(&previous, "APPT#a", seq, payload);
                Entry { seq, payload: payload.clone(), hash: previous }
            })
            .collect()
    }

    #[test]
    fn the_hash_is_over_previous_chain_number_and_payload() {
        let mut bytes = vec![0_u8; 32];
        bytes.extend_from_slice(b"APPT#a\0\0\0\0\0\0\0\x01{}");
        assert_eq!(entry_hash(&GENESIS, "APPT#a", 1, "{}"), Hash::from(Sha256::digest(&bytes)));
    }

    #[test]
    fn an_unknown_account_leaves_no_personal_text() {
        assert_eq!(
            stranger_chain("abc"),
            "ACTOR#sub:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    proptest! {
        #[test]
        fn any_touch_shows(payloads in prop::collection::vec(".{0,40}", 1..12), at in any::<prop::sample::Index>()) {
            let good = chain_of(&payloads);
            prop_assert_eq!(verify("APPT#a", &good), Ok(good[good.len() - 1].hash));
            let at = at.index(good.len());
            let number = good[at].seq;

            let mut changed = good.clone();
            changed[at].payload.push('x');
            prop_assert_eq!(verify("APPT#a", &changed), Err(Broken::Changed(number)));

            let mut removed = good.clone();
            removed.remove(at);
            if at < removed.len() {
                prop_assert_eq!(verify("APPT#a", &removed), Err(Broken::Missing(number)));
            }
            prop_assert_eq!(verify("APPT#b", &good), Err(Broken::Changed(1)));
        }
    }
}
