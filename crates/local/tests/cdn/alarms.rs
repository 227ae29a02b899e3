//! The alarms on what viewers are answered.

use local_testing::{TestResult, workspace};
use regex::Regex;
use saphyr::{LoadableYamlNode as _, Yaml};

/// An alarm of `cdn.yaml`, with as much of metric math as is there.
struct Alarm<'a>(&'a Yaml<'a>);

impl Alarm<'_> {
    /// Whether requests of one period, with this rate of errors, are over its threshold.
    fn breaches(&self, requests: f64, rate: f64) -> TestResult<bool> {
        let of = |metric: &Yaml<'_>| -> TestResult<f64> {
            assert_eq!(metric["Namespace"].as_str(), Some("AWS/CloudFront"));
            let dimensions = metric["Dimensions"].as_vec().ok_or("dimensions")?;
            let names: Vec<_> = dimensions.iter().filter_map(|it| it["Name"].as_str()).collect();
            assert_eq!(names, ["DistributionId", "Region"]);
            assert_eq!(dimensions[1]["Value"].as_str(), Some("Global"), "CloudFront knows no other");
            Ok(if metric["MetricName"].as_str() == Some("Requests") { requests } else { rate })
        };
        let value = match self.0.as_mapping_get("Metrics").and_then(Yaml::as_vec) {
            None => of(self.0)?,
            Some(metrics) => {
                let metric = |id: &str| -> TestResult<f64> {
                    let metric = metrics.iter().find(|it| it["Id"].as_str() == Some(id)).ok_or("a metric")?;
                    assert_eq!(metric["ReturnData"].as_bool(), Some(false), "the expression alone counts");
                    of(&metric["MetricStat"]["Metric"])
                };
                let expression = metrics[0]["Expression"].as_str().ok_or("an expression first")?;
                let math = Regex::new(r"^IF\((\w+) >= (\d+), (\w+), 0\)$")?;
                let [condition, least, value] = math.captures(expression).ok_or("an IF")?.extract().1;
                if metric(condition)? >= least.parse()? { metric(value)? } else { 0.0 }
            }
        };
        assert_eq!(self.0["ComparisonOperator"].as_str(), Some("GreaterThanThreshold"));
        let threshold: i32 = self.0["Threshold"].as_integer().ok_or("a threshold")?.try_into()?;
        Ok(value > f64::from(threshold))
    }
}

#[test]
fn one_stray_address_at_night_raises_no_alarm_and_a_quarter_of_many_does() -> TestResult {
    let text = std::fs::read_to_string(workspace().join("infra/cdn.yaml"))?;
    let template = Yaml::load_from_str(&text)?;
    let alarm = |name: &str| Alarm(&template[0]["Resources"][name]["Properties"]);
    let clients = alarm("ClientErrorsAlarm");
    assert!(!clients.breaches(3.0, 33.3)?, "one of three");
    assert!(!clients.breaches(1.0, 100.0)?, "one alone");
    assert!(clients.breaches(100.0, 26.0)?, "26 of a hundred");
    assert!(!clients.breaches(100.0, 25.0)?, "25 of a hundred");
    assert!(alarm("ServerErrorsAlarm").breaches(3.0, 33.3)?, "a 5xx is no caller's mistake");
    Ok(())
}
