//! From series to the page, and the routes beside it.

use std::{cell::Cell, io, sync::Arc};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{Method, StatusCode},
    response::Response,
    routing::{any, get},
};
use metrics_server::{
    Desc, Encoder, Families, Page, Scrape, ScrapeRequest, Scraped, Scraping, ShutdownHandle,
    exposition::Extras,
    http::{Query, text},
};

use crate::{
    ingest::Clock,
    inspect::Inspect,
    line::{Kind, Labels},
    pipeline::Pipeline,
    reload::Reloader,
    series::{Reading, Store, Tick},
};

/// All series, as the HTTP side asks for them.
#[derive(Clone, Debug)]
pub(crate) struct Exposed {
    pipeline: Arc<Pipeline>,
    clock: Clock,
}

impl Exposed {
    /// Shows what `pipeline` holds.
    pub(crate) const fn new(pipeline: Arc<Pipeline>, clock: Clock) -> Self {
        Self { pipeline, clock }
    }
}

impl Families for Exposed {
    fn names(&self) -> Vec<Arc<str>> {
        self.pipeline.store.names()
    }

    fn write(&self, name: &str, out: &mut Encoder<'_>) -> io::Result<()> {
        give_way();
        write(&self.pipeline.store, name, self.clock.tick(), out)
    }
}

/// How much nicer a thread which writes pages is than those which read sockets.
const NICE: i32 = 5;

/// Lets the threads which read sockets go first where all cores are busy: a page can wait for a
/// moment, a full socket buffer cannot. Once for each thread; Linux counts this by thread.
fn give_way() {
    thread_local! {
        static GAVE_WAY: Cell<bool> = const { Cell::new(false) };
    }
    if !GAVE_WAY.replace(true) {
        // Where it may not, pages are written as quickly as everything else.
        let _refused = rustix::process::setpriority_process(None, NICE);
    }
}

/// Writes one family as it is at `now`.
///
/// # Errors
///
/// The reader has gone.
pub(crate) fn write(store: &Store, name: &str, now: Tick, out: &mut Encoder<'_>) -> io::Result<()> {
    let Some(page) = store.family(name) else { return Ok(()) };
    let mut family = out.family(Desc::new(name, &page.help, page.kind));
    for series in page.series.iter() {
        match series.read(now) {
            Reading::Number(value) => family.sample(series.labels(), value),
            Reading::Histogram(state, native) => {
                let extras = Extras { native, ..Extras::default() };
                family.histogram_with(series.labels(), &state, &extras);
            }
            Reading::Summary(state) => family.summary(series.labels(), &state),
        }
        family.flush()?;
    }
    Ok(())
}

impl Scrape for Exposed {
    fn scrape<'a>(&'a self, _request: &'a ScrapeRequest) -> Scraping<'a> {
        Box::pin(async move {
            self.pipeline.telemetry.read(&self.pipeline.store);
            Ok(Scraped { page: Page::new(), sources: vec![Arc::new(self.clone())], down: false })
        })
    }
}

/// `/-/reload`, `/-/clear` and `/-/quit`: PUT or POST acts, other methods are answered with nothing.
pub(crate) fn lifecycle(reloader: Arc<Reloader>, stop: ShutdownHandle) -> Router {
    Router::new()
        .route("/-/reload", any(reload).with_state(Arc::clone(&reloader)))
        .route("/-/clear", any(clear).with_state(reloader))
        .route("/-/quit", any(quit).with_state(stop))
}

async fn reload(State(reloader): State<Arc<Reloader>>, method: Method) -> Response {
    if !acts(&method) {
        return text(StatusCode::OK, "");
    }
    match reloader.reload() {
        // The first line is what `statsd_exporter` answers, whatever the outcome.
        Ok(outcome) => text(StatusCode::OK, format!("Requesting reload\n{outcome}")),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
    }
}

/// `?name=a&name=b` drops the series of these names, `?all=true` all.
async fn clear(
    State(reloader): State<Arc<Reloader>>,
    RawQuery(query): RawQuery,
    method: Method,
) -> Response {
    if !acts(&method) {
        return text(StatusCode::OK, "");
    }
    let query = Query::parse(query.as_deref().unwrap_or_default());
    let names = query.all("name");
    let all = query.all("all").iter().any(|value| value == "true");
    if names.is_empty() && !all {
        return text(StatusCode::BAD_REQUEST, "say which: ?name=NAME, or ?all=true\n");
    }
    let cleared = reloader.clear(|name| all || names.iter().any(|wanted| wanted == name));
    text(StatusCode::OK, format!("cleared {cleared} series\n"))
}

/// `/debug/mapping`, `/debug/unmapped` and `/debug/badlines`.
pub(crate) fn debug(inspect: Arc<Inspect>, pipeline: Arc<Pipeline>) -> Router {
    let unmapped =
        async |State(inspect): State<Arc<Inspect>>| text(StatusCode::OK, inspect.unmapped_text());
    let bad_lines =
        async |State(inspect): State<Arc<Inspect>>| text(StatusCode::OK, inspect.bad_lines_text());
    Router::new()
        .route("/debug/unmapped", get(unmapped).with_state(Arc::clone(&inspect)))
        .route("/debug/badlines", get(bad_lines).with_state(inspect))
        .route("/debug/mapping", get(explain).with_state(pipeline))
}

/// `?name=a.b&type=counter&tag=env:prod` says what each rule makes of it; without a type, of all.
async fn explain(State(pipeline): State<Arc<Pipeline>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(query.as_deref().unwrap_or_default());
    let names = query.all("name");
    let Some(name) = names.first() else {
        return text(
            StatusCode::BAD_REQUEST,
            "say which: ?name=NAME, &type=TYPE, &tag=KEY:VALUE\n",
        );
    };
    let mut labels = Labels::default();
    let tags = query.all("tag");
    for tag in &tags {
        if let Some((key, value)) = tag.split_once(':') {
            labels.set(key, value);
        }
    }
    let types = query.all("type");
    let wanted = |kind: &Kind| types.is_empty() || types.iter().any(|name| name == kind.as_str());
    let mapping = pipeline.mappings.current();
    let texts: Vec<String> = Kind::ALL
        .into_iter()
        .filter(wanted)
        .map(|kind| mapping.explain(name, kind, &labels))
        .collect();
    text(StatusCode::OK, texts.join("\n"))
}

async fn quit(State(stop): State<ShutdownHandle>, method: Method) -> Response {
    if !acts(&method) {
        return text(StatusCode::OK, "");
    }
    stop.request();
    text(StatusCode::OK, "Requesting termination... Goodbye!")
}

fn acts(method: &Method) -> bool {
    method == Method::PUT || method == Method::POST
}
