//! An exporter as a process of its own.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::{Page, eventually, eventually_within};

/// The binary of a package of this workspace, built when it is first asked for.
///
/// # Panics
///
/// It cannot be built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    built(name, &["--package", name, "--bin", name]).join(name)
}

/// An example of `metrics-server`, built when it is first asked for.
///
/// # Panics
///
/// It cannot be built.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    built(name, &["--package", "metrics-server", "--example", name]).join("examples").join(name)
}

/// Builds what `selection` says, once, and gives the folder of binaries.
fn built(name: &str, selection: &[&str]) -> PathBuf {
    static BUILT: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let program = env::current_exe().expect("a path");
    let folder = program.parent().expect("target/debug/deps or target/release");
    let folder = if folder.ends_with("deps") { folder.parent().expect("deps/..") } else { folder };
    if !built.iter().any(|known| known == name) {
        let profile = if folder.ends_with("release") { "release" } else { "dev" };
        let mut cargo = Command::new(env!("CARGO"));
        without_own_variables(&mut cargo);
        let status = cargo
            .args(["build", "--quiet", "--locked", "--profile", profile])
            .args(selection)
            .status()
            .expect("cargo runs");
        assert!(status.success(), "cannot build {name}");
        built.push(name.to_owned());
    }
    folder.to_owned()
}

/// Takes away what cargo tells a test of itself: a build script which reads it would run again, and
/// with it everything that depends on its crate.
pub fn without_own_variables(command: &mut Command) {
    let own = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|start| name.starts_with(start))
            || matches!(name, "CARGO" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE" | "OUT_DIR")
    };
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(own) {
            command.env_remove(name);
        }
    }
}

/// A running exporter, which ends with its handle.
#[derive(Debug)]
pub struct Exporter {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// How an exporter ended.
#[derive(Debug)]
pub struct Stopped {
    /// Its status.
    pub status: ExitStatus,
    /// How long that took.
    pub elapsed: Duration,
    /// All that it wrote to standard error.
    pub log: String,
}

impl Exporter {
    /// Starts `name` on a free port of the loopback address and waits until it serves.
    ///
    /// # Errors
    ///
    /// It ends, or does not serve.
    pub fn start(name: &str, args: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        Self::start_program(&binary(name), args, environment)
    }

    /// Starts any program that is built on `metrics-server`; see [`start`](Self::start).
    ///
    /// # Errors
    ///
    /// It ends, or does not serve.
    pub fn start_program(
        program: &Path,
        args: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let mut child = Command::new(program)
            .arg("--web.listen-address=127.0.0.1:0")
            .args(args)
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = child.stderr.take().context("standard error is a pipe")?;
        let reader = std::thread::spawn({
            let log = Arc::clone(&log);
            move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    log.push_str(&line);
                    log.push('\n');
                }
            }
        });
        let mut exporter = Self { child, address: String::new(), log, reader: Some(reader) };
        exporter.address = eventually("the exporter serves", || {
            let log = exporter.log();
            if let Some(status) = exporter.child.try_wait()? {
                bail!("ended with {status}: {log}");
            }
            let line = log.lines().find(|line| line.contains("Listening on"));
            let address = line.and_then(|line| line.split_once("address=")).map(|(_, text)| text);
            address.map(str::to_owned).ok_or_else(|| anyhow!("not yet: {log}"))
        })?;
        Ok(exporter)
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `host:port` of its HTTP side.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it has written to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// GETs a path.
    ///
    /// # Errors
    ///
    /// Nobody answers.
    pub fn get(&self, path: &str) -> Result<Response> {
        get(&format!("http://{}{path}", self.address))
    }

    /// `/metrics`, whatever its status.
    ///
    /// # Errors
    ///
    /// Nobody answers.
    pub fn metrics(&self) -> Result<Page> {
        Ok(Page::parse(&self.get("/metrics")?.body))
    }

    /// Sends SIGTERM and waits.
    ///
    /// # Errors
    ///
    /// It does not end within half a minute.
    #[expect(clippy::disallowed_methods, reason = "a test measures how long a stop takes")]
    pub fn stop(mut self) -> Result<Stopped> {
        let start = Instant::now();
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().context("kill runs")?;
        if !sent.success() {
            bail!("cannot signal process {id}");
        }
        let status = eventually("the exporter ends", || {
            self.child.try_wait()?.ok_or_else(|| anyhow!("still running"))
        })?;
        let elapsed = start.elapsed();
        if let Some(reader) = self.reader.take() {
            reader.join().map_err(|_panic| anyhow!("the log reader panicked"))?;
        }
        Ok(Stopped { status, elapsed, log: self.log() })
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Runs a binary which is expected to end by itself.
///
/// # Errors
///
/// It is still running after half a minute, and is ended.
pub fn run_to_end(
    name: &str,
    args: &[&str],
    environment: &[(&str, &str)],
) -> Result<(Option<i32>, String, String)> {
    let mut child = Command::new(binary(name))
        .args(args)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let ended = eventually_within(Duration::from_secs(30), "the program ends", || {
        child.try_wait()?.ok_or_else(|| anyhow!("still running"))
    });
    if ended.is_err() {
        child.kill()?;
    }
    let mut output = (String::new(), String::new());
    child.stdout.take().context("a pipe")?.read_to_string(&mut output.0)?;
    child.stderr.take().context("a pipe")?.read_to_string(&mut output.1)?;
    Ok((ended?.code(), output.0, output.1))
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: String,
}

/// GETs an address; any status is an answer.
///
/// # Errors
///
/// Nobody answers within half a minute.
pub fn get(address: &str) -> Result<Response> {
    get_with(address, &[])
}

/// POSTs nothing to an address.
///
/// # Errors
///
/// Nobody answers within half a minute.
pub fn post(address: &str) -> Result<Response> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into();
    let mut response =
        agent.post(address).send_empty().with_context(|| format!("POST {address}"))?;
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(1 << 20).read_to_string()?;
    Ok(Response { status, body })
}

/// GETs an address with further headers.
///
/// # Errors
///
/// Nobody answers within half a minute.
pub fn get_with(address: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into();
    let request = headers
        .iter()
        .fold(agent.get(address), |request, (name, value)| request.header(*name, *value));
    let mut response = request.call().with_context(|| format!("GET {address}"))?;
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
    Ok(Response { status, body })
}
