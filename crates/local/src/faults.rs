//! Faults on demand, put on the backend calls of functions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// The service's own throttling answer, without effect.
    Throttle,
    /// The service's own internal error, without effect.
    Error,
    /// The call takes `ms` longer.
    Latency,
    /// The call takes effect and its answer is lost: the connection closes.
    Drop,
    /// The calling environment is killed before the call takes effect.
    KillBefore,
    /// The calling environment is killed after the call took effect and before it is answered.
    KillAfter,
    /// `EventBridge` delivers the event to nobody. This and the next two are for service `events`; the operation is the
    /// event's `detail.eventType` or, without one, its detail type.
    Lose,
    /// `EventBridge` delivers the event twice.
    Double,
    /// `EventBridge` delivers the event `ms` later, on the cloud's clock.
    Delay,
}

impl FaultKind {
    /// Whether it is about an event on its way and not about a call.
    #[must_use]
    pub const fn is_of_delivery(self) -> bool {
        matches!(self, Self::Lose | Self::Double | Self::Delay)
    }
}

/// One fault, as `POST /_local/faults` takes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Service as in the log of calls; `*` is any.
    pub service: String,
    /// Operation as in the log of calls; any when absent or `*`. `connect` is a connection being opened to `PostgreSQL`.
    #[serde(default)]
    pub operation: Option<String>,
    /// Calling function; any when absent.
    #[serde(default)]
    pub function: Option<String>,
    /// What goes wrong.
    pub kind: FaultKind,
    /// Begin with the nth matching call from now, counting from 1.
    #[serde(default)]
    pub nth: Option<u32>,
    /// Milliseconds, for latency.
    #[serde(default)]
    pub ms: Option<u64>,
    /// How many matching calls it hits. Absent: one when `nth` is given, else all until the faults are deleted.
    #[serde(default)]
    pub times: Option<u32>,
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultEffect {
    /// How much later it is carried out, or delivered.
    pub latency: Duration,
    /// What else goes wrong; the first fault that matches decides.
    pub fault: Option<FaultKind>,
}

/// The operation that opens a connection.
const CONNECT: &str = "connect";

#[derive(Debug)]
struct Armed {
    fault: Fault,
    seen: u32,
}

/// The faults in force. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<Armed>>>);

impl Faults {
    /// Puts a fault in force.
    pub fn add(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Armed { fault, seen: 0 });
    }

    /// Ends all faults.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Decides a call's fate and counts it. To be asked once for each call.
    #[must_use]
    pub fn fate(&self, service: &str, operation: &str, function: &str) -> FaultEffect {
        self.decide(service, operation, function, |fault| !fault.kind.is_of_delivery())
    }

    /// Decides the fate of an event that `EventBridge` is about to deliver.
    #[must_use]
    pub fn fate_of_event(&self, event_type: &str) -> FaultEffect {
        self.decide("events", event_type, "", |fault| fault.kind.is_of_delivery())
    }

    /// Decides the fate of a connection being opened. Connections are not in the log of calls, so a fault that counts
    /// calls (`nth`) and one that kills the caller leave them alone, unless the fault names the operation `connect`.
    #[must_use]
    pub fn fate_of_connect(&self, service: &str, function: &str) -> FaultEffect {
        self.decide(service, CONNECT, function, |fault| {
            let kills = matches!(fault.kind, FaultKind::KillBefore | FaultKind::KillAfter);
            !fault.kind.is_of_delivery()
                && (fault.operation.as_deref() == Some(CONNECT) || (fault.nth.is_none() && !kills))
        })
    }

    fn decide(
        &self,
        service: &str,
        operation: &str,
        function: &str,
        concerns: impl Fn(&Fault) -> bool,
    ) -> FaultEffect {
        let mut fate = FaultEffect::default();
        for armed in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            let fault = &armed.fault;
            let matches = (fault.service == "*" || fault.service == service)
                && fault.operation.as_deref().is_none_or(|it| it == "*" || it == operation)
                && fault.function.as_deref().is_none_or(|it| it == function)
                && concerns(fault);
            if !matches {
                continue;
            }
            armed.seen += 1;
            let first = fault.nth.unwrap_or(1);
            let times = fault.times.or(fault.nth.map(|_| 1));
            let hit = armed.seen >= first && times.is_none_or(|times| armed.seen - first < times);
            match (hit, fault.kind) {
                (false, _) => {}
                (true, FaultKind::Latency | FaultKind::Delay) => {
                    fate.latency += Duration::from_millis(fault.ms.unwrap_or(0));
                }
                (true, kind) => fate.fault = fate.fault.or(Some(kind)),
            }
        }
        fate
    }
}
