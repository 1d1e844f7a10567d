//! One scrape of one server: from commands to a page.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use metrics_server::{ExporterInfo, Kind, Page, Scraped, SummaryState};
use tokio::time::timeout_at;
use tracing::debug;

use crate::{
    app::{INFO, Options},
    collectors::{self, Report, Snapshot},
    command::{Answers, Command, Failure},
    data::Data,
    facts::Facts,
    info::Info,
    limits::Limit,
    node::{Node, Session},
    out::{Metric, Out},
};

/// Batches of one scrape: what is always asked, what `INFO` reveals, and one for servers which
/// refuse the short form of a command.
const ROUNDS_MAX: usize = 3;

/// A kept connection gets this part of the time to say anything, then a new one is made: it may
/// have died without a word.
const KEPT_SHARE: u32 = 3;

/// A scrape that started the questions has the answers which came by its own deadline.
const JOIN_MARGIN: Duration = Duration::from_millis(50);

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
}

/// The answers to one scrape.
#[derive(Debug)]
pub struct Replies {
    answers: Answers,
    text: String,
    facts: Facts,
}

/// What became of asking a server; scrapes that came at once share it.
#[derive(Debug)]
pub struct Contact {
    replies: Result<Replies, Failure>,
    connecting: Connecting,
}

impl Target {
    /// A server which has not been scraped yet.
    pub fn new(node: Node) -> Self {
        Self { node: Arc::new(node), totals: Mutex::default() }
    }

    /// The server.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Whether a scrape has succeeded.
    pub fn answered(&self) -> bool {
        self.node.access().states.get(self.node.key()) == Some(true)
    }

    /// Asks everything a scrape asks, and keeps the connection and what was learnt on it.
    ///
    /// # Errors
    ///
    /// The server cannot be reached or does not let us in.
    pub async fn contact(&self, options: &Arc<Options>, deadline: Instant) -> Result<(), Failure> {
        let contact = self.join(options, "", deadline).await;
        contact.replies.as_ref().map(|_| ()).map_err(Clone::clone)
    }

    /// Scrapes the server. Scrapes of one `request` at the same time ask the server once. `Err` in
    /// the second place says why it is down.
    pub async fn scrape(
        &self,
        options: &Arc<Options>,
        request: &str,
        request_errors: u64,
        deadline: Instant,
    ) -> (Scraped, Result<(), Failure>) {
        #[expect(clippy::disallowed_methods, reason = "the scrape is a shell: it times itself")]
        let (start, now) = (Instant::now(), SystemTime::now());
        let deadline = deadline.min(start + options.connection_timeout);
        self.totals().scrapes += 1;

        let mut page = Page::new();
        let contact = self.join(options, request, deadline).await;
        let outcome = contact.replies.as_ref().map(|_| ()).map_err(Clone::clone);
        let mut role = String::new();
        let mut reports = Vec::new();
        if let Ok(Replies { answers, text, facts }) = &contact.replies {
            let info = Info::parse(text);
            options.data.limits.left_out(Limit::InfoLines, info.left_out());
            info.get("role").unwrap_or_default().clone_into(&mut role);
            let mut out = Out::of(&mut page, options, options.role(&role));
            let snapshot = Snapshot { info: &info, answers, options, facts, now };
            collectors::write(&snapshot, &mut out);
            reports = collectors::reports(&snapshot);
            let Data { keys, key_spec, .. } = &options.data;
            let shown = keys.visit(key_spec, &self.node, &snapshot, deadline).await;
            shown.write(keys, &mut out);
            if options.info_unknown || options.data.is_limited() {
                options.data.limits.write(&mut out);
            }
        }
        let elapsed = start.elapsed();
        let totals = self.finish(elapsed);
        let connect_time = contact.connecting;
        let own = Own {
            outcome: &outcome,
            connect_time,
            elapsed,
            totals,
            request_errors,
            reports: &reports,
        };
        own.write(&mut page, options, &role);
        (Scraped { page, down: outcome.is_err(), ..Scraped::default() }, outcome)
    }

    /// Asks the server, or waits for the answers to a scrape which asks the same already.
    async fn join(&self, options: &Arc<Options>, request: &str, deadline: Instant) -> Arc<Contact> {
        let access = self.node.access();
        let (node, options) = (Arc::clone(&self.node), Arc::clone(options));
        let flight = access.flights.join(self.node.key(), request, || {
            Box::pin(async move {
                let contact = contact(&node, &options, deadline).await;
                node.log(contact.replies.as_ref().err());
                Arc::new(contact)
            })
        });
        match timeout_at((deadline + JOIN_MARGIN).into(), flight).await {
            Ok(contact) => contact,
            // The scrape that it waited for has more time than this one.
            Err(_elapsed) => {
                Arc::new(Contact { replies: Err(Failure::Late), connecting: Connecting::default() })
            }
        }
    }

    fn totals(&self) -> std::sync::MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, elapsed: Duration) -> Totals {
        let mut totals = self.totals();
        totals.finished += 1;
        totals.seconds += elapsed.as_secs_f64();
        *totals
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Asks on the connection of the last scrape or, where that has broken meanwhile, on a new one.
async fn contact(node: &Node, options: &Options, deadline: Instant) -> Contact {
    let mut connecting = Connecting::default();
    if let Some(session) = node.take() {
        #[expect(clippy::disallowed_methods, reason = "a kept connection gets a part of the time")]
        let part = Instant::now();
        let part = part + deadline.saturating_duration_since(part) / KEPT_SHARE;
        match ask(node, session, options, part, deadline).await {
            Err(failure @ (Failure::Broken(_) | Failure::Late)) => {
                debug!(target = %node.address(), error = %failure, "connecting anew");
            }
            replies => return Contact { replies, connecting },
        }
    }
    #[expect(clippy::disallowed_methods, reason = "connecting is timed")]
    let start = Instant::now();
    let opened = node.open(deadline).await;
    connecting.connect = start.elapsed();
    let replies = match opened {
        Ok(session) => {
            if options.ping_on_connect {
                connecting.ping = ping(&session, deadline).await;
            }
            match ask(node, session, options, deadline, deadline).await {
                Err(Failure::Broken(reason)) => {
                    Err(Failure::Broken(node.overhear(deadline).await.unwrap_or(reason)))
                }
                replies => replies,
            }
        }
        Err(failure) => Err(failure),
    };
    Contact { replies, connecting }
}

/// Sends what is worth sending until nothing new is: one batch once the server is known. The first
/// has to be answered by `first_deadline`.
async fn ask(
    node: &Node,
    mut session: Session,
    options: &Options,
    first_deadline: Instant,
    deadline: Instant,
) -> Result<Replies, Failure> {
    let mut answers = Answers::default();
    let mut until = first_deadline;
    for _round in 0..ROUNDS_MAX {
        let wanted = answers.missing(collectors::commands(options, &session.facts));
        if wanted.is_empty() || answers.breakdown().is_some() {
            break;
        }
        session.ask(wanted, until, &mut answers).await;
        until = deadline;
        let text = info_text(&answers).ok();
        let info = text.as_deref().map(Info::parse);
        session.facts.learn(&answers, info.as_ref(), &collectors::config_named(options));
    }
    let text = info_text(&answers)?;
    let facts = session.facts.clone();
    match answers.breakdown() {
        None => node.keep(session),
        Some(failure) => {
            debug!(target = %node.address(), error = %failure, "some answers are missing");
        }
    }
    Ok(Replies { answers, text, facts })
}

/// Asks `commands` once, on a kept connection or a new one.
///
/// # Errors
///
/// The server cannot be reached, or the connection broke; what it refuses is an answer.
pub(crate) async fn ask_once(
    node: &Node,
    commands: Vec<Command>,
    deadline: Instant,
) -> Result<Answers, Failure> {
    if let Some(session) = node.take() {
        let mut answers = Answers::default();
        session.ask(commands.clone(), deadline, &mut answers).await;
        if answers.breakdown().is_none() {
            node.keep(session);
            return Ok(answers);
        }
    }
    let session = node.open(deadline).await?;
    let mut answers = Answers::default();
    session.ask(commands, deadline, &mut answers).await;
    match answers.breakdown() {
        None => {
            node.keep(session);
            Ok(answers)
        }
        Some(failure) => Err(failure.clone()),
    }
}

/// The text of `INFO`, or why there is none: the server then counts as down.
fn info_text(answers: &Answers) -> Result<String, Failure> {
    let all = Command::new("INFO ALL");
    let plain = Command::new("INFO");
    for command in [&all, &plain] {
        // What has neither section nor field is no `INFO`, whatever else it may be.
        if let Some(text) = answers.text(command).filter(|text| text.contains(['#', ':'])) {
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
    reports: &'a [Report],
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
const SUCCESS: Metric = Metric::gauge(
    "exporter_collector_success",
    "Whether everything that a collector asked for was answered",
);
const DURATION: Metric = Metric::gauge(
    "exporter_collector_duration_seconds",
    "Time from sending a collector's commands to the last of their answers",
);
const REQUEST_ERRORS: Metric =
    Metric::counter("target_scrape_request_errors_total", "Errors in requests to the exporter");

impl Own<'_> {
    fn write(&self, page: &mut Page, options: &Options, role: &str) {
        let mut out = Out::of(page, options, options.role(role));
        let (up, error) = match self.outcome {
            Ok(()) => (1.0, String::new()),
            Err(failure) => (0.0, failure.to_string()),
        };
        out.value(&UP, up);
        out.family(&LAST_ERROR).sample(&[("err", &error)], 1.0 - up);
        out.value(&LAST_DURATION, self.elapsed.as_secs_f64());

        // These are not the server's, and have no role.
        let mut out = Out::of(page, options, None);
        out.value(&LAST_CONNECT, self.connect_time.connect.as_secs_f64());
        if let Some(ping) = self.connect_time.ping {
            out.value(&LAST_PING, ping.as_secs_f64());
        }
        for report in self.reports {
            let labels = [("collector", report.name)];
            out.family(&SUCCESS).sample(&labels, f64::from(u8::from(report.success)));
            out.family(&DURATION).sample(&labels, report.took.as_secs_f64());
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
    let mut out = Out::of(&mut page, options, None);
    let totals = Totals { scrapes, ..Totals::default() };
    write_totals(&totals, request_errors, options, &mut out);
    page
}
