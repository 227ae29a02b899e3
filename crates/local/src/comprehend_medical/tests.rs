//! Requests that the SDK's client does not send: JSON 1.1, and more requests than the quota.

use super::*;

fn request() -> Parts {
    let request = http::Request::builder().header("x-amz-target", "ComprehendMedical_20181030.InferICD10CM");
    request.body(()).expect("a request").into_parts().0
}

async fn infer_json(service: &ComprehendMedical, text: &str) -> Value {
    let body = json!({ "Text": text }).to_string();
    let answer = service.answer("us-east-1", &request(), body.into()).await;
    assert_eq!(answer.headers()["content-type"], "application/x-amz-json-1.1");
    serde_json::from_slice(answer.body()).expect("JSON")
}

#[tokio::test]
async fn json_is_answered_with_json_and_too_many_requests_are_refused() {
    let service = ComprehendMedical::with_rate(Rate { per_second: 0.0, burst: 1 });
    let found = infer_json(&service, "She denies chest pain.").await;
    let entity = &found["Entities"][0];
    assert_eq!((&entity["BeginOffset"], &entity["EndOffset"]), (&json!(11), &json!(21)));
    assert_eq!(entity["Traits"][1]["Name"], "NEGATION");
    assert_eq!(entity["ICD10CMConcepts"][0]["Code"], "R07.9");
    assert_eq!(infer_json(&service, "cough").await["__type"], "TooManyRequestsException");
}

#[test]
fn a_word_within_a_longer_one_is_found_once_and_part_of_a_word_never() {
    let texts = |text: &str| {
        let found = detect(text);
        let entities = found["Entities"].as_array().cloned().unwrap_or_default();
        entities.iter().filter_map(|it| it["Text"].as_str().map(ToOwned::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(texts("Type 2 diabetes and CHEST PAIN"), ["Type 2 diabetes", "CHEST PAIN"]);
    assert_eq!(texts("crash, scratchy, Rash"), ["Rash"]);
    assert_eq!(texts("ſfever"), Vec::<String>::new(), "a letter of another script before it");
}
