//! Which format and which compression a scraper gets, from its `Accept` and `Accept-Encoding`.

use super::Format;

/// What a scraper gets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Negotiated {
    /// The format of the page.
    pub format: Format,
    /// The `Content-Type` which says so.
    pub content_type: String,
}

/// Chooses a format by the rules of Prometheus' Go library: clauses by falling weight, the first
/// which names an offered format wins, and text 0.0.4 is the answer to anything else.
///
/// OpenMetrics renames counters to `…_total`, so it is offered only if `openmetrics` says so.
/// Source: `expfmt.NegotiateIncludingOpenMetrics` of `prometheus/common` 0.70.
#[must_use]
pub fn negotiate(accept: &str, openmetrics: bool) -> Negotiated {
    let mut escaping = "underscores";
    for clause in clauses(accept) {
        if let Some(asked) = clause.parameter("escaping").and_then(known_escaping) {
            escaping = asked;
        }
        let version = clause.parameter("version");
        match (clause.media_type, version) {
            ("application/openmetrics-text", None | Some("0.0.1" | "1.0.0")) if openmetrics => {
                let version = version.unwrap_or("0.0.1");
                return Negotiated {
                    format: Format::OpenMetrics,
                    content_type: format!(
                        "application/openmetrics-text; version={version}; charset=utf-8; escaping={escaping}"
                    ),
                };
            }
            ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => break,
            _ => {}
        }
    }
    Negotiated {
        format: Format::Text,
        content_type: format!("text/plain; version=0.0.4; charset=utf-8; escaping={escaping}"),
    }
}

/// Whether `gzip` is among the encodings asked for and not refused by `q=0`.
#[must_use]
pub fn accepts_gzip(accept_encoding: &str) -> bool {
    clauses(accept_encoding).iter().any(|clause| clause.media_type == "gzip")
}

fn known_escaping(name: &str) -> Option<&'static str> {
    ["allow-utf-8", "underscores", "dots", "values"].into_iter().find(|known| *known == name)
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
    use super::{accepts_gzip, negotiate};

    const PROMETHEUS_2_53: &str = "application/openmetrics-text;version=1.0.0;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    const PROMETHEUS_3_5: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
        application/openmetrics-text;version=0.0.1;q=0.5,\
        text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

    #[test]
    fn each_scraper_gets_its_format() {
        let text = "text/plain; version=0.0.4; charset=utf-8; escaping=";
        let open = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=";
        for (accept, openmetrics, content_type, escaping) in [
            ("", true, text, "underscores"),
            ("*/*", true, text, "underscores"),
            ("text/html,application/xhtml+xml,*/*;q=0.8", true, text, "underscores"),
            ("image/png", true, text, "underscores"),
            (PROMETHEUS_2_53, false, text, "underscores"),
            (PROMETHEUS_2_53, true, open, "underscores"),
            (PROMETHEUS_3_5, false, text, "allow-utf-8"),
            (PROMETHEUS_3_5, true, open, "allow-utf-8"),
            ("application/openmetrics-text;version=2.0.0,text/plain", true, text, "underscores"),
            ("application/openmetrics-text; version=1.0.0; q=0", true, text, "underscores"),
            ("text/plain;escaping=dots", true, text, "dots"),
            ("text/plain;escaping=strange", true, text, "underscores"),
        ] {
            let negotiated = negotiate(accept, openmetrics);
            assert_eq!(negotiated.content_type, format!("{content_type}{escaping}"), "{accept}");
        }
    }

    #[test]
    fn gzip_is_sent_only_where_it_is_asked_for() {
        for (header, expected) in [
            ("", false),
            ("gzip", true),
            ("deflate, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
        ] {
            assert_eq!(accepts_gzip(header), expected, "{header}");
        }
    }
}
