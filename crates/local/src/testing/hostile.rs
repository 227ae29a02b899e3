//! Input that no good client sends, and what must not come of it: a 5xx, something written, or a word from the inside.
//!
//! A table here is run against every route of a function, and a route that the table does not name is a failure.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Answer, Caller, Outcome, Play, Stage};

/// A route by its key, and whether it reads a body; one that does not must answer the same whatever the body is.
pub type Route = (&'static str, bool);

/// Texts that are no id, by name. The longest that a path can carry is refused before the function (see
/// [`routes_refuse`]).
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

/// What a field holds, and with that which values it must refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// An id: a UUID as text.
    Id,
    /// A word of a set, or a language tag.
    Word,
    /// A boolean.
    Flag,
}

impl Field {
    /// JSON values that the field must refuse, by name.
    #[must_use]
    pub fn refuses(self) -> Vec<(&'static str, String)> {
        let quoted = texts().into_iter().map(|(name, text)| (name, Value::from(text).to_string()));
        let mut values: Vec<_> = no_texts();
        values.extend(quoted);
        values.push(("10,000 characters", json!("a".repeat(10_000)).to_string()));
        values.push(("a million characters", json!("é".repeat(500_000)).to_string()));
        if self == Self::Flag {
            values.retain(|(_, value)| value != "true");
            values.push(("null", "null".into()));
            values.push(("the word true", r#""true""#.into()));
        }
        values
    }
}

/// A body that is wrong as a whole.
pub struct Body {
    /// What is wrong with it.
    pub name: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// It.
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

/// Headers that nobody should look at; the answer must be as without them.
#[must_use]
pub fn headers() -> Vec<(&'static str, Vec<(&'static str, Vec<u8>)>)> {
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

/// Everything that is kept: each table's rows, by number and digest, and Chime's meetings.
#[derive(Clone, Debug, PartialEq)]
pub struct Census {
    tables: BTreeMap<String, String>,
    meetings: Vec<Value>,
}

impl Census {
    /// The same without the audit: refusals of strangers are entries of it.
    #[must_use]
    pub fn without_audit(mut self) -> Self {
        self.tables.retain(|table, _| !table.contains("audit"));
        self
    }
}

impl Stage {
    /// Counts everything that is kept.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn census(&self) -> Outcome<Census> {
        let tables = self
            .sql(
                "SELECT string_agg(format('%I.%I', schemaname, tablename), ',') FROM pg_tables
                 WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
            )
            .await?;
        let mut rows = BTreeMap::new();
        for table in tables.split(',') {
            let query = format!(
                "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {table} t"
            );
            rows.insert(table.to_owned(), self.sql(&query).await?);
        }
        Ok(Census { tables: rows, meetings: self.meetings() })
    }
}

impl Caller {
    /// A request with their token, and with headers and a body as they are. `{a}` in the path stands for the appointment.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn ask_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, Vec<u8>)],
        body: Bytes,
    ) -> Outcome<Answer> {
        let path = path.replace("{a}", &self.appointment);
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes())?)
            .uri(format!("{}{path}", self.stage.api))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_bytes(value)?);
        }
        self.stage.send(request.body(Full::new(body))?).await
    }
}

/// What must not stand in an answer to bad input: words of serde, SQL, the schema, the source.
const INSIDE: [&str; 16] = [
    "expected",
    "invalid type",
    "unknown variant",
    "unknown field",
    "serde",
    "SELECT",
    "INSERT",
    "syntax error",
    "medzen.",
    "video_call",
    "postgres",
    "tokio",
    "panicked",
    "crates/",
    ".rs",
    "/tmp",
];

/// Checks a refusal: status and field as in `422 appointmentId`, and nothing in it that does not belong there.
///
/// # Panics
/// When it is another.
pub fn assert_refused(answer: &Answer, expected: &str, what: &str) {
    let text = answer.body.to_string();
    let brief = match answer.body["field"].as_str() {
        Some(field) => format!("{} {field}", answer.status),
        None => answer.status.to_string(),
    };
    assert_eq!(brief, expected, "{what}: {text}");
    assert!((400..500).contains(&answer.status), "{what}: {text}");
    assert!(text.len() < 300, "{what}: the answer repeats what was sent: {text}");
    assert!(
        text.chars().all(|character| character.is_ascii() && !character.is_ascii_control()),
        "{what}: {text}"
    );
    for word in INSIDE {
        assert!(!text.contains(word), "{what}: `{word}` is of the inside: {text}");
    }
    let members: BTreeSet<&str> =
        answer.body.as_object().map(|body| body.keys().map(String::as_str).collect()).unwrap_or_default();
    let ours = BTreeSet::from(["code", "error", "field", "requestId"]);
    assert!(members == ours || members == BTreeSet::from(["message"]), "{what}: {text}");
}

/// Sends every bad id and every bad body to every route of a function, for an appointment without a call and for one with
/// a call that is on. Every one must be refused by name, a route that reads no body must not care, and nothing may change.
///
/// # Errors
/// When no answer comes.
///
/// # Panics
/// When an answer is another, something was written, or `routes` are not the function's routes.
pub async fn routes_refuse(stage: &Stage, function: &str, routes: &[Route]) -> Outcome {
    let there: BTreeSet<String> = stage.routes(function).into_iter().collect();
    let named: BTreeSet<String> = routes.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(named, there, "the table and the templates must have the same routes");

    let (idle, on) = (stage.play().await?, stage.play().await?);
    for answer in [on.provider.start().await?, on.patient.join().await?] {
        assert!(answer.status < 300, "{:?}", answer.body);
    }
    let before = stage.census().await?;
    for (key, reads) in routes {
        let (method, path) = key.split_once(' ').ok_or("no route key")?;
        ids_in_path(&idle, method, path).await?;
        for play in [&idle, &on] {
            let path = path.replace("{appointmentId}", &play.appointment);
            if *reads {
                bodies_read(play, method, &path).await?;
            }
        }
        if !reads {
            bodies_unread(&idle, method, &path.replace("{appointmentId}", &idle.appointment)).await?;
        }
        assert_eq!(stage.census().await?, before, "{key} wrote something");
    }
    Ok(())
}

/// Bad ids in the path's places.
async fn ids_in_path(play: &Play, method: &str, path: &str) -> Outcome {
    let Some((_, name)) = path.split_once('{') else { return Ok(()) };
    let name = name.split('}').next().unwrap_or_default();
    let place = format!("{{{name}}}");
    for (what, text) in texts() {
        let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        // A text that grows beyond what API Gateway takes is another case.
        let path = path.replace(&place, &encoded);
        let answer = play.provider.ask_raw(method, &path, "").await?;
        assert_refused(&answer, &format!("422 {name}"), &format!("{method} {place}, {what}"));
    }
    for (what, encoded, expected) in [
        ("a broken percent sign", "%zz%".to_owned(), format!("422 {name}")),
        ("bytes that are no UTF-8", "%ff%fe".to_owned(), format!("422 {name}")),
        ("a slash that is none", "a%2Fb".to_owned(), format!("422 {name}")),
        ("10,000 characters", "9".repeat(10_000), "431".to_owned()),
    ] {
        let answer = play.provider.ask_raw(method, &path.replace(&place, &encoded), "").await?;
        assert_refused(&answer, &expected, &format!("{method} {place}, {what}"));
    }
    Ok(())
}

async fn bodies_read(play: &Play, method: &str, path: &str) -> Outcome {
    for body in bodies() {
        let headers = [("content-type", body.media_type.as_bytes().to_vec())];
        let answer = play.provider.ask_with(method, path, &headers, body.bytes).await?;
        assert_refused(&answer, body.expected, &format!("{method} {path}, {}", body.name));
    }
    Ok(())
}

async fn bodies_unread(play: &Play, method: &str, path: &str) -> Outcome {
    let usual = play.provider.ask_raw(method, path, "").await?.brief();
    for body in bodies() {
        let headers = [("content-type", body.media_type.as_bytes().to_vec())];
        let answer = play.provider.ask_with(method, path, &headers, body.bytes).await?;
        let expected = if body.expected == "413" { "413" } else { &usual };
        assert_eq!(answer.brief(), expected, "{method} {path}, {}: {:?}", body.name, answer.body);
    }
    Ok(())
}

/// Sends every value that a field must refuse. `body` is good but for the field, which is laid over it.
///
/// # Errors
/// When no answer comes.
///
/// # Panics
/// When an answer is another, or something was written.
pub async fn field_refuses(
    stage: &Stage,
    play: &Play,
    route: &str,
    body: &Value,
    (name, field): (&str, Field),
) -> Outcome {
    let (method, path) = route.split_once(' ').ok_or("no route key")?;
    let path = path.replace("{appointmentId}", &play.appointment);
    let before = stage.census().await?;
    let rest = body.as_object().ok_or("a body must be an object")?.iter();
    let rest: String = rest
        .filter(|(key, _)| *key != name)
        .map(|(key, value)| format!(", {}: {value}", json!(key)))
        .collect();
    for (what, value) in field.refuses() {
        // As text: some of the values are too deep or too odd to be built.
        let body = format!(r#"{{"{name}": {value}{rest}}}"#);
        let answer = play.provider.ask_raw(method, &path, body).await?;
        assert_refused(&answer, &format!("422 {name}"), &format!("{route}{rest}, {name} {what}"));
    }
    assert_eq!(stage.census().await?, before, "{route}{rest}: {name} wrote something");
    Ok(())
}

/// Sends odd headers to every route, by a stranger, to whom nothing is done: the answer must be as without them. What is
/// more than API Gateway takes, it refuses.
///
/// # Errors
/// When no answer comes.
///
/// # Panics
/// When an answer is another, or something was written.
pub async fn odd_headers_change_nothing(stage: &Stage, function: &str) -> Outcome {
    let play = stage.play().await?;
    let before = stage.census().await?.without_audit();
    for key in stage.routes(function) {
        let (method, path) = key.split_once(' ').ok_or("no route key")?;
        let path = path.replace("{appointmentId}", &play.appointment);
        let ask = async |headers: &[(&'static str, Vec<u8>)]| {
            let body = json!({ "action": "get-status", "appointmentId": play.appointment }).to_string();
            play.stranger.ask_with(method, &path, headers, Bytes::from(body)).await
        };
        let usual = ask(&[]).await?.brief();
        for (what, headers) in headers() {
            let answer = ask(&headers).await?;
            assert_eq!(answer.brief(), usual, "{key}, {what}: {:?}", answer.body);
        }
        let answer = ask(&[("x-huge", vec![b'x'; 10_240])]).await?;
        assert_refused(&answer, "431", &format!("{key}, 10 KB of headers"));
    }
    assert_eq!(stage.census().await?.without_audit(), before, "odd headers wrote something");
    Ok(())
}
