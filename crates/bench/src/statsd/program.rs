//! A program under measurement: started on ports of its own, scraped, watched through `/proc`.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// Nothing under measurement takes longer.
const PATIENCE: Duration = Duration::from_mins(1);
/// Looks at a table of the kernel in which a line is missing.
const LOOKS_MAX: usize = 5;

/// One of the programs which are compared.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
}

/// How a program is started and asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// `statsd_exporter`, or ours: the same flags and pages.
    Exporter,
    /// A collector which shows what it counts once a second.
    Netdata,
    /// An agent which shows its counters once a second.
    Telegraf,
    /// The OpenTelemetry collector, which does so too.
    Otelcol,
}

impl Kind {
    /// A page that answers once the program is ready. The collector's is empty until it has something.
    const fn ready(self) -> Option<&'static str> {
        match self {
            Self::Exporter => Some("/-/healthy"),
            Self::Netdata => Some("/api/v1/info"),
            Self::Telegraf => Some("/metrics"),
            Self::Otelcol => None,
        }
    }

    /// The page with the count of samples, and how its line begins.
    const fn samples(self) -> (&'static str, &'static str) {
        match self {
            Self::Exporter => {
                ("/metrics?name[]=statsd_exporter_samples_total", "statsd_exporter_samples_total")
            }
            Self::Netdata => (
                "/api/v1/allmetrics?format=prometheus&help=no&source=raw&timestamps=no",
                "netdata_netdata_statsd_events_total{chart=\"netdata.statsd_events\",family=\"statsd\",dimension=\"counters\"}",
            ),
            Self::Telegraf | Self::Otelcol => ("/metrics", "shop_"),
        }
    }

    /// How long a count has to stay the same to be the last.
    const fn shows_every(self) -> Duration {
        match self {
            Self::Exporter => Duration::from_millis(400),
            Self::Netdata | Self::Telegraf | Self::Otelcol => Duration::from_millis(2_200),
        }
    }
}

/// A running exporter, which ends with its handle.
pub(crate) struct Program {
    child: Child,
    pub(crate) udp: SocketAddr,
    http: SocketAddr,
    kind: Kind,
    /// Removed with the program.
    folder: PathBuf,
}

/// What a scrape was like.
pub(crate) struct Scraped {
    pub(crate) body: Vec<u8>,
    pub(crate) first_byte: Duration,
    pub(crate) wall: Duration,
    /// CPU of the program meanwhile.
    pub(crate) cpu_seconds: f64,
}

impl Program {
    /// Starts it with `flags`, and with `mapping` in a file.
    pub(crate) fn start(contender: &Contender, mapping: &str, flags: &[&str]) -> Result<Self> {
        // The Go program does not tell which ports it got, so free ones are named.
        let udp = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let folder = std::env::temp_dir().join(format!("bench-statsd-{}", udp.port()));
        fs::create_dir_all(&folder)?;
        let mut command = Command::new(&contender.path);
        match contender.kind {
            Kind::Exporter => exporter(&mut command, &folder, udp, http, mapping)?,
            Kind::Netdata => netdata(&mut command, &folder, udp, http)?,
            Kind::Telegraf => telegraf(&mut command, &folder, udp, http)?,
            Kind::Otelcol => otelcol(&mut command, &folder, udp, http)?,
        }
        let child = command
            .args(flags)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| contender.path.display().to_string())?;
        let kind = contender.kind;
        let program = Self { child, udp, http, kind, folder };
        let answers = || match kind.ready() {
            Some(page) => program.scrape(page, false).is_ok(),
            None => TcpStream::connect(http).is_ok(),
        };
        eventually(|| Ok(answers() && program.kernel().is_ok()))
            .with_context(|| format!("{} does not start", contender.name))?;
        Ok(program)
    }

    /// Samples it has read since it was started.
    pub(crate) fn samples(&self) -> Result<f64> {
        let (path, line) = self.kind.samples();
        self.sum(line, path)
    }

    /// Reads a page to its end.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    pub(crate) fn scrape(&self, path: &str, gzip: bool) -> Result<Scraped> {
        let before = self.cpu_seconds()?;
        let start = Instant::now();
        let mut stream = TcpStream::connect(self.http)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let encoding = if gzip { "Accept-Encoding: gzip\r\n" } else { "" };
        let request = format!("GET {path} HTTP/1.0\r\nHost: x\r\n{encoding}\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = vec![0; 64 * 1024];
        let first = stream.read(&mut answer)?;
        let mut first_byte = start.elapsed();
        answer.truncate(first);
        if headers_end(&answer).is_some_and(|end| end == answer.len()) {
            // Headers alone are no page, unless nothing follows.
            let mut byte = [0; 1];
            let more = stream.read(&mut byte)?;
            first_byte = start.elapsed();
            answer.extend_from_slice(&byte[..more]);
        }
        stream.read_to_end(&mut answer)?;
        let wall = start.elapsed();
        let end = headers_end(&answer).context("no headers")?;
        if !answer.starts_with(b"HTTP/1.0 200") && !answer.starts_with(b"HTTP/1.1 200") {
            bail!("{}", String::from_utf8_lossy(&answer[..end]));
        }
        let body = answer.split_off(end);
        Ok(Scraped { body, first_byte, wall, cpu_seconds: self.cpu_seconds()? - before })
    }

    /// The sum of all samples of the page whose name begins so.
    pub(crate) fn sum(&self, prefix: &str, path: &str) -> Result<f64> {
        let body = self.scrape(path, false)?.body;
        let text = String::from_utf8(body)?;
        let lines = text.lines().filter(|line| line.starts_with(prefix));
        lines.map(|line| Ok(line.rsplit(' ').next().context("a value")?.parse::<f64>()?)).sum()
    }

    /// Waits until `samples` more than `before` have been read, or nothing comes any more; says how
    /// many have come.
    pub(crate) fn drained(&self, before: f64, samples: f64) -> Result<f64> {
        let mut last = -1.0;
        loop {
            let now = self.samples()? - before;
            if now >= samples || (now - last).abs() < f64::EPSILON {
                return Ok(now);
            }
            last = now;
            std::thread::park_timeout(self.kind.shows_every());
        }
    }

    /// Waits until it uses no processor time any more.
    pub(crate) fn settled(&self) -> Result<()> {
        eventually(|| {
            let before = self.cpu_seconds()?;
            std::thread::park_timeout(Duration::from_millis(500));
            Ok(self.cpu_seconds()? - before < 0.02)
        })
    }

    /// CPU seconds used so far, in user and system mode.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        // Nanoseconds on a processor, of each thread; ticks of 10 ms would be too coarse.
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // A thread may end while the list is read.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += text.split_whitespace().next().map_or(Ok(0), str::parse::<u64>)?;
        }
        Ok(nanoseconds as f64 / 1e9)
    }

    /// Resident bytes.
    pub(crate) fn resident_bytes(&self) -> Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kibibytes: f64 = line.split_whitespace().next().context("VmRSS")?.parse()?;
        Ok(kibibytes * 1024.0)
    }

    /// Datagrams thrown away by the kernel at its socket, and bytes which wait there.
    pub(crate) fn kernel(&self) -> Result<(u64, u64)> {
        let port = format!(":{:04X}", self.udp.port());
        let is_its = |line: &&str| {
            line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(&port))
        };
        // A table that changes while it is read may leave out a line of it.
        let mut looks = (0..LOOKS_MAX).map(|_| fs::read_to_string("/proc/net/udp"));
        let line = looks
            .find_map(|table| Some(table.ok()?.lines().find(is_its)?.to_owned()))
            .context("its socket")?;
        let drops = line.split_whitespace().last().context("drops")?.parse()?;
        let queues = line.split_whitespace().nth(4).context("queues")?;
        let waiting = queues.split(':').nth(1).context("a queue")?;
        Ok((drops, u64::from_str_radix(waiting, 16)?))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        let _removed = fs::remove_dir_all(&self.folder);
    }
}

/// The flags which both exporters know.
fn exporter(
    command: &mut Command,
    folder: &Path,
    udp: SocketAddr,
    http: SocketAddr,
    mapping: &str,
) -> Result<()> {
    let file = folder.join("mapping.yml");
    fs::write(&file, mapping)?;
    command
        .arg(format!("--web.listen-address={http}"))
        .arg(format!("--statsd.listen-udp={udp}"))
        .args(["--statsd.listen-tcp=", "--statsd.read-buffer=4194304", "--log.level=error"])
        .arg(format!("--statsd.mapping-config={}", file.display()));
    Ok(())
}

/// A configuration with nothing but the collector of StatsD.
fn netdata(command: &mut Command, folder: &Path, udp: SocketAddr, http: SocketAddr) -> Result<()> {
    // Started by root, it would go on as somebody to whom its folder does not belong.
    let user = Command::new("id").arg("-un").output()?.stdout;
    let user = String::from_utf8(user)?;
    let mut text = format!("[global]\nrun as user = {user}[directories]\n");
    for name in
        ["config", "stock config", "cache", "lib", "log", "plugins", "web", "home", "registry"]
    {
        writeln!(text, "{name} = {}", folder.display())?;
    }
    writeln!(
        text,
        "[db]\nmode = ram\n[ml]\nenabled = no\n[health]\nenabled = no\n[registry]\nenabled = no\n\
         [logs]\naccess = none\nerror = none\n[web]\nbind to = {http}\n\
         [statsd]\nbind to = udp:{udp}\nudp messages to process at once = 64\n\
         max private charts hard limit = 2000\n[plugins]\nstatsd = yes\nnetdata monitoring = yes",
    )?;
    for name in [
        "timex",
        "checks",
        "idlejitter",
        "tc",
        "diskspace",
        "proc",
        "cgroups",
        "slabinfo",
        "loopsleepms",
        "enable running new plugins",
        "apps",
        "go.d",
        "python.d",
        "charts.d",
    ] {
        writeln!(text, "{name} = no")?;
    }
    let file = folder.join("netdata.conf");
    fs::write(&file, text)?;
    command.args(["-D", "-c"]).arg(file);
    Ok(())
}

/// A configuration with its collector of StatsD, and the page of what it counts.
fn telegraf(command: &mut Command, folder: &Path, udp: SocketAddr, http: SocketAddr) -> Result<()> {
    let file = folder.join("telegraf.conf");
    let text = format!(
        "[agent]\ninterval = \"1s\"\nflush_interval = \"1s\"\nquiet = true\nomit_hostname = true\n\
         metric_buffer_limit = 1000000\n\
         [[inputs.statsd]]\nprotocol = \"udp\"\nservice_address = \"{udp}\"\n\
         read_buffer_size = 4194304\nallowed_pending_messages = 1000000\ndelete_counters = false\n\
         [[outputs.prometheus_client]]\nlisten = \"{http}\"\nexpiration_interval = \"0s\"\n",
    );
    fs::write(&file, text)?;
    command.arg("--config").arg(file);
    Ok(())
}

/// A configuration with its receiver of StatsD, and the page of what it counts.
fn otelcol(command: &mut Command, folder: &Path, udp: SocketAddr, http: SocketAddr) -> Result<()> {
    let file = folder.join("otelcol.yaml");
    let text = format!(
        "receivers:\n  statsd: {{endpoint: '{udp}', transport: udp, aggregation_interval: 1s, is_monotonic_counter: true}}\n\
         processors:\n  deltatocumulative: {{}}\n\
         exporters:\n  prometheus: {{endpoint: '{http}', metric_expiration: 24h}}\n\
         service:\n  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}\n  \
         pipelines: {{metrics: {{receivers: [statsd], processors: [deltatocumulative], exporters: [prometheus]}}}}\n",
    );
    fs::write(&file, text)?;
    command.arg(file);
    Ok(())
}

fn headers_end(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn eventually(done: impl Fn() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !done()? {
        if start.elapsed() > PATIENCE {
            bail!("not within a minute");
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    Ok(())
}
