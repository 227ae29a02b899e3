//! The media plane as its owner sees it.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::*;
use crate::attendee::{Admission, AttendeeEvent};

/// Panics when the first token is presented.
#[derive(Default)]
struct Panicking {
    admissions: AtomicUsize,
}

impl Meetings for Panicking {
    fn admit(&self, _: &str) -> Admission {
        let earlier = self.admissions.fetch_add(1, Ordering::Relaxed);
        assert_ne!(earlier, 0, "stands for a fault of the server's thread");
        Admission::Unknown
    }

    fn report(&self, _: &str, _: &str, _: AttendeeEvent) {}
}

/// Opens a socket, and returns when the server has ended it or answered a JOIN.
async fn present_a_token(plane: &MediaPlane) {
    let mut request =
        format!("ws://{}/control/meeting", plane.signaling()).into_client_request().expect("it is a request");
    let protocols = "_aws_wt_session, token".parse().expect("it is a header");
    request.headers_mut().insert("sec-websocket-protocol", protocols);
    let stream = tokio::net::TcpStream::connect(plane.signaling()).await.expect("the server listens");
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("the socket opens");
    let join = crate::frame::SignalFrame::new(crate::frame::Body::Join(crate::frame::Join::default()));
    let message = tokio_tungstenite::tungstenite::Message::Binary(join.into_message(0));
    // The server may be gone already.
    let _sent = futures_util::SinkExt::send(&mut socket, message).await;
    let _answered = futures_util::StreamExt::next(&mut socket).await;
}

#[test]
fn a_server_whose_thread_has_panicked_says_so_and_starts_again() {
    let plane =
        MediaPlane::start(Arc::new(Panicking::default()), Options::default()).expect("the server starts");
    assert_eq!(plane.state(), ServerState::Running);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(present_a_token(&plane));
    while plane.state() == ServerState::Running {
        std::thread::yield_now();
    }
    assert_eq!(plane.state(), ServerState::Failed);
    assert_eq!(plane.restart().expect("the port is free"), ServerState::Failed);
    assert_eq!(plane.state(), ServerState::Running);
    runtime.block_on(present_a_token(&plane));
    assert_eq!(plane.state(), ServerState::Running);
    plane.stop();
    assert_eq!(plane.state(), ServerState::Stopped);
}

#[test]
fn an_address_that_no_client_can_send_to_is_refused_at_the_start() {
    for address in ["0.0.0.0", "::"] {
        let media_address = address.parse().expect("it is an address");
        let options = Options { media_address, ..Options::default() };
        let started = MediaPlane::start(Arc::new(Panicking::default()), options);
        let refused = started.map(|_| ()).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.contains(address)), "{address} starts");
    }
}

#[test]
fn a_recorder_and_a_tap_of_one_meeting_do_not_end_each_other() {
    let plane =
        MediaPlane::start(Arc::new(Panicking::default()), Options::default()).expect("the server starts");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    runtime.block_on(async {
        let recorder =
            Recorder { attendee_id: "r".to_owned(), external_user_id: "aws:MediaPipeline-r".to_owned() };
        let mut tap = plane.open_tap("meeting");
        let mut chunks = plane.start_recorder("meeting", recorder);
        plane.close_tap("meeting");
        while tap.recv().await.is_some() {}
        assert_eq!(chunks.try_recv(), Err(mpsc::error::TryRecvError::Empty), "it is still there");
        plane.end_meeting("meeting");
        while chunks.recv().await.is_some() {}
    });
}
