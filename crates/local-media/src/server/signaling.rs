//! Signalling sockets: `ws://` and `wss://` on one port, told apart by the first byte.

use std::io;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message as WebSocketMessage, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::hub::Message;
use crate::frame::SignalFrame;

/// The SDK's subprotocol. Its other one is the join token.
const SUBPROTOCOL: &str = "_aws_wt_session";
/// The end of a shared screen's join token.
const CONTENT: &str = "#content";

/// An offer for 25 pictures has some 60 kB.
const MAX_MESSAGE_BYTES: usize = 512 * 1024;
/// The SDK sends a ping every 10 s.
const MAX_SILENCE: Duration = Duration::from_secs(45);
/// Until a request for the socket has come.
const HANDSHAKE: Duration = Duration::from_secs(10);
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
    /// Dropping it ends the connection without a close frame.
    pub(super) socket: mpsc::Sender<ToSocket>,
}

/// Serves until it is dropped, which ends all connections too.
pub(super) async fn serve(listener: TcpListener, tls: TlsAcceptor, hub: mpsc::UnboundedSender<Message>) {
    let router = Router::new()
        .route("/control/{meeting}", any(upgrade))
        .route("/v1/client-events", any(client_events))
        .with_state(hub);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, tls.clone(), router.clone()));
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

async fn connection(stream: TcpStream, tls: TlsAcceptor, router: Router) {
    let _best_effort = stream.set_nodelay(true);
    let mut first = [0];
    match timeout(HANDSHAKE, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == TLS_HANDSHAKE => match timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok(stream)) => http(stream, router).await,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a client's TLS handshake with the media server failed");
            }
            Err(_) => {}
        },
        Ok(Ok(1)) => http(stream, router).await,
        Ok(_) | Err(_) => {}
    }
}

async fn http(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let service = TowerToHyperService::new(router);
    // An error here is a client that went.
    let _closed = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}

/// The SDK's reports about itself, which nothing reads. On this machine they stay on it.
async fn client_events() -> impl IntoResponse {
    (
        [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"), (header::ACCESS_CONTROL_ALLOW_HEADERS, "*")],
        Json(json!({})),
    )
}

async fn upgrade(
    State(hub): State<mpsc::UnboundedSender<Message>>,
    Path(meeting_id): Path<String>,
    headers: HeaderMap,
    socket: WebSocketUpgrade,
) -> Response {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offered = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let token = offered.map(str::trim).find(|protocol| *protocol != SUBPROTOCOL).unwrap_or_default();
    let (join_token, content) = token.strip_suffix(CONTENT).map_or((token, false), |token| (token, true));
    let join_token = join_token.to_owned();
    socket.protocols([SUBPROTOCOL]).max_message_size(MAX_MESSAGE_BYTES).on_upgrade(move |socket| async move {
        let (sender, commands) = mpsc::channel(MAX_WAITING_FRAMES);
        let client = Client { meeting_id, join_token, content, socket: sender };
        let (reply, connection) = tokio::sync::oneshot::channel();
        if hub.send(Message::Opened { client, reply }).is_err() {
            return;
        }
        let Ok(connection) = connection.await else { return };
        let socket = converse(socket, commands, |frame| {
            hub.send(Message::Frame { connection, frame }).map_err(io::Error::other)
        });
        // A client that breaks off ends like one that is cut off.
        if let Err(error) = socket.await {
            tracing::debug!(%error, connection, "a signalling socket has ended");
        }
        let _stopped = hub.send(Message::Closed { connection });
    })
}

/// Carries frames in both directions until either side closes.
async fn converse(
    mut socket: WebSocket,
    mut commands: mpsc::Receiver<ToSocket>,
    received: impl Fn(SignalFrame) -> io::Result<()>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(ToSocket::Frame(frame)) => socket.send(WebSocketMessage::Binary(frame)).await?,
                Some(ToSocket::Close(code)) => {
                    let close = CloseFrame { code, reason: "".into() };
                    socket.send(WebSocketMessage::Close(Some(close))).await?;
                    // The client answers the close handshake.
                    while let Ok(Some(Ok(_))) = timeout(HANDSHAKE, socket.recv()).await {}
                    return Ok(());
                }
                // Cut: the TCP connection ends.
                None => return Ok(()),
            },
            message = timeout(MAX_SILENCE, socket.recv()) => match message? {
                Some(Ok(WebSocketMessage::Binary(message))) => match SignalFrame::from_message(&message) {
                    Ok(frame) => received(frame)?,
                    Err(error) => tracing::warn!(%error, "a client has sent no frame of the protocol"),
                },
                Some(Ok(WebSocketMessage::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            },
        }
    }
}
