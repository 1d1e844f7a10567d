//! `tests/cases/*.txt`: what a server answers, and the samples which have to come of it.
//!
//! A case is a paragraph: `case` and its title; `flag`s; `server` and a command, followed by the
//! answer (`|` lines of text, `error`, `json`); then `want series value type`, `some family`,
//! `deny series` (also with further labels) and `never command`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::Arc,
};

use metrics_server::Format;
use valkey_exporter::{
    Args, PROGRAM,
    address::Address,
    app::{self, Options},
    credentials::Origin,
    node::Node,
    scrape::Target,
};

use crate::{
    exporter::{LIMIT, now},
    fake::{Fake, Reply},
};

#[derive(Debug, Default)]
struct Case {
    title: String,
    flags: Vec<String>,
    server: Vec<(String, Reply)>,
    nobody_listens: bool,
    wants: Vec<String>,
    families: Vec<String>,
    denies: Vec<String>,
    nevers: Vec<String>,
}

impl Case {
    fn read(paragraph: &str) -> Self {
        let mut case = Self::default();
        for line in paragraph.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "case" => rest.clone_into(&mut case.title),
                "flag" => case.flags.push(rest.to_owned()),
                "nobody" => case.nobody_listens = true,
                "server" => case.server.push((rest.to_owned(), Reply::Text(String::new()))),
                "|" => case.append(rest),
                "error" => case.reply(Reply::Error(rest.to_owned())),
                "json" => case.reply(Reply::Json(serde_json::from_str(rest).expect("JSON"))),
                "want" => case.wants.push(rest.to_owned()),
                "some" => case.families.push(rest.to_owned()),
                "deny" => case.denies.push(rest.to_owned()),
                "never" => case.nevers.push(rest.to_owned()),
                other => panic!("{}: unknown word {other}", case.title),
            }
        }
        case
    }

    fn reply(&mut self, reply: Reply) {
        self.server.last_mut().expect("a server line stands above").1 = reply;
    }

    fn append(&mut self, line: &str) {
        if let Some((_, Reply::Text(text))) = self.server.last_mut() {
            text.push_str(line);
            text.push_str("\r\n");
        }
    }

    /// A script for cases about scripts: the fake server does not read it.
    fn place(text: &str) -> String {
        text.replace("$SCRIPT", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/script.lua"))
    }

    /// What is wrong, one line each.
    fn run(&self, runtime: &tokio::runtime::Runtime) -> Vec<String> {
        let (page, seen) = self.scrape(runtime);
        self.complaints(&Samples::read(&page), &seen)
    }

    /// The page, and the commands that the server has seen.
    fn scrape(&self, runtime: &tokio::runtime::Runtime) -> (String, Vec<String>) {
        let table: Vec<_> =
            self.server.iter().map(|(command, reply)| (command.as_str(), reply.clone())).collect();
        let fake = Fake::start(&table);
        let port = fake.port;
        let seen_by = (!self.nobody_listens).then_some(fake);

        let line = ["redis_exporter", "--redis.addr="].into_iter().map(str::to_owned);
        let line =
            line.chain(self.flags.iter().map(|flag| Self::place(flag))).map(Into::into).collect();
        let args: Args = metrics_server::cli::parse(&PROGRAM, line).expect("valid flags");
        let options = Arc::new(Options::new(&args.flags).expect("valid flags"));
        let access = Arc::new(app::access(&args.flags).expect("valid flags"));
        let address = Address::parse(&format!("redis://127.0.0.1:{port}")).expect("an address");
        let node = Node::new(address, Origin::Configured, None, &access);
        let scrape = Target::new(node);
        let (scraped, _outcome) = runtime.block_on(scrape.scrape(&options, "", 0, now() + LIMIT));
        let seen = seen_by.as_ref().map(Fake::seen).unwrap_or_default();
        (scraped.page.into_text(Format::Text), seen)
    }

    fn complaints(&self, samples: &Samples, seen: &[String]) -> Vec<String> {
        let mut complaints = Vec::new();
        let mut seen_series = BTreeSet::new();
        for (series, _) in &samples.values {
            if !seen_series.insert(series) {
                complaints.push(format!("twice {series}"));
            }
        }
        for want in &self.wants {
            if !samples.have(&Self::place(want)) {
                complaints.push(format!("missing {want}"));
            }
        }
        for family in &self.families {
            if !samples.kinds.contains_key(family) {
                complaints.push(format!("no family {family}"));
            }
        }
        for deny in &self.denies {
            if let Some(found) = samples.find(deny) {
                complaints.push(format!("unwanted {found}"));
            }
        }
        for never in &self.nevers {
            if seen.iter().any(|command| command.starts_with(never)) {
                complaints.push(format!("sent {never}"));
            }
        }
        complaints
    }
}

/// A page, as far as cases look at it.
struct Samples {
    kinds: BTreeMap<String, String>,
    values: Vec<(String, f64)>,
}

impl Samples {
    fn read(page: &str) -> Self {
        let mut samples = Self { kinds: BTreeMap::new(), values: Vec::new() };
        for line in page.lines() {
            if let Some(header) = line.strip_prefix("# TYPE ") {
                let (name, kind) = header.split_once(' ').expect("a name and a type");
                samples.kinds.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').expect("a series and a value");
                samples.values.push((series.to_owned(), value.parse().expect("a number")));
            }
        }
        samples
    }

    /// `series value type`; labels whose value is empty may be missing in the want.
    fn have(&self, want: &str) -> bool {
        let (rest, kind) = want.rsplit_once(' ').expect("a type");
        let (series, value) = rest.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().expect("a number");
        let (name, labels) = split(series);
        let family = ["_sum", "_count", "_bucket"]
            .iter()
            .find_map(|suffix| {
                name.strip_suffix(suffix).filter(|base| self.kinds.contains_key(*base))
            })
            .unwrap_or(name);
        self.kinds.get(family).is_some_and(|known| known == kind)
            && self.values.iter().any(|(known, number)| {
                let (known, theirs) = split(known);
                let close = (number - value).abs() <= 1e-9 * value.abs().max(1.0);
                known == name && filled(&theirs) == filled(&labels) && close
            })
    }

    /// A series of this name which has these labels and perhaps more.
    fn find(&self, series: &str) -> Option<&str> {
        let (name, labels) = split(series);
        self.values.iter().map(|(known, _)| known.as_str()).find(|known| {
            let (known, theirs) = split(known);
            known == name && labels.iter().all(|label| theirs.contains(label))
        })
    }
}

fn filled<'a>(labels: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut filled: Vec<_> =
        labels.iter().filter(|(_, value)| !value.is_empty()).copied().collect();
    filled.sort_unstable();
    filled
}

/// Name and labels; values stay escaped.
fn split(series: &str) -> (&str, Vec<(&str, &str)>) {
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let mut rest = labels.strip_suffix('}').unwrap_or(labels);
    let mut pairs = Vec::new();
    while let Some((label, tail)) = rest.split_once("=\"") {
        let end = tail.find("\",").or_else(|| tail.rfind('"')).expect("a closing quote");
        let (value, tail) = tail.split_at(end);
        pairs.push((label, value));
        rest = tail.trim_start_matches('"').trim_start_matches(',');
    }
    (name, pairs)
}

/// All cases, with the name of their file.
fn all() -> Vec<(String, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases = Vec::new();
    for file in fs::read_dir(folder).expect("the folder is in the repository") {
        let path = file.expect("readable").path();
        let text = fs::read_to_string(&path).expect("readable");
        let paragraphs = text.split("\n\n").filter(|text| !text.trim().is_empty());
        cases.extend(paragraphs.map(|text| (path.display().to_string(), Case::read(text))));
    }
    cases
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The pages of all cases which keep to the names of `redis_exporter`.
pub(crate) fn pages() -> Vec<String> {
    let runtime = runtime();
    let renamed = |flag: &String| flag.starts_with("--namespace") || flag.starts_with("--compat");
    all()
        .iter()
        .filter(|(_, case)| !case.flags.iter().any(renamed))
        .map(|(_, case)| case.scrape(&runtime).0)
        .collect()
}

#[test]
fn every_case_gives_its_samples() {
    let (runtime, cases) = (runtime(), all());
    assert!(cases.len() >= 140, "only {} cases were found", cases.len());
    let complaints: Vec<_> = cases
        .iter()
        .flat_map(|(file, case)| {
            let complaints = case.run(&runtime).into_iter();
            complaints.map(move |text| format!("{file}: {}: {text}", case.title))
        })
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
