//! One scrape of one server: from commands to a page.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use metrics_server::{ExporterInfo, Kind, Page, Scraped, SummaryState};
use tracing::{debug, info, warn};

use crate::{
    app::{INFO, Options},
    collectors::{self, Snapshot},
    command::{Answers, Command, Failure},
    data::Data,
    info::Info,
    node::{Node, Session},
    out::{Metric, Out},
};

/// Batches of one scrape: what is always asked, what `INFO` reveals, and one for servers which
/// refuse the short form of a command.
const ROUNDS_MAX: usize = 3;

/// A server with the totals of its scrapes.
pub struct Target {
    node: Arc<Node>,
    totals: Mutex<Totals>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    scrapes: u64,
    finished: u64,
    seconds: f64,
    /// What the log said last, so that it is told a change only.
    up: Option<bool>,
}

/// The answers to one scrape.
struct Replies {
    answers: Answers,
    text: String,
    session: Session,
}

impl Target {
    /// A server which has not been scraped yet.
    pub fn new(node: Node) -> Self {
        let totals = Totals { scrapes: 0, finished: 0, seconds: 0.0, up: None };
        Self { node: Arc::new(node), totals: Mutex::new(totals) }
    }

    /// Whether a scrape has succeeded.
    pub fn answered(&self) -> bool {
        self.totals().up == Some(true)
    }

    /// Asks everything a scrape asks, and keeps the connection and what was learnt on it.
    ///
    /// # Errors
    ///
    /// The server cannot be reached or does not let us in.
    pub async fn contact(&self, options: &Options, deadline: Instant) -> Result<(), Failure> {
        let (replies, _connecting) = self.replies(options, deadline).await;
        let outcome = replies.map(|replies| {
            if replies.answers.breakdown().is_none() {
                self.node.keep(replies.session);
            }
        });
        self.log(&outcome);
        self.totals().up = Some(outcome.is_ok());
        outcome
    }

    /// Scrapes the server. `Err` in the second place says why it is down.
    pub async fn scrape(
        &self,
        options: &Options,
        request_errors: u64,
        deadline: Instant,
    ) -> (Scraped, Result<(), Failure>) {
        #[expect(clippy::disallowed_methods, reason = "the scrape is a shell: it times itself")]
        let (start, now) = (Instant::now(), SystemTime::now());
        let deadline = deadline.min(start + options.connection_timeout);
        self.totals().scrapes += 1;

        let mut page = Page::new();
        let (replies, connect_time) = self.replies(options, deadline).await;
        let outcome = replies.as_ref().map(|_| ()).map_err(Clone::clone);
        let mut role = String::new();
        if let Ok(Replies { answers, text, session }) = replies {
            let info = Info::parse(&text);
            info.get("role").unwrap_or_default().clone_into(&mut role);
            let mut out = Out::new(&mut page, &options.namespace, options.role(&role));
            let facts = &session.facts;
            let snapshot = Snapshot { info: &info, answers: &answers, options, facts, now };
            collectors::write(&snapshot, &mut out);
            let Data { keys, key_spec, .. } = &options.data;
            let shown = keys.visit(key_spec, &self.node, &snapshot, deadline).await;
            shown.write(keys, &mut out);
            if options.data.is_limited() {
                options.data.limits.write(&mut out);
            }
            match answers.breakdown() {
                None => self.node.keep(session),
                Some(failure) => {
                    debug!(target = %self.node.address(), error = %failure, "some answers are missing");
                }
            }
        }
        let elapsed = start.elapsed();
        self.log(&outcome);
        let totals = self.finish(elapsed, outcome.is_ok());
        let own = Own { outcome: &outcome, connect_time, elapsed, totals, request_errors };
        own.write(&mut page, options, &role);
        (Scraped { page, down: outcome.is_err(), ..Scraped::default() }, outcome)
    }

    /// Asks on the connection of the last scrape or, where that has broken meanwhile, on a new one.
    async fn replies(
        &self,
        options: &Options,
        deadline: Instant,
    ) -> (Result<Replies, Failure>, Connecting) {
        let mut connecting = Connecting::default();
        if let Some(session) = self.node.take() {
            match ask(session, options, deadline).await {
                Err(Failure::Broken(reason)) => {
                    debug!(target = %self.node.address(), error = reason, "connecting anew");
                }
                done => return (done, connecting),
            }
        }
        #[expect(clippy::disallowed_methods, reason = "connecting is timed")]
        let start = Instant::now();
        let opened = self.node.open(deadline).await;
        connecting.connect = start.elapsed();
        let replies = match opened {
            Ok(session) => {
                if options.ping_on_connect {
                    connecting.ping = ping(&session, deadline).await;
                }
                ask(session, options, deadline).await
            }
            Err(failure) => Err(failure),
        };
        (replies, connecting)
    }

    fn totals(&self) -> std::sync::MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, elapsed: Duration, up: bool) -> Totals {
        let mut totals = self.totals();
        totals.finished += 1;
        totals.seconds += elapsed.as_secs_f64();
        totals.up = Some(up);
        *totals
    }

    /// Tells the log when a server comes or goes, not at each scrape.
    fn log(&self, outcome: &Result<(), Failure>) {
        let before = self.totals().up;
        let target = self.node.address();
        match outcome {
            Ok(()) if before == Some(false) => info!(%target, "the server answers again"),
            Err(failure) if before != Some(false) => {
                warn!(%target, error = %failure, "the server cannot be scraped");
            }
            Ok(()) => {}
            Err(failure) => debug!(%target, error = %failure, "the server cannot be scraped"),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Sends what is worth sending until nothing new is: one batch once the server is known.
async fn ask(
    mut session: Session,
    options: &Options,
    deadline: Instant,
) -> Result<Replies, Failure> {
    let mut answers = Answers::default();
    for _round in 0..ROUNDS_MAX {
        let wanted = answers.missing(collectors::commands(options, &session.facts));
        if wanted.is_empty() || answers.breakdown().is_some() {
            break;
        }
        session.ask(wanted, deadline, &mut answers).await;
        let text = info_text(&answers).ok();
        let info = text.as_deref().map(Info::parse);
        session.facts.learn(&answers, info.as_ref(), &collectors::config_named(options));
    }
    let text = info_text(&answers)?;
    Ok(Replies { answers, text, session })
}

/// The text of `INFO`, or why there is none: the server then counts as down.
fn info_text(answers: &Answers) -> Result<String, Failure> {
    let all = Command::new("INFO ALL");
    let plain = Command::new("INFO");
    for command in [&all, &plain] {
        if let Some(text) = answers.text(command).filter(|text| !text.trim().is_empty()) {
            return Ok(text.into_owned());
        }
    }
    let mut outcomes = [&plain, &all].into_iter().filter_map(|command| answers.outcome(command));
    let failure = outcomes.find_map(|answer| answer.as_ref().err());
    Err(failure.cloned().unwrap_or_else(|| Failure::Refused("INFO is empty".to_owned())))
}

async fn ping(session: &Session, deadline: Instant) -> Option<Duration> {
    #[expect(clippy::disallowed_methods, reason = "the answer is timed")]
    let start = Instant::now();
    let mut answers = Answers::default();
    let ping = Command::new("PING");
    session.ask(vec![ping.clone()], deadline, &mut answers).await;
    answers.get(&ping).map(|_| start.elapsed())
}

/// How long it took to have a connection; nothing where one was there.
#[derive(Clone, Copy, Debug, Default)]
struct Connecting {
    connect: Duration,
    ping: Option<Duration>,
}

/// What is told of the scrape itself.
struct Own<'a> {
    outcome: &'a Result<(), Failure>,
    connect_time: Connecting,
    elapsed: Duration,
    totals: Totals,
    request_errors: u64,
}

const UP: Metric = Metric::gauge("up", "Information about the Redis instance");
const LAST_ERROR: Metric =
    Metric::gauge("exporter_last_scrape_error", "The last scrape error status.");
const LAST_DURATION: Metric = Metric::plain("exporter_last_scrape_duration_seconds");
const LAST_CONNECT: Metric = Metric::plain("exporter_last_scrape_connect_time_seconds");
const LAST_PING: Metric = Metric::plain("exporter_last_scrape_ping_time_seconds");
const SCRAPES: Metric = Metric::counter("exporter_scrapes_total", "Current total redis scrapes.");
const DURATIONS: Metric =
    Metric::gauge("exporter_scrape_duration_seconds", "Durations of scrapes by the exporter")
        .of_kind(Kind::Summary);
const BUILD: Metric = Metric::gauge("exporter_build_info", "redis exporter build_info");
const REQUEST_ERRORS: Metric =
    Metric::counter("target_scrape_request_errors_total", "Errors in requests to the exporter");

impl Own<'_> {
    fn write(&self, page: &mut Page, options: &Options, role: &str) {
        let mut out = Out::new(page, &options.namespace, options.role(role));
        let (up, error) = match self.outcome {
            Ok(()) => (1.0, String::new()),
            Err(failure) => (0.0, failure.to_string()),
        };
        out.value(&UP, up);
        out.family(&LAST_ERROR).sample(&[("err", &error)], 1.0 - up);
        out.value(&LAST_DURATION, self.elapsed.as_secs_f64());

        // These are not the server's, and have no role.
        let mut out = Out::new(page, &options.namespace, None);
        out.value(&LAST_CONNECT, self.connect_time.connect.as_secs_f64());
        if let Some(ping) = self.connect_time.ping {
            out.value(&LAST_PING, ping.as_secs_f64());
        }
        write_totals(&self.totals, self.request_errors, options, &mut out);
    }
}

fn write_totals(totals: &Totals, request_errors: u64, options: &Options, out: &mut Out<'_>) {
    out.value(&SCRAPES, totals.scrapes as f64);
    let durations =
        SummaryState { quantiles: Vec::new(), sum: totals.seconds, count: totals.finished };
    out.family(&DURATIONS).summary(&[], durations);
    out.value(&REQUEST_ERRORS, request_errors as f64);
    if options.build_info {
        let labels = [
            ("version", INFO.version),
            ("commit_sha", ExporterInfo::revision()),
            ("build_date", ""),
            ("golang_version", concat!("rust", env!("CARGO_PKG_RUST_VERSION"))),
        ];
        out.family(&BUILD).sample(&labels, 1.0);
    }
}

/// The page without a server: what multi-target mode shows under `/metrics`.
pub fn without_server(options: &Options, request_errors: u64, scrapes: u64) -> Page {
    let mut page = Page::new();
    let mut out = Out::new(&mut page, &options.namespace, None);
    let totals = Totals { scrapes, ..Totals::default() };
    write_totals(&totals, request_errors, options, &mut out);
    page
}
