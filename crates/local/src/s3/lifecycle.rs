//! Lifecycle rules, by the cloud's clock. S3 applies them once a day; here the first request of a day does.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime, Time};

use super::store::{Bucket, Version};

/// Applies the rules of all buckets. `new_version` makes the ids of delete markers.
pub(super) fn apply(
    buckets: &mut BTreeMap<String, Bucket>,
    now: OffsetDateTime,
    mut new_version: impl FnMut() -> String,
) {
    for bucket in buckets.values_mut().filter(|it| it.rules_applied_on < now.date()) {
        bucket.rules_applied_on = now.date();
        let Bucket { lifecycle, keys, uploads, .. } = bucket;
        for rule in &*lifecycle {
            uploads.retain(|_, it| {
                !it.key.starts_with(&rule.prefix)
                    || !rule.abort_days.is_some_and(|days| is_past(it.at, days, now))
            });
            for (_, versions) in
                keys.range_mut(rule.prefix.clone()..).filter(|(key, _)| key.starts_with(&rule.prefix))
            {
                if let Some(days) = rule.expiration_days {
                    expire(versions, days, now, &mut new_version);
                }
                if let Some(days) = rule.noncurrent_days {
                    delete_noncurrent(versions, days, now);
                }
                if rule.removes_markers && matches!(&versions[..], [Version { object: None, .. }]) {
                    versions.clear();
                }
            }
            keys.retain(|_, versions| !versions.is_empty());
        }
    }
}

/// The current version becomes a delete marker's predecessor; a marker that nothing is behind goes, as with a number of days on S3
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>).
fn expire(versions: &mut Vec<Version>, days: u32, now: OffsetDateTime, new_version: impl FnOnce() -> String) {
    let Some(current) = versions.last() else { return };
    if !is_past(current.at, days, now) {
        return;
    }
    match (&current.object, versions.len()) {
        (None, 1) => versions.clear(),
        (None, _) => {}
        // Without versions nothing is kept.
        (Some(object), _) if object.version == "null" => versions.clear(),
        (Some(_), _) => {
            let at = due(current.at, days);
            versions.push(Version { id: new_version(), at, object: None, hold: false });
        }
    }
}

/// Versions that have not been current for so many days, but for those under hold.
fn delete_noncurrent(versions: &mut Vec<Version>, days: u32, now: OffsetDateTime) {
    let replaced: Vec<Option<OffsetDateTime>> =
        (0..versions.len()).map(|it| versions.get(it + 1).map(|next| next.at)).collect();
    let mut replaced = replaced.into_iter();
    versions.retain(|it| {
        let replaced = replaced.next().flatten();
        it.hold || !replaced.is_some_and(|at| is_past(at, days, now))
    });
}

fn is_past(at: OffsetDateTime, days: u32, now: OffsetDateTime) -> bool {
    due(at, days) <= now
}

/// So many days later, at the next midnight (same page).
fn due(at: OffsetDateTime, days: u32) -> OffsetDateTime {
    let due = at + Duration::days(days.into());
    let midnight = due.replace_time(Time::MIDNIGHT);
    if midnight == due { due } else { midnight + Duration::DAY }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn days_end_at_the_next_midnight() {
        let put = datetime!(2026-11-29 10:00 UTC);
        assert_eq!(due(put, 1), datetime!(2026-12-01 0:00 UTC));
        assert_eq!(due(datetime!(2026-11-29 0:00 UTC), 1), datetime!(2026-11-30 0:00 UTC));
        assert!(
            !is_past(put, 1, datetime!(2026-11-30 23:59:59 UTC))
                && is_past(put, 1, datetime!(2026-12-01 0:00 UTC))
        );
    }
}
