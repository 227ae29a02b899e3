//! The media server: signalling by WebSocket, media by one UDP socket, on a thread of its own.
//!
//! One task, the hub, owns all rooms and connections, so that nothing is locked. Sockets and callers reach it by a queue.

mod certificate;
mod hub;
mod link;
mod meeting;
mod signaling;
mod tap;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};

use self::certificate::{Certificate, CertificateError};
use self::hub::{Hub, MAX_WAITING_REPORTS, Message};
pub use self::link::Link;
use crate::attendee::{Capabilities, Meetings, Recorder};
use crate::captions::Caption;
use crate::capture::TapChunk;
use crate::connection::{Connection, VideoCodec};
pub use crate::mix::SourceCounters;

/// How the server runs. Signalling listens on 127.0.0.1.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port of signalling, with and without TLS; 0 takes a free one.
    pub port: u16,
    /// The address of media. Firefox takes no candidate of loopback: for it this is another address of the machine.
    pub media_address: IpAddr,
    /// Codecs of pictures that an answer may contain.
    pub codecs: Vec<VideoCodec>,
}

impl Default for Options {
    /// H.264, which a recording needs, and VP8 for browsers without it.
    fn default() -> Self {
        Self {
            port: 0,
            media_address: Ipv4Addr::LOCALHOST.into(),
            codecs: vec![VideoCodec::H264, VideoCodec::Vp8],
        }
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the media server cannot listen on port {port}")]
    Listen { port: u16, source: io::Error },
    #[error("the media server cannot use the address {address} for media")]
    Media { address: IpAddr, source: io::Error },
    #[error("the media server cannot use the address {address} for media: clients cannot send to it")]
    Unreachable { address: IpAddr },
    #[error("the media server has no certificate")]
    Certificate(#[from] CertificateError),
    #[error("the media server has no thread")]
    Thread(#[source] io::Error),
}

/// A fault that makes the server refuse who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `AudioCallAtCapacity`.
    Full,
    /// `AudioAuthenticationRejected`.
    WrongToken,
    /// `MeetingEnded`.
    Ended,
}

/// Chunks of a tap that wait to be taken: 8 minutes of a meeting with two cameras. A camera's chunk of 5 s has some 600 KB.
pub const MAX_WAITING_CHUNKS: usize = 300;

/// How a socket is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The TCP connection ends without a word.
    Abort,
    /// With this close code.
    Close(u16),
}

/// A participant as the server sees it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    pub meeting_id: String,
    /// Ends with `#content` for a shared screen.
    pub attendee_id: String,
    pub present: bool,
    pub muted: bool,
    pub sends_video: bool,
    /// Frames of 20 ms of their sound that wait to be mixed.
    pub queued_frames: u64,
    pub sound: SourceCounters,
}

/// Whether the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ServerState {
    Running,
    Stopped,
    /// Its thread has panicked, and the log says where. It can be started again.
    Failed,
}

/// The media plane: a server that can be stopped and started again on the same ports, as a machine that restarts.
pub struct MediaPlane {
    meetings: Arc<dyn Meetings>,
    options: Options,
    certificate: Certificate,
    signaling: SocketAddr,
    running: Mutex<Option<Running>>,
}

struct Running {
    hub: mpsc::UnboundedSender<Message>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl MediaPlane {
    /// Starts the server.
    pub fn start(meetings: Arc<dyn Meetings>, mut options: Options) -> Result<Self, StartError> {
        let certificate = Certificate::make()?;
        let (running, signaling) = run(&meetings, &options, &certificate)?;
        // From now on the port is fixed: clients come back to it after a restart.
        options.port = signaling.port();
        Ok(Self { meetings, options, certificate, signaling, running: Mutex::new(Some(running)) })
    }

    /// Where signalling listens: `ws://` and `wss://`.
    #[must_use]
    pub fn signaling(&self) -> SocketAddr {
        self.signaling
    }

    /// SHA-256 of the certificate's public key, as Chromium's `--ignore-certificate-errors-spki-list` takes it.
    #[must_use]
    pub fn public_key_hash(&self) -> &str {
        self.certificate.public_key_hash()
    }

    /// Stops the server as a machine that fails: each socket ends without a word, and each participant is reported as dropped.
    pub fn stop(&self) {
        let running = self.lock().take();
        if let Some(Running { stop, thread, .. }) = running {
            // An error of either: the thread has ended already.
            let _ended = stop.send(());
            let _joined = thread.join();
        }
    }

    /// Starts the server again, if it is stopped or has failed, and says what it was before.
    pub fn restart(&self) -> Result<ServerState, StartError> {
        let mut running = self.lock();
        let before = state_of(running.as_ref());
        if before != ServerState::Running {
            *running = Some(run(&self.meetings, &self.options, &self.certificate)?.0);
        }
        Ok(before)
    }

    /// Whether the server runs.
    #[must_use]
    pub fn state(&self) -> ServerState {
        state_of(self.lock().as_ref())
    }

    /// Ends a meeting for everyone who is in it.
    pub fn end_meeting(&self, meeting_id: &str) {
        self.send(Message::EndMeeting { meeting_id: meeting_id.to_owned() });
    }

    /// Puts an attendee out of a meeting.
    pub fn remove_attendee(&self, meeting_id: &str, attendee_id: &str) {
        let (meeting_id, attendee_id) = (meeting_id.to_owned(), attendee_id.to_owned());
        self.send(Message::RemoveAttendee { meeting_id, attendee_id });
    }

    /// Applies other capabilities to an attendee who may be in the meeting.
    pub fn change_capabilities(&self, meeting_id: &str, attendee_id: &str, capabilities: Capabilities) {
        let (meeting_id, attendee_id) = (meeting_id.to_owned(), attendee_id.to_owned());
        self.send(Message::ChangeCapabilities { meeting_id, attendee_id, capabilities });
    }

    /// Sends a message of the transcription to everyone in a meeting.
    pub fn show_caption(&self, meeting_id: &str, caption: Caption) {
        self.send(Message::Caption { meeting_id: meeting_id.to_owned(), caption: Box::new(caption) });
    }

    /// Cuts the signalling sockets of an attendee, and says how many.
    pub async fn cut(&self, attendee_id: &str, cut: Cut) -> usize {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Cut { attendee_id: attendee_id.to_owned(), cut, reply });
        answer.await.unwrap_or_default()
    }

    /// Makes the media link of an attendee slow or lossy, or stops it; `None`: of everyone without a link of their own.
    pub fn set_link(&self, attendee_id: Option<&str>, link: Link) {
        self.send(Message::SetLink { attendee_id: attendee_id.map(str::to_owned), link });
    }

    /// Refuses everyone who comes, until `None`.
    pub fn refuse(&self, refusal: Option<Refusal>) {
        self.send(Message::Refuse { refusal });
    }

    /// Opens the tap of a meeting, in place of one that is open. The receiver gets each chunk when it is complete, and ends when the tap
    /// is closed, the meeting ends, the server stops, or [`MAX_WAITING_CHUNKS`] of them have not been taken.
    #[must_use]
    pub fn open_tap(&self, meeting_id: &str) -> mpsc::Receiver<TapChunk> {
        let (chunks, receiver) = mpsc::channel(MAX_WAITING_CHUNKS);
        self.send(Message::OpenTap { meeting_id: meeting_id.to_owned(), chunks });
        receiver
    }

    /// Closes the tap of a meeting: its last chunks go out.
    pub fn close_tap(&self, meeting_id: &str) {
        self.send(Message::CloseTap { meeting_id: meeting_id.to_owned() });
    }

    /// Has a recorder join a meeting, in place of one that is there: everyone sees it, and the receiver gets what a tap gives, also beside
    /// an open one. It ends as a tap does; then the recorder has left, unless the server has stopped.
    #[must_use]
    pub fn start_recorder(&self, meeting_id: &str, recorder: Recorder) -> mpsc::Receiver<TapChunk> {
        let (chunks, receiver) = mpsc::channel(MAX_WAITING_CHUNKS);
        self.send(Message::StartRecorder { meeting_id: meeting_id.to_owned(), recorder, chunks });
        receiver
    }

    /// Has the recorder of a meeting leave: its last chunks go out.
    pub fn stop_recorder(&self, meeting_id: &str) {
        self.send(Message::StopRecorder { meeting_id: meeting_id.to_owned() });
    }

    /// All participants; none while the server is stopped.
    pub async fn participants(&self) -> Vec<Participant> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Participants { reply });
        answer.await.unwrap_or_default()
    }

    /// A stopped server takes no message: what it would have changed is gone with it.
    fn send(&self, message: Message) {
        if let Some(running) = &*self.lock() {
            let _stopped = running.hub.send(message);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for MediaPlane {
    fn drop(&mut self) {
        self.stop();
    }
}

fn state_of(running: Option<&Running>) -> ServerState {
    match running {
        None => ServerState::Stopped,
        Some(running) if running.thread.is_finished() => ServerState::Failed,
        Some(_) => ServerState::Running,
    }
}

/// Listens, and runs the hub on a thread of its own: the local cloud's other work must not delay sound.
fn run(
    meetings: &Arc<dyn Meetings>,
    options: &Options,
    certificate: &Certificate,
) -> Result<(Running, SocketAddr), StartError> {
    let refused = |source| StartError::Listen { port: options.port, source };
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).map_err(refused)?;
    let udp = std::net::UdpSocket::bind((options.media_address, 0))
        .map_err(|source| StartError::Media { address: options.media_address, source })?;
    listener.set_nonblocking(true).map_err(refused)?;
    udp.set_nonblocking(true).map_err(refused)?;
    let signaling = listener.local_addr().map_err(refused)?;
    let address = udp.local_addr().map_err(refused)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Thread)?;
    if !Connection::is_reachable(address) {
        return Err(StartError::Unreachable { address: options.media_address });
    }
    let (hub_sender, messages) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel();
    let (sender, reports) = mpsc::channel(MAX_WAITING_REPORTS);
    let (acceptor, meetings) = (certificate.acceptor(), Arc::clone(meetings));
    let codecs = options.codecs.clone();
    let serve = move || {
        let entered = runtime.enter();
        let (listener, udp) = match (TcpListener::from_std(listener), UdpSocket::from_std(udp)) {
            (Ok(listener), Ok(udp)) => (listener, udp),
            (Err(error), _) | (_, Err(error)) => {
                return tracing::error!(%error, "the media server does not run");
            }
        };
        drop(entered);
        let mut hub = Hub::new(meetings, udp, address, codecs);
        let served = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                tokio::select! {
                    () = hub.run(messages, reports) => {}
                    () = signaling::serve(listener, acceptor, sender) => {}
                    _ = stopped => {}
                }
            });
        }));
        if served.is_err() {
            tracing::error!(
                "the media server has failed: its thread panicked. POST media/start starts it again"
            );
        }
        hub.report_all_dropped();
        // What the runtime still runs, sockets among it, is dropped with it.
    };
    let thread =
        std::thread::Builder::new().name("media".to_owned()).spawn(serve).map_err(StartError::Thread)?;
    Ok((Running { hub: hub_sender, stop, thread }, signaling))
}
