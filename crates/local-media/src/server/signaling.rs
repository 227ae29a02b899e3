//! Signalling sockets: `ws://` and `wss://` on one port, told apart by the first byte.

#[cfg(test)]
mod tests;

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message as WebSocketMessage, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::hub::FromSocket;
use crate::frame::{FrameError, SignalFrame};
use crate::room::ConnectionId;

/// The SDK's subprotocol. Its other one is the join token.
const SUBPROTOCOL: &str = "_aws_wt_session";
/// The end of a shared screen's join token.
const CONTENT: &str = "#content";

/// An offer for 25 pictures has some 60 kB.
const MAX_MESSAGE_BYTES: usize = 512 * 1024;
/// Time that a client has for each step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For the TLS handshake, and for the request of the socket.
    handshake: Duration,
    /// Between two messages of a client, whatever the server sends it. The SDK sends a ping every 10 s.
    silence: Duration,
    /// For a frame to be taken by the network.
    send: Duration,
    /// For the whole close handshake.
    close: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self { handshake: ten, silence: Duration::from_secs(45), send: ten, close: ten }
    }
}

/// Frames that wait for a client; one that reads none for so long is not there.
const MAX_WAITING_FRAMES: usize = 1024;

/// The first byte of a TLS connection: a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// To a socket.
#[derive(Debug)]
pub(super) enum ToSocket {
    Frame(Bytes),
    Close(u16),
}

/// A client that has opened a socket.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) meeting_id: String,
    pub(super) join_token: String,
    /// Whether it is the connection of a shared screen.
    pub(super) content: bool,
    pub(super) socket: ClientSocket,
}

/// The server's end of a client's socket. Dropping it aborts the connection.
#[derive(Debug)]
pub(super) struct ClientSocket {
    commands: mpsc::Sender<ToSocket>,
    abort: oneshot::Sender<()>,
}

impl ClientSocket {
    /// False: the client has gone, or so many frames wait that it reads none.
    pub(super) fn send(&self, command: ToSocket) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// Ends the TCP connection at once, without a close frame and without the frames that wait.
    pub(super) fn abort(self) {
        // An error: the connection has ended.
        let _ended = self.abort.send(());
    }
}

/// Why a conversation ends before either side closes it.
#[derive(Debug, thiserror::Error)]
enum SocketError {
    #[error("the client has sent nothing for {0:?}")]
    Silent(Duration),
    #[error("the client has not taken a frame for {0:?}")]
    Blocked(Duration),
    #[error("the client has not answered the close frame within {0:?}")]
    NotClosed(Duration),
    #[error("the socket has failed")]
    Failed(#[from] axum::Error),
    #[error("the media server ends")]
    Stopped,
}

/// Serves until it is dropped, which ends connections that are no sockets yet; sockets are tasks of the runtime, and end with it.
pub(super) async fn serve(listener: TcpListener, tls: TlsAcceptor, hub: mpsc::Sender<FromSocket>) {
    let limits = Limits::default();
    let router = router(hub, limits);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, tls.clone(), router.clone(), limits));
                }
                Err(error) => {
                    tracing::warn!(%error, "a signalling connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

fn router(hub: mpsc::Sender<FromSocket>, limits: Limits) -> Router {
    Router::new()
        .route("/control/{meeting}", any(upgrade))
        .route("/v1/client-events", any(client_events))
        .with_state((hub, limits))
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, router: Router, limits: Limits) {
    let _best_effort = stream.set_nodelay(true);
    let mut first = [0];
    match timeout(limits.handshake, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == TLS_HANDSHAKE => match timeout(limits.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => http(stream, router, limits).await,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a client's TLS handshake with the media server failed");
            }
            Err(_) => {}
        },
        Ok(Ok(1)) => http(stream, router, limits).await,
        Ok(_) | Err(_) => {}
    }
}

async fn http(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router, limits: Limits) {
    let service = TowerToHyperService::new(router);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.handshake);
    // An error here is a client that went.
    let _closed = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

/// The SDK's reports about itself, which nothing reads. On this machine they stay on it.
async fn client_events() -> impl IntoResponse {
    (
        [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (header::ACCESS_CONTROL_ALLOW_HEADERS, "*")],
        Json(json!({})),
    )
}

async fn upgrade(
    State((hub, limits)): State<(mpsc::Sender<FromSocket>, Limits)>,
    Path(meeting_id): Path<String>,
    headers: HeaderMap,
    socket: WebSocketUpgrade,
) -> Response {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offered = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let token = offered.map(str::trim).find(|protocol| *protocol != SUBPROTOCOL).unwrap_or_default();
    let (join_token, content) = token.strip_suffix(CONTENT).map_or((token, false), |token| (token, true));
    let join_token = join_token.to_owned();
    // A message in one frame is compared with the limit of a frame first, which is 16 MiB by default.
    let socket = socket.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
    socket.protocols([SUBPROTOCOL]).on_upgrade(move |socket| async move {
        let (sender, commands) = mpsc::channel(MAX_WAITING_FRAMES);
        let (abort, aborted) = oneshot::channel();
        let client_socket = ClientSocket { commands: sender, abort };
        let client = Client { meeting_id, join_token, content, socket: client_socket };
        let (reply, connection) = oneshot::channel();
        if hub.send(FromSocket::Opened { client, reply }).await.is_err() {
            return;
        }
        let Ok(connection) = connection.await else { return };
        tokio::select! {
            biased;
            _ = aborted => {}
            ended = converse(socket, commands, &hub, connection, limits) => if let Err(error) = ended {
                // A client that breaks off ends like one that is cut off.
                tracing::debug!(%error, connection, "a signalling socket has ended");
            },
        }
        let _stopped = hub.send(FromSocket::Closed { connection }).await;
    })
}

/// Carries frames in both directions until either side closes. While the hub's queue is full it reads nothing: then TCP slows the client.
async fn converse(
    mut socket: WebSocket,
    mut commands: mpsc::Receiver<ToSocket>,
    hub: &mpsc::Sender<FromSocket>,
    connection: ConnectionId,
    limits: Limits,
) -> Result<(), SocketError> {
    let mut last_received = Instant::now();
    let mut malformed: u64 = 0;
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(ToSocket::Frame(frame)) => {
                    let sent = timeout(limits.send, socket.send(WebSocketMessage::Binary(frame))).await;
                    sent.map_err(|_| SocketError::Blocked(limits.send))??;
                }
                Some(ToSocket::Close(code)) => {
                    let closed = timeout(limits.close, close(&mut socket, code)).await;
                    return Ok(closed.map_err(|_| SocketError::NotClosed(limits.close))??);
                }
                None => return Ok(()),
            },
            message = socket.recv() => {
                last_received = Instant::now();
                match message {
                    Some(Ok(WebSocketMessage::Binary(message))) => match SignalFrame::from_message(&message) {
                        Ok(frame) => {
                            let taken = hub.send(FromSocket::Frame { connection, frame }).await;
                            taken.map_err(|_| SocketError::Stopped)?;
                        }
                        Err(error) => {
                            malformed += 1;
                            log_malformed(connection, malformed, &error);
                        }
                    },
                    Some(Ok(WebSocketMessage::Close(_))) | None => return Ok(()),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.into()),
                }
            },
            () = sleep_until(last_received + limits.silence) => return Err(SocketError::Silent(limits.silence)),
        }
    }
}

/// Closes the socket and waits for the client's part of the close handshake.
async fn close(socket: &mut WebSocket, code: u16) -> Result<(), axum::Error> {
    socket.send(WebSocketMessage::Close(Some(CloseFrame { code, reason: "".into() }))).await?;
    while let Some(Ok(_)) = socket.recv().await {}
    Ok(())
}

/// The first of a connection is a warning. A client cannot fill the log with the others: each tenfold count is logged.
fn log_malformed(connection: ConnectionId, count: u64, error: &FrameError) {
    if count == 1 {
        tracing::warn!(%error, connection, "a client has sent no frame of the protocol");
    } else if count.ilog10() > (count - 1).ilog10() {
        tracing::debug!(%error, connection, count, "a client sends no frames of the protocol");
    }
}
