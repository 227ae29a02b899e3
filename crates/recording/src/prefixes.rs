//! The daily search for chunks that belong to no capture: nothing deletes them.

use domain::Error;
use domain::audit::Origin;
use domain::id::CaptureId;
use runtime::metrics::{self, Metric};
use store::searches::Search;
use time::Duration;
use tokio::time::Instant;

use crate::App;
use crate::pipelines::{CAPTURES, SPEECH};

/// The name of the search.
const SEARCH: &str = "chunks_without_row";
/// From the beginning of one search to that of the next.
const EVERY: Duration = Duration::days(1);
const ROOTS: [&str; 2] = [CAPTURES, SPEECH];

/// The page at a position, which is empty, or a root and what S3 continues it with.
fn page_at(position: &str) -> Option<(usize, Option<&str>)> {
    let (root, next) = position.split_once('/').unwrap_or((position, ""));
    let place = ROOTS.iter().position(|known| *known == root || position.is_empty())?;
    Some((place, Some(next).filter(|next| !next.is_empty())))
}

/// The position after a page of a root; `None` after the last.
fn position_after(place: usize, next: Option<&str>) -> Option<String> {
    match next {
        Some(next) => Some(format!("{}/{next}", ROOTS[place])),
        None => ROOTS.get(place + 1).map(|root| format!("{root}/")),
    }
}

impl App {
    /// Continues the search until `until`: a page of prefixes at a time, after each of which the next run could go on. Reports how many
    /// prefixes have no row once all were looked at.
    ///
    /// # Errors
    /// Where S3 or the database is down: the next run continues.
    pub(crate) async fn search_prefixes(&self, until: Instant, origin: &Origin) -> Result<(), Error> {
        let store = self.calls.store();
        let Some(mut search) = store.begin_search(SEARCH, EVERY, origin.now).await? else { return Ok(()) };
        while Instant::now() < until {
            let (place, next) = page_at(&search.position)
                .ok_or_else(|| Error::internal("a search is at a position that there is not"))?;
            let root = format!("{}/", ROOTS[place]);
            let page = self.objects.list_prefixes(&root, next).await?;
            let names =
                page.prefixes.iter().map(|prefix| prefix.trim_start_matches(&root).trim_end_matches('/'));
            let (mut ids, mut other) = (Vec::new(), Vec::new());
            for name in names {
                name.parse::<CaptureId>().map_or_else(|_| other.push(name), |id| ids.push(id));
            }
            let unknown = store.unknown_captures(&ids).await?;
            let found = search.found + u64::try_from(unknown.len() + other.len()).unwrap_or(u64::MAX);
            let position = position_after(place, page.next.as_deref());
            let finished_at = position.is_none().then_some(origin.now);
            let after = Search { position: position.unwrap_or_default(), found };
            if !store.advance_search(SEARCH, &search.position, &after, finished_at).await? {
                // Another run goes on.
                return Ok(());
            }
            for capture in unknown.iter().map(ToString::to_string).chain(other.into_iter().map(Into::into)) {
                tracing::error!(prefix = %root, capture, "chunks of no capture");
            }
            if finished_at.is_some() {
                metrics::emit(&[(Metric::ChunkPrefixesWithoutRow, found)]);
                return Ok(());
            }
            search = after;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_positions_lead_through_every_root() {
        assert_eq!(page_at(""), Some((0, None)));
        assert_eq!(position_after(0, Some("to/ken=")).as_deref(), Some("captures/to/ken="));
        assert_eq!(page_at("captures/to/ken="), Some((0, Some("to/ken="))));
        assert_eq!(position_after(0, None).as_deref(), Some("speech/"));
        assert_eq!(page_at("speech/"), Some((1, None)));
        assert_eq!(position_after(1, None), None);
        assert_eq!(page_at("elsewhere/"), None);
    }
}
