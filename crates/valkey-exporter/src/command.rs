//! Commands, and the answers to them.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use redis::Value;

use crate::{info, secret::Secret};

/// A command and its arguments.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Command(Vec<Cow<'static, str>>);

impl Command {
    /// `"SLOWLOG GET 1"`: words parted by a space.
    pub fn new(words: &'static str) -> Self {
        Self(words.split(' ').map(Cow::Borrowed).collect())
    }

    /// Adds an argument, which may hold anything.
    #[must_use]
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.0.push(Cow::Owned(word.into()));
        self
    }

    /// As the driver wants it.
    pub fn pack(&self) -> redis::Cmd {
        let mut command = redis::Cmd::new();
        for word in &self.0 {
            command.arg(word.as_bytes());
        }
        command
    }
}

/// `AUTH`, which is not a [`Command`] so that no log can show it.
pub fn authentication(user: Option<&str>, password: &Secret) -> redis::Cmd {
    let mut command = redis::cmd("AUTH");
    if let Some(user) = user {
        command.arg(user);
    }
    command.arg(password.expose());
    command
}

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The server refuses the command, in its own words. The connection is fine.
    Refused(String),
    /// The connection cannot be made or has broken: the reason.
    Broken(String),
    /// Nothing came before the deadline.
    Late,
}

impl Failure {
    /// Whether the connection can go on being used.
    pub const fn spares_connection(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether the server just does not have what was asked for, or says no as its answer.
    pub fn is_an_answer(&self) -> bool {
        let Self::Refused(reason) = self else { return false };
        let reason = reason.to_ascii_lowercase();
        reason.starts_with("err unknown") || reason.starts_with("noquorum")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) | Self::Broken(reason) => f.write_str(reason),
            Self::Late => f.write_str("no answer in time"),
        }
    }
}

/// What one command was answered.
pub type Answer = Result<Value, Failure>;

/// The answers of one scrape, by command.
#[derive(Debug, Default)]
pub struct Answers(BTreeMap<Command, Answered>);

/// An answer, and how long after its batch it came.
#[derive(Debug)]
struct Answered {
    answer: Answer,
    took: Duration,
}

impl Answers {
    /// Adds the answer to `command`.
    pub fn insert(&mut self, command: Command, answer: Answer) {
        self.insert_timed(command, answer, Duration::ZERO);
    }

    /// Adds the answer to `command`, which came `took` after the batch had been sent.
    pub fn insert_timed(&mut self, command: Command, answer: Answer, took: Duration) {
        self.0.insert(command, Answered { answer, took });
    }

    /// How long after its batch the answer to `command` came.
    pub fn took(&self, command: &Command) -> Option<Duration> {
        self.0.get(command).map(|answered| answered.took)
    }

    /// Whether `command` has been sent.
    pub fn knows(&self, command: &Command) -> bool {
        self.0.contains_key(command)
    }

    /// Everything that is known of `command`; `None` if it was not sent.
    pub fn outcome(&self, command: &Command) -> Option<&Answer> {
        self.0.get(command).map(|answered| &answered.answer)
    }

    /// The answer to `command`, if there is one.
    pub fn get(&self, command: &Command) -> Option<&Value> {
        self.outcome(command)?.as_ref().ok()
    }

    /// The answer to `command` as text.
    pub fn text(&self, command: &Command) -> Option<Cow<'_, str>> {
        text(self.get(command)?)
    }

    /// The commands which the server refused, and its reasons.
    pub fn refusals(&self) -> impl Iterator<Item = (&Command, &str)> {
        self.0.iter().filter_map(|(command, answered)| match &answered.answer {
            Err(Failure::Refused(reason)) => Some((command, reason.as_str())),
            _ => None,
        })
    }

    /// The first failure after which the connection cannot be used.
    pub fn breakdown(&self) -> Option<&Failure> {
        let failures = self.0.values().filter_map(|answered| answered.answer.as_ref().err());
        failures.filter(|failure| !failure.spares_connection()).min_by_key(|failure| {
            // A broken connection says more than the silence of those behind it.
            u8::from(**failure == Failure::Late)
        })
    }

    /// Commands of `wanted` which have not been sent, each once.
    pub fn missing(&self, wanted: impl IntoIterator<Item = Command>) -> Vec<Command> {
        let mut seen = BTreeSet::new();
        let missing = wanted.into_iter().filter(|command| !self.knows(command));
        missing.filter(|command| seen.insert(command.clone())).collect()
    }
}

/// A value as text.
pub fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::BulkString(bytes) => Some(info::text(bytes)),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => {
            Some(Cow::Borrowed(text.as_str()))
        }
        Value::Okay => Some(Cow::Borrowed("OK")),
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        Value::Double(number) => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// A value as a number.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        other => text(other)?.parse().ok(),
    }
}

/// The items of a list; nothing for any other value.
pub fn items(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) | Value::Set(items) => items,
        _ => &[],
    }
}

/// Names and values, as a map or as the flat list that RESP2 makes of it.
pub fn pairs(value: &Value) -> Vec<(Cow<'_, str>, &Value)> {
    match value {
        Value::Map(pairs) => {
            pairs.iter().filter_map(|(name, value)| Some((text(name)?, value))).collect()
        }
        other => items(other)
            .chunks_exact(2)
            .filter_map(|pair| match pair {
                [name, value] => Some((text(name)?, value)),
                _ => None,
            })
            .collect(),
    }
}
