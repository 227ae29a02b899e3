//! `make cdn` and the stacks: `infra/cdn.py` against a double of `CloudFormation`.

use std::path::{Path, PathBuf};

use local_testing::{TestResult, workspace};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::edge::python;
use crate::formation::{Formation, Next, Stack, texts};
use crate::script::{Desk, Ran};

const API: &str = "aaaaaaaaaa.execute-api.eu-central-1.amazonaws.com";
const HOME: &str = "eu-central-1";
/// The operations of a first deployment.
const CREATED: [&str; 3] = ["CreateChangeSet CREATE", "ExecuteChangeSet", "UpdateTerminationProtection"];
const EDGE_SECRET: &str = "not-a-secret-but-long-enough-for-one";
/// SHA-256 of it.
const EDGE_SECRET_HASH: &str = "a832f6c04828c4607d2af01c9b2bbdb042963233cfdf8a47c9158bc2bcdcf994";
const PAGE: (&str, &str) = ("us-east-1", "medzen-test-cdn");

/// A place to deploy from, with a file of parameters, `test`, and an application that is deployed.
struct Site {
    formation: Formation,
    directory: tempfile::TempDir,
    python: PathBuf,
}

impl Site {
    /// With the page's bucket.
    async fn with(bucket: &str) -> TestResult<Self> {
        let outputs = texts([("PageBucketName", bucket), ("PageUrl", "https://page.example/call")]);
        let site = Self {
            formation: Formation::start(outputs).await?,
            directory: tempfile::tempdir()?,
            python: python()?,
        };
        std::fs::create_dir_all(site.directory.path().join("infra/params"))?;
        for name in ["cdn.py", "cdn_stack.py", "cdn.yaml"] {
            let name = Path::new("infra").join(name);
            std::fs::copy(workspace().join(&name), site.directory.path().join(name))?;
        }
        site.parameters(&json!({ "Project": "medzen-test", "JwtAudience": "not of the page's template" }))?;
        let application = Stack {
            status: "UPDATE_COMPLETE".to_owned(),
            outputs: texts([("ApiDomain", API)]),
            parameters: texts([
                ("DeepLinkBase", "medzen://call"),
                ("TokenHeader", "Authorization"),
                ("EdgeSecretHashes", EDGE_SECRET_HASH),
            ]),
            protected: true,
        };
        site.formation.put(HOME, "medzen-test", application);
        Ok(site)
    }

    /// With an unreachable bucket for the page.
    async fn new() -> TestResult<Self> {
        Self::with("nowhere").await
    }

    fn parameters(&self, parameters: &Value) -> TestResult {
        self.file("test.json", &parameters.to_string())
    }

    fn file(&self, name: &str, text: &str) -> TestResult {
        Ok(std::fs::write(self.directory.path().join("infra/params").join(name), text)?)
    }

    fn page(&self, status: &str, parameters: &[(&str, &str)]) {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let outputs = texts([("PageBucketName", "nowhere")]);
        let (status, parameters) = (status.to_owned(), parameters.collect());
        let stack = Stack { status, outputs, parameters, protected: true };
        self.formation.put(PAGE.0, PAGE.1, stack);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command.arg("-B").arg(self.directory.path().join("infra/cdn.py")).args(arguments).env_clear();
        command.env("AWS_ENDPOINT_URL_CLOUDFORMATION", &self.formation.url).env("AWS_REGION", HOME);
        // Neither the files of who runs the tests, nor the machine's role.
        command.env("HOME", self.directory.path()).env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    async fn run(&self, arguments: &[&str]) -> TestResult<Ran> {
        let mut command = self.command(arguments);
        command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "secret");
        ran(command).await
    }

    /// Deploys, which is refused before the bucket is asked for; what is said.
    async fn refused(&self, arguments: &[&str]) -> TestResult<String> {
        let ran = self.run(arguments).await?;
        assert_eq!(ran.status, Some(1), "{}", ran.said);
        assert!(!ran.said.contains("Traceback"), "{}", ran.said);
        Ok(ran.said)
    }

    async fn deploy(&self) -> TestResult<String> {
        self.refused(&["deploy", "--env", "test"]).await
    }
}

async fn ran(mut command: Command) -> TestResult<Ran> {
    let output = command.output().await?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok(Ran { status: output.status.code(), said })
}

/// A site whose bucket is that of a desk, and a page that was built there.
async fn whole() -> TestResult<(Desk, Site, String)> {
    let desk = Desk::new().await?;
    let site = Site::with(&desk.bucket).await?;
    let page = desk.build("one").await?.to_string_lossy().into_owned();
    Ok((desk, site, page))
}

async fn deployed(desk: &Desk, site: &Site, page: &str) -> TestResult<String> {
    let url = desk.cloud.aws_url();
    let ran =
        desk.run(site.command(&["deploy", "--env", "test", "--page", page, "--endpoint-url", &url])).await?;
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    Ok(ran.said)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_deployment_creates_the_stack_and_the_next_one_finds_it_as_it_is() -> TestResult {
    let (desk, site, page) = whole().await?;
    let said = deployed(&desk, &site, &page).await?;
    assert!(said.contains("https://page.example/call"), "{said}");
    assert_eq!(site.formation.changes(), CREATED);
    let stack = site.formation.stack(PAGE.0, PAGE.1).ok_or("the page's stack, in us-east-1")?;
    let expected = texts([("Project", "medzen-test"), ("ApiDomain", API)]);
    assert_eq!(stack.parameters, expected, "what the template declares, and no more");
    assert!(stack.protected, "it cannot be deleted by mistake");
    assert!(desk.live()?.iter().all(|it| it == "one"));
    let config = desk.served().remove("config.json").ok_or("a configuration")?.1;
    let config: Value = serde_json::from_slice(&config)?;
    assert_eq!(config["deepLinkBase"], "medzen://call", "that is the application's");

    let said = deployed(&desk, &site, &page).await?;
    assert!(said.contains("medzen-test-cdn: no changes") && said.contains("live already"), "{said}");
    let changes = site.formation.changes();
    assert_eq!(changes[3..], ["CreateChangeSet UPDATE", "DeleteChangeSet"], "nothing is left behind");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_that_was_begun_and_never_made_is_created() -> TestResult {
    let (desk, site, page) = whole().await?;
    site.formation.put(PAGE.0, PAGE.1, Stack { status: "REVIEW_IN_PROGRESS".to_owned(), ..Stack::default() });
    deployed(&desk, &site, &page).await?;
    assert_eq!(site.formation.changes(), CREATED);
    assert!(desk.live()?.iter().all(|it| it == "one"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_parameter_updates_the_stack_and_the_api_of_the_file_goes_before_the_applications()
-> TestResult {
    let (desk, site, page) = whole().await?;
    deployed(&desk, &site, &page).await?;
    let other = "bbbbbbbbbb.execute-api.eu-central-1.amazonaws.com";
    let origin = "https://app.example.com";
    site.parameters(&json!({ "Project": "medzen-test", "EmbeddingOrigins": origin, "ApiDomain": other }))?;
    deployed(&desk, &site, &page).await?;
    assert_eq!(site.formation.changes()[3..], ["CreateChangeSet UPDATE", "ExecuteChangeSet"]);
    let stack = site.formation.stack(PAGE.0, PAGE.1).ok_or("the page's stack")?;
    assert_eq!(stack.parameters["ApiDomain"], other);
    let config = desk.served().remove("config.json").ok_or("a configuration")?.1;
    let config: Value = serde_json::from_slice(&config)?;
    assert_eq!(config["embeddingOrigins"], json!([origin]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_for_the_api_comes_from_the_environment_and_stays_until_another_is_given() -> TestResult {
    let (desk, site, page) = whole().await?;
    let url = desk.cloud.aws_url();
    let arguments = ["deploy", "--env", "test", "--page", &page, "--endpoint-url", &url];
    let with = async |secret: Option<&str>| {
        let mut command = site.command(&arguments);
        command.envs(secret.map(|it| ("ORIGIN_SECRET", it)));
        desk.run(command).await
    };
    let secret =
        || site.formation.stack(PAGE.0, PAGE.1).and_then(|it| it.parameters.get("OriginSecret").cloned());

    // The functions would not recognise it.
    let ran = with(Some("another-secret-that-the-application-does-not-know")).await?;
    assert_eq!(ran.status, Some(1), "{}", ran.said);
    assert!(ran.said.contains("EdgeSecretHashes") && !ran.said.contains("another-secret"), "{}", ran.said);
    assert_eq!(site.formation.changes(), Vec::<String>::new());

    for (given, expected) in [(Some(EDGE_SECRET), EDGE_SECRET), (None, EDGE_SECRET), (Some(""), "")] {
        let ran = with(given).await?;
        assert_eq!(ran.status, Some(0), "{}", ran.said);
        assert!(!ran.said.contains(EDGE_SECRET), "{}", ran.said);
        assert_eq!(secret().as_deref(), Some(expected), "{given:?}");
    }

    site.parameters(&json!({ "Project": "medzen-test", "OriginSecret": EDGE_SECRET }))?;
    let said = site.deploy().await?;
    assert!(
        said.contains("OriginSecret") && said.contains("ORIGIN_SECRET") && !said.contains(EDGE_SECRET),
        "{said}"
    );
    Ok(())
}

#[tokio::test]
async fn a_failed_change_set_is_reported_with_its_reason_and_deleted() -> TestResult {
    let site = Site::new().await?;
    site.formation.will(Next::Refused("OneRegion: Deploy this stack in us-east-1."));
    let said = site.deploy().await?;
    assert!(said.contains("medzen-test-cdn: OneRegion: Deploy this stack in us-east-1."), "{said}");
    assert_eq!(site.formation.changes(), ["CreateChangeSet CREATE", "DeleteChangeSet"]);
    Ok(())
}

#[tokio::test]
async fn a_failed_deployment_is_reported_with_its_cause_and_where_to_look() -> TestResult {
    let failed: &[(&str, &str)] =
        &[("Distribution", "The CNAME is already there."), ("Records", "Resource creation cancelled")];
    for (before, status) in
        [(None, "ROLLBACK_COMPLETE"), (Some("CREATE_COMPLETE"), "UPDATE_ROLLBACK_COMPLETE")]
    {
        let site = Site::new().await?;
        if let Some(before) = before {
            site.page(before, &[]);
        }
        site.formation.will(Next::Failed(status, failed));
        let said = site.deploy().await?;
        assert!(
            said.contains(status) && said.contains("Distribution: The CNAME is already there."),
            "{said}"
        );
        assert!(!said.contains("cancelled"), "that is no cause: {said}");
        assert!(!said.contains("the last time"), "that is another deployment's: {said}");
        let look = "aws cloudformation describe-stack-events --region us-east-1 --stack-name medzen-test-cdn";
        assert!(said.contains(look), "{said}");
        assert!(!site.formation.leftover(), "there is no bucket to look for and delete");
        assert_eq!(said.contains("delete-stack"), before.is_none(), "an update is to be tried again: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn credentials_that_expire_during_a_deployment_are_reported() -> TestResult {
    let site = Site::new().await?;
    site.formation.will(Next::Expired);
    let said = site.deploy().await?;
    assert!(said.contains("is expired") && said.contains("run this again"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_stack_that_cannot_be_updated_is_reported_with_the_command_to_run() -> TestResult {
    let delete = "aws cloudformation delete-stack --region us-east-1 --stack-name medzen-test-cdn";
    let resume =
        "aws cloudformation continue-update-rollback --region us-east-1 --stack-name medzen-test-cdn";
    for (status, what) in [
        ("CREATE_FAILED", delete),
        ("ROLLBACK_COMPLETE", delete),
        ("ROLLBACK_FAILED", delete),
        ("DELETE_FAILED", delete),
        ("UPDATE_ROLLBACK_FAILED", resume),
        ("UPDATE_IN_PROGRESS", "run this again"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "run this again"),
    ] {
        let site = Site::new().await?;
        site.page(status, &[]);
        let said = site.deploy().await?;
        assert!(said.contains(status) && said.contains(what), "{said}");
        assert_eq!(site.formation.changes(), Vec::<String>::new(), "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn a_page_needs_an_application_and_an_upload_a_page() -> TestResult {
    let site = Site::new().await?;
    let said = site.refused(&["upload", "--env", "test"]).await?;
    assert!(said.contains("there is no stack medzen-test-cdn in us-east-1"), "{said}");
    site.formation.put(PAGE.0, PAGE.1, Stack { status: "ROLLBACK_COMPLETE".to_owned(), ..Stack::default() });
    for command in ["upload", "rollback"] {
        let said = site.refused(&[command, "--env", "test"]).await?;
        assert!(said.contains("make cdn") && said.contains("ROLLBACK_COMPLETE"), "{said}");
    }

    site.formation.put(
        HOME,
        "medzen-test",
        Stack { status: "ROLLBACK_COMPLETE".to_owned(), ..Stack::default() },
    );
    let said = site.deploy().await?;
    assert!(said.contains("medzen-test (ROLLBACK_COMPLETE) has no output ApiDomain"), "{said}");
    site.parameters(&json!({ "Project": "medzen-other" }))?;
    let said = site.deploy().await?;
    assert!(said.contains("there is no stack medzen-other in eu-central-1"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_page_of_another_regions_application_is_left_alone_unless_it_is_said_to_move() -> TestResult {
    let site = Site::new().await?;
    let elsewhere = "bbbbbbbbbb.execute-api.eu-west-2.amazonaws.com";
    site.page("CREATE_COMPLETE", &[("ApiDomain", elsewhere)]);
    for command in ["deploy", "upload", "rollback"] {
        let said = site.refused(&[command, "--env", "test"]).await?;
        assert!(said.contains(elsewhere) && said.contains(API) && said.contains("--move-api"), "{said}");
    }
    assert_eq!(site.formation.changes(), Vec::<String>::new());
    let kept = site.formation.stack(PAGE.0, PAGE.1).ok_or("the page's stack")?;
    assert_eq!(kept.parameters["ApiDomain"], elsewhere);

    // The bucket is nowhere, so it ends there.
    site.run(&["deploy", "--env", "test", "--move-api", "--endpoint-url", "http://127.0.0.1:1"]).await?;
    let moved = site.formation.stack(PAGE.0, PAGE.1).ok_or("the page's stack")?;
    assert_eq!(moved.parameters["ApiDomain"], API);
    Ok(())
}

#[tokio::test]
async fn missing_or_unreadable_parameters_are_reported_with_their_file() -> TestResult {
    let site = Site::new().await?;
    site.file("prod.json", "{}")?;
    let said = site.refused(&["deploy", "--env", "nosuch"]).await?;
    assert!(said.contains("infra/params/nosuch.json") && said.contains("prod, test"), "{said}");
    for none in [&["deploy", "--env", ""][..], &["rollback"]] {
        let said = site.refused(none).await?;
        assert!(said.contains("ENV=") && said.contains("prod, test"), "{said}");
    }
    for (text, why) in
        [("{\"Project\": }", "line 1"), ("[]", "object"), ("{\"LogRetentionDays\": 90}", "LogRetentionDays")]
    {
        site.file("test.json", text)?;
        let said = site.deploy().await?;
        assert!(said.contains("infra/params/test.json") && said.contains(why), "{said}");
    }
    Ok(())
}

#[tokio::test]
async fn unknown_credentials_are_reported() -> TestResult {
    let site = Site::new().await?;
    let deploy = ["deploy", "--env", "test"];
    let said = ran(site.command(&deploy)).await?;
    assert!(said.status == Some(1) && !said.said.contains("Traceback"), "{}", said.said);
    assert!(said.said.contains("no AWS credentials") && said.said.contains("AWS_PROFILE"), "{}", said.said);

    let mut command = site.command(&deploy);
    command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "secret").env_remove("AWS_REGION");
    let said = ran(command).await?;
    assert!(said.status == Some(1) && !said.said.contains("Traceback"), "{}", said.said);
    assert!(said.said.contains("AWS_REGION"), "{}", said.said);

    site.formation.close("ExpiredToken", "The security token included in the request is expired");
    let said = site.deploy().await?;
    assert!(said.contains("is expired") && said.contains("log in again"), "{said}");
    Ok(())
}
