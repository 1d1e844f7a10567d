//! A dashboard: rows of panels, variables, links to the others, and marks for alerts and restarts.

use serde_json::{Value, json};

use crate::panel::{Panel, source};

/// Columns of Grafana's grid.
const COLUMNS: u32 = 24;
/// Row headings are numbered from here, panels from 1.
const FIRST_ROW_ID: u32 = 101;
/// What every dashboard of ours carries; the links between them go by it.
const TAG: &str = "lakehouse";
/// Where Grafana serves the runbooks: `deploy/compose.yaml` mounts them there.
pub(crate) const RUNBOOKS: &str = "/public/runbooks";
/// Stands in queries for the labels that the variables `job` and `instance` choose.
const SELECTED: (&str, &str) = ("{@", r#"{job=~"$job",instance=~"$instance""#);

#[derive(Debug)]
pub(crate) struct Dashboard {
    uid: &'static str,
    title: &'static str,
    about: &'static str,
    missing: &'static str,
    jobs: &'static str,
    started: &'static str,
    variables: Vec<Value>,
    rows: Vec<(&'static str, Vec<Panel>)>,
}

impl Dashboard {
    pub(crate) fn new(uid: &'static str, title: &'static str, about: &'static str) -> Self {
        let variables = vec![datasource()];
        let (missing, jobs, started) = ("", ".+", "process_start_time_seconds");
        Self { uid, title, about, missing, jobs, started, variables, rows: Vec::new() }
    }

    /// What a panel without data says, unless it has a text of its own.
    pub(crate) fn missing(mut self, text: &'static str) -> Self {
        self.missing = text;
        self
    }

    /// The jobs whose alerts are marked.
    pub(crate) fn alerts_of(mut self, jobs: &'static str) -> Self {
        self.jobs = jobs;
        self
    }

    /// The start times, in seconds, which are marked.
    pub(crate) fn started(mut self, query: &'static str) -> Self {
        self.started = query;
        self
    }

    /// Variables `job` and `instance`, with what has the series `name`.
    pub(crate) fn chosen_by(self, name: &str) -> Self {
        self.variable("job", &format!("label_values({name}, job)"))
            .variable("instance", &format!("label_values({name}{{job=~\"$job\"}}, instance)"))
    }

    /// A variable of which several values may be chosen, all of them at first.
    pub(crate) fn variable(mut self, name: &str, query: &str) -> Self {
        self.variables.push(json!({
            "name": name,
            "label": name,
            "type": "query",
            "datasource": source(),
            "definition": query,
            "query": {"query": query, "refId": "StandardVariableQuery"},
            "refresh": 2,
            "sort": 1,
            "multi": true,
            "includeAll": true,
            "allValue": ".+",
            "current": {"selected": true, "text": ["All"], "value": ["$__all"]},
            "hide": 0,
            "options": [],
            "regex": "",
            "skipUrlSync": false,
        }));
        self
    }

    pub(crate) fn row(mut self, title: &'static str, panels: Vec<Panel>) -> Self {
        self.rows.push((title, panels));
        self
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "id": null,
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": [TAG],
            "timezone": "browser",
            "editable": false,
            "graphTooltip": 1,
            "schemaVersion": 38,
            "version": 1,
            "refresh": "15s",
            "time": {"from": "now-1h", "to": "now"},
            "timepicker": {},
            "fiscalYearStartMonth": 0,
            "weekStart": "",
            "templating": {"list": self.variables},
            "annotations": {"list": self.annotations()},
            "links": links(),
            "panels": self.panels(),
        })
    }

    fn annotations(&self) -> Value {
        let alerts = format!("ALERTS{{alertstate=\"firing\",job=~\"{}\"}}", self.jobs);
        json!([
            {
                "name": "Alerts",
                "datasource": source(),
                "enable": true,
                "iconColor": "red",
                "expr": alerts,
                "step": "60s",
                "titleFormat": "{{alertname}}",
                "textFormat": "{{severity}} {{job}} {{instance}}",
            },
            {
                "name": "Restarts",
                "datasource": source(),
                "enable": true,
                "iconColor": "blue",
                "expr": format!("1000 * {}", selected(self.started)),
                "step": "60s",
                "useValueForTime": true,
                "titleFormat": "start of {{job}}",
                "textFormat": "{{instance}}",
            },
        ])
    }

    /// Panels from left to right, in lines of equal height.
    fn panels(&self) -> Vec<Value> {
        let mut placed = Vec::new();
        let mut next_id = 1;
        let mut y = 0;
        for (row_id, (title, panels)) in (FIRST_ROW_ID..).zip(&self.rows) {
            placed.push(json!({
                "id": row_id,
                "title": title,
                "type": "row",
                "collapsed": false,
                "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
                "panels": [],
            }));
            y += 1;
            let (mut x, mut line_height) = (0, 0);
            for panel in panels {
                let (width, height) = panel.size();
                if x + width > COLUMNS {
                    y += line_height;
                    (x, line_height) = (0, 0);
                }
                let place = json!({"h": height, "w": width, "x": x, "y": y});
                placed.push(panel.json(next_id, &place, self.missing));
                next_id += 1;
                x += width;
                line_height = line_height.max(height);
            }
            y += line_height;
        }
        placed
    }
}

/// A query with the labels that the variables choose.
pub(crate) fn selected(query: &str) -> String {
    query.replace("{@}", "{@,}").replace(SELECTED.0, SELECTED.1).replace(",}", "}")
}

fn datasource() -> Value {
    json!({
        "name": "datasource",
        "label": "data source",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "", "value": ""},
        "hide": 0,
        "includeAll": false,
        "multi": false,
        "options": [],
        "refresh": 1,
        "regex": "",
        "skipUrlSync": false,
    })
}

fn links() -> Value {
    json!([
        {
            "title": "Dashboards",
            "type": "dashboards",
            "tags": [TAG],
            "asDropdown": true,
            "includeVars": false,
            "keepTime": true,
            "targetBlank": false,
            "icon": "external link",
            "tooltip": "",
            "url": "",
        },
        {
            "title": "Runbooks",
            "type": "link",
            "url": format!("{RUNBOOKS}/README.md"),
            "tags": [],
            "asDropdown": false,
            "includeVars": false,
            "keepTime": false,
            "targetBlank": true,
            "icon": "doc",
            "tooltip": "What to do when an alert fires",
        },
    ])
}
