//! A file as a movie.

use bytes::Bytes;
use mp4_atom::{Atom as _, Decode as _, Header, Moov, Stbl, StszSamples, Trak};

use super::{Movie, Mp4Error, Packet, Picture, h264};

const NO_INDEX: Mp4Error = Mp4Error::Inconsistent("there is no moov");
const NO_OFFSETS: Mp4Error = Mp4Error::Inconsistent("samples have no offset");

pub(super) fn read(file: &[u8]) -> Result<Movie, Mp4Error> {
    let moov = index(file)?;
    let per_second = u64::from(moov.mvhd.timescale).max(1);
    let mut movie = Movie { duration_us: moov.mvhd.duration * 1_000_000 / per_second, ..Movie::default() };
    for track in &moov.trak {
        let samples = samples(file, track)?;
        if track.mdia.minf.vmhd.is_some() {
            let keyframes = track.mdia.minf.stbl.stss.as_ref();
            for (number, (time_us, data)) in (1..).zip(samples) {
                let keyframe = keyframes.is_none_or(|all| all.entries.binary_search(&number).is_ok());
                movie.pictures.push(Picture { time_us, keyframe, data: h264::from_file(data)? });
            }
        } else {
            let packet = |(time_us, data)| Packet { time_us, data: Bytes::copy_from_slice(data) };
            movie.sound.extend(samples.into_iter().map(packet));
        }
    }
    Ok(movie)
}

pub(super) fn index(file: &[u8]) -> Result<Moov, Mp4Error> {
    let mut rest = file;
    while !rest.is_empty() {
        let mut body = rest;
        let header = Header::decode(&mut body)?;
        let length = header.size.unwrap_or(body.len());
        let (found, after) = body.split_at_checked(length).ok_or(NO_INDEX)?;
        if header.kind == Moov::KIND {
            let mut found = found;
            return Ok(Moov::decode_body(&mut found)?);
        }
        rest = after;
    }
    Err(NO_INDEX)
}

/// Each sample's time and bytes.
fn samples<'f>(file: &'f [u8], track: &Trak) -> Result<Vec<(u64, &'f [u8])>, Mp4Error> {
    let tables = &track.mdia.minf.stbl;
    let per_second = u64::from(track.mdia.mdhd.timescale).max(1);
    let deltas = tables.stts.entries.iter();
    let deltas = deltas.flat_map(|entry| (0..entry.sample_count).map(|_| u64::from(entry.sample_delta)));
    let mut ticks = 0;
    let times = deltas.map(|delta| {
        let time_us = (ticks * 1_000_000 + per_second / 2) / per_second;
        ticks += delta;
        time_us
    });
    let mut sizes = sizes(tables)?.into_iter();
    let mut all = Vec::with_capacity(sizes.len());
    for (offset, count) in groups(tables)? {
        let mut rest = file.get(usize::try_from(offset)?..).ok_or(NO_OFFSETS)?;
        for size in sizes.by_ref().take(count) {
            let (sample, after) = rest.split_at_checked(size).ok_or(NO_OFFSETS)?;
            all.push(sample);
            rest = after;
        }
    }
    Ok(times.zip(all).collect())
}

fn sizes(tables: &Stbl) -> Result<Vec<usize>, Mp4Error> {
    match &tables.stsz.samples {
        StszSamples::Identical { count, size } => Ok(vec![usize::try_from(*size)?; usize::try_from(*count)?]),
        StszSamples::Different { sizes } => {
            Ok(sizes.iter().map(|size| usize::try_from(*size)).collect::<Result<_, _>>()?)
        }
    }
}

/// The offset and number of samples of each group.
fn groups(tables: &Stbl) -> Result<Vec<(u64, usize)>, Mp4Error> {
    let offsets: Vec<u64> = match (&tables.stco, &tables.co64) {
        (Some(stco), _) => stco.entries.iter().copied().map(u64::from).collect(),
        (None, Some(co64)) => co64.entries.clone(),
        (None, None) => return Err(NO_OFFSETS),
    };
    let mut runs = tables.stsc.entries.iter().peekable();
    let mut samples = 0;
    let mut groups = Vec::with_capacity(offsets.len());
    for (number, offset) in (1..).zip(offsets) {
        if let Some(run) = runs.next_if(|run| run.first_chunk == number) {
            samples = usize::try_from(run.samples_per_chunk)?;
        }
        groups.push((offset, samples));
    }
    Ok(groups)
}
