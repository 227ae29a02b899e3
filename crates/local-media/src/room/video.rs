//! Pictures: which streams there are, and who receives them.

use super::member::{Member, Phase, Stream};
use super::{
    Answer, ConnectionId, OWN_VIDEO_LABEL, Output, Room, StreamAllocation, SubscribeAck, TrackMapping,
    VIDEO_SUBSCRIPTION_LIMIT, close, status,
};
use crate::attendee::AttendeeEvent;
use crate::connection::VideoCodec;
use crate::frame::{Body, Index, SignalFrame, StreamDescriptor, Subscribe, VIDEO};

/// `SdkStreamServiceType.DUPLEX`: the client sends pictures as well.
const DUPLEX: i32 = 3;

/// An announced size and rate where the client's offer has none; the SDK divides by them.
const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;
const FRAMERATE: u32 = 15;
const MAX_BITRATE_KBPS: u32 = 1_000;

impl Room {
    pub(super) fn subscribe(&mut self, connection: ConnectionId, subscribe: &Subscribe) {
        let Some(member) = self.members.get(&connection) else { return };
        let allowed = |id: &u32| {
            self.sender_of(*id)
                .is_some_and(|(_, source)| source.is_present() && member.receives_video_of(source))
        };
        // A stream that has ended meanwhile, or that this member may not have, stays an empty section.
        let receive: Vec<u32> =
            subscribe.receive_stream_ids.iter().map(|id| if allowed(id) { *id } else { 0 }).collect();
        let sent = subscribe.send_streams.iter().find(|stream| stream.media_type == Some(VIDEO));
        let offered = sent.filter(|_| subscribe.duplex == Some(DUPLEX)).map(described);
        let Some(offer) = subscribe.sdp_offer.clone() else {
            return self.reject(connection);
        };
        let Some(member) = self.members.get_mut(&connection) else { return };
        member.offered = offered;
        member.receive(receive.iter().copied().filter(|id| *id != 0).collect());
        let muted = subscribe.audio_muted.unwrap_or(member.muted);
        self.mute(connection, muted);
        self.outputs.push_back(Output::Negotiate { connection, offer, receive });
    }

    /// Ends the participation of a client that breaks the protocol, then closes its socket: one that ignores the close frame is out too.
    fn reject(&mut self, connection: ConnectionId) {
        self.leave(connection, AttendeeEvent::Dropped);
        self.close(connection, close::BAD_REQUEST);
    }

    pub(super) fn negotiated(&mut self, connection: ConnectionId, answer: Option<Answer>) {
        let Some(member) = self.members.get_mut(&connection) else { return };
        if member.phase == Phase::Gone {
            return;
        }
        let Some(Answer { sdp, tracks, codecs, sends_video }) = answer else {
            return self.reject(connection);
        };
        member.codecs = Some(codecs);
        let (had, offered, may_send) =
            (member.stream, member.offered.filter(|_| sends_video), member.sends_video());
        let stream = match (had, offered.filter(|_| may_send)) {
            (Some(stream), Some(_)) => Some(stream),
            (None, Some(offered)) => Some(Stream { id: self.next_number(), ..offered }),
            (_, None) => None,
        };
        if offered.is_some() && !may_send {
            self.send_view_only(connection);
        }
        self.set_stream(connection, stream);
        let allocations = stream.map(|stream| StreamAllocation {
            track_label: Some(OWN_VIDEO_LABEL.to_owned()),
            stream_id: Some(stream.id),
            group_id: Some(stream.id),
        });
        let tracks = tracks.into_iter().map(|(stream_id, ssrc, label)| TrackMapping {
            stream_id: Some(stream_id),
            ssrc: Some(ssrc),
            track_label: Some(label),
        });
        self.send(
            connection,
            Body::SubscribeAck(SubscribeAck {
                allocations: allocations.into_iter().collect(),
                sdp_answer: Some(sdp),
                tracks: tracks.collect(),
            }),
        );
        if had != stream {
            self.send_index_to_all();
        }
        self.request_keyframes(connection, |_| true);
    }

    /// Sets or ends a member's stream and reports what changed, if they are present.
    pub(super) fn set_stream(&mut self, connection: ConnectionId, stream: Option<Stream>) {
        let Some(member) = self.members.get_mut(&connection) else { return };
        let had = std::mem::replace(&mut member.stream, stream);
        let event = match (had, stream) {
            (None, Some(_)) => AttendeeEvent::VideoStarted,
            (Some(_), None) => AttendeeEvent::VideoStopped,
            (None, None) | (Some(_), Some(_)) => return,
        };
        let (present, id, event) = (member.is_present(), member.id(), member.event(event));
        if present {
            self.happened(id, event);
        }
    }

    /// Reports the stream that a member brought along when their media connected.
    pub(super) fn announce_video(&mut self, connection: ConnectionId) {
        let Some(member) = self.members.get(&connection) else { return };
        if member.stream.is_some() {
            let (id, event) = (member.id(), member.event(AttendeeEvent::VideoStarted));
            self.happened(id, event);
        }
    }

    /// Says that the member's camera is not received; their call goes on.
    pub(super) fn send_view_only(&mut self, connection: ConnectionId) {
        let frame = SignalFrame::error(status::VIEW_ONLY, "The attendee may not send video.");
        self.outputs.push_back(Output::Send { connection, frame });
    }

    pub(super) fn resume(&mut self, connection: ConnectionId, streams: &[u32]) {
        let Some(member) = self.members.get_mut(&connection) else { return };
        for stream in streams {
            member.paused.remove(stream);
        }
        self.request_keyframes(connection, |id| streams.contains(&id));
    }

    fn request_keyframes(&mut self, receiver: ConnectionId, which: impl Fn(u32) -> bool) {
        let Some(member) = self.members.get(&receiver) else { return };
        let wanted = member.receives.iter().filter(|id| which(**id));
        let sources: Vec<ConnectionId> = wanted.filter_map(|id| Some(self.sender_of(*id)?.0)).collect();
        for connection in sources {
            self.outputs.push_back(Output::Keyframe { connection });
        }
    }

    /// The codecs that everyone who is present can decode.
    fn common_codecs(&self) -> Vec<i32> {
        let decoders = || {
            self.present()
                .filter(|(_, member)| !member.content)
                .filter_map(|(_, member)| member.codecs.as_ref())
        };
        let Some(first) = decoders().next() else { return Vec::new() };
        let common = first.iter().filter(|codec| decoders().all(|codecs| codecs.contains(codec)));
        common.map(|codec| capability(*codec)).collect()
    }

    fn sender_of(&self, stream: u32) -> Option<(ConnectionId, &Member)> {
        let sends = |member: &Member| member.stream.is_some_and(|sent| sent.id == stream);
        self.members.iter().find(|(_, member)| sends(member)).map(|(id, member)| (*id, member))
    }

    /// The connection whose camera or screen this stream is.
    pub(crate) fn source_of(&self, stream: u32) -> Option<ConnectionId> {
        self.sender_of(stream).map(|(connection, _)| connection)
    }

    /// The number of the stream that a member sends to others, if they are present and may.
    pub(crate) fn stream_of(&self, connection: ConnectionId) -> Option<u32> {
        let member = self.members.get(&connection)?;
        member.stream.filter(|_| member.is_present() && member.sends_video()).map(|stream| stream.id)
    }

    /// The connections that get the pictures of this one.
    #[cfg(test)]
    pub(crate) fn viewers_of(&self, connection: ConnectionId) -> Vec<ConnectionId> {
        self.receivers_of(connection).into_iter().filter_map(|(id, views)| views.then_some(id)).collect()
    }

    /// The connections that are subscribed to the pictures of this one, with whether each gets them now: it does not while it has paused
    /// them or may not receive them.
    pub(crate) fn receivers_of(&self, connection: ConnectionId) -> Vec<(ConnectionId, bool)> {
        let (Some(stream), Some(source)) = (self.stream_of(connection), self.members.get(&connection)) else {
            return Vec::new();
        };
        let views = |member: &Member| !member.paused.contains(&stream) && member.receives_video_of(source);
        let receivers = self.present().filter(|(_, member)| member.receives.contains(&stream));
        receivers.map(|(id, member)| (id, views(member))).collect()
    }

    pub(super) fn send_index_to_all(&mut self) {
        let joined: Vec<ConnectionId> = self
            .members
            .iter()
            .filter(|(_, member)| matches!(member.phase, Phase::Joined | Phase::Present(_)))
            .map(|(id, _)| *id)
            .collect();
        for connection in joined {
            self.send_index(connection);
        }
    }

    /// Sends the whole list of streams that this member may receive.
    pub(super) fn send_index(&mut self, connection: ConnectionId) {
        let Some(receiver) = self.members.get(&connection) else { return };
        let sources: Vec<StreamDescriptor> = self
            .present()
            .filter(|(_, source)| source.sends_video() && receiver.receives_video_of(source))
            .filter_map(|(_, source)| Some(descriptor(source, source.stream?)))
            .collect();
        let people = self.present().filter(|(_, member)| !member.content).count();
        let cameras = self.present().filter(|(_, member)| member.stream.is_some() && !member.content).count();
        let index = Index {
            at_capacity: Some(
                u32::try_from(cameras).is_ok_and(|cameras| cameras >= VIDEO_SUBSCRIPTION_LIMIT),
            ),
            sources,
            num_participants: u32::try_from(people).ok(),
            supported_receive_codec_intersection: self.common_codecs(),
        };
        self.send(connection, Body::Index(index));
    }
}

/// The stream that a client offers; it gets its number when the offer is answered.
fn described(stream: &StreamDescriptor) -> Stream {
    let positive = |value: Option<u32>, default: u32| value.filter(|value| *value > 0).unwrap_or(default);
    Stream {
        id: 0,
        width: positive(stream.width, WIDTH),
        height: positive(stream.height, HEIGHT),
        framerate: positive(stream.framerate, FRAMERATE),
        max_bitrate_kbps: positive(stream.max_bitrate_kbps, MAX_BITRATE_KBPS),
    }
}

/// `SdkVideoCodecCapability`.
fn capability(codec: VideoCodec) -> i32 {
    match codec {
        VideoCodec::Vp8 => 1,
        VideoCodec::H264 => 3,
        VideoCodec::Vp9 => 8,
        VideoCodec::Av1 => 11,
    }
}

fn descriptor(member: &Member, stream: Stream) -> StreamDescriptor {
    StreamDescriptor {
        stream_id: Some(stream.id),
        framerate: Some(stream.framerate),
        max_bitrate_kbps: Some(stream.max_bitrate_kbps),
        track_label: None,
        // One group for each start of a camera: the SDK takes the highest of an attendee.
        group_id: Some(stream.id),
        avg_bitrate_bps: Some(stream.max_bitrate_kbps.saturating_mul(500)),
        attendee_id: Some(member.id()),
        media_type: Some(VIDEO),
        external_user_id: Some(member.attendee.external_user_id.clone()),
        width: Some(stream.width),
        height: Some(stream.height),
    }
}
