//! `infra/cdn.py`, run against the local cloud's S3.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use local::identity::OPERATOR;
use local_testing::{TestCloud, TestResult, workspace};
use serde_json::json;
use tokio::process::Command;

use crate::edge::{here, python};

/// A cloud with pages that were built, and the bucket that they go to.
pub(crate) struct Desk {
    pub(crate) cloud: TestCloud,
    pub(crate) bucket: String,
    pub(crate) directory: tempfile::TempDir,
    python: PathBuf,
}

pub(crate) struct Ran {
    /// None: it was killed.
    pub(crate) status: Option<i32>,
    pub(crate) said: String,
}

impl Desk {
    pub(crate) async fn new() -> TestResult<Self> {
        let cloud = TestCloud::new().await?;
        let plan = &cloud.parts().plan;
        let bucket = plan.outputs.get("PageBucketName").ok_or("a bucket")?.clone();
        let directory = tempfile::tempdir()?;
        let facts = json!({ "outputs": plan.outputs, "parameters": plan.parameters });
        std::fs::write(directory.path().join("facts.json"), facts.to_string())?;
        Ok(Self { cloud, bucket, directory, python: python()? })
    }

    /// Builds a page that says something.
    pub(crate) async fn build(&self, says: &str) -> TestResult<PathBuf> {
        self.build_with(says, "the SDK").await
    }

    /// Builds a page with an SDK of its own.
    pub(crate) async fn build_with(&self, says: &str, sdk: &str) -> TestResult<PathBuf> {
        let page = self.directory.path().join(says);
        let mut build = Command::new(&self.python);
        build.arg(here("page.py")).arg(&page).args([says, sdk]);
        assert!(build.status().await?.success());
        Ok(page)
    }

    pub(crate) async fn upload(&self, page: &Path) -> TestResult<Ran> {
        self.cdn(&["upload", "--page", &page.to_string_lossy()]).await
    }

    /// Builds a page that says something, and makes it live.
    pub(crate) async fn uploaded(&self, says: &str) -> TestResult {
        let ran = self.upload(&self.build(says).await?).await?;
        assert_eq!(ran.status, Some(0), "{says}: {}", ran.said);
        Ok(())
    }

    pub(crate) async fn rollback(&self) -> TestResult<Ran> {
        self.cdn(&["rollback"]).await
    }

    /// Runs the script at the cloud's time; a fault that kills its caller kills it.
    async fn cdn(&self, arguments: &[&str]) -> TestResult<Ran> {
        let format = time::macros::format_description!(
            "[year][month][day]T[hour][minute][second][subsecond digits:6]Z"
        );
        let now = self.cloud.parts().clock.now().format(format)?;
        let facts = self.directory.path().join("facts.json");
        let mut command = self.command(workspace().join("infra/cdn.py"));
        command.args(arguments).arg("--facts").arg(facts).args(["--now", &now]);
        command.args(["--endpoint-url", &self.cloud.aws_url()]);
        self.run(command).await
    }

    pub(crate) async fn python(&self, script: &str, arguments: &[&str]) -> TestResult<Ran> {
        let mut command = self.command(here(script));
        command.args(arguments);
        self.run(command).await
    }

    fn command(&self, script: PathBuf) -> Command {
        let mut command = Command::new(&self.python);
        command.arg("-B").arg(script).env_clear();
        command
    }

    /// Runs a script as the operator.
    pub(crate) async fn run(&self, mut command: Command) -> TestResult<Ran> {
        let identities = &self.cloud.parts().identities;
        let environment = uuid::Uuid::new_v4().to_string();
        let (credentials, mut orders) = identities.issue(OPERATOR, &environment);
        command.env("AWS_ACCESS_KEY_ID", &credentials.access_key_id);
        command.env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key);
        command.env("AWS_SESSION_TOKEN", &credentials.session_token);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        let ordered = tokio::select! {
            _ended = child.wait() => None,
            order = orders.recv() => order,
        };
        if let Some(done) = ordered {
            child.kill().await?;
            let _nobody_waits = done.send(());
        }
        let output = child.wait_with_output().await?;
        identities.revoke(&environment);
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Ok(Ran { status: output.status.code(), said })
    }

    /// The text of the live page, plain and compressed; each names a file that exists.
    pub(crate) fn live(&self) -> TestResult<Vec<String>> {
        let s3 = &self.cloud.parts().s3;
        ["index.html", "index.html.br", "index.html.gz"]
            .iter()
            .filter(|it| !it.ends_with("gz"))
            .map(|key| {
                let page = s3.object(&self.bucket, key).ok_or("a live page")?;
                let text = String::from_utf8_lossy(&page.bytes()?).into_owned();
                let named = script(&text)?;
                for file in [named.to_owned(), format!("{named}.br"), format!("{named}.gz")] {
                    assert!(
                        s3.object(&self.bucket, &file).is_some(),
                        "{key} names {file}, which is not there"
                    );
                }
                Ok(title(&text)?.to_owned())
            })
            .collect()
    }

    /// The texts of the live page and of all pages that a rollback can reach, sorted; their files exist.
    pub(crate) fn kept(&self) -> TestResult<Vec<String>> {
        let s3 = &self.cloud.parts().s3;
        let keys = s3.keys(&self.bucket);
        let pages = keys.iter().filter(|it| it.starts_with("pages/") && it.ends_with("index.html"));
        let mut said = Vec::new();
        for key in pages {
            let text =
                String::from_utf8_lossy(&s3.object(&self.bucket, key).ok_or("a page")?.bytes()?).into_owned();
            let script = script(&text)?;
            assert!(keys.iter().any(|it| it == script), "{key} names {script}, which is not there");
            said.push(title(&text)?.to_owned());
        }
        said.sort();
        Ok(said)
    }

    /// The objects that viewers get, by key.
    pub(crate) fn served(&self) -> BTreeMap<String, (local::s3::ObjectHeaders, bytes::Bytes)> {
        served(&self.cloud)
    }
}

/// The text of a page of `page.py`.
fn title(page: &str) -> TestResult<&str> {
    Ok(page.split("<title>").nth(1).and_then(|it| it.split('<').next()).ok_or("a title")?)
}

/// The script that it names.
fn script(page: &str) -> TestResult<&str> {
    Ok(page.split("src=\"/").nth(1).and_then(|it| it.split('"').next()).ok_or("a script")?)
}

pub(crate) fn served(cloud: &TestCloud) -> BTreeMap<String, (local::s3::ObjectHeaders, bytes::Bytes)> {
    let parts = cloud.parts();
    let bucket = parts.plan.outputs.get("PageBucketName").cloned().unwrap_or_default();
    let of_viewers = |key: &String| !key.starts_with("pages/") && !key.contains("manifest");
    let keys = parts.s3.keys(&bucket).into_iter().filter(of_viewers);
    keys.filter_map(|key| {
        let object = parts.s3.object(&bucket, &key)?;
        Some((key, (object.headers.clone(), object.bytes().ok()?)))
    })
    .collect()
}
