//! The app around the call page, played.

use local_testing::{TestCloud, TestResult};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn the_app_knows_the_page_and_the_page_knows_the_app() -> TestResult {
    let cloud = TestCloud::new().await?;
    let page = cloud.parts().page_url.clone();
    for role in ["provider", "patient", "stranger", "auditor"] {
        let app = cloud.control_api("GET", &format!("app/{role}"), &Value::Null).await?;
        assert_eq!((app.status, app.headers["content-type"].as_str()), (200, "text/html; charset=utf-8"));
        let text = app.body.as_str().unwrap_or_default().to_owned();
        assert!(text.contains(&format!("data-page=\"{page}\" data-role=\"{role}\"")), "{text}");
    }
    assert_eq!(cloud.control_api("GET", "app/nobody", &Value::Null).await?.status, 404);
    let script = cloud.control_api("GET", "app.js", &Value::Null).await?;
    assert_eq!(
        (script.status, script.headers["content-type"].as_str()),
        (200, "text/javascript; charset=utf-8")
    );
    let origins = cloud.parts().plan.parameters.get("EmbeddingOrigins").cloned();
    assert_eq!(origins, Some(cloud.aws_url()), "whatever port the app is on, it may frame the page");
    Ok(())
}
