use proptest::prelude::*;

use super::*;

fn span(start: u32, end: u32, kind: &str) -> Span {
    let kind = Some(kind.to_owned()).filter(|kind| !kind.is_empty());
    Span { start, end, category: "PHI".to_owned(), kind, confidence: Some(0.9) }
}

fn masked(text: &str, spans: &[Span]) -> String {
    redact(text, spans, &[]).text
}

#[test]
fn a_stretch_becomes_its_type_or_its_category() {
    assert_eq!(masked("my name is Ann Lee.", &[span(11, 18, "NAME")]), "my name is [NAME].");
    assert_eq!(masked("I am 91", &[span(5, 7, "")]), "I am [PHI]");
    assert_eq!(masked("I am 91", &[]), "I am 91");
    for hidden in ["name", "N]AME", "NAME ", &"A".repeat(41)] {
        assert_eq!(
            masked("I am 91", &[Span { category: hidden.to_owned(), ..span(5, 7, hidden) }]),
            "I am [REDACTED]"
        );
    }
}

#[test]
fn overlapping_stretches_are_one_and_touching_ones_two() {
    let text = "Ann Lee 12 Main Street";
    assert_eq!(masked(text, &[span(4, 7, "NAME"), span(0, 5, "NAME")]), "[NAME] 12 Main Street");
    assert_eq!(masked(text, &[span(0, 10, "NAME"), span(8, 22, "ADDRESS")]), "[PHI]");
    let pii = Span { category: "PII".to_owned(), ..span(5, 22, "ADDRESS") };
    assert_eq!(masked(text, &[span(0, 7, "NAME"), pii]), "[REDACTED]");
    assert_eq!(masked(text, &[span(0, 3, "NAME"), span(3, 7, "NAME")]), "[NAME][NAME] 12 Main Street");
    assert_eq!(
        masked(text, &[span(0, 7, "NAME"), span(2, 4, "NAME"), span(0, 7, "NAME")]),
        "[NAME] 12 Main Street"
    );
}

#[test]
fn offsets_are_scalar_values_and_clusters_stay_whole() {
    assert_eq!(masked("🤕 Ann", &[span(2, 5, "NAME")]), "🤕 [NAME]");
    // A woman, a skin tone, a joiner, a symbol and a selector are one cluster: a stretch that has a part of it has it all.
    assert_eq!(masked("👩🏽‍⚕️Ann", &[span(2, 6, "NAME")]), "[NAME]nn");
    assert_eq!(masked("Jose\u{301} x", &[span(0, 4, "NAME")]), "[NAME] x");
    assert_eq!(masked("أنا مريم", &[span(4, 8, "NAME")]), "أنا [NAME]");
}

#[test]
fn a_stretch_that_does_not_fit_masks_everything() {
    for bad in [
        span(3, 3, "NAME"),
        span(5, 2, "NAME"),
        span(0, 8, "NAME"),
        span(100, 200, "NAME"),
        span(u32::MAX, 0, "NAME"),
    ] {
        assert_eq!(masked("Ann Lee", &[bad]), "[NAME]");
    }
    assert_eq!(masked("", &[span(0, 1, "NAME")]), "");
}

#[test]
fn words_of_a_tag_are_one_word() {
    let word = |at: i64, start, end| Word { start_ms: at, end_ms: at + 10, start, end };
    // "I am Ann Lee, hi" with the comma as an item of its own.
    let words =
        [word(0, 0, 1), word(10, 2, 4), word(20, 5, 8), word(30, 9, 12), word(40, 12, 13), word(50, 14, 16)];
    let redacted = redact("I am Ann Lee, hi", &[span(5, 12, "NAME")], &words);
    assert_eq!(redacted.text, "I am [NAME], hi");
    let name = Word { start_ms: 20, end_ms: 40, start: 5, end: 11 };
    assert_eq!(redacted.words, [words[0], words[1], name, word(40, 11, 12), word(50, 13, 15)]);
    assert_eq!(redacted.spans, [span(5, 11, "NAME")]);
}

#[test]
fn a_segment_is_masked_with_its_spans() {
    let json = r#"{"number":1,"start":0.0,"end":1.0,"speaker":{"userId":null,"role":null,"label":"patient"},"text":"I am Ann",
        "language":"en-US","confidence":null,"spans":[{"start":5,"end":8,"category":"PII","type":"NAME","confidence":1.0}],
        "source":"live","unfinished":false,"revoked":false}"#;
    let said: Segment = serde_json::from_str(json).expect("a segment");
    assert_eq!(segment(&said, false).text, "[REDACTED]");
    let redacted = segment(&said, true);
    assert_eq!(redacted.text, "I am [NAME]");
    assert_eq!((redacted.spans[0].start, redacted.spans[0].end), (5, 11));
    assert_eq!(Segment { text: said.text.clone(), spans: said.spans.clone(), ..redacted }, said);
}

proptest! {
    #[test]
    fn nothing_of_a_stretch_is_left_and_everything_else_is(
        text in "\\PC{0,20}",
        places in proptest::collection::vec((0..24_u32, 0..24_u32), 0..5),
    ) {
        // Digits stand for the secret: the text has none, and each masked place gets one.
        let mut scalars: Vec<char> = text.chars().map(|c| if c.is_numeric() { 'x' } else { c }).collect();
        let spans: Vec<Span> = places.into_iter().map(|(start, end)| span(start, end, "NAME")).collect();
        for span in &spans {
            for scalar in scalars.iter_mut().take(span.end as usize).skip(span.start as usize) {
                *scalar = '7';
            }
        }
        let text: String = scalars.iter().collect();
        let redacted = redact(&text, &spans, &[]);
        prop_assert!(!redacted.text.contains('7'), "{}", redacted.text);
        if spans.is_empty() {
            prop_assert_eq!(&redacted.text, &text);
        }
        let new: Vec<char> = redacted.text.chars().collect();
        for span in &redacted.spans {
            let tag: String = new[span.start as usize..span.end as usize].iter().collect();
            prop_assert_eq!(tag, "[NAME]");
        }
        prop_assert_eq!(&redact(&text, &spans, &[]), &redacted);
    }
}
