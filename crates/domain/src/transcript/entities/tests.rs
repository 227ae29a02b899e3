use proptest::prelude::*;

use super::*;
use crate::transcript::{Source, Speaker};

fn segment(number: u32, language: &str, text: &str) -> Segment {
    Segment {
        number,
        start_ms: 0,
        end_ms: 1,
        speaker: Speaker { user_id: None, role: None, label: "patient".to_owned() },
        text: text.to_owned(),
        language: language.to_owned(),
        confidence: None,
        spans: Vec::new(),
        source: Source::Live,
        unfinished: false,
        revoked: false,
    }
}

fn texts(segments: &[Segment], max_bytes: usize) -> Vec<String> {
    pieces(segments, max_bytes).into_iter().map(|piece| piece.text).collect()
}

/// The text of a place.
fn at(segments: &[Segment], place: Place) -> String {
    let segment = segments.iter().find(|segment| segment.number == place.segment).expect("the segment");
    segment.text.chars().skip(place.start as usize).take((place.end - place.start) as usize).collect()
}

#[test]
fn english_segments_share_a_piece_until_it_is_full() {
    let segments = [
        segment(1, "en-US", "I have a headache."),
        segment(2, "de-DE", "Kopfschmerzen"),
        segment(3, "en-ZA", "since Monday"),
        segment(4, "EN-gb", "and fever"),
        segment(5, "eng", "no"),
    ];
    assert_eq!(texts(&segments, 100), ["I have a headache.\nsince Monday\nand fever"]);
    assert_eq!(texts(&segments, 31), ["I have a headache.\nsince Monday", "and fever"]);
    assert_eq!(texts(&segments, 30), ["I have a headache.", "since Monday\nand fever"]);
    assert_eq!(texts(&[segment(1, "en-US", "  ")], 30), [""; 0]);
}

#[test]
fn a_long_segment_is_cut_at_a_sentence_else_a_word_else_a_scalar_value() {
    let cut = |text: &str, max| texts(&[segment(1, "en-US", text)], max);
    assert_eq!(cut("It hurts. It does not stop. Help.", 20), ["It hurts. ", "It does not stop. ", "Help."]);
    assert_eq!(cut("one two three four", 9), ["one two ", "three ", "four"]);
    assert_eq!(cut("aaaaaaaaaa", 4), ["aaaa", "aaaa", "aa"]);
    assert_eq!(cut("🤕🤕🤕", 7), ["🤕", "🤕", "🤕"]);
    assert_eq!(cut("🤕🤕", 0), ["🤕", "🤕"], "a limit that no scalar value fits into");
}

#[test]
fn an_answer_is_placed_in_its_segment() {
    let segments = [segment(7, "en-US", "🤕 a headache."), segment(9, "en-US", "It hurts. Ibuprofen helps.")];
    let pieces = pieces(&segments, 25);
    assert_eq!(pieces.len(), 3, "the second segment is cut");
    // "headache" is at 4 of the first piece: the emoji is one.
    assert_eq!(at(&segments, pieces[0].places(4, 12)[0]), "headache");
    assert_eq!(pieces[2].places(0, 9), [Place { segment: 9, start: 10, end: 19 }]);
    assert_eq!(at(&segments, pieces[2].places(0, 9)[0]), "Ibuprofen");
    assert_eq!(pieces[0].places(40, 50), [], "offsets outside the text");
    assert_eq!(pieces[0].places(9, 4), [], "offsets in the wrong order");
}

#[test]
fn an_answer_over_two_segments_is_placed_in_both() {
    let segments = [segment(1, "en-US", "high blood"), segment(2, "en-US", "pressure")];
    let pieces = pieces(&segments, 100);
    let places = pieces[0].places(5, 19);
    assert_eq!(places.iter().map(|&place| at(&segments, place)).collect::<Vec<_>>(), ["blood", "pressure"]);
}

#[test]
fn the_limits_are_those_of_the_service() {
    let long = segment(1, "en-US", &"Kopfweh ü. ".repeat(10_000));
    for max in [MAX_DETECT_ENTITIES_BYTES, MAX_INFER_ICD10CM_BYTES] {
        let pieces = pieces(std::slice::from_ref(&long), max);
        assert!(pieces.iter().all(|piece| piece.text.len() <= max));
        assert!(pieces.len() <= long.text.len() / (max - 20) + 1, "{} pieces", pieces.len());
    }
}

proptest! {
    #[test]
    fn pieces_are_within_the_limit_and_every_word_is_found_again(
        texts in proptest::collection::vec("(\\PC{0,6}[ .!?]{0,2}){0,8}", 0..6),
        max_bytes in 4..60_usize,
    ) {
        let segments: Vec<Segment> =
            (1..).zip(&texts).map(|(number, text)| segment(number, "en-US", text)).collect();
        let pieces = pieces(&segments, max_bytes);
        let mut covered: Vec<String> = vec![String::new(); segments.len()];
        for piece in &pieces {
            prop_assert!(piece.text.len() <= max_bytes && !piece.text.is_empty());
            let scalars: Vec<char> = piece.text.chars().collect();
            for place in piece.places(0, u32::MAX) {
                covered[place.segment as usize - 1].push_str(&at(&segments, place));
            }
            for (begin, scalar) in (0..).zip(&scalars) {
                let places = piece.places(begin, begin + 1);
                prop_assert!(places.len() <= 1);
                for place in places {
                    prop_assert_eq!(at(&segments, place), scalar.to_string());
                }
            }
        }
        for (covered, text) in covered.iter().zip(&texts) {
            let squeeze = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(squeeze(covered), squeeze(text));
        }
    }
}
