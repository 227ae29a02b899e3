//! Capabilities that change during the meeting.

use super::member::{Member, Phase};
use super::{ConnectionId, Output, Room, status};
use crate::attendee::{AttendeeEvent, Capabilities};

impl Room {
    /// Applies at once: media that is no longer allowed is not forwarded, whatever the client does.
    pub(super) fn change_capabilities(&mut self, attendee_id: &str, capabilities: Capabilities) {
        let own = |member: &Member| member.attendee.attendee_id == attendee_id && member.phase != Phase::Gone;
        let connections: Vec<ConnectionId> =
            self.members.iter().filter(|(_, member)| own(member)).map(|(id, _)| *id).collect();
        for connection in connections {
            let Some(member) = self.members.get_mut(&connection) else { continue };
            member.attendee.capabilities = capabilities;
            let (sounds, pictures, content) = (member.sends_sound(), member.sends_video(), member.content);
            if !sounds {
                self.outputs.push_back(Output::Silence { connection });
            }
            if content && !capabilities.content.sends() {
                // The SDK ends a share whose connection is removed.
                self.status(connection, status::REMOVED);
                self.leave(connection, AttendeeEvent::Dropped);
            } else if !pictures && self.members.get(&connection).is_some_and(|member| member.stream.is_some())
            {
                self.set_stream(connection, None);
                self.send_view_only(connection);
            }
        }
        self.send_index_to_all();
    }
}
