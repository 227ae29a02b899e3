//! The words that are found: enough for tests, no medicine.

/// A condition, with its trait and its codes of ICD-10-CM, the best first
/// (<https://www.cdc.gov/nchs/icd/icd-10-cm/index.html>).
pub(super) struct Condition {
    pub(super) text: &'static str,
    /// `SYMPTOM`, `SIGN` or `DIAGNOSIS`.
    pub(super) kind: &'static str,
    pub(super) codes: &'static [(&'static str, &'static str)],
}

const fn condition(
    text: &'static str,
    kind: &'static str,
    codes: &'static [(&'static str, &'static str)],
) -> Condition {
    Condition { text, kind, codes }
}

/// Longer texts before their parts.
pub(super) const CONDITIONS: [Condition; 15] = [
    condition("high blood pressure", "DIAGNOSIS", &[("I10", "Essential (primary) hypertension")]),
    condition("shortness of breath", "SYMPTOM", &[("R06.02", "Shortness of breath")]),
    condition("type 2 diabetes", "DIAGNOSIS", &[("E11.9", "Type 2 diabetes mellitus without complications")]),
    condition(
        "chest pain",
        "SYMPTOM",
        &[("R07.9", "Chest pain, unspecified"), ("R07.89", "Other chest pain")],
    ),
    condition("sore throat", "SYMPTOM", &[("J02.9", "Acute pharyngitis, unspecified")]),
    condition(
        "headache",
        "SYMPTOM",
        &[("R51.9", "Headache, unspecified"), ("R51.0", "Headache with orthostatic component")],
    ),
    condition("hypertension", "DIAGNOSIS", &[("I10", "Essential (primary) hypertension")]),
    condition("diabetes", "DIAGNOSIS", &[("E11.9", "Type 2 diabetes mellitus without complications")]),
    condition("asthma", "DIAGNOSIS", &[("J45.909", "Unspecified asthma, uncomplicated")]),
    condition("malaria", "DIAGNOSIS", &[("B54", "Unspecified malaria")]),
    condition("nausea", "SYMPTOM", &[("R11.0", "Nausea")]),
    condition("cough", "SYMPTOM", &[("R05.9", "Cough, unspecified")]),
    condition("fever", "SIGN", &[("R50.9", "Fever, unspecified")]),
    condition("rash", "SIGN", &[("R21", "Rash and other nonspecific skin eruption")]),
    condition("anxiety", "DIAGNOSIS", &[("F41.9", "Anxiety disorder, unspecified")]),
];

pub(super) const MEDICATIONS: [&str; 6] =
    ["ibuprofen", "paracetamol", "amoxicillin", "metformin", "salbutamol", "insulin"];

pub(super) const ANATOMY: [&str; 6] = ["head", "chest", "knee", "stomach", "back", "throat"];

/// Before a condition: it is not there.
pub(super) const NEGATIONS: [&str; 5] = ["no ", "denies ", "without ", "not have ", "no signs of "];
