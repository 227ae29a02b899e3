//! Reads an MP4 file by its boxes, from wherever its bytes are: the heads of boxes, the duration of each track as the sum of its
//! `stts`, and the offset of its last chunk. The larger tables (sizes of samples, their offsets) are skipped.

use mp4_atom::{Atom, Decode, Elst, FourCC, Header, Mdhd, Mvhd};
use time::Duration;

use crate::{Track, TrackKind};

/// Reads of one file.
pub(crate) const MAX_READS: u32 = 12;

/// The bytes that are read with a head: the boxes around it are small.
const HEADS_BYTES: usize = 64 * 1024;

/// A piece of an `stts`. One of three hours at changing frame rates has 2.6 MB.
const TABLE_BYTES: usize = 2 * 1024 * 1024;

/// The largest box that is decoded as a whole; those that are have some 100 bytes.
const MAX_DECODED_BYTES: u64 = 4 * 1024;

/// Tracks and pieces of media data of one file; two and one are usual.
const MAX_TRACKS: usize = 16;

/// Why nothing is known of a file.
#[derive(Debug)]
pub(crate) enum Stop<E> {
    /// It is no MP4 file, is damaged, or takes more reads.
    Unverifiable(&'static str),
    /// It could not be read.
    Failed(E),
}

/// A file of which ranges are read. A trait and no closure: the future of an async closure is not `Send` for every lifetime, which a
/// handler's has to be.
pub(crate) trait Ranges {
    type Error;

    /// The bytes from an offset, as many as are asked for.
    fn read(&mut self, at: u64, len: usize) -> impl Future<Output = Result<Vec<u8>, Self::Error>> + Send;
}

/// The tracks of a file of `size` bytes.
///
/// # Errors
/// When the file is not what can be verified, or a read fails.
pub(crate) async fn tracks<R, E>(size: u64, first: Vec<u8>, read: R) -> Result<Vec<Track>, Stop<E>>
where
    R: Ranges<Error = E>,
{
    let mut reader = Reader { read, size, start: 0, window: first, reads: 1 };
    Walk::default().walk(&mut reader).await
}

/// The length of the first read, which the caller does: it learns the size.
pub(crate) const FIRST_READ_BYTES: usize = HEADS_BYTES;

struct Reader<R> {
    read: R,
    size: u64,
    /// Where the window begins in the file.
    start: u64,
    window: Vec<u8>,
    reads: u32,
}

/// A box's place in the file.
#[derive(Clone, Copy)]
struct Place {
    kind: FourCC,
    /// Where the head begins.
    at: u64,
    body: u64,
    end: u64,
}

impl<R, E> Reader<R>
where
    R: Ranges<Error = E>,
{
    /// `len` bytes from `at`; if they have to be read, up to `ahead` are.
    async fn bytes(&mut self, at: u64, len: usize, ahead: usize) -> Result<&[u8], Stop<E>> {
        let end = at.checked_add(len as u64).filter(|end| *end <= self.size);
        let end = end.ok_or(Stop::Unverifiable("a box is cut off"))?;
        let held = self.start..self.start + self.window.len() as u64;
        if at < held.start || end > held.end {
            if self.reads == MAX_READS {
                return Err(Stop::Unverifiable("it takes too many reads"));
            }
            self.reads += 1;
            let wanted = (self.size - at).min(ahead.max(len) as u64);
            // Before the next one is there, so that there is never more than one.
            self.window = Vec::new();
            let wanted = usize::try_from(wanted).map_err(|_| Stop::Unverifiable("a box is too large"))?;
            self.window = self.read.read(at, wanted).await.map_err(Stop::Failed)?;
            self.start = at;
        }
        let from = usize::try_from(at - self.start).map_err(|_| Stop::Unverifiable("a box is too large"))?;
        self.window.get(from..from + len).ok_or(Stop::Unverifiable("less came than was asked for"))
    }

    /// The box that begins at `at`, within its parent, which ends at `end`.
    async fn place(&mut self, at: u64, end: u64) -> Result<Place, Stop<E>> {
        const CUT_OFF: &str = "a box is cut off";
        let len = usize::try_from((end - at).min(16)).unwrap_or(16);
        let mut head = self.bytes(at, len, HEADS_BYTES).await?;
        let all = head.len();
        let header = Header::decode(&mut head).map_err(|_| Stop::Unverifiable(CUT_OFF))?;
        let size = header.size.ok_or(Stop::Unverifiable("a box has no size"))?;
        let body = at + (all - head.len()) as u64;
        let ends = body.checked_add(size as u64).filter(|it| *it <= end);
        Ok(Place { kind: header.kind, at, body, end: ends.ok_or(Stop::Unverifiable(CUT_OFF))? })
    }

    /// Decodes a small box.
    async fn decode<A: Atom>(&mut self, place: Place) -> Result<A, Stop<E>> {
        let len = place.end - place.at;
        if len > MAX_DECODED_BYTES {
            return Err(Stop::Unverifiable("a box is too large"));
        }
        let len = usize::try_from(len).map_err(|_| Stop::Unverifiable("a box is too large"))?;
        let mut bytes = self.bytes(place.at, len, HEADS_BYTES).await?;
        A::decode(&mut bytes).map_err(|_| Stop::Unverifiable("a box cannot be read"))
    }

    async fn number<const N: usize>(&mut self, at: u64) -> Result<[u8; N], Stop<E>> {
        let bytes = self.bytes(at, N, HEADS_BYTES).await?;
        bytes.try_into().map_err(|_| Stop::Unverifiable("a box is cut off"))
    }

    /// The number of entries of a table whose entries have `len` bytes.
    async fn entries(&mut self, place: Place, len: u64) -> Result<u64, Stop<E>> {
        // Version and flags, then the number.
        if place.end - place.body < 8 {
            return Err(Stop::Unverifiable("a table is cut off"));
        }
        let count = u64::from(u32::from_be_bytes(self.number(place.body + 4).await?));
        if place.end - place.body - 8 == count * len {
            Ok(count)
        } else {
            Err(Stop::Unverifiable("a table has not as many entries as it says"))
        }
    }

    /// The sum of the durations of all samples, in the track's own unit.
    async fn sum_stts(&mut self, place: Place) -> Result<u128, Stop<E>> {
        self.entries(place, 8).await?;
        let mut at = place.body + 8;
        let mut sum = 0;
        while at < place.end {
            let piece = usize::try_from((place.end - at).min(TABLE_BYTES as u64)).unwrap_or(TABLE_BYTES);
            // As much as is there already, in whole entries; else the next piece.
            let there = (self.start + self.window.len() as u64).saturating_sub(at) / 8 * 8;
            let there = usize::try_from(there).unwrap_or(0);
            let len = if at >= self.start && there > 0 { there.min(piece) } else { piece };
            let ahead = piece.max(HEADS_BYTES);
            for entry in self.bytes(at, len, ahead).await?.chunks_exact(8) {
                let (count, delta) = entry.split_at(4);
                let number = |it: &[u8]| it.iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
                sum += number(count) * number(delta);
            }
            at += len as u64;
        }
        Ok(sum)
    }
}

/// A track while it is read.
#[derive(Default)]
struct Unfinished {
    kind: Option<TrackKind>,
    timescale: u32,
    ticks: Option<u128>,
    /// Before it begins, in the file's unit.
    delay: u128,
    last_chunk: Option<u64>,
}

/// The facts of the file so far.
#[derive(Default)]
struct Walk {
    timescale: u32,
    movie: bool,
    tracks: Vec<Unfinished>,
    media: Vec<(u64, u64)>,
}

impl Walk {
    async fn walk<R, E>(mut self, reader: &mut Reader<R>) -> Result<Vec<Track>, Stop<E>>
    where
        R: Ranges<Error = E>,
    {
        let mut parents: Vec<Place> = Vec::new();
        let mut at = 0;
        loop {
            while parents.last().is_some_and(|it| it.end == at) {
                parents.pop();
            }
            if parents.is_empty() && at == reader.size {
                break;
            }
            let end = parents.last().map_or(reader.size, |it| it.end);
            let place = reader.place(at, end).await?;
            if at == 0 && place.kind.as_ref() != b"ftyp" {
                return Err(Stop::Unverifiable("it is no MP4 file"));
            }
            let within: Option<[u8; 4]> = parents.last().map(|it| it.kind.into());
            at = match (within.as_ref(), place.kind.as_ref()) {
                (None, b"moov") if self.movie => return Err(Stop::Unverifiable("it has two indices")),
                (None, b"moov")
                | (Some(b"moov"), b"trak")
                | (Some(b"trak"), b"edts" | b"mdia")
                | (Some(b"mdia"), b"minf")
                | (Some(b"minf"), b"stbl") => {
                    self.movie = true;
                    if place.kind.as_ref() == b"trak" {
                        self.tracks.push(Unfinished::default());
                    }
                    parents.push(place);
                    place.body
                }
                (within, _) => {
                    self.leaf(reader, within, place).await?;
                    place.end
                }
            };
            if self.tracks.len() > MAX_TRACKS || self.media.len() > MAX_TRACKS {
                return Err(Stop::Unverifiable("it has too many parts"));
            }
        }
        self.finish().map_err(Stop::Unverifiable)
    }

    /// Reads a box that has no boxes.
    async fn leaf<R, E>(
        &mut self,
        reader: &mut Reader<R>,
        within: Option<&[u8; 4]>,
        place: Place,
    ) -> Result<(), Stop<E>>
    where
        R: Ranges<Error = E>,
    {
        match (within, place.kind.as_ref()) {
            (None, b"mdat") => self.media.push((place.body, place.end)),
            (None, b"moof") | (Some(b"moov"), b"mvex") => {
                return Err(Stop::Unverifiable("it is fragmented"));
            }
            (Some(b"moov"), b"mvhd") => self.timescale = reader.decode::<Mvhd>(place).await?.timescale,
            (Some(b"edts" | b"mdia" | b"stbl"), kind) => {
                let Some(track) = self.tracks.last_mut() else { return Ok(()) };
                match kind {
                    b"elst" => {
                        let edits = reader.decode::<Elst>(place).await?.entries;
                        let empty = edits.iter().take_while(|it| it.media_time.is_none());
                        track.delay = empty.map(|it| u128::from(it.segment_duration)).sum();
                    }
                    b"mdhd" => track.timescale = reader.decode::<Mdhd>(place).await?.timescale,
                    b"hdlr" => track.kind = handler(reader.number(place.body + 8).await?),
                    b"stts" => track.ticks = Some(reader.sum_stts(place).await?),
                    b"stco" if reader.entries(place, 4).await? > 0 => {
                        let offset = reader.number(place.end - 4).await?;
                        track.last_chunk = Some(u64::from(u32::from_be_bytes(offset)));
                    }
                    b"co64" if reader.entries(place, 8).await? > 0 => {
                        track.last_chunk = Some(u64::from_be_bytes(reader.number(place.end - 8).await?));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Track>, &'static str> {
        let mut found = Vec::new();
        for track in self.tracks {
            let Some(kind) = track.kind else { continue };
            let ticks = track.ticks.ok_or("a track has no durations")?;
            let last = track.last_chunk.ok_or("a track has no data")?;
            if !self.media.iter().any(|(from, to)| (*from..*to).contains(&last)) {
                return Err("a track's data is missing");
            }
            let length = duration(ticks, track.timescale)?;
            let delay =
                if track.delay == 0 { Duration::ZERO } else { duration(track.delay, self.timescale)? };
            let ends_after = length.checked_add(delay).ok_or("a track is too long")?;
            found.push(Track { kind, duration: ends_after });
        }
        if found.is_empty() { Err("it has no tracks") } else { Ok(found) }
    }
}

fn handler(kind: [u8; 4]) -> Option<TrackKind> {
    match &kind {
        b"soun" => Some(TrackKind::Audio),
        b"vide" => Some(TrackKind::Video),
        _ => None,
    }
}

fn duration(ticks: u128, timescale: u32) -> Result<Duration, &'static str> {
    let nanoseconds = ticks.checked_mul(1_000_000_000).ok_or("a track is too long")?;
    let nanoseconds = nanoseconds.checked_div(u128::from(timescale)).ok_or("a track has no timescale")?;
    let nanoseconds = i64::try_from(nanoseconds).map_err(|_| "a track is too long")?;
    Ok(Duration::nanoseconds(nanoseconds))
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
