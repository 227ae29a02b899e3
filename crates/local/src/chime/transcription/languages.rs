//! Languages and regions of the engines of live transcription.

/// `LanguageCode` of the service model of Transcribe's streaming (aws-sdk-transcribestreaming 1.126.0, 2026-11). The Chime SDK takes other
/// codes too, and then the transcription fails.
const STREAMING: &str = "af-ZA am-ET ar-AE ar-SA be-BY bg-BG bn-IN bs-BA ca-ES ckb-IQ ckb-IR cs-CZ cy-WL da-DK de-CH de-DE el-GR en-AB \
     en-AU en-GB en-IE en-IN en-NZ en-US en-WL en-ZA es-ES es-MX es-US et-ET eu-ES fa-AF fa-IR fi-FI fr-CA fr-FR gl-ES gu-IN he-IL \
     hi-IN hr-HR ht-HT hu-HU hy-AM id-ID is-IS it-IT ja-JP jv-ID ka-GE kab-DZ kk-KZ km-KH kn-IN ko-KR lg-IN lt-LT lv-LV mk-MK ml-IN \
     mr-IN ms-MY my-MM ne-NP nl-NL no-NO or-IN pa-IN pl-PL ps-AF pt-BR pt-PT ro-RO ru-RU si-LK sk-SK sl-SI so-SO sq-AL sr-RS su-ID \
     sv-SE sw-BI sw-KE sw-RW sw-TZ sw-UG ta-IN te-IN th-TH tl-PH tr-TR uk-UA uz-UZ vi-VN zh-CN zh-HK zh-TW zu-ZA";

/// `TranscribeRegion` of the meetings API, without `auto`.
const STANDARD_REGIONS: [&str; 12] = [
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

/// `TranscribeMedicalRegion`, without `auto`.
pub(crate) const MEDICAL_REGIONS: [&str; 6] =
    ["us-east-1", "us-east-2", "us-west-2", "ap-southeast-2", "ca-central-1", "eu-west-1"];

/// The engine of a transcription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Standard,
    Medical,
}

impl Engine {
    fn regions(self) -> &'static [&'static str] {
        match self {
            Self::Standard => &STANDARD_REGIONS,
            Self::Medical => &MEDICAL_REGIONS,
        }
    }

    /// Whether a request may name this region.
    pub(super) fn is_region(self, region: &str) -> bool {
        region == "auto" || self.regions().contains(&region)
    }

    /// The region in which it runs; `Err`: it is absent from this one.
    pub(super) fn region(self, named: Option<&str>, media_region: &str) -> Result<String, String> {
        let region = match named {
            Some("auto") => self.near(media_region),
            Some(named) => named,
            None => media_region,
        };
        if self.regions().contains(&region) { Ok(region.to_owned()) } else { Err(region.to_owned()) }
    }

    /// AWS does not document which region is near; this table only crosses borders as `auto` does. The medical engine's eu-west-2 is the
    /// guide's (<https://docs.aws.amazon.com/chime-sdk/latest/dg/transcription-options.html#choose-region>).
    fn near(self, media_region: &str) -> &str {
        let own = self.regions().iter().find(|it| **it == media_region);
        let by_continent = || match (self, media_region.split('-').next().unwrap_or_default()) {
            (Self::Standard, "eu" | "af") => "eu-central-1",
            (_, "ap") => "ap-southeast-2",
            (Self::Standard, _) if media_region.starts_with("us-gov-") => "us-gov-west-1",
            (Self::Standard | Self::Medical, _) => "us-east-1",
        };
        own.copied().unwrap_or_else(by_continent)
    }
}

/// Whether Transcribe's streaming knows a language.
pub(super) fn is_streaming(code: &str) -> bool {
    STREAMING.split_whitespace().any(|it| it == code)
}

/// `en` of `en-US`.
pub(super) fn language(code: &str) -> &str {
    code.split('-').next().unwrap_or(code)
}
