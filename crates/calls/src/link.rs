//! Links to a call: for the app and for a browser.

use domain::Error;
use domain::call::{Actor, Target};
use domain::id::AppointmentId;
use domain::link;
use serde::Serialize;
use time::OffsetDateTime;

use crate::Calls;

/// The base URLs of links.
#[derive(Clone, Debug)]
pub struct LinkBases {
    /// The app's, such as `medzen://call`.
    pub deep: String,
    /// The page's, such as `https://calls.example.com/call`.
    pub web: String,
}

/// The answer to link. A link contains the appointment's id and nothing else: the user signs in after opening it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    pub appointment_id: AppointmentId,
    /// Opens the app.
    pub deep_link: String,
    /// Opens the page.
    pub web_link: String,
    pub provider_name: Option<String>,
    /// The scheduled start.
    #[serde(serialize_with = "domain::stamp::option::serialize")]
    pub scheduled_start: Option<OffsetDateTime>,
    /// A sentence for people, to send with the link.
    pub message: &'static str,
}

impl Calls {
    /// Returns the links to an appointment's call to its provider. One round trip.
    ///
    /// # Errors
    /// 403 for everyone but the provider, 404 for an unknown appointment, 409 where it is not held by video, 503 when
    /// the database is down.
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
