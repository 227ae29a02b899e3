use mp4_atom::{ElstEntry, Encode as _, Moov};
use proptest::prelude::*;

use super::sample::{boxes, long_moov, media_head, small};
use super::*;

/// A file that is not all there: pieces at offsets, zeros between.
struct Sparse {
    pieces: Vec<(u64, Vec<u8>)>,
    size: u64,
}

impl Sparse {
    fn of(file: Vec<u8>) -> Self {
        Self { size: file.len() as u64, pieces: vec![(0, file)] }
    }

    fn read(&self, at: u64, len: usize) -> Vec<u8> {
        let rest = usize::try_from(self.size.saturating_sub(at)).unwrap_or(len);
        let mut bytes = vec![0; len.min(rest)];
        let end = at + bytes.len() as u64;
        for (start, piece) in &self.pieces {
            let (from, to) = (at.max(*start), end.min(start + piece.len() as u64));
            if from < to {
                let place = |base: u64| usize::try_from(from - base).expect("it is in memory");
                let len = usize::try_from(to - from).expect("it is in memory");
                let (here, there) = (place(at), place(*start));
                bytes[here..here + len].copy_from_slice(&piece[there..there + len]);
            }
        }
        bytes
    }
}

/// A file whose reads are counted.
struct Counted<'a> {
    file: &'a Sparse,
    reads: u32,
    most: usize,
}

impl Ranges for &mut Counted<'_> {
    type Error = std::convert::Infallible;

    async fn read(&mut self, at: u64, len: usize) -> Result<Vec<u8>, Self::Error> {
        self.reads += 1;
        self.most = self.most.max(len);
        assert!(at + len as u64 <= self.file.size, "beyond the end");
        Ok(self.file.read(at, len))
    }
}

/// The tracks or the reason, and how often the file was read and how much of it.
fn inspect(file: &Sparse) -> (Result<Vec<Track>, &'static str>, u32, usize) {
    let first = file.read(0, FIRST_READ_BYTES);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut counted = Counted { file, reads: 1, most: 0 };
    let found = runtime.block_on(tracks(file.size, first, &mut counted));
    let Counted { reads, most, .. } = counted;
    let found = found.map_err(|stop| match stop {
        Stop::Unverifiable(reason) => reason,
        Stop::Failed(never) => match never {},
    });
    (found, reads, most)
}

fn seconds(file: Vec<u8>) -> Result<Vec<(TrackKind, f64)>, &'static str> {
    let (found, ..) = inspect(&Sparse::of(file));
    Ok(found?.into_iter().map(|it| (it.kind, it.duration.as_seconds_f64())).collect())
}

/// A change of a file's index.
fn with_moov(file: &[u8], change: impl FnOnce(&mut Moov)) -> Vec<u8> {
    let (_, from, to) = *boxes(file).iter().find(|it| &it.0 == b"moov").expect("an index");
    let mut moov = Moov::decode(&mut &file[from..to]).expect("it can be read");
    change(&mut moov);
    let mut bytes = Vec::new();
    moov.encode(&mut bytes).expect("it can be written");
    let mut changed = file[..from].to_vec();
    changed.extend_from_slice(&bytes);
    changed.extend_from_slice(&file[to..]);
    changed
}

/// An edit that begins a track later by so many units of the file.
fn delayed(units: u64) -> Elst {
    let empty = ElstEntry { segment_duration: units, media_time: None, media_rate: 1.into() };
    Elst {
        entries: vec![empty, ElstEntry { segment_duration: 0, media_time: Some(0), media_rate: 1.into() }],
    }
}

#[test]
fn a_small_file_is_read_in_one_request_wherever_its_index_is() {
    for moov_first in [true, false] {
        let (found, reads, _) = inspect(&Sparse::of(small(3, 3, moov_first)));
        let found = found.expect("it is whole");
        let kinds: Vec<_> = found.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [TrackKind::Video, TrackKind::Audio]);
        for track in found {
            let off = (track.duration - Duration::seconds(3)).abs();
            assert!(off < Duration::milliseconds(200), "{track:?}");
        }
        assert_eq!(reads, 1);
    }
}

#[test]
fn a_track_that_begins_later_ends_later() {
    let late = with_moov(&small(3, 2, false), |moov| {
        let unit = u64::from(moov.mvhd.timescale);
        let track =
            moov.trak.iter_mut().find(|it| it.mdia.hdlr.handler == FourCC::new(b"soun")).expect("sound");
        track.edts = Some(mp4_atom::Edts { elst: Some(delayed(unit)) });
    });
    let found = seconds(late).expect("it is whole");
    assert!((found[0].1 - found[1].1).abs() < 0.2, "{found:?}");
}

#[test]
fn three_hours_in_two_gigabytes_take_at_most_twelve_reads_of_two_megabytes() {
    const SIZE: u64 = 2 * 1024 * 1024 * 1024;
    let ftyp = {
        let file = small(1, 1, true);
        let (_, from, to) = boxes(&file)[0];
        file[from..to].to_vec()
    };
    for moov_first in [true, false] {
        let head = ftyp.len() as u64;
        let len = long_moov(10_800, (0, SIZE)).len() as u64;
        let moov_at = if moov_first { head } else { SIZE - len };
        let media_at = if moov_first { head + len } else { head };
        let media = (media_at + 16, media_at + SIZE - head - len);
        let file = Sparse {
            size: SIZE,
            pieces: vec![
                (0, ftyp.clone()),
                (media_at, media_head(media.1 - media.0).to_vec()),
                (moov_at, long_moov(10_800, media)),
            ],
        };
        let (found, reads, most) = inspect(&file);
        for track in found.expect("it is whole") {
            assert!((track.duration - Duration::hours(3)).abs() < Duration::seconds(1), "{track:?}");
        }
        assert!(reads <= MAX_READS, "{reads} reads");
        assert!(most <= TABLE_BYTES, "{most} bytes at once");
    }
}

#[test]
fn whatever_is_not_whole_is_said_to_be_unverifiable() {
    let whole = small(2, 2, false);
    let without = |kind: &[u8; 4]| {
        let (_, from, to) = *boxes(&whole).iter().find(|it| &it.0 == kind).expect("it is there");
        [&whole[..from], &whole[to..]].concat()
    };
    let cases = [
        (b"no MP4 at all, only a text".to_vec(), "a box is cut off"),
        (whole[boxes(&whole)[0].2..].to_vec(), "it is no MP4 file"),
        (whole[..whole.len() - 9].to_vec(), "a box is cut off"),
        (without(b"moov"), "it has no tracks"),
        (without(b"mdat"), "a track's data is missing"),
        ([&whole[..], &without(b"mdat")[boxes(&whole)[0].2..]].concat(), "it has two indices"),
        (with_moov(&whole, |it| it.trak.clear()), "it has no tracks"),
        (with_moov(&whole, |it| it.mvex = Some(mp4_atom::Mvex::default())), "it is fragmented"),
        (with_moov(&whole, |it| it.trak[0].mdia.mdhd.timescale = 0), "a track has no timescale"),
        ([&whole[..], &[0, 0, 0, 0, b'f', b'r', b'e', b'e']].concat(), "a box has no size"),
    ];
    for (file, reason) in cases {
        assert_eq!(seconds(file), Err(reason));
    }
}

#[test]
fn a_file_that_takes_more_reads_is_unverifiable() {
    // A head every 100 KB.
    let (head, step) = ([0, 1, 0x86, 0xa0, b'f', b'r', b'e', b'e'], 100_000);
    let ftyp = [0, 1, 0x86, 0xa0, b'f', b't', b'y', b'p'].to_vec();
    let pieces = (1..20).map(|it| (it * step, head.to_vec())).chain([(0, ftyp)]).collect();
    let (found, reads, _) = inspect(&Sparse { pieces, size: 20 * step });
    assert_eq!((found, reads), (Err("it takes too many reads"), MAX_READS));
}

proptest! {
    /// Bytes that are changed, removed or repeated anywhere: an answer, by few reads, and no panic.
    #[test]
    fn a_damaged_file_is_answered(
        moov_first: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        shorten: bool,
    ) {
        let mut file = small(1, 1, moov_first);
        let index = boxes(&file).iter().find(|it| &it.0 == b"moov").map(|it| it.1..it.2).expect("an index");
        for (at, byte) in changes {
            file[index.start + at.index(index.len())] = byte;
        }
        if shorten {
            file.truncate(cut.index(file.len()) + 1);
        }
        let (_, reads, most) = inspect(&Sparse::of(file));
        prop_assert!(reads <= MAX_READS && most <= TABLE_BYTES);
    }

    /// The same in the index of a file of hours, where tables are read piece by piece.
    #[test]
    fn a_damaged_index_of_hours_is_answered(at in any::<prop::sample::Index>(), byte: u8) {
        let mut moov = long_moov(120, (24, 1_000_000));
        let place = at.index(2000.min(moov.len()));
        moov[place] = byte;
        let ftyp = [0, 0, 0, 8, b'f', b't', b'y', b'p'].to_vec();
        let len = moov.len() as u64;
        let pieces = vec![(0, ftyp), (8, media_head(999_976).to_vec()), (1_000_000, moov)];
        let (_, reads, most) = inspect(&Sparse { pieces, size: 1_000_000 + len });
        prop_assert!(reads <= MAX_READS && most <= TABLE_BYTES);
    }
}
