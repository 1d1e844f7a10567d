//! A program under measurement: ours, or the one it replaces.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};
use e2e::{Response, binary, eventually, get};

/// A running exporter, which ends with its handle.
pub(crate) struct Subject {
    pub(crate) name: String,
    /// Rows with the same noun are compared.
    pub(crate) noun: &'static str,
    address: String,
    child: Child,
}

/// What distinguishes the exporters on the command line.
const EXPORTERS: [(&str, &str, &[&str]); 3] = [
    (
        "statsd",
        "STATSD_EXPORTER_PEER",
        &["--statsd.listen-udp=127.0.0.1:0", "--statsd.listen-tcp="],
    ),
    ("postgres", "POSTGRES_EXPORTER_PEER", &[]),
    ("valkey", "VALKEY_EXPORTER_PEER", &[]),
];

impl Subject {
    /// Starts each exporter and, where it is named, its peer.
    pub(crate) fn all(environment: &[(&str, String)]) -> Result<Vec<Self>> {
        let mut subjects = Vec::new();
        for (noun, variable, args) in EXPORTERS {
            let ours = format!("{noun}-exporter");
            subjects.push(Self::start(&ours, noun, &binary(&ours), args, environment)?);
            if let Some(peer) = env::var_os(variable).map(PathBuf::from) {
                let name = peer.file_name().context(variable)?.to_string_lossy().into_owned();
                subjects.push(Self::start(&name, noun, &peer, args, environment)?);
            }
        }
        Ok(subjects)
    }

    fn start(
        name: &str,
        noun: &'static str,
        program: &Path,
        args: &[&str],
        environment: &[(&str, String)],
    ) -> Result<Self> {
        // The Go exporters do not tell which port they got, so one that was free just now is named.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Command::new(program)
            .arg(format!("--web.listen-address={address}"))
            .args(args)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let subject = Self { name: name.to_owned(), noun, address, child };
        eventually(name, || subject.scrape().map(drop))?;
        Ok(subject)
    }

    pub(crate) fn scrape(&self) -> Result<Response> {
        get(&format!("http://{}/metrics", self.address))
    }

    /// CPU seconds used so far, in user and system mode.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        // Nanoseconds on a processor, of each thread; ticks of 10 ms would be too coarse.
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            let first = text.split_whitespace().next().context("schedstat")?;
            nanoseconds += first.parse::<u64>()?;
        }
        Ok(nanoseconds as f64 / 1e9)
    }

    pub(crate) fn resident_bytes(&self) -> Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kibibytes: f64 = line.split_whitespace().next().context("VmRSS")?.parse()?;
        Ok(kibibytes * 1024.0)
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
