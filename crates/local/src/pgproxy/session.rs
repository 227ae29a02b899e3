//! One connection of a function to `PostgreSQL`: bytes go to and fro, turns are recorded, faults happen.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::requests::{Reader, Requests};
use super::wire::{Fatal, header};
use super::{Backend, SERVICE};
use crate::calls::CallRequest;
use crate::faults::{FaultEffect, FaultKind};
use crate::identity::Caller;

/// The limit of unsent bytes: a peer above it is not read from until they are sent.
const FULL: usize = 256 * 1024;

/// Room for each read.
const ROOM: usize = 16 * 1024;

/// How long a client may take to read the last words, or a server to take the good-bye.
const FAREWELL: Duration = Duration::from_secs(1);

/// The client's messages after an answer, until they are answered.
#[derive(Debug)]
struct Turn {
    /// Its number in the log of calls. None for the opening, which is not logged.
    n: Option<u64>,
    /// The server said that something went wrong.
    failed: bool,
    /// The answer does not get to the client, and this happens instead.
    instead: Option<Instead>,
}

#[derive(Clone, Copy, Debug)]
enum Instead {
    HangUp,
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The conversation goes on.
    GoOn,
    /// The client gets what was written for it, then the connection ends.
    SayGoodBye,
    /// The connection ends at once.
    HangUp,
}

/// The state of a conversation.
pub(super) struct Session {
    backend: Backend,
    caller: Option<Caller>,
    function: String,
    from_client: Reader,
    from_server: BytesMut,
    to_client: BytesMut,
    to_server: BytesMut,
    /// An error, until the server has ended the request with it. A client takes the error for the answer and goes on,
    /// so that its next turn would seem to belong to this one.
    held: BytesMut,
    holding: bool,
    /// The number of `ReadyForQuery` messages that the server has still to send.
    ready_expected: u32,
    turn: Option<Turn>,
    open: bool,
    copying: bool,
    /// Sent to the client after the outstanding answers.
    refused: Option<Fatal>,
}

impl Session {
    /// A session that begins with this message to the server.
    pub(super) fn new(
        backend: Backend,
        caller: Option<Caller>,
        startup: BytesMut,
        effect: FaultEffect,
    ) -> Self {
        let function = caller.as_ref().map_or_else(String::new, |caller| caller.function.clone());
        let turn = Turn { n: None, failed: false, instead: instead(effect) };
        Self {
            backend,
            caller,
            function,
            from_client: Reader::default(),
            from_server: BytesMut::new(),
            to_client: BytesMut::new(),
            to_server: startup,
            held: BytesMut::new(),
            holding: false,
            ready_expected: 1,
            turn: Some(turn),
            open: false,
            copying: false,
            refused: None,
        }
    }

    /// Carries the conversation to its end.
    pub(super) async fn run<C>(mut self, client: C, server: TcpStream) -> io::Result<()>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut client_out, mut client_in) = tokio::io::split(client);
        let (mut server_out, mut server_in) = server.into_split();
        let mut unflushed = false;
        loop {
            self.from_client.incoming.reserve(ROOM);
            self.from_server.reserve(ROOM);
            // The client first: what it sent before it could have seen an answer belongs to the turn under way.
            let next = tokio::select! {
                biased;
                read = client_out.read_buf(&mut self.from_client.incoming),
                        if self.to_server.len() < FULL && self.refused.is_none() => match read.unwrap_or(0) {
                    // It left, or was killed without a good-bye.
                    0 => {
                        // Its messages still take effect, as they would over a network.
                        let rest = async {
                            server_in.write_all_buf(&mut self.to_server).await?;
                            server_in.shutdown().await
                        };
                        let _late_or_gone = timeout(FAREWELL, rest).await;
                        return Ok(());
                    }
                    _ => self.client_sent().await?,
                },
                written = server_in.write_buf(&mut self.to_server), if !self.to_server.is_empty() => {
                    written?;
                    Next::GoOn
                }
                read = server_out.read_buf(&mut self.from_server), if self.to_client.len() < FULL => match read? {
                    0 => self.server_left().await,
                    _ => self.server_sent().await?,
                },
                // TLS may hold back what was written to it.
                written = write_or_flush(&mut client_in, &mut self.to_client), if unflushed => {
                    written?;
                    unflushed = !self.to_client.is_empty();
                    continue;
                }
            };
            unflushed |= !self.to_client.is_empty();
            match next {
                Next::GoOn => {}
                Next::HangUp => return Ok(()),
                Next::SayGoodBye => {
                    let last_words = async {
                        client_in.write_all_buf(&mut self.to_client).await?;
                        client_in.shutdown().await?;
                        // Closing with something unread would take the last words back.
                        tokio::io::copy(&mut client_out, &mut tokio::io::sink()).await
                    };
                    let _late_or_gone = timeout(FAREWELL, last_words).await;
                    return Ok(());
                }
            }
        }
    }

    async fn client_sent(&mut self) -> io::Result<Next> {
        if !self.open {
            let credentials = self.from_client.take_credentials()?;
            self.to_server.unsplit(credentials);
            return Ok(Next::GoOn);
        }
        let requests = self.from_client.take(self.copying)?;
        if requests.bytes.is_empty() {
            return Ok(Next::GoOn);
        }
        match &self.turn {
            Some(turn) => {
                if let Some(why) = &requests.refused {
                    self.refused = Some(Fatal::refused(why));
                    return Ok(Next::GoOn);
                }
                if let Some(n) = turn.n.filter(|_| !requests.statements.is_empty()) {
                    self.backend.calls.append(n, &requests.text());
                }
                self.forward(requests);
                Ok(Next::GoOn)
            }
            None if requests.asks => Ok(self.begin_turn(requests).await),
            None => {
                self.forward(requests);
                Ok(Next::GoOn)
            }
        }
    }

    async fn begin_turn(&mut self, requests: Requests) -> Next {
        let operation = requests.operation();
        let request = CallRequest { body: requests.text(), ..CallRequest::default() };
        let n = self.backend.calls.begin(&self.function, SERVICE, &operation, request);
        if let Some(why) = &requests.refused {
            return self.refuse(Some(n), &Fatal::refused(why));
        }
        let effect = self.backend.faults.effect(SERVICE, &operation, &self.function);
        delay(effect.latency).await;
        match before(effect.fault) {
            Some(Before::Refuse(why)) => return self.refuse(Some(n), &why),
            Some(Before::Kill) => {
                kill(self.caller.as_ref()).await;
                return Next::HangUp;
            }
            None => {}
        }
        self.turn = Some(Turn { n: Some(n), failed: false, instead: instead(effect) });
        self.forward(requests);
        Next::GoOn
    }

    fn forward(&mut self, requests: Requests) {
        self.ready_expected += requests.ready_expected;
        self.to_server.unsplit(requests.bytes);
    }

    fn refuse(&mut self, n: Option<u64>, why: &Fatal) -> Next {
        if let Some(n) = n {
            self.backend.calls.end(n, true, 500);
        }
        why.put(&mut self.to_client);
        Next::SayGoodBye
    }

    async fn server_sent(&mut self) -> io::Result<Next> {
        // Messages that are whole go on together.
        let mut whole = 0;
        while let Some((tag, length)) = header(&self.from_server[whole..])? {
            if self.from_server.len() < whole + length {
                break;
            }
            if tag == b'E' && self.open {
                self.pass_on(whole);
                whole = 0;
                self.holding = true;
            }
            let answered = self.server_said(tag);
            if let Some(instead) = answered.as_ref().and_then(|turn| turn.instead) {
                return Ok(self.instead_of_answer(instead).await);
            }
            whole += length;
            if answered.is_some()
                && let Some(why) = self.refused.take()
            {
                self.pass_on(whole);
                return Ok(self.refuse(None, &why));
            }
        }
        self.pass_on(whole);
        Ok(Next::GoOn)
    }

    /// Gives the client so many bytes of what the server sent, unless it must wait for them or never gets them.
    fn pass_on(&mut self, length: usize) {
        let messages = self.from_server.split_to(length);
        // The opening has messages that the client must answer before it is over.
        let withheld = self.open && self.turn.as_ref().is_some_and(|turn| turn.instead.is_some());
        if withheld {
            return;
        }
        self.held.unsplit(messages);
        if !self.holding {
            self.to_client.unsplit(std::mem::take(&mut self.held));
        }
    }

    /// Takes notice of one message; gives the turn that ends with it.
    fn server_said(&mut self, tag: u8) -> Option<Turn> {
        match tag {
            b'E' => {
                if let Some(turn) = &mut self.turn {
                    turn.failed = true;
                }
                None
            }
            b'G' => {
                self.copying = true;
                None
            }
            b'Z' => {
                self.copying = false;
                self.holding = false;
                self.ready_expected = self.ready_expected.saturating_sub(1);
                if self.ready_expected > 0 {
                    return None;
                }
                self.open = true;
                let turn = self.turn.take()?;
                if let (Some(n), None) = (turn.n, turn.instead) {
                    self.backend.calls.end(n, true, if turn.failed { 500 } else { 200 });
                }
                Some(turn)
            }
            _ => None,
        }
    }

    async fn server_left(&mut self) -> Next {
        self.to_client.unsplit(std::mem::take(&mut self.held));
        match self.turn.take() {
            Some(Turn { instead: Some(instead), .. }) => self.instead_of_answer(instead).await,
            Some(Turn { n: Some(n), failed: true, .. }) => {
                self.backend.calls.end(n, true, 500);
                Next::SayGoodBye
            }
            _ => Next::SayGoodBye,
        }
    }

    async fn instead_of_answer(&mut self, instead: Instead) -> Next {
        match instead {
            Instead::HangUp => {}
            Instead::Kill => kill(self.caller.as_ref()).await,
        }
        Next::HangUp
    }
}

/// The effect of a fault in place of a request, so that the server does not get it.
pub(super) enum Before {
    Refuse(Fatal),
    Kill,
}

pub(super) fn before(fault: Option<FaultKind>) -> Option<Before> {
    match fault? {
        FaultKind::Throttle => Some(Before::Refuse(Fatal::too_many())),
        FaultKind::Error => Some(Before::Refuse(Fatal::down())),
        FaultKind::KillBefore => Some(Before::Kill),
        FaultKind::Drop
        | FaultKind::KillAfter
        | FaultKind::Latency
        | FaultKind::Lose
        | FaultKind::Double
        | FaultKind::Delay => None,
    }
}

fn instead(effect: FaultEffect) -> Option<Instead> {
    match effect.fault? {
        FaultKind::Drop => Some(Instead::HangUp),
        FaultKind::KillAfter => Some(Instead::Kill),
        FaultKind::Throttle
        | FaultKind::Error
        | FaultKind::Latency
        | FaultKind::KillBefore
        | FaultKind::Lose
        | FaultKind::Double
        | FaultKind::Delay => None,
    }
}

/// A client that is not a function cannot be killed: its connection is closed instead.
pub(super) async fn kill(caller: Option<&Caller>) {
    if let Some(caller) = caller {
        caller.kill().await;
    }
}

/// Nothing to wait for takes no time: a timer would take up to a millisecond.
pub(super) async fn delay(latency: Duration) {
    if !latency.is_zero() {
        sleep(latency).await;
    }
}

async fn write_or_flush(client: &mut (impl AsyncWrite + Unpin), bytes: &mut BytesMut) -> io::Result<()> {
    if !bytes.is_empty() {
        client.write_buf(bytes).await?;
        if !bytes.is_empty() {
            return Ok(());
        }
    }
    client.flush().await
}
