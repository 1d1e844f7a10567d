//! The smallest exporter: `cargo run --example minimal`, then open <http://localhost:9999>.

use std::{process::ExitCode, sync::Arc, time::Instant};

use clap::Parser;
use metrics_server::{
    Desc, ExporterInfo, Health, Page, Scrape, ScrapeRequest, Scraping, Server, Shutdown, Telemetry,
    args::{Dialect, LogArgs, LogFormat, LogLevel, SettingsArgs, WebArgs},
    cli, http,
};

const INFO: ExporterInfo = ExporterInfo {
    name: "minimal_exporter",
    title: "Minimal Exporter",
    description: "Exports one number.",
    version: env!("CARGO_PKG_VERSION"),
    documentation_url: "https://prometheus.io/docs/instrumenting/writing_exporters/",
};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    web: WebArgs,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

impl cli::ExporterArgs for Args {
    fn web(&self) -> &WebArgs {
        &self.web
    }
    fn log(&self) -> (LogLevel, LogFormat) {
        (self.log.level, self.log.format)
    }
}

struct Answer;

impl Scrape for Answer {
    fn scrape<'a>(&'a self, _request: &'a ScrapeRequest) -> Scraping<'a> {
        let mut page = Page::new();
        page.sample(Desc::gauge("answer", "The answer."), &[], 42.0);
        Box::pin(std::future::ready(Ok(page.into())))
    }
}

fn main() -> ExitCode {
    let program = cli::Program {
        info: &INFO,
        dialect: Dialect::Kingpin,
        env_prefix: "MINIMAL_EXPORTER",
        listen_address: ":9999",
        usage_exit: 1,
        commands: &[],
    };
    cli::run(&program, |args: Args| metrics_server::block_on(serve(args))?)
}

#[expect(clippy::disallowed_methods, reason = "the process starts its clock")]
async fn serve(args: Args) -> std::io::Result<()> {
    let telemetry = Telemetry::new(INFO.name).map_err(std::io::Error::other)?;
    let bound = http::bind(&args.web).await?;
    let (stop, shutdown) = Shutdown::new();
    stop.request_on_signal()?;
    Server::new(&INFO, &args.web, telemetry, Health::new(Instant::now()))
        .metrics(Arc::new(Answer))
        .serve(bound, shutdown)
        .await
}
