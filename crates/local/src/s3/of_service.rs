//! S3 as other services of AWS use it in their own name: what the policies of bucket and key let them do.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::content::Content;
use super::gate::{Gate, Principal};
use super::store::{NewObject, Object, ObjectHeaders, Store};
use super::{S3, etag_of};

/// S3 for a service.
pub struct OfService {
    store: Arc<Store>,
    gate: Gate,
    principal: Principal,
}

/// Why a service is refused.
#[derive(Debug, thiserror::Error)]
pub enum ServiceRefusal {
    /// Neither the bucket's policy nor the key's lets it.
    #[error("not authorized to perform: {action} on resource: {resource}")]
    Denied { action: String, resource: String },
    /// The key's policy does not let it.
    #[error("not authorized to use the bucket's key")]
    Key,
    #[error("there is no bucket {0}")]
    NoBucket(String),
    #[error("an object's file cannot be read")]
    File(#[from] io::Error),
}

impl S3 {
    /// S3 for a service of AWS, as `mediapipelines.chime.amazonaws.com`, with the condition keys that it sends: `aws:SourceAccount`,
    /// `aws:SourceArn`.
    #[must_use]
    pub fn of_service(&self, service: &str, context: &[(&str, &str)]) -> OfService {
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let principal = Principal::Service { name: service.to_owned(), context };
        OfService { store: Arc::clone(&self.store), gate: self.gate.clone(), principal }
    }
}

impl OfService {
    /// Puts an object.
    ///
    /// # Errors
    /// When a policy does not let the service, or there is no such bucket.
    pub fn put(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        headers: ObjectHeaders,
    ) -> Result<(), ServiceRefusal> {
        self.put_content(bucket, key, Content::from(bytes), headers)
    }

    /// Puts the whole of a file as an object; the file is not changed any more.
    ///
    /// # Errors
    /// The same, and when the file cannot be read.
    pub fn put_file(
        &self,
        bucket: &str,
        key: &str,
        file: std::fs::File,
        headers: ObjectHeaders,
    ) -> Result<(), ServiceRefusal> {
        self.put_content(bucket, key, Content::of_file(file)?, headers)
    }

    /// The object that a key names now.
    ///
    /// # Errors
    /// When a policy does not let the service.
    pub fn get(&self, bucket: &str, key: &str) -> Result<Option<Arc<Object>>, ServiceRefusal> {
        self.check("s3:GetObject", &format!("arn:aws:s3:::{bucket}/{key}"))?;
        let object = self.store.get(bucket, key, None);
        if let Some(object) = &object {
            self.check_key("kms:Decrypt", (bucket, key), object.headers.encryption_key.as_deref())?;
        }
        Ok(object)
    }

    /// The keys with a prefix, in order.
    ///
    /// # Errors
    /// When a policy does not let the service, or there is no such bucket.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, ServiceRefusal> {
        self.check("s3:ListBucket", &format!("arn:aws:s3:::{bucket}"))?;
        let found = self.store.list(bucket, prefix);
        let found = found.ok_or_else(|| ServiceRefusal::NoBucket(bucket.to_owned()))?;
        Ok(found.into_iter().map(|(key, _)| key).collect())
    }

    fn put_content(
        &self,
        bucket: &str,
        key: &str,
        content: Content,
        headers: ObjectHeaders,
    ) -> Result<(), ServiceRefusal> {
        self.check("s3:PutObject", &format!("arn:aws:s3:::{bucket}/{key}"))?;
        self.check_key("kms:GenerateDataKey", (bucket, key), self.store.key(bucket, &headers).as_deref())?;
        let etag = etag_of(&content);
        let new = NewObject { content, headers, etag, ..NewObject::default() };
        let put = self.store.put(bucket, key, new);
        put.map(drop).ok_or_else(|| ServiceRefusal::NoBucket(bucket.to_owned()))
    }

    fn check(&self, action: &str, resource: &str) -> Result<(), ServiceRefusal> {
        let need = [(action.to_owned(), resource.to_owned())];
        match self.gate.refused(&self.principal, &need, &[]) {
            None => Ok(()),
            Some((action, resource)) => {
                Err(ServiceRefusal::Denied { action: action.clone(), resource: resource.clone() })
            }
        }
    }

    fn check_key(
        &self,
        action: &str,
        (bucket, object): (&str, &str),
        key: Option<&str>,
    ) -> Result<(), ServiceRefusal> {
        let object = format!("arn:aws:s3:::{bucket}/{object}");
        self.gate.check_key(Some(&self.principal), action, &object, key).map_err(|_| ServiceRefusal::Key)
    }
}
