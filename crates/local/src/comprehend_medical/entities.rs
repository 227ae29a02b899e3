//! Entities of a text, with offsets in code points.

use serde_json::{Value, json};

use super::words::{ANATOMY, CONDITIONS, Condition, MEDICATIONS, NEGATIONS};

const MODEL_VERSION: &str = "2.7.0";
/// A float of 32 bits, as all scores: a client of CBOR reads no wider one.
const SCORE: f32 = 0.98;

/// A word of the list in the text, by bytes.
struct Found {
    from: usize,
    to: usize,
}

impl Found {
    /// The members that all entities and attributes have.
    fn json(&self, text: &str, id: usize) -> Value {
        let begin = text[..self.from].chars().count();
        let own = &text[self.from..self.to];
        json!({
            "Id": id,
            "BeginOffset": begin,
            "EndOffset": begin + own.chars().count(),
            "Score": SCORE,
            "Text": own,
            "Attributes": [],
        })
    }
}

/// The places of a word in a text, whatever its capital letters. Those of ASCII alone are changed, so that bytes stay where they are.
fn places(text: &str, word: &str) -> Vec<Found> {
    let lower = text.to_ascii_lowercase();
    let is_end = |it: Option<char>| it.is_none_or(|it| !it.is_alphanumeric());
    let found = lower.match_indices(word).map(|(from, _)| Found { from, to: from + word.len() });
    found
        .filter(|it| is_end(lower[..it.from].chars().next_back()) && is_end(lower[it.to..].chars().next()))
        .collect()
}

fn is_negated(text: &str, found: &Found) -> bool {
    let before = text[..found.from].to_ascii_lowercase();
    NEGATIONS.iter().any(|it| before.ends_with(it))
}

/// The conditions of a text in their order. A word within a longer one of the list is not found twice.
fn conditions(text: &str) -> Vec<(Found, &'static Condition)> {
    let mut all: Vec<(Found, &Condition)> = Vec::new();
    for condition in &CONDITIONS {
        for found in places(text, condition.text) {
            if !all.iter().any(|(known, _)| known.from < found.to && found.from < known.to) {
                all.push((found, condition));
            }
        }
    }
    all.sort_by_key(|(found, _)| found.from);
    all
}

fn traits(text: &str, found: &Found, condition: &Condition) -> Value {
    let mut traits = vec![json!({ "Name": condition.kind, "Score": SCORE })];
    if is_negated(text, found) {
        traits.push(json!({ "Name": "NEGATION", "Score": SCORE }));
    }
    traits.into()
}

/// `DetectEntitiesV2`.
pub(super) fn detect(text: &str) -> Value {
    let conditions = conditions(text);
    let mut found: Vec<(usize, Value)> = Vec::new();
    for (place, condition) in &conditions {
        let mut json = place.json(text, 0);
        json["Category"] = "MEDICAL_CONDITION".into();
        json["Type"] = "DX_NAME".into();
        json["Traits"] = traits(text, place, condition);
        found.push((place.from, json));
    }
    for word in MEDICATIONS {
        for place in places(text, word) {
            let mut json = place.json(text, 0);
            json["Category"] = "MEDICATION".into();
            json["Type"] = "GENERIC_NAME".into();
            json["Traits"] = json!([]);
            if let Some(dosage) = dosage(text, &place) {
                json["Attributes"] = json!([dosage]);
            }
            found.push((place.from, json));
        }
    }
    for word in ANATOMY {
        let is_part =
            |it: &Found| conditions.iter().any(|(known, _)| known.from <= it.from && it.to <= known.to);
        for place in places(text, word).into_iter().filter(|it| !is_part(it)) {
            let mut json = place.json(text, 0);
            json["Category"] = "ANATOMY".into();
            json["Type"] = "SYSTEM_ORGAN_SITE".into();
            json["Traits"] = json!([]);
            found.push((place.from, json));
        }
    }
    found.sort_by_key(|(from, _)| *from);
    let mut next = found.len();
    let entities: Vec<Value> = found
        .into_iter()
        .enumerate()
        .map(|(id, (_, mut json))| {
            json["Id"] = id.into();
            for attribute in json["Attributes"].as_array_mut().into_iter().flatten() {
                attribute["Id"] = next.into();
                next += 1;
            }
            json
        })
        .collect();
    json!({ "Entities": entities, "UnmappedAttributes": [], "ModelVersion": MODEL_VERSION })
}

/// `400 mg` after a medication.
fn dosage(text: &str, medication: &Found) -> Option<Value> {
    let rest = &text[medication.to..];
    let digits = rest.trim_start();
    let from = medication.to + (rest.len() - digits.len());
    let amount = digits.find(|c: char| !c.is_ascii_digit()).filter(|it| *it > 0)?;
    let unit = digits[amount..].strip_prefix(" mg").or_else(|| digits[amount..].strip_prefix("mg"))?;
    let place = Found { from, to: text.len() - unit.len() };
    let mut json = place.json(text, 0);
    json["Type"] = "DOSAGE".into();
    json["Category"] = "MEDICATION".into();
    json["RelationshipType"] = "DOSAGE".into();
    json["RelationshipScore"] = SCORE.into();
    if let Some(members) = json.as_object_mut() {
        // An attribute has none.
        members.remove("Attributes");
    }
    json["Traits"] = json!([]);
    Some(json)
}

/// `InferICD10CM`.
pub(super) fn infer(text: &str) -> Value {
    let conditions = conditions(text);
    let entities = conditions.iter().enumerate().map(|(id, (place, condition))| {
        let scores: [f32; 2] = [0.92, 0.41];
        let codes = condition.codes.iter().zip(scores);
        let codes =
            codes.map(|((code, name), score)| json!({ "Code": code, "Description": name, "Score": score }));
        let mut json = place.json(text, id);
        json["Category"] = "MEDICAL_CONDITION".into();
        json["Type"] = "DX_NAME".into();
        json["Traits"] = traits(text, place, condition);
        json["ICD10CMConcepts"] = codes.collect();
        json
    });
    json!({ "Entities": entities.collect::<Vec<_>>(), "ModelVersion": MODEL_VERSION })
}
