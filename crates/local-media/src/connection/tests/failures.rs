//! The ends of a connection, and datagrams of others.

use std::net::SocketAddr;
use std::time::Duration;

use str0m::Event;
use str0m::media::{Direction, MediaKind};

use super::super::{Connection, ConnectionError, ConnectionEvent, Poll};
use super::ALL;
use super::client::{Line, SERVER};

fn connected() -> Line {
    let mut line = Line::new(&ALL);
    line.negotiate(&[], |api| api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
    line.run(Duration::from_secs(2));
    assert!(line.client.rtc.is_connected());
    line
}

fn lost(line: &Line) -> usize {
    line.events(|event| matches!(event, ConnectionEvent::Lost))
}

#[test]
fn a_client_of_which_nothing_is_heard_any_more_is_lost_once() {
    let mut line = connected();
    line.run(Duration::from_secs(20));
    assert_eq!(lost(&line), 0, "an idle client is not lost");
    line.carries = Box::new(|_, _| false);
    line.run(Duration::from_secs(10));
    assert_eq!(lost(&line), 0, "a short cut of the line is bridged");
    line.run(Duration::from_secs(30));
    assert_eq!(lost(&line), 1);
}

#[test]
fn a_short_cut_of_the_line_is_bridged() {
    let mut line = connected();
    line.carries = Box::new(|_, _| false);
    line.run(Duration::from_secs(5));
    line.carries = Box::new(|_, _| true);
    line.run(Duration::from_secs(30));
    assert_eq!(lost(&line), 0);
}

#[test]
fn a_client_that_closes_is_lost_once() {
    let mut line = connected();
    line.client.rtc.close().expect("it is connected");
    line.run(Duration::from_secs(1));
    assert_eq!(lost(&line), 1);
    line.connection.close();
    line.run(Duration::from_secs(30));
    assert_eq!(lost(&line), 1);
}

#[test]
fn a_connection_that_we_close_says_so_to_the_client_and_is_not_reported_as_lost() {
    let mut line = connected();
    line.connection.close();
    line.run(Duration::from_secs(30));
    assert_eq!(lost(&line), 0);
    assert!(line.client.events.contains(&Event::Closed) || !line.client.rtc.is_alive());
    let offer = super::offers::RECEIVE_ONLY;
    let answered = line.connection.answer(offer, &[], line.now);
    assert!(answered.is_err(), "what is closed answers no more");
    assert!(matches!(line.connection.poll(), Poll::Wait(_)));
}

#[test]
fn a_connection_that_was_never_made_can_be_closed() {
    let mut line = Line::new(&ALL);
    line.connection.close();
    line.connection.tick(line.now + Duration::from_mins(1));
    assert!(matches!(line.connection.poll(), Poll::Wait(_)));
}

/// The datagrams of a client that has just joined: STUN.
fn datagrams(line: &mut Line) -> Vec<Vec<u8>> {
    let datagrams = line.client.drain();
    assert!(!datagrams.is_empty());
    datagrams
}

#[test]
fn each_datagram_belongs_to_exactly_one_of_several_connections() {
    let mut lines = vec![Line::new(&ALL), Line::new(&ALL), Line::new(&ALL)];
    for line in &mut lines {
        line.negotiate(&[], |api| api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
    }
    let sources: [SocketAddr; 3] =
        ["192.0.2.3:1", "192.0.2.4:2", "192.0.2.5:3"].map(|source| source.parse().expect("it is an address"));
    for (index, source) in sources.into_iter().enumerate() {
        for datagram in datagrams(&mut lines[index]) {
            let accepting: Vec<usize> = (0..lines.len())
                .filter(|other| lines[*other].connection.accepts(&datagram, source))
                .collect();
            assert_eq!(accepting, [index]);
            let now = lines[index].now;
            lines[index].connection.receive(&datagram, source, now);
        }
    }
    // DTLS and RTP carry no name; they are known by where they come from.
    let dtls = [22, 254, 253, 0, 0];
    for (index, source) in sources.into_iter().enumerate() {
        let accepting: Vec<usize> =
            (0..lines.len()).filter(|other| lines[*other].connection.accepts(&dtls, source)).collect();
        assert_eq!(accepting, [index]);
    }
}

#[test]
fn a_datagram_of_nobody_is_accepted_by_nobody() {
    let line = connected();
    let stranger = "192.0.2.99:9".parse().expect("it is an address");
    for datagram in [&[][..], &[0; 20], &[22, 254, 253], &[0x80, 111, 0, 1], b"GET / HTTP/1.1"] {
        assert!(!line.connection.accepts(datagram, stranger), "{datagram:?}");
    }
}

#[test]
fn a_client_with_another_certificate_than_it_announced_is_lost() {
    let mut line = Line::new(&ALL);
    let mut api = line.client.rtc.sdp_api();
    api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
    let (offer, pending) = api.apply().expect("a section was added");
    let offer = offer.to_sdp_string();
    let at = offer.find("sha-256 ").expect("there is a fingerprint") + "sha-256 ".len();
    let forged = format!("{}{}{}", &offer[..at], "00", &offer[at + 2..]);
    // One of 256 certificates has this byte by itself.
    let forged = if forged == offer { format!("{}11{}", &offer[..at], &offer[at + 2..]) } else { forged };
    let answer = line.connection.answer(&forged, &[], line.now).expect("the offer is accepted");
    let answer = str0m::change::SdpAnswer::from_sdp_string(&answer.sdp).expect("the answer is a description");
    line.client.rtc.sdp_api().accept_answer(pending, answer).expect("the client accepts the answer");
    line.run(Duration::from_secs(5));
    assert_eq!(line.events(|event| matches!(event, ConnectionEvent::Connected)), 0);
    assert_eq!(lost(&line), 1);
}

#[test]
fn an_offer_without_a_fingerprint_is_refused() {
    let mut connection =
        Connection::new(SERVER.parse().expect("it is an address"), &ALL, std::time::Instant::now())
            .expect("it is a loopback address");
    let offer: String = super::offers::RECEIVE_ONLY
        .lines()
        .filter(|line| !line.starts_with("a=fingerprint"))
        .flat_map(|line| [line, "\r\n"])
        .collect();
    let refused = connection.answer(&offer, &[0], std::time::Instant::now());
    assert!(matches!(refused, Err(ConnectionError::Rtc(_))), "{refused:?}");
}

#[test]
fn a_broken_invariant_costs_one_connection() {
    let mut line = connected();
    let broken: Result<(), _> =
        line.connection.engine.call(|_| std::panic::resume_unwind(Box::new("an invariant")));
    assert!(matches!(broken, Err(ConnectionError::Invariant)), "{broken:?}");
    line.run(Duration::from_secs(1));
    assert_eq!(lost(&line), 1);
    let offer = super::offers::RECEIVE_ONLY;
    assert!(matches!(line.connection.answer(offer, &[], line.now), Err(ConnectionError::Closed)));
}
