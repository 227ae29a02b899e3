//! Analysis of a statement: its name, and whether it needs a session of its own.

/// The name of a turn: the name in the first statement's leading comment (`-- start_call`), else its first word.
pub(super) fn operation(statement: &str) -> String {
    name(statement).map_or_else(|| first_word(statement), str::to_owned)
}

/// The name a statement carries in its leading comment.
pub(super) fn name(statement: &str) -> Option<&str> {
    let comment = statement.trim_start().strip_prefix("--")?;
    let name = comment.lines().next()?.trim();
    let is_name =
        !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_' || it == b'-');
    is_name.then_some(name)
}

fn first_word(statement: &str) -> String {
    Tokens(statement).next().map_or_else(|| "empty".to_owned(), str::to_ascii_lowercase)
}

/// Why a pooler that gives each transaction any connection would break this text, if it would. The bodies of functions and
/// of DO are not looked into.
pub(super) fn refusal(text: &str) -> Option<&'static str> {
    let tokens: Vec<&str> = Tokens(text).collect();
    tokens.split(|token| *token == ";").find_map(refusal_of_one)
}

fn refusal_of_one(tokens: &[&str]) -> Option<&'static str> {
    let is = |place: usize, words: &[&str]| {
        tokens.get(place).is_some_and(|token| words.iter().any(|word| token.eq_ignore_ascii_case(word)))
    };
    let has = |sequence: &[&str]| {
        let same =
            |part: &[&str]| part.iter().zip(sequence).all(|(token, word)| token.eq_ignore_ascii_case(word));
        tokens.windows(sequence.len()).any(same)
    };
    let temporary = ["temp", "temporary"];
    let makes_temporary = is(0, &["create"])
        && (is(1, &temporary)
            || (is(1, &["local", "global"]) && is(2, &temporary))
            || (is(1, &["or"]) && is(3, &temporary)));

    if is(0, &["set"]) && !is(1, &["local", "transaction", "constraints"]) {
        return Some("SET changes the session: use SET LOCAL");
    }
    if is(0, &["reset", "discard", "load"]) {
        return Some("RESET, DISCARD and LOAD change the session");
    }
    if sets_config_of_session(tokens) {
        return Some("set_config(..., false) changes the session: pass true");
    }
    if is(0, &["listen", "unlisten"]) {
        return Some("LISTEN needs a session");
    }
    if (is(0, &["prepare"]) && !is(1, &["transaction"])) || is(0, &["execute", "deallocate"]) {
        return Some("a prepared statement needs a session");
    }
    // Gone at the end of the transaction, so no later one can miss it.
    if makes_temporary && !has(&["on", "commit", "drop"]) {
        return Some("a temporary table or view needs a session, unless it is ON COMMIT DROP");
    }
    if temporary.iter().any(|it| has(&["into", it])) {
        return Some("a temporary table needs a session");
    }
    if is(0, &["declare"]) && has(&["with", "hold"]) {
        return Some("a cursor WITH HOLD needs a session");
    }
    let locks = |token: &&str| {
        let token = token.to_ascii_lowercase();
        let advisory = ["pg_advisory_", "pg_try_advisory_"].iter().any(|prefix| token.starts_with(prefix));
        advisory && !token.contains("_xact_")
    };
    if tokens.iter().any(locks) {
        return Some("a session's advisory lock needs a session: use the _xact_ functions");
    }
    None
}

/// `set_config(name, value, is_local)`, `is_local` being the word false.
fn sets_config_of_session(tokens: &[&str]) -> bool {
    let Some(start) = tokens.iter().position(|token| token.eq_ignore_ascii_case("set_config")) else {
        return false;
    };
    let mut depth = 0;
    for pair in tokens[start..].windows(2) {
        match pair[1] {
            "(" => depth += 1,
            ")" if depth == 1 => return pair[0].eq_ignore_ascii_case("false"),
            ")" => depth -= 1,
            _ => {}
        }
    }
    false
}

/// The words and signs of SQL text, without comments, and without what is quoted.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let text = self.0.trim_start();
            let first = text.chars().next()?;
            let (length, is_token) = match first {
                '-' if text.starts_with("--") => (text.find('\n').unwrap_or(text.len()), false),
                '/' if text.starts_with("/*") => (block_comment(text), false),
                '\'' => (quoted(text, '\'', false), false),
                '"' => (quoted(text, '"', false), false),
                'e' | 'E' if text[1..].starts_with('\'') => (1 + quoted(&text[1..], '\'', true), false),
                '$' => dollar(text).map_or((1, true), |length| (length, false)),
                _ if is_word(first) => (text.find(|it| !is_word(it)).unwrap_or(text.len()), true),
                _ => (first.len_utf8(), true),
            };
            let (token, rest) = text.split_at(length);
            self.0 = rest;
            if is_token {
                return Some(token);
            }
        }
    }
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || it == '_' || it == '$'
}

/// A doubled quote ends one literal and begins the next, which comes to the same.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut taken_as_is = false;
    for (place, it) in text.char_indices().skip(1) {
        if taken_as_is {
            taken_as_is = false;
        } else if escapes && it == '\\' {
            taken_as_is = true;
        } else if it == quote {
            return place + 1;
        }
    }
    text.len()
}

fn block_comment(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut place = 0;
    while place < text.len() {
        let rest = &text.as_bytes()[place..];
        if rest.starts_with(b"/*") {
            depth += 1;
            place += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            place += 2;
            if depth == 0 {
                return place;
            }
        } else {
            place += 1;
        }
    }
    text.len()
}

/// `$tag$ ... $tag$`; `$1` is none.
fn dollar(text: &str) -> Option<usize> {
    let tag_end = 1 + text[1..].find('$')?;
    let tag = &text[..=tag_end];
    let inner = &tag[1..tag_end];
    if inner.starts_with(|it: char| it.is_ascii_digit())
        || !inner.chars().all(|it| it.is_alphanumeric() || it == '_')
    {
        return None;
    }
    Some(text[tag.len()..].find(tag).map_or(text.len(), |end| tag.len() + end + tag.len()))
}

#[cfg(test)]
mod tests {
    use super::{operation, refusal};

    #[test]
    fn a_statement_is_called_by_its_comment_or_else_by_its_first_word() {
        assert_eq!(operation("-- start_call\nSELECT 1"), "start_call");
        assert_eq!(operation("\n  --  end-call \nSELECT 1"), "end-call");
        assert_eq!(operation("-- this is prose\nSELECT 1"), "select");
        assert_eq!(operation("/* why */ Insert INTO t VALUES (1)"), "insert");
        assert_eq!(operation("BEGIN;"), "begin");
        assert_eq!(operation("  "), "empty");
    }

    #[test]
    fn statements_with_session_state_are_rejected() {
        let refused = [
            "SET search_path = x",
            "set session characteristics as transaction read only",
            "-- name\nSET TIME ZONE 'UTC'",
            "BEGIN; SET statement_timeout = 5; COMMIT",
            "reset all",
            "DISCARD ALL",
            "LISTEN calls",
            "PREPARE p AS SELECT 1",
            "EXECUTE p",
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_try_advisory_lock_shared (1)",
            "SELECT PG_ADVISORY_UNLOCK(1)",
            "CREATE TEMP TABLE t (a int)",
            "create or replace temporary view v as select 1",
            "CREATE LOCAL TEMPORARY TABLE t (a int)",
            "SELECT 1 AS a INTO TEMP t",
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
            "SELECT set_config('a.b', coalesce($1, lower('X')), false)",
        ];
        for sql in refused {
            assert!(refusal(sql).is_some(), "passed: {sql}");
        }
    }

    #[test]
    fn statements_with_transaction_state_pass() {
        let passing = [
            "",
            "SELECT 1",
            "UPDATE t SET a = 1",
            "SET LOCAL statement_timeout = 5",
            "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
            "SET CONSTRAINTS ALL DEFERRED",
            "SELECT set_config('request.jwt.claims', $1, true)",
            "SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock(2)",
            "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
            "CREATE TABLE temp (a int)",
            "DECLARE c CURSOR FOR SELECT 1",
            "NOTIFY calls, 'it is SET'",
            "SELECT 'x; SET a = 1', E'\\'; SET a = 1', $$ ; SET a = 1 $$, $q$ LISTEN $q$, $1",
            "SELECT \"; listen\" -- ; RESET all\n/* ; /* SET a */ ; SET b = 2 */ FROM t",
            "SELECT 'unfinished",
            "SELECT 'é' -- ü",
        ];
        for sql in passing {
            assert_eq!(refusal(sql), None, "refused: {sql}");
        }
    }
}
