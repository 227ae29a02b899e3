//! The transcript as a document: its segments and its gaps.

use domain::Error;
use domain::transcript::Segment;
use domain::transcript::segments::assemble;
use sha2::{Digest, Sha256};
use store::texts::TranscriptRow;
use time::OffsetDateTime;

use crate::App;

pub(crate) struct Document {
    pub(crate) segments: Vec<Segment>,
    pub(crate) gaps: Vec<()>,
}

impl Document {
    pub(crate) fn sha256(&self) -> Result<String, Error> {
        let bytes = serde_json::to_vec(&self.segments).map_err(Error::internal)?;
        Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl App {
    pub(crate) async fn document(
        &self,
        row: &TranscriptRow,
        _now: OffsetDateTime,
    ) -> Result<Document, Error> {
        let turns = self.calls.store().transcript_turns(row.transcript_id).await?;
        Ok(Document { segments: assemble(turns), gaps: Vec::new() })
    }
}
