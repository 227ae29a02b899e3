//! The built page (`target/page/`), put into the bucket of the templates as `make cdn` does it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::s3::{NoBucket, ObjectHeaders, S3};
use local_template::plan::Plan;

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The manifest is none.
    #[error("{} is not the manifest of a page", path.display())]
    Manifest { path: PathBuf, source: serde_json::Error },
    /// The templates make no bucket for it.
    #[error(transparent)]
    NoBucket(#[from] NoBucket),
}

#[derive(Deserialize)]
struct Manifest {
    files: Vec<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    path: String,
    content_type: String,
    cache_control: String,
    #[serde(default)]
    encodings: BTreeMap<String, String>,
}

/// Puts the page that was built into `directory` into the bucket, with its configuration.
///
/// # Errors
/// When a file that the manifest names is not there.
pub fn put(directory: &Path, plan: &Plan, s3: &S3) -> Result<(), PageError> {
    let bucket = plan.outputs.get("PageBucketName").map(String::as_str).unwrap_or_default();
    let path = directory.join("manifest.json");
    let text = read(&path)?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|source| PageError::Manifest { path, source })?;
    for file in &manifest.files {
        let headers = ObjectHeaders {
            content_type: Some(file.content_type.clone()),
            cache_control: Some(file.cache_control.clone()),
            ..ObjectHeaders::default()
        };
        s3.put(bucket, &file.path, read(&directory.join(&file.path))?, headers.clone())?;
        for (encoding, sibling) in &file.encodings {
            let ending = if encoding == "gzip" { "gz" } else { encoding };
            let headers = ObjectHeaders { content_encoding: Some(encoding.clone()), ..headers.clone() };
            s3.put(bucket, &format!("{}.{ending}", file.path), read(&directory.join(sibling))?, headers)?;
        }
    }
    let headers = ObjectHeaders {
        content_type: Some("application/json".to_owned()),
        cache_control: Some("no-cache".to_owned()),
        ..ObjectHeaders::default()
    };
    s3.put(bucket, "config.json", Bytes::from(config(plan)), headers)?;
    Ok(())
}

/// The page's configuration.
fn config(plan: &Plan) -> String {
    let parameter = |name: &str| plan.parameters.get(name).cloned().unwrap_or_default();
    let origins = parameter("EmbeddingOrigins");
    let origins: Vec<&str> = origins.split(',').filter(|it| !it.is_empty()).collect();
    json!({
        "deepLinkBase": parameter("DeepLinkBase"),
        "embeddingOrigins": origins,
        "tokenHeader": parameter("TokenHeader"),
    })
    .to_string()
}

fn read(path: &Path) -> Result<Bytes, PageError> {
    let bytes = std::fs::read(path).map_err(|source| PageError::Read { path: path.to_owned(), source })?;
    Ok(Bytes::from(bytes))
}
