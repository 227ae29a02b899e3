//! The media server in a process of its own, so that what it uses is not mixed with what the participants use.

use std::env;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::ops::Sub;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use local_media::{
    Admission, Attendee, AttendeeEvent, Capabilities, Direction, MediaPlane, Meetings, Options,
};
use serde::Deserialize;

use crate::BenchResult;

pub(crate) const MEETING: &str = "bench";
/// The argument with which this program is the server.
pub(crate) const ARGUMENT: &str = "serve";
/// The unit of times in `/proc/<pid>/stat`: `USER_HZ`, 100 a second on all of Linux's usual machines.
const TICK: Duration = Duration::from_millis(10);
/// The thread of the media server.
const THREAD: &str = "media";

/// Admits everyone who asks; the join token is the attendee's name.
struct Everyone;

impl Meetings for Everyone {
    fn admit(&self, join_token: &str) -> Admission {
        let all = Direction::SendReceive;
        Admission::Admitted(Attendee {
            meeting_id: MEETING.to_owned(),
            attendee_id: join_token.to_owned(),
            external_user_id: join_token.to_owned(),
            capabilities: Capabilities { audio: all, video: all, content: all },
        })
    }

    fn report(&self, _meeting_id: &str, _attendee_id: &str, _event: AttendeeEvent) {}
}

/// Serves until its input ends: prints its address, and the participants for each line that it reads.
pub(crate) fn serve() -> BenchResult {
    let media = MediaPlane::start(Arc::new(Everyone), Options::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    println!("{}", media.signaling());
    for line in io::stdin().lines() {
        line?;
        println!("{}", serde_json::to_string(&runtime.block_on(media.participants()))?);
    }
    Ok(())
}

/// A participant as the server reports it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Participant {
    pub(crate) queued_frames: u64,
    pub(crate) sound: Sound,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sound {
    pub(crate) late_packets: u64,
    pub(crate) dropped_packets: u64,
    pub(crate) concealed_frames: u64,
    pub(crate) shortened_frames: u64,
}

impl Sub for Sound {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            late_packets: self.late_packets - before.late_packets,
            dropped_packets: self.dropped_packets - before.dropped_packets,
            concealed_frames: self.concealed_frames - before.concealed_frames,
            shortened_frames: self.shortened_frames - before.shortened_frames,
        }
    }
}

pub(crate) struct Server {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start() -> BenchResult<Self> {
        let mut process = Command::new(env::current_exe()?)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().ok_or("the server has no input")?;
        let mut output = BufReader::new(process.stdout.take().ok_or("the server has no output")?);
        let mut address = String::new();
        output.read_line(&mut address)?;
        Ok(Self { process, input, output, address: address.trim().parse()? })
    }

    pub(crate) fn participants(&mut self) -> BenchResult<Vec<Participant>> {
        writeln!(self.input)?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    /// The processor time that its thread has used.
    pub(crate) fn processor_time(&self) -> BenchResult<Duration> {
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let stat = fs::read_to_string(task?.path().join("stat"))?;
            // The name stands in parentheses; utime and stime are fields 14 and 15, <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>.
            let (name, rest) = stat.rsplit_once(") ").ok_or("a line of /proc that has no name")?;
            if name.ends_with(&format!("({THREAD}")) {
                let ticks =
                    rest.split(' ').skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
                return Ok(TICK * ticks);
            }
        }
        Err("the server has no thread of media".into())
    }

    /// Its resident memory in KiB.
    pub(crate) fn memory_kib(&self) -> BenchResult<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error of either: it has ended already.
        let _ended = self.process.kill();
        let _waited = self.process.wait();
    }
}
