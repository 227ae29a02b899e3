//! Lambda, its Invoke API, the HTTP API and schedules, with a function process of the tests' own.

mod environments;
mod gateway;
mod http;
mod invoke;
mod probe;
mod queues;
mod schedules;
