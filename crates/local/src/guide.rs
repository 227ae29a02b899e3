//! The text that `make run` prints: all addresses, and the next commands.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use crate::cloud::Cloud;
use crate::control_api;
use crate::tokens::TokenError;

/// The default address of `cargo lambda invoke`.
const CARGO_LAMBDA_PORT: u16 = 9000;

/// The text.
///
/// # Errors
/// When no token can be made.
pub fn text(cloud: &Cloud, took: Duration) -> Result<String, TokenError> {
    let parts = cloud.parts();
    let world = control_api::fixture_json(parts, parts.seed.first())?;
    let (api, aws) = (cloud.api_url(), cloud.aws_url());
    let call = format!("{api}/appointments/{}/call", parts.seed.first().appointment);
    let token = |who: &str| world["users"][who]["token"].as_str().unwrap_or_default().to_owned();
    let mut text = String::new();
    let mut line = |line: &str| {
        // Writing to a String cannot fail.
        let _written = writeln!(text, "{line}");
    };
    line("");
    line("Properties of the templates that change nothing here, by reason:");
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for without in &parts.plan.without_effect {
        let properties = by_reason.entry(&without.reason).or_default();
        if !properties.contains(&without.property.as_str()) {
            properties.push(&without.property);
        }
    }
    for (reason, properties) in by_reason {
        line(&format!("  {reason}: {}", properties.join(", ")));
    }
    if let Some(media) = &parts.media
        && media.is_loopback()
    {
        line("");
        let address = media.signaling();
        line("Different from production, so that any browser has calls without a network:");
        line(&format!(
            "  meetings name ws://{address} in place of Chime's hosts; the call page's policy allows that address"
        ));
        line(
            "  Firefox connects to no loopback address: start with LOCAL_MEDIA_ADDRESS=<an address of this machine>",
        );
        line("  Chromium on a machine without any network: chromium --allow-loopback-in-peer-connection");
    }
    line("");
    line(&format!("Ready after {:.1} s. Ctrl-C stops everything.", took.as_secs_f64()));
    line(&format!("  API        {api}"));
    line(&format!("  Call page  {}/call/{}", cloud.page_url(), parts.seed.first().appointment));
    if let Some(media) = &parts.media {
        line(&format!("  Media      ws://{}  (signalling of calls)", media.signaling()));
    }
    line(&format!("  Invoke API {}", cloud.invoke_url()));
    line(&format!("  AWS        {aws}  (the control API: {aws}/_local/world)"));
    line(&format!("  Database   {}", cloud.database_url()));
    line("");
    if parts.s3.keys(parts.plan.outputs.get("PageBucketName").map_or("", String::as_str)).is_empty() {
        line("The call page is not built: make page, then start again.");
    } else {
        line("Open the call page in the app around it, in two windows:");
        line(&format!("  {aws}/_local/app/provider"));
        line(&format!("  {aws}/_local/app/patient"));
    }
    line("");
    line("Try a call. The tokens are good for an hour; new ones are in the world.");
    line(&format!("  PROVIDER={}", token("provider")));
    line(&format!("  PATIENT={}", token("patient")));
    line(&format!("  CALL={call}"));
    line(
        "  curl -sX POST \"$CALL\" -H \"Authorization: Bearer $PROVIDER\"                # the provider starts",
    );
    line(
        "  curl -sX POST \"$CALL/attendees\" -H \"Authorization: Bearer $PATIENT\"       # the patient joins",
    );
    line("  curl -s \"$CALL\" -H \"Authorization: Bearer $PATIENT\"                       # how it stands");
    line("  curl -s \"$CALL/attendees\" -H \"Authorization: Bearer $PROVIDER\"            # who is in it");
    line(
        "  curl -sX DELETE \"$CALL\" -H \"Authorization: Bearer $PROVIDER\"              # the provider ends it",
    );
    line(&format!(
        "  curl -sX POST {aws}/_local/schedules/audit/run                    # the audit goes to its table"
    ));
    line(&format!("  curl -s {aws}/_local/audit                                        # and there it is"));
    line("");
    line(
        "Or by direct invocation, with the payloads in events/ (`make invoke` does the same and installs cargo-lambda):",
    );
    let port = match cloud.invoke_port() {
        CARGO_LAMBDA_PORT => String::new(),
        moved => format!(" --invoke-port {moved}"),
    };
    line(&format!(
        "  cargo lambda invoke meeting-manager{port} --data-file events/meeting-manager/direct-create.json"
    ));
    Ok(text)
}
