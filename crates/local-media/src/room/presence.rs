//! Presence: who is in the meeting, muted or not, and how loud.

use std::collections::BTreeSet;

use super::member::{Member, Phase};
use super::{ConnectionId, Level, Output, Room};
use crate::attendee::{AttendeeEvent, Recorder};
use crate::frame::{AttendeeState, AudioMetadata, AudioStream, AudioStreamIdInfo, Body};

impl Room {
    pub(super) fn media_connected(&mut self, connection: ConnectionId, now_ns: i64) {
        let number = self.last_number + 1;
        let Some(member) = self.members.get_mut(&connection) else { return };
        if member.phase != Phase::Joined {
            return;
        }
        member.phase = Phase::Present(number);
        let (id, joined) = (member.id(), member.event(AttendeeEvent::Joined));
        let own = announced(number, member);
        self.last_number = number;
        // The first frame of this kind names everyone: the SDK takes those that it misses for gone.
        let recorder = self.recorder.as_ref().map(|(number, recorder)| announced_recorder(*number, recorder));
        let members = self.present().filter_map(|(_, other)| Some(announced(other.number()?, other)));
        let everyone: Vec<AudioStream> = members.chain(recorder).collect();
        let others: Vec<ConnectionId> =
            self.present().map(|(other, _)| other).filter(|other| *other != connection).collect();
        self.send(connection, presence(everyone));
        for other in others {
            self.send(other, presence(vec![own.clone()]));
        }
        self.happened(id, joined);
        self.announce_video(connection);
        self.send_index_to_all();
        self.send_kept(connection, now_ns);
    }

    /// Ends a member's part in the meeting and reports it, unless it has ended before.
    pub(super) fn leave(&mut self, connection: ConnectionId, event: AttendeeEvent) {
        let Some(member) = self.members.get(&connection) else { return };
        let (was_present, video, id) = (member.is_present(), member.stream.is_some(), member.id());
        let (event, stopped) = (member.event(event), member.event(AttendeeEvent::VideoStopped));
        let dropped = matches!(event, AttendeeEvent::Dropped | AttendeeEvent::ContentDropped);
        if was_present && video {
            self.happened(id.clone(), stopped);
        }
        if was_present {
            self.happened(id, event);
        }
        self.depart(connection, dropped);
        if was_present {
            self.send_index_to_all();
        }
    }

    /// Ends a member's part in the meeting without a report.
    pub(super) fn depart(&mut self, connection: ConnectionId, dropped: bool) {
        let Some(member) = self.members.get_mut(&connection) else { return };
        if member.phase == Phase::Gone {
            return;
        }
        let number = member.number();
        member.phase = Phase::Gone;
        member.stream = None;
        member.offered = None;
        member.receive(BTreeSet::new());
        self.outputs.push_back(Output::Disconnect { connection });
        if let Some(number) = number {
            let gone = AudioStream {
                audio_stream_id: Some(number),
                dropped: dropped.then_some(true),
                ..AudioStream::default()
            };
            self.send_to_present(&presence(vec![gone]));
        }
    }

    /// A media pipeline is seen as an attendee without sound and picture. The meetings API itself publishes its coming.
    pub(super) fn recorder_joined(&mut self, recorder: Recorder) {
        self.recorder_left();
        if self.ended {
            return;
        }
        let number = self.next_number();
        self.send_to_present(&presence(vec![announced_recorder(number, &recorder)]));
        self.recorder = Some((number, recorder));
    }

    pub(super) fn recorder_left(&mut self) {
        if let Some((number, _)) = self.recorder.take() {
            let gone = AudioStream { audio_stream_id: Some(number), ..AudioStream::default() };
            self.send_to_present(&presence(vec![gone]));
        }
    }

    pub(super) fn mute(&mut self, connection: ConnectionId, muted: bool) {
        let Some(member) = self.members.get_mut(&connection) else { return };
        if member.muted == muted {
            return;
        }
        member.muted = muted;
        let number = member.number();
        if muted {
            self.outputs.push_back(Output::Silence { connection });
        }
        if let Some(number) = number {
            let change =
                AudioStream { audio_stream_id: Some(number), muted: Some(muted), ..AudioStream::default() };
            self.send_to_present(&presence(vec![change]));
        }
    }

    pub(super) fn levels(&mut self, levels: &[Level]) {
        let states: Vec<AttendeeState> = levels
            .iter()
            .filter_map(|level| {
                let member = self.members.get(&level.connection)?;
                Some(AttendeeState {
                    audio_stream_id: Some(member.number()?),
                    volume: Some(if member.sends_sound() { level.volume.into() } else { SILENCE }),
                    muted: None,
                    signal_strength: Some(level.signal.into()),
                })
            })
            .collect();
        if !states.is_empty() {
            self.send_to_present(&Body::AudioMetadata(AudioMetadata { attendee_states: states }));
        }
    }
}

/// In -dBov: RFC 6464's value for no sound.
const SILENCE: u32 = 127;

fn announced(number: u32, member: &Member) -> AudioStream {
    AudioStream {
        audio_stream_id: Some(number),
        attendee_id: Some(member.id()),
        muted: Some(member.muted),
        external_user_id: Some(member.attendee.external_user_id.clone()),
        dropped: None,
    }
}

fn announced_recorder(number: u32, recorder: &Recorder) -> AudioStream {
    AudioStream {
        audio_stream_id: Some(number),
        attendee_id: Some(recorder.attendee_id.clone()),
        muted: Some(true),
        external_user_id: Some(recorder.external_user_id.clone()),
        dropped: None,
    }
}

fn presence(streams: Vec<AudioStream>) -> Body {
    Body::AudioStreamIdInfo(AudioStreamIdInfo { streams })
}
