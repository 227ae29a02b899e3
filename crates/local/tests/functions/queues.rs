//! From an event to a function, by rule and queue.

use std::sync::Arc;
use std::time::Duration;

use local::clock::Clock;
use local::events::{DeliveryOutcome, EventBridge, NewEvent};
use local::faults::{Fault, FaultKind, Faults};
use local::lambda::Lambda;
use local::queues::{NotDrained, Pollers, Queues};
use local_template::event_pattern::Pattern;
use local_template::iam::Iam;
use local_template::plan::{
    EventRule, Function, Key, Mapping, Plan, Principals, Queue, Redrive, ResourceStatement, RuleTarget,
    Statement, Target,
};
use serde_json::{Value, json};

use crate::probe::{Meeting, function, settings};

const QUEUE: &str = "arn:aws:sqs:eu-central-1:000000000000:probe-events";
const DEAD: &str = "arn:aws:sqs:eu-central-1:000000000000:dead";
const RULE: &str = "arn:aws:events:eu-central-1:000000000000:rule/attendees";
const KEY: &str = "arn:aws:kms:eu-central-1:000000000000:key/data";

/// A rule, its queue with a dead-letter queue, and `probe` as its consumer.
struct Ground {
    plan: Plan,
    clock: Clock,
    faults: Faults,
    iam: Arc<Iam>,
    events: EventBridge,
    queues: Queues,
    pollers: Pollers,
    lambda: Lambda,
}

fn statement(actions: &[&str], resource: &str) -> Statement {
    Statement {
        sid: String::new(),
        allow: true,
        actions: actions.iter().map(|&action| action.to_owned()).collect(),
        resources: vec![resource.to_owned()],
        conditions: Vec::new(),
    }
}

fn for_events(actions: &[&str], resource: &str, rule: &str) -> ResourceStatement {
    let mut statement = statement(actions, resource);
    let condition = ("ArnEquals".to_owned(), "aws:SourceArn".to_owned(), vec![rule.to_owned()]);
    statement.conditions.push(condition);
    let principals = Principals::Services(vec!["events.amazonaws.com".to_owned()]);
    ResourceStatement { principals, statement }
}

fn queue(arn: &str) -> Queue {
    Queue {
        name: arn.rsplit(':').next().unwrap_or_default().to_owned(),
        arn: arn.to_owned(),
        visibility: Duration::from_mins(2),
        delay: Duration::ZERO,
        retention: Duration::from_hours(24),
        greatest: 1_048_576,
        redrive: None,
        key: None,
        policy: Vec::new(),
    }
}

fn plan() -> Plan {
    let pattern =
        json!({ "source": ["aws.chime"], "detail": { "eventType": [{ "prefix": "chime:Attendee" }] } });
    let mut source = queue(QUEUE);
    source.redrive = Some(Redrive { queue: DEAD.to_owned(), most_receives: 5 });
    source.policy = vec![for_events(&["sqs:SendMessage"], QUEUE, RULE)];
    let read = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
    Plan {
        account: "000000000000".to_owned(),
        region: "eu-central-1".to_owned(),
        functions: vec![Function { role: vec![statement(&read, QUEUE)], ..function() }],
        rules: vec![EventRule {
            name: "attendees".to_owned(),
            arn: RULE.to_owned(),
            bus: "default".to_owned(),
            pattern: Pattern::new(&pattern).expect("it is a pattern"),
            enabled: true,
            targets: vec![RuleTarget { target: Target::Queue(QUEUE.to_owned()), dead_letters: None }],
        }],
        queues: vec![source, queue(DEAD)],
        mappings: vec![Mapping {
            function: "probe".to_owned(),
            queue: QUEUE.to_owned(),
            batch: 10,
            window: Duration::ZERO,
            partial: true,
            concurrency: Some(2),
            enabled: true,
        }],
        ..Plan::default()
    }
}

impl Ground {
    async fn of(plan: Plan) -> Self {
        let (clock, faults) = (Clock::default(), Faults::default());
        let lambda = Lambda::start(&plan.functions, settings()).await.expect("Lambda starts");
        let iam = Arc::new(Iam::new(&plan).expect("the roles are read"));
        let queues = Queues::new(&plan.queues, clock.clone());
        let (bus, ear) = (queues.clone(), lambda.clone());
        let events = EventBridge::new(&plan, clock.clone(), faults.clone(), bus, ear);
        let pollers = Pollers::start(&plan, queues.clone(), lambda.clone(), Arc::clone(&iam), false);
        Self { plan, clock, faults, iam, events, queues, pollers, lambda }
    }

    async fn start() -> Self {
        Self::of(plan()).await
    }

    /// Sends an event whose detail holds a command for the probe.
    fn send(&self, detail: &Value) -> String {
        self.put(json!({
            "source": "aws.chime", "detail-type": "Chime Meeting State Change", "detail": detail,
        }))
    }

    fn put(&self, event: Value) -> String {
        let event: NewEvent = serde_json::from_value(event).expect("it is an event");
        self.events.put(event)["id"].as_str().unwrap_or_default().to_owned()
    }

    async fn drained(&self) -> usize {
        self.pollers.drained(Duration::from_secs(30)).await.expect("they are drained")
    }

    /// Waits for the visibility timeout to be over and for what comes then.
    async fn once_more(&self) -> usize {
        self.clock.advance(121);
        self.drained().await
    }

    fn dead(&self) -> Vec<String> {
        let bodies = self.queues.bodies("dead");
        let event = |body: &String| serde_json::from_str::<Value>(body).expect("an event");
        bodies.iter().map(|body| event(body)["id"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn outcome(&self) -> DeliveryOutcome {
        self.events.deliveries().pop().expect("there was a delivery").outcome
    }

    /// The batches that the probe received, as the ids of their events.
    fn received_batches(&self) -> Vec<Vec<String>> {
        let lines = self.lambda.logs().into_iter().filter_map(|line| {
            line.line.strip_prefix("received ").map(|ids| ids.split(' ').map(str::to_owned).collect())
        });
        lines.collect()
    }
}

fn joined(to: &Value) -> Value {
    let mut detail = json!({ "eventType": "chime:AttendeeJoined" });
    if let (Some(detail), Some(to)) = (detail.as_object_mut(), to.as_object()) {
        detail.extend(to.clone());
    }
    detail
}

#[tokio::test]
async fn an_event_that_a_rule_matches_is_delivered_once_and_others_are_not() {
    let ground = Ground::start().await;
    let id = ground.send(&joined(&json!({})));
    let other = ground.send(&json!({ "eventType": "chime:MeetingEnded" }));
    assert_eq!(ground.drained().await, 0);
    assert_eq!(ground.received_batches(), [[id.clone()]]);
    assert_eq!(ground.events.picked(&id), ["attendees"]);
    assert!(ground.events.picked(&other).is_empty());
    assert_eq!(ground.once_more().await, 0);
    assert_eq!(ground.received_batches().len(), 1, "what is done is deleted");
}

#[tokio::test]
async fn only_the_failed_message_of_a_batch_comes_again() {
    let ground = Ground::start().await;
    ground.pollers.hold();
    let ids = [
        ground.send(&joined(&json!({}))),
        ground.send(&joined(&json!({ "do": "fail-first" }))),
        ground.send(&joined(&json!({}))),
    ];
    ground.pollers.release();
    assert_eq!(ground.drained().await, 1, "one waits to come again");
    assert_eq!(ground.received_batches(), [ids.to_vec()]);
    ground.clock.advance(118);
    assert_eq!(ground.drained().await, 1, "its time has not come");
    ground.clock.advance(3);
    assert_eq!(ground.drained().await, 0);
    assert_eq!(ground.received_batches()[1..], [[ids[1].clone()]]);
    assert!(ground.dead().is_empty());
}

#[tokio::test]
async fn a_poisonous_message_is_buried_after_five_times() {
    let ground = Ground::start().await;
    ground.pollers.hold();
    let (poison, good) = (ground.send(&joined(&json!({ "do": "fail" }))), ground.send(&joined(&json!({}))));
    ground.pollers.release();
    for _ in 1..=4 {
        assert_eq!(ground.drained().await, 1);
        ground.clock.advance(121);
    }
    assert_eq!(ground.drained().await, 1, "the fifth time");
    assert!(ground.dead().is_empty());
    assert_eq!(ground.once_more().await, 0);
    assert_eq!(ground.dead(), std::slice::from_ref(&poison));
    let received: Vec<_> = ground.received_batches().concat();
    let times = |id: &String| received.iter().filter(|it| *it == id).count();
    assert_eq!((times(&poison), times(&good)), (5, 1));
    let listed = ground.queues.listed(|queue| ground.pollers.reads(queue));
    assert_eq!(listed[0]["messages"][0]["receives"], 5, "{listed:?}");
}

#[tokio::test]
async fn a_function_that_breaks_off_gives_its_whole_batch_back() {
    for order in ["break", "exit", "garble"] {
        let ground = Ground::start().await;
        ground.pollers.hold();
        ground.send(&joined(&json!({ "do": order })));
        ground.send(&joined(&json!({})));
        ground.pollers.release();
        assert_eq!(ground.drained().await, 2, "{order}");
    }
}

#[tokio::test]
async fn so_many_messages_are_read_at_once_and_so_many_batches() {
    let mut plan = plan();
    plan.mappings[0].batch = 3;
    let (ground, meeting) = (Ground::of(plan).await, Meeting::open().await);
    ground.pollers.hold();
    for _ in 0..10 {
        ground.send(&joined(&json!({ "do": "meet", "port": meeting.port() })));
    }
    ground.pollers.release();
    let (first, second) = (meeting.arrival().await, meeting.arrival().await);
    let third = tokio::time::timeout(Duration::from_millis(300), meeting.arrival()).await;
    assert!(third.is_err(), "two invocations at once are allowed");
    drop((first, second));
    drop((meeting.arrival().await, meeting.arrival().await));
    assert_eq!(ground.drained().await, 0);
    let mut sizes: Vec<_> = ground.received_batches().iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 3, 3, 3]);
}

#[tokio::test]
async fn a_batch_that_is_not_full_waits_for_its_window() {
    let mut plan = plan();
    plan.mappings[0].window = Duration::from_mins(1);
    let ground = Ground::of(plan).await;
    ground.send(&joined(&json!({})));
    ground.send(&joined(&json!({})));
    let in_flight = || ground.queues.counts(QUEUE).in_flight == 2;
    until("the messages are read", in_flight).await;
    assert!(ground.received_batches().is_empty());
    ground.clock.advance(61);
    until("the window has closed", || !ground.received_batches().is_empty()).await;
    assert_eq!(ground.received_batches()[0].len(), 2);
}

#[tokio::test]
async fn without_the_queues_policy_nothing_is_delivered() {
    let mut another = plan();
    another.queues[0].policy =
        vec![for_events(&["sqs:SendMessage"], QUEUE, "arn:aws:events:eu-central-1:000000000000:rule/x")];
    let mut none = plan();
    none.queues[0].policy.clear();
    for plan in [another, none] {
        let ground = Ground::of(plan).await;
        let id = ground.send(&joined(&json!({})));
        let refused = "the queue's policy does not let events.amazonaws.com send for the rule";
        assert_eq!(ground.outcome(), DeliveryOutcome::Refused(refused.to_owned()));
        assert_eq!(ground.events.picked(&id), ["attendees"], "the rule picks it all the same");
        assert_eq!((ground.drained().await, ground.received_batches().len()), (0, 0));
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_delivered_is_in_the_rules_dead_letter_queue() {
    let refused = "the queue's policy does not let events.amazonaws.com send for the rule";
    let mut kept = plan();
    kept.queues[0].policy.clear();
    kept.queues[1].policy = vec![for_events(&["sqs:SendMessage"], DEAD, RULE)];
    kept.rules[0].targets[0].dead_letters = Some(DEAD.to_owned());
    let mut lost = kept.clone();
    lost.queues[1].policy.clear();

    let ground = Ground::of(kept).await;
    ground.send(&joined(&json!({})));
    assert_eq!(ground.outcome(), DeliveryOutcome::DeadLetter(refused.to_owned()));
    assert_eq!(ground.queues.counts(DEAD).visible, 1);
    let ground = Ground::of(lost).await;
    ground.send(&joined(&json!({})));
    assert!(
        matches!(ground.outcome(), DeliveryOutcome::Refused(reason) if reason.contains("its dead-letter queue"))
    );
    assert_eq!(ground.queues.counts(DEAD).visible, 0);
}

#[tokio::test]
async fn an_encrypted_queue_needs_its_key_on_both_sides() {
    let encrypted = |key_policy: Vec<ResourceStatement>, role: bool| {
        let mut plan = plan();
        plan.queues[0].key = Some(KEY.to_owned());
        plan.keys = vec![Key { arn: KEY.to_owned(), policy: key_policy }];
        if role {
            plan.functions[0].role.push(statement(&["kms:Decrypt"], KEY));
        }
        plan
    };
    let good = || {
        let mut statement = for_events(&["kms:GenerateDataKey*", "kms:Decrypt"], "*", RULE);
        statement.statement.conditions.clear();
        vec![statement]
    };

    let for_rule = vec![for_events(&["kms:GenerateDataKey*", "kms:Decrypt"], "*", RULE)];
    for policy in [Vec::new(), for_rule] {
        let ground = Ground::of(encrypted(policy, true)).await;
        ground.send(&joined(&json!({})));
        assert!(
            matches!(ground.outcome(), DeliveryOutcome::Refused(reason) if reason.contains("kms:GenerateDataKey"))
        );
    }

    let ground = Ground::of(encrypted(good(), false)).await;
    ground.send(&joined(&json!({})));
    let broken = ground.pollers.drained(Duration::from_secs(30)).await;
    assert!(matches!(broken, Err(NotDrained::Broken(problem)) if problem.contains("kms:Decrypt")));

    let ground = Ground::of(encrypted(good(), true)).await;
    ground.send(&joined(&json!({})));
    assert_eq!((ground.drained().await, ground.received_batches().len()), (0, 1));
    assert!(ground.iam.usage()["probe"].unused.is_empty(), "{:?}", ground.iam.usage());
}

#[tokio::test]
async fn a_role_that_may_not_read_its_queue_is_listed_by_the_control_api() {
    for (lacking, rest) in [
        ("sqs:ReceiveMessage", ["sqs:DeleteMessage", "sqs:GetQueueAttributes"]),
        ("sqs:DeleteMessage", ["sqs:ReceiveMessage", "sqs:GetQueueAttributes"]),
        ("sqs:GetQueueAttributes", ["sqs:DeleteMessage", "sqs:ReceiveMessage"]),
    ] {
        let mut plan = plan();
        plan.functions[0].role = vec![statement(&rest, QUEUE)];
        let ground = Ground::of(plan).await;
        let broken = ground.pollers.drained(Duration::from_secs(30)).await.expect_err("it does not work");
        let expected = format!("the role of probe does not allow {lacking} on {QUEUE}");
        assert_eq!(broken.to_string(), expected);
        assert_eq!(ground.pollers.listed()[0]["problem"], expected);
        assert!(ground.iam.usage()["probe"].used.is_empty());
    }
}

#[tokio::test]
async fn permissions_to_receive_and_delete_count_as_used() {
    let ground = Ground::start().await;
    assert_eq!(ground.drained().await, 0);
    assert!(!ground.iam.usage()["probe"].used.iter().any(|action| action == "sqs:DeleteMessage"));
    ground.send(&joined(&json!({})));
    assert_eq!(ground.drained().await, 0);
    assert!(ground.iam.usage()["probe"].unused.is_empty(), "{:?}", ground.iam.usage());
    assert!(ground.iam.usage()["probe"].refused.is_empty());
}

#[tokio::test]
async fn events_are_lost_doubled_and_delayed_on_demand() {
    let ground = Ground::start().await;
    let fault = |kind, ms| Fault {
        service: "events".to_owned(),
        operation: Some("chime:AttendeeJoined".to_owned()),
        function: None,
        kind,
        nth: Some(1),
        ms,
        times: None,
    };
    ground.faults.add(fault(FaultKind::Lose, None));
    ground.send(&json!({ "eventType": "chime:AttendeeLeft" }));
    ground.send(&joined(&json!({})));
    assert_eq!(ground.outcome(), DeliveryOutcome::Lost);
    assert_eq!((ground.drained().await, ground.received_batches().len()), (0, 1), "the other event came");

    ground.faults.clear();
    ground.faults.add(fault(FaultKind::Double, None));
    let double = ground.send(&joined(&json!({})));
    assert_eq!(ground.drained().await, 0);
    let received: Vec<_> = ground.received_batches()[1..].concat();
    assert_eq!(received, [double.clone(), double]);

    ground.faults.clear();
    ground.faults.add(fault(FaultKind::Delay, Some(60_000)));
    let (late, soon) = (ground.send(&joined(&json!({}))), ground.send(&joined(&json!({}))));
    assert_eq!(ground.drained().await, 1, "one is on its way");
    ground.clock.advance(61);
    assert_eq!(ground.drained().await, 0);
    let received: Vec<_> = ground.received_batches().concat();
    assert_eq!(received[received.len() - 2..], [soon, late]);
}

#[tokio::test]
async fn a_rule_invokes_a_function_that_permits_it() {
    let report = Meeting::open().await;
    let mut plan = plan();
    plan.functions[0].environment.insert("PROBE_REPORT".to_owned(), report.port().to_string());
    plan.rules[0].targets[0].target = Target::Function("probe".to_owned());
    let mut forbidden = plan.clone();
    forbidden.functions[0].permissions.clear();
    let ground = Ground::of(plan).await;
    let id = ground.send(&joined(&json!({})));
    assert_eq!(report.report().await["id"], id);
    let ground = Ground::of(forbidden).await;
    ground.send(&joined(&json!({})));
    assert!(matches!(ground.outcome(), DeliveryOutcome::Refused(reason) if reason.contains("invoke probe")));
}

#[tokio::test]
async fn queues_that_are_held_are_not_waited_for() {
    let ground = Ground::start().await;
    ground.pollers.hold();
    let held = ground.pollers.drained(Duration::from_secs(30)).await;
    assert!(matches!(held, Err(NotDrained::Held)));
    assert_eq!(ground.plan.mappings.len(), ground.pollers.listed().len());
}

/// Waits for a condition, and not for ever.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect(what);
}
