//! A movie as a file.

use bytes::Bytes;
use mp4_atom::{
    Audio, Avc1, Avcc, Co64, Codec, Dinf, Dops, Dref, DrefEntry, Edts, Encode as _, FourCC, Ftyp, Hdlr, Mdhd,
    Mdia, Minf, Moov, Mvhd, Opus, Smhd, Stbl, Stco, Stsc, StscEntry, Stsd, Stss, Stsz, StszSamples, Stts,
    SttsEntry, Tkhd, Trak, Url, Visual, Vmhd,
};

use super::layout::{Group, Sample, arrange};
use super::{Movie, Mp4Error, PACKET_US, SILENCE, h264};

const MOVIE_TICKS: u32 = 1_000;
const PICTURE_TICKS: u32 = 90_000;
/// Opus counts at 48 kHz (RFC 7845).
const SOUND_TICKS: u32 = 48_000;
const BOX_HEADER_BYTES: usize = 8;

struct Track {
    pictures: bool,
    ticks: u32,
    entries: Vec<Codec>,
    samples: Vec<Sample>,
    end_us: u64,
}

pub(super) fn write(movie: &Movie) -> Result<Bytes, Mp4Error> {
    let tracks = [pictures(movie)?, sound(movie)?];
    let tracks: Vec<Track> = tracks.into_iter().flatten().collect();
    if tracks.is_empty() {
        return Err(Mp4Error::Empty);
    }
    let samples: Vec<&[Sample]> = tracks.iter().map(|track| track.samples.as_slice()).collect();
    let (groups, media) = arrange(&samples);
    let length: usize = media.iter().map(Bytes::len).sum();
    let brands = [b"isom", b"iso6", b"mp41"].map(FourCC::from);
    let mut file = Vec::new();
    Ftyp { major_brand: b"isom".into(), minor_version: 512, compatible_brands: brands.into() }
        .encode(&mut file)?;
    let head = file.len();
    let wide = u32::try_from(head + length + (1 << 24)).is_err();
    // The index has the same length whatever the offsets are.
    index(&tracks, &groups, 0, wide)?.encode(&mut file)?;
    let start = u64::try_from(file.len() + BOX_HEADER_BYTES)?;
    file.truncate(head);
    index(&tracks, &groups, start, wide)?.encode(&mut file)?;
    file.reserve_exact(BOX_HEADER_BYTES + length);
    file.extend(u32::try_from(BOX_HEADER_BYTES + length)?.to_be_bytes());
    file.extend(b"mdat");
    for sample in media {
        file.extend_from_slice(&sample);
    }
    Ok(file.into())
}

/// A time in ticks, rounded, so that no error adds up from sample to sample.
fn ticks(time_us: u64, per_second: u32) -> u64 {
    (time_us * u64::from(per_second) + 500_000) / 1_000_000
}

/// Gives each sample its duration: until the next one, the last until the end.
fn with_durations(mut samples: Vec<Sample>, end_us: u64, per_second: u32) -> Result<Vec<Sample>, Mp4Error> {
    let starts: Vec<u64> = samples.iter().map(|sample| sample.time_us).chain([end_us]).collect();
    for (sample, bounds) in samples.iter_mut().zip(starts.windows(2)) {
        let between = ticks(bounds[1], per_second).checked_sub(ticks(bounds[0], per_second));
        let between = between.ok_or(Mp4Error::Inconsistent("times do not grow"))?;
        sample.duration_ticks = between.try_into()?;
    }
    Ok(samples)
}

fn pictures(movie: &Movie) -> Result<Option<Track>, Mp4Error> {
    if movie.pictures.is_empty() {
        return Ok(None);
    }
    if movie.pictures.first().is_some_and(|first| first.time_us > 0 || !first.keyframe) {
        return Err(Mp4Error::NoParameterSets);
    }
    let mut known: Vec<h264::ParameterSets> = Vec::new();
    let (mut entry, mut samples) = (0, Vec::new());
    for picture in &movie.pictures {
        if picture.keyframe {
            let sets = h264::parameter_sets(&picture.data)?;
            entry = known.iter().position(|before| *before == sets).unwrap_or(known.len());
            if entry == known.len() {
                known.push(sets);
            }
        }
        let data = h264::to_file(&picture.data)?;
        let (time_us, keyframe) = (picture.time_us, picture.keyframe);
        samples.push(Sample { time_us, duration_ticks: 0, entry, keyframe, data });
    }
    let samples = with_durations(samples, movie.duration_us, PICTURE_TICKS)?;
    let entries = known.iter().map(picture_entry).collect::<Result<_, _>>()?;
    Ok(Some(Track { pictures: true, ticks: PICTURE_TICKS, entries, samples, end_us: movie.duration_us }))
}

fn picture_entry(sets: &h264::ParameterSets) -> Result<Codec, Mp4Error> {
    let visual =
        Visual { data_reference_index: 1, width: sets.width, height: sets.height, ..Visual::default() };
    let avcc = Avcc::new(&sets.sequence, &sets.picture)?;
    Ok(Avc1 { visual, avcc, ..Avc1::default() }.into())
}

fn sound(movie: &Movie) -> Result<Option<Track>, Mp4Error> {
    if movie.sound.is_empty() {
        return Ok(None);
    }
    let sample = |time_us, data| Sample { time_us, duration_ticks: 0, entry: 0, keyframe: true, data };
    let silence = Bytes::from_static(SILENCE);
    let (mut samples, mut end_us) = (Vec::with_capacity(movie.sound.len()), 0);
    for packet in &movie.sound {
        while packet.time_us >= end_us + PACKET_US {
            samples.push(sample(end_us, silence.clone()));
            end_us += PACKET_US;
        }
        let time_us = packet.time_us.max(end_us);
        samples.push(sample(time_us, packet.data.clone()));
        end_us = time_us + PACKET_US;
    }
    while end_us + PACKET_US <= movie.duration_us {
        samples.push(sample(end_us, silence.clone()));
        end_us += PACKET_US;
    }
    // A packet that begins after the end of the movie makes this track longer.
    let last_us = samples.last().map_or(0, |last| last.time_us);
    let end_us = if last_us < movie.duration_us { movie.duration_us } else { last_us + PACKET_US };
    let samples = with_durations(samples, end_us, SOUND_TICKS)?;
    let audio =
        Audio { data_reference_index: 1, channel_count: 1, sample_size: 16, sample_rate: 48_000.into() };
    let dops = Dops {
        output_channel_count: 1,
        pre_skip: 0,
        input_sample_rate: SOUND_TICKS,
        output_gain: 0,
        channel_mapping: None,
    };
    let entries = vec![Opus { audio, dops, btrt: None }.into()];
    Ok(Some(Track { pictures: false, ticks: SOUND_TICKS, entries, samples, end_us }))
}

fn index(tracks: &[Track], groups: &[Vec<Group>], start: u64, wide: bool) -> Result<Moov, Mp4Error> {
    let end_us = tracks.iter().map(|track| track.end_us).max().unwrap_or_default();
    let numbered = (1..).zip(tracks).zip(groups);
    let trak = numbered.map(|((id, track), groups)| self::track(id, track, groups, start, wide));
    let mvhd = Mvhd {
        timescale: MOVIE_TICKS,
        duration: ticks(end_us, MOVIE_TICKS),
        rate: 1.into(),
        volume: 1.into(),
        next_track_id: u32::try_from(tracks.len())? + 1,
        ..Mvhd::default()
    };
    let trak = trak.collect::<Result<_, _>>()?;
    Ok(Moov { mvhd, meta: None, mvex: None, trak, udta: None, ainf: None })
}

fn track(track_id: u32, track: &Track, groups: &[Group], start: u64, wide: bool) -> Result<Trak, Mp4Error> {
    // The greatest size, so that none is cut.
    let sides = |side: fn(&Visual) -> u16| {
        let all = track.entries.iter().filter_map(|entry| match entry {
            Codec::Avc1(avc1) => Some(side(&avc1.visual)),
            _ => None,
        });
        all.max().unwrap_or_default()
    };
    let tkhd = Tkhd {
        track_id,
        duration: ticks(track.end_us, MOVIE_TICKS),
        enabled: true,
        in_movie: true,
        volume: u8::from(!track.pictures).into(),
        width: sides(|visual| visual.width).into(),
        height: sides(|visual| visual.height).into(),
        ..Tkhd::default()
    };
    let media_duration = track.samples.iter().map(|sample| u64::from(sample.duration_ticks)).sum();
    let (handler, name) = if track.pictures { (b"vide", "pictures") } else { (b"soun", "sound") };
    let mdia = Mdia {
        mdhd: Mdhd {
            timescale: track.ticks,
            duration: media_duration,
            language: "und".to_owned(),
            ..Mdhd::default()
        },
        hdlr: Hdlr { handler: handler.into(), name: name.to_owned() },
        minf: Minf {
            vmhd: track.pictures.then(Vmhd::default),
            smhd: (!track.pictures).then(Smhd::default),
            dinf: Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } },
            stbl: tables(track, groups, start, wide)?,
            ..Minf::default()
        },
    };
    Ok(Trak { tkhd, edts: None::<Edts>, mdia, ..Trak::default() })
}

fn tables(track: &Track, groups: &[Group], start: u64, wide: bool) -> Result<Stbl, Mp4Error> {
    let mut stts: Vec<SttsEntry> = Vec::new();
    for sample in &track.samples {
        match stts.last_mut().filter(|last| last.sample_delta == sample.duration_ticks) {
            Some(last) => last.sample_count += 1,
            None => stts.push(SttsEntry { sample_count: 1, sample_delta: sample.duration_ticks }),
        }
    }
    let mut stsc: Vec<StscEntry> = Vec::new();
    for (first_chunk, group) in (1..).zip(groups) {
        let samples_per_chunk = group.samples.try_into()?;
        let sample_description_index = u32::try_from(group.entry)? + 1;
        let same = stsc.last().is_some_and(|last| {
            last.samples_per_chunk == samples_per_chunk
                && last.sample_description_index == sample_description_index
        });
        if !same {
            stsc.push(StscEntry { first_chunk, samples_per_chunk, sample_description_index });
        }
    }
    let sizes = track.samples.iter().map(|sample| sample.data.len().try_into()).collect::<Result<_, _>>()?;
    let keyframes = (1..).zip(&track.samples).filter(|(_, sample)| sample.keyframe).map(|(number, _)| number);
    let offsets = groups.iter().map(|group| start + group.offset);
    let (stco, co64) = if wide {
        (None, Some(Co64 { entries: offsets.collect() }))
    } else {
        (Some(Stco { entries: offsets.map(u32::try_from).collect::<Result<_, _>>()? }), None)
    };
    Ok(Stbl {
        stsd: Stsd { codecs: track.entries.clone() },
        stts: Stts { entries: stts },
        stss: track.pictures.then(|| Stss { entries: keyframes.collect() }),
        stsc: Stsc { entries: stsc },
        stsz: Stsz { samples: StszSamples::Different { sizes } },
        stco,
        co64,
        ..Stbl::default()
    })
}
