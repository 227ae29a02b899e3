//! `infra/params/prod.example.json`, which whoever deploys first copies and fills.

use std::collections::BTreeMap;

use local_template::template;
use local_testing::{TestResult, workspace};
use saphyr::{LoadableYamlNode as _, Yaml};

/// The parameters of a template, and whether each has a default.
fn declared(file: &str) -> TestResult<BTreeMap<String, bool>> {
    let text = std::fs::read_to_string(workspace().join("infra").join(file))?;
    let template = Yaml::load_from_str(&text)?;
    let parameters = template[0]["Parameters"].as_mapping().ok_or("parameters")?;
    let parameters = parameters
        .iter()
        .filter_map(|(name, it)| Some((name.as_str()?.to_owned(), it.as_mapping_get("Default").is_some())));
    Ok(parameters.collect())
}

#[test]
fn the_example_has_a_place_for_all_that_must_be_filled_and_for_nothing_unknown() -> TestResult {
    let infra = workspace().join("infra");
    let text = std::fs::read_to_string(infra.join("params/prod.example.json"))?;
    let example: BTreeMap<String, String> = serde_json::from_str(&text)?;
    // `cdn.py` takes this one from the application's stack.
    let found = "ApiDomain";
    for file in ["storage.yaml", "app.yaml", "cdn.yaml"] {
        for (name, has_default) in declared(file)? {
            assert!(has_default || name == found || example.contains_key(&name), "{file} wants {name}");
        }
    }
    // Parameters that no template declares, or whose value its template does not allow, are rejected.
    template::deploy(&infra, &example, &example["ControlRegion"])?;
    Ok(())
}
