//! From the words of a script to items with times.

use local_media::CaptionItem;

/// The marks that Transcribe makes items of their own.
const MARKS: [char; 5] = ['.', ',', '?', '!', ';'];

/// The items of a text, spoken evenly in this time. The speaker is attendee and user.
pub(super) fn items(
    text: &str,
    (attendee_id, external_user_id): &(String, String),
    (start_ms, end_ms): (i64, i64),
    confidence: Option<f64>,
) -> Vec<CaptionItem> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let count = i64::try_from(words.len()).unwrap_or(i64::MAX).max(1);
    let at = |n: usize| {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        start_ms + (end_ms - start_ms).saturating_mul(n) / count
    };
    let item = |content: &str, punctuation, start_ms, end_ms| CaptionItem {
        content: content.to_owned(),
        punctuation,
        start_ms,
        end_ms,
        attendee_id: attendee_id.clone(),
        external_user_id: external_user_id.clone(),
        confidence: if punctuation { None } else { confidence },
        stable: None,
    };
    let mut items = Vec::new();
    for (n, word) in words.into_iter().enumerate() {
        let (start_ms, end_ms) = (at(n), at(n + 1));
        let bare = word.trim_end_matches(MARKS);
        if !bare.is_empty() {
            items.push(item(bare, false, start_ms, end_ms));
        }
        for mark in word[bare.len()..].chars() {
            items.push(item(mark.encode_utf8(&mut [0; 4]), true, end_ms, end_ms));
        }
    }
    items
}

/// The items of what a speaker says who is no attendee.
pub(crate) fn script_items(
    text: &str,
    speaker: &str,
    time_ms: (i64, i64),
    confidence: Option<f64>,
) -> Vec<CaptionItem> {
    items(text, &(speaker.to_owned(), String::new()), time_ms, confidence)
}
