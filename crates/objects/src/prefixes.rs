//! The prefixes directly below another one.

use crate::{Error, Objects};

/// A page of prefixes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes {
    /// Whole, with the slash at the end: `captures/<id>/`.
    pub prefixes: Vec<String>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

impl Objects {
    /// Up to 1,000 prefixes below `root`, which ends with a slash. One request.
    ///
    /// # Errors
    /// When S3 does not answer.
    pub async fn list_prefixes(&self, root: &str, next: Option<&str>) -> Result<Prefixes, Error> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(root).delimiter("/");
        let page = list.set_continuation_token(next.map(str::to_owned)).send().await.map_err(Error::s3)?;
        let prefixes =
            page.common_prefixes().iter().filter_map(|it| it.prefix().map(str::to_owned)).collect();
        Ok(Prefixes { prefixes, next: page.next_continuation_token().map(str::to_owned) })
    }
}
