//! The real templates, for a database in a private network.

use super::*;
use crate::iam::Iam;
use crate::plan::Statement;

/// The repository's templates with its local parameters and these.
fn deployed(more: &[(&str, &str)]) -> Plan {
    let infra = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra");
    let text = std::fs::read_to_string(infra.join("params/local.json")).expect("the local parameters");
    let mut params: BTreeMap<String, String> = serde_json::from_str(&text).expect("an object of texts");
    params.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    deploy(&infra, &params, "us-east-1").expect("the templates are right")
}

const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/of-the-secret";
const PRIVATE: [(&str, &str); 3] =
    [("DatabaseSecretKeyArn", KEY), ("SubnetIds", "subnet-1a,subnet-2b"), ("SecurityGroupIds", "sg-1")];

fn statement<'a>(role: &'a [Statement], sid: &str) -> Option<&'a Statement> {
    role.iter().find(|it| it.sid == sid)
}

#[test]
fn a_private_network_gives_every_role_what_it_needs_there() {
    let plan = deployed(&PRIVATE);
    assert_eq!(plan.functions.len(), 5);
    let iam = Iam::new(&plan).expect("the reference knows these actions");
    for function in &plan.functions {
        let name = function.name.as_str();
        let enter = statement(&function.role, "EnterPrivateNetwork").expect("a statement for the network");
        assert_eq!(enter.actions.len(), 6, "{name}");
        assert!(iam.check(name, "ec2:CreateNetworkInterface", None, &[]).is_allowed(), "{name}");
        let through = |service| [("kms:ViaService", service)];
        let secrets = through("secretsmanager.us-east-1.amazonaws.com");
        assert!(iam.check(name, "kms:Decrypt", Some(KEY), &secrets).is_allowed(), "{name}");
        let tables = through("dynamodb.us-east-1.amazonaws.com");
        assert!(!iam.check(name, "kms:Decrypt", Some(KEY), &tables).is_allowed(), "{name}");
    }
}

#[test]
fn without_a_private_network_no_role_has_more() {
    for function in &deployed(&[]).functions {
        for sid in ["EnterPrivateNetwork", "DecryptDatabaseSecret"] {
            assert_eq!(statement(&function.role, sid), None, "{}", function.name);
        }
    }
}
