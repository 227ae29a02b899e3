//! Bodies: parsed once, and rejected by field without repeating the caller's values.

use std::fmt;

use domain::Error;
use serde::de::value::MapDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of a body's JSON object. The body is parsed once; each reader takes the members that it knows.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, Box<RawValue>)>);

/// Why a body has no fields. Kept until a use case reads the body: routes that read none accept any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    NotJson { line: usize, column: usize },
    NotAnObject,
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::NotJson { line, column } => {
                Self::Malformed { part: "body", reason: format!("is not JSON (line {line} column {column})") }
            }
            BodyError::NotAnObject => Self::invalid("body", "must be an object"),
        }
    }
}

impl Fields {
    /// Parses a body, which is a JSON object; an empty one is an empty object. Syntax comes first: a field is named only
    /// where the whole can be parsed.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, BodyError> {
        if body.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let not_json =
            |error: &serde_json::Error| BodyError::NotJson { line: error.line(), column: error.column() };
        serde_json::from_slice(body).map_err(|error| match serde_json::from_slice::<IgnoredAny>(body) {
            Ok(_) if error.is_data() => BodyError::NotAnObject,
            Ok(_) => not_json(&error),
            Err(error) => not_json(&error),
        })
    }

    /// Reads the fields of `T`.
    ///
    /// # Errors
    /// 422, naming the field, when one is missing, given twice, or of the wrong type.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let members = self.0.iter().map(|(name, value)| (name.as_str(), &**value));
        serde_path_to_error::deserialize(MapDeserializer::<_, serde_json::Error>::new(members))
            .map_err(|error| field(&error.path().to_string(), &error.inner().to_string()))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            // A duplicate member stays duplicated, so that a reader can reject it.
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Fields(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// serde's message quotes the value, which may be anything of any length; only the expected type is returned.
fn field(path: &str, message: &str) -> Error {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        let name = if path == "." { name.to_owned() } else { format!("{path}.{name}") };
        return Error::invalid(name, "is required");
    }
    if let Some(name) = message.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`')) {
        let name = if path == "." { name.to_owned() } else { format!("{path}.{name}") };
        return Error::invalid(name, "is given twice");
    }
    let name = if path == "." { "body" } else { path };
    let reason = match message.rsplit_once("expected ") {
        Some((_, wanted)) => format!("must be {wanted}"),
        // Messages of our own types: constants that begin with "must".
        None if message.starts_with("must ") => message.to_owned(),
        None => "has a value that cannot be".to_owned(),
    };
    Error::invalid(name, reason)
}

#[cfg(test)]
mod tests {
    use domain::id::AppointmentId;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        appointment_id: AppointmentId,
        #[serde(default)]
        enable_recording: bool,
    }

    fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
        Fields::parse(body)?.read()
    }

    fn error_of(body: &str) -> String {
        read::<Body>(body.as_bytes()).map_or_else(|error| error.to_string(), |body| format!("{body:?}"))
    }

    #[test]
    fn an_error_names_the_field_and_does_not_repeat_the_value() {
        let id = "7d9f1c5e-0000-4000-8000-000000000001";
        let good: Option<Body> =
            read(format!(r#"{{"appointmentId":"{id}","enableRecording":true,"more":1}}"#).as_bytes()).ok();
        assert_eq!(
            good,
            id.parse().ok().map(|appointment_id| Body { appointment_id, enable_recording: true })
        );
        assert_eq!(error_of(""), "invalid appointmentId: is required");
        assert_eq!(error_of("{"), "malformed body: is not JSON (line 1 column 1)");
        for body in [
            "[]",
            "null",
            "5",
            &format!(r#"["{id}",true]"#),
            &format!("{}{}", "[".repeat(500), "]".repeat(500)),
        ] {
            assert_eq!(error_of(body), "invalid body: must be an object", "{body}");
        }
        assert_eq!(error_of("{} x"), "malformed body: is not JSON (line 1 column 4)");
        let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(error_of(&deep), "invalid appointmentId: is required");
        assert_eq!(error_of(r#"{"appointmentId":5}"#), "invalid appointmentId: must be a string");
        let uuid = "invalid appointmentId: must be a UUID, 36 characters with hyphens";
        for text in ["x'; DROP TABLE users", "\\u0000", &"9".repeat(10_000), "expected 42"] {
            assert_eq!(error_of(&format!(r#"{{"appointmentId":"{text}"}}"#)), uuid, "{text}");
        }
        let typed = error_of(&format!(r#"{{"appointmentId":"{id}","enableRecording":"expected secret"}}"#));
        assert_eq!(typed, "invalid enableRecording: must be a boolean");
        assert_eq!(error_of("\u{0}"), "malformed body: is not JSON (line 1 column 1)");
    }
}
