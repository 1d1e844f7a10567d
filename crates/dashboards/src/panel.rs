//! A panel: what it asks, and how the answer is drawn.

use serde_json::{Value, json};

use crate::dashboard::{RUNBOOKS, selected};

/// Green below 60 %, yellow below 80 %, red above: where the alerts are.
pub(crate) const FILLING: Steps = &[("green", None), ("yellow", Some(60.0)), ("red", Some(80.0))];
/// Any is too many.
pub(crate) const NONE_IS_GOOD: Steps = &[("green", None), ("red", Some(1.0))];
/// None is too few.
pub(crate) const SOME_IS_GOOD: Steps = &[("red", None), ("green", Some(1.0))];
/// A number that is neither good nor bad.
const PLAIN: Steps = &[("text", None)];

/// Colours from the lowest value up.
pub(crate) type Steps = &'static [(&'static str, Option<f64>)];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Stat,
    Gauge,
    TimeSeries,
    Table,
    StateTimeline,
    AlertList,
}

#[derive(Debug)]
pub(crate) struct Panel {
    kind: Kind,
    title: &'static str,
    about: &'static str,
    unit: &'static str,
    size: (u32, u32),
    queries: Vec<(String, &'static str)>,
    steps: Steps,
    range: (Option<f64>, Option<f64>),
    decimals: Option<u32>,
    missing: Option<&'static str>,
    up_or_down: bool,
    background: bool,
    stacked: bool,
    bars: bool,
    graph: bool,
    colours: Vec<(&'static str, &'static str)>,
    columns: Vec<(&'static str, &'static str)>,
    runbook: Option<&'static str>,
}

/// One number, as it is now.
pub(crate) fn stat(title: &'static str, unit: &'static str) -> Panel {
    Panel::new(Kind::Stat, title, unit, (4, 4))
}

/// A part of a whole, in percent.
pub(crate) fn gauge(title: &'static str, query: &str, legend: &'static str) -> Panel {
    Panel::new(Kind::Gauge, title, "percent", (6, 8)).query(query, legend).percent()
}

/// Lines over time, from zero up.
pub(crate) fn time_series(title: &'static str, unit: &'static str) -> Panel {
    let mut panel = Panel::new(Kind::TimeSeries, title, unit, (12, 8));
    panel.range.0 = Some(0.0);
    panel
}

/// One line for each label set: `columns` are names and units, the value of each query first.
pub(crate) fn table(title: &'static str) -> Panel {
    Panel::new(Kind::Table, title, "short", (24, 8))
}

/// UP and DOWN over time.
pub(crate) fn state_timeline(title: &'static str, query: &str, legend: &'static str) -> Panel {
    Panel::new(Kind::StateTimeline, title, "none", (12, 8)).query(query, legend).up_or_down()
}

/// Alerts that Prometheus has as pending or firing.
pub(crate) fn alert_list(title: &'static str) -> Panel {
    Panel::new(Kind::AlertList, title, "none", (12, 8))
}

impl Panel {
    fn new(kind: Kind, title: &'static str, unit: &'static str, size: (u32, u32)) -> Self {
        Self {
            kind,
            title,
            about: "",
            unit,
            size,
            queries: Vec::new(),
            steps: PLAIN,
            range: (None, None),
            decimals: None,
            missing: None,
            up_or_down: false,
            background: false,
            stacked: false,
            bars: false,
            graph: false,
            colours: Vec::new(),
            columns: Vec::new(),
            runbook: None,
        }
    }

    /// Another query; `{@}` in it stands for the labels that the variables choose.
    pub(crate) fn query(mut self, query: &str, legend: &'static str) -> Self {
        self.queries.push((selected(query), legend));
        self
    }

    pub(crate) fn about(mut self, text: &'static str) -> Self {
        self.about = text;
        self
    }

    pub(crate) fn wide(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    pub(crate) fn steps(mut self, steps: Steps) -> Self {
        self.steps = steps;
        self
    }

    pub(crate) fn percent(mut self) -> Self {
        self.range = (Some(0.0), Some(100.0));
        self.decimals = Some(1);
        self
    }

    pub(crate) fn decimals(mut self, decimals: u32) -> Self {
        self.decimals = Some(decimals);
        self
    }

    /// What the panel says without data: what is missing.
    pub(crate) fn missing(mut self, text: &'static str) -> Self {
        self.missing = Some(text);
        self
    }

    /// 1 is UP, 0 is DOWN.
    pub(crate) fn up_or_down(mut self) -> Self {
        self.up_or_down = true;
        self.steps(SOME_IS_GOOD)
    }

    /// The colour fills the panel.
    pub(crate) fn background(mut self) -> Self {
        self.background = true;
        self
    }

    pub(crate) fn stacked(mut self) -> Self {
        self.stacked = true;
        self
    }

    pub(crate) fn bars(mut self) -> Self {
        self.bars = true;
        self
    }

    /// A small curve behind the number.
    pub(crate) fn graph(mut self) -> Self {
        self.graph = true;
        self
    }

    /// A colour of its own for the line of this name.
    pub(crate) fn colour(mut self, name: &'static str, colour: &'static str) -> Self {
        self.colours.push((name, colour));
        self
    }

    /// A column of a table: the value of the next query.
    pub(crate) fn column(mut self, name: &'static str, unit: &'static str, query: &str) -> Self {
        self.columns.push((name, unit));
        self.query(query, "")
    }

    /// The alert that watches what this panel shows.
    pub(crate) fn runbook(mut self, alert: &'static str) -> Self {
        self.runbook = Some(alert);
        self
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        self.size
    }

    pub(crate) fn json(&self, id: u32, place: &Value, missing: &str) -> Value {
        let mut panel = json!({
            "id": id,
            "title": self.title,
            "type": self.type_name(),
            "description": self.about,
            "datasource": source(),
            "gridPos": place,
            "links": self.links(),
            "fieldConfig": {
                "defaults": self.defaults(self.missing.unwrap_or(missing)),
                "overrides": self.overrides(),
            },
            "options": self.options(),
            "targets": self.targets(),
        });
        if self.kind == Kind::Table {
            panel["transformations"] = self.transformations();
        }
        panel
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Stat => "stat",
            Kind::Gauge => "gauge",
            Kind::TimeSeries => "timeseries",
            Kind::Table => "table",
            Kind::StateTimeline => "state-timeline",
            Kind::AlertList => "alertlist",
        }
    }

    /// Whether the answer is a moment's, not a range's.
    fn is_instant(&self) -> bool {
        matches!(self.kind, Kind::Stat | Kind::Gauge | Kind::Table) && !self.graph
    }

    fn defaults(&self, missing: &str) -> Value {
        let steps: Vec<_> = self
            .steps
            .iter()
            .map(|(colour, value)| json!({"color": colour, "value": value}))
            .collect();
        let mode = if self.kind == Kind::TimeSeries { "palette-classic" } else { "thresholds" };
        let mut defaults = json!({
            "unit": self.unit,
            "noValue": missing,
            "color": {"mode": mode},
            "mappings": self.mappings(),
            "thresholds": {"mode": "absolute", "steps": steps},
            "custom": self.custom(),
        });
        if let Some(minimum) = self.range.0 {
            defaults["min"] = json!(minimum);
        }
        if let Some(maximum) = self.range.1 {
            defaults["max"] = json!(maximum);
        }
        if let Some(decimals) = self.decimals {
            defaults["decimals"] = json!(decimals);
        }
        defaults
    }

    fn mappings(&self) -> Value {
        if !self.up_or_down {
            return json!([]);
        }
        json!([{"type": "value", "options": {
            "0": {"text": "DOWN", "color": "red", "index": 1},
            "1": {"text": "UP", "color": "green", "index": 0},
        }}])
    }

    fn custom(&self) -> Value {
        match self.kind {
            Kind::TimeSeries => json!({
                "drawStyle": if self.bars { "bars" } else { "line" },
                "lineWidth": 1,
                "fillOpacity": if self.stacked || self.bars { 40 } else { 10 },
                "showPoints": "never",
                "spanNulls": false,
                "stacking": {"mode": if self.stacked { "normal" } else { "none" }, "group": "A"},
                "thresholdsStyle": {"mode": if self.steps == PLAIN { "off" } else { "dashed" }},
            }),
            Kind::StateTimeline => json!({"lineWidth": 0, "fillOpacity": 80}),
            Kind::Table => json!({"align": "auto", "filterable": false, "inspect": false}),
            Kind::Stat | Kind::Gauge | Kind::AlertList => json!({}),
        }
    }

    fn overrides(&self) -> Vec<Value> {
        let colours = self.colours.iter().map(|(name, colour)| {
            json!({
                "matcher": {"id": "byName", "options": name},
                "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
            })
        });
        let units = self.columns.iter().map(|(name, unit)| {
            json!({
                "matcher": {"id": "byName", "options": name},
                "properties": [{"id": "unit", "value": unit}],
            })
        });
        colours.chain(units).collect()
    }

    fn options(&self) -> Value {
        let last = json!({"calcs": ["lastNotNull"], "fields": "", "values": false});
        match self.kind {
            Kind::Stat => json!({
                "colorMode": if self.background { "background" } else { "value" },
                "graphMode": if self.graph { "area" } else { "none" },
                "justifyMode": "auto",
                "orientation": "auto",
                "textMode": if self.queries.iter().any(|(_, legend)| legend.contains("{{")) { "value_and_name" } else { "value" },
                "reduceOptions": last,
                "showPercentChange": false,
                "percentChangeColorMode": "standard",
                "wideLayout": true,
            }),
            Kind::Gauge => json!({
                "orientation": "auto",
                "sizing": "auto",
                "minVizWidth": 75,
                "minVizHeight": 75,
                "showThresholdLabels": false,
                "showThresholdMarkers": true,
                "reduceOptions": last,
            }),
            Kind::TimeSeries => json!({
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }),
            Kind::Table => json!({
                "frameIndex": 0,
                "showHeader": true,
                "cellHeight": "sm",
                "footer": {"show": false, "reducer": ["sum"], "countRows": false, "fields": ""},
            }),
            Kind::StateTimeline => json!({
                "mergeValues": true,
                "showValue": "never",
                "alignValue": "left",
                "rowHeight": 0.9,
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": false, "calcs": []},
                "tooltip": {"mode": "single", "sort": "none"},
            }),
            Kind::AlertList => alert_list_options(),
        }
    }

    fn targets(&self) -> Vec<Value> {
        let instant = self.is_instant();
        ('A'..='Z')
            .zip(&self.queries)
            .map(|(letter, (query, legend))| {
                json!({
                    "refId": letter.to_string(),
                    "datasource": source(),
                    "editorMode": "code",
                    "expr": query,
                    "legendFormat": if legend.is_empty() { "__auto" } else { legend },
                    "instant": instant,
                    "range": !instant,
                    "format": if self.kind == Kind::Table { "table" } else { "time_series" },
                })
            })
            .collect()
    }

    /// One line for each label set, with the value of each query in a column of its name.
    fn transformations(&self) -> Value {
        let mut names = json!({});
        for (letter, (name, _)) in ('A'..='Z').zip(&self.columns) {
            names[format!("Value #{letter}")] = json!(name);
        }
        json!([
            {"id": "merge", "options": {}},
            {"id": "organize", "options": {
                "excludeByName": {"Time": true},
                "indexByName": {},
                "renameByName": names,
            }},
        ])
    }

    fn links(&self) -> Value {
        self.runbook.map_or(json!([]), |alert| {
            json!([{
                "title": format!("Runbook of {alert}"),
                "type": "link",
                "icon": "",
                "tooltip": "",
                "url": format!("{RUNBOOKS}/{alert}.md"),
                "tags": [],
                "asDropdown": false,
                "includeVars": false,
                "keepTime": false,
                "targetBlank": true,
            }])
        })
    }
}

fn alert_list_options() -> Value {
    json!({
        "viewMode": "list",
        "groupMode": "default",
        "groupBy": [],
        "maxItems": 50,
        "sortOrder": 1,
        "dashboardAlerts": false,
        "alertName": "",
        "alertInstanceLabelFilter": "",
        "datasource": "Prometheus",
        "stateFilter": {"firing": true, "pending": true, "noData": false, "normal": false, "error": true},
    })
}

/// The data source that the variable chooses.
pub(crate) fn source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}
