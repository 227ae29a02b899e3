//! The medical entities of finished transcripts.

use domain::id::TranscriptId;
use domain::transcript::entities::{Kind, MedicalEntity};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::{Error, Store};

/// The entities of a piece of a transcript's text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct FoundPiece {
    pub kind: Kind,
    pub piece: u32,
    pub entities: Vec<MedicalEntity>,
}

impl Store {
    /// The pieces of a transcript that are done, with their entities. One round trip.
    pub async fn transcript_entities(&self, transcript: TranscriptId) -> Result<Vec<FoundPiece>, Error> {
        let pieces = self.ask(sql!("transcript_entities"), &[(&transcript.as_uuid(), Type::UUID)]).await?;
        Ok(pieces.unwrap_or_default())
    }

    /// Stores the entities of a piece, unless the transcript has another text by now, and returns whether it was. One round trip.
    pub async fn store_entities(
        &self,
        transcript: TranscriptId,
        sha256: &str,
        found: &FoundPiece,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let piece = i32::try_from(found.piece).unwrap_or(i32::MAX);
        let stored: Option<bool> = self
            .ask(
                sql!("store_entities"),
                &[
                    (&transcript.as_uuid(), Type::UUID),
                    (&found.kind.as_str(), Type::TEXT),
                    (&piece, Type::INT4),
                    (&Json(&found.entities), Type::JSONB),
                    (&sha256, Type::TEXT),
                    (&now, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(stored.unwrap_or(false))
    }
}
