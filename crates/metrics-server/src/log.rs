//! Logs to standard error, in the form of the Go exporters: `time`, `level`, `source`, `msg`, then
//! the fields.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::{
    args::{LogFormat, LogLevel},
    spans::SpanLayer,
};

/// Starts logging. `RUST_LOG`, where it is set and valid, overrides `level`.
///
/// `spans` are sent from the same subscriber. A second call changes nothing.
pub fn init(level: LogLevel, format: LogFormat, spans: Option<SpanLayer>) {
    let default = || Targets::new().with_default(filter(level));
    let targets = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .event_format(Lines { format, repeats: Repeats::default() })
        .with_filter(targets.unwrap_or_else(default));
    // Only tests come here twice, and the first logger serves them as well.
    let _already_started = tracing_subscriber::registry().with(layer).with(spans).try_init();
}

const fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    }
}

struct Lines {
    format: LogFormat,
    repeats: Repeats,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        #[expect(clippy::disallowed_methods, reason = "a log line is stamped when it is written")]
        let now = SystemTime::now();
        let place = (metadata.file().unwrap_or_default(), metadata.line().unwrap_or_default());
        let limited = *metadata.level() <= Level::INFO;
        let Some(suppressed) = (if limited { self.repeats.admit(place, now) } else { Some(0) })
        else {
            return Ok(());
        };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut pairs = vec![
            ("time", timestamp(now)),
            ("level", level_name(*metadata.level()).to_owned()),
            ("source", source(metadata.file(), metadata.line())),
            ("msg", fields.message),
        ];
        pairs.extend(fields.others);
        if suppressed > 0 {
            pairs.push(("suppressed", suppressed.to_string()));
        }
        match self.format {
            LogFormat::Logfmt => write_logfmt(&pairs, &mut out)?,
            LogFormat::Json => write_json(&pairs, &mut out)?,
        }
        out.write_char('\n')
    }
}

/// Lines which one place in the code may write in a [`REPEATS_WINDOW`]; debug lines are not counted.
const REPEATS_MAX: u64 = 20;
const REPEATS_WINDOW: Duration = Duration::from_mins(1);

/// Keeps what fails with every scrape from filling a disk: further lines of the same place are
/// suppressed, and the next one that is written tells how many.
#[derive(Default)]
struct Repeats(Mutex<BTreeMap<(&'static str, u32), Repeat>>);

struct Repeat {
    since: SystemTime,
    written: u64,
    suppressed: u64,
}

impl Repeats {
    /// How many lines of `place` were suppressed before this one, or `None` if it is to be as well.
    fn admit(&self, place: (&'static str, u32), now: SystemTime) -> Option<u64> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Repeat { since: now, written: 0, suppressed: 0 };
        let repeat = places.entry(place).or_insert_with(fresh);
        // A clock that was set back begins a window as well.
        let within = now.duration_since(repeat.since).is_ok_and(|age| age < REPEATS_WINDOW);
        if !within {
            repeat.since = now;
            repeat.written = 0;
        }
        if repeat.written >= REPEATS_MAX {
            repeat.suppressed += 1;
            return None;
        }
        repeat.written += 1;
        Some(std::mem::take(&mut repeat.suppressed))
    }
}

const fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARN",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

fn source(file: Option<&str>, line: Option<u32>) -> String {
    let name = file.and_then(|file| Path::new(file).file_name()?.to_str()).unwrap_or("unknown");
    format!("{name}:{}", line.unwrap_or(0))
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => self.others.push((name, text)),
        }
    }
}

fn write_logfmt(pairs: &[(&str, String)], out: &mut impl fmt::Write) -> fmt::Result {
    for (index, (key, value)) in pairs.iter().enumerate() {
        let gap = if index == 0 { "" } else { " " };
        let bare = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\');
        if !value.is_empty() && value.chars().all(bare) {
            write!(out, "{gap}{key}={value}")?;
        } else {
            write!(out, "{gap}{key}={}", serde_json::Value::from(value.as_str()))?;
        }
    }
    Ok(())
}

fn write_json(pairs: &[(&str, String)], out: &mut impl fmt::Write) -> fmt::Result {
    for (index, (key, value)) in pairs.iter().enumerate() {
        let gap = if index == 0 { '{' } else { ',' };
        write!(out, "{gap}\"{key}\":{}", serde_json::Value::from(value.as_str()))?;
    }
    out.write_char('}')
}

/// RFC 3339 in UTC with milliseconds.
fn timestamp(now: SystemTime) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60,
        since.subsec_millis()
    )
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    // Years are counted from 1 March of year 0, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{REPEATS_MAX, REPEATS_WINDOW, Repeats, timestamp, write_json, write_logfmt};

    #[test]
    fn repeats_are_suppressed_and_counted() {
        let repeats = Repeats::default();
        let (place, other) = (("a.rs", 1), ("a.rs", 2));
        let now = UNIX_EPOCH + Duration::from_secs(100);
        for _ in 0..REPEATS_MAX {
            assert_eq!(repeats.admit(place, now), Some(0));
        }
        for _ in 0..5 {
            assert_eq!(repeats.admit(place, now), None);
        }
        assert_eq!(repeats.admit(other, now), Some(0), "each place has its own count");
        let later = now + REPEATS_WINDOW;
        assert_eq!(repeats.admit(place, later), Some(5));
        assert_eq!(repeats.admit(place, later), Some(0));
        let set_back = UNIX_EPOCH;
        assert_eq!(repeats.admit(place, set_back), Some(0));
    }

    #[test]
    fn times_are_utc_with_milliseconds() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_399, "2000-02-28T23:59:59.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (1_763_721_036, "2025-11-21T10:30:36.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(7);
            assert_eq!(timestamp(time), expected);
        }
    }

    #[test]
    fn values_are_quoted_where_they_must_be() {
        let pairs =
            [("level", "INFO".to_owned()), ("msg", "two words".into()), ("e", "a=\"b\n\"".into())];
        let mut line = String::new();
        write_logfmt(&pairs, &mut line).expect("memory");
        assert_eq!(line, r#"level=INFO msg="two words" e="a=\"b\n\"""#);

        let mut line = String::new();
        write_json(&pairs, &mut line).expect("memory");
        assert_eq!(line, r#"{"level":"INFO","msg":"two words","e":"a=\"b\n\""}"#);
    }
}
