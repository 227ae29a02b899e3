//! Recordings as they are shown.

use api::Timestamp;
use api::recordings::{PlaybackResponse, PlaybackSegment, Recording, RecordingSegment, RecordingsResponse};
use domain::Error;
use domain::audit::{Event, Origin};
use domain::call::{self, Actor};
use domain::consent::ConsentPurpose;
use domain::error::reason;
use domain::id::{AppointmentId, RecordingId, UserId};
use domain::recording::capture::{self, Tail};
use domain::recording::rights::Right;
use domain::recording::segment::SegmentStatus;
use domain::state::Role;
use objects::Playable;
use store::recordings::{RecordingDetail, RecordingsView, SegmentDetail};
use time::{Duration, OffsetDateTime};

use crate::App;
use crate::segments::file_key;

/// The name under which a browser saves a file: nothing of the patient is in it.
const DOWNLOAD_NAME: &str = "consultation";

/// The use for which a caller gets links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinksFor {
    /// The browser plays the file and saves it under no name.
    Playing,
    /// The browser saves the file.
    Saving,
}

impl LinksFor {
    const fn right(self) -> Right {
        match self {
            Self::Playing => Right::Play,
            Self::Saving => Right::Download,
        }
    }

    const fn event(self) -> Event {
        match self {
            Self::Playing => Event::RecordingPlayed,
            Self::Saving => Event::RecordingDownloaded,
        }
    }
}

impl App {
    /// The recordings of an appointment, the newest first.
    ///
    /// # Errors
    /// 403 without the right, 404 for an unknown appointment, 503 when the database is down.
    pub(crate) async fn list(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
    ) -> Result<RecordingsResponse, Error> {
        let view = self.calls.store().list_recordings(actor, Some(appointment), None).await?;
        self.right(&view, Right::List)?;
        let recordings = view.recordings.iter().map(|one| shown(appointment, one)).collect();
        Ok(RecordingsResponse { appointment_id: appointment, recordings })
    }

    /// A recording.
    ///
    /// # Errors
    /// 403 without the right, 404 for one that there is not, 503 when the database is down.
    pub(crate) async fn recording(&self, actor: &Actor, id: RecordingId) -> Result<Recording, Error> {
        self.recording_with(actor, id, Right::List).await
    }

    /// A recording, for a caller with another right to it.
    ///
    /// # Errors
    /// As for [`App::recording`].
    pub(crate) async fn recording_with(
        &self,
        actor: &Actor,
        id: RecordingId,
        right: Right,
    ) -> Result<Recording, Error> {
        self.recording_and_hold(actor, id, right).await.map(|(recording, _)| recording)
    }

    /// The same, and whether a legal hold stands on its appointment.
    ///
    /// # Errors
    /// As for [`App::recording`].
    pub(crate) async fn recording_and_hold(
        &self,
        actor: &Actor,
        id: RecordingId,
        right: Right,
    ) -> Result<(Recording, bool), Error> {
        let (view, one, _) = self.load(actor, id, right).await?;
        let appointment = view.appointment.as_ref().ok_or(Error::NotFound(reason::APPOINTMENT_NOT_FOUND))?;
        Ok((shown(appointment.id, &one), view.on_hold))
    }

    /// Links to play or save the segments of a recording, for 15 minutes. The audit entry is written before they are answered.
    ///
    /// # Errors
    /// 403 without the right, 404 for one that there is not, 409 while nothing can be played, 503 where a backend is down.
    pub(crate) async fn playback(
        &self,
        actor: &Actor,
        id: RecordingId,
        links: LinksFor,
        origin: &Origin,
    ) -> Result<PlaybackResponse, Error> {
        let (_, one, (user, role)) = self.load(actor, id, links.right()).await?;
        let playable: Vec<_> = timeline(&one)
            .into_iter()
            .filter_map(|entry| Some((entry.number, entry.started_at?, entry.playable?, entry)))
            .filter(|(_, _, playable, _)| !one.deletion_requested && playable.is_positive())
            .collect();
        if playable.is_empty() {
            return Err(Error::conflict(reason::RECORDING_NOT_READY));
        }
        let files: Vec<_> = playable
            .iter()
            .map(|(number, ..)| (file_key(id, *number), format!("{DOWNLOAD_NAME}-{number}.mp4")))
            .collect();
        let objects: Vec<_> = files
            .iter()
            .map(|(key, name)| Playable {
                key,
                download_name: (links == LinksFor::Saving).then_some(name.as_str()),
            })
            .collect();
        let signed = self.links.sign(&id.to_string(), &objects).await?;
        let event = links.event();
        self.calls.store().audit_playback(id, (user, role), event, signed.expires_at, origin).await?;
        let segments = playable
            .into_iter()
            .zip(signed.links)
            .map(|((number, started_at, playable, entry), link)| PlaybackSegment {
                number,
                url: link.url,
                started_at: started_at.into(),
                duration_seconds: seconds(playable),
                gap_seconds: entry.gap.map_or(0.0, seconds),
                gap_reason: entry.detail.gap_reason,
            })
            .collect();
        Ok(PlaybackResponse { recording_id: id, segments, expires_at: signed.expires_at.into() })
    }

    /// A recording that the caller may delete: when it ended, and the caller.
    ///
    /// # Errors
    /// As for [`App::recording`].
    pub(crate) async fn deletable(
        &self,
        actor: &Actor,
        id: RecordingId,
    ) -> Result<(RecordingId, Option<OffsetDateTime>, (UserId, Role)), Error> {
        let (_, one, by) = self.load(actor, id, Right::Delete).await?;
        Ok((one.id, one.ended_at, by))
    }

    async fn load(
        &self,
        actor: &Actor,
        id: RecordingId,
        right: Right,
    ) -> Result<(RecordingsView, RecordingDetail, (UserId, Role)), Error> {
        let mut view = self.calls.store().list_recordings(actor, None, Some(id)).await?;
        let one = view.recordings.pop().ok_or(Error::NotFound(reason::RECORDING_NOT_FOUND))?;
        let member = self.right(&view, right)?;
        Ok((view, one, member))
    }

    /// The caller, who has a right to the appointment's recordings.
    fn right(&self, view: &RecordingsView, right: Right) -> Result<(UserId, Role), Error> {
        let member = call::member(view.caller.as_ref(), view.appointment.as_ref(), view.part())?;
        self.rights.check(member.role, right)?;
        Ok((member.user, member.role))
    }
}

/// A segment on the timeline of its recording.
struct Entry<'a> {
    number: u32,
    detail: &'a SegmentDetail,
    started_at: Option<OffsetDateTime>,
    /// How much of its file may be played.
    playable: Option<Duration>,
    /// The time without a recording before it.
    gap: Option<Duration>,
}

/// Places the segments of a recording on its timeline.
fn timeline(one: &RecordingDetail) -> Vec<Entry<'_>> {
    let mut ended: Option<OffsetDateTime> = None;
    let place = |detail: &'_ SegmentDetail| -> (Option<Duration>, Option<Duration>) {
        let began = detail.started_at.unwrap_or(detail.began_at);
        let gap = ended.map(|ended| (began - ended).max(Duration::ZERO));
        ended = detail.ended_at;
        (gap, playable(detail))
    };
    let placed: Vec<_> = one.segments.iter().map(place).collect();
    one.segments
        .iter()
        .zip(placed)
        .map(|(detail, (gap, playable))| Entry {
            number: detail.number,
            detail,
            started_at: detail.started_at,
            playable,
            gap,
        })
        .collect()
}

/// How much of a segment's file may be played: not what was captured after a withdrawal of consent.
fn playable(detail: &SegmentDetail) -> Option<Duration> {
    match detail.status {
        SegmentStatus::Ready | SegmentStatus::Incomplete => {}
        SegmentStatus::Waiting
        | SegmentStatus::Concatenating
        | SegmentStatus::Verifying
        | SegmentStatus::Failed
        | SegmentStatus::Deleted => return None,
    }
    let (started, length) = (detail.started_at?, Duration::seconds_f64(detail.duration_seconds?));
    let ended = detail.ended_at.unwrap_or(started + length);
    let tail = detail.stop().and_then(|stop| capture::tail(ConsentPurpose::Recording, started, stop, ended));
    // A link opens the whole file: with more of it than the consent's text says, there is none.
    if tail.is_some_and(Tail::exceeds_limit) {
        return Some(Duration::ZERO);
    }
    // From both ends: a concatenation leaves gaps out, so that what was captured later is earlier in the file.
    Some(tail.map_or(length, |tail| (tail.from - started).min(length - tail.length).max(Duration::ZERO)))
}

fn shown(appointment_id: AppointmentId, one: &RecordingDetail) -> Recording {
    let statuses: Vec<_> = one.segments.iter().map(|segment| segment.status).collect();
    Recording {
        recording_id: one.id,
        appointment_id,
        session_id: one.session_id,
        state: domain::recording::state(one.intent, one.deletion_requested, &statuses),
        capturing: one.capturing,
        automatic: one.automatic,
        layout: one.layout,
        started_at: one.began_at.into(),
        ended_at: one.ended_at.map(Timestamp::from),
        end_reason: one.end_reason,
        pause_reason: one.pause_reason,
        segments: timeline(one)
            .into_iter()
            .map(|entry| RecordingSegment {
                number: entry.number,
                state: entry.detail.status,
                started_at: entry.started_at.map(Timestamp::from),
                duration_seconds: entry.playable.map(seconds),
                missing_seconds: entry.detail.missing_seconds,
                gap_seconds: entry.gap.map(seconds),
                gap_reason: entry.detail.gap_reason,
            })
            .collect(),
    }
}

/// Seconds with three digits.
fn seconds(duration: Duration) -> f64 {
    (duration.as_seconds_f64() * 1000.0).round() / 1000.0
}
