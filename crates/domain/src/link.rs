//! What a provider's request for the links to a call comes to.

use crate::call::{Member, View};
use crate::error::{Error, reason};
use crate::state::Role;

/// The provider, where there is a call to lead to.
///
/// # Errors
/// 403 for everyone but the provider; 409 where the appointment is not one to be held by video.
pub fn decide(view: &View) -> Result<Member<'_>, Error> {
    let member = view.member()?;
    match member.role {
        Role::Provider => {}
        Role::Patient | Role::Observer => return Err(Error::Forbidden(reason::PROVIDER_ONLY)),
    }
    member.appointment.held_by_video()?;
    Ok(member)
}
