//! The HTTP side of an exporter: routes, limits, and the way from a scrape to a page.

use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::Semaphore;

use crate::{
    args::WebArgs,
    exposition::{Families, Page},
    health::Health,
    shutdown::{Shutdown, ShutdownHandle},
    telemetry::{ExporterInfo, Telemetry},
};

mod auth;
mod body;
mod config;
mod guard;
mod healthz;
mod landing;
mod lifecycle;
mod listen;
mod prefix;
mod query;
mod rate;
mod scrape;
mod tls;

pub use config::{WebSettings, WebUser};
pub use landing::Field;
use landing::Landing;
pub(crate) use listen::unix_path;
pub use listen::{Bound, bind, bind_with, resolve};
pub use query::Query;

/// Pages rendered at once; further scrapes wait until their deadline.
const RENDERS_MAX: usize = 2;

/// Pages on their way to readers, each of which holds a thread. Were one to have its turn without a
/// thread, those with threads would wait for the turn, and it for a thread.
pub(crate) const PAGES_MAX: usize = 64;

/// What one scrape asks for.
#[derive(Clone, Debug)]
pub struct ScrapeRequest {
    /// The query string, decoded.
    pub query: Query,
    /// The collectors named by `collect[]`; empty for all.
    pub collect: Vec<String>,
    /// When the page has to be complete.
    pub deadline: Instant,
}

/// What one scrape found.
#[derive(Default)]
pub struct Scraped {
    /// Families in memory.
    pub page: Page,
    /// Families which are too many to be copied.
    pub sources: Vec<Arc<dyn Families>>,
    /// What the exporter watches does not answer: with `--web.fail-when-down` the page is sent
    /// with status 503.
    pub down: bool,
}

impl From<Page> for Scraped {
    fn from(page: Page) -> Self {
        Self { page, ..Self::default() }
    }
}

impl fmt::Debug for Scraped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scraped")
            .field("page", &self.page)
            .field("sources", &self.sources.len())
            .field("down", &self.down)
            .finish()
    }
}

/// A scrape which is answered with an error: wrong parameters, mostly.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// For example 400.
    pub status: StatusCode,
    /// One line for the person who reads it, without a secret.
    pub message: String,
}

impl Refused {
    /// 400, for a request which cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }
}

/// What [`Scrape::scrape`] returns.
pub type Scraping<'a> = Pin<Box<dyn Future<Output = Result<Scraped, Refused>> + Send + 'a>>;

/// Answers the scrapes of one path.
pub trait Scrape: Send + Sync + 'static {
    /// Gathers what `request` asks for. A target which is down costs its families, not the scrape.
    fn scrape<'a>(&'a self, request: &'a ScrapeRequest) -> Scraping<'a>;
}

/// An exporter's HTTP server under construction.
///
/// `/`, `/-/healthy`, `/-/ready`, `/health`, `/health/live` and `/health/ready` are there from the
/// start.
pub struct Server {
    shared: Shared,
    router: Router,
    landing: Landing,
    plain_health: bool,
}

/// What all handlers share.
#[derive(Clone, Debug)]
struct Shared {
    info: &'static ExporterInfo,
    args: Arc<WebArgs>,
    telemetry: Telemetry,
    health: Health,
    requests: Option<Arc<Semaphore>>,
    renders: Arc<Semaphore>,
    pages: Arc<Semaphore>,
}

impl Server {
    /// A server which has no metrics yet.
    #[must_use]
    pub fn new(
        info: &'static ExporterInfo,
        args: &WebArgs,
        telemetry: Telemetry,
        health: Health,
    ) -> Self {
        let requests = (args.max_requests > 0).then(|| Arc::new(Semaphore::new(args.max_requests)));
        let shared = Shared {
            info,
            args: Arc::new(args.clone()),
            telemetry,
            health,
            requests,
            renders: Arc::new(Semaphore::new(RENDERS_MAX)),
            pages: Arc::new(Semaphore::new(PAGES_MAX)),
        };
        Self { shared, router: Router::new(), landing: Landing::new(info), plain_health: false }
    }

    /// Serves `scrape` and the process' own telemetry under `--web.telemetry-path`.
    #[must_use]
    pub fn metrics(mut self, scrape: Arc<dyn Scrape>) -> Self {
        let path = self.shared.args.telemetry_path.clone();
        self.landing.link(&path, "Metrics");
        self.route(&path, scrape, true)
    }

    /// Serves `scrape` alone under `path`, for example `/probe`.
    #[must_use]
    pub fn probe(self, path: &str, scrape: Arc<dyn Scrape>) -> Self {
        self.route(path, scrape, false)
    }

    /// As [`probe`](Self::probe), with a form on the landing page which asks for the parameters
    /// `fields`.
    #[must_use]
    pub fn probe_form(mut self, path: &str, fields: &[Field], scrape: Arc<dyn Scrape>) -> Self {
        self.landing.form(path, fields);
        self.route(path, scrape, false)
    }

    /// With `--web.enable-lifecycle`, serves `/-/quit`, which asks for the shutdown of `stop`, and
    /// `/-/reload`, which runs `reload` in a thread where it may block and answers 500 with its
    /// error. PUT and POST act, other methods are 405.
    #[must_use]
    pub fn lifecycle(
        self,
        stop: ShutdownHandle,
        reload: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        if self.shared.args.enable_lifecycle {
            self.merge(lifecycle::routes(stop, Arc::new(reload)))
        } else {
            self
        }
    }

    /// With `--web.enable-lifecycle`, serves `/-/quit` alone, for exporters with a `/-/reload` of
    /// their own.
    #[must_use]
    pub fn quit(self, stop: ShutdownHandle) -> Self {
        if self.shared.args.enable_lifecycle {
            self.merge(lifecycle::quit_route(stop))
        } else {
            self
        }
    }

    /// Adds routes of the exporter's own.
    #[must_use]
    pub fn merge(mut self, router: Router) -> Self {
        self.router = self.router.merge(router);
        self
    }

    /// Answers `/health` with `ok` unless JSON is asked for, as `redis_exporter` does.
    #[must_use]
    pub const fn plain_health(mut self) -> Self {
        self.plain_health = true;
        self
    }

    /// All routes, for tests and for [`serve`](Self::serve).
    pub fn into_router(mut self) -> Router {
        self.landing.link("/health", "Health");
        let mut router = self.router.merge(healthz::routes(&self.shared, self.plain_health));
        if self.shared.args.telemetry_path != "/" {
            let page = self.landing.page();
            router = router.route("/", get(move || std::future::ready(landing::respond(&page))));
        }
        let router = router.fallback(|| std::future::ready(not_found()));
        prefix::below(&self.shared.args, router)
    }

    /// Serves until `shutdown` is requested, then lets open responses finish.
    ///
    /// # Errors
    ///
    /// Only what accepting cannot recover from; a peer's errors end with that peer.
    pub async fn serve(self, bound: Bound, shutdown: Shutdown) -> io::Result<()> {
        let args = Arc::clone(&self.shared.args);
        let (info, telemetry) = (self.shared.info, self.shared.telemetry.clone());
        let mut router = self.into_router();
        if let Some(config) = bound.config.clone() {
            config.register(info.name, telemetry.registry()).map_err(io::Error::other)?;
            router = router.layer(from_fn_with_state(config, guard::guard));
        }
        listen::serve(bound, router, &args, shutdown).await
    }

    fn route(mut self, path: &str, scrape: Arc<dyn Scrape>, own: bool) -> Self {
        let endpoint = scrape::Endpoint { shared: self.shared.clone(), scrape, own };
        self.router = self.router.route(path, get(scrape::handle).with_state(endpoint));
        self
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("info", &self.shared.info).finish_non_exhaustive()
    }
}

fn not_found() -> Response {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// A plain text answer.
#[must_use]
pub fn text(status: StatusCode, body: impl Into<String>) -> Response {
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    (status, [(header::CONTENT_TYPE, plain)], body.into()).into_response()
}

/// How long before a scraper's own time-out its page has to be complete.
const TIMEOUT_MARGIN: Duration = Duration::from_millis(500);

/// The earlier of our limit and the scraper's, less a margin for the way back.
fn time_limit(ours: Duration, scraper_seconds: Option<f64>) -> Duration {
    let theirs = scraper_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match theirs {
        Some(theirs) if !theirs.is_zero() => {
            let margin = TIMEOUT_MARGIN.min(theirs / 2);
            ours.min(theirs.saturating_sub(margin))
        }
        _ => ours,
    }
}

#[cfg(test)]
mod tests;
