//! A concatenation pipeline: the chunks of a capture that has ended, joined to one file of each kind.

use std::sync::Arc;

use bytes::Bytes;
use local_media::mp4::{Movie, Mp4Error, join};

use super::artifacts::{Sink, started_ms};
use super::fault::OutputFault;
use super::input::{ArtifactState, ConcatenatedArtifacts};
use crate::s3::{Object, S3};

/// By so much the sound outlasts the pictures when the tracks are out of step.
const APART_US: u64 = 3_000_000;

#[derive(Debug)]
pub(super) struct Concatenation {
    pub(super) source: Source,
    pub(super) artifacts: ConcatenatedArtifacts,
    pub(super) fault: Option<OutputFault>,
    pub(super) joined: Option<Joined>,
}

/// The chunks that a concatenation has joined, which is known after the chunks are deleted.
#[derive(Clone, Debug)]
pub(super) struct Joined {
    /// The file of sound.
    pub(super) file: Arc<Object>,
    /// From the start of the first chunk to that of the last one.
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
}

/// The capture.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) id: String,
    pub(super) sink: Sink,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub(super) enum JoinError {
    #[error("the capture has no chunks of sound")]
    NoChunks,
    #[error("the chunk {key} cannot be read")]
    Chunk { key: String, source: Mp4Error },
    #[error("the file is not written")]
    File(#[source] Mp4Error),
}

impl Concatenation {
    /// Puts the files of all kinds that are wanted and of which there are chunks.
    pub(super) fn run(&self, s3: &S3, id: &str, sink: &Sink) -> Result<Option<Joined>, JoinError> {
        let base = sink.base(id);
        let sound = self.movie(s3, "audio")?.ok_or(JoinError::NoChunks)?;
        let file = format!("{base}/audio/{id}.mp4");
        sink.put(s3, &file, sound);
        let times = self.chunks(s3, "audio").into_iter().filter_map(|(key, _)| started_ms(&key));
        let times: Vec<i64> = times.collect();
        let joined = s3.object(&sink.bucket, &file).and_then(|object| {
            let (from_ms, to_ms) = (*times.first()?, *times.last()?);
            Some(Joined { file: object, from_ms, to_ms })
        });
        if self.artifacts.composited_video.state == ArtifactState::Enabled
            && let Some(pictures) = self.movie(s3, "composited-video")?
        {
            sink.put(s3, &format!("{base}/composited-video/{id}.mp4"), pictures);
        }
        let texts = [
            ("data-channel", &self.artifacts.data_channel),
            ("meeting-events", &self.artifacts.meeting_events),
            ("transcription-messages", &self.artifacts.transcription_messages),
        ];
        for (folder, wanted) in texts {
            let lines: Vec<Bytes> = self.chunks(s3, folder).into_iter().map(|(_, bytes)| bytes).collect();
            if wanted.state == ArtifactState::Enabled && !lines.is_empty() {
                sink.put(s3, &format!("{base}/{folder}/{id}.txt"), lines.join(&b'\n').into());
            }
        }
        Ok(joined)
    }

    /// The chunks of a folder, the oldest first.
    fn chunks(&self, s3: &S3, folder: &str) -> Vec<(String, Bytes)> {
        let Source { id, sink } = &self.source;
        let folder = format!("{}/{folder}/", sink.base(id));
        // A file of a concatenation into the same folder is no chunk.
        let keys = s3.keys(&sink.bucket).into_iter();
        let keys = keys.filter(|key| key.starts_with(&folder) && started_ms(key).is_some());
        keys.filter_map(|key| Some((key.clone(), s3.object(&sink.bucket, &key)?.bytes().ok()?))).collect()
    }

    fn movie(&self, s3: &S3, folder: &str) -> Result<Option<Bytes>, JoinError> {
        let mut chunks = self.chunks(s3, folder);
        match self.fault {
            Some(OutputFault::Truncated) => chunks.truncate(chunks.len() / 2),
            Some(OutputFault::LastChunkMissing) => drop(chunks.pop()),
            Some(OutputFault::TracksApart | OutputFault::Never | OutputFault::Fails) | None => {}
        }
        let mut movies = Vec::with_capacity(chunks.len());
        for (key, bytes) in chunks {
            let started_ms = started_ms(&key).unwrap_or_default();
            let movie = Movie::read(&bytes).map_err(|source| JoinError::Chunk { key, source })?;
            movies.push((started_ms, movie));
        }
        let Some(first_ms) = movies.first().map(|(started_ms, _)| *started_ms) else { return Ok(None) };
        let offset_us = |started_ms: i64| u64::try_from(started_ms - first_ms).unwrap_or_default() * 1_000;
        let mut joined = join(movies.iter().map(|(started_ms, movie)| (offset_us(*started_ms), movie)));
        if self.fault == Some(OutputFault::TracksApart) {
            joined.append_silence(APART_US);
        }
        joined.write().map(Some).map_err(JoinError::File)
    }
}
