//! The payloads of `events/`, sent one after the other as a story, so that each is used and none is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{Answer, TestCloud, TestResult, workspace};

/// The events of a function, on a cloud.
pub struct Payloads<'a> {
    cloud: &'a TestCloud,
    function: &'static str,
    events: BTreeMap<String, Value>,
    sent: BTreeSet<String>,
}

impl<'a> Payloads<'a> {
    /// Reads every file in the function's folder.
    ///
    /// # Errors
    /// When there is none, or one is not JSON.
    pub fn new(cloud: &'a TestCloud, function: &'static str) -> TestResult<Self> {
        let mut events = BTreeMap::new();
        for file in std::fs::read_dir(workspace().join("events").join(function))? {
            let path = file?.path();
            let case = path.file_stem().and_then(|name| name.to_str()).ok_or("a file without a name")?;
            let event = serde_json::from_str(&std::fs::read_to_string(&path)?)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            events.insert(case.to_owned(), event);
        }
        Ok(Self { cloud, function, events, sent: BTreeSet::new() })
    }

    /// Invokes the function with a case's event and checks the answer's status and code: `201`, `403 NOT_A_MEMBER`,
    /// `1 failed` of a batch of messages, or `error UNAVAILABLE` where the invocation itself failed.
    ///
    /// # Errors
    /// When there is no such case or no answer comes.
    ///
    /// # Panics
    /// When the answer is another.
    pub async fn send(&mut self, case: &str, expected: &str) -> TestResult<Answer> {
        let event = self
            .events
            .get(case)
            .ok_or_else(|| format!("there is no events/{}/{case}.json", self.function))?;
        let payload = self.cloud.invoke(self.function, event).await?;
        self.sent.insert(case.to_owned());
        let (brief, answer) = read(&payload)?;
        assert_eq!(brief, expected, "events/{}/{case}.json was answered {payload}", self.function);
        Ok(answer)
    }

    /// Counts what another story of the same function has sent: on another cloud, because of other parameters.
    pub fn also(&mut self, other: &Payloads<'_>) {
        self.sent.extend(other.sent.iter().cloned());
    }

    /// Ends the story: every file was sent, and together they name every route that leads to the function, its schedule
    /// and its queue if it has one, and every one of `actions`.
    ///
    /// # Panics
    /// When they do not.
    pub fn end(&self, actions: &[&str]) {
        let files: BTreeSet<String> = self.events.keys().cloned().collect();
        let unsent: Vec<_> = files.difference(&self.sent).collect();
        assert!(unsent.is_empty(), "events/{}/ has files that no test sends: {unsent:?}", self.function);

        let keys = self.events.values().filter_map(|event| event["routeKey"].as_str());
        let keys: BTreeSet<&str> = keys.collect();
        let routes = self.cloud.routes(self.function);
        let without: Vec<_> = routes.iter().filter(|route| !keys.contains(route.as_str())).collect();
        assert!(without.is_empty(), "routes without a file in events/{}/: {without:?}", self.function);

        let schedules = &self.cloud.parts().plan.schedules;
        if schedules.iter().any(|schedule| schedule.function == self.function) {
            let mut sent = self.sent.iter().filter_map(|case| self.events.get(case));
            let run = sent.any(|event| event["detail-type"] == "Scheduled Event" && !event["time"].is_null());
            assert!(run, "events/{}/ has no run of the function's schedule", self.function);
        }

        if self.cloud.parts().plan.mappings.iter().any(|mapping| mapping.function == self.function) {
            let mut sent = self.sent.iter().filter_map(|case| self.events.get(case));
            assert!(sent.any(|event| event["Records"].is_array()), "no file of messages is sent");
        }

        let direct = |event: &Value| event["requestContext"].is_null() && event["detail-type"].is_null();
        for (trigger, events) in [
            ("over HTTP", self.bodies(|event| event["routeKey"] == "POST /meetings")),
            ("by direct invocation", self.bodies(direct)),
        ] {
            let there = events.iter().any(|body| !body["action"].is_null());
            for action in actions.iter().filter(|_| there) {
                let named = events.iter().any(|body| body["action"] == *action);
                assert!(named, "events/{}/ has no file with the action {action} {trigger}", self.function);
            }
        }
    }

    fn bodies(&self, which: impl Fn(&Value) -> bool) -> Vec<Value> {
        let bodies =
            self.events.values().filter(|event| which(event)).filter_map(|event| event["body"].as_str());
        bodies.filter_map(|body| serde_json::from_str(body).ok()).collect()
    }
}

/// Status and code, and the answer inside the payload; of a batch how many messages failed: `1 failed`.
fn read(payload: &Value) -> TestResult<(String, Answer)> {
    if let Some(kind) = payload["errorType"].as_str() {
        let answer = Answer { status: 0, headers: BTreeMap::new(), body: payload.clone() };
        return Ok((format!("error {kind}"), answer));
    }
    if let Some(failed) = payload["batchItemFailures"].as_array() {
        let answer = Answer { status: 0, headers: BTreeMap::new(), body: payload.clone() };
        return Ok((format!("{} failed", failed.len()), answer));
    }
    let answer = Answer::of_payload(payload)?.ok_or("no status")?;
    Ok((answer.brief(), answer))
}

impl TestCloud {
    /// The keys of the API's routes that lead to a function.
    #[must_use]
    pub fn routes(&self, function: &str) -> Vec<String> {
        let routes = self.parts().plan.http_apis.iter().flat_map(|api| &api.routes);
        routes.filter(|route| route.function == function).map(|route| route.key.clone()).collect()
    }
}
