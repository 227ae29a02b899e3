//! Decides a provider's request for the links to a call.

use crate::call::{Member, View};
use crate::error::{Error, reason};
use crate::state::Role;

/// The provider, where the appointment allows a video call.
///
/// # Errors
/// 403 for everyone but the provider; 409 where the appointment is cancelled or not held by video.
pub fn decide(view: &View) -> Result<Member<'_>, Error> {
    let member = view.member()?;
    match member.role {
        Role::Provider => {}
        Role::Patient | Role::Observer => return Err(Error::Forbidden(reason::PROVIDER_ONLY)),
    }
    member.appointment.held_by_video()?;
    Ok(member)
}
