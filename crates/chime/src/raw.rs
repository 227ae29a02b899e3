//! The response's JSON, unchanged.
//!
//! The client SDK needs `Meeting` and `Attendee` exactly as Chime returned them. Serializing the typed response would
//! drop every member that this version of the SDK crate does not know, so the body itself is kept.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;

/// Keeps the body of the last response.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawAnswer(Arc<Mutex<Value>>);

impl RawAnswer {
    /// The body, once the request has been answered.
    pub(crate) fn take(&self) -> Value {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Intercept for RawAnswer {
    fn name(&self) -> &'static str {
        "RawAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The body of a response without a stream is in memory by now.
        if let Some(body) =
            context.response().body().bytes().filter(|_| context.response().status().is_success())
        {
            let json = if body.is_empty() { Value::Null } else { serde_json::from_slice(body)? };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = json;
        }
        Ok(())
    }
}
