//! `DeleteObject` and `DeleteObjects`.

use s3s::dto::{
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{Operations, Principal, gate};

/// As S3 words it for a version under legal hold.
const HELD: &str = "Access Denied because object protected by object lock.";

/// Objects of one request.
const MAX_OBJECTS: usize = 1000;

impl Operations {
    pub(super) fn delete(&self, input: DeleteObjectInput) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.check_bucket(&input.bucket)?;
        let marker = self.store.delete(&input.bucket, &input.key, input.version_id.as_deref());
        let marker = marker.map_err(|_| s3_error!(AccessDenied, "{HELD}"))?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: marker.as_ref().map(|_| true),
            version_id: marker.or(input.version_id),
            ..DeleteObjectOutput::default()
        }))
    }

    pub(super) fn delete_all(
        &self,
        req: &S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = &req.input;
        self.check_bucket(&input.bucket)?;
        if input.delete.objects.len() > MAX_OBJECTS {
            return Err(s3_error!(MalformedXML));
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in &input.delete.objects {
            let need = [gate::deletion(&input.bucket, &object.key, object.version_id.as_deref())];
            let principal = req.extensions.get::<Principal>();
            let result = if principal.is_none_or(|it| self.gate.refused(it, &need, &[]).is_some()) {
                Err("Access Denied")
            } else {
                let version = object.version_id.as_deref();
                self.store.delete(&input.bucket, &object.key, version).map_err(|_| HELD)
            };
            match result {
                Ok(marker) => deleted.push(DeletedObject {
                    key: Some(object.key.clone()),
                    delete_marker: marker.as_ref().map(|_| true),
                    delete_marker_version_id: marker,
                    version_id: object.version_id.clone(),
                }),
                Err(message) => errors.push(s3s::dto::Error {
                    code: Some("AccessDenied".to_owned()),
                    key: Some(object.key.clone()),
                    message: Some(message.to_owned()),
                    version_id: object.version_id.clone(),
                }),
            }
        }
        let quiet = input.delete.quiet.unwrap_or(false);
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }
}
