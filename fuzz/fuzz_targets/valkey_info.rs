//! `INFO`: whatever a server answers, the page is whole, each series once.
#![no_main]

use std::{collections::BTreeSet, time::SystemTime};

use libfuzzer_sys::fuzz_target;
use metrics_server::{Format, Page};
use valkey_exporter::{
    Args, PROGRAM,
    app::Options,
    collectors::{self, Snapshot},
    command::Answers,
    facts::Facts,
    info::{self, Info},
    out::Out,
};

fn options() -> Options {
    let line = vec!["redis_exporter".into(), "--include-system-metrics".into()];
    let args: Args = metrics_server::cli::parse(&PROGRAM, line).expect("valid flags");
    Options::new(&args.flags).expect("valid flags")
}

thread_local! {
    static OPTIONS: Options = options();
}

fuzz_target!(|bytes: &[u8]| {
    let text = info::text(bytes);
    let info = Info::parse(&text);
    let answers = Answers::default();
    OPTIONS.with(|options| {
        let mut facts = Facts::default();
        facts.learn(&answers, Some(&info), &collectors::config_named(options));
        let mut page = Page::new();
        let mut out = Out::new(&mut page, "redis", info.get("role"));
        let now = SystemTime::UNIX_EPOCH;
        let snapshot = Snapshot { info: &info, answers: &answers, options, facts: &facts, now };
        collectors::write(&snapshot, &mut out);
        let page = page.into_text(Format::Text);
        let mut seen = BTreeSet::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("series and value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(seen.insert(series), "{series} twice");
        }
    });
});
