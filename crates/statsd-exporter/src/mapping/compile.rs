//! From what is written to what can be asked: every mistake is found here, none later.

use std::{sync::Arc, time::Duration};

use metrics_server::exposition::is_label_name;
use regex::Regex;

use super::{
    Convert, DEFAULT_HELP, HistogramOptions, Mapping, MappingError, Observer, Rule, Settings,
    SummaryOptions,
    config::{self, File},
    glob::{self, Globs},
    template::Template,
    unreachable,
};
use crate::line::Kind;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum MatchType {
    Glob,
    Regex,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ObserverType {
    Histogram,
    Summary,
}

/// `defaults`, checked.
struct Defaults {
    observer_type: Option<ObserverType>,
    match_type: MatchType,
    ttls: [Duration; Kind::ALL.len()],
    partial_globs: bool,
    summary: SummaryOptions,
    histogram: HistogramOptions,
}

/// Builds a mapping of a file.
pub(super) fn mapping(file: File) -> Result<Mapping, MappingError> {
    let mut warnings = Vec::new();
    let written = file.defaults.unwrap_or_default();
    let ordered = !written.glob_disable_ordering.unwrap_or(false);
    let drop_labels = written.drop_labels.clone().unwrap_or_default();
    let defaults = defaults(written, &mut warnings)
        .map_err(|reason| MappingError(format!("defaults: {reason}")))?;
    let mut mapping = Mapping {
        rules: Vec::new(),
        globs: Globs::new(ordered),
        regexes: Vec::new(),
        unmapped: Settings {
            help: Arc::from(DEFAULT_HELP),
            ttls: defaults.ttls,
            observer: observer(defaults.observer_type, &defaults.summary, &defaults.histogram),
        },
        drop_labels,
        warnings: Vec::new(),
    };
    for (index, written) in file.mappings.unwrap_or_default().into_iter().enumerate() {
        let place = match &written.pattern {
            Some(pattern) => format!("mapping {} (match {pattern:?})", index + 1),
            None => format!("mapping {}", index + 1),
        };
        add(&mut mapping, written, &defaults, &place, &mut warnings)
            .map_err(|reason| MappingError(format!("{place}: {reason}")))?;
    }
    warnings.extend(unreachable::warnings(&mapping.rules, &mapping.regexes, ordered));
    mapping.warnings = warnings;
    Ok(mapping)
}

fn defaults(written: config::Defaults, warnings: &mut Vec<String>) -> Result<Defaults, String> {
    let mut summary_options = written.summary_options.unwrap_or_default();
    let mut histogram_options = written.histogram_options.unwrap_or_default();
    let mut observer_type = written.observer_type;
    if let Some(timer_type) = written.timer_type {
        warnings.push("defaults: timer_type is old, write observer_type".to_owned());
        observer_type.get_or_insert(timer_type);
    }
    if let Some(buckets) = written.buckets {
        warnings.push("defaults: buckets is old, write histogram_options.buckets".to_owned());
        histogram_options.buckets.get_or_insert(buckets);
    }
    if let Some(quantiles) = written.quantiles {
        warnings.push("defaults: quantiles is old, write summary_options.quantiles".to_owned());
        summary_options.quantiles.get_or_insert(quantiles);
    }
    // Zero is nothing said, here and in rules.
    histogram_options.native_histogram_bucket_factor =
        histogram_options.native_histogram_bucket_factor.filter(|factor| *factor != 0.0);
    let ttl = written.ttl.unwrap_or_default().0;
    let by_type = written.type_ttl.unwrap_or_default();
    let ttl_of = |kind| {
        let own = match kind {
            Kind::Counter => by_type.counter,
            Kind::Gauge | Kind::Set => by_type.gauge,
            Kind::Observer => by_type.observer,
        };
        own.map_or(ttl, |own| own.0)
    };
    Ok(Defaults {
        observer_type: observer_type_of(observer_type.as_deref())?,
        match_type: match_type(written.match_type.as_deref())?.unwrap_or(MatchType::Glob),
        ttls: Kind::ALL.map(ttl_of),
        partial_globs: written.partial_globs.unwrap_or(false),
        summary: SummaryOptions::default().overridden(&summary_options)?,
        histogram: HistogramOptions::default().overridden(&histogram_options)?,
    })
}

fn add(
    mapping: &mut Mapping,
    written: config::Rule,
    defaults: &Defaults,
    place: &str,
    warnings: &mut Vec<String>,
) -> Result<(), String> {
    let written = modern(written, defaults, place, warnings)?;
    let pattern = written.pattern.clone().ok_or("match is missing")?;
    let match_type = match_type(written.match_type.as_deref())?.unwrap_or(defaults.match_type);
    let kinds = kinds(written.match_metric_type.as_deref())?;
    let drop = is_drop(written.action.as_deref())?;
    let name = match &written.name {
        Some(name) if is_name_template(name) => name.as_str(),
        Some(name) => return Err(format!("name {name:?} is not a metric name")),
        None if drop => "",
        None => return Err("name is missing".to_owned()),
    };
    let template = match match_type {
        MatchType::Glob => Template::glob,
        MatchType::Regex => Template::regex,
    };
    let settings = settings(&written, defaults)?;
    let labels = labels(&written, &settings, template)?;
    let initialize = initialize(&written, match_type, &kinds, drop, name)?;
    let index = mapping.rules.len();
    match match_type {
        MatchType::Glob if glob::is_valid(&pattern, defaults.partial_globs) => {
            mapping.globs.insert(&pattern, &kinds, index);
        }
        MatchType::Glob => {
            let star =
                if defaults.partial_globs { "" } else { " a star stands for a whole segment," };
            return Err(format!(
                "match is not a glob:{star} other segments are letters, digits, _ and -"
            ));
        }
        MatchType::Regex => {
            let regex = Regex::new(&pattern).map_err(|error| {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                format!("match is not a regular expression: {last}")
            })?;
            mapping.regexes.push((index, regex));
        }
    }
    mapping.rules.push(Rule {
        pattern,
        kinds,
        drop,
        name: template(name),
        labels,
        honor_labels: written.honor_labels.unwrap_or(false),
        tags: written.match_tags.unwrap_or_default().0.into_iter().collect(),
        rename_labels: renames(written.rename_labels)?,
        drop_labels: written.drop_labels.unwrap_or_default(),
        convert: convert(written.metric_type.as_deref())?,
        scale: written.scale.unwrap_or(1.0),
        settings,
        initialize,
    });
    Ok(())
}

/// Moves keys from before 0.31 to where they stand today.
fn modern(
    mut written: config::Rule,
    defaults: &Defaults,
    place: &str,
    warnings: &mut Vec<String>,
) -> Result<config::Rule, String> {
    let mut old = |key: &str, new: &str| {
        warnings.push(format!("{place}: {key} is old, write {new}"));
    };
    if let Some(timer_type) = written.timer_type.take() {
        old("timer_type", "observer_type");
        written.observer_type.get_or_insert(timer_type);
    }
    if written.match_metric_type.as_deref() == Some("timer") {
        old("match_metric_type: timer", "match_metric_type: observer");
        written.match_metric_type = Some("observer".to_owned());
    }
    let own = observer_type_of(written.observer_type.as_deref())?;
    let effective = own.or(defaults.observer_type).unwrap_or(ObserverType::Summary);
    if let Some(buckets) = written.buckets.take() {
        old("buckets", "histogram_options.buckets");
        if effective == ObserverType::Histogram {
            let options = written.histogram_options.get_or_insert_default();
            options.buckets.get_or_insert(buckets);
        }
    }
    if let Some(quantiles) = written.quantiles.take() {
        old("quantiles", "summary_options.quantiles");
        if effective == ObserverType::Summary {
            let options = written.summary_options.get_or_insert_default();
            options.quantiles.get_or_insert(quantiles);
        }
    }
    Ok(written)
}

fn settings(written: &config::Rule, defaults: &Defaults) -> Result<Settings, String> {
    // An empty text says summary, whatever the default.
    let own = match written.observer_type.as_deref() {
        Some("") => Some(ObserverType::Summary),
        other => observer_type_of(other)?,
    };
    let effective = own.or(defaults.observer_type);
    match effective {
        Some(ObserverType::Histogram) if written.summary_options.is_some() => {
            return Err("summary_options on a rule for histograms".to_owned());
        }
        Some(ObserverType::Summary) if written.histogram_options.is_some() => {
            return Err("histogram_options on a rule for summaries".to_owned());
        }
        _ => {}
    }
    let histogram = match &written.histogram_options {
        Some(options) => {
            let mut options = options.clone();
            let factor = &mut options.native_histogram_bucket_factor;
            *factor = factor.filter(|factor| *factor > 0.0);
            defaults.histogram.overridden(&options)?
        }
        None => defaults.histogram.clone(),
    };
    let summary = match &written.summary_options {
        Some(options) => defaults.summary.overridden(options)?,
        None => defaults.summary.clone(),
    };
    let ttl = written.ttl.unwrap_or_default().0;
    Ok(Settings {
        help: written
            .help
            .as_deref()
            .filter(|help| !help.is_empty())
            .unwrap_or(DEFAULT_HELP)
            .into(),
        ttls: if ttl.is_zero() { defaults.ttls } else { [ttl; Kind::ALL.len()] },
        observer: observer(effective, &summary, &histogram),
    })
}

fn observer(
    effective: Option<ObserverType>,
    summary: &SummaryOptions,
    histogram: &HistogramOptions,
) -> Observer {
    match effective {
        Some(ObserverType::Histogram) => Observer::Histogram(Arc::new(histogram.clone())),
        _ => Observer::Summary(Arc::new(summary.clone())),
    }
}

fn labels(
    written: &config::Rule,
    settings: &Settings,
    template: fn(&str) -> Template,
) -> Result<Vec<(String, Template)>, String> {
    let only_observers = written.match_metric_type.as_deref() == Some("observer");
    let taken = match settings.observer {
        Observer::Histogram(_) => "le",
        Observer::Summary(_) => "quantile",
    };
    let mut labels = Vec::new();
    for (key, value) in written.labels.iter().flat_map(|labels| &labels.0) {
        if !is_label_name(key) {
            return Err(format!("label {key:?} is not a label name"));
        }
        if key.starts_with("__") {
            return Err(format!("label {key:?} is reserved: two underscores in front"));
        }
        if only_observers && key == taken {
            return Err(format!("label {key:?} is the exporter's own here"));
        }
        labels.push((key.clone(), template(value)));
    }
    Ok(labels)
}

fn initialize(
    written: &config::Rule,
    match_type: MatchType,
    kinds: &[Kind],
    drop: bool,
    name: &str,
) -> Result<Option<f64>, String> {
    let Some(value) = written.initialize else { return Ok(None) };
    let pattern = written.pattern.as_deref().unwrap_or_default();
    let wildcards = pattern.contains('*');
    let values = written.labels.iter().flat_map(|labels| labels.0.values());
    if match_type == MatchType::Regex || wildcards {
        return Err("initialize needs a match without wildcards".to_owned());
    }
    if name.contains('$') || values.into_iter().any(|value| value.contains('$')) {
        return Err("initialize needs a name and labels without $".to_owned());
    }
    if drop {
        return Err("initialize on a rule which drops".to_owned());
    }
    let observer = matches!(kinds, [Kind::Observer]);
    let gauge = matches!(kinds, [Kind::Gauge]);
    if matches!(kinds, [Kind::Set]) {
        return Err("initialize on a rule for sets".to_owned());
    }
    if !value.is_finite() || (observer && value != 0.0) || (!gauge && value < 0.0) {
        return Err(format!("initialize cannot be {value} here"));
    }
    Ok(Some(value))
}

fn renames(written: Option<config::LabelTemplates>) -> Result<Vec<(String, String)>, String> {
    let renames: Vec<(String, String)> = written.unwrap_or_default().0.into_iter().collect();
    let bad = |(_, new): &&(String, String)| !is_label_name(new) || new.starts_with("__");
    match renames.iter().find(bad) {
        Some((_, new)) => Err(format!("label {new:?} of rename_labels is not a label name")),
        None => Ok(renames),
    }
}

fn convert(text: Option<&str>) -> Result<Convert, String> {
    match text {
        None | Some("") => Ok(Convert::Nothing),
        Some("counter") => Ok(Convert::Into(Kind::Counter)),
        Some("total") => Ok(Convert::Total),
        Some("gauge") => Ok(Convert::Into(Kind::Gauge)),
        Some("observer") => Ok(Convert::Into(Kind::Observer)),
        Some(other) => Err(format!("type {other:?} is not counter, total, gauge or observer")),
    }
}

fn match_type(text: Option<&str>) -> Result<Option<MatchType>, String> {
    match text {
        None | Some("") => Ok(None),
        Some("glob") => Ok(Some(MatchType::Glob)),
        Some("regex") => Ok(Some(MatchType::Regex)),
        Some(other) => Err(format!("match_type {other:?} is neither glob nor regex")),
    }
}

fn observer_type_of(text: Option<&str>) -> Result<Option<ObserverType>, String> {
    match text {
        None | Some("") => Ok(None),
        Some("histogram") => Ok(Some(ObserverType::Histogram)),
        Some("summary") => Ok(Some(ObserverType::Summary)),
        Some(other) => Err(format!("observer_type {other:?} is neither histogram nor summary")),
    }
}

fn kinds(text: Option<&str>) -> Result<Vec<Kind>, String> {
    match text {
        None | Some("") => Ok(Kind::ALL.to_vec()),
        Some("counter") => Ok(vec![Kind::Counter]),
        Some("gauge") => Ok(vec![Kind::Gauge]),
        Some("observer") => Ok(vec![Kind::Observer]),
        Some("set") => Ok(vec![Kind::Set]),
        Some(other) => {
            Err(format!("match_metric_type {other:?} is not counter, gauge, observer or set"))
        }
    }
}

fn is_drop(text: Option<&str>) -> Result<bool, String> {
    match text {
        None | Some("" | "map") => Ok(false),
        Some("drop") => Ok(true),
        Some(other) => Err(format!("action {other:?} is neither map nor drop")),
    }
}

/// Letters, digits, underscores and references like `$1` or `${1}`; no digit in front.
fn is_name_template(name: &str) -> bool {
    let mut rest = name;
    let mut first = true;
    while !rest.is_empty() {
        if let Some(behind) = rest.strip_prefix('$') {
            let braced = behind.strip_prefix('{');
            let inner = braced.unwrap_or(behind);
            let end = inner.find(|c: char| !c.is_ascii_digit()).unwrap_or(inner.len());
            let (digits, after) = inner.split_at(end);
            let after = if braced.is_some() { after.strip_prefix('}') } else { Some(after) };
            match after {
                Some(after) if !digits.is_empty() => rest = after,
                _ => return false,
            }
        } else {
            let letter =
                |c: char| c.is_ascii_alphabetic() || c == '_' || (!first && c.is_ascii_digit());
            match rest.strip_prefix(letter) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        first = false;
    }
    !name.is_empty()
}
