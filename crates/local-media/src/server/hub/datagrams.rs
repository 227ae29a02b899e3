//! The hub's UDP socket: whose datagram it is, and what the participant's link does to it.

use std::net::SocketAddr;
use std::time::Instant;

use super::Hub;
use crate::room::ConnectionId;
use crate::server::link::Way;

impl Hub {
    /// A datagram has come: it may be lost or late on the participant's link.
    pub(super) fn arrived(&mut self, source: SocketAddr, datagram: &[u8]) {
        let Some((meeting_id, connection)) = self.owner(source, datagram) else { return };
        let link = self.link(&meeting_id, connection);
        if link.loses() {
            return;
        }
        let now = Instant::now();
        if link.delay.is_zero() {
            self.receive(&meeting_id, connection, source, datagram, now);
        } else {
            self.in_flight.add(now + link.delay, Way::In(source), datagram.to_vec());
        }
    }

    pub(super) fn receive(
        &mut self,
        meeting_id: &str,
        connection: ConnectionId,
        source: SocketAddr,
        datagram: &[u8],
        now: Instant,
    ) {
        if let Some(meeting) = self.rooms.get_mut(meeting_id) {
            meeting.receive(connection, source, datagram, now);
        }
    }

    pub(super) fn owner(&mut self, source: SocketAddr, datagram: &[u8]) -> Option<(String, ConnectionId)> {
        if let Some((meeting_id, connection)) = self.owners.get(&source) {
            let meeting = self.rooms.get(meeting_id);
            if meeting.is_some_and(|meeting| meeting.is_owner(*connection, source, datagram)) {
                return Some((meeting_id.clone(), *connection));
            }
        }
        let found = self.rooms.iter().find_map(|(id, meeting)| Some((id, meeting.owner(source, datagram)?)));
        let found = found.map(|(id, connection)| (id.clone(), connection))?;
        self.owners.insert(source, found.clone());
        Some(found)
    }

    /// A full socket buffer loses the datagram, as a network does.
    pub(super) fn transmit(&self, to: SocketAddr, datagram: &[u8]) {
        if let Err(error) = self.udp.try_send_to(datagram, to) {
            tracing::debug!(%error, "a datagram was not sent");
        }
    }
}
