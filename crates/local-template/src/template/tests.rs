mod effects;
mod intrinsics;
mod network;
mod refusals;
mod rollback;
mod whole;

use std::collections::BTreeMap;

use super::{Problem, TemplateError, deploy};
use crate::plan::Plan;

/// A directory of templates; `storage.yaml`, `app.yaml` and `cdn.yaml` are there and make a topic where nothing else is asked for.
struct Templates {
    dir: tempfile::TempDir,
    params: BTreeMap<String, String>,
}

const NOTHING: &str = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n";

fn templates() -> Templates {
    let dir = tempfile::tempdir().expect("a directory for templates");
    let templates = Templates { dir, params: BTreeMap::new() };
    templates.file("storage.yaml", NOTHING).file("app.yaml", NOTHING).file("cdn.yaml", NOTHING)
}

/// Only `app.yaml`, with this text.
fn app(text: &str) -> Templates {
    templates().file("app.yaml", text)
}

/// Only outputs in `app.yaml`, behind whatever else it has.
fn outputs(sections: &str, values: &str) -> Templates {
    app(&format!("{sections}\nOutputs:\n{values}"))
}

impl Templates {
    fn file(self, name: &str, text: &str) -> Self {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below the directory")).expect("a directory");
        std::fs::write(path, text).expect("a template");
        self
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.params.insert(name.to_owned(), value.to_owned());
        self
    }

    fn deploy(&self) -> Result<Plan, TemplateError> {
        deploy(self.dir.path(), &self.params, "eu-central-1")
    }

    /// The error and its line.
    fn problem(&self) -> (usize, Problem) {
        match self.deploy() {
            Err(TemplateError::Template { place, problem }) => (place.line, problem),
            other => unreachable!("a template error was expected, not {other:?}"),
        }
    }
}
