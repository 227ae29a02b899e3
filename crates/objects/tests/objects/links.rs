//! Signed links.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use local_testing::{ObjectCloud, TestResult};
use objects::{Error, Links, Playable, PlaybackLinks};

use crate::{BUCKET, calls, put};

const KEYS: [&str; 3] = ["recordings/1/1.mp4", "recordings/1/2.mp4", "recordings/2/1.mp4"];

async fn cloud() -> TestResult<ObjectCloud> {
    let cloud = ObjectCloud::start().await?;
    for key in KEYS {
        put(&cloud, key, format!("the bytes of {key}"))?;
    }
    Ok(cloud)
}

async fn sign(cloud: &ObjectCloud, keys: &[&str]) -> Result<Links, Error> {
    let links = PlaybackLinks::new(cloud.sdk(), cloud.output("PlaybackRoleArn"), BUCKET);
    let playable = |key: &&'static str| Playable { key, download_name: Some("recording-1.mp4") };
    let keys: Vec<&'static str> = KEYS.into_iter().filter(|it| keys.contains(it)).collect();
    links.sign("recording-1", &keys.iter().map(playable).collect::<Vec<_>>()).await
}

async fn get(url: &str, range: Option<&str>) -> TestResult<Response<Bytes>> {
    let mut request = Request::get(url);
    if let Some(range) = range {
        request = request.header(header::RANGE, range);
    }
    let http = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let (parts, body) = http.request(request.body(Empty::new())?).await?.into_parts();
    Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
}

#[tokio::test]
async fn a_link_plays_also_by_ranges_and_is_saved_under_the_given_name() -> TestResult {
    let cloud = cloud().await?;
    let signed = sign(&cloud, &KEYS[..2]).await?;
    assert_eq!((signed.links.len(), calls(&cloud, "AssumeRole")), (2, 1));
    let left = signed.expires_at - cloud.clock.now();
    assert!(left <= time::Duration::minutes(15) && left > time::Duration::seconds(890), "{left}");
    for (link, key) in signed.links.iter().zip(KEYS) {
        let whole = get(&link.url, None).await?;
        assert_eq!(
            (whole.status(), whole.body().as_ref()),
            (StatusCode::OK, format!("the bytes of {key}").as_bytes())
        );
        let headers = whole.headers();
        assert_eq!(headers[header::CONTENT_DISPOSITION], "attachment; filename=\"recording-1.mp4\"");
        assert_eq!(headers[header::CONTENT_TYPE], "video/mp4");
        assert_eq!(headers[header::CACHE_CONTROL], "private, no-store");
        let part = get(&link.url, Some("bytes=4-8")).await?;
        assert_eq!((part.status(), part.body().as_ref()), (StatusCode::PARTIAL_CONTENT, &b"bytes"[..]));
    }
    Ok(())
}

#[tokio::test]
async fn a_link_that_was_altered_or_has_expired_is_refused() -> TestResult {
    let cloud = cloud().await?;
    let signed = sign(&cloud, &KEYS[..1]).await?;
    let url = &signed.links[0].url;
    let altered = [
        url.replace("recordings/1/1.mp4", "recordings/2/1.mp4"),
        url.replace("X-Amz-Expires=900", "X-Amz-Expires=9000"),
        url.replace("recording-1.mp4", "recording-2.mp4"),
        format!("{url}&versionId=null"),
    ];
    for altered in altered {
        assert_ne!(&altered, url);
        assert_eq!(get(&altered, None).await?.status(), StatusCode::FORBIDDEN, "{altered}");
    }
    cloud.clock.advance(890);
    assert_eq!(get(url, None).await?.status(), StatusCode::OK);
    cloud.clock.advance(11);
    assert_eq!(get(url, None).await?.status(), StatusCode::FORBIDDEN);
    Ok(())
}

/// The credentials in a link, were they to sign another one, open nothing else: they are those of a policy for these objects.
#[tokio::test]
async fn the_credentials_of_a_link_open_no_other_object() -> TestResult {
    let cloud = cloud().await?;
    let sts = aws_sdk_sts::Client::new(cloud.sdk());
    sign(&cloud, &KEYS[..1]).await?;
    // The same request once more, to have its credentials.
    let sent = cloud.calls.since(0).into_iter().find(|it| it.operation == "AssumeRole").ok_or("a call")?;
    let form: std::collections::BTreeMap<_, _> =
        form_urlencoded::parse(sent.request.body.as_bytes()).into_owned().collect();
    let again = sts.assume_role().role_arn(&form["RoleArn"]).role_session_name("again");
    let given = again.policy(&form["Policy"]).duration_seconds(900).send().await?;
    let given = given.credentials().ok_or("credentials")?;
    let token = Some(given.session_token().to_owned());
    let credentials = aws_credential_types::Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        token,
        None,
        "link",
    );
    let client = aws_sdk_s3::Client::new(&cloud.sdk_as(credentials));
    for (key, allowed) in [(KEYS[0], true), (KEYS[1], false), (KEYS[2], false)] {
        let got = client.get_object().bucket(BUCKET).key(key).send().await;
        let status = got.map_or_else(|it| it.raw_response().map_or(0, |it| it.status().as_u16()), |_| 200);
        assert_eq!(status, if allowed { 200 } else { 403 }, "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn many_objects_take_a_policy_for_each_two_thousand_characters() -> TestResult {
    let cloud = cloud().await?;
    let keys: Vec<String> =
        (1..=40).map(|it| format!("recordings/0c6f7b0e-4f3e-4f7c-9f61-2b4f6d1f6a01/{it}.mp4")).collect();
    for key in &keys {
        put(&cloud, key, "x")?;
    }
    let links = PlaybackLinks::new(cloud.sdk(), cloud.output("PlaybackRoleArn"), BUCKET);
    let playable: Vec<_> = keys.iter().map(|key| Playable { key, download_name: None }).collect();
    let signed = links.sign("recording-1", &playable).await?;
    let roles = calls(&cloud, "AssumeRole");
    assert!(signed.links.len() == 40 && (2..=4).contains(&roles), "{roles}");
    for link in &signed.links {
        assert_eq!(get(&link.url, None).await?.status(), StatusCode::OK);
    }
    Ok(())
}

#[tokio::test]
async fn a_key_or_name_that_a_policy_or_header_would_read_otherwise_is_refused() -> TestResult {
    let cloud = cloud().await?;
    let links = PlaybackLinks::new(cloud.sdk(), cloud.output("PlaybackRoleArn"), BUCKET);
    for (key, download_name) in [
        ("recordings/*", "1.mp4"),
        ("recordings/${aws:userid}", "1.mp4"),
        ("a", "1\".mp4"),
        ("a", "ä.mp4"),
        ("a", ""),
    ] {
        let refused =
            links.sign("recording-1", &[Playable { key, download_name: Some(download_name) }]).await;
        assert!(matches!(refused, Err(Error::Unexpected(_))), "{key} {download_name}: {refused:?}");
    }
    assert_eq!(calls(&cloud, "AssumeRole"), 0);
    let links = PlaybackLinks::new(cloud.sdk(), cloud.output("OtherRoleArn"), BUCKET);
    let refused = links.sign("recording-1", &[Playable { key: KEYS[0], download_name: None }]).await;
    assert!(matches!(refused, Err(Error::Refused { ref code, .. }) if code == "AccessDenied"), "{refused:?}");
    Ok(())
}
