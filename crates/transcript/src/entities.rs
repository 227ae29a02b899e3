//! Medical entities of finished transcripts: their English text goes to Comprehend Medical in pieces, where the operator wants it.

use std::time::Duration;

use domain::Error;
use domain::audit::Origin;
use domain::id::TranscriptId;
use domain::transcript::entities::{Kind, pieces};
use domain::transcript::segments::assemble;
use store::entities::FoundPiece;
use tokio::time::Instant;

use crate::App;
use crate::schedule::Outcome;

/// Time for the pieces of one execution, which with one more request ends before the function's timeout of 120 s. The next one continues.
const FIND_FOR: Duration = Duration::from_secs(10);

impl App {
    /// Finds the entities of each piece that is not done.
    ///
    /// # Errors
    /// Comprehend Medical is throttled or down, or the database is: the pieces that are done are kept.
    pub(crate) async fn find_entities(&self, id: TranscriptId, origin: &Origin) -> Result<Outcome, Error> {
        let Some(service) = &self.comprehend else { return Ok(Outcome::Done) };
        let store = self.calls.store();
        let Some(row) = store.load_transcript(id).await? else { return Ok(Outcome::Done) };
        let Some(sha256) = row.sha256.filter(|_| row.finished_at.is_some() && !row.deletion_requested) else {
            return Ok(Outcome::Done);
        };
        let segments = assemble(store.transcript_turns(id).await?);
        let done = store.transcript_entities(id).await?;
        let until = Instant::now() + FIND_FOR;
        for kind in Kind::ALL {
            for (number, piece) in (0_u32..).zip(pieces(&segments, kind.max_bytes())) {
                if done.iter().any(|one| one.kind == kind && one.piece == number) {
                    continue;
                }
                if Instant::now() >= until {
                    return Ok(Outcome::Later(origin.now, "time for the pieces is over"));
                }
                let found = service.find(kind, &piece.text).await?.unwrap_or_else(|refused| {
                    tracing::warn!(transcript = %id, piece = number, reason = %refused, "text refused by Comprehend Medical");
                    Vec::new()
                });
                let found = FoundPiece { kind, piece: number, entities: piece.entities(&found) };
                if !store.store_entities(id, &sha256, &found, origin.now).await? {
                    return Ok(Outcome::Later(origin.now, "the text has changed"));
                }
            }
        }
        Ok(Outcome::Done)
    }
}
