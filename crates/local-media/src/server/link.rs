//! The media link of a participant, as a fault makes it: datagrams that are lost or late.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A link; by default a perfect one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Of a hundred datagrams in each direction, so many are lost; 100 cuts the link.
    pub loss_percent: u8,
    /// In each direction.
    pub delay: Duration,
}

impl Link {
    pub(super) fn loses(self) -> bool {
        self.loss_percent > 0 && fastrand::u8(0..100) < self.loss_percent
    }

    /// The quality that others see: 0 to 2.
    pub(super) fn signal(self) -> u8 {
        match self.loss_percent {
            0..=2 => 2,
            3..=20 => 1,
            21.. => 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the client at this address.
    In(SocketAddr),
    /// To the client at this address.
    Out(SocketAddr),
}

/// Datagrams that are on their way, in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    datagrams: BTreeMap<(Instant, u64), (Way, Vec<u8>)>,
    sent: u64,
}

/// Datagrams that a slow link holds at once; beyond these it loses the newest, as a router's queue does.
const MAX_IN_FLIGHT: usize = 10_000;

impl InFlight {
    pub(super) fn add(&mut self, due: Instant, way: Way, datagram: Vec<u8>) {
        if self.datagrams.len() < MAX_IN_FLIGHT {
            self.sent += 1;
            self.datagrams.insert((due, self.sent), (way, datagram));
        }
    }

    /// The next one that has arrived.
    pub(super) fn arrived(&mut self, now: Instant) -> Option<(Way, Vec<u8>)> {
        let first = self.datagrams.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.datagrams.first_key_value().map(|((due, _), _)| *due)
    }
}
