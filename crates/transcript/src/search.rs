//! The search in the transcripts of the caller's own calls. What is searched for is in no address, log line or audit entry.

use api::fields::Number;
use api::transcripts::{SearchRequest, SearchResponse, SearchResult};
use domain::Error;
use domain::audit::Origin;
use domain::call::Actor;
use domain::error::reason;
use domain::recording::rights::Right;
use domain::state::Role;
use store::transcript_search::{FOUND, FOUND_END, FoundSegment, Place, Search};
use time::OffsetDateTime;

use crate::App;

/// Characters of a query. The longest that somebody types is a sentence.
const MAX_QUERY_CHARS: usize = 500;

/// Results of a page.
const MAX_RESULTS: i32 = 50;
const DEFAULT_RESULTS: i32 = 20;

/// The longest cursor: Chime's ids of results are UUIDs.
const MAX_CURSOR_BYTES: usize = 400;

/// Separates the parts of a cursor; the last part may have it too.
const SEPARATOR: char = '.';

impl App {
    /// Searches in the finished transcripts of the calls in which the caller's role has the right to read them. The audit entry is
    /// written with the search.
    ///
    /// # Errors
    /// 403 where no role has the right, 422 for a query without a word to find, 503 when the database is down.
    pub(crate) async fn search(
        &self,
        actor: &Actor,
        request: &SearchRequest,
        origin: &Origin,
    ) -> Result<SearchResponse, Error> {
        let roles = self.rights.roles_with(Right::TranscriptRead);
        if roles.is_empty() {
            return Err(Error::Forbidden(reason::TRANSCRIPT_RIGHT_MISSING));
        }
        let limit = request.limit.map_or(Some(DEFAULT_RESULTS), results);
        let limit =
            limit.ok_or_else(|| Error::invalid("limit", format!("must be from 1 to {MAX_RESULTS}")))?;
        let search = Search {
            query: text("query", &request.query, MAX_QUERY_CHARS)?,
            language: request.language.as_deref().map(language).transpose()?,
            as_provider: roles.contains(&Role::Provider),
            as_patient: roles.contains(&Role::Patient),
            after: request.cursor.as_deref().map(place).transpose()?,
            limit,
        };
        let page = self.calls.store().search_transcripts(actor, &search, origin).await?;
        page.caller.ok_or(Error::Forbidden(reason::UNKNOWN_USER))?;
        if !page.has_words {
            return Err(Error::invalid("query", "must have a word that can be searched for"));
        }
        let next_cursor = page.results.last().filter(|_| page.more).map(|last| cursor(&last.place()));
        Ok(SearchResponse { results: page.results.iter().map(shown).collect(), next_cursor })
    }
}

/// A number of results, if there may be so many.
fn results(Number(number): Number) -> Option<i32> {
    (1..=MAX_RESULTS).find(|results| (f64::from(*results) - number).abs() < f64::EPSILON)
}

/// A text that the database can read.
fn text<'a>(field: &str, text: &'a str, max_chars: usize) -> Result<&'a str, Error> {
    if text.chars().count() > max_chars {
        return Err(Error::invalid(field, format!("must have at most {max_chars} characters")));
    }
    // PostgreSQL rejects NUL.
    if text.contains('\0') {
        return Err(Error::invalid(field, "must have no character U+0000"));
    }
    Ok(text)
}

/// A language tag: the region in it is ignored.
fn language(tag: &str) -> Result<&str, Error> {
    let is_tag = (2..=35).contains(&tag.len())
        && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !tag.starts_with('-');
    is_tag.then_some(tag).ok_or_else(|| Error::invalid("language", "must be a language tag like en-US"))
}

fn cursor(place: &Place) -> String {
    let Place { transcript_id, created_at, start_ms, result_id, segment } = place;
    let micros = created_at.unix_timestamp_nanos() / 1_000;
    format!(
        "{micros}{SEPARATOR}{transcript_id}{SEPARATOR}{start_ms}{SEPARATOR}{segment}{SEPARATOR}{result_id}"
    )
}

fn place(cursor: &str) -> Result<Place, Error> {
    let invalid = || Error::invalid("cursor", "must be the nextCursor of an answer");
    let cursor = text("cursor", cursor, MAX_CURSOR_BYTES)?;
    let mut parts = cursor.splitn(5, SEPARATOR);
    let mut next = || parts.next().ok_or_else(invalid);
    let micros: i128 = next()?.parse().map_err(|_| invalid())?;
    let nanos = micros.checked_mul(1_000).ok_or_else(invalid)?;
    Ok(Place {
        created_at: OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| invalid())?,
        transcript_id: next()?.parse().map_err(|_| invalid())?,
        start_ms: next()?.parse().map_err(|_| invalid())?,
        segment: next()?.parse().map_err(|_| invalid())?,
        result_id: next()?.to_owned(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "a call is shorter than 2^53 ms")]
fn shown(found: &FoundSegment) -> SearchResult {
    SearchResult {
        transcript_id: found.transcript_id,
        appointment_id: found.appointment_id,
        session_id: found.session_id,
        segment: found.number,
        start: found.start_ms as f64 / 1000.0,
        snippet: snippet(&found.snippet),
    }
}

/// The snippet as HTML whose only element is `mark`: whatever the text has of markup is escaped.
fn snippet(marked: &str) -> String {
    let mut html = String::with_capacity(marked.len() + 16);
    for character in marked.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            FOUND => html.push_str("<mark>"),
            FOUND_END => html.push_str("</mark>"),
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_any_other_text_is_rejected() {
        let id = "7d9f1c5e-0000-4000-8000-000000000001".parse().expect("an id");
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_795_168_902_123_456_000).expect("a time");
        let of = Place {
            transcript_id: id,
            created_at: at,
            start_ms: 61_000,
            result_id: "batch.1/é~'\"".to_owned(),
            segment: 3,
        };
        assert_eq!(place(&cursor(&of)).ok(), Some(of));
        for bad in [
            "",
            "later",
            "1.2.3.4.5",
            "1.7d9f1c5e-0000-4000-8000-000000000001.x.1.r",
            "99999999999999999999999999999999999999.7d9f1c5e-0000-4000-8000-000000000001.1.1.r",
            "1.7d9f1c5e-0000-4000-8000-000000000001.1.1",
            "1.7d9f1c5e-0000-4000-8000-000000000001.1.1.r\0",
            &"1".repeat(10_000),
        ] {
            let refused = place(bad).map_err(|error| error.to_string());
            assert!(refused.is_err_and(|error| error.starts_with("invalid cursor: ")), "{bad}");
        }
    }

    #[test]
    fn markup_in_the_text_is_escaped_and_what_was_found_is_marked() {
        let marked = format!("<b>5 & 6</b> {FOUND}knee{FOUND_END} <mark>");
        assert_eq!(snippet(&marked), "&lt;b&gt;5 &amp; 6&lt;/b&gt; <mark>knee</mark> &lt;mark&gt;");
    }

    #[test]
    fn a_language_is_a_tag() {
        for good in ["en-US", "ar", "zh-Hant-TW"] {
            assert_eq!(language(good).ok(), Some(good));
        }
        for bad in ["", "e", "en_US", "en-US'; --", "-en", &"a".repeat(36), "é"] {
            assert!(language(bad).is_err(), "{bad}");
        }
    }
}
