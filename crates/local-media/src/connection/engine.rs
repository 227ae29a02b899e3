//! `str0m`, and what it demands of its caller: its output is read completely after each change, and a panic of it costs one connection.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::net::{Protocol, Receive};
use str0m::{Input, Output, Rtc, RtcError};
use tracing::debug;

use super::ConnectionError;

/// One change can release a packet for each frame that waits.
const MAX_ADVANCES: usize = 1000;
const MAX_CONSECUTIVE_ERRORS: usize = 100;

pub(super) struct Engine {
    /// None once it has failed on an invariant of its own.
    rtc: Option<Rtc>,
    /// The server's address, to which every datagram is sent.
    udp: SocketAddr,
    now: Instant,
    wait: Instant,
    advances: usize,
}

impl Engine {
    pub(super) fn new(rtc: Rtc, udp: SocketAddr, now: Instant) -> Self {
        Self { rtc: Some(rtc), udp, now, wait: now, advances: 0 }
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Until when there is nothing to do, if no datagram arrives.
    pub(super) fn wait(&self) -> Instant {
        self.wait
    }

    pub(super) fn set_now(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    pub(super) fn rtc(&self) -> Option<&Rtc> {
        self.rtc.as_ref()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.rtc.as_ref().is_some_and(Rtc::is_alive)
    }

    /// Calls `str0m`. It panics if an invariant of its own is broken, for example by some malformed descriptions; its documentation advises
    /// a server to catch that and to discard the instance: <https://docs.rs/str0m/0.24.1/str0m/#catching-panics>
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Rtc) -> Result<T, RtcError>,
    ) -> Result<T, ConnectionError> {
        let Some(rtc) = self.rtc.as_mut() else {
            return Err(ConnectionError::Closed);
        };
        let Ok(result) = catch_unwind(AssertUnwindSafe(|| call(rtc))) else {
            self.rtc = None;
            return Err(ConnectionError::Invariant);
        };
        result.map_err(ConnectionError::Rtc)
    }

    pub(super) fn accepts(&self, datagram: &[u8], source: SocketAddr) -> bool {
        match (&self.rtc, self.received(datagram, source)) {
            (Some(rtc), Some(received)) => {
                let input = Input::Receive(self.now, received);
                catch_unwind(AssertUnwindSafe(|| rtc.accepts(&input))).unwrap_or(false)
            }
            _ => false,
        }
    }

    /// Takes a datagram; one that is malformed is dropped.
    pub(super) fn receive(&mut self, datagram: &[u8], source: SocketAddr) {
        let now = self.now;
        let Some(received) = self.received(datagram, source) else {
            debug!("a datagram is neither STUN nor DTLS nor RTP");
            return;
        };
        if let Err(error) = self.call(|rtc| rtc.handle_input(Input::Receive(now, received))) {
            debug!(%error, "a datagram is dropped");
        }
    }

    /// Lets time pass, which also turns frames into packets.
    pub(super) fn advance(&mut self) {
        let now = self.now;
        if let Err(error) = self.call(|rtc| rtc.handle_input(Input::Timeout(now))) {
            debug!(%error, "a packet is dropped");
        }
    }

    /// The next output but timeouts, which are awaited here. The caller reads until there is none.
    pub(super) fn next_output(&mut self) -> Option<Output> {
        let mut errors = 0;
        loop {
            match self.call(Rtc::poll_output) {
                Ok(Output::Timeout(at)) => {
                    if at > self.now || self.advances == MAX_ADVANCES {
                        self.wait = at.max(self.now);
                        self.advances = 0;
                        return None;
                    }
                    self.advances += 1;
                    self.advance();
                }
                Ok(output) => return Some(output),
                // A packet that cannot be read, for example. What follows it can.
                Err(ConnectionError::Rtc(error)) if errors < MAX_CONSECUTIVE_ERRORS => {
                    debug!(%error, "the connection reports an error");
                    errors += 1;
                }
                Err(_) => {
                    self.rtc = None;
                    return None;
                }
            }
        }
    }

    fn received<'d>(&self, datagram: &'d [u8], source: SocketAddr) -> Option<Receive<'d>> {
        Receive::new(Protocol::Udp, source, self.udp, datagram).ok()
    }
}
