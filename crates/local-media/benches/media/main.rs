//! The costs of the media server, in figures (`make bench`): processor time and memory in calls of two, three and ten participants, and
//! whether the queues of sound stay short over time. The participants are real: signalling by WebSocket, encrypted media by UDP.
//!
//! `MEDIA_BENCH_SECONDS` is the length of each call, 60 if it is not set; the call for the queues is ten times as long.
#![expect(clippy::cast_precision_loss, reason = "counts are small, and figures are for people")]

mod client;
mod server;
mod source;
mod wire;

use std::env;
use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::client::{Plan, Received, take_part};
use crate::server::{Server, Sound};
use crate::source::PICTURES_PER_SECOND;

type BenchResult<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const SECONDS: &str = "MEDIA_BENCH_SECONDS";
const DEFAULT_SECONDS: u64 = 60;
/// The call for the queues is so many times longer.
const LONG: u64 = 10;
/// Clocks of sound cards, in millionths: they differ by some 100 from each other, so that these are bad ones.
const CLOCKS_PPM: [i64; 3] = [0, 200, -200];

const MAX_WAIT: Duration = Duration::from_mins(1);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);
const PACKETS_PER_SECOND: f64 = 50.0;
/// The least share of all packets and pictures that must have arrived for the figures to mean something.
const MIN_RECEIVED: f64 = 0.95;

fn main() -> BenchResult {
    if env::args().nth(1).as_deref() == Some(server::ARGUMENT) {
        return server::serve();
    }
    let seconds = match env::var(SECONDS) {
        Ok(seconds) => seconds.parse().map_err(|error| format!("{SECONDS}: {error}"))?,
        Err(_) => DEFAULT_SECONDS,
    };
    let load = fs::read_to_string("/proc/loadavg")?;
    println!(
        "media server: each participant sends Opus of 32 kbit/s and H.264 of 300 kbit/s at {PICTURES_PER_SECOND} pictures a second; \
         {} cores, load {}",
        thread::available_parallelism()?,
        load.split(' ').next().unwrap_or_default()
    );
    for participants in [2, 3, 10] {
        let figures = call(&vec![0; participants], seconds)?;
        println!("{participants:>2} participants, {seconds} s: {}", figures.cost());
        figures.check()?;
    }
    let long = LONG * seconds;
    let figures = call(&CLOCKS_PPM, long)?;
    println!(
        "{:>2} participants, {long} s, clocks of {CLOCKS_PPM:?} ppm: {}; {}",
        CLOCKS_PPM.len(),
        figures.cost(),
        figures.queues()
    );
    figures.check()
}

/// The server's costs of one call.
struct Figures {
    processor_share: f64,
    /// In KiB: before the call, when everyone sees everyone, at the end.
    memory: [u64; 3],
    sound_received: f64,
    pictures_received: f64,
    /// The longest queue of sound at each moment that was looked at.
    queues: Vec<u64>,
    sound: Vec<Sound>,
}

impl Figures {
    fn cost(&self) -> String {
        let [idle, start, end] = self.memory.map(|kib| kib as f64 / 1024.0);
        format!(
            "{:.1} % of a core; {idle:.1} MiB without participants, {start:.1} at the beginning of the call, {end:.1} at its end; \
             {:.1} % of the sound and {:.1} % of the pictures arrived",
            100.0 * self.processor_share,
            100.0 * self.sound_received,
            100.0 * self.pictures_received
        )
    }

    fn queues(&self) -> String {
        let middle = self.queues.len() / 2;
        let longest = |queues: &[u64]| queues.iter().max().copied().unwrap_or_default();
        let sum = |count: fn(&Sound) -> u64| {
            self.sound.iter().map(|sound| count(sound).to_string()).collect::<Vec<_>>().join(", ")
        };
        format!(
            "at most {} frames of 20 ms waited in the first half and {} in the second; of each participant concealed {}, shortened {}, \
             late {}, dropped {}",
            longest(&self.queues[..middle]),
            longest(&self.queues[middle..]),
            sum(|sound| sound.concealed_frames),
            sum(|sound| sound.shortened_frames),
            sum(|sound| sound.late_packets),
            sum(|sound| sound.dropped_packets)
        )
    }

    fn check(&self) -> BenchResult {
        if self.sound_received.min(self.pictures_received) < MIN_RECEIVED {
            return Err("too little has arrived: the machine is too busy, or the server loses media".into());
        }
        Ok(())
    }
}

/// Runs a call with a participant for each clock, and measures from the moment when everyone sees and hears everyone.
fn call(clocks_ppm: &[i64], seconds: u64) -> BenchResult<Figures> {
    let mut server = Server::start()?;
    let idle = server.memory_kib()?;
    let received: Vec<Arc<Received>> = clocks_ppm.iter().map(|_| Arc::default()).collect();
    let others = clocks_ppm.len() - 1;
    let plans = (1..).zip(clocks_ppm.iter().zip(&received)).map(|(number, (&clock_ppm, received))| Plan {
        server: server.address,
        name: format!("participant-{number}"),
        hertz: 300 + 50 * number,
        others,
        clock_ppm,
        received: Arc::clone(received),
    });
    let (stop, stopped) = oneshot::channel();
    let plans: Vec<Plan> = plans.collect();
    let participants = thread::spawn(move || run(plans, stopped));
    let failed = || -> BenchResult {
        if participants.is_finished() { Err("a participant has failed".into()) } else { Ok(()) }
    };

    let began = Instant::now();
    let complete = |received: &Arc<Received>| {
        received.sound_packets.load(Ordering::Relaxed) > 0
            && received.streams.load(Ordering::Relaxed) == others
    };
    while !received.iter().all(complete) {
        failed()?;
        if began.elapsed() > MAX_WAIT {
            return Err("not everyone sees and hears everyone".into());
        }
        thread::sleep(SAMPLE_INTERVAL);
    }

    let sum = |count: fn(&Received) -> u64| received.iter().map(|received| count(received)).sum::<u64>();
    let counts = || {
        [
            sum(|received| received.sound_packets.load(Ordering::Relaxed)),
            sum(|received| received.pictures.load(Ordering::Relaxed)),
        ]
    };
    let sounds = |server: &mut Server| -> BenchResult<Vec<Sound>> {
        Ok(server.participants()?.iter().map(|participant| participant.sound).collect())
    };
    let (began, processor, before) = (Instant::now(), server.processor_time()?, counts());
    let (start, sound_before) = (server.memory_kib()?, sounds(&mut server)?);
    let mut queues = Vec::new();
    while began.elapsed() < Duration::from_secs(seconds) {
        thread::sleep(SAMPLE_INTERVAL);
        failed()?;
        let participants = server.participants()?;
        queues.extend(participants.iter().map(|participant| participant.queued_frames).max());
    }
    let (processor, after) = (server.processor_time()?.saturating_sub(processor), counts());
    let elapsed = began.elapsed().as_secs_f64();
    let people = clocks_ppm.len() as f64;
    let share = |kind: usize, per_second: f64| (after[kind] - before[kind]) as f64 / (per_second * elapsed);
    let sound = sounds(&mut server)?.into_iter().zip(sound_before).map(|(after, before)| after - before);
    let memory = [idle, start, server.memory_kib()?];
    drop(stop);
    participants.join().map_err(|_| "the participants have panicked")?;
    Ok(Figures {
        processor_share: processor.as_secs_f64() / elapsed,
        memory,
        sound_received: share(0, people * PACKETS_PER_SECOND),
        pictures_received: share(1, people * others as f64 * PICTURES_PER_SECOND as f64),
        queues,
        sound: sound.collect(),
    })
}

/// Runs all participants until the end of the call. One that fails ends all.
fn run(plans: Vec<Plan>, stopped: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return eprintln!("no participant runs: {error}"),
    };
    runtime.block_on(async move {
        let mut participants: JoinSet<_> = plans.into_iter().map(take_part).collect();
        tokio::select! {
            _ = stopped => {}
            Some(ended) = participants.join_next() => match ended {
                Ok(Err(error)) => eprintln!("a participant has failed: {error}"),
                Ok(Ok(never)) => match never {},
                Err(error) => eprintln!("a participant has failed: {error}"),
            },
        }
    });
}
