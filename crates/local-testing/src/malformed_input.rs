//! Malformed input. [`refusals`](crate::refusals) sends it.

use bytes::Bytes;
use serde_json::{Value, json};

/// A header's name and value.
pub type Header = (&'static str, Vec<u8>);

/// Texts that are no id, by name. The longest that a path can carry is refused before the function (see
/// [`routes_refuse`](crate::refusals::routes_refuse)).
#[must_use]
pub fn texts() -> Vec<(&'static str, String)> {
    vec![
        ("a word", "nonsense".into()),
        ("a blank", " ".into()),
        ("a quote", "00000000-0000-4000-8000-0000000000a1'".into()),
        ("SQL", "x'; DROP TABLE video_call_sessions; --".into()),
        ("a NUL at the end", "00000000-0000-4000-8000-0000000000a1\0".into()),
        ("NUL alone", "\0".into()),
        ("control characters", "\u{1}\u{8}\u{1b}[31m\r\n\u{7f}\u{85}".into()),
        ("emoji", "👩‍⚕️📞".into()),
        ("right-to-left and combining", "\u{202e}e\u{301}\u{fffd}\u{10ffff}".into()),
        ("a path", "../../etc/passwd".into()),
        ("a template", "${jndi:ldap://x}{{7*7}}%s%n".into()),
        ("an id in braces", "{00000000-0000-4000-8000-0000000000a1}".into()),
        ("an id without hyphens", "0000000000004000800000000000000a1".into()),
        ("serde's words", "expected a missing field `x` at line 1 column 2".into()),
        ("8,000 characters", "9".repeat(8000)),
    ]
}

/// JSON values that are no text.
fn no_texts() -> Vec<(&'static str, String)> {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    vec![
        ("a number", "5".into()),
        ("a number that no type holds", "1e999".into()),
        ("a boolean", "true".into()),
        ("an array", r#"["00000000-0000-4000-8000-0000000000a1"]"#.into()),
        ("an object", r#"{"$ne":null,"create":null}"#.into()),
        ("100,000 arrays in each other", deep(100_000)),
        ("half a surrogate pair", r#""\ud800""#.into()),
    ]
}

/// The type of a field, which determines the values that it must reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// An id: a UUID as text.
    Id,
    /// A value of a fixed set, or a language tag.
    Word,
    /// A boolean; null is as if it were not there.
    Flag,
    /// A list of one to ten ids of users.
    Ids,
}

impl Field {
    /// JSON values that the field must refuse, by name.
    #[must_use]
    pub fn refuses(self) -> Vec<(&'static str, String)> {
        if self == Self::Ids {
            return lists();
        }
        let quoted = texts().into_iter().map(|(name, text)| (name, Value::from(text).to_string()));
        let mut values: Vec<_> = no_texts();
        values.extend(quoted);
        values.push(("10,000 characters", json!("a".repeat(10_000)).to_string()));
        values.push(("a million characters", json!("é".repeat(500_000)).to_string()));
        if self == Self::Flag {
            values.retain(|(_, value)| value != "true");
            values.push(("the word true", r#""true""#.into()));
        }
        values
    }
}

/// Values that are not a list of one to ten ids. For a list with a bad item the response names the item.
fn lists() -> Vec<(&'static str, String)> {
    let id = |n: usize| json!(format!("00000000-0000-4000-8000-{n:012}"));
    let ids = |count: usize| Value::from((1..=count).map(id).collect::<Vec<_>>()).to_string();
    let mut values = no_texts();
    values.retain(|(_, value)| !value.starts_with('['));
    values.extend([
        ("null", "null".into()),
        ("an id that stands alone", id(1).to_string()),
        ("ids in a text", json!(ids(2)).to_string()),
        ("no id", "[]".into()),
        ("11 ids", ids(11)),
        ("10,000 ids", ids(10_000)),
    ]);
    values
}

/// JSON values that are no id of a list, the list's other ids being good.
#[must_use]
pub fn items() -> Vec<(&'static str, String)> {
    let mut values = Field::Id.refuses();
    values.push(("null", "null".into()));
    values
}

/// A body that is wrong as a whole.
pub struct Body {
    /// The defect.
    pub name: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    pub bytes: Bytes,
    /// Status and field that a route which reads it answers; only a status where API Gateway itself answers.
    pub expected: &'static str,
}

/// Bodies that are wrong as a whole.
#[must_use]
pub fn bodies() -> Vec<Body> {
    let body = |name, media_type, bytes: &[u8], expected| Body {
        name,
        media_type,
        bytes: Bytes::copy_from_slice(bytes),
        expected,
    };
    let json = |name, bytes: &[u8], expected| body(name, "application/json", bytes, expected);
    let megabyte = 1 << 20;
    let binary: Vec<u8> = (0..=255).collect();
    let nested = [b"[".repeat(megabyte / 2), b"]".repeat(megabyte / 2)].concat();
    vec![
        json("cut off", br#"{"action": "crea"#, "400 body"),
        json("a comma too many", br#"{"action": "create",}"#, "400 body"),
        json("single quotes", b"{'action': 'create'}", "400 body"),
        json("NaN", br#"{"action": NaN}"#, "400 body"),
        json("two documents", b"{} {}", "400 body"),
        json("a byte order mark", b"\xef\xbb\xbf{}", "400 body"),
        json("NUL", b"\0", "400 body"),
        json("a control character in a text", b"{\"action\":\"\x01\"}", "400 body"),
        json("no UTF-8", b"{\"action\":\"\xff\xfe\"}", "400 body"),
        json("an array", b"[]", "422 body"),
        json(
            "an array in the order of the fields",
            br#"["create","00000000-0000-4000-8000-0000000000a1"]"#,
            "422 body",
        ),
        json("null", b"null", "422 body"),
        json("a number", b"5", "422 body"),
        json("a text", br#""create""#, "422 body"),
        json("1 MB of letters", &b"a".repeat(megabyte), "400 body"),
        json("1 MB of open brackets", &b"[".repeat(megabyte), "400 body"),
        json("half a million arrays in each other", &nested, "422 body"),
        json("more than Lambda takes", &b" ".repeat(7 * megabyte), "413"),
        json("more than API Gateway takes", &b" ".repeat(10 * megabyte + 1), "413"),
        body("a form", "application/x-www-form-urlencoded", b"action=create&appointmentId=1", "400 body"),
        body("XML", "text/xml; charset=utf-16", b"<action>create</action>", "400 body"),
        body("a file in parts", "multipart/form-data; boundary=x", b"--x\r\n\r\ncreate\r\n--x--", "400 body"),
        body("bytes", "application/octet-stream", &binary, "400 body"),
        body("bytes that say they are JSON", "application/json", &binary, "400 body"),
        body(
            "gzip",
            "application/json",
            b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0",
            "400 body",
        ),
        body("no media type that there is", "}{/\t;;=", b"{", "400 body"),
    ]
}

/// Headers that the functions must ignore.
#[must_use]
pub fn headers() -> Vec<(&'static str, Vec<Header>)> {
    vec![
        ("a user agent in Latin-1", vec![("user-agent", b"M\xe9dZen/1.0".to_vec())]),
        ("a user agent of emoji", vec![("user-agent", "📞".repeat(100).into_bytes())]),
        ("a name in UTF-8", vec![("x-name", "Zoë 👩‍⚕️".into())]),
        ("5 KB in one header", vec![("x-large", vec![b'x'; 5000])]),
        ("the same header many times", vec![("x-many", b"1".to_vec()); 50]),
        ("an address that is none", vec![("x-forwarded-for", b"'; DROP TABLE users; --".to_vec())]),
        ("somebody else's name", vec![("x-user-id", b"00000000-0000-4000-8000-000000000001".to_vec())]),
        ("cookies", vec![("cookie", b"a=1; b; =; \xff".to_vec())]),
        ("another method", vec![("x-http-method-override", b"DELETE".to_vec())]),
        ("a made-up trace", vec![("x-amzn-trace-id", b"Root=none;Sampled=\"".to_vec())]),
    ]
}
