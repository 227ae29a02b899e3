//! A double of `CloudFormation` as boto3 speaks to it: what `cdn.py` asks of it, and nothing else.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use local::listen::{self, Listening};
use local_testing::TestResult;

type Texts = BTreeMap<String, String>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stack {
    pub(crate) status: String,
    pub(crate) outputs: Texts,
    pub(crate) parameters: Texts,
    /// Whether it cannot be deleted.
    pub(crate) protected: bool,
}

/// The outcome of the next change set.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    /// The stack is as was asked, or nothing is to be done.
    Good,
    /// The change set itself fails, for this reason.
    Refused(&'static str),
    /// The stack comes to this status, because of these resources.
    Failed(&'static str, &'static [(&'static str, &'static str)]),
    /// The credentials expire while the stack is deployed.
    Expired,
}

struct Change {
    kind: String,
    parameters: Texts,
    failed: Option<String>,
}

struct World {
    stacks: BTreeMap<(String, String), Stack>,
    changes: BTreeMap<String, Change>,
    events: String,
    leftover: bool,
    /// Of a stack that was deployed.
    outputs: Texts,
    next: Next,
    /// Code and message of what everybody is answered.
    closed: Option<(&'static str, &'static str)>,
    asked: Vec<String>,
}

pub(crate) struct Formation {
    pub(crate) url: String,
    world: Arc<Mutex<World>>,
    _listening: Listening,
}

pub(crate) fn texts<const N: usize>(pairs: [(&str, &str); N]) -> Texts {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Formation {
    /// Without a stack. Those that are deployed get these outputs.
    pub(crate) async fn start(outputs: Texts) -> TestResult<Self> {
        let world = Arc::new(Mutex::new(World {
            stacks: BTreeMap::new(),
            changes: BTreeMap::new(),
            events: String::new(),
            leftover: false,
            outputs,
            next: Next::Good,
            closed: None,
            asked: Vec::new(),
        }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&world));
        let listening = listen::bind(0).await?.serve(router);
        Ok(Self { url: format!("http://{}", listening.address()), world, _listening: listening })
    }

    pub(crate) fn put(&self, region: &str, name: &str, stack: Stack) {
        self.world().stacks.insert((region.to_owned(), name.to_owned()), stack);
    }

    pub(crate) fn stack(&self, region: &str, name: &str) -> Option<Stack> {
        self.world().stacks.get(&(region.to_owned(), name.to_owned())).cloned()
    }

    pub(crate) fn will(&self, next: Next) {
        self.world().next = next;
    }

    /// Answers nothing else from now on.
    pub(crate) fn close(&self, code: &'static str, message: &'static str) {
        self.world().closed = Some((code, message));
    }

    /// Operations that changed something, or tried to, in order; of a change set with its kind.
    pub(crate) fn changes(&self) -> Vec<String> {
        let world = self.world();
        let reads = |it: &&String| it.starts_with("Describe") || it.starts_with("Validate");
        world.asked.iter().filter(|it| !reads(it)).cloned().collect()
    }

    /// Whether a creation that failed left what the template retains.
    pub(crate) fn leftover(&self) -> bool {
        self.world().leftover
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().expect("no test panics with it")
    }
}

struct Refusal(&'static str, String);

async fn answer(State(world): State<Arc<Mutex<World>>>, headers: HeaderMap, body: Bytes) -> Response {
    let asked: Texts = form_urlencoded::parse(&body).into_owned().collect();
    let mut world = world.lock().expect("no test panics with it");
    let (status, text) = match world.answer(&region(&headers), &asked) {
        Ok(result) => {
            let action = &asked["Action"];
            let result = format!("<{action}Result>{result}</{action}Result>");
            (StatusCode::OK, format!("<{action}Response>{result}</{action}Response>"))
        }
        Err(Refusal(code, message)) => {
            let error = format!("<Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>");
            (StatusCode::BAD_REQUEST, format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>"))
        }
    };
    (status, [("content-type", "text/xml")], text).into_response()
}

/// That of the signature: AWS4-HMAC-SHA256 Credential=<key>/<day>/<region>/...
fn region(headers: &HeaderMap) -> String {
    let signature = headers.get("authorization").and_then(|it| it.to_str().ok()).unwrap_or_default();
    signature.split('/').nth(2).unwrap_or_default().to_owned()
}

impl World {
    fn answer(&mut self, region: &str, asked: &Texts) -> Result<String, Refusal> {
        let of = |name: &str| asked.get(name).cloned().unwrap_or_default();
        let (action, name) = (of("Action"), of("StackName"));
        let kind = of("ChangeSetType");
        self.asked.push(format!("{action} {kind}").trim_end().to_owned());
        if let Some((code, message)) = self.closed {
            return Err(Refusal(code, message.to_owned()));
        }
        let key = (region.to_owned(), name.clone());
        match action.as_str() {
            "ValidateTemplate" => Ok(members("Parameters", declared(&of("TemplateBody")), |name| {
                format!("<ParameterKey>{name}</ParameterKey>")
            })),
            "DescribeStacks" => match self.stacks.get(&key) {
                Some(stack) => Ok(described(&name, stack)),
                None => Err(Refusal("ValidationError", format!("Stack with id {name} does not exist"))),
            },
            "CreateChangeSet" => {
                let there = self.stacks.get(&key).cloned();
                let change = Change::new(asked, there.as_ref(), self.next)?;
                if there.is_none() {
                    let begun = Stack { status: "REVIEW_IN_PROGRESS".to_owned(), ..Stack::default() };
                    self.stacks.insert(key, begun);
                }
                self.changes.insert(of("ChangeSetName"), change);
                Ok(String::new())
            }
            "DescribeChangeSet" => {
                let failed = self.changes.get(&of("ChangeSetName")).and_then(|it| it.failed.as_ref());
                Ok(failed.map_or_else(
                    || "<Status>CREATE_COMPLETE</Status>".to_owned(),
                    |reason| format!("<Status>FAILED</Status><StatusReason>{reason}</StatusReason>"),
                ))
            }
            "DeleteChangeSet" => {
                self.changes.remove(&of("ChangeSetName"));
                Ok(String::new())
            }
            "ExecuteChangeSet" => {
                let change = self.changes.remove(&of("ChangeSetName"));
                let change =
                    change.ok_or_else(|| Refusal("ChangeSetNotFound", "there is none".to_owned()))?;
                self.execute(key, change, &of("ClientRequestToken"));
                let failed = matches!(self.next, Next::Failed(..));
                self.leftover = failed && of("RetainExceptOnCreate") != "true";
                Ok(String::new())
            }
            "UpdateTerminationProtection" => {
                let Some(stack) = self.stacks.get_mut(&key) else {
                    return Err(Refusal("ValidationError", format!("Stack with id {name} does not exist")));
                };
                stack.protected = of("EnableTerminationProtection") == "true";
                Ok(String::new())
            }
            "DescribeStackEvents" => Ok(format!("<StackEvents>{}</StackEvents>", self.events)),
            _ => Err(Refusal("InvalidAction", format!("the double knows no {action}"))),
        }
    }

    fn execute(&mut self, key: (String, String), change: Change, token: &str) {
        let stack = self.stacks.entry(key).or_default();
        match self.next {
            Next::Failed(status, resources) => {
                status.clone_into(&mut stack.status);
                // The newest first, and some of a deployment before.
                let failed = resources.iter().rev().map(|(id, reason)| event(id, reason, token));
                let before = event("Distribution", "what failed the last time", "another");
                self.events = failed.chain([before]).collect();
            }
            next => {
                stack.status = format!("{}_COMPLETE", change.kind);
                stack.outputs = self.outputs.clone();
                stack.parameters = change.parameters;
                if matches!(next, Next::Expired) {
                    self.closed =
                        Some(("ExpiredToken", "The security token included in the request is expired"));
                }
            }
        }
    }
}

impl Change {
    fn new(asked: &Texts, there: Option<&Stack>, next: Next) -> Result<Self, Refusal> {
        let refused = |why: String| Err(Refusal("ValidationError", why));
        let status = there.map(|it| it.status.as_str());
        let kind = asked["ChangeSetType"].clone();
        let possible = match kind.as_str() {
            "CREATE" => status.is_none_or(|it| it == "REVIEW_IN_PROGRESS"),
            _ => status.is_some_and(|it| {
                ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"].contains(&it)
            }),
        };
        if !possible {
            return refused(format!("{kind}: the stack is in {status:?} state and can not be updated."));
        }
        let nth =
            |n: usize, what: &str| asked.get(&format!("Parameters.member.{n}.Parameter{what}")).cloned();
        let kept = |n: usize, name: &str| {
            let keeps = asked.get(&format!("Parameters.member.{n}.UsePreviousValue"))? == "true";
            keeps.then(|| there.and_then(|it| it.parameters.get(name)).cloned())?
        };
        let given = |n: usize| {
            let name = nth(n, "Key")?;
            let value = nth(n, "Value").or_else(|| kept(n, &name));
            Some((name, value?))
        };
        let parameters: Texts = (1..).map_while(given).collect();
        let declared = declared(&asked["TemplateBody"]);
        if let Some(unknown) = parameters.keys().find(|it| !declared.contains(it)) {
            return refused(format!("Parameters: [{unknown}] do not exist in the template"));
        }
        let same = there.is_some_and(|it| it.parameters == parameters);
        let failed = match next {
            Next::Refused(reason) => Some(reason),
            _ if same => {
                Some("The submitted information didn't contain changes. Submit different information.")
            }
            _ => None,
        };
        Ok(Self { kind, parameters, failed: failed.map(str::to_owned) })
    }
}

/// The names in a template's section of parameters.
fn declared(template: &str) -> Vec<String> {
    let section = template.lines().skip_while(|it| *it != "Parameters:").skip(1);
    let section = section.take_while(|it| it.is_empty() || it.starts_with(' '));
    let name = |line: &str| line.strip_prefix("  ")?.strip_suffix(':').map(str::to_owned);
    section.filter_map(name).filter(|it| !it.starts_with(' ')).collect()
}

fn described(name: &str, stack: &Stack) -> String {
    let pair = |what: &'static str| {
        move |(key, value)| format!("<{what}Key>{key}</{what}Key><{what}Value>{value}</{what}Value>")
    };
    let parameters = members("Parameters", &stack.parameters, pair("Parameter"));
    let outputs = members("Outputs", &stack.outputs, pair("Output"));
    let status = &stack.status;
    members("Stacks", [()], |()| {
        let protected =
            format!("<EnableTerminationProtection>{}</EnableTerminationProtection>", stack.protected);
        format!(
            "<StackName>{name}</StackName><StackStatus>{status}</StackStatus>{protected}{parameters}{outputs}"
        )
    })
}

fn event(id: &str, reason: &str, token: &str) -> String {
    format!(
        "<member><LogicalResourceId>{id}</LogicalResourceId><ResourceStatus>CREATE_FAILED</ResourceStatus>\
         <ResourceStatusReason>{reason}</ResourceStatusReason><ClientRequestToken>{token}</ClientRequestToken></member>"
    )
}

fn members<T>(name: &str, items: impl IntoIterator<Item = T>, text: impl Fn(T) -> String) -> String {
    let items: String = items.into_iter().map(|it| ["<member>", &text(it), "</member>"].concat()).collect();
    format!("<{name}>{items}</{name}>")
}
