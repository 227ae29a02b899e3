//! The API on the page's domain.

use std::net::{IpAddr, Ipv4Addr};

use local_template::plan::{OriginKind, Plan};
use local_testing::{TestCloud, TestResult};

use crate::edge::{Edge, ask, ask_from, plan};

/// The body that CloudFront sends to the API in one test, and its SHA-256.
const SECRET: &str = "not-a-secret-but-long-enough-for-one";
const HASH: &str = "a832f6c04828c4607d2af01c9b2bbdb042963233cfdf8a47c9158bc2bcdcf994";
const ANOTHER_HASH: &str = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9";

const CALL: &str = "/appointments/00000000-0000-4000-8000-0000000000a1/call";

/// Whether a path leads to the API, by the order of the behaviors.
async fn leads_to_api(edge: &Edge, path: &str) -> TestResult<bool> {
    let before = edge.asked().len();
    edge.get(path, &[]).await?;
    Ok(edge.asked().len() > before)
}

#[tokio::test]
async fn every_route_of_the_api_is_reached_and_no_file_is() -> TestResult {
    let edge = Edge::start().await?;
    let Plan { http_apis, distributions, .. } = plan()?;
    let api = http_apis.first().ok_or("an API")?;
    let mut seen = 0;
    for route in &api.routes {
        let (_, path) = route.key.split_once(' ').ok_or("a method and a path")?;
        let path = path.replace(['{', '}'], "");
        assert!(leads_to_api(&edge, &path).await?, "{}", route.key);
        seen += 1;
    }
    assert!(seen >= 9, "{seen} routes");
    // Those that are to come.
    for path in [
        "/recordings/1/playback",
        "/transcripts/search",
        "/transcription/languages",
        "/audit/verify",
        "/stats",
    ] {
        assert!(leads_to_api(&edge, path).await?, "{path}");
    }
    for path in ["/call/abc", "/assets/a-1.js", "/config.json", "/", "/index.html"] {
        assert!(!leads_to_api(&edge, path).await?, "{path}");
    }
    let wanted = OriginKind::Api(api.id.clone());
    assert!(distributions[0].origins.iter().any(|it| it.kind == wanted), "the API of the templates");
    Ok(())
}

#[tokio::test]
async fn the_api_gets_what_the_caller_sent_but_for_the_host() -> TestResult {
    let edge = Edge::start().await?;
    let headers = [
        ("authorization", "200 token"),
        ("x-firebase-token", "another"),
        ("content-type", "application/json"),
        ("user-agent", "an app"),
        ("origin", "https://calls.example.com"),
        ("cookie", "a=b"),
    ];
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = edge.ask(method, &format!("{CALL}?x=1&y=%20"), &headers, "{\"a\": 1}").await?;
        assert_eq!((answer.status, &answer.body[..]), (200, &b"{\"for\":\"200 token\"}"[..]), "{method}");
        let asked = edge.asked().pop().ok_or("it was asked")?;
        assert_eq!(
            (asked.method.as_str(), asked.path.as_str()),
            (method, format!("{CALL}?x=1&y=%20").as_str())
        );
        assert_eq!(asked.body, "{\"a\": 1}", "{method}");
        for (name, value) in headers {
            assert_eq!(asked.headers[name], value, "{method}");
        }
        let host = asked.headers["host"].to_str()?.to_owned();
        assert!(!edge.url.ends_with(&host), "{host} is the API's own");
        assert_eq!(asked.headers["x-forwarded-for"], "127.0.0.1");
    }
    Ok(())
}

#[tokio::test]
async fn the_api_gets_the_secret_of_the_distribution_and_never_that_of_the_caller() -> TestResult {
    let edge = Edge::with(|plan| {
        let origins = &mut plan.distributions[0].origins;
        let api = origins.iter_mut().find(|it| matches!(it.kind, OriginKind::Api(_)));
        api.expect("an API").headers = vec![("x-origin-secret".to_owned(), "ours".to_owned())];
    })
    .await?;
    let headers = [("x-origin-secret", "theirs"), ("x-forwarded-for", "203.0.113.9")];
    edge.get(CALL, &headers).await?;
    let asked = edge.asked().pop().ok_or("it was asked")?;
    let sent: Vec<_> = asked.headers.get_all("x-origin-secret").iter().collect();
    assert_eq!(sent, ["ours"]);
    assert_eq!(asked.headers["x-forwarded-for"], "203.0.113.9, 127.0.0.1", "the viewer's is the last");
    Ok(())
}

#[tokio::test]
async fn answers_of_the_api_are_not_kept_and_not_touched() -> TestResult {
    let edge = Edge::start().await?;
    for status in ["200", "400", "401", "403", "404", "409", "410", "422", "429", "500", "503"] {
        for who in ["one", "two"] {
            let token = format!("{status} {who}");
            let answer = edge.get(CALL, &[("authorization", &token)]).await?;
            assert_eq!(answer.status.to_string(), status);
            assert_eq!(answer.body, format!("{{\"for\":\"{token}\"}}"), "{status}: another's answer");
            assert_eq!(
                (answer.headers["content-type"].as_str(), answer.headers["retry-after"].as_str()),
                ("application/json", "3")
            );
            assert!(!answer.headers.contains_key("content-security-policy"), "{status}");
        }
    }
    Ok(())
}

/// This is why the template says for each error that it is not kept.
#[tokio::test]
async fn by_default_one_callers_error_would_be_anothers_for_ten_seconds() -> TestResult {
    let edge = Edge::with(|plan| plan.distributions[0].error_ttl.clear()).await?;
    let refused = edge.get(CALL, &[("authorization", "403 stranger")]).await?;
    assert_eq!(refused.status, 403);
    let provider = edge.get(CALL, &[("authorization", "200 provider")]).await?;
    assert_eq!((provider.status, &provider.body[..]), (403, &b"{\"for\":\"403 stranger\"}"[..]));
    edge.clock.advance(11);
    assert_eq!(edge.get(CALL, &[("authorization", "200 provider")]).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn an_api_that_is_not_there_is_502() -> TestResult {
    let edge = Edge::with(|plan| {
        for origin in &mut plan.distributions[0].origins {
            if matches!(origin.kind, OriginKind::Api(_)) {
                origin.id = "elsewhere".to_owned();
            }
        }
    })
    .await?;
    assert_eq!(edge.get("/health", &[]).await?.status, 502);
    assert_eq!(edge.get("/call/abc", &[]).await?.status, 200, "the page is there");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_started_joined_and_ended_through_the_distribution() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let page = cloud.parts().page_url.clone();
    let call = format!("/appointments/{}/call", scenario.appointment);
    let provider = format!("Bearer {}", scenario.provider.token);
    let patient = format!("Bearer {}", scenario.patient.token);
    let origin = page.clone();
    let sent = |token: &str| [("authorization", token.to_owned()), ("origin", origin.clone())];
    for (method, path, token, expected) in [
        ("POST", call.clone(), &provider, 201),
        ("POST", format!("{call}/attendees"), &patient, 200),
        ("GET", call.clone(), &patient, 200),
        ("DELETE", call.clone(), &provider, 200),
        ("GET", call.clone(), &format!("Bearer {}", scenario.stranger.token), 403),
        ("GET", call.clone(), &"Bearer nonsense".to_owned(), 401),
    ] {
        let headers = sent(token);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = ask(&page, method, &path, &headers, "").await?;
        assert_eq!(answer.status, expected, "{method} {path}: {:?}", answer.body);
    }
    assert!(cloud.live_meetings().is_empty());
    Ok(())
}

/// A cloud whose distribution has the secret, while that replaces another one.
async fn with_secret(required: &str) -> TestResult<TestCloud> {
    let hashes = format!("{ANOTHER_HASH},{HASH}");
    let parameters = [
        ("OriginSecret", SECRET),
        ("EdgeSecretHashes", &hashes),
        ("RequireEdge", required),
        ("LogLevel", "trace"),
    ];
    TestCloud::with_parameters(&parameters).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_has_the_viewers_address_of_a_request_through_the_distribution() -> TestResult {
    let cloud = with_secret("off").await?;
    let scenario = cloud.scenario().await?;
    let (page, call) =
        (cloud.parts().page_url.clone(), format!("/appointments/{}/call", scenario.appointment));
    let viewer = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 7));
    let token = format!("Bearer {}", scenario.provider.token);
    // A viewer may claim any address and any secret.
    let headers = [
        ("authorization", token.as_str()),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-origin-secret", "theirs"),
    ];
    let started = ask_from(Some(viewer), &page, "POST", &call, &headers, "").await?;
    assert_eq!(started.status, 201, "{:?}", started.body);
    // Existing clients call API Gateway directly.
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    assert_eq!(ask(&page, "GET", "/health", &[], "").await?.status, 200);

    let address = |event: &str| {
        let query = format!(
            "SELECT string_agg(substring(payload from '\"ip\": ?\"([^\"]*)\"'), ' ') FROM medzen.audit_outbox \
             WHERE payload LIKE '%{event}%'"
        );
        let cloud = &cloud;
        async move { cloud.sql(&query).await }
    };
    assert_eq!(address("call.started").await?, "127.0.0.7");
    assert_eq!(address("participant.joined").await?, "127.0.0.1", "the address that API Gateway saw");
    for logged in cloud.parts().lambda.logs() {
        assert!(!logged.line.contains(SECRET), "{} logs the secret: {}", logged.function, logged.line);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_edge_that_is_required_only_requests_through_it_are_answered() -> TestResult {
    let cloud = with_secret("on").await?;
    let scenario = cloud.scenario().await?;
    let (page, call) =
        (cloud.parts().page_url.clone(), format!("/appointments/{}/call", scenario.appointment));
    let token = format!("Bearer {}", scenario.provider.token);
    let started = ask(&page, "POST", &call, &[("authorization", &token)], "").await?;
    assert_eq!(started.status, 201, "{:?}", started.body);

    // Its environment reads the database's secret when it begins.
    assert_eq!(scenario.patient.join().await?.brief(), "403 EDGE_REQUIRED");
    let watch = cloud.watch();
    for _ in 0..20 {
        assert_eq!(scenario.patient.join().await?.brief(), "403 EDGE_REQUIRED");
    }
    assert_eq!(watch.operations(), Vec::<String>::new(), "it costs no request to a backend");
    let logs = cloud.parts().lambda.logs();
    assert!(logs.iter().any(|line| line.line.contains("EDGE_REQUIRED")), "it is in the log");
    for wrong in ["", "theirs", HASH] {
        let headers = [("authorization", token.as_str()), ("x-origin-secret", wrong)];
        let answer = cloud.request_with("GET", &call, &headers).await?;
        assert_eq!(answer.brief(), "403 EDGE_REQUIRED", "{wrong}");
    }
    assert_eq!(cloud.request("GET", "/health", None, "").await?.brief(), "403 EDGE_REQUIRED");
    let denials = "SELECT count(*) FROM medzen.audit_outbox WHERE payload LIKE '%access.denied%'";
    assert_eq!(cloud.sql(denials).await?, "0", "neither is audited");
    assert_eq!(ask(&page, "GET", "/health", &[], "").await?.status, 200);
    // Neither IAM's callers nor queues and schedules come through CloudFront.
    cloud.run_schedule("meeting-manager").await?;
    Ok(())
}
