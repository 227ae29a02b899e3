//! Entities of a text by Comprehend Medical's client, which sends CBOR, and by JSON 1.1.

use aws_sdk_comprehendmedical::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_comprehendmedical::types::{AttributeName, EntityType, Icd10CmTraitName};
use local::faults::{Fault, FaultKind};

use crate::fixture::Fixture;

const REGION: &str = "eu-west-1";
const TEXT: &str = "Größe 🩺: I have a headache, no fever. I took ibuprofen 400 mg for my knee.";

fn code<T: ProvideErrorMetadata, R>(error: &SdkError<T, R>) -> &str {
    error.code().unwrap_or("no code")
}

/// The part of a text between two offsets in code points.
fn part(text: &str, begin: Option<i32>, end: Option<i32>) -> String {
    let at = |it: Option<i32>| usize::try_from(it.expect("an offset")).expect("it is positive");
    text.chars().take(at(end)).skip(at(begin)).collect()
}

#[tokio::test]
async fn entities_have_offsets_in_code_points_traits_and_attributes() {
    let fixture = Fixture::start().await;
    let found = fixture.comprehend_medical(REGION).detect_entities_v2().text(TEXT).send().await;
    let found = found.expect("it is good");
    assert_eq!(fixture.last_asked(), ("comprehendmedical:DetectEntitiesV2".to_owned(), None));
    let texts: Vec<&str> = found.entities().iter().filter_map(|it| it.text()).collect();
    assert_eq!(texts, ["headache", "fever", "ibuprofen", "knee"]);
    for entity in found.entities() {
        assert_eq!(part(TEXT, entity.begin_offset, entity.end_offset), entity.text().unwrap_or_default());
        assert!(entity.score().is_some_and(|it| it > 0.9));
    }
    let negated: Vec<bool> = found
        .entities()
        .iter()
        .map(|it| it.traits().iter().any(|it| it.name == Some(AttributeName::Negation)))
        .collect();
    assert_eq!(negated, [false, true, false, false]);
    assert_eq!(found.entities()[2].category, Some(EntityType::Medication));
    let dosage = &found.entities()[2].attributes()[0];
    assert_eq!(part(TEXT, dosage.begin_offset, dosage.end_offset), "400 mg");
    assert!(!found.model_version().is_empty());
}

#[tokio::test]
async fn conditions_have_codes_of_icd_10_cm() {
    let fixture = Fixture::start().await;
    let found =
        fixture.comprehend_medical(REGION).infer_icd10_cm().text(TEXT).send().await.expect("it is good");
    let codes: Vec<_> =
        found.entities().iter().map(|it| it.icd10_cm_concepts()[0].code().unwrap_or_default()).collect();
    assert_eq!(codes, ["R51.9", "R50.9"]);
    let negated =
        |n: usize| found.entities()[n].traits().iter().any(|it| it.name == Some(Icd10CmTraitName::Negation));
    assert_eq!([negated(0), negated(1)], [false, true]);
}

#[tokio::test]
async fn texts_that_are_too_large_by_bytes_other_regions_and_throttling_are_errors() {
    let fixture = Fixture::start().await;
    let client = fixture.comprehend_medical(REGION);
    let detect = |text: String| client.detect_entities_v2().text(text).send();
    detect("ä".repeat(10_000)).await.expect("20,000 bytes");
    let large = detect("ä".repeat(10_001)).await.expect_err("20,002 bytes");
    assert_eq!(code(&large), "TextSizeLimitExceededException");
    let large = client.infer_icd10_cm().text("ä".repeat(5_001)).send().await.expect_err("10,002 bytes");
    assert_eq!(code(&large), "TextSizeLimitExceededException");
    assert_eq!(code(&detect(String::new()).await.expect_err("no text")), "InvalidRequestException");
    let elsewhere =
        fixture.comprehend_medical("eu-central-1").detect_entities_v2().text("headache").send().await;
    assert!(elsewhere.expect_err("no endpoint").message().is_some_and(|it| it.contains("eu-central-1")));
    fixture.faults.add(Fault {
        service: "comprehendmedical".to_owned(),
        operation: Some("InferICD10CM".to_owned()),
        function: None,
        kind: FaultKind::Throttle,
        nth: None,
        ms: None,
        times: Some(1),
    });
    let throttled = client.infer_icd10_cm().text("headache").send().await.expect_err("a fault");
    assert_eq!(code(&throttled), "TooManyRequestsException");
    fixture.deny("comprehendmedical:InferICD10CM");
    let refused = client.infer_icd10_cm().text("headache").send().await.expect_err("the role lacks it");
    assert_eq!(code(&refused), "AccessDeniedException");
}
