//! The permissions that an operation needs, and the condition keys that it has.

use http::{HeaderMap, Uri};
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode};

/// An action and the ARN that it is on.
pub(super) type Need = (String, String);

/// The permissions that an operation needs.
pub(super) fn of(operation: &str, path: &S3Path, headers: &HeaderMap, uri: &Uri) -> Vec<Need> {
    let arn = match path {
        S3Path::Root => "arn:aws:s3:::*".to_owned(),
        S3Path::Bucket { bucket } => format!("arn:aws:s3:::{bucket}"),
        S3Path::Object { bucket, key } => format!("arn:aws:s3:::{bucket}/{key}"),
    };
    let of_version = if query(uri, "versionId").is_some() { "Version" } else { "" };
    let one = |action: &str| vec![(format!("s3:{action}"), arn.clone())];
    let mut needs = match operation {
        "GetObject" | "HeadObject" => one(&format!("GetObject{of_version}")),
        "DeleteObject" => one(&format!("DeleteObject{of_version}")),
        // Its keys are in the body and are asked for one by one.
        "DeleteObjects" => Vec::new(),
        "CopyObject" | "UploadPartCopy" => {
            let mut needs = one("PutObject");
            needs.push(source(headers));
            needs
        }
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => one("ListBucket"),
        "ListObjectVersions" => one("ListBucketVersions"),
        "ListMultipartUploads" => one("ListBucketMultipartUploads"),
        "ListParts" => one("ListMultipartUploadParts"),
        "CompleteMultipartUpload" | "CreateMultipartUpload" | "UploadPart" => one("PutObject"),
        other => one(other),
    };
    if operation != "PutObjectLegalHold" && headers.contains_key("x-amz-object-lock-legal-hold") {
        needs.extend(one("PutObjectLegalHold"));
    }
    needs
}

/// Reading what is copied.
fn source(headers: &HeaderMap) -> Need {
    let source = headers.get("x-amz-copy-source").and_then(|it| it.to_str().ok()).unwrap_or_default();
    let (name, query) = source.trim_start_matches('/').split_once('?').unwrap_or((source, ""));
    let name = percent_encoding::percent_decode_str(name.trim_start_matches('/')).decode_utf8_lossy();
    let of_version = if query.starts_with("versionId=") { "Version" } else { "" };
    (format!("s3:GetObject{of_version}"), format!("arn:aws:s3:::{name}"))
}

/// The condition keys of a request
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>).
pub(super) fn context(headers: &HeaderMap, uri: &Uri) -> Vec<(&'static str, String)> {
    let header = |name| headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let signed_in = if query(uri, "X-Amz-Signature").is_some() { "REST-QUERY-STRING" } else { "REST-HEADER" };
    let found = [
        ("s3:authType", Some(signed_in.to_owned())),
        ("s3:delimiter", query(uri, "delimiter")),
        ("s3:max-keys", query(uri, "max-keys")),
        ("s3:object-lock-legal-hold", header("x-amz-object-lock-legal-hold")),
        ("s3:prefix", query(uri, "prefix")),
        ("s3:versionid", query(uri, "versionId")),
        ("s3:x-amz-server-side-encryption", header("x-amz-server-side-encryption")),
    ];
    found.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// The permissions that deleting an object needs.
pub(in crate::s3) fn deletion(bucket: &str, key: &str, version: Option<&str>) -> Need {
    let action = if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
    (action.to_owned(), format!("arn:aws:s3:::{bucket}/{key}"))
}

/// The refusal of an object that is not there.
pub(in crate::s3) fn missing(may_list: bool) -> S3Error {
    if may_list {
        S3Error::with_message(S3ErrorCode::NoSuchKey, "The specified key does not exist.")
    } else {
        S3Error::with_message(S3ErrorCode::AccessDenied, "Access Denied")
    }
}

pub(super) fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(it, _)| it == name).map(|(_, value)| value.into_owned())
}
