//! The routes of the function `audit`.

use domain::error::reason;

use super::Operation;
use crate::holds::{HoldRequest, HoldResponse};
use crate::openapi::schemas::Schemas;

pub(super) fn all(schemas: &mut Schemas) -> Vec<Operation> {
    let function = "audit";
    let hold = schemas.response::<HoldResponse>();
    let only = [reason::AUDITOR_ONLY.erase()];
    vec![
        Operation::new(
            function,
            "PUT /appointments/{appointmentId}/hold",
            "placeHold",
            "Place a legal hold on what is kept of an appointment",
        )
        .body(schemas.request::<HoldRequest>())
        .answers(200, "A hold stood already, with the reason that it was placed for.", hold.clone())
        .answers(201, "The hold was placed.", hold.clone())
        .fails(&only),
        Operation::new(
            function,
            "DELETE /appointments/{appointmentId}/hold",
            "liftHold",
            "Lift the legal hold of an appointment",
        )
        .answers(200, "No hold stands, also when none did before.", hold.clone())
        .fails(&only),
        Operation::new(
            function,
            "GET /appointments/{appointmentId}/hold",
            "getHold",
            "The newest legal hold of an appointment, and how far it is applied",
        )
        .answers(200, "The hold.", hold)
        .fails(&only),
    ]
}
