//! Where the media of a call is processed: the deployment's region, or another that a start names.

use std::str::FromStr;

use crate::error::Error;

/// The media regions of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaRegions {
    /// That of a call whose start names none.
    pub default: String,
    /// Those that a start may name, beside the default.
    pub allowed: AllowedRegions,
    /// The region of the stack. A recording is stored there, and Chime stores one only in the region of the call's media
    /// (Chime SDK developer guide, "Creating an Amazon S3 bucket for media pipelines").
    pub own: String,
}

/// Regions as a setting, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedRegions(Vec<String>);

impl FromStr for AllowedRegions {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let regions = text.split(',').map(str::trim).filter(|region| !region.is_empty());
        Ok(Self(regions.map(str::to_owned).collect()))
    }
}

impl MediaRegions {
    /// The region of a new call. A call that is to be captured, for its recording or its text, is in the stack's own region, if that is
    /// allowed and the start names none.
    ///
    /// # Errors
    /// 422 for a region that is not allowed, and for one in which the call cannot be captured.
    pub fn choose<'a>(&'a self, requested: Option<&'a str>, captured: bool) -> Result<&'a str, Error> {
        let Some(region) = requested else {
            let captures_elsewhere = captured && self.default != self.own;
            return Ok(if captures_elsewhere && self.is_allowed(&self.own) {
                &self.own
            } else {
                &self.default
            });
        };
        if !self.is_allowed(region) {
            let mut regions: Vec<&str> = self.allowed.0.iter().map(String::as_str).collect();
            regions.insert(0, &self.default);
            regions.dedup();
            return Err(Error::invalid("mediaRegion", format!("must be one of {}", regions.join(", "))));
        }
        if captured && region != self.own {
            let own = &self.own;
            return Err(Error::invalid(
                "mediaRegion",
                format!("must be {own} for a call that is recorded or transcribed"),
            ));
        }
        Ok(region)
    }

    fn is_allowed(&self, region: &str) -> bool {
        region == self.default || self.allowed.0.iter().any(|allowed| allowed == region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions(default: &str, allowed: &str, own: &str) -> MediaRegions {
        let allowed = allowed.parse().unwrap_or_default();
        MediaRegions { default: default.to_owned(), allowed, own: own.to_owned() }
    }

    fn chosen(regions: &MediaRegions, requested: Option<&str>, recording: bool) -> String {
        match regions.choose(requested, recording) {
            Ok(region) => region.to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_start_names_an_allowed_region_or_gets_the_default() {
        let regions = regions("eu-central-1", " eu-west-1,af-south-1, ", "eu-central-1");
        assert_eq!(chosen(&regions, None, false), "eu-central-1");
        for region in ["eu-central-1", "eu-west-1", "af-south-1"] {
            assert_eq!(chosen(&regions, Some(region), false), region);
        }
        for region in ["us-east-1", "EU-WEST-1", "", " eu-west-1"] {
            assert_eq!(
                chosen(&regions, Some(region), false),
                "invalid mediaRegion: must be one of eu-central-1, eu-west-1, af-south-1",
                "{region}"
            );
        }
    }

    #[test]
    fn without_a_list_only_the_default_is_allowed() {
        let regions = regions("eu-central-1", "", "eu-central-1");
        assert_eq!(chosen(&regions, Some("eu-central-1"), true), "eu-central-1");
        assert_eq!(
            chosen(&regions, Some("eu-west-1"), false),
            "invalid mediaRegion: must be one of eu-central-1"
        );
    }

    #[test]
    fn a_call_that_is_captured_is_in_the_region_of_the_stack() {
        let regions = regions("af-south-1", "eu-west-1,eu-central-1", "eu-central-1");
        assert_eq!(chosen(&regions, None, false), "af-south-1");
        assert_eq!(chosen(&regions, None, true), "eu-central-1");
        assert_eq!(chosen(&regions, Some("eu-central-1"), true), "eu-central-1");
        for region in ["af-south-1", "eu-west-1"] {
            assert_eq!(
                chosen(&regions, Some(region), true),
                "invalid mediaRegion: must be eu-central-1 for a call that is recorded or transcribed"
            );
        }
        let elsewhere = MediaRegions { allowed: AllowedRegions::default(), ..regions };
        assert_eq!(chosen(&elsewhere, None, true), "af-south-1", "the stack's region is not allowed");
    }
}
