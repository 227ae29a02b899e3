//! Links to a call: for the app and for a browser.

use api::Timestamp;
use api::call::LinkResponse;
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Target};
use domain::id::AppointmentId;
use domain::link;

use crate::Calls;

/// The base URLs of links.
#[derive(Clone, Debug)]
pub struct LinkBases {
    /// The app's, such as `medzen://call`.
    pub deep: String,
    /// The page's, such as `https://calls.example.com/call`.
    pub web: String,
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
        origin: &Origin,
    ) -> Result<LinkResponse, Error> {
        let view = self.load_view(actor, Target::Appointment(appointment), None, origin).await?;
        let appointment = link::decide(&view)?.appointment;
        Ok(LinkResponse {
            appointment_id: appointment.id,
            deep_link: format!("{}/{}", bases.deep.trim_end_matches('/'), appointment.id),
            web_link: format!("{}?appointmentId={}", bases.web, appointment.id),
            provider_name: appointment.provider_name.clone(),
            scheduled_start: appointment.scheduled_start.map(Timestamp::from),
            message: "Your video consultation: open the link at the time of the appointment and sign in.",
        })
    }
}
