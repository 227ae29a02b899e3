use super::pattern::{matches, matches_arn};
use super::*;
use crate::plan::Function;

const MEETING: &str = "arn:aws:chime:us-east-1:000000000000:meeting/m-1";

/// Every meeting, in both forms of its ARN.
const MEETINGS: [&str; 2] =
    ["arn:aws:chime:*:000000000000:meeting/*", "arn:aws:chime::000000000000:meeting/*"];

fn statement(actions: &[&str], resources: &[&str]) -> Statement {
    let texts = |list: &[&str]| list.iter().map(|&it| it.to_owned()).collect();
    let (actions, resources) = (texts(actions), texts(resources));
    Statement { sid: "It".to_owned(), allow: true, actions, resources, conditions: Vec::new() }
}

fn deny(actions: &[&str], resources: &[&str]) -> Statement {
    Statement { sid: "Never".to_owned(), allow: false, ..statement(actions, resources) }
}

fn when(operator: &str, key: &str, values: &[&str]) -> Statement {
    let values = values.iter().map(|&it| it.to_owned()).collect();
    let conditions = vec![(operator.to_owned(), key.to_owned(), values)];
    Statement { conditions, ..statement(&["kms:Decrypt"], &["*"]) }
}

fn iam(role: Vec<Statement>) -> Result<Iam, IamError> {
    let function = Function {
        name: "attendee".to_owned(),
        arn: String::new(),
        memory_mb: 128,
        timeout: std::time::Duration::from_secs(3),
        reserved_concurrency: None,
        asynchronous: crate::plan::Asynchronous::OF_LAMBDA,
        environment: BTreeMap::new(),
        role_arn: String::new(),
        role,
        permissions: Vec::new(),
    };
    Iam::new(&Plan { functions: vec![function], ..Plan::default() })
}

fn allows(role: Vec<Statement>, action: &str, arn: Option<&str>) -> Result<bool, IamError> {
    Ok(iam(role)?.check("attendee", action, arn, &[]).is_allowed())
}

#[test]
fn an_action_is_allowed_on_the_resource_that_the_role_names() -> Result<(), IamError> {
    let role = || vec![statement(&["chime:CreateAttendee"], &MEETINGS)];
    assert!(allows(role(), "chime:CreateAttendee", Some(MEETING))?);
    assert!(!allows(role(), "chime:DeleteAttendee", Some(MEETING))?, "another action");
    assert!(!allows(role(), "chime:CreateAttendee", Some("arn:aws:chime:us-east-1:111111111111:meeting/m"))?);
    assert!(!allows(role(), "chime:CreateAttendee", None)?, "no resource is not any resource");
    assert!(!iam(role())?.check("audit", "chime:CreateAttendee", Some(MEETING), &[]).is_allowed());
    Ok(())
}

#[test]
fn a_meeting_is_allowed_by_a_policy_that_names_it_with_and_without_region() -> Result<(), IamError> {
    let may = |resources: &[&str], arn| {
        allows(vec![statement(&["chime:GetMeeting"], resources)], "chime:GetMeeting", Some(arn))
    };
    let others = "arn:aws:chime:us-east-1:111111111111:meeting/m-1";
    for one in MEETINGS {
        assert!(!may(&[one], MEETING)?, "{one} alone is one of the two forms");
    }
    assert!(may(&MEETINGS, MEETING)? && may(&["*"], MEETING)?);
    assert!(!may(&MEETINGS, others)?, "another account's");
    Ok(())
}

#[test]
fn a_key_with_several_values_needs_a_set_operator() -> Result<(), IamError> {
    let publish = |operator: &str| {
        let values = vec!["medzen.calls".to_owned()];
        let conditions = vec![(operator.to_owned(), "events:source".to_owned(), values)];
        vec![Statement { conditions, ..statement(&["events:PutEvents"], &["*"]) }]
    };
    for operator in ["StringEquals", "StringLike", "StringEqualsIfExists"] {
        let loaded = iam(publish(operator));
        assert!(
            matches!(&loaded, Err(IamError::NoSetOperator { key, .. }) if key == "events:source"),
            "{operator}: {loaded:?}"
        );
    }
    iam(publish("ForAllValues:StringEquals"))?;
    iam(publish("ForAnyValue:StringEquals"))?;
    Ok(())
}

#[test]
fn an_action_without_resource_type_needs_a_star() -> Result<(), IamError> {
    for action in
        ["chime:CreateMeeting", "chime:CreateMeetingWithAttendees", "chime:CreateMediaCapturePipeline"]
    {
        let named = vec![statement(&[action], &["arn:aws:chime:*:000000000000:meeting/*"])];
        assert!(
            !allows(named, action, Some(MEETING))?,
            "{action} is AccessDenied for a policy that names meeting/*"
        );
        assert!(allows(vec![statement(&[action], &["*"])], action, None)?, "{action}");
        assert!(allows(vec![statement(&[action], &["*"])], action, Some(MEETING))?, "{action}");
    }
    Ok(())
}

#[test]
fn a_deny_wins_wherever_it_stands() -> Result<(), IamError> {
    let allow = || statement(&["chime:*"], &["*"]);
    let never = || deny(&["chime:Delete*"], &["*"]);
    for role in [vec![allow(), never()], vec![never(), allow()]] {
        let iam = iam(role)?;
        let decision = iam.check("attendee", "chime:DeleteMeeting", Some(MEETING), &[]);
        assert_eq!(decision, Decision::Denied("Never".to_owned()));
        assert!(iam.check("attendee", "chime:GetMeeting", Some(MEETING), &[]).is_allowed());
    }
    Ok(())
}

#[test]
fn wildcards_match_whole_names() {
    assert!(matches("*", "") && matches("a*c", "abbc") && matches("a?c", "abc") && matches("**", "x"));
    assert!(matches("a*b*c", "a-b-b-c") && matches("*/x", "a/x/x"));
    assert!(!matches("a?c", "ac") && !matches("a", "ab") && !matches("a*c", "acb") && !matches("", "a"));
    assert!(matches_arn("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a:b"));
    assert!(
        !matches_arn("arn:aws:*:topic", "arn:aws:sns:eu-west-1:000000000000:topic"),
        "a star stays in its part"
    );
}

/// Operator, values, the call's context, and whether that is met.
type Case<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)], bool);

#[test]
fn conditions_are_evaluated() -> Result<(), IamError> {
    let via = |value| ("kms:ViaService", value);
    let cases: &[Case<'_>] = &[
        ("StringEquals", &["a", "b"], &[via("b")], true),
        ("StringEquals", &["a"], &[("kms:viaservice", "a")], true),
        ("StringEquals", &["a"], &[via("A")], false),
        ("StringEquals", &["a"], &[], false),
        ("StringEqualsIfExists", &["a"], &[], true),
        ("StringEqualsIfExists", &["a"], &[via("b")], false),
        ("ForAllValues:StringEquals", &["a", "b"], &[via("a"), via("b")], true),
        ("ForAllValues:StringEquals", &["a", "b"], &[via("a"), via("c")], false),
        ("ForAllValues:StringEquals", &["a"], &[], true),
        ("ForAnyValue:StringEquals", &["a"], &[via("a"), via("c")], true),
        ("StringEqualsIgnoreCase", &["a"], &[via("A")], true),
        ("StringNotEquals", &["a", "b"], &[via("b")], false),
        ("StringNotEquals", &["a"], &[], true),
        ("StringLike", &["dynamodb.*.amazonaws.com"], &[via("dynamodb.us-east-1.amazonaws.com")], true),
        ("StringLike", &["dynamodb.*"], &[via("s3.us-east-1")], false),
        ("ArnLike", &["arn:aws:sns:*:1:t"], &[via("arn:aws:sns:eu:1:t")], true),
        ("ArnEquals", &["arn:aws:sns:*:t"], &[via("arn:aws:sns:eu:1:t")], false),
        ("ArnNotLike", &["arn:aws:sns:*:1:t"], &[via("arn:aws:sns:eu:1:t")], false),
        ("Bool", &["true"], &[via("true")], true),
        ("Bool", &["true"], &[via("false")], false),
        ("NumericLessThanEquals", &["10"], &[via("10")], true),
        ("NumericLessThan", &["10"], &[via("10")], false),
        ("NumericLessThan", &["10"], &[via("9")], true),
        ("NumericGreaterThan", &["10"], &[via("9")], false),
        ("NumericEquals", &["10"], &[via("10.0")], true),
        ("NumericEquals", &["10"], &[via("ten")], false),
        ("Null", &["true"], &[], true),
        ("Null", &["true"], &[via("a")], false),
        ("Null", &["false"], &[via("a")], true),
    ];
    for (operator, values, context, expected) in cases {
        let iam = iam(vec![when(operator, "kms:ViaService", values)])?;
        let decision = iam.check("attendee", "kms:Decrypt", None, context);
        assert_eq!(decision.is_allowed(), *expected, "{operator} {values:?} with {context:?}");
    }
    Ok(())
}

#[test]
fn unsupported_policies_are_rejected_at_load() {
    let unknown = iam(vec![statement(&["chime:CreateMeating"], &["*"])]);
    assert!(
        matches!(unknown, Err(IamError::UnknownAction { ref action, .. }) if action == "chime:CreateMeating")
    );
    assert!(matches!(iam(vec![statement(&["ses:SendEmail"], &["*"])]), Err(IamError::UnknownAction { .. })));
    assert!(matches!(
        iam(vec![when("IpAddress", "aws:SourceIp", &["::1"])]),
        Err(IamError::UnknownOperator { .. })
    ));
    assert!(matches!(iam(vec![when("StringEquals", "kms:Via", &["a"])]), Err(IamError::UnknownKey { .. })));
    assert!(iam(vec![when("StringEquals", "kms:EncryptionContext:table", &["a"])]).is_ok());
    for resource in ["meeting/*", "arn:aws:chime", "arn:aws:chime:*:*:meeting/${aws:userid}"] {
        let loaded = iam(vec![statement(&["chime:GetMeeting"], &[resource])]);
        assert!(matches!(loaded, Err(IamError::BadResource { .. })), "{resource}");
    }
}

#[test]
fn usage_lists_used_unused_and_denied() -> Result<(), IamError> {
    let logs = statement(&["logs:PutLogEvents"], &["arn:aws:logs:us-east-1:000000000000:log-group:g:*"]);
    let iam =
        iam(vec![statement(&["chime:GetMeeting", "chime:Delete*", "chime:CreateAttendee"], &["*"]), logs])?;
    let unused = iam.usage()["attendee"].unused.clone();
    assert_eq!(unused, ["chime:CreateAttendee", "chime:Delete*", "chime:GetMeeting", "logs:PutLogEvents"]);

    let _ = iam.check("attendee", "chime:DeleteMeeting", Some(MEETING), &[]);
    let _ = iam.check("attendee", "chime:GetMeeting", Some(MEETING), &[]);
    let _ = iam.check("attendee", "dynamodb:PutItem", None, &[]);
    iam.mark_implied("attendee", "logs");

    let usage = serde_json::to_value(iam.usage()).expect("usage is plain data");
    let expected = serde_json::json!({"attendee": {
        "used": ["chime:DeleteMeeting", "chime:GetMeeting", "logs:PutLogEvents"],
        "unused": ["chime:CreateAttendee"],
        "refused": ["dynamodb:PutItem"],
    }});
    assert_eq!(usage, expected);
    Ok(())
}

#[test]
fn wildcards_match_as_in_policies() {
    let arn = "arn:aws:execute-api:eu-central-1:000000000000:abc/$default/GET/health";
    assert!(matches("arn:aws:execute-api:eu-central-1:000000000000:abc/*", arn));
    assert!(matches("arn:aws:execute-api:eu-central-1:000000000000:abc/*/*/health", arn));
    assert!(matches("arn:aws:execute-api:eu-central-?:*:abc/$default/GET/health", arn));
    assert!(!matches("arn:aws:execute-api:eu-central-1:000000000000:abc/*/POST/*", arn));
    assert!(!matches("arn:aws:execute-api:eu-central-1:000000000000:other/*", arn));
    assert!(!matches(&arn[..arn.len() - 1], arn));
    // A matcher that tries every split of the text for every star would not end here.
    assert!(!matches(&"*a".repeat(40), &"a".repeat(39).repeat(40).replace("aaa", "aab")));
}

#[test]
fn transcription_and_medical_texts_are_allowed_by_a_star_alone_and_jobs_by_name() -> Result<(), IamError> {
    let job = "arn:aws:transcribe:us-east-1:000000000000:transcription-job/medzen-1";
    for action in [
        "chime:StartMeetingTranscription",
        "chime:StopMeetingTranscription",
        "comprehendmedical:DetectEntitiesV2",
        "comprehendmedical:InferICD10CM",
        "transcribe:StartTranscriptionJob",
        "transcribe:StartMedicalTranscriptionJob",
    ] {
        assert!(allows(vec![statement(&[action], &["*"])], action, None)?, "{action}");
        assert!(!allows(vec![statement(&[action], &[job])], action, None)?, "{action}");
    }
    let named = "arn:aws:transcribe:*:000000000000:transcription-job/medzen-*";
    let may = |arn| {
        allows(
            vec![statement(&["transcribe:GetTranscriptionJob"], &[named])],
            "transcribe:GetTranscriptionJob",
            arn,
        )
    };
    assert!(may(Some(job))?);
    assert!(!may(Some("arn:aws:transcribe:us-east-1:000000000000:transcription-job/other"))?);
    let conditions =
        vec![("StringEquals".to_owned(), "transcribe:OutputBucketName".to_owned(), vec!["b".to_owned()])];
    let start = Statement { conditions, ..statement(&["transcribe:StartTranscriptionJob"], &["*"]) };
    let role = iam(vec![start])?;
    let allowed = |bucket| {
        let context = [("transcribe:OutputBucketName", bucket)];
        role.check("attendee", "transcribe:StartTranscriptionJob", None, &context).is_allowed()
    };
    assert_eq!((allowed("b"), allowed("other")), (true, false));
    Ok(())
}
