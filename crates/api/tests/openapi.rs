//! `infra/openapi.json` is what the types give, and says of routes and codes what the templates and the code say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use domain::error::reason;
use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::Value;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn infra() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra")
}

fn file() -> Value {
    let text = std::fs::read_to_string(infra().join("openapi.json")).expect("infra/openapi.json is there");
    serde_json::from_str(&text).expect("infra/openapi.json is JSON")
}

/// Every operation of the file with its route key.
fn operations(document: &Value) -> BTreeMap<String, &Value> {
    let mut operations = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().expect("paths are an object") {
        for (method, operation) in methods.as_object().expect("a path's methods are an object") {
            assert!(METHODS.contains(&method.as_str()), "{method} {path}");
            operations.insert(format!("{} {path}", method.to_uppercase()), operation);
        }
    }
    operations
}

#[test]
fn the_file_equals_the_generated_document() {
    assert!(file() == api::openapi::document(), "infra/openapi.json is out of date: run `make openapi`");
}

#[test]
fn every_route_of_the_template_is_documented_with_its_function_and_no_other() {
    let text = std::fs::read_to_string(infra().join("app.yaml")).expect("infra/app.yaml is there");
    let template = Yaml::load_from_str(&text).expect("infra/app.yaml is YAML");
    let resources = template[0]["Resources"].as_mapping().expect("the template has resources");
    let mut routes = BTreeMap::new();
    for resource in resources.values() {
        if resource["Type"].as_str() != Some("AWS::ApiGatewayV2::Route") {
            continue;
        }
        let properties = &resource["Properties"];
        let route = properties["RouteKey"].as_str().expect("a route has a key");
        let target =
            properties["Target"].get_tagged_node().and_then(Yaml::as_str).expect("a route has a target");
        let integration =
            target.strip_prefix("integrations/${").and_then(|rest| rest.strip_suffix("Integration}"));
        let public = properties["AuthorizationType"].as_str() == Some("NONE");
        routes.insert(route.to_owned(), (integration.expect("it is an integration").to_owned(), public));
    }
    let document = file();
    let documented: BTreeMap<_, _> = operations(&document)
        .into_iter()
        .map(|(route, operation)| {
            let function = operation["x-function"].as_str().expect("an operation has a function");
            let name = function.split('-').map(capitalised).collect::<String>();
            let public = operation["security"].as_array().is_some_and(Vec::is_empty);
            (route, (name, public))
        })
        .collect();
    assert_eq!(documented, routes);
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[test]
fn every_code_is_documented_with_its_status_and_no_other() {
    let document = file();
    let table = document["x-error-codes"].as_object().expect("the table of codes is an object");
    let mut documented = BTreeSet::new();
    for (status, codes) in table.iter().filter(|(status, _)| *status != "items") {
        for code in codes.as_object().expect("codes of a status are an object").keys() {
            documented.insert((status.parse::<u16>().expect("a status is a number"), code.as_str()));
        }
    }
    let all: BTreeSet<_> = reason::ALL.iter().map(|code| (code.status, code.code)).collect();
    assert_eq!(documented, all);

    // Each is answered by a route, but for the one that says that there is no route.
    let mut answered = BTreeSet::new();
    for operation in operations(&document).values() {
        for (status, response) in operation["responses"].as_object().expect("responses are an object") {
            let schema = &response["content"]["application/json"]["schema"];
            let ours = schema.get("anyOf").map_or(schema, |any| &any[0]);
            let codes = ours["allOf"][1]["properties"]["code"]["enum"].as_array();
            for code in codes.into_iter().flatten() {
                answered.insert((
                    status.parse::<u16>().expect("a status is a number"),
                    code.as_str().expect("a code is a text"),
                ));
            }
        }
    }
    answered.insert((404, "ROUTE_NOT_FOUND"));
    assert_eq!(answered, all);
}

#[test]
fn answers_of_api_gateway_itself_are_documented() {
    let document = file();
    for status in ["401", "404", "413", "429", "431", "500", "503"] {
        let response = &document["components"]["responses"][format!("Gateway{status}")];
        assert_eq!(
            response["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/GatewayMessage",
            "{status}"
        );
    }
    for (route, operation) in operations(&document) {
        for status in ["413", "429", "431", "500", "503"] {
            assert!(
                operation["responses"][status].to_string().contains("GatewayMessage"),
                "{status} of {route}"
            );
        }
    }
}

#[test]
fn every_reference_resolves_and_every_schema_is_referenced() {
    let document = file();
    let text = document.to_string();
    let referred: BTreeSet<_> = text
        .split("\"$ref\":\"#/components/schemas/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect();
    let schemas = document["components"]["schemas"].as_object().expect("schemas are an object");
    let defined: BTreeSet<_> = schemas.keys().cloned().collect();
    assert_eq!(referred, defined);
}

#[test]
fn operation_ids_are_unique_and_direct_invocations_name_them() {
    let document = file();
    let operations = operations(&document);
    let ids: BTreeSet<_> =
        operations.values().filter_map(|operation| operation["operationId"].as_str()).collect();
    assert_eq!(ids.len(), operations.len());
    for (function, actions) in document["x-direct-invocations"].as_object().expect("it is an object") {
        for (action, described) in actions.as_object().expect("a function's actions are an object") {
            let id = described["operationId"].as_str().expect("an action has an operation");
            assert!(ids.contains(id), "{function} {action}: {id}");
        }
    }
}
