use std::time::{Duration, Instant};

use super::{
    CollectError, Collecting, Collector, CollectorChoice, CollectorSpec, Collectors,
    UnknownCollector,
};
use crate::exposition::{Desc, Format, Page};

/// What the target asks every collector of these tests to do.
enum Behaviour {
    Succeed,
    Fail,
    Panic,
    Hang,
}

struct Plain;

impl Collector<Behaviour> for Plain {
    fn collect<'a>(&'a self, target: &'a Behaviour, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move {
            out.sample(Desc::gauge("half_done", "Half."), &[], 1.0);
            match target {
                Behaviour::Succeed => Ok(()),
                Behaviour::Fail => Err(CollectError::NoData),
                Behaviour::Panic => panic!("on purpose"),
                Behaviour::Hang => std::future::pending().await,
            }
        })
    }
}

const TABLE: &[CollectorSpec<Behaviour>] = &[
    CollectorSpec {
        name: "plain",
        help: "Plain",
        enabled_by_default: true,
        build: || Box::new(Plain),
    },
    CollectorSpec {
        name: "extra",
        help: "Extra",
        enabled_by_default: false,
        build: || Box::new(Plain),
    },
];

/// Runs the default collectors; the durations, which vary, are left out.
fn check(behaviour: &Behaviour, expected: &[&str]) {
    let collectors = Collectors::select("x", TABLE, &CollectorChoice::defaults(TABLE));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    #[expect(clippy::disallowed_methods, reason = "the runtime's clock starts now")]
    let deadline = Instant::now() + Duration::from_secs(5);
    let page = runtime.block_on(collectors.scrape(behaviour, &[], deadline)).expect("known names");
    let text = page.into_text(Format::Text);
    let samples: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains("duration_seconds"))
        .collect();
    assert_eq!(samples, expected);
}

#[test]
fn a_collector_contributes_all_or_nothing() {
    check(
        &Behaviour::Succeed,
        &["half_done 1", r#"x_scrape_collector_success{collector="plain"} 1"#],
    );
    let failed = [r#"x_scrape_collector_success{collector="plain"} 0"#];
    check(&Behaviour::Fail, &failed);
    check(&Behaviour::Panic, &failed);
    check(&Behaviour::Hang, &failed);
}

#[tokio::test]
async fn only_known_and_enabled_collectors_can_be_asked_for() {
    let collectors = Collectors::select("x", TABLE, &CollectorChoice::defaults(TABLE));
    #[expect(clippy::disallowed_methods, reason = "the runtime's clock starts now")]
    let deadline = Instant::now() + Duration::from_secs(5);
    for name in ["extra", "unheard_of"] {
        let only = [name.to_owned()];
        let outcome = collectors.scrape(&Behaviour::Succeed, &only, deadline).await;
        assert_eq!(outcome.err(), Some(UnknownCollector(name.to_owned())));
    }
}

#[test]
fn a_flag_switches_a_collector() {
    let command = CollectorChoice::augment(clap::Command::new("x"), TABLE);
    let matches = command
        .try_get_matches_from(["x", "--collector.plain=false", "--collector.extra"])
        .expect("valid flags");
    let choice = CollectorChoice::from_matches(&matches, TABLE);
    assert!(!choice.is_enabled("plain"));
    assert!(choice.is_enabled("extra"));
    assert!(!choice.is_enabled("unheard_of"));
}
