//! The audit outbox, read as an auditor would: each chain is verified before it is believed.

use domain::audit::{Entry, Hash, verify};
use local_testing::{TestCloud, TestResult};
use serde_json::Value;

/// The payloads of a chain, in order.
pub(crate) async fn chain(cloud: &TestCloud, chain: &str) -> TestResult<Vec<Value>> {
    let rows = cloud
        .sql(&format!(
            "SELECT coalesce(json_agg(json_build_object('seq', seq, 'payload', payload, 'hash', encode(hash, 'hex'))
               ORDER BY seq), '[]')::text
             FROM medzen.audit_outbox WHERE chain = '{chain}'"
        ))
        .await?;
    let rows: Vec<Value> = serde_json::from_str(&rows)?;
    let entries = rows.iter().map(entry).collect::<Option<Vec<_>>>().ok_or("an entry that cannot be read")?;
    verify(chain, &entries)?;
    Ok(entries.iter().map(|entry| serde_json::from_str(&entry.payload)).collect::<Result<_, _>>()?)
}

/// The audit events of an appointment's chain, in order: `call.started, call.ended`.
pub(crate) async fn events(cloud: &TestCloud, appointment: &str) -> TestResult<String> {
    let entries = chain(cloud, &format!("APPT#{appointment}")).await?;
    Ok(entries.iter().filter_map(|entry| entry["event"].as_str()).collect::<Vec<_>>().join(", "))
}

/// The same without the events of participants.
pub(crate) async fn calls(cloud: &TestCloud, appointment: &str) -> TestResult<String> {
    let all = events(cloud, appointment).await?;
    Ok(all.split(", ").filter(|event| event.starts_with("call.")).collect::<Vec<_>>().join(", "))
}

fn entry(row: &Value) -> Option<Entry> {
    let hex = row["hash"].as_str()?;
    let mut hash = Hash::default();
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(Entry { seq: row["seq"].as_i64()?, payload: row["payload"].as_str()?.to_owned(), hash })
}
