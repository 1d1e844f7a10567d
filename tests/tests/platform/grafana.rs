//! Grafana on the platform: what its API says, and what a person sees in Chromium.

use std::{env, fs, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{Browser, eventually, eventually_within, get_with, repository};
use serde_json::{Value, json};

use crate::stack::{self, container};

const GRAFANA: &str = "http://127.0.0.1:13000";
/// `admin:admin`, as `deploy/.env` has it.
const ADMIN: (&str, &str) = ("Authorization", "Basic YWRtaW46YWRtaW4=");
/// A laptop's window.
const WINDOW: (u64, u64) = (1_366, 768);
const OVERVIEW: &str = "lakehouse-overview";
/// Of all of its rows.
const OVERVIEW_HEIGHT: u64 = 1_400;
/// The dashboard that has data only with the profile of its name.
const TRINO: &str = "lakehouse-trino";
/// Height of one line of Grafana's grid, with the gap below it, in pixels.
const GRID_LINE: u64 = 38;
/// What stands above a dashboard's panels, in pixels, generously.
const ABOVE_PANELS: u64 = 300;

fn api(path: &str) -> Result<Value> {
    let answer = get_with(&format!("{GRAFANA}{path}"), &[ADMIN])?;
    ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}

fn post(path: &str, body: &Value) -> Result<Value> {
    let mut answer = ureq::post(format!("{GRAFANA}{path}"))
        .header(ADMIN.0, ADMIN.1)
        .header("Content-Type", "application/json")
        .send(body.to_string())
        .with_context(|| path.to_owned())?;
    Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The dashboards of the repository, by file name.
fn dashboards() -> Result<Vec<Value>> {
    let mut dashboards = Vec::new();
    for entry in fs::read_dir(repository().join("dashboards"))? {
        dashboards.push(serde_json::from_str(&fs::read_to_string(entry?.path())?)?);
    }
    dashboards.sort_by_key(|dashboard: &Value| text(&dashboard["uid"]).to_owned());
    ensure!(dashboards.len() >= 9, "{} dashboards", dashboards.len());
    Ok(dashboards)
}

pub(crate) fn everything_is_there_from_the_first_start() -> Result<()> {
    let state = stack::inspect("grafana", "{{.State.Health.Status}}")?;
    ensure!(state == "healthy", "Grafana is {state}");
    ensure!(api("/api/user")?["login"] == "admin", "the user");
    let wrong =
        get_with(&format!("{GRAFANA}/api/user"), &[("Authorization", "Basic YWRtaW46d3Jvbmc=")])?;
    ensure!(wrong.status == 401, "a wrong password is answered with {}", wrong.status);

    ensure!(list(&api("/api/datasources")?).count() == 1, "more than one data source");
    let source = api("/api/datasources/name/Prometheus")?;
    for (field, expected) in [
        ("type", json!("prometheus")),
        ("access", json!("proxy")),
        ("url", json!("http://prometheus:9090")),
        ("isDefault", json!(true)),
        ("readOnly", json!(true)),
    ] {
        ensure!(source[field] == expected, "{field}: {source}");
    }
    ensure!(api("/api/datasources/uid/prometheus/health")?["status"] == "OK", "its health");

    let found = api("/api/search?query=Lakehouse%20Platform%20Overview")?;
    ensure!(list(&found).count() == 1, "{found}");
    for dashboard in dashboards()? {
        let uid = text(&dashboard["uid"]);
        let served = api(&format!("/api/dashboards/uid/{uid}"))?;
        ensure!(served["meta"]["provisioned"] == true, "{uid}: {}", served["meta"]);
        ensure!(served["dashboard"]["title"] == dashboard["title"], "{uid}");
    }
    let log = stack::docker_all(&["logs", &container("grafana")])?;
    let faults: Vec<_> = log
        .lines()
        .filter(|line| line.contains("provisioning") && line.contains("level=error"))
        .collect();
    ensure!(faults.is_empty(), "{faults:#?}");
    Ok(())
}

/// Runs a panel's query as a browser would have Grafana run it; the number of values in the answer.
fn values(expression: &str) -> Result<usize> {
    let query = json!({
        "refId": "A",
        "datasource": {"type": "prometheus", "uid": "prometheus"},
        "expr": expression,
        "instant": true,
        "range": false,
    });
    let body = json!({"from": "now-5m", "to": "now", "queries": [query]});
    let answer = post("/api/ds/query", &body)?;
    let frames = &answer["results"]["A"]["frames"];
    Ok(list(frames)
        .filter_map(|frame| frame["data"]["values"].as_array()?.last()?.as_array().map(Vec::len))
        .sum())
}

pub(crate) fn the_overview_answers_through_it() -> Result<()> {
    let dashboards = dashboards()?;
    let overview =
        dashboards.iter().find(|dashboard| dashboard["uid"] == OVERVIEW).context("the overview")?;
    let mut panels = 0;
    for panel in list(&overview["panels"]).filter(|panel| panel["type"] != "row") {
        panels += 1;
        for target in list(&panel["targets"]) {
            let expression = text(&target["expr"]);
            ensure!(values(expression)? > 0, "{}: no value of {expression}", panel["title"]);
        }
    }
    ensure!(panels == 10, "{panels} panels");
    Ok(())
}

/// What each panel of the page shows.
const PANELS: &str = r#"
    const prefix = 'data-testid Panel header ';
    return Array.from(document.querySelectorAll(`[data-testid^="${prefix}"]`)).map(panel => ({
        title: panel.getAttribute('data-testid').slice(prefix.length),
        text: panel.innerText,
        drawn: panel.querySelector('canvas') !== null,
        loading: panel.querySelector('[aria-label="Panel loading bar"]') !== null,
        failed: panel.querySelector('[aria-label="Panel status"], [data-testid^="data-testid Panel status"]') !== null,
    }));"#;

/// Whether what a panel shows is data, or the text that says what is missing, which only panels may
/// that Prometheus has nothing for.
fn look_at(panel: &Value, shown: &Value) -> Result<()> {
    let title = text(&panel["title"]);
    ensure!(shown["failed"] == false && shown["loading"] == false, "{title}: {shown}");
    let seen = text(&shown["text"]);
    let below_title = seen.strip_prefix(title).unwrap_or(seen).trim();
    ensure!(shown["drawn"] == true || !below_title.is_empty(), "{title} is empty");
    ensure!(below_title != "No data" && !below_title.contains("No data found"), "{title}: {seen}");
    let missing = text(&panel["fieldConfig"]["defaults"]["noValue"]);
    if below_title.contains(missing) {
        for target in list(&panel["targets"]) {
            let expression = stack::without_variables(text(&target["expr"]));
            let values = stack::query(&expression)?;
            let finite = values.iter().any(|(_, value)| value.is_finite());
            ensure!(!finite, "{title} says {missing:?}, and Prometheus has {values:?}");
        }
    }
    Ok(())
}

/// Opens a dashboard in a window high enough for all of its panels, and looks at each.
fn look_at_dashboard(browser: &Browser, dashboard: &Value) -> Result<()> {
    let uid = text(&dashboard["uid"]);
    let bottom = list(&dashboard["panels"])
        .filter_map(|panel| Some(panel["gridPos"]["y"].as_u64()? + panel["gridPos"]["h"].as_u64()?))
        .max()
        .context("panels")?;
    browser.resize(WINDOW.0, bottom * GRID_LINE + ABOVE_PANELS)?;
    browser.open(&format!("{GRAFANA}/d/{uid}?from=now-15m&to=now"))?;
    eventually_within(Duration::from_mins(2), &format!("{uid} in the browser"), || {
        let shown = browser.script(PANELS)?;
        for panel in list(&dashboard["panels"]).filter(|panel| panel["type"] != "row") {
            let found = list(&shown).find(|shown| shown["title"] == panel["title"]);
            look_at(panel, found.with_context(|| format!("{} is not there", panel["title"]))?)?;
        }
        Ok(())
    })
}

/// With `DOCS_IMAGES=1`, what a window of this height shows becomes the picture in the documentation.
#[expect(clippy::disallowed_methods, reason = "a test waits until curves are drawn anew")]
fn picture(browser: &Browser, name: &str, height: u64) -> Result<()> {
    if env::var_os("DOCS_IMAGES").is_none() {
        return Ok(());
    }
    browser.resize(WINDOW.0, height)?;
    thread::sleep(Duration::from_secs(3));
    let file = repository().join("docs/images").join(format!("{name}.png"));
    fs::write(&file, browser.screenshot()?).with_context(|| file.display().to_string())
}

fn logged_in() -> Result<Browser> {
    let browser = Browser::start()?;
    browser.resize(WINDOW.0, WINDOW.1)?;
    // The page of a Grafana that is only just starting stays what it is: opened again, it has the form.
    eventually_within(Duration::from_mins(3), "the login page", || {
        browser.open(&format!("{GRAFANA}/login"))?;
        eventually("the form", || browser.type_into("input[name=user]", "admin"))
    })?;
    // U+E007 is the Enter key.
    browser.type_into("input[name=password]", "admin\u{e007}")?;
    eventually_within(Duration::from_secs(30), "the login", || {
        let known = browser.script("return fetch('/api/user').then(answer => answer.ok)")?;
        ensure!(known == true, "not yet");
        Ok(())
    })?;
    Ok(browser)
}

pub(crate) fn each_dashboard_shows_data_in_a_browser() -> Result<()> {
    let browser = logged_in()?;
    for dashboard in dashboards()? {
        look_at_dashboard(&browser, &dashboard)?;
        let uid = text(&dashboard["uid"]);
        if uid != TRINO {
            picture(&browser, uid, if uid == OVERVIEW { OVERVIEW_HEIGHT } else { WINDOW.1 })?;
        }
    }
    Ok(())
}

/// On the profile of Trino: with data, where without the profile each panel says that it is off.
pub(crate) fn the_trino_dashboard_shows_data_in_a_browser() -> Result<()> {
    let dashboards = dashboards()?;
    let dashboard =
        dashboards.iter().find(|dashboard| dashboard["uid"] == TRINO).context("the dashboard")?;
    stack::wait_for("count_over_time(up{job=\"trino\"}[5m]) > 3", Duration::from_mins(4))?;
    let browser = logged_in()?;
    look_at_dashboard(&browser, dashboard)?;
    picture(&browser, TRINO, WINDOW.1)
}

/// While an alert fires: in Grafana's list of Prometheus' rules, in the panel that counts, and in the
/// panel that lists.
pub(crate) fn it_shows_the_alert_that_fires() -> Result<()> {
    let alert = "AirflowTaskFailureHigh";
    let rules = api("/api/prometheus/prometheus/api/v1/rules")?;
    let firing = list(&rules["data"]["groups"])
        .flat_map(|group| list(&group["rules"]))
        .any(|rule| rule["name"] == alert && rule["state"] == "firing");
    ensure!(firing, "{alert} does not fire in {rules}");
    ensure!(values("count(ALERTS{alertstate=\"firing\"}) > 0")? == 1, "the panel counts none");

    let browser = logged_in()?;
    browser.resize(WINDOW.0, 1_500)?;
    browser.open(&format!("{GRAFANA}/d/lakehouse-prometheus"))?;
    eventually_within(Duration::from_mins(2), "the list of alerts", || {
        let shown = browser.script(PANELS)?;
        let panel = list(&shown).find(|panel| panel["title"] == "Alerts").context("the list")?;
        ensure!(text(&panel["text"]).contains(alert), "{panel}");
        Ok(())
    })
}

pub(crate) fn wait_until_ready() -> Result<()> {
    eventually_within(Duration::from_mins(2), "Grafana answers", || api("/api/health").map(drop))
}

pub(crate) fn add_user(name: &str) -> Result<()> {
    let user = json!({"name": name, "login": name, "password": "e2e-password"});
    post("/api/admin/users", &user).map(drop)
}

pub(crate) fn has_user(name: &str) -> Result<bool> {
    Ok(list(&api(&format!("/api/users/search?query={name}"))?["users"]).count() == 1)
}

/// Grafana is away for a while and is then made anew: Prometheus goes on, what users did is still there,
/// what is provisioned is there once.
pub(crate) fn its_state_survives_a_new_container() -> Result<()> {
    add_user("e2e")?;
    let start = stack::value("vector(time())")?;
    stack::docker(&["rm", "--force", &container("grafana")])?;
    stack::wait_for(&format!("vector(time()) > {}", start + 60.0), Duration::from_mins(2))?;
    let scrapes = stack::value("count_over_time(up{job=\"prometheus\"}[1m])")?;
    ensure!((3.0..=5.0).contains(&scrapes), "{scrapes} scrapes in a minute without Grafana");
    stack::run("up")?;
    ensure!(has_user("e2e")?, "the user is gone");
    everything_is_there_from_the_first_start()
}
