//! Links that lead to a call: for the app and for a browser.

use domain::Error;
use domain::call::{Actor, Target};
use domain::id::AppointmentId;
use domain::link;
use serde::Serialize;
use time::OffsetDateTime;

use crate::Calls;

/// Where links lead.
#[derive(Clone, Debug)]
pub struct LinkBases {
    /// The app's, `medzen://call`.
    pub deep: String,
    /// The page's, `https://calls.example.com/call`.
    pub web: String,
}

/// The answer to link. A link says which appointment and nothing else: who follows it signs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// Opens the app.
    pub deep_link: String,
    /// Opens the page.
    pub web_link: String,
    /// Who holds the appointment.
    pub provider_name: Option<String>,
    /// When it is to begin.
    #[serde(serialize_with = "domain::stamp::option::serialize")]
    pub scheduled_start: Option<OffsetDateTime>,
    /// For people, to go with the link.
    pub message: &'static str,
}

impl Calls {
    /// Tells the provider the links to an appointment's call. One round trip.
    ///
    /// # Errors
    /// 403 for everyone but the provider, 404 for no appointment, 409 for one that is not held by video, 503 when the
    /// database is down.
    pub async fn link(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        bases: &LinkBases,
    ) -> Result<Link, Error> {
        let view = self.load_view(actor, Target::Appointment(appointment), None).await?;
        let appointment = link::decide(&view)?.appointment;
        Ok(Link {
            appointment_id: appointment.id,
            deep_link: format!("{}/{}", bases.deep.trim_end_matches('/'), appointment.id),
            web_link: format!("{}?appointmentId={}", bases.web, appointment.id),
            provider_name: appointment.provider_name.clone(),
            scheduled_start: appointment.scheduled_start,
            message: "Your video consultation: open the link at the time of the appointment and sign in.",
        })
    }
}
