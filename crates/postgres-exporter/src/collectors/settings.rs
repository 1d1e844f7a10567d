//! Server parameters which are numbers or switches: `pg_settings_*`.

use metrics_server::{Collecting, Collector, CollectorSpec, Desc, Page};
use tracing::debug;

use crate::{
    instance::Instance,
    row::{RowError, Rows},
};

/// See the module.
pub const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "settings",
    help: "Server parameters",
    enabled_by_default: true,
    build: || Box::new(Settings),
};

const QUERY: &str = include_str!("settings.sql");

struct Settings;

impl Collector<Instance> for Settings {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move {
            let labels = instance.legacy_labels().unwrap_or_default();
            let labels: Vec<_> =
                labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            Ok(write(&instance.query(QUERY).await?, &labels, out)?)
        })
    }
}

/// A row that cannot be read, as forks of the server have them, costs its own family alone.
fn write(rows: &Rows, labels: &[(&str, &str)], out: &mut Page) -> Result<(), RowError> {
    for row in rows.iter() {
        let (Some(name), Some(setting)) = (row.text("name")?, row.text("setting")?) else {
            continue;
        };
        let kind = row.text("vartype")?.unwrap_or_default();
        let unit = row.text("unit")?.unwrap_or_default();
        let Some(parameter) = parameter(name, setting, unit, kind) else {
            debug!(setting = name, unit, "left out a setting which cannot be read");
            continue;
        };
        out.sample(Desc::gauge(&parameter.family, &parameter.help), labels, parameter.value);
    }
    Ok(())
}

/// A parameter in base units.
#[derive(Debug, PartialEq)]
struct Parameter {
    family: String,
    help: String,
    value: f64,
}

fn parameter(name: &str, setting: &str, unit: &str, kind: &str) -> Option<Parameter> {
    let (value, base) = if kind == "bool" {
        (f64::from(u8::from(setting == "on")), "")
    } else {
        let (factor, divisor, base) = scale(unit)?;
        let value = number(setting)?;
        // -1 is "off", "no limit" or "as another one" in every unit.
        (if is_minus_one(value) { value } else { value * factor / divisor }, base)
    };
    let name_in_family = name.replace(['.', '-'], "_");
    let (suffix, note) = if base.is_empty() {
        (String::new(), String::new())
    } else {
        (format!("_{base}"), format!(" [Units converted to {base}.]"))
    };
    Some(Parameter {
        family: format!("pg_settings_{name_in_family}{suffix}"),
        help: format!("Server Parameter: {name}{note}"),
        value,
    })
}

#[expect(clippy::float_cmp, reason = "the server writes -1 exactly")]
fn is_minus_one(value: f64) -> bool {
    value == -1.0
}

/// The number before a unit which some forks repeat in the value, as in `16MB`. What the unit is
/// stands in a column of its own.
fn number(setting: &str) -> Option<f64> {
    setting.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end().parse().ok()
}

/// How many base units a unit is, as factor and divisor, and which; the server writes some with a
/// factor: `8kB`.
fn scale(unit: &str) -> Option<(f64, f64, &'static str)> {
    const KIB: f64 = 1024.0;
    let digits = unit.len() - unit.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (factor, unit) = unit.split_at_checked(digits)?;
    let factor = if factor.is_empty() { 1.0 } else { factor.parse().ok()? };
    let (scale, divisor, base) = match unit {
        "" => (1.0, 1.0, ""),
        "B" => (1.0, 1.0, "bytes"),
        "kB" => (KIB, 1.0, "bytes"),
        "MB" => (KIB * KIB, 1.0, "bytes"),
        "GB" => (KIB * KIB * KIB, 1.0, "bytes"),
        "TB" => (KIB * KIB * KIB * KIB, 1.0, "bytes"),
        "ms" => (1.0, 1_000.0, "seconds"),
        "s" => (1.0, 1.0, "seconds"),
        "min" => (60.0, 1.0, "seconds"),
        "h" => (3_600.0, 1.0, "seconds"),
        "d" => (86_400.0, 1.0, "seconds"),
        _ => return None,
    };
    Some((factor * scale, divisor, base))
}

#[cfg(test)]
mod tests;
