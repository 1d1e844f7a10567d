//! From what is written to what can be asked: every mistake is found here, none later.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use metrics_server::{
    Kind,
    exposition::{is_label_name, is_metric_name},
};

use super::{
    Buckets, Column, Databases, Freshness, Gate, Histogram, Null, Number, Queries, Query, Range,
    Reading, Role, Summary, TIMESTAMPS_REFUSED, Usage, file,
};

/// Seconds between two background runs, at least: the sampler of wait events has one a second.
const SCHEDULE_SECONDS_MIN: f64 = 0.5;
/// How often a freshness check is asked unless its query says otherwise.
const FRESHNESS_PERIOD: std::time::Duration = std::time::Duration::from_secs(30);
/// Bounds or quantiles of one histogram or summary.
const BUCKETS_MAX: usize = 200;
/// Roles as `pg_exporter` names them in its tags.
const ROLES: [(&str, Role); 5] = [
    ("primary", Role::Primary),
    ("master", Role::Primary),
    ("standby", Role::Standby),
    ("replica", Role::Standby),
    ("slave", Role::Standby),
];

/// Reads a file named by a query.
type Read<'a> = &'a dyn Fn(&str) -> Result<String, String>;

pub(super) fn queries(written: file::File, read: Read<'_>) -> Result<Queries, String> {
    let mut queries = Queries::default();
    let texts: BTreeMap<String, String> = written
        .0
        .iter()
        .filter_map(|(name, query)| Some((name.clone(), query.query.clone()?)))
        .collect();
    for (name, mut written) in written.0 {
        let place = |reason: String| format!("query {name}: {reason}");
        let skip = written.skip;
        if let Some(wanted) = written.query_ref.take() {
            let text = texts.get(&wanted);
            let text = text.ok_or_else(|| {
                place(format!("query_ref: there is no query {wanted:?} with SQL in this file"))
            })?;
            written.query = Some(text.clone());
        }
        let query = query(&name, written, read, &mut queries.warnings).map_err(place)?;
        if !skip {
            queries.queries.push(Arc::new(query));
        }
    }
    Ok(queries)
}

fn query(
    name: &str,
    mut written: file::Query,
    read: Read<'_>,
    warnings: &mut Vec<String>,
) -> Result<Query, String> {
    if written.timestamp.is_some() {
        return Err(format!("timestamp: {TIMESTAMPS_REFUSED}"));
    }
    let sql = sql(&written, read)?;
    let gate = gate(&written)?;
    let namespace = written.name.clone().unwrap_or_else(|| name.to_owned());
    if !is_metric_name(&namespace) {
        return Err(format!("{namespace:?} cannot begin a metric's name: give it a name"));
    }
    let labels = labels(written.labels.as_ref())?;
    let null = null(written.nulls, None, Null::Value(f64::NAN));
    let columns = written.metrics.take().unwrap_or_default();
    let columns = columns
        .0
        .into_iter()
        .map(|(column, written)| {
            let place = |reason: String| format!("metrics.{column}: {reason}");
            self::column(&namespace, &column, &written, null).map_err(place)
        })
        .collect::<Result<Vec<_>, _>>()?;
    distinct(&columns, &labels)?;
    if !columns.iter().any(|column| !matches!(column.usage, Usage::Label(_) | Usage::Discard))
        && written.unmapped == Some(file::Unmapped::Ignore)
    {
        warnings.push(format!("query {name}: it has no metric"));
    }
    let freshness = written.health.take().map(|health| freshness(name, health)).transpose()?;
    let schedule = written.schedule.map(|file::Seconds(every)| every);
    let schedule = schedule.or_else(|| freshness.as_ref().map(|_| FRESHNESS_PERIOD));
    if schedule.is_some_and(|every| every.as_secs_f64() < SCHEDULE_SECONDS_MIN) {
        return Err(format!("schedule: at least {SCHEDULE_SECONDS_MIN} s"));
    }
    if written.accumulate && schedule.is_none() {
        return Err("accumulate: needs a schedule, since scrapes are not regular".to_owned());
    }
    Ok(Query {
        name: name.to_owned(),
        namespace,
        sql: Arc::from(sql),
        gate,
        ttl: written.ttl.map(|file::Seconds(ttl)| ttl).unwrap_or_default(),
        timeout: written.timeout.map(|file::Seconds(t)| t).filter(|timeout| !timeout.is_zero()),
        schedule,
        accumulate: written.accumulate,
        fatal: written.fatal,
        labels,
        columns,
        unmapped: written.unmapped != Some(file::Unmapped::Ignore),
        null,
        rows_max: limit("rows_max", written.rows_max)?,
        series_max: limit("series_max", written.series_max)?,
        freshness,
        builtin: false,
    })
}

fn limit(key: &str, written: Option<u32>) -> Result<Option<u32>, String> {
    match written {
        Some(0) => Err(format!("{key}: must be at least 1; use skip: true to switch a query off")),
        limit => Ok(limit),
    }
}

fn sql(written: &file::Query, read: Read<'_>) -> Result<String, String> {
    let sql = match (&written.query, &written.query_file) {
        (Some(_), Some(_)) => return Err("query and query_file: write one of them".to_owned()),
        (Some(sql), None) => sql.clone(),
        (None, Some(path)) => {
            read(path).map_err(|reason| format!("query_file {path}: {reason}"))?
        }
        (None, None) => return Err("query: is missing, write the SQL there".to_owned()),
    };
    if sql.contains('\0') {
        return Err("query: has a NUL byte, which no server takes".to_owned());
    }
    match sql.trim().trim_end_matches(';') {
        "" => Err("query: is empty".to_owned()),
        sql => Ok(sql.to_owned()),
    }
}

fn gate(written: &file::Query) -> Result<Gate, String> {
    let mut gate = Gate::default();
    let role = match written.role {
        Some(file::Role::Primary) => Some(Role::Primary),
        Some(file::Role::Standby) => Some(Role::Standby),
        Some(file::Role::Any) | None => None,
    };
    gate.role = role.or_else(|| written.primary.then_some(Role::Primary));
    if let Some(range) = &written.versions {
        gate.versions.push(Range::parse(range).map_err(|error| format!("versions: {error}"))?);
    }
    let number = |version: Option<file::Version>| version.map(|file::Version(number)| number);
    let (min, max) = (number(written.min_version), number(written.max_version));
    if let (Some(min), Some(max)) = (min, max)
        && min >= max
    {
        return Err(
            "max_version: is the first version without the query, so above min_version".to_owned()
        );
    }
    gate.versions.extend(Range::between(min, max));
    gate.databases = match &written.databases {
        Some(file::Texts(globs)) if globs.is_empty() => Databases::Connected,
        Some(file::Texts(globs)) => Databases::Matching(globs.clone()),
        None if written.master => Databases::Connected,
        None => Databases::Discovered,
    };
    gate.extensions.clone_from(&written.extensions.0);
    gate.schemas.clone_from(&written.schemas.0);
    for tag in &written.tags.0 {
        tagged(tag, written.databases.is_some(), &mut gate)?;
    }
    gate.predicates.extend(written.predicate_query.clone());
    for predicate in written.predicate_queries.iter().flatten() {
        let sql = predicate.sql.clone();
        gate.predicates.push(sql.ok_or("predicate_queries: predicate_query is missing in one")?);
    }
    gate.predicates.retain(|sql| !sql.trim().is_empty());
    Ok(gate)
}

/// One of `tags`, as `pg_exporter` understands them.
fn tagged(tag: &str, databases_given: bool, gate: &mut Gate) -> Result<(), String> {
    if let Some((_, role)) = ROLES.iter().find(|(name, _)| *name == tag) {
        gate.role = Some(*role);
        return Ok(());
    }
    match tag.split_once(':') {
        None if tag == "cluster" => {
            if !databases_given {
                gate.databases = Databases::Connected;
            }
        }
        None => gate.tags.push((tag.to_owned(), true)),
        Some(("not", other)) => match ROLES.iter().find(|(name, _)| *name == other) {
            Some((_, Role::Primary)) => gate.role = Some(Role::Standby),
            Some((_, Role::Standby)) => gate.role = Some(Role::Primary),
            None => gate.tags.push((other.to_owned(), false)),
        },
        Some(("extension", name)) => gate.extensions.push(name.to_owned()),
        Some(("schema", name)) => gate.schemas.push(name.to_owned()),
        Some(("username", name)) => gate.users.push(name.to_owned()),
        Some(("dbname", name)) => match &mut gate.databases {
            Databases::Matching(globs) => globs.push(name.to_owned()),
            other => *other = Databases::Matching(vec![name.to_owned()]),
        },
        Some(_) => {
            return Err(format!(
                "tags: {tag:?} is unknown, write dbname:, username:, extension:, schema: or not:"
            ));
        }
    }
    Ok(())
}

fn labels(written: Option<&file::Entries<file::Scalar>>) -> Result<Vec<(String, String)>, String> {
    let written = written.into_iter().flat_map(|entries| &entries.0);
    written
        .map(|(name, file::Scalar(value))| {
            label(name).map_err(|reason| format!("labels: {reason}"))?;
            Ok((name.clone(), value.clone()))
        })
        .collect()
}

fn label(name: &str) -> Result<(), String> {
    if !is_label_name(name) {
        return Err(format!("{name:?} is not a label name: rename it"));
    }
    if name.starts_with("__") {
        return Err(format!(
            "label {name:?} is reserved, it has two underscores in front: rename it"
        ));
    }
    Ok(())
}

fn null(written: Option<file::Nulls>, default: Option<f64>, otherwise: Null) -> Null {
    match (default, written) {
        (Some(number), _) => Null::Value(number),
        (None, Some(file::Nulls::Nan)) => Null::Value(f64::NAN),
        (None, Some(file::Nulls::Zero)) => Null::Value(0.0),
        (None, Some(file::Nulls::Absent)) => Null::Absent,
        (None, None) => otherwise,
    }
}

fn column(
    namespace: &str,
    name: &str,
    written: &file::Column,
    otherwise: Null,
) -> Result<Column, String> {
    let versions = written.versions.as_deref().map(Range::parse).transpose();
    let versions = versions.map_err(|error| format!("versions: {error}"))?;
    let usage = written.usage.ok_or("usage: is missing, write GAUGE, COUNTER or LABEL")?;
    keys_fit(usage, written)?;
    let short = written.rename.as_deref().unwrap_or(name);
    let family = written.family.clone().unwrap_or_else(|| format!("{namespace}_{short}"));
    let help = written.description.clone().unwrap_or_default();
    let scale = written.scale.map_or(1.0, |file::Number(scale)| scale);
    if !scale.is_finite() || scale == 0.0 {
        return Err(format!("scale: {scale} is no factor"));
    }
    let named = |family: String| {
        if is_metric_name(&family) {
            Ok(family)
        } else {
            Err(format!("{family:?} is not a metric name: use rename"))
        }
    };
    let number = |kind, reading, suffix: &str| -> Result<Usage, String> {
        let default = written.default.map(|file::Number(number)| number);
        Ok(Usage::Number(Number {
            family: named(format!("{family}{suffix}"))?,
            help: help.clone(),
            kind,
            labels: labels(written.labels.as_ref())?,
            reading,
            scale,
            null: null(written.nulls, default, otherwise),
        }))
    };
    let usage = match usage {
        file::Usage::Label => Usage::Label(checked_label(short)?),
        file::Usage::Info => Usage::Info(checked_label(short)?),
        file::Usage::Discard => Usage::Discard,
        file::Usage::Gauge => number(Kind::Gauge, Reading::Plain, "")?,
        file::Usage::Counter => number(Kind::Counter, Reading::Plain, "")?,
        file::Usage::Untyped => number(Kind::Untyped, Reading::Plain, "")?,
        file::Usage::Duration => {
            let suffix = if written.family.is_some() { "" } else { "_milliseconds" };
            number(Kind::Gauge, Reading::Duration, suffix)?
        }
        file::Usage::MappedMetric => {
            let words = written.metric_mapping.as_ref();
            let words = words.ok_or("metric_mapping: is missing, write the number of each word")?;
            let words = words.0.iter().map(|(word, file::Number(number))| (word.clone(), *number));
            number(Kind::Gauge, Reading::Words(words.collect()), "")?
        }
        file::Usage::StateSet => {
            if written.states.0.is_empty() {
                return Err("states: is missing, list all that there are".to_owned());
            }
            let states: BTreeSet<_> = written.states.0.iter().cloned().collect();
            let states = states.into_iter().collect();
            Usage::States { family: named(family)?, help, label: checked_label(short)?, states }
        }
        file::Usage::Histogram => {
            Usage::Histogram(histogram(named(family)?, help, name, written, scale)?)
        }
        file::Usage::Summary => Usage::Summary(Summary {
            family: named(family)?,
            help,
            quantiles: quantiles(written)?,
            sum: written.sum.clone(),
            count: written.count.clone(),
            scale,
        }),
    };
    Ok(Column { name: name.to_owned(), versions, usage })
}

fn checked_label(name: &str) -> Result<String, String> {
    label(name).map(|()| name.to_owned())
}

/// Keys which say nothing for this usage are mistakes.
fn keys_fit(usage: file::Usage, written: &file::Column) -> Result<(), String> {
    use file::Usage::{
        Counter, Duration, Gauge, Histogram, MappedMetric, StateSet, Summary, Untyped,
    };
    let number = matches!(usage, Counter | Gauge | Untyped | MappedMetric | Duration);
    let composed = matches!(usage, Histogram | Summary);
    let states = usage == StateSet;
    let keys = [
        ("default", written.default.is_some(), number),
        ("nulls", written.nulls.is_some(), number),
        ("labels", written.labels.is_some(), number),
        ("scale", written.scale.is_some(), number || composed),
        ("states", !written.states.0.is_empty(), states),
        ("buckets", written.buckets.is_some(), usage == Histogram),
        ("cumulative", written.cumulative.is_some(), usage == Histogram),
        ("quantiles", written.quantiles.is_some(), usage == Summary),
        ("sum", written.sum.is_some(), composed),
        ("count", written.count.is_some(), composed),
        ("family", written.family.is_some(), number || composed || states),
    ];
    let wrong = keys.into_iter().find(|(_, given, fits)| *given && !fits);
    wrong
        .map_or(Ok(()), |(key, ..)| Err(format!("{key}: has no meaning for this usage, remove it")))
}

fn histogram(
    family: String,
    help: String,
    name: &str,
    written: &file::Column,
    scale: f64,
) -> Result<Histogram, String> {
    let Some(columns) = &written.buckets else {
        if written.cumulative.is_some() {
            return Err("cumulative: needs buckets".to_owned());
        }
        return Ok(Histogram {
            family,
            help,
            buckets: Buckets::Arrays { bounds: name.to_owned(), counts: format!("{name}_bucket") },
            sum: Some(written.sum.clone().unwrap_or_else(|| format!("{name}_sum"))),
            count: Some(written.count.clone().unwrap_or_else(|| format!("{name}_count"))),
            scale,
        });
    };
    let columns = bounded("buckets", columns)?;
    Ok(Histogram {
        family,
        help,
        buckets: Buckets::Columns { columns, cumulative: written.cumulative.unwrap_or(true) },
        sum: written.sum.clone(),
        count: written.count.clone(),
        scale,
    })
}

fn quantiles(written: &file::Column) -> Result<Vec<(f64, String)>, String> {
    let columns = written.quantiles.as_ref();
    let columns = columns.ok_or("quantiles: is missing, write {0.5: column, 0.99: column}")?;
    let columns = bounded("quantiles", columns)?;
    match columns.iter().find(|(quantile, _)| !(0.0..=1.0).contains(quantile)) {
        Some((quantile, _)) => Err(format!("quantiles: {quantile} is not between 0 and 1")),
        None => Ok(columns),
    }
}

/// Numbers and columns, ascending.
fn bounded(key: &str, written: &file::Entries<String>) -> Result<Vec<(f64, String)>, String> {
    if written.0.is_empty() || written.0.len() > BUCKETS_MAX {
        return Err(format!("{key}: from 1 to {BUCKETS_MAX} are possible"));
    }
    let mut columns = Vec::with_capacity(written.0.len());
    for (bound, column) in &written.0 {
        let number = match bound.trim_start_matches(['+', '.']) {
            "Inf" | "inf" => f64::INFINITY,
            _ => {
                bound.parse().ok().filter(|number: &f64| !number.is_nan()).ok_or_else(|| {
                    format!("{key}: {bound:?} is not a number, write bound: column")
                })?
            }
        };
        columns.push((number, column.clone()));
    }
    columns.sort_by(|a, b| a.0.total_cmp(&b.0));
    if columns.windows(2).any(|pair| pair[0].0.total_cmp(&pair[1].0).is_eq()) {
        return Err(format!("{key}: a number is there twice"));
    }
    Ok(columns)
}

/// No label and no series is there twice.
fn distinct(columns: &[Column], labels: &[(String, String)]) -> Result<(), String> {
    let mut names: BTreeSet<&str> = labels.iter().map(|(name, _)| name.as_str()).collect();
    for column in columns {
        if let Usage::Label(name) | Usage::Info(name) = &column.usage
            && !names.insert(name)
        {
            return Err(twice(column, "label", name));
        }
    }
    let mut families: BTreeSet<(&str, &[(String, String)])> = BTreeSet::new();
    for column in columns {
        let (family, own): (_, &[_]) = match &column.usage {
            Usage::Label(_) | Usage::Info(_) | Usage::Discard => continue,
            Usage::Number(number) => (&number.family, &number.labels),
            Usage::States { family, label, .. } => {
                if names.contains(label.as_str()) {
                    return Err(twice(column, "label", label));
                }
                (family, &[])
            }
            Usage::Histogram(histogram) => (&histogram.family, &[]),
            Usage::Summary(summary) => (&summary.family, &[]),
        };
        if let Some((name, _)) = own.iter().find(|(name, _)| names.contains(name.as_str())) {
            return Err(twice(column, "label", name));
        }
        // Columns of other versions may take turns.
        if column.versions.is_none() && !families.insert((family, own)) {
            return Err(twice(column, "family", family));
        }
    }
    Ok(())
}

fn twice(column: &Column, what: &str, name: &str) -> String {
    format!("metrics.{}: {what} {name:?} is there twice, use rename", column.name)
}

fn freshness(query: &str, written: file::Health) -> Result<Freshness, String> {
    let file::Seconds(age_max) = written.max_age.ok_or("health.max_age: is missing")?;
    if age_max.is_zero() {
        return Err("health.max_age: must be above 0".to_owned());
    }
    let name = written.name.unwrap_or_else(|| query.to_owned());
    if name.is_empty() || name.len() > 100 {
        return Err("health.name: from 1 to 100 bytes are possible".to_owned());
    }
    Ok(Freshness { name, column: written.column, age_max })
}
