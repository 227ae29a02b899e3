//! Reads what the client sends after the opening, up to messages that ask for an answer.

use std::io;

use bytes::BytesMut;

use super::sql;
use super::wire::{self, header, malformed};

/// Whole requests, as they were there at one moment.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// The messages as they came.
    pub(super) bytes: BytesMut,
    /// Their statements.
    pub(super) statements: Vec<String>,
    /// The number of `ReadyForQuery` messages that the server will send for them.
    pub(super) ready_expected: u32,
    /// Why they are rejected.
    pub(super) refused: Option<String>,
    /// Whether anything in them belongs to a turn: the good-bye and the data of a COPY do not.
    pub(super) asks: bool,
}

/// The client's side of the conversation.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Bytes that were read and not yet parsed.
    pub(super) incoming: BytesMut,
    /// Messages of a request that is not whole yet.
    begun: Requests,
}

impl Reader {
    /// The requests that are whole by now. `copying`: the client sends the data of a COPY, whose Sync has no answer of
    /// its own.
    pub(super) fn take(&mut self, copying: bool) -> io::Result<Requests> {
        let mut whole = Requests::default();
        while let Some((tag, length)) = header(&self.incoming)? {
            if self.incoming.len() < length {
                self.incoming.reserve(length - self.incoming.len());
                break;
            }
            let message = self.incoming.split_to(length);
            self.begun.read(tag, &message[5..])?;
            self.begun.bytes.unsplit(message);
            if !is_last_of_request(tag) {
                continue;
            }
            if matches!(tag, b'Q' | b'F') || (tag == b'S' && !copying) {
                self.begun.ready_expected = 1;
            }
            whole.join(std::mem::take(&mut self.begun));
        }
        Ok(whole)
    }

    /// The client's part in its authentication, as long as the session is not open.
    pub(super) fn take_credentials(&mut self) -> io::Result<BytesMut> {
        let mut credentials = BytesMut::new();
        while let Some((b'p', length)) = header(&self.incoming)? {
            if self.incoming.len() < length {
                break;
            }
            credentials.unsplit(self.incoming.split_to(length));
        }
        Ok(credentials)
    }
}

/// Sync, Query, `FunctionCall`, Flush, Terminate and the messages of COPY: after these the server acts on its own.
fn is_last_of_request(tag: u8) -> bool {
    matches!(tag, b'S' | b'Q' | b'F' | b'H' | b'X' | b'd' | b'c' | b'f')
}

impl Requests {
    /// The name of the turn that begins with these: the first name, else the first statement's first word.
    pub(super) fn operation(&self) -> String {
        let named = self.statements.iter().find_map(|statement| sql::name(statement));
        let first =
            || self.statements.first().map_or_else(|| "sync".to_owned(), |first| sql::operation(first));
        named.map_or_else(first, str::to_owned)
    }

    pub(super) fn text(&self) -> String {
        self.statements.join("\n")
    }

    fn read(&mut self, tag: u8, mut body: &[u8]) -> io::Result<()> {
        self.asks |= !matches!(tag, b'X' | b'd' | b'c' | b'f');
        match tag {
            b'Q' => {
                let statement = wire::text(&mut body)?.into_owned();
                self.refuse(sql::refusal(&statement).map(str::to_owned));
                self.statements.push(statement);
            }
            b'P' => {
                self.refuse(named(&wire::text(&mut body)?));
                let statement = wire::text(&mut body)?.into_owned();
                self.refuse(sql::refusal(&statement).map(str::to_owned));
                self.statements.push(statement);
            }
            b'B' => {
                let _portal = wire::text(&mut body)?;
                self.refuse(named(&wire::text(&mut body)?));
            }
            b'D' => {
                let (what, mut name) = body.split_first().ok_or_else(|| malformed("Describe"))?;
                if *what == b'S' {
                    self.refuse(named(&wire::text(&mut name)?));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn refuse(&mut self, why: Option<String>) {
        if self.refused.is_none() {
            self.refused = why;
        }
    }

    fn join(&mut self, next: Self) {
        self.bytes.unsplit(next.bytes);
        self.statements.extend(next.statements);
        self.ready_expected += next.ready_expected;
        self.refuse(next.refused);
        self.asks |= next.asks;
    }
}

fn named(statement: &str) -> Option<String> {
    (!statement.is_empty())
        .then(|| format!("the prepared statement has a name, {statement}: use query_typed"))
}
