//! Durations in a mapping file: as Go writes them, or a number of nanoseconds.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// A duration as the file has it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct GoDuration(pub(super) Duration);

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = GoDuration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration like 300ms, 1m30s or 2h")
    }

    fn visit_u64<E: de::Error>(self, nanoseconds: u64) -> Result<GoDuration, E> {
        Ok(GoDuration(Duration::from_nanos(nanoseconds)))
    }

    fn visit_i64<E: de::Error>(self, nanoseconds: i64) -> Result<GoDuration, E> {
        let nanoseconds = u64::try_from(nanoseconds)
            .map_err(|_negative| E::custom("a duration cannot be negative"))?;
        self.visit_u64(nanoseconds)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<GoDuration, E> {
        parse(text).map(GoDuration).map_err(E::custom)
    }
}

/// Reads `300ms`, `1m20s`, `1.5h`, `0`; there are no days.
fn parse(text: &str) -> Result<Duration, String> {
    let invalid = || format!("invalid duration {text:?}: expected a form like 300ms, 1m30s or 2h");
    if text.starts_with('-') {
        return Err(format!("invalid duration {text:?}: it cannot be negative"));
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let number_end =
            rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(invalid)?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let number: f64 = number.parse().map_err(|_error| invalid())?;
        seconds += number * unit_seconds(unit).ok_or_else(invalid)?;
        rest = tail;
    }
    Duration::try_from_secs_f64(seconds).map_err(|_error| invalid())
}

fn unit_seconds(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-9),
        "us" | "µs" | "μs" => Some(1e-6),
        "ms" => Some(1e-3),
        "s" => Some(1.0),
        "m" => Some(60.0),
        "h" => Some(3_600.0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("300ms", Some(300)),
            ("1m20s", Some(80_000)),
            ("1.5h", Some(5_400_000)),
            (".5s", Some(500)),
            ("+5s", Some(5_000)),
            ("1d", None),
            ("-1s", None),
            ("5", None),
            ("", None),
            ("s", None),
            ("1.2.3s", None),
            ("1s2", None),
        ] {
            assert_eq!(parse(text).ok(), expected.map(Duration::from_millis), "{text:?}");
        }
    }
}
