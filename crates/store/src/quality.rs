//! How good people's connections were.

use domain::id::{SessionId, UserId};
use domain::quality::Summary;
use serde::Deserialize;
use tokio_postgres::types::{Json, Type};

use crate::{Error, Store};

/// A compare-and-set on the number of requests that the stored summary holds. Whoever loses it gets what is stored.
const MERGE: &str = "-- merge_quality
WITH merged AS (
  UPDATE public.video_call_participants p
  SET quality_metrics = $4
  WHERE p.session_id = $1::uuid AND p.user_id = $2::uuid AND coalesce((p.quality_metrics ->> 'posts')::bigint, 0) = $3
  RETURNING p.user_id
)
SELECT CASE WHEN EXISTS (SELECT FROM merged) THEN '{\"merged\": true}'
  ELSE json_build_object('merged', false, 'stored', p.quality_metrics)::text END
FROM public.video_call_participants p
WHERE p.session_id = $1::uuid AND p.user_id = $2::uuid";

#[derive(Deserialize)]
struct Answer {
    merged: bool,
    stored: Option<Summary>,
}

/// What became of storing a summary.
#[derive(Clone, Debug, PartialEq)]
pub enum Merge {
    /// It is stored.
    Done,
    /// Another than was to be replaced is there. What this statement saw of it, which may be older still.
    Other(Option<Box<Summary>>),
}

impl Store {
    /// Stores a person's summary where `posts` requests are in the stored one, none for no summary.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn merge_quality(
        &self,
        session: SessionId,
        user: UserId,
        posts: u32,
        summary: &Summary,
    ) -> Result<Merge, Error> {
        let (session, user, posts) = (session.to_string(), user.to_string(), i64::from(posts));
        let answer: Option<Answer> = self
            .ask(
                MERGE,
                &[
                    (&session, Type::TEXT),
                    (&user, Type::TEXT),
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
