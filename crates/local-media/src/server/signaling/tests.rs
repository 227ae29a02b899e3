//! A socket over a line in memory, with a hub that the test plays.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::*;
use crate::frame::{Body, PING, PingPong};

const LONG: Duration = Duration::from_mins(10);
const SHORT: Duration = Duration::from_millis(20);
const UNLIMITED: Limits = Limits { handshake: LONG, silence: LONG, send: LONG, close: LONG };
/// What the line holds in each direction.
const LINE_BYTES: usize = 4_096;
/// Reports that the hub's queue holds.
const QUEUE: usize = 16;

/// A client, and the server's side of it as the hub sees it.
struct Opened {
    client: WebSocketStream<DuplexStream>,
    socket: ClientSocket,
    reports: mpsc::Receiver<FromSocket>,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

async fn open(limits: Limits) -> Opened {
    let (hub, mut reports) = mpsc::channel(QUEUE);
    let (near, far) = duplex(LINE_BYTES);
    tokio::spawn(http(far, router(hub, limits), limits));
    let mut request = "ws://localhost/control/meeting".into_client_request().expect("it is a request");
    let protocols = "_aws_wt_session, token".parse().expect("it is a header");
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocols);
    let (client, report) = tokio::join!(tokio_tungstenite::client_async(request, near), reports.recv());
    let (client, _) = client.expect("the socket opens");
    let Some(FromSocket::Opened { client: opened, reply }) = report else { unreachable!("it opens first") };
    reply.send(7).expect("the socket waits for its number");
    Opened { client, socket: opened.socket, reports }
}

fn ping(ping_id: u32) -> Message {
    Message::Binary(SignalFrame::new(Body::PingPong(PingPong { kind: PING, ping_id })).into_message(0))
}

/// Whether the next report is the end of the socket.
async fn closes(reports: &mut mpsc::Receiver<FromSocket>) -> bool {
    matches!(timeout(LONG / 60, reports.recv()).await, Ok(Some(FromSocket::Closed { connection: 7 })))
}

#[test]
fn a_client_that_sends_nothing_is_out_also_while_it_is_sent_frames() {
    runtime().block_on(async {
        let limits = Limits { silence: SHORT * 5, ..UNLIMITED };
        let Opened { mut client, socket, mut reports } = open(limits).await;
        let mut frames = tokio::time::interval(SHORT);
        let closed = async {
            loop {
                tokio::select! {
                    _ = frames.tick() => drop(socket.send(ToSocket::Frame(Bytes::from_static(b"\x05")))),
                    closed = closes(&mut reports) => return closed,
                    _ = client.next() => {}
                }
            }
        };
        assert_eq!(timeout(LONG / 120, closed).await, Ok(true), "the frames that it is sent do not keep it");
    });
}

#[test]
fn a_client_that_reads_nothing_is_out() {
    runtime().block_on(async {
        let Opened { client, socket, mut reports } = open(Limits { send: SHORT, ..UNLIMITED }).await;
        assert!(socket.send(ToSocket::Frame(vec![5; 2 * LINE_BYTES].into())));
        assert!(closes(&mut reports).await);
        drop(client);
    });
}

#[test]
fn a_socket_that_is_aborted_ends_before_the_frames_that_wait_for_it() {
    runtime().block_on(async {
        let Opened { client, socket, mut reports } = open(UNLIMITED).await;
        for _ in 0..10 {
            assert!(socket.send(ToSocket::Frame(vec![5; 2 * LINE_BYTES].into())));
        }
        socket.abort();
        assert!(closes(&mut reports).await, "it does not wait until the client reads");
        drop(client);
    });
}

#[test]
fn a_client_that_answers_a_close_frame_with_other_messages_is_out() {
    runtime().block_on(async {
        let Opened { client, socket, mut reports } = open(Limits { close: SHORT * 5, ..UNLIMITED }).await;
        // Only written to: a client that reads the close frame answers it by itself.
        let (mut sink, _stream) = client.split();
        assert!(socket.send(ToSocket::Close(4410)));
        let mut pings = tokio::time::interval(SHORT);
        let closed = async {
            loop {
                tokio::select! {
                    _ = pings.tick() => drop(sink.send(ping(1)).await),
                    report = reports.recv() => match report {
                        Some(FromSocket::Closed { .. }) => return true,
                        Some(_) => {}
                        None => return false,
                    },
                }
            }
        };
        assert_eq!(timeout(LONG / 120, closed).await, Ok(true));
    });
}

#[test]
fn a_hub_that_takes_no_reports_slows_the_client_and_loses_nothing() {
    runtime().block_on(async {
        const SENT: u32 = 10_000;
        let Opened { mut client, socket, mut reports } = open(UNLIMITED).await;
        let sends = async {
            for number in 0..SENT {
                client.send(ping(number)).await.expect("the socket is open");
            }
        };
        tokio::pin!(sends);
        assert!(timeout(SHORT * 25, &mut sends).await.is_err(), "the client waits for the hub");
        assert_eq!(reports.len(), QUEUE);
        let takes = async {
            for number in 0..SENT {
                let report = reports.recv().await;
                let Some(FromSocket::Frame { frame, .. }) = report else {
                    unreachable!("the socket is open")
                };
                assert_eq!(frame.body, Some(Body::PingPong(PingPong { kind: PING, ping_id: number })));
            }
        };
        tokio::join!(sends, takes);
        drop(socket);
    });
}

#[test]
fn a_frame_of_more_than_512_kib_ends_the_socket_at_its_header() {
    runtime().block_on(async {
        let Opened { mut client, socket, mut reports } = open(UNLIMITED).await;
        // The header of a masked binary frame of 1 MiB, without the rest (RFC 6455, section 5.2).
        let header = [&[0x82, 0xff][..], &(2 * MAX_MESSAGE_BYTES as u64).to_be_bytes(), &[0; 4]].concat();
        client.get_mut().write_all(&header).await.expect("the line holds it");
        assert!(closes(&mut reports).await);
        drop(socket);
    });
}
