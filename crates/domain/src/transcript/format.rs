//! The form in which a transcript is given, negotiated by `Accept`
//! (<https://www.rfc-editor.org/rfc/rfc9110.html#name-accept>).

use crate::transcript::Segment;
use crate::transcript::export;
use crate::transcript::gaps::Gap;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Vtt,
    Srt,
    Text,
}

impl Format {
    /// The forms; of those that a caller wants equally, the first is given.
    pub const ALL: [Self; 4] = [Self::Json, Self::Vtt, Self::Srt, Self::Text];

    /// The name in the audit, and the extension of the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Vtt => "vtt",
            Self::Srt => "srt",
            Self::Text => "txt",
        }
    }

    /// Type and subtype.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Vtt => "text/vtt",
            Self::Srt => "application/x-subrip",
            Self::Text => "text/plain",
        }
    }

    /// The form for an `Accept` header; JSON without one. `None`: no form is acceptable.
    #[must_use]
    pub fn accepted(accept: Option<&str>) -> Option<Self> {
        let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return Some(Self::Json) };
        let ranges: Vec<Range<'_>> = accept.split(',').filter_map(Range::parse).collect();
        let mut best: Option<(Wanted, Self)> = None;
        for format in Self::ALL {
            // The most specific range that names the form decides, also where it excludes it.
            let of = ranges.iter().filter_map(|range| range.of(format)).max_by_key(|of| of.specificity);
            if let Some(wanted) = of.filter(|of| of.quality > 0)
                && best.is_none_or(|(other, _)| wanted.place() > other.place())
            {
                best = Some((wanted, format));
            }
        }
        best.map(|(_, format)| format)
    }

    /// The file; `None` for JSON, which has more than the text.
    #[must_use]
    pub fn file(self, segments: &[Segment], gaps: &[Gap]) -> Option<String> {
        match self {
            Self::Json => None,
            Self::Vtt => Some(export::vtt(segments, gaps)),
            Self::Srt => Some(export::srt(segments, gaps)),
            Self::Text => Some(export::text(segments, gaps)),
        }
    }
}

/// How much a form is wanted.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    /// In thousandths.
    quality: u16,
    /// 2 for `text/vtt`, 1 for `text/*`, 0 for `*/*`.
    specificity: u8,
}

impl Wanted {
    /// Of forms of the same quality, the one that the caller names.
    const fn place(self) -> (u16, u8) {
        (self.quality, self.specificity)
    }
}

/// A media range.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: u16,
}

impl<'a> Range<'a> {
    /// `None`: it is malformed, and is ignored.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        let quality = match quality {
            None => 1_000,
            Some(value) => thousandths(value)?,
        };
        Some(Self { kind: kind.trim(), subtype: subtype.trim(), quality })
    }

    fn of(&self, format: Format) -> Option<Wanted> {
        let (kind, subtype) = format.media_type().split_once('/')?;
        let specificity = match (self.kind, self.subtype) {
            ("*", "*") => 0,
            (of, "*") if of.eq_ignore_ascii_case(kind) => 1,
            (of, sub) if of.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) => 2,
            _ => return None,
        };
        Some(Wanted { quality: self.quality, specificity })
    }
}

/// A quality from 0 to 1 with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let value: u16 = match whole {
        "0" if digits => format!("{decimals:0<3}").parse().ok()?,
        "1" if digits && decimals.bytes().all(|byte| byte == b'0') => 1_000,
        _ => return None,
    };
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_that_the_caller_wants_most() {
        for (accept, expected) in [
            ("", Some(Format::Json)),
            ("*/*", Some(Format::Json)),
            ("application/*", Some(Format::Json)),
            ("application/json", Some(Format::Json)),
            ("text/*", Some(Format::Vtt)),
            ("text/vtt", Some(Format::Vtt)),
            ("Text/VTT; charset=utf-8", Some(Format::Vtt)),
            ("application/x-subrip", Some(Format::Srt)),
            ("text/plain", Some(Format::Text)),
            ("text/vtt, */*", Some(Format::Vtt)),
            ("text/plain;q=0.5, text/vtt;q=0.4", Some(Format::Text)),
            ("text/plain;q=0.5,application/json;q=0.9", Some(Format::Json)),
            ("*/*, application/json;q=0", Some(Format::Vtt)),
            ("text/*, text/vtt;q=0.1", Some(Format::Text)),
            ("text/vtt;q=0", None),
            ("*/*;q=0", None),
            ("*/*;q=0, text/plain;q=0.001", Some(Format::Text)),
            ("application/pdf", None),
            ("application/pdf, text/html;q=0.9", None),
            ("text/html, application/xml;q=0.9, */*;q=0.8", Some(Format::Json)),
            ("nonsense", None),
            ("text/vtt;q=2, text/plain", Some(Format::Text)),
            ("text/vtt;q=0.1234", None),
            ("text/vtt;q=-1", None),
            ("*/vtt", None),
            (",,;q=1,/", None),
        ] {
            assert_eq!(Format::accepted(Some(accept)), expected, "{accept}");
        }
        assert_eq!(Format::accepted(None), Some(Format::Json));
    }
}
