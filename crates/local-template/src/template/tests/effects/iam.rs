//! Changes of roles and policies.

use super::{Change, Comes, Refused};

pub(super) const CHANGES: &[(&str, &[Change])] = &[
    (
        "AWS::IAM::Role",
        &[
            (
                "AssumeRolePolicyDocument",
                "{Statement: {Principal: {Service: lambda.",
                "{Statement: {Principal: {Service: ec2.",
                Refused("Role.AssumeRolePolicyDocument"),
            ),
            ("ManagedPolicyArns", "[!Ref Managed]", "[other]", Refused("Role.ManagedPolicyArns")),
            ("MaxSessionDuration", "7200", "3601", Comes("max_session: 3601s")),
            ("Path", "/", "/service/", Comes(":role/service/auditor")),
            (
                "Policies.PolicyDocument",
                "{Statement: {Action: 'dynamodb:PutItem'",
                "{Statement: {Action: 'dynamodb:GetItem'",
                Comes(r#"actions: ["dynamodb:GetItem"]"#),
            ),
            ("RoleName", "auditor", "other", Comes(":role/other")),
        ],
    ),
    (
        "AWS::IAM::ManagedPolicy",
        &[
            ("ManagedPolicyName", "shared", "other", Comes(":policy/other")),
            (
                "PolicyDocument",
                "{Statement: {Action: 'kms:Decrypt'",
                "{Statement: {Action: 'kms:Encrypt'",
                Comes(r#"actions: ["kms:Encrypt"]"#),
            ),
        ],
    ),
    (
        "AWS::IAM::RolePolicy",
        &[
            (
                "PolicyDocument",
                "{Statement: {Action: 'sns:Publish'",
                "{Statement: {Action: 'sns:Subscribe'",
                Comes(r#"actions: ["sns:Subscribe"]"#),
            ),
            ("RoleName", "!Ref Role", "other", Refused("MayWrite.RoleName")),
        ],
    ),
    (
        "AWS::IAM::ServiceLinkedRole",
        &[(
            "AWSServiceName",
            "mediapipelines.chime.amazonaws.com",
            "other.amazonaws.com",
            Comes("other.amazonaws.com"),
        )],
    ),
];
