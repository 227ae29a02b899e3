//! Files as a player finds them.

use mp4_atom::{Codec, Moov};

use super::*;

fn chunk(index: usize) -> Movie {
    example(BarsChunk { index, pictures: true, tone: true })
}

fn index(file: &[u8]) -> Moov {
    read::index(file).expect("it was written here")
}

/// The sum of the durations of each track's samples, in milliseconds.
fn track_durations_ms(moov: &Moov) -> Vec<u64> {
    let of_track = |track: &mp4_atom::Trak| {
        let entries = track.mdia.minf.stbl.stts.entries.iter();
        let ticks: u64 = entries.map(|it| u64::from(it.sample_count) * u64::from(it.sample_delta)).sum();
        ticks * 1_000 / u64::from(track.mdia.mdhd.timescale)
    };
    moov.trak.iter().map(of_track).collect()
}

#[test]
fn an_example_is_the_same_after_it_was_written_and_read() {
    for (pictures, tone) in [(true, true), (true, false), (false, true)] {
        let movie = example(BarsChunk { index: 3, pictures, tone });
        let file = movie.write().expect("it has sound");
        assert_eq!(Movie::read(&file).expect("it was written here"), movie);
    }
}

#[test]
fn the_index_stands_before_the_media() {
    let file = chunk(0).write().expect("it has both");
    let place = |kind: &[u8; 4]| file.windows(4).position(|bytes| bytes == kind).expect("it is there");
    assert!(place(b"ftyp") < place(b"moov") && place(b"moov") < place(b"mdat"));
}

#[test]
fn both_tracks_of_a_joined_file_last_as_long_as_its_chunks() {
    let chunks: Vec<Movie> = (0..7).map(chunk).collect();
    let file = join((0..).map(|n| n * EXAMPLE_DURATION_US).zip(&chunks)).write().expect("it has both");
    let moov = index(&file);
    assert_eq!((moov.mvhd.duration, track_durations_ms(&moov)), (35_000, vec![35_000, 35_000]));
    let entries = &moov.trak[0].mdia.minf.stbl.stsd.codecs;
    assert_eq!(entries.len(), 1, "one size, one entry");
    let read = Movie::read(&file).expect("it was written here");
    assert_eq!((read.pictures.len(), read.sound.len()), (7 * 25, 7 * 250));
    assert_eq!(read.pictures.iter().filter(|picture| picture.keyframe).count(), 7);
    assert_eq!(read.pictures[25].data, chunks[1].pictures[0].data, "the second chunk's bars have moved");
}

#[test]
fn a_gap_between_chunks_is_kept_without_picture_and_sound() {
    let (first, second) = (chunk(0), chunk(1));
    let movie = join([(0, &first), (12_003_000, &second)]);
    let file = movie.write().expect("it has both");
    let moov = index(&file);
    assert_eq!((moov.mvhd.duration, track_durations_ms(&moov)), (17_003, vec![17_003, 17_003]));
    let read = Movie::read(&file).expect("it was written here");
    let grey: Vec<u64> =
        read.pictures.iter().filter(|it| it.data == blank_picture(96, 64)).map(|it| it.time_us).collect();
    assert_eq!(grey, [5_000_000], "one grey picture from the end of the first chunk");
    let silent = read.sound.iter().filter(|it| it.data == SILENCE).count();
    assert_eq!(silent, 350, "7 s in packets of 20 ms");
    let resumed = read.sound.iter().find(|it| it.time_us >= 12_000_000 && it.data != SILENCE);
    assert_eq!(resumed.map(|it| it.time_us), Some(12_003_000));
}

#[test]
fn chunks_without_pictures_get_grey_ones_among_others() {
    let dark = example(BarsChunk { index: 0, pictures: false, tone: true });
    let bright = chunk(1);
    let starts = [0, 5_000_000, 10_000_000, 15_000_000];
    let movie = join(starts.into_iter().zip([&dark, &dark, &bright, &dark]));
    let file = movie.write().expect("the first picture is made");
    assert_eq!(track_durations_ms(&index(&file)), [20_000, 20_000]);
    let grey = movie.pictures.iter().filter(|it| it.data == blank_picture(96, 64)).map(|it| it.time_us);
    assert_eq!(grey.collect::<Vec<_>>(), [0, 15_000_000]);
    let dark_only = join([(0, &dark), (5_000_000, &dark)]);
    assert!(dark_only.pictures.is_empty(), "without any picture there is no track of them");
    assert_eq!(track_durations_ms(&index(&dark_only.write().expect("it has sound"))), [10_000]);
}

#[test]
fn another_size_is_a_second_sample_entry() {
    let small = chunk(0);
    let large = Picture { time_us: 0, keyframe: true, data: blank_picture(320, 180) };
    let large = Movie { pictures: vec![large], ..small.clone() };
    let movie = join([(0, &small), (5_000_000, &large), (10_000_000, &small)]);
    let moov = index(&movie.write().expect("it has both"));
    let pictures = &moov.trak[0];
    let size = |codec: &Codec| match codec {
        Codec::Avc1(avc1) => (avc1.visual.width, avc1.visual.height),
        other => unreachable!("no H.264: {other:?}"),
    };
    let sizes: Vec<(u16, u16)> = pictures.mdia.minf.stbl.stsd.codecs.iter().map(size).collect();
    assert_eq!(sizes, [(96, 64), (320, 180)]);
    let runs = pictures.mdia.minf.stbl.stsc.entries.iter().map(|it| it.sample_description_index);
    let mut runs: Vec<u32> = runs.collect();
    runs.dedup();
    assert_eq!(runs, [1, 2, 1], "the first entry again after the second");
    assert_eq!((pictures.tkhd.width.integer(), pictures.tkhd.height.integer()), (320, 180));
}

#[test]
fn missing_packets_are_silence_and_a_short_last_chunk_ends_where_it_ends() {
    let mut movie = chunk(0);
    movie.sound.retain(|packet| !(1_000_000..1_100_000).contains(&packet.time_us));
    let file = movie.cut(2_345_000).write().expect("it has both");
    assert_eq!(track_durations_ms(&index(&file)), [2_345, 2_345]);
    let read = Movie::read(&file).expect("it was written here");
    let silent = read.sound.iter().filter(|it| it.data == SILENCE).map(|it| it.time_us);
    assert_eq!(silent.collect::<Vec<_>>(), [1_000_000, 1_020_000, 1_040_000, 1_060_000, 1_080_000]);
}

#[test]
fn sound_after_the_end_makes_its_track_longer_than_that_of_the_pictures() {
    let mut movie = chunk(0);
    movie.append_silence(3_000_000);
    let moov = index(&movie.write().expect("it has both"));
    assert_eq!((moov.mvhd.duration, track_durations_ms(&moov)), (8_000, vec![5_000, 8_000]));
}

#[test]
fn a_chunk_that_starts_too_early_is_moved_to_the_end_of_the_one_before() {
    let chunks = [chunk(0), chunk(1)];
    let movie = join([(0, &chunks[0]), (4_999_000, &chunks[1])]);
    assert_eq!((movie.duration_us, movie.pictures[25].time_us), (10_000_000, 5_000_000));
}

#[test]
fn what_is_no_file_is_refused() {
    let file = chunk(0).write().expect("it has both");
    assert!(matches!(Movie::default().write(), Err(Mp4Error::Empty)));
    assert!(Movie::read(b"").is_err());
    assert!(Movie::read(&file[..file.len() - 1]).is_err(), "the last sample is cut");
    let mut late = chunk(0);
    late.pictures.remove(0);
    assert!(matches!(late.write(), Err(Mp4Error::NoParameterSets)));
}

#[test]
fn the_example_sounds_at_its_pitch() {
    let mut decoder = crate::mix::Decoder::new();
    let mut samples = std::collections::VecDeque::new();
    for packet in &chunk(0).sound {
        decoder.decode(&packet.data, &mut samples).expect("it was encoded here");
    }
    let rises = samples.iter().zip(samples.iter().skip(1)).filter(|(a, b)| **a < 0 && **b >= 0).count();
    let expected = usize::from(TONE_HZ) * 5;
    assert!((expected - 15..=expected + 15).contains(&rises), "{rises} periods in 5 s, not {expected}");
    let mut silent = std::collections::VecDeque::new();
    crate::mix::Decoder::new().decode(SILENCE, &mut silent).expect("it is a packet");
    assert_eq!(silent.len(), 960);
    assert!(silent.iter().all(|sample| sample.abs() < 8), "{silent:?}");
}
