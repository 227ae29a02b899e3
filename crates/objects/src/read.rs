//! Small objects: listed, and read whole.

use crate::{Error, Objects};

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub key: String,
    pub etag: String,
    /// In bytes.
    pub size: i64,
}

/// A page of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub objects: Vec<Object>,
    /// Where the listing goes on; `None`: it is complete.
    pub next: Option<String>,
}

impl Objects {
    /// Up to 1,000 objects below a prefix, by key. One request.
    ///
    /// # Errors
    /// When S3 does not answer.
    pub async fn list(&self, prefix: &str, next: Option<&str>) -> Result<Listing, Error> {
        let page = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .set_continuation_token(next.map(str::to_owned))
            .send()
            .await
            .map_err(Error::s3)?;
        let objects = page.contents().iter().filter_map(|object| {
            Some(Object {
                key: object.key()?.to_owned(),
                etag: object.e_tag().unwrap_or_default().to_owned(),
                size: object.size().unwrap_or(0),
            })
        });
        Ok(Listing { objects: objects.collect(), next: page.next_continuation_token().map(str::to_owned) })
    }

    /// The body of an object. The caller knows from the listing that it is small.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when S3 does not answer.
    pub async fn read(&self, key: &str) -> Result<Vec<u8>, Error> {
        let answer =
            self.client.get_object().bucket(&self.bucket).key(key).send().await.map_err(Error::s3)?;
        let body = answer
            .body
            .collect()
            .await
            .map_err(|error| Error::Unavailable { backend: "s3", source: Box::new(error) })?;
        Ok(body.to_vec())
    }
}
