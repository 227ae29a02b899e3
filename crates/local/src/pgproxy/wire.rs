//! `PostgreSQL`'s messages (protocol 3), as far as the proxy must understand them.

use std::io::{self, ErrorKind};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// `PostgreSQL` takes no longer first message.
const MAX_OPENING: u32 = 10_000;

/// A client's first message, which has no tag.
#[derive(Debug)]
pub(super) enum Opening {
    /// It asks for TLS.
    Tls,
    /// It asks for Kerberos encryption.
    Gss,
    /// It asks for the end of what another connection does. The message as it came.
    Cancel(BytesMut),
    /// It opens a session.
    Startup {
        /// The message as it came.
        message: BytesMut,
        /// Its parameters: user, database, `application_name` ...
        parameters: Vec<(String, String)>,
    },
}

impl Opening {
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let length = stream.read_u32().await?;
        if !(8..=MAX_OPENING).contains(&length) {
            return Err(malformed("first message"));
        }
        let mut message = BytesMut::with_capacity(length as usize);
        message.put_u32(length);
        message.resize(length as usize, 0);
        stream.read_exact(&mut message[4..]).await?;
        let code = (&message[4..8]).get_u32();
        match code {
            80_877_103 => Ok(Self::Tls),
            80_877_104 => Ok(Self::Gss),
            80_877_102 => Ok(Self::Cancel(message)),
            _ if code >> 16 == 3 => {
                let parameters = parameters(&message[8..])?;
                Ok(Self::Startup { message, parameters })
            }
            _ => Err(malformed("protocol version")),
        }
    }
}

fn parameters(mut body: &[u8]) -> io::Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    loop {
        let name = text(&mut body)?;
        if name.is_empty() {
            return Ok(all);
        }
        let value = text(&mut body)?;
        all.push((name.into_owned(), value.into_owned()));
    }
}

/// Takes a text that ends with a zero byte.
pub(super) fn text<'a>(body: &mut &'a [u8]) -> io::Result<std::borrow::Cow<'a, str>> {
    let end = body.iter().position(|it| *it == 0).ok_or_else(|| malformed("text"))?;
    let (text, rest) = body.split_at(end);
    *body = &rest[1..];
    Ok(String::from_utf8_lossy(text))
}

/// The tag and the whole length of the message that begins here, once its header is there.
pub(super) fn header(bytes: &[u8]) -> io::Result<Option<(u8, usize)>> {
    let Some((tag, mut rest)) = bytes.split_first().filter(|(_, rest)| rest.len() >= 4) else {
        return Ok(None);
    };
    match rest.get_u32() {
        length @ 4..=0x7fff_ffff => Ok(Some((*tag, 1 + length as usize))),
        _ => Err(malformed("message length")),
    }
}

/// An error that ends the connection.
#[derive(Clone, Debug)]
pub(super) struct Fatal {
    /// SQLSTATE.
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Fatal {
    /// The error of a server that shuts down.
    pub(super) fn down() -> Self {
        Self { code: "57P01", message: "terminating connection due to administrator command".to_owned() }
    }

    /// The error of a server at its connection limit.
    pub(super) fn too_many() -> Self {
        Self { code: "53300", message: "sorry, too many clients already".to_owned() }
    }

    /// The error of the pooler test.
    pub(super) fn refused(why: &str) -> Self {
        Self { code: "0A000", message: format!("a pooler in transaction mode would break this: {why}") }
    }

    /// Writes an `ErrorResponse`.
    pub(super) fn put(&self, out: &mut BytesMut) {
        let fields = [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', self.code), (b'M', &self.message)];
        let body: usize = fields.iter().map(|(_, text)| text.len() + 2).sum();
        out.put_u8(b'E');
        out.put_u32(u32::try_from(4 + body + 1).unwrap_or(u32::MAX));
        for (field, text) in fields {
            out.put_u8(field);
            out.put_slice(text.as_bytes());
            out.put_u8(0);
        }
        out.put_u8(0);
    }
}

pub(super) fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("not PostgreSQL's protocol: {what}"))
}
