//! MP4 files for tests: a small real one, and the tables of one of hours.

use mp4_atom::{Co64, Decode as _, Encode as _, FourCC, Header, Moov, StszSamples, Stts, SttsEntry};
use muxide::api::{AudioCodec, MuxerBuilder, VideoCodec};

/// A picture with its parameters, as an encoder makes it.
const PICTURE: &[u8] = &[
    0, 0, 0, 1, 0x67, 0x42, 0x00, 0x1e, 0x95, 0xa8, 0x28, 0x28, 0x28, // SPS
    0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, // PPS
    0, 0, 0, 1, 0x65, 0x88, 0x84, 0x00, 0x00, 0x03, 0x00, 0x00, 0x03, // IDR
];

/// Opus: 20 ms of silence.
const SOUND: &[u8] = &[0xf8, 0xff, 0xfe];

/// H.264 at 10 pictures a second and Opus, each so many seconds.
pub(crate) fn small(video: u32, audio: u32, moov_first: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let muxer = MuxerBuilder::new(&mut file)
        .video(VideoCodec::H264, 640, 480, 10.0)
        .audio(AudioCodec::Opus, 48_000, 1)
        .with_fast_start(moov_first);
    let mut muxer = muxer.build().expect("a muxer of H.264 and Opus");
    for picture in 0..video * 10 {
        muxer.write_video(f64::from(picture) / 10.0, PICTURE, true).expect("a picture");
    }
    for sound in 0..audio * 50 {
        muxer.write_audio(f64::from(sound) / 50.0, SOUND).expect("a packet");
    }
    muxer.finish().expect("a whole file");
    file
}

/// The boxes of a file's top level: kind, first byte and end.
pub(crate) fn boxes(file: &[u8]) -> Vec<([u8; 4], usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < file.len() {
        let mut rest = &file[at..];
        let head = Header::decode(&mut rest).expect("a head");
        let body = file.len() - rest.len();
        let end = body + head.size.expect("a size");
        found.push((head.kind.into(), at, end));
        at = end;
    }
    found
}

/// The index of a file of hours, whose media data lies between `media.0` and `media.1`: pictures at changing rates (some 30 a second), with the
/// durations of each in `stts`, and sound in packets of 20 ms.
pub(crate) fn long_moov(seconds: u32, media: (u64, u64)) -> Vec<u8> {
    let file = small(1, 1, true);
    let (_, from, to) = *boxes(&file).iter().find(|it| &it.0 == b"moov").expect("an index");
    let mut moov = Moov::decode(&mut &file[from..to]).expect("it can be read");
    for track in &mut moov.trak {
        let unit = track.mdia.mdhd.timescale;
        let video = track.mdia.hdlr.handler == FourCC::new(b"vide");
        let table = &mut track.mdia.minf.stbl;
        let rate = if video { 30 } else { 50 };
        let samples = seconds * rate;
        table.stts = if video {
            let delta = |at: u32| if at.is_multiple_of(2) { unit / 30 - 1 } else { unit / 30 + 1 };
            let entry = |at| SttsEntry { sample_count: 1, sample_delta: delta(at) };
            Stts { entries: (0..samples).map(entry).collect() }
        } else {
            Stts { entries: vec![SttsEntry { sample_count: samples, sample_delta: unit / 50 }] }
        };
        table.stsz.samples = StszSamples::Different { sizes: vec![1000; samples as usize] };
        table.stco = None;
        let chunks = u64::from(seconds);
        let offset = |at| media.0 + (media.1 - media.0) / chunks * at;
        table.co64 = Some(Co64 { entries: (0..chunks).map(offset).collect() });
    }
    let mut bytes = Vec::new();
    moov.encode(&mut bytes).expect("it can be written");
    bytes
}

/// The head of a box of media data whose body has so many bytes, always in 16 bytes.
pub(crate) fn media_head(bytes: u64) -> [u8; 16] {
    let mut head = [0; 16];
    head[3] = 1;
    head[4..8].copy_from_slice(b"mdat");
    head[8..].copy_from_slice(&(bytes + 16).to_be_bytes());
    head
}
