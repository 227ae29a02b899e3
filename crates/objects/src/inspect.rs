//! Reads a recording's file by ranged GETs.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use domain::recording::segment;
use time::Duration;
use tokio::time::timeout;

use crate::mp4::{self, Ranges, Stop};
use crate::{DEADLINE, Error, Objects};

/// The result of reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// An MP4 file that is complete in itself.
    File {
        file: segment::File,
        tracks: Vec<Track>,
        /// In bytes.
        size: u64,
    },
    /// Not an MP4 file, damaged, or not readable within the limits.
    Unverifiable { reason: &'static str },
}

/// A track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    pub kind: TrackKind,
    /// From the beginning of the file to the end of the track.
    pub duration: Duration,
}

/// Sound or pictures; other tracks are not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackKind {
    Audio,
    Video,
}

impl Objects {
    /// Reads the tracks and their durations of an MP4 file, in at most 12 requests and 2 MiB of memory. All requests are of the
    /// same version.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when S3 does not answer. That the file is not what it should be is no error.
    pub async fn inspect(&self, key: &str) -> Result<Inspection, Error> {
        let first = match self.range(key, None, 0, mp4::FIRST_READ_BYTES).await {
            Ok(first) => first,
            // There is no first byte.
            Err(Error::Refused { code, .. }) if code == "InvalidRange" => {
                return Ok(Inspection::Unverifiable { reason: "it is empty" });
            }
            Err(error) => return Err(error),
        };
        let (size, etag) = (first.size, first.etag);
        let object = Object { objects: self, key, etag };
        match mp4::tracks(size, first.bytes, object).await {
            Ok(tracks) => {
                let durations = tracks.iter().map(|it| it.duration);
                let longest_track = durations.clone().max().unwrap_or_default();
                let shortest_track = durations.min().unwrap_or_default();
                Ok(Inspection::File { file: segment::File { shortest_track, longest_track }, tracks, size })
            }
            Err(Stop::Unverifiable(reason)) => Ok(Inspection::Unverifiable { reason }),
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    async fn range(&self, key: &str, etag: Option<&str>, at: u64, len: usize) -> Result<Range, Error> {
        let last = at + len as u64 - 1;
        let get = self.client.get_object().bucket(&self.bucket).key(key).range(format!("bytes={at}-{last}"));
        let get = get.set_if_match(etag.map(str::to_owned));
        let read = async {
            let answer = get.send().await.map_err(Error::s3)?;
            let size = size(&answer).ok_or(Error::Unexpected("a range has no Content-Range"))?;
            let etag = answer.e_tag().unwrap_or_default().to_owned();
            let mut body = answer.body;
            let mut bytes = Vec::new();
            while let Some(part) = body.next().await {
                let part =
                    part.map_err(|error| Error::Unavailable { backend: "s3", source: Box::new(error) })?;
                bytes.extend_from_slice(&part);
                if bytes.len() > len {
                    return Err(Error::Unexpected("a range is longer than it was asked for"));
                }
            }
            Ok(Range { bytes, size, etag })
        };
        timeout(DEADLINE, read).await.map_err(Error::late("s3"))?
    }
}

/// One version of an object.
struct Object<'a> {
    objects: &'a Objects,
    key: &'a str,
    etag: String,
}

impl Ranges for Object<'_> {
    type Error = Error;

    async fn read(&mut self, at: u64, len: usize) -> Result<Vec<u8>, Error> {
        Ok(self.objects.range(self.key, Some(&self.etag), at, len).await?.bytes)
    }
}

struct Range {
    bytes: Vec<u8>,
    /// Of the whole object.
    size: u64,
    etag: String,
}

/// `bytes 0-65535/2147483648`
fn size(answer: &GetObjectOutput) -> Option<u64> {
    answer.content_range()?.rsplit_once('/')?.1.parse().ok()
}
