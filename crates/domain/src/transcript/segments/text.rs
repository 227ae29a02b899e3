//! The text of a result, and the place of each of its items in it.

use std::ops::Range;

use crate::transcript::lines::Item;

/// The text and the byte range of each item. The text is the transcript of the service where the items are found in it in their
/// order with nothing but spaces between; otherwise it is made of the items.
pub(super) fn align(transcript: &str, items: &[&Item]) -> (String, Vec<Range<usize>>) {
    let contents = || items.iter().map(|item| item.content.trim());
    if items.is_empty() {
        return (transcript.to_owned(), Vec::new());
    }
    match find(transcript, contents()) {
        Some(ranges) => (transcript.to_owned(), ranges),
        None => join(contents().zip(items.iter().map(|item| item.punctuation))),
    }
}

fn find<'a>(transcript: &str, contents: impl Iterator<Item = &'a str>) -> Option<Vec<Range<usize>>> {
    let mut ranges = Vec::new();
    let mut rest = 0;
    for content in contents {
        let at = rest + transcript[rest..].find(|c: char| !c.is_whitespace())?;
        if !transcript[at..].starts_with(content) {
            return None;
        }
        rest = at + content.len();
        ranges.push(at..rest);
    }
    transcript[rest..].trim().is_empty().then_some(ranges)
}

/// Joins words and punctuation marks to a text: a space before a word, none before a mark or between two characters of a script
/// that is written without spaces.
pub(in crate::transcript) fn join<'a>(
    contents: impl Iterator<Item = (&'a str, bool)>,
) -> (String, Vec<Range<usize>>) {
    let mut text = String::new();
    let mut ranges = Vec::new();
    for (content, punctuation) in contents {
        let without_spaces = text.chars().next_back().is_some_and(is_written_without_spaces)
            && content.chars().next().is_some_and(is_written_without_spaces);
        if !text.is_empty() && !punctuation && !without_spaces {
            text.push(' ');
        }
        let start = text.len();
        text.push_str(content);
        ranges.push(start..text.len());
    }
    (text, ranges)
}

/// Thai, Lao, Burmese, Khmer, kana, Chinese characters and the punctuation of Chinese and Japanese.
const fn is_written_without_spaces(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3000}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff65}'
        | '\u{20000}'..='\u{3ffff}')
}
