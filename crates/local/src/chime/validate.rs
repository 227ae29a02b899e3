//! The constraints of the service model and of the developer guide, the stricter one where they differ.

use std::collections::BTreeSet;

use super::error::Refusal;
use super::input::{
    BatchCreateAttendee, Capabilities, ContentResolution, CreateMeeting, Direction, Features, NewAttendee,
    UpdateCapabilitiesExcept, VideoResolution,
};
use super::region;

/// The model says 20, the quota page 10.
const MAX_WITH_MEETING: usize = 10;
const MAX_BATCH: usize = 100;
const MAX_EXCLUSIONS: usize = 250;
const MAX_ATTENDEES: i64 = 250;
/// With FHD video or UHD content.
const MAX_ATTENDEES_SHARP: i64 = 25;

type Checked = Result<(), Refusal>;

fn refuse(message: impl Into<String>) -> Checked {
    Err(Refusal::BadRequest(message.into()))
}

/// `CreateMeeting`, and `CreateMeetingWithAttendees` where attendees are expected.
pub(super) fn create_meeting(input: &CreateMeeting, with_attendees: bool) -> Checked {
    token(&input.client_request_token)?;
    external_id("ExternalMeetingId", &input.external_meeting_id)?;
    if !region::is_media(&input.media_region) {
        return refuse(format!("MediaRegion: {} is not a media region", input.media_region));
    }
    if input.meeting_host_id.is_some() {
        return refuse("MeetingHostId is reserved");
    }
    if let Some(targets) = &input.notifications_configuration {
        for arn in [&targets.lambda_function_arn, &targets.sns_topic_arn, &targets.sqs_queue_arn]
            .into_iter()
            .flatten()
        {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/:-_.".contains(c);
            if !arn.strip_prefix("arn").is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain))
                || arn.len() > 1024
            {
                return refuse("NotificationsConfiguration: a target must be an ARN");
            }
        }
    }
    if let Some(id) = &input.primary_meeting_id {
        length("PrimaryMeetingId", id, 2, 64)?;
    }
    features(&input.meeting_features)?;
    if let Some(tenants) = &input.tenant_ids {
        tenant_ids(tenants)?;
    }
    tags(input)?;
    match (&input.attendees, with_attendees) {
        (None, false) => Ok(()),
        (Some(_), false) => refuse("Attendees is not a member of CreateMeeting"),
        (None, true) => refuse("missing field `Attendees`"),
        (Some(attendees), true) => {
            count("Attendees", attendees.len(), MAX_WITH_MEETING)?;
            attendees.iter().try_for_each(|attendee| new_attendee(attendee, &input.meeting_features))
        }
    }
}

/// `BatchCreateAttendee`.
pub(super) fn batch_create(input: &BatchCreateAttendee, meeting: &Features) -> Checked {
    count("Attendees", input.attendees.len(), MAX_BATCH)?;
    input.attendees.iter().try_for_each(|attendee| new_attendee(attendee, meeting))
}

/// `CreateAttendee`, and each of a batch.
pub(super) fn new_attendee(input: &NewAttendee, meeting: &Features) -> Checked {
    external_id("ExternalUserId", &input.external_user_id)?;
    capabilities(input.capabilities, meeting)
}

/// `BatchUpdateAttendeeCapabilitiesExcept`.
pub(super) fn update_except(input: &UpdateCapabilitiesExcept, meeting: &Features) -> Checked {
    count("ExcludedAttendeeIds", input.excluded_attendee_ids.len(), MAX_EXCLUSIONS)?;
    input.excluded_attendee_ids.iter().try_for_each(|item| guid("AttendeeId", &item.attendee_id))?;
    capabilities(input.capabilities, meeting)
}

/// Capabilities, against what the meeting can do.
pub(super) fn capabilities(input: Capabilities, meeting: &Features) -> Checked {
    if input.content.receives() && !input.video.receives() {
        return refuse("Capabilities: to receive Content, Video must be received too");
    }
    if meeting.video.max_resolution == VideoResolution::None && input.video != Direction::None {
        return refuse("Capabilities: Video must be None, because the meeting's Video.MaxResolution is None");
    }
    if meeting.content.max_resolution == ContentResolution::None && input.content != Direction::None {
        return refuse(
            "Capabilities: Content must be None, because the meeting's Content.MaxResolution is None",
        );
    }
    Ok(())
}

/// An id that Chime made.
pub(super) fn guid(member: &str, text: &str) -> Checked {
    let shape = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    let fits = parts.len() == shape.len()
        && parts
            .iter()
            .zip(shape)
            .all(|(part, length)| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if fits {
        Ok(())
    } else {
        refuse(format!(
            "{member} must satisfy regular expression pattern: [a-fA-F0-9]{{8}}(?:-[a-fA-F0-9]{{4}}){{3}}-[a-fA-F0-9]{{12}}"
        ))
    }
}

pub(super) fn token(text: &str) -> Checked {
    length("ClientRequestToken", text, 2, 64)?;
    if text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        Ok(())
    } else {
        refuse("ClientRequestToken must satisfy regular expression pattern: [-_a-zA-Z0-9]*")
    }
}

fn external_id(member: &str, text: &str) -> Checked {
    length(member, text, 2, 64)?;
    let known = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | 'À'..='ÿ')
            || "-_&@+=,(){}[]/«».:|'\"#".contains(c)
    };
    if !text.chars().all(known) {
        return refuse(format!(
            "{member} must satisfy regular expression pattern: [-_&@+=,(){{}}\\[\\]\\/«».:|'\"#a-zA-Z0-9À-ÿ\\s]*"
        ));
    }
    if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        return refuse(format!("{member}: values that begin with aws: are reserved"));
    }
    Ok(())
}

fn features(input: &Features) -> Checked {
    let sharp = input.video.max_resolution == VideoResolution::Fhd
        || input.content.max_resolution == ContentResolution::Uhd;
    let greatest = if sharp { MAX_ATTENDEES_SHARP } else { MAX_ATTENDEES };
    match input.attendee.max_count {
        None if sharp => refuse("MeetingFeatures: FHD video or UHD content needs Attendee.MaxCount"),
        Some(count) if !(1..=greatest).contains(&count) => {
            refuse(format!("MeetingFeatures.Attendee.MaxCount must be between 1 and {greatest}"))
        }
        _ => Ok(()),
    }
}

fn tenant_ids(tenants: &[String]) -> Checked {
    count("TenantIds", tenants.len(), 5)?;
    for tenant in tenants {
        length("TenantIds", tenant, 2, 256)?;
        let known = |c: char| c.is_ascii_alphanumeric() || "-_!@#$".contains(c);
        let monotonous = tenant.as_bytes().windows(4).any(|four| four.iter().all(|byte| *byte == four[0]));
        if monotonous || !tenant.chars().all(known) {
            return refuse(
                "TenantIds must satisfy regular expression pattern: ^(?!.*?(.)\\1{3})[-_!@#$a-zA-Z0-9]*$",
            );
        }
    }
    Ok(())
}

fn tags(input: &CreateMeeting) -> Checked {
    let Some(tags) = &input.tags else { return Ok(()) };
    if tags.len() > 50 {
        return refuse("Tags must have at most 50 members");
    }
    // As wide as the model's patterns, whose `+-=` is a range and holds the digits.
    let plain = |c: char| ('+'..='=').contains(&c) || c.is_ascii_alphabetic() || c == '_';
    let mut keys = BTreeSet::new();
    for tag in tags {
        length("Tags.Key", &tag.key, 1, 128)?;
        length("Tags.Value", &tag.value, 0, 256)?;
        if tag.key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return refuse("Tags.Key: values that begin with aws: are reserved");
        }
        if !tag.key.chars().all(plain) {
            return refuse("Tags.Key must satisfy regular expression pattern: ^[a-zA-Z+-=._:/]+$");
        }
        if !tag.value.chars().all(|c| plain(c) || c.is_ascii_whitespace() || c == '@') {
            return refuse("Tags.Value must satisfy regular expression pattern: [\\s\\w+-=\\.:/@]*");
        }
        if !keys.insert(&tag.key) {
            return refuse("Tags: a key may stand there only once");
        }
    }
    Ok(())
}

fn length(member: &str, text: &str, least: usize, greatest: usize) -> Checked {
    if (least..=greatest).contains(&text.chars().count()) {
        Ok(())
    } else {
        refuse(format!("{member} must have length between {least} and {greatest}"))
    }
}

fn count(member: &str, count: usize, greatest: usize) -> Checked {
    if (1..=greatest).contains(&count) {
        Ok(())
    } else {
        refuse(format!("{member} must have between 1 and {greatest} members"))
    }
}
