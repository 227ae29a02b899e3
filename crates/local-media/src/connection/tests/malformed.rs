//! What is malformed gives an error and costs nothing else.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use str0m::media::{Direction, MediaKind};

use crate::sdp::OfferError;

use super::super::{Connection, ConnectionError, ConnectionEvent, Poll};
use super::ALL;
use super::client::{Line, SERVER};
use super::offers::{CALL, ONE_VIDEO, RECEIVE_ONLY};

fn answer(offer: &str, ids: &[u32]) -> Result<(), ConnectionError> {
    let server = SERVER.parse().expect("it is an address");
    let mut connection = Connection::new(server, &ALL, Instant::now()).expect("it is a loopback address");
    connection.answer(offer, ids, Instant::now()).map(|_| ())
}

fn refused(offer: &str, ids: &[u32]) -> Option<OfferError> {
    match answer(offer, ids) {
        Err(ConnectionError::Offer(error)) => Some(error),
        _ => None,
    }
}

#[test]
fn what_is_no_offer_is_refused() {
    for offer in ["", "v=0", "hello", "m=audio", "\0\0\0", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0"] {
        assert!(answer(offer, &[]).is_err(), "{offer:?}");
    }
    let no_sections = &RECEIVE_ONLY[..RECEIVE_ONLY.find("m=audio").expect("there is a section")];
    assert!(matches!(answer(no_sections, &[]), Err(ConnectionError::Rtc(_))));
}

#[test]
fn an_offer_is_refused_by_the_name_of_what_is_wrong() {
    assert_eq!(refused(&ONE_VIDEO.replace("a=mid:1\n", ""), &[]), Some(OfferError::Mid(1)));
    assert_eq!(refused(&ONE_VIDEO.replace("a=mid:1\n", "a=mid:\n"), &[]), Some(OfferError::Mid(1)));
    let long = format!("a=mid:{}\n", "1".repeat(17));
    assert_eq!(refused(&ONE_VIDEO.replace("a=mid:1\n", &long), &[]), Some(OfferError::Mid(1)));
    assert_eq!(refused(&ONE_VIDEO.replace("a=mid:2\n", "a=mid:2\na=mid:9\n"), &[]), Some(OfferError::Mid(2)));
    assert_eq!(
        refused(&ONE_VIDEO.replace("a=mid:2\n", "a=mid:1\n"), &[]),
        Some(OfferError::SameMid("1".to_owned()))
    );
    assert_eq!(
        refused(ONE_VIDEO, &[0, 100, 110]),
        Some(OfferError::ReceiveStreamIds { ids: 3, sections: 2 })
    );
    let large = format!("{ONE_VIDEO}{}", "a=x\n".repeat(150_000));
    assert_eq!(refused(&large, &[]), Some(OfferError::TooLong(large.len())));
    let many = "m=video 9 UDP/TLS/RTP/SAVPF 96\na=mid:x\n".repeat(129);
    let many: String = many
        .split("a=mid:x")
        .enumerate()
        .flat_map(|(index, part)| [part.to_owned(), format!("a=mid:{index}")])
        .collect();
    assert_eq!(refused(&many, &[]), Some(OfferError::TooManySections));
}

/// An offer that another client has made on the same connection: nothing of it fits.
#[test]
fn sections_that_change_their_order_are_refused() {
    let mut connection = Connection::new(SERVER.parse().expect("it is an address"), &ALL, Instant::now())
        .expect("it is a loopback address");
    assert!(connection.answer(ONE_VIDEO, &[0, 100], Instant::now()).is_ok());
    let swapped = ONE_VIDEO
        .replace("a=mid:2\n", "a=mid:x\n")
        .replace("a=mid:1\n", "a=mid:2\n")
        .replace("a=mid:x\n", "a=mid:1\n")
        .replace("BUNDLE 0 1 2", "BUNDLE 0 2 1");
    assert!(connection.answer(&swapped, &[0, 100], Instant::now()).is_err());
}

#[derive(Clone, Debug)]
enum Damage {
    Remove(prop::sample::Index),
    Double(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Cut(prop::sample::Index),
    Byte(prop::sample::Index, char),
    Number(prop::sample::Index, u32),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        index().prop_map(Damage::Remove),
        index().prop_map(Damage::Double),
        (index(), index()).prop_map(|(one, other)| Damage::Swap(one, other)),
        index().prop_map(Damage::Cut),
        (index(), any::<char>()).prop_map(|(at, character)| Damage::Byte(at, character)),
        (index(), any::<u32>()).prop_map(|(at, number)| Damage::Number(at, number)),
    ]
}

fn damaged(offer: &str, damages: &[Damage]) -> String {
    let mut lines: Vec<String> = offer.lines().map(str::to_owned).collect();
    for damage in damages {
        if lines.is_empty() {
            break;
        }
        let count = lines.len();
        match damage {
            Damage::Remove(at) => {
                lines.remove(at.index(count));
            }
            Damage::Double(at) => lines.insert(at.index(count), lines[at.index(count)].clone()),
            Damage::Swap(one, other) => lines.swap(one.index(count), other.index(count)),
            Damage::Cut(at) => lines.truncate(at.index(count)),
            Damage::Byte(at, character) => {
                let line = &mut lines[at.index(count)];
                let place = at.index(line.len() + 1);
                if line.is_char_boundary(place) {
                    line.insert(place, *character);
                }
            }
            Damage::Number(at, number) => {
                let line = &mut lines[at.index(count)];
                let digits = |character: char| character.is_ascii_digit();
                if let Some(from) = line.find(digits) {
                    let to = line[from..]
                        .find(|character| !digits(character))
                        .map_or(line.len(), |length| from + length);
                    line.replace_range(from..to, &number.to_string());
                }
            }
        }
    }
    lines.join("\r\n") + "\r\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A panic would end the test. What `str0m` panics on is caught: see `Engine::call`.
    #[test]
    fn a_damaged_offer_is_answered_or_refused(
        (offer, damages) in (0..CALL.len(), prop::collection::vec(damage(), 1..6)),
        ids in prop::collection::vec(0..4_u32, 0..5),
    ) {
        let server = SERVER.parse().expect("it is an address");
        let now = Instant::now();
        let mut connection = Connection::new(server, &ALL, now).expect("it is a loopback address");
        if let Ok(answer) = connection.answer(&damaged(CALL[offer].0, &damages), &ids, now) {
            prop_assert!(answer.sdp.starts_with("v=0\r\n"));
        }
        connection.tick(now + Duration::from_secs(1));
        while !matches!(connection.poll(), Poll::Wait(_)) {}
    }

    #[test]
    fn text_is_refused(offer in ".{0,200}") {
        prop_assert!(answer(&offer, &[]).is_err());
    }
}

fn datagram() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..1500),
        // A DTLS record, an RTP packet and an RTCP packet with anything in them.
        prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| [&[22, 254, 253], &bytes[..]].concat()),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| [&[0x80, 111], &bytes[..]].concat()),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| [&[0x81, 200], &bytes[..]].concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Datagrams of anything, also from the client's own address, before and after it is connected.
    #[test]
    fn a_connection_survives_malformed_datagrams(
        early in prop::collection::vec(datagram(), 0..20),
        late in prop::collection::vec(datagram(), 0..20),
    ) {
        let client = "192.0.2.2:5000".parse().expect("it is an address");
        let mut line = Line::new(&ALL);
        line.negotiate(&[], |api| api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
        for datagram in &early {
            line.connection.receive(datagram, client, line.now);
        }
        line.run(Duration::from_secs(3));
        prop_assert!(line.client.rtc.is_connected());
        for datagram in &late {
            line.connection.receive(datagram, client, line.now);
        }
        line.run(Duration::from_secs(1));
        prop_assert_eq!(line.events(|event| matches!(event, ConnectionEvent::Connected)), 1);
        prop_assert_eq!(line.events(|event| matches!(event, ConnectionEvent::Lost)), 0);
    }
}
