//! Languages of jobs.

/// `LanguageCode` of the service model of Transcribe (aws-sdk-transcribe 1.127.0, 2026-11).
const BATCH: &str = "ab-GE af-ZA am-ET ar-AE ar-SA ast-ES az-AZ ba-RU be-BY bg-BG bn-IN bs-BA ca-ES ckb-IQ ckb-IR cs-CZ cy-GB cy-WL da-DK \
     de-CH de-DE el-GR en-AB en-AU en-GB en-IE en-IN en-NZ en-US en-WL en-ZA es-ES es-MX es-US et-EE et-ET eu-ES fa-AF fa-IR fi-FI \
     fr-CA fr-FR ga-IE gd-GB gl-ES gu-IN ha-NG he-IL hi-IN hr-HR ht-HT hu-HU hy-AM id-ID is-IS it-IT ja-JP jv-ID ka-GE kab-DZ kk-KZ \
     km-KH kn-IN ko-KR ky-KG lg-IN lt-LT lv-LV mhr-RU mi-NZ mk-MK ml-IN mn-MN mr-IN ms-MY mt-MT my-MM ne-NP nl-NL no-NO or-IN pa-IN \
     pl-PL ps-AF pt-BR pt-PT ro-RO ru-RU rw-RW si-LK sk-SK sl-SI so-SO sq-AL sr-RS su-ID sv-SE sw-BI sw-KE sw-RW sw-TZ sw-UG ta-IN \
     te-IN th-TH tl-PH tr-TR tt-RU ug-CN uk-UA uz-UZ vi-VN wo-SN zh-CN zh-HK zh-TW zu-ZA";

pub(super) fn is_known(code: &str) -> bool {
    BATCH.split_whitespace().any(|it| it == code)
}

/// The language of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Given(String),
    /// One of these, or any if there are none.
    Identified(Vec<String>),
    /// Several of these.
    Several(Vec<String>),
}

impl Language {
    pub(super) fn options(&self) -> &[String] {
        match self {
            Self::Given(_) => &[],
            Self::Identified(options) | Self::Several(options) => options,
        }
    }

    /// The language that a job takes words for.
    pub(super) fn of_words(&self, own: Option<&str>) -> String {
        let options = self.options();
        match (self, own) {
            (Self::Given(code), _) => code.clone(),
            (_, Some(own)) if options.is_empty() || options.iter().any(|it| it == own) => own.to_owned(),
            _ => options.first().cloned().unwrap_or_else(|| "en-US".to_owned()),
        }
    }
}
