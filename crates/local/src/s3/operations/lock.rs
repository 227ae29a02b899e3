//! Legal holds.

use s3s::dto::{
    GetObjectLegalHoldInput, GetObjectLegalHoldOutput, ObjectLockLegalHold, ObjectLockLegalHoldStatus,
    PutObjectLegalHoldInput, PutObjectLegalHoldOutput,
};
use s3s::{S3Error, S3Response, S3Result, s3_error};

use super::Operations;
use crate::s3::store::Locked;

impl Operations {
    pub(super) fn get_hold(
        &self,
        input: &GetObjectLegalHoldInput,
    ) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
        self.check_bucket(&input.bucket)?;
        let held =
            self.store.hold(&input.bucket, &input.key, input.version_id.as_deref()).map_err(refusal)?;
        let status = ObjectLockLegalHoldStatus::from_static(if held { "ON" } else { "OFF" });
        let legal_hold = Some(ObjectLockLegalHold { status: Some(status) });
        Ok(S3Response::new(GetObjectLegalHoldOutput { legal_hold }))
    }

    pub(super) fn put_hold(
        &self,
        input: &PutObjectLegalHoldInput,
    ) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
        self.check_bucket(&input.bucket)?;
        let status = input.legal_hold.as_ref().and_then(|it| it.status.as_ref());
        let on = match status.map(ObjectLockLegalHoldStatus::as_str) {
            Some("ON") => true,
            Some("OFF") => false,
            _ => return Err(s3_error!(MalformedXML)),
        };
        let version = input.version_id.as_deref();
        self.store.set_hold(&input.bucket, &input.key, version, on).map_err(refusal)?;
        Ok(S3Response::new(PutObjectLegalHoldOutput::default()))
    }
}

fn refusal(locked: Locked) -> S3Error {
    match locked {
        Locked::NoLock => s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration"),
        Locked::NoVersion => s3_error!(NoSuchVersion, "The specified version does not exist."),
        Locked::Marker => s3_error!(MethodNotAllowed, "The version is a delete marker."),
        Locked::Held => s3_error!(AccessDenied, "Access Denied"),
    }
}
