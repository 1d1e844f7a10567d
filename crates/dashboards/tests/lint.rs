//! What every dashboard has to keep, whatever it shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use e2e::promql::{parse, selectors, walk};
use promql_parser::{
    label::METRIC_NAME,
    parser::{Expr, LabelModifier, VectorSelector},
};
use serde_json::Value;

/// The columns of Grafana's grid.
const COLUMNS: u64 = 24;
/// What Grafana 10 reads without a migration.
const SCHEMA_VERSION_MAX: u64 = 38;
/// What Grafana 12 and 13 want to be there, of panels as these have them; older ones do not mind it. Of the
/// schema in the Grafana Foundation SDK, by which `make check-dashboards` reads the files whole.
const WANTED: [(&str, &[&str]); 5] = [
    (
        "stat",
        &[
            "/options/wideLayout",
            "/options/showPercentChange",
            "/options/percentChangeColorMode",
            "/options/reduceOptions/calcs",
        ],
    ),
    ("gauge", &["/options/sizing", "/options/minVizWidth", "/options/minVizHeight"]),
    ("timeseries", &["/options/legend/calcs", "/options/tooltip/sort"]),
    (
        "table",
        &["/options/frameIndex", "/options/footer/reducer", "/fieldConfig/defaults/custom/inspect"],
    ),
    ("state-timeline", &["/options/legend/calcs", "/options/rowHeight"]),
];
/// The same of a link.
const WANTED_OF_LINKS: [&str; 9] =
    ["title", "type", "icon", "tooltip", "url", "tags", "asDropdown", "includeVars", "keepTime"];
/// Functions that only make sense for what counts up.
const OF_COUNTERS: [&str; 3] = ["rate", "irate", "increase"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/ is in the repository")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Every panel that draws something, with a name for messages.
fn panels() -> Vec<(String, Value)> {
    let mut panels = Vec::new();
    for dashboard in dashboards::all() {
        for panel in list(&dashboard["panels"]).filter(|panel| panel["type"] != "row") {
            let name = format!("{} / {}", text(&dashboard["uid"]), text(&panel["title"]));
            panels.push((name, panel.clone()));
        }
    }
    panels
}

/// A query as Prometheus gets it: Grafana's own variables have a value.
fn filled_in(query: &str) -> String {
    query.replace("$__rate_interval", "1m").replace("$__range", "1h")
}

/// Every query, parsed: of panels and of marks.
fn queries() -> Result<Vec<(String, Expr)>> {
    let mut queries = Vec::new();
    let mut add = |name: &str, query: &str| -> Result<()> {
        let parsed = parse(&filled_in(query)).with_context(|| name.to_owned())?;
        queries.push((name.to_owned(), parsed));
        Ok(())
    };
    for (name, panel) in panels() {
        for target in list(&panel["targets"]) {
            add(&name, text(&target["expr"]))?;
        }
    }
    for dashboard in dashboards::all() {
        for mark in list(&dashboard["annotations"]["list"]) {
            let name = format!("{} / mark {}", text(&dashboard["uid"]), text(&mark["name"]));
            add(&name, text(&mark["expr"]))?;
        }
    }
    Ok(queries)
}

fn name_of(selector: &VectorSelector) -> Option<&str> {
    let by_label = || selector.matchers.find_matchers(METRIC_NAME).first().map(|_matcher| "");
    selector.name.as_deref().or_else(by_label)
}

/// `series.txt`: each series, its type, and who shows it.
fn catalogue() -> Result<BTreeMap<String, String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("series.txt");
    let mut catalogue = BTreeMap::new();
    for line in fs::read_to_string(file)?.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (name, kind) = (words.next().context("a name")?, words.next().context("a type")?);
        let before = catalogue.insert(name.to_owned(), kind.to_owned());
        ensure!(before.is_none(), "{name} stands in series.txt twice");
    }
    Ok(catalogue)
}

#[test]
fn committed_files_are_what_the_code_writes() -> Result<()> {
    let folder = repository().join("dashboards");
    let mut expected = BTreeSet::new();
    for dashboard in dashboards::all() {
        let file = format!("{}.json", text(&dashboard["uid"]));
        let committed = fs::read_to_string(folder.join(&file)).with_context(|| file.clone())?;
        ensure!(
            committed == dashboards::text(&dashboard)?,
            "dashboards/{file} is not what the code writes: `make dashboards`"
        );
        ensure!(expected.insert(file), "two dashboards have this uid");
    }
    let found: std::io::Result<BTreeSet<_>> = fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect();
    ensure!(found? == expected, "dashboards/ holds other files than {expected:?}");
    Ok(())
}

#[test]
fn dashboards_can_be_told_apart_and_opened_by_grafana_10() -> Result<()> {
    let mut titles = BTreeSet::new();
    for dashboard in dashboards::all() {
        let uid = text(&dashboard["uid"]);
        ensure!(
            titles.insert(text(&dashboard["title"]).to_owned()),
            "{uid}: the title is another's"
        );
        ensure!(uid.starts_with("lakehouse-"), "{uid}");
        ensure!(dashboard["id"].is_null() && dashboard["editable"] == false, "{uid}");
        let version = dashboard["schemaVersion"].as_u64();
        ensure!(version.is_some_and(|version| version <= SCHEMA_VERSION_MAX), "{uid}: {version:?}");
        ensure!(list(&dashboard["tags"]).any(|tag| tag == "lakehouse"), "{uid}: no link finds it");
        let variables: Vec<_> = list(&dashboard["templating"]["list"])
            .map(|variable| text(&variable["name"]))
            .collect();
        ensure!(variables.first() == Some(&"datasource"), "{uid}: {variables:?}");
        let all = dashboard.to_string();
        for name in all.split("=~\\\"$").skip(1).filter_map(|rest| rest.split('\\').next()) {
            ensure!(variables.contains(&name), "{uid}: there is no variable {name}");
        }
    }
    Ok(())
}

#[test]
fn panels_say_what_they_show_and_what_is_missing() -> Result<()> {
    for (name, panel) in panels() {
        ensure!(!text(&panel["description"]).is_empty(), "{name}: no description");
        ensure!(panel["datasource"]["uid"] == "${datasource}", "{name}: {}", panel["datasource"]);
        let defaults = &panel["fieldConfig"]["defaults"];
        ensure!(!text(&defaults["unit"]).is_empty(), "{name}: no unit");
        ensure!(!text(&defaults["noValue"]).is_empty(), "{name}: no text for the lack of data");
        let queries = list(&panel["targets"]).count();
        ensure!(queries > 0 || panel["type"] == "alertlist", "{name} asks nothing");
        let mut ids = BTreeSet::new();
        ensure!(list(&panel["targets"]).all(|target| ids.insert(text(&target["refId"]))), "{name}");
        for target in list(&panel["targets"]) {
            ensure!(target["datasource"]["uid"] == "${datasource}", "{name}: {target}");
        }
    }
    Ok(())
}

#[test]
fn panels_have_what_newer_versions_of_grafana_want() -> Result<()> {
    for (name, panel) in panels() {
        let wanted = WANTED.iter().find(|(kind, _)| panel["type"] == *kind);
        for pointer in wanted.map_or(&[][..], |(_, wanted)| *wanted) {
            ensure!(panel.pointer(pointer).is_some(), "{name} has no {pointer}");
        }
        for link in list(&panel["links"]) {
            for field in WANTED_OF_LINKS {
                ensure!(link.get(field).is_some(), "{name}: a link has no {field}");
            }
        }
    }
    Ok(())
}

#[test]
fn panels_have_an_id_and_a_place_of_their_own() -> Result<()> {
    for dashboard in dashboards::all() {
        let uid = text(&dashboard["uid"]);
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in list(&dashboard["panels"]) {
            let title = text(&panel["title"]);
            ensure!(ids.insert(panel["id"].as_u64()), "{uid} / {title}: the id is another's");
            let side = |side: &str| panel["gridPos"][side].as_u64().context("a place");
            let (x, y, width, height) = (side("x")?, side("y")?, side("w")?, side("h")?);
            ensure!(x + width <= COLUMNS, "{uid} / {title} is too wide");
            for column in x..x + width {
                for line in y..y + height {
                    ensure!(taken.insert((column, line)), "{uid} / {title} lies on another panel");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn every_series_is_known() -> Result<()> {
    let catalogue = catalogue()?;
    let mut used = BTreeSet::new();
    for (name, query) in queries()? {
        for selector in selectors(&query) {
            let series = name_of(selector).with_context(|| format!("{name}: {selector}"))?;
            ensure!(catalogue.contains_key(series), "{name}: who shows {series}?");
            used.insert(series.to_owned());
        }
    }
    let known: BTreeSet<_> = catalogue.into_keys().collect();
    let idle: Vec<_> = known.difference(&used).collect();
    ensure!(idle.is_empty(), "no dashboard asks for {idle:?} of series.txt");
    Ok(())
}

#[test]
fn rates_are_taken_of_counters_only() -> Result<()> {
    let catalogue = catalogue()?;
    for (name, query) in queries()? {
        let mut wrong = Vec::new();
        walk(&query, &mut |expression| {
            let Expr::Call(call) = expression else { return };
            if !OF_COUNTERS.contains(&call.func.name) {
                return;
            }
            for selector in call.args.args.iter().flat_map(|argument| selectors(argument)) {
                let kind = name_of(selector).and_then(|series| catalogue.get(series));
                if kind.is_none_or(|kind| kind != "counter") {
                    wrong.push(format!("{}({selector}) of a {kind:?}", call.func.name));
                }
            }
        });
        ensure!(wrong.is_empty(), "{name}: {wrong:?}");
    }
    Ok(())
}

#[test]
fn quantiles_keep_the_buckets_apart() -> Result<()> {
    let mut seen = 0;
    for (name, query) in queries()? {
        let mut wrong = Vec::new();
        walk(&query, &mut |expression| {
            let Expr::Call(call) = expression else { return };
            if call.func.name != "histogram_quantile" {
                return;
            }
            seen += 1;
            let kept = call.args.args.iter().any(|argument| {
                matches!(&**argument, Expr::Aggregate(sum) if matches!(&sum.modifier,
                    Some(LabelModifier::Include(labels)) if labels.labels.iter().any(|label| label == "le")))
            });
            if !kept {
                wrong.push(query.to_string());
            }
        });
        ensure!(wrong.is_empty(), "{name}: no `by (le, …)` in {wrong:?}");
    }
    ensure!(seen > 0, "no quantile was looked at");
    Ok(())
}
#[test]
fn runbooks_that_panels_link_to_exist() -> Result<()> {
    let served = "/public/runbooks/";
    let mut seen = 0;
    for dashboard in dashboards::all() {
        let links = list(&dashboard["panels"]).flat_map(|panel| list(&panel["links"]));
        for link in links.chain(list(&dashboard["links"])) {
            let Some(file) = text(&link["url"]).strip_prefix(served) else { continue };
            seen += 1;
            ensure!(
                repository().join("docs/runbooks").join(file).exists(),
                "{}: there is no docs/runbooks/{file}",
                text(&dashboard["uid"])
            );
        }
    }
    ensure!(seen > 0, "no link was looked at");
    Ok(())
}
