//! The chunks of a capture.

use domain::recording::segment;
use time::{Date, Duration, Month, OffsetDateTime, Time};

use crate::{Error, Inspection, Objects};

/// A chunk's duration unless it is the last
/// (<https://docs.aws.amazon.com/chime-sdk/latest/dg/configure-audio.html>).
const CHUNK: Duration = Duration::seconds(5);

/// The folders whose chunks cover a whole capture: sound with the active speaker's picture, or with the grid. Those of single
/// attendees and of shared content have gaps.
const FOLDERS: [&str; 2] = ["audio", "composited-video"];

/// The chunks of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks {
    pub span: segment::Chunks,
    pub count: u64,
    /// The last one's key.
    pub last_key: String,
}

impl Objects {
    /// The chunks below a prefix, by their names; none if there are none. One request for each 1,000 objects, and those that read
    /// the last chunk for its duration. A last chunk that cannot be read counts 5 s.
    ///
    /// # Errors
    /// When S3 does not answer, or a chunk's name has no time: then nothing is known of the capture's duration.
    pub async fn chunks(&self, prefix: &str) -> Result<Option<Chunks>, Error> {
        let mut found: Option<Chunks> = None;
        let mut pages =
            self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(Error::s3)?;
            for key in page.contents().iter().filter_map(|it| it.key()) {
                let Some(name) = chunk_name(key) else { continue };
                let at = began_at(name).ok_or(Error::Unexpected("a chunk's name has no time"))?;
                add(&mut found, key, at);
            }
        }
        if let Some(found) = &mut found {
            match self.inspect(&found.last_key).await {
                Ok(Inspection::File { file, .. }) => found.span.last_length = file.longest_track,
                // Chime's own 5 s: at most that much too long, half of what may be missing.
                Ok(Inspection::Unverifiable { .. }) | Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

fn add(found: &mut Option<Chunks>, key: &str, at: OffsetDateTime) {
    let Some(found) = found else {
        let span = segment::Chunks { first_at: at, last_at: at, last_length: CHUNK };
        *found = Some(Chunks { span, count: 1, last_key: key.to_owned() });
        return;
    };
    found.count += 1;
    found.span.first_at = found.span.first_at.min(at);
    if at >= found.span.last_at {
        found.span.last_at = at;
        key.clone_into(&mut found.last_key);
    }
}

/// The name without its ending, if the object is a chunk. A concatenated file is named by its pipeline's id
/// (<https://docs.aws.amazon.com/chime-sdk/latest/dg/concat-folder-structure.html>).
fn chunk_name(key: &str) -> Option<&str> {
    let (folder, name) = key.rsplit_once('/')?;
    let folder = folder.rsplit('/').next().unwrap_or(folder);
    let name = name.strip_suffix(".mp4")?;
    let concatenated = name.len() == 36 && name.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    (FOLDERS.contains(&folder) && !concatenated).then_some(name)
}

/// `yyyy-mm-dd-hour-min-seconds-milliseconds`, in UTC, when the chunk began
/// (<https://docs.aws.amazon.com/chime-sdk/latest/dg/configure-audio.html>).
fn began_at(name: &str) -> Option<OffsetDateTime> {
    let mut parts = name.splitn(8, '-');
    let year: i32 = number(parts.next()?)?;
    let month: u8 = number(parts.next()?)?;
    let day: u8 = number(parts.next()?)?;
    let hour: u8 = number(parts.next()?)?;
    let minute: u8 = number(parts.next()?)?;
    let second: u8 = number(parts.next()?)?;
    let millisecond: u16 = number(parts.next()?)?;
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let time = Time::from_hms_milli(hour, minute, second, millisecond).ok()?;
    Some(date.with_time(time).assume_utc())
}

/// Digits alone: no sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|it| it.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_chunk_says_in_its_name_when_it_began() {
        let at = datetime!(2026-11-29 10:02:03.045 UTC);
        assert_eq!(began_at("2026-11-29-10-02-03-045"), Some(at));
        assert_eq!(began_at("2026-11-29-10-02-03-045-2f1c0c06-attendee"), Some(at));
        for other in
            ["", "2026-11-29-10-02-03", "2026-13-29-10-02-03-045", "2026-11-29-10-02-+3-045", "a-b-c-d-e-f-g"]
        {
            assert_eq!(began_at(other), None, "{other}");
        }
    }

    #[test]
    fn only_chunks_that_cover_the_whole_capture_count() {
        let at = "2026-11-29-10-02-03-045";
        assert_eq!(chunk_name(&format!("captures/1/2/audio/{at}.mp4")), Some(at));
        assert_eq!(chunk_name(&format!("captures/1/2/composited-video/{at}.mp4")), Some(at));
        for other in [
            format!("captures/1/2/video/{at}-attendee.mp4"),
            format!("captures/1/2/meeting-events/{at}.txt"),
            "captures/1/2/audio/0c6f7b0e-4f3e-4f7c-9f61-2b4f6d1f6a01.mp4".to_owned(),
            format!("{at}.mp4"),
        ] {
            assert_eq!(chunk_name(&other), None, "{other}");
        }
        assert_eq!(
            chunk_name("captures/1/2/audio/unknown.mp4"),
            Some("unknown"),
            "its time is then looked for"
        );
    }

    #[test]
    fn the_span_is_that_of_the_first_and_the_last_chunk_in_any_order() {
        let mut found = None;
        for second in [10, 0, 5] {
            let at = datetime!(2026-11-29 10:00 UTC) + Duration::seconds(second);
            add(&mut found, &second.to_string(), at);
        }
        let found = found.expect("three chunks");
        assert_eq!((found.count, found.last_key.as_str()), (3, "10"));
        assert_eq!(found.span.span(), Duration::seconds(15));
    }
}
