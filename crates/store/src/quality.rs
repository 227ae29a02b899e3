//! Connection quality of participants.

use domain::id::{SessionId, UserId};
use domain::quality::Summary;
use serde::Deserialize;
use tokio_postgres::types::{Json, Type};

use crate::statement::sql;
use crate::{Error, Store};

#[derive(Deserialize)]
struct Answer {
    merged: bool,
    stored: Option<Summary>,
}

/// The result of storing a summary.
#[derive(Clone, Debug, PartialEq)]
pub enum Merge {
    /// It is stored.
    Done,
    /// The stored summary is another than the one that was to be replaced; as this statement saw it, which may be older.
    Other(Option<Box<Summary>>),
}

impl Store {
    /// Stores a participant's summary if the stored one holds `posts` requests; 0 for no summary.
    pub async fn merge_quality(
        &self,
        session: SessionId,
        user: UserId,
        posts: u32,
        summary: &Summary,
    ) -> Result<Merge, Error> {
        let (session, user, posts) = (session.as_uuid(), user.as_uuid(), i64::from(posts));
        let answer: Option<Answer> = self
            .ask(
                sql!("merge_quality"),
                &[
                    (&session, Type::UUID),
                    (&user, Type::UUID),
                    (&posts, Type::INT8),
                    (&Json(summary), Type::JSONB),
                ],
            )
            .await?;
        Ok(match answer {
            Some(Answer { merged: true, .. }) => Merge::Done,
            Some(Answer { merged: false, stored }) => Merge::Other(stored.map(Box::new)),
            None => Merge::Other(None),
        })
    }
}
