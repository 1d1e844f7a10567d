//! Values as PostgreSQL writes them: numbers, times, intervals, arrays of numbers.

/// A number, boolean, time (seconds since 1970) or interval (seconds).
pub fn number(text: &str) -> Option<f64> {
    match text {
        "t" | "true" => Some(1.0),
        "f" | "false" => Some(0.0),
        text => text.trim().parse().ok().or_else(|| time(text)).or_else(|| interval(text)),
    }
}

/// Seconds since 1970 of `2026-11-26`, `2026-11-26 01:32:07.5` and `2026-11-26 01:32:07+05:30`.
/// Without a zone it is UTC.
pub fn time(text: &str) -> Option<f64> {
    let (date, rest) = text.trim().split_once([' ', 'T']).unwrap_or((text, ""));
    let numbers = |part: &str| part.parse::<u32>().ok();
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, numbers(parts.next()?)?, numbers(parts.next()?)?);
    if parts.next().is_some() || !(4..=6).contains(&year.len()) || month > 12 || day > 31 {
        return None;
    }
    let days = days_from_civil(numbers(year)?.into(), month.into(), day.into());
    let zone = rest.find(['+', '-', 'Z']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at_checked(zone)?;
    let seconds = if clock.is_empty() { 0.0 } else { sexagesimal(clock)? };
    let offset = match zone.strip_prefix('-') {
        Some(west) => -sexagesimal(west)?,
        None if zone.is_empty() || zone == "Z" => 0.0,
        None => sexagesimal(zone.strip_prefix('+')?)?,
    };
    Some(days as f64 * 86_400.0 + seconds - offset)
}

/// Seconds of `1 day 02:03:04.5`, as `intervalstyle = postgres` writes it. A month is 30 days, a year
/// 365.25, as `extract(epoch …)` has them.
pub fn interval(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut words = text.split_whitespace().peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        if word.contains(':') {
            let (sign, clock) = match word.strip_prefix('-') {
                Some(clock) => (-1.0, clock),
                None => (1.0, word.trim_start_matches('+')),
            };
            seconds += sign * sexagesimal(clock)?;
        } else {
            let count: f64 = word.parse().ok()?;
            seconds += count
                * match words.next()? {
                    "day" | "days" => 86_400.0,
                    "mon" | "mons" => 30.0 * 86_400.0,
                    "year" | "years" => 365.25 * 86_400.0,
                    _ => return None,
                };
        }
    }
    Some(seconds)
}

/// Milliseconds of a duration of Go, an interval, or a number of milliseconds. -1 is none.
pub fn milliseconds(text: &str) -> Option<f64> {
    let text = text.trim();
    if text == "-1" {
        return None;
    }
    if let Ok(number) = text.parse::<f64>() {
        return Some(number);
    }
    let go = || {
        let (sign, rest) = text.strip_prefix('-').map_or((1.0, text), |rest| (-1.0, rest));
        let duration = metrics_server::args::parse_duration(rest).ok()?;
        Some(sign * duration.as_secs_f64() * 1_000.0)
    };
    go().or_else(|| interval(text).map(|seconds| seconds * 1_000.0))
}

/// The numbers of `{0.1,0.5,1}`.
pub fn numbers(text: &str) -> Option<Vec<f64>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    if inner.is_empty() {
        return Some(Vec::new());
    }
    inner.split(',').map(|word| word.trim_matches('"').parse().ok()).collect()
}

/// Seconds of `01:02:03.5`, `05:30` (hours and minutes) and `05` (hours).
fn sexagesimal(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut unit = 3_600.0;
    for part in text.split(':') {
        if part.is_empty() || unit < 1.0 || part.starts_with(['+', '-']) {
            return None;
        }
        seconds += part.parse::<f64>().ok().filter(|part| part.is_finite())? * unit;
        unit /= 60.0;
    }
    Some(seconds)
}

/// Days since 1970-01-01 of a day of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::{interval, milliseconds, number, numbers, time};

    #[test]
    fn values_are_read_as_postgresql_writes_them() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("-1.5e3", Some(-1500.0)),
            ("t", Some(1.0)),
            ("false", Some(0.0)),
            ("Infinity", Some(f64::INFINITY)),
            ("1970-01-01 00:00:00", Some(0.0)),
            ("2026-11-26 01:32:07.5+00", Some(1_795_656_727.5)),
            ("2026-11-26 07:02:07.5+05:30", Some(1_795_656_727.5)),
            ("2026-11-25 20:32:07.5-05", Some(1_795_656_727.5)),
            ("2000-02-29", Some(951_782_400.0)),
            ("00:00:01.5", Some(1.5)),
            ("-00:00:01.5", Some(-1.5)),
            ("1 day 02:00:00", Some(93_600.0)),
            ("1 mon -1 days", Some(2_505_600.0)),
            ("", None),
            ("abc", None),
            ("2026-13-01", None),
            ("1:2:3:4", None),
        ] {
            assert_eq!(number(text), expected, "{text:?}");
        }
        assert!(number("NaN").is_some_and(f64::is_nan));
        assert_eq!(time("2026-11-26 01:32:07 BC"), None);
        assert_eq!(interval("1 fortnight"), None);
    }

    #[test]
    fn durations_and_arrays_are_read() {
        for (text, expected) in [
            ("5ms", Some(5.0)),
            ("1m30s", Some(90_000.0)),
            ("-2s", Some(-2_000.0)),
            ("-1", None),
            ("00:00:02", Some(2_000.0)),
            ("12.5", Some(12.5)),
            ("soon", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text:?}");
        }
        assert_eq!(numbers("{0.1,\"0.5\",1}"), Some(vec![0.1, 0.5, 1.0]));
        assert_eq!(numbers("{}"), Some(vec![]));
        assert_eq!(numbers("{1,NULL}"), None);
        assert_eq!(numbers("1,2"), None);
    }
}
