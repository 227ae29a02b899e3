//! The bytes of objects: small ones in memory, larger ones in files that nothing names and that end with them. Copies and parts of
//! copies share them.

use std::fs::File;
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use md5::Digest as Md5Digest;
use md5::Md5;
use s3s::StdError;
use sha2::{Digest as _, Sha256};

/// An upload stays in memory up to here.
const MAX_IN_MEMORY: usize = 1024 * 1024;

/// A piece that is read at once.
const PIECE_BYTES: u64 = 256 * 1024;

/// An object's bytes. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Content(Vec<Piece>);

#[derive(Clone, Debug)]
struct Piece {
    source: Source,
    range: Range<u64>,
}

#[derive(Clone, Debug)]
enum Source {
    Memory(Bytes),
    File(Arc<File>),
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        let range = 0..bytes.len() as u64;
        Self(vec![Piece { source: Source::Memory(bytes), range }])
    }
}

impl Content {
    /// The whole of a file, which is not changed any more. It may have holes.
    pub(super) fn of_file(file: File) -> io::Result<Self> {
        let range = 0..file.metadata()?.len();
        Ok(Self(vec![Piece { source: Source::File(Arc::new(file)), range }]))
    }

    /// Whether these are the bytes of a copy of the other: no byte is compared.
    pub(super) fn is_shared_with(&self, other: &Self) -> bool {
        let begin = |a: &Piece, b: &Piece| {
            let same = match (&a.source, &b.source) {
                (Source::Memory(a), Source::Memory(b)) => a.as_ptr() == b.as_ptr(),
                (Source::File(a), Source::File(b)) => Arc::ptr_eq(a, b),
                (Source::Memory(_), Source::File(_)) | (Source::File(_), Source::Memory(_)) => false,
            };
            same && a.range.start == b.range.start
        };
        self.len() == other.len() && self.0.first().zip(other.0.first()).is_some_and(|(a, b)| begin(a, b))
    }

    /// Several, one after the other.
    pub(super) fn join(all: impl IntoIterator<Item = Self>) -> Self {
        Self(all.into_iter().flat_map(|it| it.0).collect())
    }

    /// The upload, with its MD5 in hex.
    pub(super) async fn receive(
        mut body: impl Stream<Item = Result<Bytes, StdError>> + Unpin,
    ) -> Result<(Self, String), StdError> {
        let (mut start, mut file, mut md5) = (Vec::new(), None::<File>, <Md5 as Md5Digest>::new());
        while let Some(piece) = body.next().await {
            let piece = piece?;
            Md5Digest::update(&mut md5, &piece);
            if let Some(file) = &mut file {
                file.write_all(&piece)?;
                continue;
            }
            start.extend_from_slice(&piece);
            if start.len() > MAX_IN_MEMORY {
                let mut new = tempfile::tempfile()?;
                new.write_all(&std::mem::take(&mut start))?;
                file = Some(new);
            }
        }
        let content = match file {
            Some(file) => Self::of_file(file)?,
            None => Bytes::from(start).into(),
        };
        Ok((content, hex::encode(Md5Digest::finalize(md5))))
    }

    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(|it| it.range.end - it.range.start).sum()
    }

    /// A part of it, which lies within it.
    pub(super) fn slice(&self, wanted: Range<u64>) -> Self {
        let mut at = 0;
        let mut found = Vec::new();
        for piece in &self.0 {
            let end = at + (piece.range.end - piece.range.start);
            let (from, to) = (wanted.start.max(at), wanted.end.min(end));
            if from < to {
                let range = piece.range.start + (from - at)..piece.range.start + (to - at);
                found.push(Piece { source: piece.source.clone(), range });
            }
            at = end;
        }
        Self(found)
    }

    /// All bytes.
    pub(super) fn bytes(&self) -> io::Result<Bytes> {
        if let [Piece { source: Source::Memory(bytes), range }] = &self.0[..] {
            return Ok(slice(bytes, range));
        }
        let mut all = Vec::new();
        for piece in self.pieces() {
            all.extend_from_slice(&piece.read()?);
        }
        Ok(all.into())
    }

    /// Piece by piece.
    pub(super) fn stream(&self) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
        stream::iter(self.clone().into_pieces()).map(|piece| piece.read())
    }

    /// SHA-256. Takes a second for each gigabyte or two.
    pub(super) fn sha256(&self) -> io::Result<[u8; 32]> {
        let mut digest = Sha256::new();
        for piece in self.pieces() {
            digest.update(&piece.read()?);
        }
        Ok(digest.finalize().into())
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> + Send + Sync + use<> {
        self.clone().into_pieces()
    }

    fn into_pieces(self) -> impl Iterator<Item = Piece> + Send + Sync {
        self.0.into_iter().flat_map(|Piece { source, range }| {
            let end = range.end;
            let starts = std::iter::successors(Some(range.start), move |at| Some(at + PIECE_BYTES));
            starts
                .take_while(move |at| *at < end)
                .map(move |at| Piece { source: source.clone(), range: at..end.min(at + PIECE_BYTES) })
        })
    }
}

impl Piece {
    fn read(&self) -> io::Result<Bytes> {
        match &self.source {
            Source::Memory(bytes) => Ok(slice(bytes, &self.range)),
            Source::File(file) => {
                let len = usize::try_from(self.range.end - self.range.start).map_err(io::Error::other)?;
                let mut bytes = vec![0; len];
                file.read_exact_at(&mut bytes, self.range.start)?;
                Ok(bytes.into())
            }
        }
    }
}

fn slice(bytes: &Bytes, range: &Range<u64>) -> Bytes {
    let at = |it: u64| usize::try_from(it).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(at(range.start)..at(range.end))
}

/// A checksum as S3 writes it.
pub(super) fn base64(digest: &[u8]) -> String {
    BASE64_STANDARD.encode(digest)
}
