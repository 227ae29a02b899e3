//! Parts of the Chime SDK's session descriptions that `str0m` leaves to us: the sections of an offer in their order, and the stream names that
//! the SDK looks for in an answer.

use std::fmt::Write as _;

use thiserror::Error;

/// Chromium's offer has about 7 KB for each video section; a meeting has at most 25 of them.
const MAX_OFFER_BYTES: usize = 512 * 1024;
const MAX_SECTIONS: usize = 128;
/// `str0m` keeps this much of a mid; Chromium's are numbers.
const MAX_MID_BYTES: usize = 16;

#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum OfferError {
    #[error("the offer has {0} bytes, more than {MAX_OFFER_BYTES}")]
    TooLong(usize),
    #[error("the offer has more than {MAX_SECTIONS} media sections")]
    TooManySections,
    #[error("media section {0} of the offer has no a=mid of 1 to {MAX_MID_BYTES} bytes, or more than one")]
    Mid(usize),
    #[error("two media sections of the offer have the mid {0}")]
    SameMid(String),
    #[error("receiveStreamIds names {ids} streams, but the offer has {sections} video sections")]
    ReceiveStreamIds { ids: usize, sections: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Audio,
    Video,
    Other,
}

/// The direction of a section, seen from the end that has written the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub(crate) fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub(crate) fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    fn of_attribute(name: &str) -> Option<Self> {
        match name {
            "sendrecv" => Some(Self::SendRecv),
            "sendonly" => Some(Self::SendOnly),
            "recvonly" => Some(Self::RecvOnly),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }
}

/// A media section ("m-line") of a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) kind: Kind,
    pub(crate) mid: String,
    pub(crate) direction: Direction,
    /// The section has port 0 and is no part of the bundle: its transceiver is stopped, and a later offer may reuse the place.
    pub(crate) stopped: bool,
}

/// The media sections of an offer, in its order.
pub(crate) fn sections(offer: &str) -> Result<Vec<Section>, OfferError> {
    if offer.len() > MAX_OFFER_BYTES {
        return Err(OfferError::TooLong(offer.len()));
    }
    let bundle: Vec<&str> = offer
        .lines()
        .find_map(|line| line.strip_prefix("a=group:BUNDLE"))
        .map(|mids| mids.split_whitespace().collect())
        .unwrap_or_default();
    let mut sections: Vec<Section> = Vec::new();
    for (index, lines) in section_lines(offer).into_iter().enumerate() {
        if index == MAX_SECTIONS {
            return Err(OfferError::TooManySections);
        }
        let section = section(&lines, &bundle).ok_or(OfferError::Mid(index))?;
        if sections.iter().any(|other| other.mid == section.mid) {
            return Err(OfferError::SameMid(section.mid));
        }
        sections.push(section);
    }
    Ok(sections)
}

fn section_lines(description: &str) -> Vec<Vec<&str>> {
    let mut sections: Vec<Vec<&str>> = Vec::new();
    for line in description.lines() {
        if line.starts_with("m=") {
            sections.push(vec![line]);
        } else if let Some(section) = sections.last_mut() {
            section.push(line);
        }
    }
    sections
}

fn section(lines: &[&str], bundle: &[&str]) -> Option<Section> {
    let mut words = lines.first()?.strip_prefix("m=")?.split(' ');
    let kind = match words.next()? {
        "audio" => Kind::Audio,
        "video" => Kind::Video,
        _ => Kind::Other,
    };
    let port = words.next();
    let attributes = || lines.iter().filter_map(|line| line.strip_prefix("a="));
    let mut mids = attributes().filter_map(|attribute| attribute.strip_prefix("mid:"));
    let mid = mids.next()?;
    if mids.next().is_some() || mid.is_empty() || mid.len() > MAX_MID_BYTES {
        return None;
    }
    Some(Section {
        kind,
        mid: mid.to_owned(),
        // https://www.rfc-editor.org/rfc/rfc8866#section-6.7: sendrecv is the default.
        direction: attributes().find_map(Direction::of_attribute).unwrap_or(Direction::SendRecv),
        // Port 0 within the bundle means "bundle only", https://www.rfc-editor.org/rfc/rfc8843#section-6.
        stopped: port == Some("0") && !bundle.contains(&mid),
    })
}

/// The stream of each video section: `receive_stream_ids` has one for each, also for the own camera and for stopped sections, which have 0.
pub(crate) fn received_streams<'s>(
    sections: &'s [Section],
    receive_stream_ids: &[u32],
) -> Result<Vec<(&'s Section, u32)>, OfferError> {
    let videos: Vec<&Section> = sections.iter().filter(|section| section.kind == Kind::Video).collect();
    if receive_stream_ids.len() > videos.len() {
        return Err(OfferError::ReceiveStreamIds { ids: receive_stream_ids.len(), sections: videos.len() });
    }
    Ok(videos
        .into_iter()
        .zip(receive_stream_ids.iter().copied())
        .filter(|(section, stream_id)| *stream_id != 0 && !section.stopped && section.direction.receives())
        .collect())
}

/// The id of the media stream in a section. The SDK's `DefaultTransceiverController` looks for exactly this name; with another one it stops
/// and adds each remote video again at each renegotiation.
pub(crate) fn stream_label(mid: &str) -> String {
    format!("v_{mid}")
}

/// An offer without simulcast, so that a client sends its camera once: lines `a=simulcast` and `a=rid`.
pub(crate) fn without_simulcast(offer: &str) -> String {
    let mut kept = String::with_capacity(offer.len());
    for line in offer.lines() {
        if !line.starts_with("a=simulcast:") && !line.starts_with("a=rid:") {
            kept.push_str(line);
            kept.push_str("\r\n");
        }
    }
    kept
}

/// An answer in which the stream of each section has the name that the SDK looks for; `str0m` makes random ones.
pub(crate) fn with_stream_labels(answer: &str) -> String {
    let mut named = String::with_capacity(answer.len());
    let (session, media) = answer.find("\r\nm=").map_or((answer, ""), |at| answer.split_at(at + 2));
    for line in session.lines() {
        push_line(
            &mut named,
            if line.starts_with("a=msid-semantic:") { "a=msid-semantic:WMS *" } else { line },
        );
    }
    for lines in section_lines(media) {
        let mid = lines.iter().find_map(|line| line.strip_prefix("a=mid:")).unwrap_or_default();
        let label = stream_label(mid);
        for line in lines {
            let ssrc = line.strip_prefix("a=ssrc:").and_then(|rest| rest.split_once(" msid:"));
            if line.starts_with("a=msid:") {
                push_line(&mut named, &format!("a=msid:{label} {label}_track"));
            } else if let Some((ssrc, _)) = ssrc {
                push_line(&mut named, &format!("a=ssrc:{ssrc} msid:{label} {label}_track"));
            } else if line.starts_with("m=") && line.split_whitespace().count() == 3 {
                // A section of which no codec is accepted. The grammar requires a format all the same.
                push_line(&mut named, &format!("{} 0", line.trim_end()));
            } else {
                push_line(&mut named, line);
            }
        }
    }
    named
}

fn push_line(text: &mut String, line: &str) {
    write!(text, "{line}\r\n").expect("a String can always be written to");
}
