//! Parameters, conditions and functions.

use super::super::sub::{Part, parts};
use super::*;

#[test]
fn functions_have_the_values_of_cloudformation() -> Result<(), TemplateError> {
    let sections = "
Parameters:
  Name: {Type: String, Default: medzen}
  Count: {Type: Number, Default: 7}
  List: {Type: CommaDelimitedList, Default: 'a, b,c'}
Mappings:
  Sizes:
    eu-central-1: {small: 1, big: '2'}
Conditions:
  Yes: !Equals [!Ref Name, medzen]
  No: !Not [!Condition Yes]
  Both: !And [!Condition Yes, {Condition: No}]
  Either: !Or [!Condition Yes, !Condition No]
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: t}}
";
    let plan = outputs(
        sections,
        "
  Ref: {Value: !Ref Topic}
  Pseudo: {Value: !Join ['/', [!Ref AWS::AccountId, !Ref AWS::Partition, !Ref 'AWS::URLSuffix', !Ref AWS::Region]]}
  GetAtt: {Value: !GetAtt Topic.TopicName}
  GetAttList: {Value: !GetAtt [Topic, TopicName]}
  GetAttLong: {Value: {'Fn::GetAtt': [Topic, TopicName]}}
  Sub: {Value: !Sub '${Name}-${Count}-${Topic.TopicName}-${!Name}-$x-${AWS::Region}'}
  SubList: {Value: !Sub ['${A}${Name}', {A: !Select [1, !Ref List]}]}
  SubOverrides: {Value: !Sub ['${Name}', {Name: other}]}
  Join: {Value: !Join [':', !Ref List]}
  JoinSkips: {Value: !Join [':', [a, !If [No, b, !Ref AWS::NoValue], c]]}
  Split: {Value: !Select ['2', !Split ['-', x-y-z]]}
  If: {Value: !If [Yes, 'yes', 'no']}
  Both: {Value: !If [Both, 'yes', 'no']}
  Either: {Value: {'Fn::If': [Either, 'yes', 'no']}}
  Map: {Value: !FindInMap [Sizes, !Ref AWS::Region, big]}
  Version: {Value: 2.0}
  Left: {Condition: No, Value: x}
",
    )
    .deploy()?;
    let expected = [
        ("Both", "no"),
        ("Either", "yes"),
        ("GetAtt", "t"),
        ("GetAttList", "t"),
        ("GetAttLong", "t"),
        ("If", "yes"),
        ("Join", "a:b:c"),
        ("JoinSkips", "a:c"),
        ("Map", "2"),
        ("Pseudo", "000000000000/aws/amazonaws.com/eu-central-1"),
        ("Ref", "arn:aws:sns:eu-central-1:000000000000:t"),
        ("Split", "z"),
        ("Sub", "medzen-7-t-${Name}-$x-eu-central-1"),
        ("SubList", "bmedzen"),
        ("SubOverrides", "other"),
        ("Version", "2.0"),
    ];
    let found: Vec<_> = plan.outputs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(found, expected);
    Ok(())
}

#[test]
fn a_sub_is_taken_apart() {
    use Part::{Text, Variable};
    assert_eq!(parts("a${B}c"), [Text("a"), Variable("B"), Text("c")]);
    assert_eq!(parts("${A.B}${C}"), [Variable("A.B"), Variable("C")]);
    assert_eq!(parts("${!A}"), [Text("${"), Text("A"), Text("}")]);
    assert_eq!(parts("a${b"), [Text("a${b")]);
}

#[test]
fn a_parameter_is_given_or_has_a_default() {
    let text = "Parameters:\n  A: {Type: String}\nOutputs:\n  A: {Value: !Ref A}\n";
    assert_eq!(app(text).problem(), (2, Problem::NoValue { name: "A".to_owned() }));
    let plan = app(text).with("A", "given").deploy().expect("A is given");
    assert_eq!(plan.outputs["A"], "given");
}

#[test]
fn a_parameter_is_checked() {
    let cases = [
        ("Type: String, AllowedValues: [a, b]", "b", "c"),
        ("Type: String, AllowedPattern: '[a-z]+|x-[0-9]'", "abc", "abc1"),
        ("Type: String, MinLength: 2", "ab", "a"),
        ("Type: String, MaxLength: 2", "äb", "abc"),
        ("Type: Number", "1.5", "one"),
        ("Type: Number, MinValue: 5", "5", "4"),
        ("Type: Number, MaxValue: 5", "5", "6"),
        ("Type: Number, AllowedValues: [1, 7]", "7", "2"),
        ("Type: CommaDelimitedList, AllowedPattern: '[a-z]+'", "a,b", "a,1"),
    ];
    for (declaration, good, bad) in cases {
        let text = format!("Parameters:\n  P: {{{declaration}}}\n{NOTHING}");
        assert!(app(&text).with("P", good).deploy().is_ok(), "{declaration} takes {good}");
        let (line, problem) = app(&text).with("P", bad).problem();
        assert!(matches!(problem, Problem::BadParameter { .. }), "{declaration} refuses {bad}: {problem}");
        assert_eq!(line, 2);
    }
}

#[test]
fn a_parameter_that_no_stack_has_is_a_mistake() {
    let error = templates().with("Projct", "x").deploy().expect_err("a misspelt parameter");
    assert!(matches!(error, TemplateError::UnknownParameter(name) if name == "Projct"));
}

#[test]
fn outputs_of_storage_fill_parameters_of_app() -> Result<(), TemplateError> {
    let storage = "Resources:\n  T: {Type: AWS::SNS::Topic, Properties: {TopicName: t}}\nOutputs:\n  TopicArn: {Value: !Ref T}\n";
    let app =
        "Parameters:\n  TopicArn: {Type: String, Default: none}\nOutputs:\n  Got: {Value: !Ref TopicArn}\n";
    let templates = templates().file("storage.yaml", storage).file("app.yaml", app);
    let plan = templates.deploy()?;
    assert_eq!(plan.outputs["Got"], "arn:aws:sns:eu-central-1:000000000000:t");
    assert_eq!(plan.outputs["TopicArn"], plan.outputs["Got"], "outputs of both stacks are in the plan");
    assert_eq!(templates.with("TopicArn", "given").deploy()?.outputs["Got"], "given");
    Ok(())
}

#[test]
fn a_nested_stack_takes_parameters_and_gives_outputs() -> Result<(), TemplateError> {
    let outer = "
Outputs:
  Back: {Value: !GetAtt Inner.Outputs.Twice}
Resources:
  After:
    Type: AWS::SNS::Topic
    Properties: {TopicName: !Sub 'after-${Inner.Outputs.Twice}'}
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: functions/inner.yaml
      Parameters: {Word: !GetAtt Before.TopicName}
  Before:
    Type: AWS::SNS::Topic
    Properties: {TopicName: ho}
";
    let inner = "Parameters:\n  Word: {Type: String}\nOutputs:\n  Twice: {Value: !Sub '${Word}${Word}'}\n";
    let plan = app(outer).file("functions/inner.yaml", inner).deploy()?;
    assert_eq!(plan.outputs["Back"], "hoho");

    let unknown = app(&outer.replace("{Word:", "{Wrd:")).file("functions/inner.yaml", inner);
    assert_eq!(unknown.problem().1, Problem::NoSuchParameter("Wrd".to_owned()));
    let output =
        app(&outer.replace("Outputs.Twice}'", "Outputs.Thrice}'")).file("functions/inner.yaml", inner);
    assert!(matches!(output.problem().1, Problem::UnknownAttribute { .. }));
    Ok(())
}

#[test]
fn the_same_templates_give_the_same_ids() -> Result<(), TemplateError> {
    let text = "
Resources:
  A: {Type: AWS::KMS::Key}
  B: {Type: AWS::KMS::Key}
Outputs:
  A: {Value: !GetAtt A.Arn}
  B: {Value: !GetAtt B.Arn}
";
    let (one, two) = (app(text).deploy()?, app(text).deploy()?);
    assert_eq!(one.outputs, two.outputs);
    assert_ne!(one.outputs["A"], one.outputs["B"]);
    Ok(())
}

#[test]
fn a_stack_is_nested_two_deep_with_addresses_relative_to_its_own_template() -> Result<(), TemplateError> {
    let nest = |url: &str, value: &str| {
        format!(
            "Parameters: {{Word: {{Type: String, Default: a}}}}
Resources:
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties: {{TemplateURL: {url}, Parameters: {{Word: {value}}}}}
Outputs: {{Word: {{Value: !GetAtt Inner.Outputs.Word}}}}\n"
        )
    };
    let leaf = "Parameters: {Word: {Type: String}}
Resources: {Topic: {Type: AWS::SNS::Topic}}
Outputs: {Word: {Value: !Sub '${Word}c'}}\n";
    let plan = app(&nest("functions/one.yaml", "!Sub '${Word}b'"))
        .file("functions/one.yaml", &nest("parts/two.yaml", "!Ref Word"))
        .file("functions/parts/two.yaml", leaf)
        .deploy()?;
    assert_eq!(plan.outputs["Word"], "abc");
    Ok(())
}

#[test]
fn ref_of_a_rule_has_its_bus_unless_it_is_the_default_one() -> Result<(), TemplateError> {
    let rule = |bus: &str| {
        format!(
            "{{Type: AWS::Events::Rule, Properties: {{Name: picks, {bus} EventPattern: {{source: [a]}}, Targets: [{{Id: q, Arn: !GetAtt Queue.Arn}}]}}}}"
        )
    };
    let plan = app(&format!(
        "Resources:
  Queue: {{Type: AWS::SQS::Queue}}
  Bus: {{Type: AWS::Events::EventBus, Properties: {{Name: calls}}}}
  Default: {}
  Own: {}
Outputs:
  Default: {{Value: !Ref Default}}
  Own: {{Value: !Ref Own}}\n",
        rule(""),
        rule("EventBusName: !Ref Bus,")
    ))
    .deploy()?;
    assert_eq!((&*plan.outputs["Default"], &*plan.outputs["Own"]), ("picks", "calls|picks"));
    assert!(plan.rules.iter().all(|rule| rule.name == "picks"), "{:?}", plan.rules);
    Ok(())
}
