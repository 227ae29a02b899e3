//! The memory of a verification, in a process of its own.

use std::process::Command;

use local::s3::ObjectHeaders;
use local_testing::{ObjectCloud, TestResult};
use objects::{Inspection, Objects};

use crate::{BUCKET, GIB, long, put, sample};

/// For the process that inspects: the endpoint and credentials.
const CHILD: &str = "OBJECTS_TEST_CHILD";
const MAX_ABOVE_IDLE_KB: u64 = 8 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn verifying_two_gigabytes_takes_less_than_eight_megabytes_above_idle() -> TestResult {
    if let Ok(endpoint) = std::env::var(CHILD) {
        return inspect(&endpoint).await;
    }
    let cloud = ObjectCloud::start().await?;
    put(&cloud, "small", sample::small(1, 1, false))?;
    for moov_first in [true, false] {
        cloud.s3.put_file(BUCKET, "large", long(2 * GIB, moov_first)?, ObjectHeaders::default())?;
        let mut child = Command::new(std::env::current_exe()?);
        child.args(["--exact", "memory::verifying_two_gigabytes_takes_less_than_eight_megabytes_above_idle"]);
        child.arg("--nocapture").env(CHILD, cloud.endpoint_and_credentials());
        let output = tokio::task::spawn_blocking(move || child.output()).await??;
        let said = String::from_utf8_lossy(&output.stdout);
        let kb =
            said.lines().find_map(|it| it.strip_prefix("above idle: ")?.strip_suffix(" kB")?.parse().ok());
        let kb: u64 = kb.ok_or_else(|| format!("{said}{}", String::from_utf8_lossy(&output.stderr)))?;
        assert!(kb < MAX_ABOVE_IDLE_KB, "{kb} kB above idle, the index at the front: {moov_first}");
    }
    Ok(())
}

async fn inspect(endpoint: &str) -> TestResult {
    let objects = Objects::new(&ObjectCloud::sdk_of(endpoint)?, BUCKET);
    // Idle: after a first request, so that the client and its connection are there.
    objects.inspect("small").await?;
    // Resets the peak (proc(5)).
    std::fs::write("/proc/self/clear_refs", "5")?;
    let idle = status("VmRSS:")?;
    let found = objects.inspect("large").await?;
    assert!(matches!(found, Inspection::File { .. }), "{found:?}");
    println!("\nabove idle: {} kB", status("VmHWM:")?.saturating_sub(idle));
    Ok(())
}

/// A line of this process's status, in kB.
fn status(name: &str) -> TestResult<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|it| it.strip_prefix(name)).ok_or("a line")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
