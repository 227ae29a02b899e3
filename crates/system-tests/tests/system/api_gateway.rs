//! API Gateway as the templates configure it: authorizer, CORS, throttling and access log.

use std::collections::BTreeSet;

use local::tokens::Key;
use local_testing::{TestCloud, TestResult, workspace};
use serde_json::json;

const LISTED: &str = "http://localhost:3000";

fn path_of(key: &str) -> TestResult<(&str, String)> {
    let (method, path) = key.split_once(' ').ok_or("a route has a method and a path")?;
    let path = path
        .replace("{appointmentId}", "00000000-0000-4000-8000-0000000000a1")
        .replace("{userId}", "00000000-0000-4000-8000-000000000002")
        .replace("{recordingId}", "00000000-0000-4000-8000-000000000091");
    Ok((method, path))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_but_health_needs_the_authorizer() -> TestResult {
    let cloud = TestCloud::new().await?;
    let routes = cloud.parts().plan.http_apis[0].routes.clone();
    assert!(routes.len() >= 9, "{} routes", routes.len());
    for route in routes {
        let open = route.key == "GET /health";
        assert_eq!(route.authorizer.is_none(), open, "{}", route.key);
        let (method, path) = path_of(&route.key)?;
        let answer = cloud.request(method, &path, None, "").await?;
        if open {
            assert_eq!(answer.brief(), "200", "{}", route.key);
        } else {
            assert_eq!(
                (answer.status, &answer.body),
                (401, &json!({"message": "Unauthorized"})),
                "{}",
                route.key
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_served_from_listed_origins_only() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let path = format!("/appointments/{}/call", scenario.appointment);
    let token = format!("Bearer {}", scenario.provider.token);
    let granted = "access-control-allow-origin";
    for (origin, listed) in [
        (LISTED, true),
        ("http://127.0.0.1:3000", true),
        ("http://localhost:3001", false),
        ("https://localhost:3000", false),
        ("http://localhost:3000.evil.example", false),
        ("null", false),
    ] {
        let headers = [("authorization", token.as_str()), ("origin", origin)];
        let answer = cloud.request_with("GET", &path, &headers).await?;
        assert_eq!(answer.brief(), "200", "the origin is the browser's business");
        assert_eq!(answer.headers.get(granted).map(String::as_str), listed.then_some(origin), "{origin}");

        let headers = [("origin", origin), ("access-control-request-method", "DELETE")];
        let preflight = cloud.request_with("OPTIONS", &path, &headers).await?;
        assert_eq!(preflight.status, 204, "a preflight needs no token");
        assert_eq!(preflight.headers.get(granted).map(String::as_str), listed.then_some(origin), "{origin}");
        if listed {
            assert_eq!(preflight.headers["access-control-allow-headers"], "content-type,Authorization");
            assert!(
                !preflight.headers.contains_key("access-control-allow-credentials"),
                "tokens, no cookies"
            );
        }
    }
    let routes = &cloud.parts().plan.http_apis[0].routes;
    let used: BTreeSet<_> = routes.iter().filter_map(|route| Some(route.key.split_once(' ')?.0)).collect();
    let cors = cloud.parts().plan.http_apis[0].cors.as_ref().ok_or("CORS is configured here")?;
    let allowed: BTreeSet<_> = cors.allow_methods.iter().map(String::as_str).collect();
    assert_eq!(allowed, used, "the methods of the routes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_listed_origins_there_is_no_cors_and_a_star_is_refused() -> TestResult {
    let cloud = TestCloud::with_parameters(&[("AllowedOrigins", "")]).await?;
    assert!(cloud.parts().plan.http_apis[0].cors.is_none());
    let headers = [("origin", LISTED), ("access-control-request-method", "GET")];
    let answer = cloud.request_with("OPTIONS", "/health", &headers).await?;
    assert_eq!(answer.status, 404);
    for origins in
        ["*", "https://*", "https://calls.example.com,*", "http://calls.example.com", "https://a.example/"]
    {
        let refused = TestCloud::with_parameters(&[("AllowedOrigins", origins)]).await.err();
        let reason = refused.map(|error| error.to_string()).unwrap_or_default();
        assert!(reason.contains("AllowedOrigins"), "{origins}: {reason}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stage_slows_callers_down() -> TestResult {
    let cloud = TestCloud::with_parameters(&[("ThrottlingRate", "1"), ("ThrottlingBurst", "2")]).await?;
    let scenario = cloud.scenario().await?;
    let (path, token) = (format!("/appointments/{}/call", scenario.appointment), &scenario.provider.token);
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let answer = cloud.request("GET", &path, Some(token), "").await?;
        statuses.push(answer.status);
        if answer.status == 429 {
            assert_eq!(answer.body, json!({"message": "Too Many Requests"}));
        }
    }
    assert_eq!(statuses[..2], [200, 200], "the burst passes");
    assert!(statuses[2..].contains(&429), "{statuses:?}");
    Ok(())
}

/// Some issuers put groups and permissions into a token. API Gateway takes 10,240 bytes of request line and headers.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_nine_kilobytes_and_odd_claims_are_accepted() -> TestResult {
    let cloud = TestCloud::new().await?;
    let fixture = cloud.parts().seed.appointment().await?;
    let claims = json!({
        "sub": fixture.provider.firebase_uid, "groups": "g".repeat(6_500), "none": null, "nested": { "a": [1, null] }, "age": 4.5,
    });
    let mut scenario = cloud.scenario_of(&fixture)?;
    scenario.provider.token = cloud.parts().token(&claims, 3600, Key::Good)?;
    assert!((9_000..10_000).contains(&scenario.provider.token.len()), "{}", scenario.provider.token.len());
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.provider.status().await?.brief(), "200");
    Ok(())
}

#[test]
fn the_access_log_has_the_route_and_nothing_about_the_caller() -> TestResult {
    let template = std::fs::read_to_string(workspace().join("infra/app.yaml"))?;
    let format = template.split("Format: >-").nth(1).and_then(|rest| rest.split("\n\n").next());
    let folded: Vec<_> = format.ok_or("the cloud has an access log")?.split_whitespace().collect();
    let format: serde_json::Value = serde_json::from_str(&folded.join(" "))?;
    let logged: BTreeSet<_> =
        format.as_object().ok_or("a JSON object")?.values().filter_map(|it| it.as_str()).collect();
    let wanted = BTreeSet::from([
        "$context.requestId",
        "$context.requestTime",
        "$context.routeKey",
        "$context.status",
        "$context.responseLatency",
        "$context.integrationStatus",
        "$context.integrationErrorMessage",
        "$context.authorizer.error",
    ]);
    assert_eq!(logged, wanted, "no path, no query, no address, no claim, no header");
    Ok(())
}
