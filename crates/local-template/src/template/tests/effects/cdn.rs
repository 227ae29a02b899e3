//! Buckets and distributions.

use super::{Change, Comes, Goes, Refused};

pub(super) const CDN: &str = "
Parameters:
  ApiDomain: {Type: String}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: pages
      BucketEncryption:
        ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: 'aws:kms',
          KMSMasterKeyID: alias/pages}}]
      VersioningConfiguration: {Status: Enabled}
      ObjectLockEnabled: false
      LifecycleConfiguration:
        Rules:
          - {Status: Enabled , Prefix: old/, ExpirationInDays: 71}
          - Status: Enabled
            ExpiredObjectDeleteMarker: false
            NoncurrentVersionExpiration: {NoncurrentDays: 72}
            AbortIncompleteMultipartUpload: {DaysAfterInitiation: 73}
  BucketPolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument: {Statement: {Effect: Allow, Action: 's3:GetObject', Resource: '*',
        Principal: {Service: cloudfront.amazonaws.com}}, Version: '2012-10-17'}
  OriginAccess:
    Type: AWS::CloudFront::OriginAccessControl
    Properties:
      OriginAccessControlConfig:
        {OriginAccessControlOriginType: s3, SigningBehavior: always, SigningProtocol: sigv4}
  PageFunction:
    Type: AWS::CloudFront::Function
    Properties:
      Name: choose
      AutoPublish: true
      FunctionConfig: {Runtime: cloudfront-js-2.0}
      FunctionCode: choose();
  CachePolicy:
    Type: AWS::CloudFront::CachePolicy
    Properties: {CachePolicyConfig: {MinTTL: 1}}
  Headers:
    Type: AWS::CloudFront::ResponseHeadersPolicy
    Properties:
      ResponseHeadersPolicyConfig:
        SecurityHeadersConfig:
          ContentSecurityPolicy: {Override: true, ContentSecurityPolicy: default-src none}
          ContentTypeOptions: {Override: 'true'}
          ReferrerPolicy: {Override: \"true\", ReferrerPolicy: no-referrer}
          StrictTransportSecurity: {Override: true , AccessControlMaxAgeSec: 63, IncludeSubdomains: true}
        CorsConfig:
          AccessControlAllowCredentials: false
          AccessControlAllowHeaders: {Items: [range]}
          AccessControlAllowMethods: {Items: [GET]}
          AccessControlAllowOrigins: {Items: ['https://embeds']}
          AccessControlMaxAgeSec: 64
          OriginOverride: true
        CustomHeadersConfig: {Items: [{Header: X-One, Value: eins, Override: false}]}
        RemoveHeadersConfig: {Items: [{Header: X-Two}]}
  Distribution:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: page
            DomainName: !GetAtt Bucket.RegionalDomainName
            OriginAccessControlId: !Ref OriginAccess
            S3OriginConfig: {OriginAccessIdentity: ''}
          - Id: 'api'
            DomainName: !Ref ApiDomain
            CustomOriginConfig: {OriginProtocolPolicy: https-only}
            OriginCustomHeaders: [{HeaderName: X-Ours, HeaderValue: one}]
        DefaultCacheBehavior:
          TargetOriginId: page
          AllowedMethods: [HEAD, GET]
          CachePolicyId: !Ref CachePolicy
          ResponseHeadersPolicyId: !Ref Headers
          FunctionAssociations: [{EventType: viewer-request, FunctionARN: !Ref PageFunction}]
        CacheBehaviors:
          - PathPattern: /meetings
            TargetOriginId: api
            AllowedMethods: [POST]
            CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad
            OriginRequestPolicyId: b689b0a8-53d0-40ab-baf2-68738e2966ac
          - PathPattern: /assets/*
            TargetOriginId: 'page'
            CachePolicyId: !GetAtt CachePolicy.Id
            ResponseHeadersPolicyId: !GetAtt Headers.Id
            FunctionAssociations: [{EventType: 'viewer-request', FunctionARN: !GetAtt PageFunction.FunctionARN}]
        CustomErrorResponses: [{ErrorCode: 403, ErrorCachingMinTTL: 77}]
Outputs:
  Function: {Value: !Ref PageFunction}
";

pub(super) const CHANGES: &[(&str, &[Change])] = &[
    (
        "AWS::S3::Bucket",
        &[
            ("BucketName", "pages", "others", Comes("arn:aws:s3:::others")),
            (
                "BucketEncryption.ServerSideEncryptionConfiguration.ServerSideEncryptionByDefault.SSEAlgorithm",
                "'aws:kms'",
                "AES256",
                Refused("KMSMasterKeyID"),
            ),
            (
                "BucketEncryption.ServerSideEncryptionConfiguration.ServerSideEncryptionByDefault.KMSMasterKeyID",
                "alias/pages",
                "alias/others",
                Comes(r#"key: Some("alias/others")"#),
            ),
            (
                "LifecycleConfiguration.Rules.AbortIncompleteMultipartUpload.DaysAfterInitiation",
                "73",
                "74",
                Comes("abort_days: Some(74)"),
            ),
            ("LifecycleConfiguration.Rules.ExpirationInDays", "71", "74", Comes("expiration_days: Some(74)")),
            (
                "LifecycleConfiguration.Rules.ExpiredObjectDeleteMarker",
                "false",
                "true",
                Comes("removes_markers: true"),
            ),
            (
                "LifecycleConfiguration.Rules.NoncurrentVersionExpiration.NoncurrentDays",
                "72",
                "74",
                Comes("noncurrent_days: Some(74)"),
            ),
            ("LifecycleConfiguration.Rules.Prefix", "old/", "new/", Comes(r#"prefix: "new/""#)),
            (
                "LifecycleConfiguration.Rules.Status",
                "Enabled ,",
                "Disabled,",
                Goes("expiration_days: Some(71)"),
            ),
            ("ObjectLockEnabled", "false", "true", Comes("lock: true")),
            ("VersioningConfiguration.Status", "Enabled}", "Suspended}", Comes("versioned: false")),
        ],
    ),
    (
        "AWS::S3::BucketPolicy",
        &[
            ("Bucket", "!Ref Bucket", "none", Refused("BucketPolicy.Bucket")),
            (
                "PolicyDocument",
                "{Statement: {Effect: Allow, Action: 's3:GetObject'",
                "{Statement: {Effect: Allow, Action: 's3:PutObject'",
                Comes("s3:PutObject"),
            ),
        ],
    ),
    (
        "AWS::CloudFront::OriginAccessControl",
        &[
            (
                "OriginAccessControlConfig.OriginAccessControlOriginType",
                "s3",
                "lambda",
                Refused("OriginAccessControlOriginType"),
            ),
            ("OriginAccessControlConfig.SigningBehavior", "always", "never", Refused("SigningBehavior")),
            ("OriginAccessControlConfig.SigningProtocol", "sigv4", "sigv2", Refused("SigningProtocol")),
        ],
    ),
    (
        "AWS::CloudFront::Function",
        &[
            ("Name", "choose", "other", Comes("function/other")),
            ("AutoPublish", "true", "false", Refused("AutoPublish")),
            ("FunctionConfig.Runtime", "cloudfront-js-2.0", "cloudfront-js-1.0", Refused("Runtime")),
            ("FunctionCode", "choose();", "decide();", Comes("decide();")),
        ],
    ),
    (
        "AWS::CloudFront::ResponseHeadersPolicy",
        &[
            (
                "ResponseHeadersPolicyConfig.CorsConfig.AccessControlAllowCredentials",
                "false",
                "true",
                Comes("max_age: 64, credentials: true"),
            ),
            (
                "ResponseHeadersPolicyConfig.CorsConfig.AccessControlAllowHeaders.Items",
                "[range]",
                "[x-some]",
                Comes("x-some"),
            ),
            (
                "ResponseHeadersPolicyConfig.CorsConfig.AccessControlAllowMethods.Items",
                "[GET]",
                "[TRACE]",
                Comes("TRACE"),
            ),
            (
                "ResponseHeadersPolicyConfig.CorsConfig.AccessControlAllowOrigins.Items",
                "['https://embeds']",
                "['https://other']",
                Comes("https://other"),
            ),
            (
                "ResponseHeadersPolicyConfig.CorsConfig.AccessControlMaxAgeSec",
                "64",
                "65",
                Comes("max_age: 65"),
            ),
            (
                "ResponseHeadersPolicyConfig.CorsConfig.OriginOverride",
                "true",
                "false",
                Goes("credentials: false, overrides: true"),
            ),
            (
                "ResponseHeadersPolicyConfig.CustomHeadersConfig.Items.Header",
                "X-One",
                "X-Ten",
                Comes("x-ten"),
            ),
            (
                "ResponseHeadersPolicyConfig.CustomHeadersConfig.Items.Override",
                "false",
                "true",
                Comes(r#"value: "eins", overrides: true"#),
            ),
            ("ResponseHeadersPolicyConfig.CustomHeadersConfig.Items.Value", "eins", "zwei", Comes("zwei")),
            (
                "ResponseHeadersPolicyConfig.RemoveHeadersConfig.Items.Header",
                "X-Two",
                "X-Six",
                Comes("x-six"),
            ),
            (
                "ResponseHeadersPolicyConfig.SecurityHeadersConfig.ContentSecurityPolicy.ContentSecurityPolicy",
                "default-src none",
                "default-src self",
                Comes("default-src self"),
            ),
            (
                "ResponseHeadersPolicyConfig.SecurityHeadersConfig.ContentSecurityPolicy.Override",
                "true, ContentSecurityPolicy",
                "false, ContentSecurityPolicy",
                Goes(r#"value: "default-src none", overrides: true"#),
            ),
            (
                "ResponseHeadersPolicyConfig.SecurityHeadersConfig.ContentTypeOptions.Override",
                "'true'",
                "false",
                Goes(r#"value: "nosniff", overrides: true"#),
            ),
            (
                "ResponseHeadersPolicyConfig.SecurityHeadersConfig.ReferrerPolicy.Override",
                "\"true\"",
                "false",
                Goes(r#"value: "no-referrer", overrides: true"#),
            ),
            (
                "ResponseHeadersPolicyConfig.SecurityHeadersConfig.ReferrerPolicy.ReferrerPolicy",
                "no-referrer",
                "origin",
                Comes(r#"value: "origin""#),
            ),
            (
                "ResponseHeadersPolicyConfig.SecurityHeadersConfig.StrictTransportSecurity.AccessControlMaxAgeSec",
                "63",
                "66",
                Comes("max-age=66"),
            ),
            (
                "ResponseHeadersPolicyConfig.SecurityHeadersConfig.StrictTransportSecurity.IncludeSubdomains",
                "true",
                "false",
                Goes("includeSubDomains"),
            ),
            (
                "ResponseHeadersPolicyConfig.SecurityHeadersConfig.StrictTransportSecurity.Override",
                "true , Acc",
                "false, Acc",
                Goes(r#"includeSubDomains", overrides: true"#),
            ),
        ],
    ),
    (
        "AWS::CloudFront::Distribution",
        &[
            ("DistributionConfig.CacheBehaviors.AllowedMethods", "[POST]", "[PATCH]", Comes("PATCH")),
            (
                "DistributionConfig.CacheBehaviors.CachePolicyId",
                "4135ea2d",
                "00000000",
                Refused("CachePolicyId"),
            ),
            (
                "DistributionConfig.CacheBehaviors.FunctionAssociations.EventType",
                "'viewer-request'",
                "viewer-response",
                Refused("EventType"),
            ),
            (
                "DistributionConfig.CacheBehaviors.FunctionAssociations.FunctionARN",
                "!GetAtt PageFunction.FunctionARN",
                "none",
                Refused("FunctionARN"),
            ),
            (
                "DistributionConfig.CacheBehaviors.OriginRequestPolicyId",
                "b689b0a8",
                "00000000",
                Refused("OriginRequestPolicyId"),
            ),
            ("DistributionConfig.CacheBehaviors.PathPattern", "/meetings", "/others", Comes("/others")),
            (
                "DistributionConfig.CacheBehaviors.ResponseHeadersPolicyId",
                "!GetAtt Headers.Id",
                "none",
                Refused("ResponseHeadersPolicyId"),
            ),
            ("DistributionConfig.CacheBehaviors.TargetOriginId", "api", "none", Refused("TargetOriginId")),
            (
                "DistributionConfig.CustomErrorResponses.ErrorCachingMinTTL",
                "77",
                "78",
                Comes("error_ttl: {403: 78}"),
            ),
            (
                "DistributionConfig.CustomErrorResponses.ErrorCode",
                "403",
                "404",
                Comes("error_ttl: {404: 77}"),
            ),
            ("DistributionConfig.DefaultCacheBehavior.AllowedMethods", "[HEAD, GET]", "[PUT]", Comes("PUT")),
            (
                "DistributionConfig.DefaultCacheBehavior.CachePolicyId",
                "!Ref CachePolicy",
                "none",
                Refused("CachePolicyId"),
            ),
            (
                "DistributionConfig.DefaultCacheBehavior.FunctionAssociations.EventType",
                "viewer-request",
                "viewer-response",
                Refused("EventType"),
            ),
            (
                "DistributionConfig.DefaultCacheBehavior.FunctionAssociations.FunctionARN",
                "!Ref PageFunction",
                "none",
                Refused("FunctionARN"),
            ),
            (
                "DistributionConfig.DefaultCacheBehavior.ResponseHeadersPolicyId",
                "!Ref Headers",
                "none",
                Refused("ResponseHeadersPolicyId"),
            ),
            (
                "DistributionConfig.DefaultCacheBehavior.TargetOriginId",
                "page",
                "api",
                Comes(r#"pattern: "*", origin: "api""#),
            ),
            ("DistributionConfig.Enabled", "true", "false", Refused("Enabled")),
            (
                "DistributionConfig.Origins.DomainName",
                "!Ref ApiDomain",
                "elsewhere.example.com",
                Refused("DomainName"),
            ),
            ("DistributionConfig.Origins.Id", "'api'", "renamed", Refused("TargetOriginId")),
            (
                "DistributionConfig.Origins.OriginAccessControlId",
                "!Ref OriginAccess",
                "none",
                Refused("OriginAccessControlId"),
            ),
            (
                "DistributionConfig.Origins.OriginCustomHeaders.HeaderName",
                "X-Ours",
                "X-Other",
                Comes(r#"("x-other", "one")"#),
            ),
            (
                "DistributionConfig.Origins.OriginCustomHeaders.HeaderName",
                "X-Ours",
                "X-Edge-Secret",
                Refused("OriginCustomHeaders.HeaderName"),
            ),
            (
                "DistributionConfig.Origins.OriginCustomHeaders.HeaderValue",
                "one",
                "two",
                Comes(r#"("x-ours", "two")"#),
            ),
            (
                "DistributionConfig.Origins.S3OriginConfig.OriginAccessIdentity",
                "''",
                "origin-access-identity/cloudfront/E1",
                Refused("OriginAccessIdentity"),
            ),
        ],
    ),
];
