//! A running exporter, ours or the other one.

use std::{
    env,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};
use e2e::{eventually, get};

/// The program which ours replaces, if it is here.
pub(crate) fn peer() -> Option<PathBuf> {
    env::var_os("POSTGRES_EXPORTER_PEER").map(PathBuf::from)
}

/// A running exporter, which ends with its handle.
pub(crate) struct Program {
    child: Child,
    address: String,
}

impl Program {
    pub(crate) fn start(program: &Path, args: &[&str], dsn: &str) -> Result<Self> {
        // The Go exporter does not tell which port it got, so one that was free just now is named.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let child = Command::new(program)
            .arg(format!("--web.listen-address={address}"))
            .args(args)
            .env("DATA_SOURCE_NAME", dsn)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let started = Self { child, address };
        eventually("the exporter serves", || started.page().map(drop))?;
        Ok(started)
    }

    pub(crate) fn page(&self) -> Result<String> {
        let response = get(&format!("http://{}/metrics", self.address))?;
        anyhow::ensure!(response.status == 200, "{}: {}", response.status, response.body);
        Ok(response.body)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
