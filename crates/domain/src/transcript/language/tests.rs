use proptest::prelude::*;

use super::*;

/// How a tag is transcribed where the standard engine is allowed and languages that Chime's model does not list are attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Live,
    Unconfirmed,
    Batch,
    Nothing,
}

/// Tags, each tried in an allowed and in a forbidden region: the model's 14, then others by part of the world, then made-up ones.
const TAGS: [(&str, Expected); 81] = [
    ("en-US", Expected::Live),
    ("en-GB", Expected::Live),
    ("en-AU", Expected::Live),
    ("es-US", Expected::Live),
    ("fr-CA", Expected::Live),
    ("fr-FR", Expected::Live),
    ("it-IT", Expected::Live),
    ("de-DE", Expected::Live),
    ("pt-BR", Expected::Live),
    ("ja-JP", Expected::Live),
    ("ko-KR", Expected::Live),
    ("zh-CN", Expected::Live),
    ("th-TH", Expected::Live),
    ("hi-IN", Expected::Live),
    ("af-ZA", Expected::Unconfirmed),
    ("am-ET", Expected::Unconfirmed),
    ("en-ZA", Expected::Unconfirmed),
    ("kab-DZ", Expected::Unconfirmed),
    ("lg-IN", Expected::Unconfirmed),
    ("so-SO", Expected::Unconfirmed),
    ("sw-BI", Expected::Unconfirmed),
    ("sw-KE", Expected::Unconfirmed),
    ("sw-RW", Expected::Unconfirmed),
    ("sw-TZ", Expected::Unconfirmed),
    ("sw-UG", Expected::Unconfirmed),
    ("zu-ZA", Expected::Unconfirmed),
    ("ha-NG", Expected::Batch),
    ("rw-RW", Expected::Batch),
    ("wo-SN", Expected::Batch),
    ("ar-AE", Expected::Unconfirmed),
    ("ar-SA", Expected::Unconfirmed),
    ("ckb-IQ", Expected::Unconfirmed),
    ("ckb-IR", Expected::Unconfirmed),
    ("fa-AF", Expected::Unconfirmed),
    ("fa-IR", Expected::Unconfirmed),
    ("he-IL", Expected::Unconfirmed),
    ("ps-AF", Expected::Unconfirmed),
    ("tr-TR", Expected::Unconfirmed),
    ("bn-IN", Expected::Unconfirmed),
    ("en-IN", Expected::Unconfirmed),
    ("gu-IN", Expected::Unconfirmed),
    ("kn-IN", Expected::Unconfirmed),
    ("ml-IN", Expected::Unconfirmed),
    ("mr-IN", Expected::Unconfirmed),
    ("ne-NP", Expected::Unconfirmed),
    ("or-IN", Expected::Unconfirmed),
    ("pa-IN", Expected::Unconfirmed),
    ("si-LK", Expected::Unconfirmed),
    ("ta-IN", Expected::Unconfirmed),
    ("te-IN", Expected::Unconfirmed),
    ("en-NZ", Expected::Unconfirmed),
    ("es-ES", Expected::Unconfirmed),
    ("es-MX", Expected::Unconfirmed),
    ("pt-PT", Expected::Unconfirmed),
    ("uk-UA", Expected::Unconfirmed),
    ("vi-VN", Expected::Unconfirmed),
    ("zh-HK", Expected::Unconfirmed),
    ("ab-GE", Expected::Batch),
    ("mn-MN", Expected::Batch),
    ("mt-MT", Expected::Batch),
    ("ug-CN", Expected::Batch),
    ("", Expected::Nothing),
    ("auto", Expected::Nothing),
    ("en", Expected::Nothing),
    ("en_US", Expected::Nothing),
    ("en-US ", Expected::Nothing),
    ("english", Expected::Nothing),
    ("ar-EG", Expected::Nothing),
    ("ar-MA", Expected::Nothing),
    ("fr-CM", Expected::Nothing),
    ("fr-SN", Expected::Nothing),
    ("ff-SN", Expected::Nothing),
    ("ig-NG", Expected::Nothing),
    ("sn-ZW", Expected::Nothing),
    ("ti-ER", Expected::Nothing),
    ("tn-BW", Expected::Nothing),
    ("ur-PK", Expected::Nothing),
    ("xh-ZA", Expected::Nothing),
    ("yo-NG", Expected::Nothing),
    ("xx-XX", Expected::Nothing),
    ("'; --", Expected::Nothing),
];

fn policy(allowed: &[&str]) -> Policy {
    Policy {
        allowed_regions: allowed.iter().map(|&region| region.to_owned()).collect(),
        storage_region: "eu-central-1".to_owned(),
        attempt_unconfirmed: true,
        mark_content: true,
        vocabularies: Vocabularies::default(),
    }
}

fn request(language: &str, options: &[&str]) -> Result<Request, Reason> {
    let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
    Ok(Request { wanted: Wanted::parse(language, &options)?, specialty: None })
}

fn tag(code: &str) -> Request {
    request(code, &[]).expect("a code of the table")
}

fn medical(code: &str, specialty: Specialty) -> Request {
    Request { specialty: Some(specialty), ..tag(code) }
}

fn live_of(resolution: Resolution) -> Live {
    match resolution {
        Resolution::Live(live) => live,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn each_tag_resolves_as_the_facts_say_in_an_allowed_and_in_a_forbidden_region() {
    for (code, expected) in TAGS {
        let Ok(request) = request(code, &[]) else {
            assert_eq!(expected, Expected::Nothing, "{code}");
            continue;
        };
        let got = match resolve(&request, "eu-central-1", &policy(&["eu-central-1"]), &Attempts::default()) {
            Resolution::Live(live) => {
                assert_eq!(
                    (live.codes.as_slice(), live.region.as_str()),
                    ([code].as_slice(), "eu-central-1")
                );
                if live.unconfirmed { Expected::Unconfirmed } else { Expected::Live }
            }
            Resolution::Batch(batch, reason) => {
                assert_eq!(
                    (batch.codes.as_slice(), batch.region.as_str()),
                    ([code].as_slice(), "eu-central-1")
                );
                assert_eq!(reason, Reason::NotStreamed(code));
                Expected::Batch
            }
            Resolution::Unsupported(reason) => unreachable!("{code}: {reason}"),
        };
        assert_eq!(got, expected, "{code}");
        // The media region has the engine and is not allowed; the allowed one has neither the engine nor the recordings.
        let forbidden = resolve(&request, "eu-central-1", &policy(&["eu-south-2"]), &Attempts::default());
        assert!(matches!(forbidden, Resolution::Unsupported(_)), "{code}: {forbidden:?}");
        // Nothing is allowed, so nothing is chosen.
        let nothing = resolve(&request, "eu-central-1", &policy(&[]), &Attempts::default());
        assert!(matches!(nothing, Resolution::Unsupported(_)), "{code}: {nothing:?}");
    }
}

#[test]
fn the_table_names_every_language_once() {
    let mut codes: Vec<_> = table::LANGUAGES.iter().map(|language| language.code).collect();
    codes.dedup();
    assert_eq!(codes.len(), 113);
    assert!(codes.is_sorted());
    assert!(table::LANGUAGES.iter().all(|language| !language.name.is_empty()));
    assert_eq!(table::LANGUAGES.iter().filter(|language| language.in_model).count(), 14);
    assert_eq!(table::LANGUAGES.iter().filter(|language| language.streaming != Streaming::No).count(), 99);
}

#[test]
fn a_tag_may_be_in_any_case_and_is_answered_in_the_tables() {
    for spelled in ["en-us", "EN-US", "En-uS"] {
        let live =
            live_of(resolve(&tag(spelled), "us-east-1", &policy(&["us-east-1"]), &Attempts::default()));
        assert_eq!(live.codes, ["en-US"], "{spelled}");
    }
}

#[test]
fn the_region_is_the_media_region_or_the_first_allowed_one_that_has_the_engine() {
    let allowed = policy(&["af-south-1", "eu-west-2", "eu-west-1"]);
    let region = |media: &str| live_of(resolve(&tag("en-GB"), media, &allowed, &Attempts::default())).region;
    assert_eq!(region("eu-west-1"), "eu-west-1", "the media region");
    assert_eq!(region("af-south-1"), "eu-west-2", "allowed, without the engine");
    assert_eq!(region("us-east-1"), "eu-west-2", "not allowed");
    // `auto` is no region, even if the list names it.
    let auto = resolve(&tag("en-GB"), "auto", &policy(&["auto"]), &Attempts::default());
    assert_eq!(auto, Resolution::Unsupported(Reason::NoRegion));
    // Tokyo streams the older languages alone.
    let tokyo = policy(&["ap-northeast-1"]);
    assert_eq!(
        resolve(&tag("ta-IN"), "ap-northeast-1", &tokyo, &Attempts::default()),
        Resolution::Unsupported(Reason::NoRegion)
    );
    assert_eq!(
        live_of(resolve(&tag("vi-VN"), "ap-northeast-1", &tokyo, &Attempts::default())).region,
        "ap-northeast-1"
    );
}

#[test]
fn an_unconfirmed_language_is_attempted_where_the_operator_allows_it_and_remembered() {
    let two = policy(&["eu-central-1", "eu-west-1"]);
    let swahili = || tag("sw-KE");
    let attempts = |of: &[(&str, Attempt)]| -> Attempts {
        of.iter().map(|&(region, attempt)| ("sw-KE".to_owned(), region.to_owned(), attempt)).collect()
    };
    let first = live_of(resolve(&swahili(), "eu-central-1", &two, &Attempts::default()));
    assert_eq!((first.region.as_str(), first.unconfirmed), ("eu-central-1", true));

    let confirmed = attempts(&[("eu-central-1", Attempt::Confirmed)]);
    let second = live_of(resolve(&swahili(), "eu-central-1", &two, &confirmed));
    assert_eq!((second.region.as_str(), second.unconfirmed), ("eu-central-1", false));

    let failed = attempts(&[("eu-central-1", Attempt::Failed)]);
    let other = live_of(resolve(&swahili(), "eu-central-1", &two, &failed));
    assert_eq!((other.region.as_str(), other.unconfirmed), ("eu-west-1", true));

    let failed = attempts(&[("eu-central-1", Attempt::Failed), ("eu-west-1", Attempt::Failed)]);
    let Resolution::Batch(batch, reason) = resolve(&swahili(), "eu-central-1", &two, &failed) else {
        unreachable!("it is transcribed afterwards");
    };
    assert_eq!((batch.codes, reason), (vec!["sw-KE"], Reason::Failed("sw-KE")));

    // A language of Chime's model fails for other reasons than its code.
    let failed: Attempts =
        [("en-US".to_owned(), "eu-central-1".to_owned(), Attempt::Failed)].into_iter().collect();
    let english = live_of(resolve(&tag("en-US"), "eu-central-1", &two, &failed));
    assert_eq!((english.region.as_str(), english.unconfirmed), ("eu-central-1", false));

    // Without permission to attempt it: only where it was confirmed.
    let none = Policy { attempt_unconfirmed: false, ..two };
    let Resolution::Batch(_, reason) = resolve(&swahili(), "eu-central-1", &none, &Attempts::default())
    else {
        unreachable!("it is transcribed afterwards");
    };
    assert_eq!(reason, Reason::Unconfirmed("sw-KE"));
    let elsewhere = attempts(&[("eu-west-1", Attempt::Confirmed)]);
    assert_eq!(live_of(resolve(&swahili(), "eu-central-1", &none, &elsewhere)).region, "eu-west-1");
}

#[test]
fn a_specialty_is_for_the_medical_engine_alone() {
    let allowed = policy(&["eu-west-1", "eu-central-1"]);
    let resolve = |request: &Request, policy: &Policy| {
        super::resolve(request, "eu-central-1", policy, &Attempts::default())
    };
    let live = live_of(resolve(&medical("en-US", Specialty::Cardiology), &allowed));
    let got = (live.engine, live.region.as_str(), live.content_type, live.specialty, live.unconfirmed);
    assert_eq!(
        got,
        (Engine::Medical, "eu-west-1", Some(ContentType::Phi), Some(Specialty::Cardiology), false)
    );
    // Frankfurt has no medical engine, and the standard engine is not taken instead.
    let frankfurt = policy(&["eu-central-1"]);
    let unsupported = resolve(&medical("en-US", Specialty::PrimaryCare), &frankfurt);
    assert_eq!(unsupported, Resolution::Unsupported(Reason::NoRegion));
    for other in ["en-GB", "de-DE", "sw-KE"] {
        let unsupported = resolve(&medical(other, Specialty::PrimaryCare), &allowed);
        assert_eq!(unsupported, Resolution::Unsupported(Reason::MedicalLanguage), "{other}");
    }
    let identify = Request {
        specialty: Some(Specialty::Oncology),
        ..request("identify", &["en-US", "es-US"]).expect("options")
    };
    assert_eq!(resolve(&identify, &allowed), Resolution::Unsupported(Reason::MedicalLanguage));
    for text in ["PRIMARYCARE", "CARDIOLOGY", "NEUROLOGY", "ONCOLOGY", "RADIOLOGY", "UROLOGY"] {
        assert_eq!(text.parse::<Specialty>().map(Specialty::as_str), Ok(text));
    }
    assert_eq!("primarycare".parse::<Specialty>().ok(), None);
}

#[test]
fn a_medical_job_is_of_primary_care() {
    let stored = Policy { storage_region: "eu-west-1".to_owned(), ..policy(&["eu-west-1"]) };
    let batch = |specialty| super::batch(&medical("en-US", specialty), &stored);
    let job = batch(Specialty::PrimaryCare).expect("a job");
    assert_eq!((job.engine, job.content_type), (Engine::Medical, Some(ContentType::Phi)));
    assert_eq!(batch(Specialty::Urology), Err(Reason::MedicalBatchSpecialty));
}

#[test]
fn options_are_at_least_two_languages_of_one_dialect_each() {
    let reason = |language: &str, options: &[&str]| request(language, options).err();
    assert_eq!(reason("identify", &[]), Some(Reason::TooFewOptions));
    assert_eq!(reason("identify", &["en-US"]), Some(Reason::TooFewOptions));
    assert_eq!(reason("identify", &["en-US", "en-GB"]), Some(Reason::TwoDialects("en-US", "en-GB")));
    assert_eq!(reason("identify", &["sw-KE", "en-US", "sw-TZ"]), Some(Reason::TwoDialects("sw-KE", "sw-TZ")));
    assert_eq!(reason("identify", &["en-US", "xx-XX"]), Some(Reason::UnknownLanguage("xx-XX".to_owned())));
    assert_eq!(reason("en-US", &["en-US", "de-DE"]), Some(Reason::OptionsWithoutIdentify));
    let wanted = request("identify", &["sw-KE", "en-US"]).expect("two languages");
    let live = live_of(resolve(&wanted, "eu-west-1", &policy(&["eu-west-1"]), &Attempts::default()));
    assert_eq!(
        (live.codes.as_slice(), live.identify, live.unconfirmed),
        (["sw-KE", "en-US"].as_slice(), true, true)
    );
    // One of them is not streamed: the others are not taken instead.
    let wanted = request("identify", &["ha-NG", "en-US"]).expect("two languages");
    let Resolution::Batch(batch, reason) =
        resolve(&wanted, "eu-west-1", &policy(&["eu-central-1"]), &Attempts::default())
    else {
        unreachable!("it is transcribed afterwards");
    };
    assert_eq!(
        (batch.codes.as_slice(), batch.identify, reason),
        (["ha-NG", "en-US"].as_slice(), true, Reason::NotStreamed("ha-NG"))
    );
}

#[test]
fn a_vocabulary_is_of_its_engine_language_and_region() {
    let text = "en-US/us-east-1=terms, medical:en-US/us-east-1=medical-terms,de-DE/us-east-1=woerter";
    let vocabularies: Vocabularies = text.parse().expect("vocabularies");
    let policy = Policy { vocabularies, ..policy(&["us-east-1", "us-west-2"]) };
    let names = |request: &Request, media: &str| {
        live_of(resolve(request, media, &policy, &Attempts::default())).vocabularies
    };
    assert_eq!(names(&tag("en-US"), "us-east-1"), ["terms"]);
    assert_eq!(names(&tag("en-US"), "us-west-2"), [""; 0], "it lives in the other region");
    assert_eq!(names(&medical("en-US", Specialty::Urology), "us-east-1"), ["medical-terms"]);
    assert_eq!(names(&tag("fr-FR"), "us-east-1"), [""; 0]);
    let wanted = request("identify", &["de-DE", "fr-FR", "en-US"]).expect("three languages");
    assert_eq!(names(&wanted, "us-east-1"), ["woerter", "terms"]);
    for bad in [
        "x",
        "en-US=terms",
        "xx-XX/us-east-1=terms",
        "en-US/us-east-1=",
        "en-US/=a",
        "en-US/us-east-1=a b",
        "en-US/us-east-1=a,EN-us/us-east-1=b",
        "medical:/us-east-1=a",
    ] {
        assert_eq!(bad.parse::<Vocabularies>(), Err(NotVocabularies), "{bad}");
    }
    assert_eq!(" , ".parse::<Vocabularies>(), Ok(Vocabularies::default()));
}

#[test]
fn personal_data_is_marked_where_the_engine_does_it() {
    let content = |code: &str, policy: &Policy| {
        live_of(resolve(&tag(code), "us-east-1", policy, &Attempts::default())).content_type
    };
    let marks = policy(&["us-east-1"]);
    assert_eq!(content("en-US", &marks), Some(ContentType::Pii));
    assert_eq!(content("sw-KE", &marks), None);
    assert_eq!(content("en-US", &Policy { mark_content: false, ..marks }), None);
}

#[test]
fn a_reason_names_its_field_and_shows_no_text_that_is_no_tag() {
    let reason = Reason::UnknownLanguage("x".repeat(10_000));
    assert_eq!(reason.field(), "language");
    assert!(reason.to_string().len() < 100, "{reason}");
    assert_eq!(Reason::TooFewOptions.field(), "languageOptions");
    assert_eq!(Reason::MedicalBatchSpecialty.field(), "specialty");
    for text in ["a\"\n", "", "x'; DROP TABLE t;", "é"] {
        let shown = Reason::UnknownLanguage(text.to_owned()).to_string();
        assert_eq!(shown, "must be a language code of Amazon Transcribe", "{text}");
    }
    let shown = Reason::UnknownLanguage("xx-YY".to_owned()).to_string();
    assert_eq!(shown, "xx-YY is no language code of Amazon Transcribe");
}

#[test]
fn the_list_shows_each_language_with_what_is_possible() {
    let entries = entries("eu-central-1", &policy(&["eu-central-1"]), &Attempts::default());
    assert_eq!(entries.len(), table::LANGUAGES.len());
    let of = |code: &str| entries.iter().find(|entry| entry.code == code).expect("it is in the table");
    assert!(of("de-DE").live.is_some() && of("de-DE").batch.is_some() && of("de-DE").reason.is_none());
    assert_eq!((of("wo-SN").name, of("wo-SN").live.is_some()), ("Wolof", false));
    assert_eq!(of("wo-SN").reason, Some(Reason::NotStreamed("wo-SN")));
}

const REGIONS: [&str; 18] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "sa-east-1",
    "us-gov-west-1",
    "af-south-1",
    "eu-south-2",
    "auto",
    "",
    "EU-WEST-1",
];

proptest! {
    #[test]
    fn the_region_is_allowed_and_the_language_is_the_one_asked_for(
        codes in proptest::sample::subsequence(table::LANGUAGES.map(|language| language.code).to_vec(), 1..4),
        specialty in proptest::option::of(0..6_usize),
        media in proptest::sample::select(REGIONS.to_vec()),
        allowed in proptest::sample::subsequence(REGIONS.to_vec(), 0..6).prop_shuffle(),
        storage in proptest::sample::select(REGIONS.to_vec()),
        attempt_unconfirmed: bool,
        tried in proptest::collection::vec((0..3_usize, proptest::sample::select(REGIONS.to_vec()), any::<bool>()), 0..6),
    ) {
        let asked = if let [one] = codes.as_slice() { request(one, &[]) } else { request("identify", &codes) };
        let Ok(asked) = asked else { return Ok(()) };
        let asked = Request { specialty: specialty.map(|at| [Specialty::PrimaryCare, Specialty::Cardiology, Specialty::Neurology,
            Specialty::Oncology, Specialty::Radiology, Specialty::Urology][at]), ..asked };
        let policy = Policy { attempt_unconfirmed, storage_region: storage.to_owned(), ..policy(&allowed) };
        let attempt = |(code, region, ok): (usize, &str, bool)| {
            let attempt = if ok { Attempt::Confirmed } else { Attempt::Failed };
            (codes[code % codes.len()].to_owned(), region.to_owned(), attempt)
        };
        let attempts: Attempts = tried.into_iter().map(attempt).collect();
        let (got, region) = match resolve(&asked, media, &policy, &attempts) {
            Resolution::Live(live) => {
                prop_assert!(!live.unconfirmed || attempt_unconfirmed);
                prop_assert_eq!(live.engine == Engine::Medical, specialty.is_some());
                prop_assert!(live.engine == Engine::Standard || table::MEDICAL_REGIONS.contains(&live.region.as_str()));
                for code in &live.codes {
                    let language = table::find(code).expect("of the table");
                    prop_assert_ne!(attempts.of(language, &live.region), Some(Attempt::Failed));
                    prop_assert_ne!(language.streaming, Streaming::No);
                }
                (live.codes, live.region)
            }
            Resolution::Batch(batch, _) => {
                prop_assert_eq!(batch.engine == Engine::Medical, specialty.is_some());
                (batch.codes, batch.region)
            }
            Resolution::Unsupported(_) => return Ok(()),
        };
        prop_assert_eq!(got, codes);
        prop_assert!(allowed.contains(&region.as_str()));
        prop_assert!(!region.is_empty() && region != "auto");
    }
}
