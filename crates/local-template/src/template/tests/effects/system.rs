//! The system whose properties are changed one after the other.

/// A system with one resource of each type and each of their properties that have an effect.
pub(super) const STORAGE: &str = "
Resources:
  Alias:
    Type: AWS::KMS::Alias
    Properties:
      AliasName: alias/data
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: alarms
  LogGroup:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: logs
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: errors
      AlarmDescription: read the log
      Namespace: ours
      MetricName: counted
      Dimensions: [{Name: by, Value: function}]
      TreatMissingData: ignore
  Expression:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics: [{Id: sum, Expression: a}, {Id: a, MetricStat: {Metric: {Namespace: theirs, MetricName: counts}}}]
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: audit
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - {AttributeName: defined, AttributeType: S}
      KeySchema:
        - {AttributeName: key, KeyType: HASH}
      GlobalSecondaryIndexes:
        - IndexName: by-time
          KeySchema:
            - {AttributeName: indexed, KeyType: RANGE}
          Projection: {ProjectionType: INCLUDE, NonKeyAttributes: [actor]}
      StreamSpecification: {StreamViewType: NEW_IMAGE}
      TimeToLiveSpecification: {AttributeName: expires, Enabled: true}
  Key:
    Type: AWS::KMS::Key
    Properties:
      KeyPolicy: {Statement: {Principal: {Service: events.amazonaws.com}, Effect: Allow, Action: 'kms:Decrypt',
        Resource: '*'}, Version: '2012-10-17'}
Outputs:
  Key: {Value: !Ref Key}
  Alias: {Value: !Ref Alias}
  Topic: {Value: !Ref Topic}
  LogGroup: {Value: !Ref LogGroup}
  Alarm: {Value: !Ref Alarm}
";

pub(super) const APP: &str = "
Resources:
  Api:
    Type: AWS::ApiGatewayV2::Api
    Properties:
      Name: meetings
      ProtocolType: HTTP
      CorsConfiguration:
        AllowCredentials: true
        AllowHeaders: [content-type]
        AllowMethods: [GET]
        AllowOrigins: ['https://a']
        ExposeHeaders: [retry-after]
        MaxAge: 60
  Authorizer:
    Type: AWS::ApiGatewayV2::Authorizer
    Properties:
      ApiId: !Ref Api
      AuthorizerType: JWT
      IdentitySource: [$request.header.Authorization]
      JwtConfiguration: {Issuer: https://issuer, Audience: [one]}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref Api
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt Audit.Outputs.Arn
      PayloadFormatVersion: 2.0
      TimeoutInMillis: 5000
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref Api
      RouteKey: GET /health
      AuthorizationType: JWT
      AuthorizerId: !Ref Authorizer
      Target: !Sub integrations/${Integration}
  Limited:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !GetAtt Api.ApiId
      AuthorizationType: 'JWT'
      AuthorizerId: !GetAtt Authorizer.AuthorizerId
      RouteKey: 'GET /limited'
      Target: !Sub 'integrations/${Integration}'
  AccessLog:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: /aws/vendedlogs/api}
  Stage:
    Type: AWS::ApiGatewayV2::Stage
    DependsOn: Limited
    Properties:
      AccessLogSettings: {DestinationArn: !Sub 'arn:aws:logs:::log-group:${AccessLog}'}
      RouteSettings: {GET /limited: {ThrottlingRateLimit: 9.5, ThrottlingBurstLimit: 19}}
      ApiId: !Ref Api
      StageName: $default
      AutoDeploy: true
      DefaultRouteSettings: {ThrottlingRateLimit: 2.5, ThrottlingBurstLimit: 5}
  Audit:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: functions/audit.yaml
      Parameters: {Greeting: good morning}
  Bus:
    Type: AWS::Events::EventBus
    Properties:
      Name: calls
  Picked:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {detail: {eventType: [{prefix: 'chime:Attendee'}]}}
      Targets: [{Id: queue, Arn: !GetAtt Queue.Arn, DeadLetterConfig: {Arn: !GetAtt Dead.Arn}}]
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      DelaySeconds: 1
      KmsMasterKeyId: one
      MaximumMessageSize: 2048
      MessageRetentionPeriod: 86400
      QueueName: incoming
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5}
      VisibilityTimeout: 120
  Dead:
    Type: AWS::SQS::Queue
  QueuePolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      PolicyDocument: {Statement: {Principal: {Service: events.amazonaws.com}, Effect: Allow,
        Action: 'sqs:SendMessage', Resource: !GetAtt Queue.Arn}, Version: '2012-10-17'}
      Queues: [!Ref Queue]
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      BatchSize: 9
      Enabled: true
      EventSourceArn: !GetAtt Queue.Arn
      FunctionName: !GetAtt Audit.Outputs.Arn
      FunctionResponseTypes: [ReportBatchItemFailures]
      MaximumBatchingWindowInSeconds: 7
      ScalingConfig: {MaximumConcurrency: 3}
Outputs:
  ApiDomain: {Value: !Sub '${Api}.execute-api.eu-central-1.amazonaws.com'}
";

pub(super) const AUDIT: &str = "
Parameters:
  Greeting: {Type: String}
Resources:
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: audit
      MemorySize: 256
      Timeout: 50
      ReservedConcurrentExecutions: 2
      Role: !GetAtt Role.Arn
      Environment:
        Variables: {GREETING: !Ref Greeting, ROLE_ARN: !GetAtt Role.Arn, POLICY_ARN: !GetAtt Managed.PolicyArn}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: auditor
      Path: /
      ManagedPolicyArns: [!Ref Managed]
      AssumeRolePolicyDocument: {Statement: {Principal: {Service: lambda.amazonaws.com},
        Effect: Allow, Action: 'sts:AssumeRole'}, Version: '2012-10-17'}
      Policies:
        - PolicyName: audit
          PolicyDocument: {Statement: {Action: 'dynamodb:PutItem', Effect: Allow, Resource: '*'}, Version: '2012-10-17'}
  PlaybackRole:
    Type: AWS::IAM::Role
    Properties:
      MaxSessionDuration: 7200
      AssumeRolePolicyDocument: { Statement: {Principal: {AWS: !GetAtt Role.Arn}, Effect: Allow,
        Action: 'sts:AssumeRole'}, Version: '2012-10-17'}
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: shared
      PolicyDocument: {Statement: {Action: 'kms:Decrypt', Effect: Allow, Resource: '*'}, Version: '2012-10-17'}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Name: minutely
      ScheduleExpression: rate(5 minutes)
      State: ENABLED
      Targets:
        - {Id: audit, Arn: !GetAtt Function.Arn, RetryPolicy: {MaximumRetryAttempts: 3, MaximumEventAgeInSeconds: 300}}
  Invocation:
    Type: AWS::Lambda::EventInvokeConfig
    Properties: {FunctionName: !Ref Function, Qualifier: $LATEST, MaximumRetryAttempts: 1, MaximumEventAgeInSeconds: 90}
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref Function
      Principal: events.amazonaws.com
      SourceAccount: '000000000000'
      SourceArn: !GetAtt Rule.Arn
Outputs:
  Arn: {Value: !GetAtt Function.Arn}
";
