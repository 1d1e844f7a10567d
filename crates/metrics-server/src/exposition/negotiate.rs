//! Which format and which compression a scraper gets, from its `Accept` and `Accept-Encoding`.

use super::{Escaping, Format};

/// What a scraper gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Negotiated {
    /// The format of the page.
    pub format: Format,
    /// How names are written in it.
    pub escaping: Escaping,
    /// The `Content-Type` which says so.
    pub content_type: String,
}

/// Chooses a format by the rules of Prometheus' Go library: clauses by falling weight, the first
/// which names an offered format wins, and text 0.0.4 is the answer to anything else.
///
/// OpenMetrics renames counters to `…_total`, so it is offered only if `openmetrics` says so.
/// Source: `expfmt.NegotiateIncludingOpenMetrics` of `prometheus/common` 0.70; text 1.0.0 is ours.
#[must_use]
pub fn negotiate(accept: &str, openmetrics: bool) -> Negotiated {
    let mut escaping = Escaping::default();
    for clause in clauses(accept) {
        if let Some(asked) = clause.parameter("escaping").and_then(Escaping::parse) {
            escaping = asked;
        }
        if let Some((format, media_type)) = offer(&clause, openmetrics) {
            return Negotiated::new(format, &media_type, escaping);
        }
    }
    Negotiated::new(Format::Text, TEXT, escaping)
}

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const TEXT_1: &str = "text/plain; version=1.0.0; charset=utf-8";
const PROTOBUF: &str = "application/vnd.google.protobuf; \
    proto=io.prometheus.client.MetricFamily; encoding=delimited";

impl Negotiated {
    fn new(format: Format, media_type: &str, escaping: Escaping) -> Self {
        let content_type = format!("{media_type}; escaping={}", escaping.as_str());
        Self { format, escaping, content_type }
    }
}

/// The format which answers a clause, and its media type.
fn offer(clause: &Clause<'_>, openmetrics: bool) -> Option<(Format, String)> {
    let version = clause.parameter("version");
    match (clause.media_type, version) {
        ("application/openmetrics-text", None | Some("0.0.1" | "1.0.0")) if openmetrics => {
            let version = version.unwrap_or("0.0.1");
            let media_type =
                format!("application/openmetrics-text; version={version}; charset=utf-8");
            Some((Format::OpenMetrics, media_type))
        }
        ("application/vnd.google.protobuf", _) => {
            let family = clause.parameter("proto") == Some("io.prometheus.client.MetricFamily");
            let delimited = clause.parameter("encoding") == Some("delimited");
            (family && delimited).then(|| (Format::Protobuf, PROTOBUF.to_owned()))
        }
        ("text/plain", Some("1.0.0")) => Some((Format::Text1, TEXT_1.to_owned())),
        ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => {
            Some((Format::Text, TEXT.to_owned()))
        }
        _ => None,
    }
}

/// How a page is compressed on its way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Compression {
    /// Not at all.
    Identity,
    /// `gzip`, the only one which Prometheus asks for.
    Gzip,
    /// `zstd`.
    Zstd,
}

impl Compression {
    /// The `Content-Encoding`, if there is one.
    #[must_use]
    pub const fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }
}

/// The encoding with the highest weight which is offered; of equal ones the first in the header.
#[must_use]
pub fn compression(accept_encoding: &str) -> Compression {
    let offered = clauses(accept_encoding).into_iter().find_map(|clause| match clause.media_type {
        "gzip" => Some(Compression::Gzip),
        "zstd" => Some(Compression::Zstd),
        "identity" => Some(Compression::Identity),
        _ => None,
    });
    offered.unwrap_or(Compression::Identity)
}

struct Clause<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    weight: f64,
}

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().filter(|name| !name.is_empty())?;
        let parameters: Vec<_> = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
            .collect();
        let weight = parameters.iter().find(|(name, _)| *name == "q");
        let weight = weight.map_or(1.0, |(_, value)| value.parse().unwrap_or(0.0));
        Some(Self { media_type, parameters, weight })
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(ours, _)| *ours == name).map(|(_, value)| *value)
    }
}

/// The acceptable clauses of a header by falling weight, equal ones in the order of the header.
fn clauses(header: &str) -> Vec<Clause<'_>> {
    let mut clauses: Vec<_> =
        header.split(',').filter_map(Clause::parse).filter(|clause| clause.weight > 0.0).collect();
    clauses.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    clauses
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Compression, Format, compression, negotiate};

    /// What each version sends by default, and with `scrape_protocols` that begin with protobuf.
    const PROMETHEUS_2_53: &str = "application/openmetrics-text;version=1.0.0;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    const PROMETHEUS_2_53_PROTOBUF: &str = "application/vnd.google.protobuf;\
        proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,\
        application/openmetrics-text;version=1.0.0;q=0.4,\
        application/openmetrics-text;version=0.0.1;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    /// 3.5 and 3.13 send the same.
    const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
        application/openmetrics-text;version=0.0.1;q=0.5,\
        text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    const PROMETHEUS_3_PROTOBUF: &str = "application/vnd.google.protobuf;\
        proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
        application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,\
        text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    const CURL: &str = "*/*";
    const BROWSER: &str =
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
    /// The Datadog agent's OpenMetrics check, with and without `use_latest_spec`.
    const DATADOG: &str = "text/plain";
    const DATADOG_LATEST: &str =
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1";
    const VMAGENT: &str = "text/plain;version=0.0.4;q=1,*/*;q=0.1";

    #[test]
    fn each_scraper_gets_its_format() {
        let (text, text_1) = ("text/plain; version=0.0.4", "text/plain; version=1.0.0");
        let open = "application/openmetrics-text; version=1.0.0";
        let proto = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily";
        for (accept, openmetrics, media_type, escaping) in [
            ("", true, text, "underscores"),
            (CURL, true, text, "underscores"),
            (BROWSER, true, text, "underscores"),
            ("image/png", true, text, "underscores"),
            (DATADOG, true, text, "underscores"),
            (DATADOG_LATEST, true, open, "underscores"),
            (DATADOG_LATEST, false, text, "underscores"),
            (VMAGENT, true, text, "underscores"),
            (PROMETHEUS_2_53, false, text, "underscores"),
            (PROMETHEUS_2_53, true, open, "underscores"),
            (PROMETHEUS_2_53_PROTOBUF, true, proto, "underscores"),
            (PROMETHEUS_3, false, text_1, "allow-utf-8"),
            (PROMETHEUS_3, true, open, "allow-utf-8"),
            (PROMETHEUS_3_PROTOBUF, false, proto, "underscores"),
            ("application/openmetrics-text;version=2.0.0,text/plain", true, text, "underscores"),
            ("application/openmetrics-text; version=1.0.0; q=0", true, text, "underscores"),
            (
                "application/openmetrics-text",
                true,
                "application/openmetrics-text; version=0.0.1",
                "underscores",
            ),
            (
                "application/vnd.google.protobuf;proto=a.B;encoding=delimited",
                true,
                text,
                "underscores",
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
                true,
                text,
                "underscores",
            ),
            ("text/plain;escaping=dots", true, text, "dots"),
            ("text/plain;escaping=values", true, text, "values"),
            ("text/plain;escaping=strange", true, text, "underscores"),
        ] {
            let content_type = negotiate(accept, openmetrics).content_type;
            assert!(content_type.starts_with(media_type), "{accept}: {content_type}");
            assert!(
                content_type.ends_with(&format!("; escaping={escaping}")),
                "{accept}: {content_type}"
            );
        }
    }

    #[test]
    fn pages_are_compressed_only_where_it_is_asked_for() {
        for (header, expected) in [
            ("", Compression::Identity),
            ("gzip", Compression::Gzip),
            ("deflate, gzip;q=0.5", Compression::Gzip),
            ("zstd;q=0.4, gzip;q=0.5", Compression::Gzip),
            ("gzip;q=0.5, zstd", Compression::Zstd),
            ("gzip;q=0", Compression::Identity),
            ("identity, gzip;q=0.5", Compression::Identity),
            ("br", Compression::Identity),
        ] {
            assert_eq!(compression(header), expected, "{header}");
        }
    }

    proptest! {
        #[test]
        fn property_any_header_gets_an_answer(accept: String, openmetrics: bool) {
            let negotiated = negotiate(&accept, openmetrics);
            prop_assert!(openmetrics || negotiated.format != Format::OpenMetrics);
            prop_assert!(compression(&accept) == compression(&accept));
        }
    }
}
