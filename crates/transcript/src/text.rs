//! The text of a call: taken from the files of its captures.

use domain::Error;
use domain::audit::Origin;
use domain::id::CaptureId;
use domain::transcript::activity::Activity;
use domain::transcript::segments::{Attendees, Call, Fold, Folded};
use domain::transcript::{Interval, Turn, Voice};
use objects::Object;
use store::transcripts::{Speaking, StoredResult, StoredSegment, TextSource};
use time::OffsetDateTime;
use tokio::task::JoinSet;

use crate::App;

/// Files that are read at the same time: one of 5 s has some 20 KB, and a request takes some 30 ms.
const MAX_PARALLEL: usize = 16;

/// The largest file that is read. 3 hours of two talkers are 40 MB in 2,160 files.
const MAX_FILE_BYTES: i64 = 8 * 1024 * 1024;

/// Results that are stored by one statement.
const MAX_RESULTS: usize = 200;

/// The folder of a capture's text.
pub(crate) const TEXTS: &str = "/transcription-messages/";

/// The folder of the events of a capture's meeting.
const EVENTS: &str = "/meeting-events/";

/// The files of a capture from which a transcript is made.
#[derive(Debug, Default)]
pub(crate) struct CaptureFiles {
    pub(crate) texts: Vec<Object>,
    events: Vec<Object>,
}

impl App {
    /// Takes the text of a capture that has ended into the transcript. It may be repeated: the transcript is a function of the set of
    /// lines.
    ///
    /// # Errors
    /// Where S3 or the database is down: the text is taken again.
    pub(crate) async fn take_text(&self, capture: CaptureId, origin: &Origin) -> Result<(), Error> {
        let Some(source) = self.calls.store().load_text(capture).await? else { return Ok(()) };
        let mut fold = Fold::new(call(&source));
        let mut results = Vec::new();
        let CaptureFiles { texts, events } = self.list_files(capture, source.recorded).await?;
        for files in texts.chunks(MAX_PARALLEL) {
            for body in self.read(files).await? {
                for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    fold.push(line, &mut |folded| results.push(stored(folded)));
                }
            }
            if results.len() >= MAX_RESULTS {
                self.store(&source, &mut results).await?;
            }
        }
        let speaking = self.speaking(&source, &events).await?;
        let (counts, _) = fold.finish(&mut |folded| results.push(stored(folded)));
        self.store(&source, &mut results).await?;
        self.calls.store().text_taken(capture, &speaking, origin.now).await?;
        tracing::info!(
            capture = %capture, files = texts.len(), lines = counts.lines, skipped = counts.skipped.total(),
            unfinished = counts.unfinished, outside_call = counts.outside_call, "text of a capture taken"
        );
        Ok(())
    }

    /// The texts and events of a capture, by name: with its recording, or for its text alone. The guide shows the folders under the
    /// sink's prefix; users also report them under the pipeline's id
    /// (<https://docs.aws.amazon.com/chime-sdk/latest/dg/concat-folder-structure.html>).
    pub(crate) async fn list_files(&self, capture: CaptureId, recorded: bool) -> Result<CaptureFiles, Error> {
        let root = if recorded { "captures" } else { "speech" };
        let prefix = format!("{root}/{capture}/");
        let (mut files, mut next) = (CaptureFiles::default(), None);
        loop {
            let page = self.objects.list(&prefix, next.as_deref()).await?;
            for object in page.objects {
                if object.key.contains(TEXTS) {
                    files.texts.push(object);
                } else if object.key.contains(EVENTS) {
                    files.events.push(object);
                }
            }
            next = page.next;
            if next.is_none() {
                return Ok(files);
            }
        }
    }

    /// The times at which each attendee spoke, by the capture's files of events.
    async fn speaking(&self, source: &TextSource, events: &[Object]) -> Result<Vec<Speaking>, Error> {
        let mut activity = Activity::default();
        for files in events.chunks(MAX_PARALLEL) {
            for body in self.read(files).await? {
                body.split(|byte| *byte == b'\n').for_each(|line| activity.push(line));
            }
        }
        let spoken = activity.intervals(milliseconds(source.call_began_at), &Attendees::default());
        let named = spoken.into_iter().filter_map(|(voice, interval)| match voice {
            // Without a table of attendees, each voice is its attendee's id.
            Voice::Unknown(id) => Some(Speaking(interval.start_ms, interval.end_ms, id)),
            Voice::Participant { .. } | Voice::Content { .. } => None,
        });
        Ok(named.collect())
    }

    pub(crate) async fn read(&self, files: &[Object]) -> Result<Vec<Vec<u8>>, Error> {
        let mut reading = JoinSet::new();
        for file in files {
            if file.size > MAX_FILE_BYTES {
                tracing::error!(key = %file.key, bytes = file.size, "text file too large, left out");
                continue;
            }
            let (objects, key) = (self.objects.clone(), file.key.clone());
            reading.spawn(async move { objects.read(&key).await });
        }
        let mut bodies = Vec::with_capacity(files.len());
        while let Some(read) = reading.join_next().await {
            bodies.push(read.map_err(Error::internal)??);
        }
        Ok(bodies)
    }

    async fn store(&self, source: &TextSource, results: &mut Vec<StoredResult>) -> Result<(), Error> {
        for some in results.chunks(MAX_RESULTS) {
            self.calls.store().store_segments(source.transcript_id, some).await?;
        }
        results.clear();
        Ok(())
    }
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

fn call(source: &TextSource) -> Call {
    let began_at_ms = milliseconds(source.call_began_at);
    let revoked = source.revoked_at.and_then(|from| {
        // Until the capture's end: the next one is opened with everyone's consent.
        Interval::new(
            milliseconds(from) - began_at_ms,
            (milliseconds(source.ended_at) - began_at_ms).saturating_add(1),
        )
    });
    Call {
        began_at_ms,
        attendees: source
            .attendees
            .iter()
            .map(|one| (one.attendee_id.clone(), one.user_id, one.role))
            .collect(),
        language: source.language.clone().unwrap_or_default(),
        revoked: revoked.into_iter().collect(),
    }
}

/// Ranks are ordered as numbers, those of the database as text.
fn rank(folded: &Folded) -> String {
    let rank = folded.rank;
    format!("{}-{:020}-{:020}", u8::from(rank.last), rank.end_ms.max(0), rank.digest)
}

fn stored(folded: Folded) -> StoredResult {
    let rank = rank(&folded);
    StoredResult { result_id: folded.result, rank, segments: folded.turns.into_iter().map(segment).collect() }
}

pub(crate) fn segment(turn: Turn) -> StoredSegment {
    let (user_id, role, content, speaker) = match turn.voice {
        Voice::Participant { user, role } => (Some(user), Some(role), false, None),
        Voice::Content { user, role } => (Some(user), Some(role), true, None),
        Voice::Unknown(id) => (None, None, false, Some(id)),
    };
    StoredSegment {
        place: turn.index,
        source: turn.source.as_str(),
        start_ms: turn.start_ms.max(0),
        end_ms: turn.end_ms.max(turn.start_ms).max(0),
        user_id,
        role,
        content,
        speaker,
        body: turn.text,
        language: turn.language,
        confidence: turn.confidence,
        spans: serde_json::to_value(turn.spans).unwrap_or_default(),
        unfinished: turn.unfinished,
        revoked: turn.revoked,
    }
}
