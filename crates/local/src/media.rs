//! The media plane of the local cloud, joined to the Chime engine: one engine, whose events are what happens in the calls.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use local_media::{Admission, AttendeeEvent, MediaPlane, Meetings, Options, StartError, TapChunk};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::chime::{Chime, NewEvent, pipelines};

/// The address at which clients find the media plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signaling {
    /// The address that AWS would answer, for browsers whose resolver leads Chime's hosts here.
    #[default]
    AsOnAws,
    /// This machine's own, for any browser.
    Loopback,
}

/// How the media plane runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct MediaOptions {
    /// The port of signalling; 0 takes a free one.
    pub port: u16,
    pub signaling: Signaling,
    /// The address of media, in place of 127.0.0.1: Firefox takes no candidate of loopback.
    pub address: Option<IpAddr>,
}

/// The running media plane.
pub struct Media {
    plane: Arc<MediaPlane>,
    signaling: Signaling,
    /// Taps that the control API has opened, by meeting.
    taps: Mutex<HashMap<String, mpsc::Receiver<TapChunk>>>,
    reports: JoinHandle<()>,
    recorders: JoinHandle<()>,
}

impl Drop for Media {
    fn drop(&mut self) {
        self.plane.stop();
        self.reports.abort();
        self.recorders.abort();
    }
}

/// What happened to an attendee: the meeting, the attendee, the event.
type Report = (String, String, AttendeeEvent);

/// The engine as the media plane sees it.
struct Engine {
    chime: Chime,
    reports: mpsc::UnboundedSender<Report>,
}

impl Meetings for Engine {
    fn admit(&self, join_token: &str) -> Admission {
        self.chime.admit(join_token)
    }

    fn report(&self, meeting_id: &str, attendee_id: &str, event: AttendeeEvent) {
        // The receiver ends with the cloud.
        let _ended = self.reports.send((meeting_id.to_owned(), attendee_id.to_owned(), event));
    }
}

impl Media {
    /// Starts the media plane and has the engine's operations act on it.
    ///
    /// # Errors
    /// When its port is taken.
    pub fn start(chime: &Chime, options: MediaOptions) -> Result<Self, StartError> {
        let (reports, mut reported) = mpsc::unbounded_channel::<Report>();
        let engine = Engine { chime: chime.clone(), reports };
        let mut media = Options { port: options.port, ..Options::default() };
        if let Some(address) = options.address {
            media.media_address = address;
        }
        let plane = Arc::new(MediaPlane::start(Arc::new(engine), media)?);
        let loopback = (options.signaling == Signaling::Loopback).then(|| plane.signaling());
        chime.attach_media(&plane, loopback);
        let (commands, taken) = mpsc::unbounded_channel();
        chime.attach_recorders(commands);
        let recorders = tokio::spawn(pipelines::run(taken, Arc::clone(&plane), chime.clone()));
        let chime = chime.clone();
        // In the cloud's own runtime: events go on to functions.
        let reports = tokio::spawn(async move {
            while let Some((meeting_id, attendee_id, event)) = reported.recv().await {
                let new = NewEvent {
                    event_type: event.name().to_owned(),
                    attendee_id: Some(attendee_id),
                    ..NewEvent::default()
                };
                if let Err(error) = chime.event(&meeting_id, new) {
                    tracing::error!(%error, "an event of the media plane is none of the engine");
                }
            }
        });
        Ok(Self { plane, signaling: options.signaling, taps: Mutex::default(), reports, recorders })
    }

    /// The media plane.
    #[must_use]
    pub fn plane(&self) -> &MediaPlane {
        &self.plane
    }

    /// Opens the tap of a meeting; its chunks are kept until they are taken.
    pub(crate) fn open_tap(&self, meeting_id: &str) {
        let chunks = self.plane.open_tap(meeting_id);
        self.taps().insert(meeting_id.to_owned(), chunks);
    }

    /// Takes the chunks that are complete; `None`: the meeting has no tap. A tap that has ended is forgotten with its last chunks.
    pub(crate) fn take_chunks(&self, meeting_id: &str) -> Option<Vec<TapChunk>> {
        let mut taps = self.taps();
        let chunks = taps.get_mut(meeting_id)?;
        let mut complete = Vec::new();
        loop {
            match chunks.try_recv() {
                Ok(chunk) => complete.push(chunk),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    taps.remove(meeting_id);
                    break;
                }
            }
        }
        Some(complete)
    }

    /// Closes the tap of a meeting and gives the rest of its chunks.
    pub(crate) async fn close_tap(&self, meeting_id: &str) -> Option<Vec<TapChunk>> {
        let mut chunks = self.taps().remove(meeting_id)?;
        self.plane.close_tap(meeting_id);
        let mut rest = Vec::new();
        while let Some(chunk) = chunks.recv().await {
            rest.push(chunk);
        }
        Some(rest)
    }

    fn taps(&self) -> MutexGuard<'_, HashMap<String, mpsc::Receiver<TapChunk>>> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether meetings name this machine's address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.signaling == Signaling::Loopback
    }

    /// Where signalling listens.
    #[must_use]
    pub fn signaling(&self) -> SocketAddr {
        self.plane.signaling()
    }
}
