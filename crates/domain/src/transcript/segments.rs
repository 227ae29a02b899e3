//! Folds lines into turns, and turns into the segments of the transcript.
//!
//! Of the lines with one result id the one with the highest [`Rank`] counts, whatever the order in which they are read and however
//! often: final before partial, then the one that reaches further. So the transcript is a function of the **set** of lines.
//! A result is handed out as soon as it is final, and again if a line of a higher rank comes later: a receiver replaces the turns
//! of that result id. The fold keeps the last line of each open result, and 40 bytes for each that was handed out.

pub(in crate::transcript) mod text;
pub(in crate::transcript) mod turns;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use crate::id::UserId;
use crate::state::Role;
use crate::transcript::lines::{self, Skipped, Status, TranscriptResult};
use crate::transcript::{Interval, Segment, Source, Speaker, Turn, Voice};

/// Open results that are kept. Chime transcribes two talkers at a time, so two are open; beyond this, final lines were lost.
pub const MAX_OPEN_RESULTS: usize = 1_024;

/// Changes of the state that are kept.
pub const MAX_STATUSES: usize = 10_000;

/// The longest time from the beginning of a call to a line of it. A meeting of Chime ends after 24 hours; beyond this, the time is wrong.
pub const MAX_CALL_MS: i64 = 7 * 24 * 3_600 * 1_000;

/// The attendees of the call. A user who rejoined has several, of which the last alone may be known; so a voice is also known by its
/// `ExternalUserId`, which is our id of the user.
#[derive(Clone, Debug, Default)]
pub struct Attendees {
    by_attendee: HashMap<String, (UserId, Role)>,
    roles: HashMap<UserId, Role>,
}

impl FromIterator<(String, UserId, Role)> for Attendees {
    fn from_iter<I: IntoIterator<Item = (String, UserId, Role)>>(attendees: I) -> Self {
        let mut known = Self::default();
        for (id, user, role) in attendees {
            known.by_attendee.insert(id, (user, role));
            known.roles.insert(user, role);
        }
        known
    }
}

/// Ends the ids of the attendee that shares a participant's content
/// (<https://aws.github.io/amazon-chime-sdk-js/modules/contentshare.html>).
const CONTENT: &str = "#content";

impl Attendees {
    /// The voice of an attendee.
    #[must_use]
    pub fn voice(&self, attendee_id: &str, external_user_id: Option<&str>) -> Voice {
        let base = |id: &str| id.strip_suffix(CONTENT).unwrap_or(id).to_owned();
        let by_user = || {
            let user: UserId = base(external_user_id?).parse().ok()?;
            Some((user, *self.roles.get(&user)?))
        };
        match self.by_attendee.get(&base(attendee_id)).copied().or_else(by_user) {
            Some((user, role)) if attendee_id.ends_with(CONTENT) => Voice::Content { user, role },
            Some((user, role)) => Voice::Participant { user, role },
            None => Voice::Unknown(external_user_id.unwrap_or(attendee_id).to_owned()),
        }
    }
}

/// The call whose lines are read.
#[derive(Clone, Debug)]
pub struct Call {
    /// Milliseconds since 1970.
    pub began_at_ms: i64,
    pub attendees: Attendees,
    /// The language of the transcription, for results that name none.
    pub language: String,
    /// When consent to the transcription was revoked and until when; milliseconds from the beginning of the call.
    /// Speech in it is not kept; speech before it is marked.
    pub revoked: Vec<Interval>,
}

/// Which of several lines of one result counts: the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub last: bool,
    pub end_ms: i64,
    /// Decides between lines that are equal otherwise, so that their order does not.
    pub digest: u64,
}

/// The turns of a result. They replace what was handed out with the same id before.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    pub result: String,
    pub rank: Rank,
    pub turns: Vec<Turn>,
}

/// Counts of a fold, for logs and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub lines: u64,
    pub skipped: Skipped,
    /// Results that were handed out without a final line.
    pub unfinished: u64,
    /// Results with times outside the call.
    pub outside_call: u64,
}

/// The state of the fold.
#[derive(Debug)]
pub struct Fold {
    call: Call,
    open: HashMap<String, (Rank, TranscriptResult)>,
    /// The rank of each result that was handed out, by a digest of its id.
    closed: HashMap<u128, Rank>,
    statuses: BTreeSet<Status>,
    counts: Counts,
}

impl Fold {
    #[must_use]
    pub fn new(call: Call) -> Self {
        Self {
            call,
            open: HashMap::new(),
            closed: HashMap::new(),
            statuses: BTreeSet::new(),
            counts: Counts::default(),
        }
    }

    /// Reads a line.
    pub fn push(&mut self, line: &[u8], receive: &mut impl FnMut(Folded)) {
        self.counts.lines += 1;
        let parsed = lines::parse(line);
        self.counts.skipped += parsed.skipped;
        if let Some(status) = parsed.status
            && self.statuses.len() < MAX_STATUSES
        {
            self.statuses.insert(status);
        }
        let digest = if parsed.results.is_empty() { 0 } else { digest(line.trim_ascii()) };
        for result in parsed.results {
            self.result(digest, result, receive);
        }
    }

    fn result(&mut self, digest: u128, result: TranscriptResult, receive: &mut impl FnMut(Folded)) {
        if result.end_ms - self.call.began_at_ms > MAX_CALL_MS || result.end_ms < self.call.began_at_ms {
            self.counts.outside_call += 1;
            return;
        }
        let rank = Rank { last: !result.partial, end_ms: result.end_ms, digest: truncate(digest) };
        let before = self.closed.get(&key(&result.result_id)).copied();
        let before = before.max(self.open.get(&result.result_id).map(|(rank, _)| *rank));
        if before >= Some(rank) {
            return;
        }
        if rank.last {
            self.open.remove(&result.result_id);
            self.hand_out(rank, &result, receive);
            return;
        }
        self.open.insert(result.result_id.clone(), (rank, result));
        if self.open.len() > MAX_OPEN_RESULTS {
            let oldest =
                self.open.iter().min_by_key(|(id, (rank, _))| (rank.end_ms, *id)).map(|(id, _)| id.clone());
            self.close(oldest.as_deref(), receive);
        }
    }

    /// Hands out the results whose final line never came.
    pub fn finish(mut self, receive: &mut impl FnMut(Folded)) -> (Counts, BTreeSet<Status>) {
        let mut ids: Vec<String> = self.open.keys().cloned().collect();
        ids.sort_unstable();
        for id in &ids {
            self.close(Some(id), receive);
        }
        (self.counts, self.statuses)
    }

    fn close(&mut self, id: Option<&str>, receive: &mut impl FnMut(Folded)) {
        if let Some((rank, result)) = id.and_then(|id| self.open.remove(id)) {
            self.counts.unfinished += 1;
            self.hand_out(rank, &result, receive);
        }
    }

    fn hand_out(&mut self, rank: Rank, result: &TranscriptResult, receive: &mut impl FnMut(Folded)) {
        self.closed.insert(key(&result.result_id), rank);
        let turns = turns::turns(&self.call, result);
        receive(Folded { result: result.result_id.clone(), rank, turns });
    }

    /// The number of results whose final line has not come.
    #[must_use]
    pub fn open_results(&self) -> usize {
        self.open.len()
    }

    /// The number of bytes of the lines that are kept.
    #[must_use]
    pub fn retained_bytes(&self) -> usize {
        let item = |item: &lines::Item| size_of_val(item) + item.content.len() + 2 * 36;
        let result = |result: &TranscriptResult| {
            size_of_val(result) + result.transcript.len() + result.items.iter().map(item).sum::<usize>()
        };
        let open: usize = self.open.values().map(|(_, open)| result(open)).sum();
        open + self.closed.capacity() * size_of::<(u128, Rank)>() + self.statuses.len() * size_of::<Status>()
    }
}

fn digest(bytes: &[u8]) -> u128 {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    let half = hash.first_chunk::<16>().expect("32 bytes have 16");
    u128::from_be_bytes(*half)
}

fn key(result_id: &str) -> u128 {
    digest(result_id.as_bytes())
}

#[expect(clippy::cast_possible_truncation, reason = "64 bits of a digest are enough to order lines")]
const fn truncate(digest: u128) -> u64 {
    digest as u64
}

/// Keeps what a fold hands out, for a receiver that has it in memory.
#[derive(Clone, Debug, Default)]
pub struct Collected(HashMap<String, Vec<Turn>>);

impl Collected {
    pub fn receive(&mut self, folded: Folded) {
        self.0.insert(folded.result, folded.turns);
    }

    /// The turns in no order; [`assemble`] orders them.
    #[must_use]
    pub fn into_turns(self) -> Vec<Turn> {
        self.0.into_values().flatten().collect()
    }
}

/// Orders turns by their own time, numbers them, and labels their speakers. Unknown speakers are numbered as they begin to speak.
#[must_use]
pub fn assemble(mut turns: Vec<Turn>) -> Vec<Segment> {
    turns.sort_by(|a, b| {
        let place = |turn: &Turn| (turn.start_ms, turn.end_ms, turn.source == Source::Batch);
        place(a).cmp(&place(b)).then_with(|| (&a.result, a.index).cmp(&(&b.result, b.index)))
    });
    let mut unknown: HashMap<String, usize> = HashMap::new();
    let mut segments = Vec::with_capacity(turns.len());
    for (number, turn) in (1..).zip(turns) {
        segments.push(Segment {
            number,
            start_ms: turn.start_ms,
            end_ms: turn.end_ms,
            speaker: speaker(turn.voice, &mut unknown),
            text: turn.text,
            language: turn.language,
            confidence: turn.confidence,
            spans: turn.spans,
            source: turn.source,
            unfinished: turn.unfinished,
            revoked: turn.revoked,
        });
    }
    segments
}

fn speaker(voice: Voice, unknown: &mut HashMap<String, usize>) -> Speaker {
    match voice {
        Voice::Participant { user, role } => {
            Speaker { user_id: Some(user), role: Some(role), label: role.as_str().to_owned() }
        }
        Voice::Content { user, role } => {
            let label = format!("{} (shared content)", role.as_str());
            Speaker { user_id: Some(user), role: Some(role), label }
        }
        Voice::Unknown(id) => {
            let next = unknown.len() + 1;
            let number = *unknown.entry(id).or_insert(next);
            Speaker { user_id: None, role: None, label: format!("speaker {number}") }
        }
    }
}
