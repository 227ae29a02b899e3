//! Responses to viewers.

use std::collections::BTreeMap;

use local_testing::{TestResult, workspace};

use crate::edge::{EMBEDDER, Edge, RECORDINGS, SDK};

const CALL: &str = "/call/00000000-0000-4000-8000-0000000000a1";

/// Those that are not always the same.
const VARIABLE: [&str; 5] = ["date", "etag", "last-modified", "via", "x-amz-cf-id"];

fn csp() -> TestResult<String> {
    let text = std::fs::read_to_string(workspace().join("infra/page/csp.txt"))?;
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    let policy = lines.join("; ").replace("{EmbeddingOrigins}", EMBEDDER);
    Ok(policy.replace("{RecordingsOrigin}", RECORDINGS))
}

#[tokio::test]
async fn the_page_has_exactly_these_headers() -> TestResult {
    let edge = Edge::start().await?;
    let answer = edge.get(CALL, &[("accept-encoding", "gzip, deflate, br, zstd")]).await?;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"the page in brotli"[..]));
    let policy = csp()?;
    let expected = [
        ("accept-ranges", "bytes"),
        ("cache-control", "no-cache"),
        ("content-encoding", "br"),
        ("content-length", "18"),
        ("content-security-policy", &policy),
        ("content-type", "text/html; charset=utf-8"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "permissions-policy",
            "autoplay=(self), camera=(self), display-capture=(self), fullscreen=(self), microphone=(self), \
             screen-wake-lock=(self), speaker-selection=(self), geolocation=(), payment=(), usb=()",
        ),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains"),
        ("vary", "Origin"),
        ("x-cache", "Miss from cloudfront"),
        ("x-content-type-options", "nosniff"),
        ("x-robots-tag", "noindex"),
    ];
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut found = answer.headers;
    for name in VARIABLE {
        assert!(found.remove(name).is_some(), "{name} is there too");
    }
    assert_eq!(found, expected);
    Ok(())
}

#[tokio::test]
async fn without_an_embedding_origin_nobody_may_frame_the_page() -> TestResult {
    let infra = workspace().join("infra");
    let text = std::fs::read_to_string(infra.join("params/local.json"))?;
    let mut params: BTreeMap<String, String> = serde_json::from_str(&text)?;
    params.insert("EmbeddingOrigins".to_owned(), String::new());
    let plan = local_template::template::deploy(&infra, &params, "us-east-1")?;
    let edge = Edge::with(|it| *it = plan).await?;
    let answer = edge.get(CALL, &[("origin", EMBEDDER)]).await?;
    assert!(answer.headers["content-security-policy"].contains("; frame-ancestors 'none'; "));
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "{:?}", answer.headers);
    assert_eq!(answer.headers["vary"], "Accept-Encoding", "without CORS it is the policy's");
    Ok(())
}

#[tokio::test]
async fn the_page_plays_recordings_from_their_bucket_and_media_from_nowhere_else() -> TestResult {
    let infra = workspace().join("infra");
    let text = std::fs::read_to_string(infra.join("params/local.json"))?;
    let params: BTreeMap<String, String> = serde_json::from_str(&text)?;
    for (given, sources) in [
        // Filled from the storage stack, as the guide has it.
        (None, "; media-src 'self' blob: mediastream: https://{bucket}.s3.us-east-1.amazonaws.com; "),
        (Some(""), "; media-src 'self' blob: mediastream:; "),
    ] {
        let mut params = params.clone();
        params.extend(given.map(|it| ("RecordingsOrigin".to_owned(), it.to_owned())));
        let plan = local_template::template::deploy(&infra, &params, "us-east-1")?;
        let bucket = plan.outputs.get("RecordingsBucketName").ok_or("a bucket")?;
        let sources = sources.replace("{bucket}", bucket);
        let edge = Edge::with(|it| *it = plan).await?;
        let policy = &edge.get(CALL, &[]).await?.headers["content-security-policy"];
        assert!(policy.contains(&sources), "{policy} has no {sources}");
    }
    for origin in
        ["http://recordings.example.com", "https://a.example.com https://b.example.com", "*", "'self'"]
    {
        let mut params = params.clone();
        params.insert("RecordingsOrigin".to_owned(), origin.to_owned());
        let error = local_template::template::deploy(&infra, &params, "us-east-1").err();
        let error = error.ok_or_else(|| format!("{origin} is accepted"))?.to_string();
        assert!(error.contains("RecordingsOrigin"), "{origin}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn the_best_encoding_that_is_accepted_is_served() -> TestResult {
    let edge = Edge::start().await?;
    for (accepted, encoding, suffix) in [
        ("br", Some("br"), " in brotli"),
        ("gzip, br", Some("br"), " in brotli"),
        ("gzip;q=1.0, br;q=0.5", Some("br"), " in brotli"),
        ("GZIP, BR", Some("br"), " in brotli"),
        ("gzip", Some("gzip"), " in gzip"),
        ("gzip, br;q=0", Some("gzip"), " in gzip"),
        ("gzip, br; q=0.000", Some("gzip"), " in gzip"),
        ("brotli, xgzip", None, ""),
        ("identity", None, ""),
        ("", None, ""),
    ] {
        for (path, text, kept) in [
            (CALL, "the page", "no-cache"),
            ("/assets/a-1.js", "the script", "public, max-age=31536000, immutable"),
        ] {
            let answer = edge.get(path, &[("accept-encoding", accepted)]).await?;
            assert_eq!(answer.status, 200, "{path} {accepted}");
            assert_eq!(
                answer.headers.get("content-encoding").map(String::as_str),
                encoding,
                "{path} {accepted}"
            );
            assert_eq!(answer.body, format!("{text}{suffix}"), "{path} {accepted}");
            assert_eq!(answer.headers["cache-control"], kept, "{path} {accepted}");
        }
    }
    let font = edge.get("/assets/a-1.woff2", &[("accept-encoding", "br")]).await?;
    assert_eq!(
        (font.status, &font.body[..]),
        (200, &b"a font"[..]),
        "what has no sibling is served as it is"
    );
    Ok(())
}

#[tokio::test]
async fn addresses_lead_to_the_page_or_to_a_clear_404() -> TestResult {
    let edge = Edge::start().await?;
    for path in [CALL, "/call/abc", "/call/abc/", "/call/abc?x=1", "/index.html", "/config.json"] {
        assert_eq!(edge.get(path, &[]).await?.status, 200, "{path}");
    }
    let long = format!("/call/{}", "a".repeat(65));
    for path in [
        "/",
        "/call",
        "/call/",
        "/call/a/b",
        "/call/a.b",
        &long,
        "/manifest.json",
        "/pages/1/index.html",
        "/CALL/a",
    ] {
        let answer = edge.get(path, &[("accept-encoding", "br")]).await?;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8", "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        assert!(answer.headers["content-security-policy"].starts_with("default-src 'none'"), "{path}");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.contains("There is no call at this address") && text.contains("Aucun appel"), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn the_form_of_the_apis_links_leads_to_the_call() -> TestResult {
    let edge = Edge::start().await?;
    let answer = edge.get("/call?appointmentId=00000000-0000-4000-8000-0000000000a1", &[]).await?;
    assert_eq!((answer.status, answer.headers["location"].as_str()), (302, CALL));
    for bad in ["", "a/b", "//evil.example", "a%0d%0aSet-Cookie:%20x", "a.b"] {
        let answer = edge.get(&format!("/call?appointmentId={bad}"), &[]).await?;
        assert_eq!((answer.status, answer.headers.get("location")), (404, None), "{bad}");
    }
    Ok(())
}

#[tokio::test]
async fn only_reading_is_let_through_to_the_page() -> TestResult {
    let edge = Edge::start().await?;
    assert_eq!(edge.ask("HEAD", CALL, &[], "").await?.status, 200);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(edge.ask(method, CALL, &[], "").await?.status, 403, "{method}");
    }
    Ok(())
}

#[tokio::test]
async fn conditional_and_range_requests_are_answered() -> TestResult {
    let edge = Edge::start().await?;
    let first = edge.get(CALL, &[]).await?;
    let again = edge.get(CALL, &[("if-none-match", &first.headers["etag"])]).await?;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.headers["etag"], first.headers["etag"]);
    let compressed =
        edge.get(CALL, &[("if-none-match", &first.headers["etag"]), ("accept-encoding", "br")]).await?;
    assert_eq!(compressed.status, 200, "another encoding is another representation");
    let part = edge.get("/assets/a-1.js", &[("range", "bytes=4-9")]).await?;
    assert_eq!((part.status, &part.body[..]), (206, &b"script"[..]));
    assert_eq!(part.headers["content-range"], "bytes 4-9/10");
    Ok(())
}

#[tokio::test]
async fn listed_origins_may_read_the_files_and_others_not() -> TestResult {
    let edge = Edge::start().await?;
    for (origin, granted) in [(EMBEDDER, Some(EMBEDDER)), ("https://evil.example", None), ("null", None)] {
        let answer = edge.get("/assets/a-1.js", &[("origin", origin)]).await?;
        assert_eq!(
            answer.headers.get("access-control-allow-origin").map(String::as_str),
            granted,
            "{origin}"
        );
        // CloudFront's own, which no policy with CORS can change.
        assert_eq!(answer.headers.get("vary"), None, "{origin}");
    }
    Ok(())
}

#[tokio::test]
async fn the_sdk_is_served_to_any_origin_and_nothing_else_is() -> TestResult {
    let edge = Edge::start().await?;
    let sdk = format!("/{SDK}");
    for origin in ["null", EMBEDDER, "https://other.example"] {
        let answer = edge.get(&sdk, &[("origin", origin), ("accept-encoding", "gzip, br")]).await?;
        assert_eq!((answer.status, &answer.body[..]), (200, &b"the SDK in brotli"[..]), "{origin}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{origin}");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{origin}");
        assert_eq!(answer.headers["cross-origin-resource-policy"], "cross-origin");
        assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert!(answer.headers["strict-transport-security"].starts_with("max-age=63072000"));
    }
    for path in ["/assets/a-1.js", CALL, "/config.json"] {
        let answer = edge.get(path, &[("origin", "null")]).await?;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers.get("access-control-allow-origin"), None, "{path}");
        assert_eq!(answer.headers["cross-origin-resource-policy"], "same-origin", "{path}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(edge.ask(method, &sdk, &[], "").await?.status, 403, "{method}");
    }
    Ok(())
}

/// The behavior of the bundle finds it under the name that the build gives it.
#[test]
fn the_build_names_the_sdk_as_the_template_expects() -> TestResult {
    let build = std::fs::read_to_string(workspace().join("infra/page/build.js"))?;
    assert!(build.contains("`chime-sdk-${sdkVersion}`"), "build.js names the bundle otherwise");
    assert!(build.contains("`assets/${name}-${hash}.${extension}`"), "build.js names files otherwise");
    let script = std::fs::read_to_string(workspace().join("infra/cdn.py"))?;
    assert!(script.contains("PINNED = \"assets/chime-sdk-\""), "cdn.py keeps other files");
    Ok(())
}
