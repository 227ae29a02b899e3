//! The objects of recordings on the local cloud's S3.

mod chunks;
mod copy;
mod file;
mod links;
mod memory;
#[path = "../../src/mp4/sample.rs"]
mod sample;
mod versions;

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use local::s3::ObjectHeaders;
use local_testing::{ObjectCloud, TestResult};
use objects::Objects;

const BUCKET: &str = ObjectCloud::BUCKET;
const GIB: u64 = 1024 * 1024 * 1024;

fn objects(cloud: &ObjectCloud) -> Objects {
    Objects::new(cloud.sdk(), BUCKET)
}

fn put(cloud: &ObjectCloud, key: &str, bytes: impl Into<bytes::Bytes>) -> TestResult {
    Ok(cloud.s3.put(BUCKET, key, bytes.into(), ObjectHeaders::default())?)
}

/// Requests of an operation so far.
fn calls(cloud: &ObjectCloud, operation: &str) -> usize {
    cloud.calls.since(0).iter().filter(|it| it.operation == operation).count()
}

/// A recording of three hours and so many bytes, its media data a hole in the file.
fn long(size: u64, moov_first: bool) -> TestResult<File> {
    const SECONDS: u32 = 10_800;
    let small = sample::small(1, 1, true);
    let (_, _, head) = sample::boxes(&small)[0];
    let (ftyp, head) = (&small[..head], head as u64);
    let len = sample::long_moov(SECONDS, (0, size)).len() as u64;
    let (moov_at, media_at) = if moov_first { (head, head + len) } else { (size - len, head) };
    let media = (media_at + 16, media_at + size - head - len);
    let file = tempfile::tempfile()?;
    file.set_len(size)?;
    file.write_all_at(ftyp, 0)?;
    file.write_all_at(&sample::media_head(media.1 - media.0), media_at)?;
    file.write_all_at(&sample::long_moov(SECONDS, media), moov_at)?;
    Ok(file)
}
