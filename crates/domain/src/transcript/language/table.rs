//! The languages and the regions of the engines.
//!
//! Every language has batch jobs. Read on 2026-11-29:
//! - languages, batch, streaming, redaction: <https://docs.aws.amazon.com/transcribe/latest/dg/supported-languages.html>
//! - languages and regions of Chime's model: <https://docs.aws.amazon.com/chime-sdk/latest/APIReference/API_meeting-chime_EngineTranscribeSettings.html>,
//!   <https://docs.aws.amazon.com/chime-sdk/latest/APIReference/API_meeting-chime_EngineTranscribeMedicalSettings.html>
//! - regions of batch jobs: <https://docs.aws.amazon.com/general/latest/gr/transcribe.html>

/// The page that the table is from.
pub const SOURCE: &str = "https://docs.aws.amazon.com/transcribe/latest/dg/supported-languages.html";

/// When it was read.
pub const AS_OF: &str = "2026-11-29";

/// Where Transcribe streams a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streaming {
    No,
    /// In every region that streams.
    Everywhere,
    /// Not in [`WITHOUT_NEWER_LANGUAGES`].
    Newer,
}

/// A language of Transcribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    pub code: &'static str,
    pub name: &'static str,
    pub streaming: Streaming,
    /// Whether Chime's model lists it. The guide says that every language that Transcribe streams works
    /// (<https://docs.aws.amazon.com/chime-sdk/latest/dg/transcription-options.html>); one that the model does not list is
    /// unconfirmed until an attempt succeeded.
    pub in_model: bool,
    /// Whether personal data is marked in the live text.
    pub marks_pii: bool,
}

/// Regions of the standard engine. `auto` is none of them: it crosses borders.
pub const STANDARD_REGIONS: [&str; 12] = [
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "sa-east-1",
    "us-gov-west-1",
];

/// Regions of the medical engine, live and as batch jobs.
pub const MEDICAL_REGIONS: [&str; 6] =
    ["us-east-1", "us-east-2", "us-west-2", "ap-southeast-2", "ca-central-1", "eu-west-1"];

/// The medical engine's only language.
pub const MEDICAL_LANGUAGE: &str = "en-US";

/// Regions that stream the older languages alone.
pub const WITHOUT_NEWER_LANGUAGES: [&str; 5] =
    ["af-south-1", "ap-northeast-1", "ap-southeast-5", "ap-southeast-7", "cn-northwest-1"];

/// Regions of batch jobs.
pub const BATCH_REGIONS: [&str; 22] = [
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "me-south-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// The language of a code, in any case of its letters.
#[must_use]
pub fn find(code: &str) -> Option<&'static Language> {
    LANGUAGES.iter().find(|language| language.code.eq_ignore_ascii_case(code))
}

const fn batch_only(code: &'static str, name: &'static str) -> Language {
    Language { code, name, streaming: Streaming::No, in_model: false, marks_pii: false }
}

const fn newer(code: &'static str, name: &'static str) -> Language {
    Language { streaming: Streaming::Newer, ..batch_only(code, name) }
}

const fn streamed(code: &'static str, name: &'static str) -> Language {
    Language { streaming: Streaming::Everywhere, ..batch_only(code, name) }
}

const fn in_model(language: Language) -> Language {
    Language { in_model: true, ..language }
}

const fn marks_pii(language: Language) -> Language {
    Language { marks_pii: true, ..language }
}

/// By their codes. The codes are Transcribe's own: `lg-IN`, `et-ET` and `cy-WL` are spelled so.
pub const LANGUAGES: [Language; 113] = [
    batch_only("ab-GE", "Abkhaz"),
    streamed("af-ZA", "Afrikaans"),
    newer("am-ET", "Amharic"),
    streamed("ar-AE", "Arabic (Gulf)"),
    streamed("ar-SA", "Arabic (Modern Standard)"),
    batch_only("ast-ES", "Asturian"),
    batch_only("az-AZ", "Azerbaijani"),
    batch_only("ba-RU", "Bashkir"),
    newer("be-BY", "Belarusian"),
    newer("bg-BG", "Bulgarian"),
    newer("bn-IN", "Bengali"),
    newer("bs-BA", "Bosnian"),
    streamed("ca-ES", "Catalan"),
    newer("ckb-IQ", "Central Kurdish (Iraq)"),
    newer("ckb-IR", "Central Kurdish (Iran)"),
    streamed("cs-CZ", "Czech"),
    newer("cy-WL", "Welsh"),
    streamed("da-DK", "Danish"),
    marks_pii(streamed("de-CH", "German (Swiss)")),
    in_model(marks_pii(streamed("de-DE", "German"))),
    streamed("el-GR", "Greek"),
    marks_pii(streamed("en-AB", "English (Scottish)")),
    in_model(marks_pii(streamed("en-AU", "English (Australian)"))),
    in_model(marks_pii(streamed("en-GB", "English (British)"))),
    marks_pii(streamed("en-IE", "English (Irish)")),
    marks_pii(streamed("en-IN", "English (Indian)")),
    marks_pii(streamed("en-NZ", "English (New Zealand)")),
    in_model(marks_pii(streamed("en-US", "English (US)"))),
    marks_pii(streamed("en-WL", "English (Welsh)")),
    marks_pii(streamed("en-ZA", "English (South African)")),
    marks_pii(streamed("es-ES", "Spanish")),
    newer("es-MX", "Spanish (Mexican)"),
    in_model(marks_pii(streamed("es-US", "Spanish (US)"))),
    batch_only("et-EE", "Estonian"),
    newer("et-ET", "Estonian"),
    streamed("eu-ES", "Basque"),
    newer("fa-AF", "Farsi (Afghan)"),
    streamed("fa-IR", "Farsi"),
    streamed("fi-FI", "Finnish"),
    in_model(marks_pii(streamed("fr-CA", "French (Canadian)"))),
    in_model(marks_pii(streamed("fr-FR", "French"))),
    streamed("gl-ES", "Galician"),
    newer("gu-IN", "Gujarati"),
    batch_only("ha-NG", "Hausa"),
    streamed("he-IL", "Hebrew"),
    in_model(streamed("hi-IN", "Hindi")),
    streamed("hr-HR", "Croatian"),
    newer("ht-HT", "Haitian Creole"),
    newer("hu-HU", "Hungarian"),
    newer("hy-AM", "Armenian"),
    streamed("id-ID", "Indonesian"),
    newer("is-IS", "Icelandic"),
    in_model(marks_pii(streamed("it-IT", "Italian"))),
    in_model(streamed("ja-JP", "Japanese")),
    newer("jv-ID", "Javanese"),
    newer("ka-GE", "Georgian"),
    newer("kab-DZ", "Kabyle"),
    newer("kk-KZ", "Kazakh"),
    newer("km-KH", "Khmer"),
    newer("kn-IN", "Kannada"),
    in_model(streamed("ko-KR", "Korean")),
    batch_only("ky-KG", "Kyrgyz"),
    newer("lg-IN", "Luganda"),
    newer("lt-LT", "Lithuanian"),
    streamed("lv-LV", "Latvian"),
    batch_only("mhr-RU", "Meadow Mari"),
    newer("mk-MK", "Macedonian"),
    newer("ml-IN", "Malayalam"),
    batch_only("mn-MN", "Mongolian"),
    newer("mr-IN", "Marathi"),
    streamed("ms-MY", "Malay"),
    batch_only("mt-MT", "Maltese"),
    newer("my-MM", "Burmese"),
    newer("ne-NP", "Nepali"),
    streamed("nl-NL", "Dutch"),
    streamed("no-NO", "Norwegian Bokmål"),
    newer("or-IN", "Odia"),
    newer("pa-IN", "Punjabi"),
    streamed("pl-PL", "Polish"),
    newer("ps-AF", "Pashto"),
    in_model(marks_pii(streamed("pt-BR", "Portuguese (Brazilian)"))),
    marks_pii(streamed("pt-PT", "Portuguese")),
    streamed("ro-RO", "Romanian"),
    streamed("ru-RU", "Russian"),
    batch_only("rw-RW", "Kinyarwanda"),
    newer("si-LK", "Sinhala"),
    streamed("sk-SK", "Slovak"),
    newer("sl-SI", "Slovenian"),
    streamed("so-SO", "Somali"),
    newer("sq-AL", "Albanian"),
    streamed("sr-RS", "Serbian"),
    newer("su-ID", "Sundanese"),
    streamed("sv-SE", "Swedish"),
    newer("sw-BI", "Swahili (Burundi)"),
    newer("sw-KE", "Swahili (Kenya)"),
    newer("sw-RW", "Swahili (Rwanda)"),
    newer("sw-TZ", "Swahili (Tanzania)"),
    newer("sw-UG", "Swahili (Uganda)"),
    newer("ta-IN", "Tamil"),
    newer("te-IN", "Telugu"),
    in_model(streamed("th-TH", "Thai")),
    streamed("tl-PH", "Tagalog/Filipino"),
    newer("tr-TR", "Turkish"),
    batch_only("tt-RU", "Tatar"),
    batch_only("ug-CN", "Uyghur"),
    streamed("uk-UA", "Ukrainian"),
    newer("uz-UZ", "Uzbek"),
    streamed("vi-VN", "Vietnamese"),
    batch_only("wo-SN", "Wolof"),
    in_model(streamed("zh-CN", "Chinese (Simplified)")),
    streamed("zh-HK", "Chinese (Cantonese)"),
    streamed("zh-TW", "Chinese (Traditional)"),
    streamed("zu-ZA", "Zulu"),
];
