//! One key: what is asked of it depends on what was answered before.

use redis::{Cmd, Value};

use super::{
    Keys,
    argument::KeyName,
    findings::{self, Key},
};
use crate::{
    command::{Answer, number, text},
    limits::Limit,
};

/// How a string begins which is a `HyperLogLog`.
const HYPERLOGLOG: &[u8] = b"HYLL";

/// A command with a key and nothing else.
pub(super) fn about(word: &str, key: &KeyName) -> Cmd {
    let mut command = redis::cmd(word);
    command.arg(&key.name[..]);
    command
}

/// A key while it is looked up.
pub(super) struct Lookup<'k> {
    key: &'k KeyName,
    kind: Kind,
    memory_bytes: Option<f64>,
    size: Option<f64>,
    value: Option<findings::Value>,
    /// What the answers that come next are to.
    next: Next,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    /// Not there, or on another node.
    Unknown,
    /// Not there, which is a size of 0.
    Missing,
    String,
    /// The command which tells its size.
    Sized(&'static str),
    /// Of a module, or new.
    Other,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    Size,
    /// Length and beginning.
    String,
    /// `PFCOUNT`, and perhaps the value behind it.
    HyperLogLog,
    Value,
    Nothing,
}

impl<'k> Lookup<'k> {
    pub(super) const fn new(key: &'k KeyName) -> Self {
        Self {
            key,
            kind: Kind::Unknown,
            memory_bytes: None,
            size: None,
            value: None,
            next: Next::Nothing,
        }
    }

    pub(super) fn learn_kind(&mut self, kind: Answer, memory: Answer, cluster: bool) {
        self.memory_bytes = memory.ok().as_ref().and_then(number);
        let Ok(kind) = kind else { return };
        self.kind = match text(&kind).as_deref() {
            None => Kind::Unknown,
            Some("none") if cluster => Kind::Unknown,
            Some("none") => Kind::Missing,
            Some("string") => Kind::String,
            Some("list") => Kind::Sized("LLEN"),
            Some("set") => Kind::Sized("SCARD"),
            Some("zset") => Kind::Sized("ZCARD"),
            Some("hash") => Kind::Sized("HLEN"),
            Some("stream") => Kind::Sized("XLEN"),
            Some("array") => Kind::Sized("ARCOUNT"),
            Some(_) => Kind::Other,
        };
        self.next = match self.kind {
            Kind::String => Next::String,
            Kind::Sized(_) => Next::Size,
            Kind::Unknown | Kind::Missing | Kind::Other => Next::Nothing,
        };
        if self.kind == Kind::Missing {
            self.size = Some(0.0);
        }
    }

    /// Commands of the second round trip.
    pub(super) fn ask_size(&self, _keys: &Keys) -> Vec<Cmd> {
        match (&self.kind, self.next) {
            (Kind::Sized(word), Next::Size) => vec![about(word, self.key)],
            (Kind::String, Next::String) => {
                let mut beginning = about("GETRANGE", self.key);
                beginning.arg(0).arg(HYPERLOGLOG.len().saturating_sub(1));
                vec![about("STRLEN", self.key), beginning]
            }
            _ => Vec::new(),
        }
    }

    /// Commands of the third.
    pub(super) fn ask_value(&self, keys: &Keys) -> Vec<Cmd> {
        let short = self.size.is_some_and(|size| size <= keys.bounds.value_bytes_max as f64);
        let mut commands = Vec::new();
        if self.next == Next::HyperLogLog {
            commands.push(about("PFCOUNT", self.key));
        }
        if matches!(self.next, Next::HyperLogLog | Next::Value) && keys.values && short {
            commands.push(about("GET", self.key));
        }
        commands
    }

    /// Takes the answers to what was asked last.
    pub(super) fn learn(&mut self, answers: Vec<Answer>) {
        let mut answers = answers.into_iter();
        let mut next = || answers.next().and_then(Result::ok);
        match self.next {
            Next::Nothing => {}
            Next::Size => {
                self.size = next().as_ref().and_then(number);
                self.next = Next::Nothing;
            }
            Next::String => {
                self.size = next().as_ref().and_then(number);
                self.next = match next() {
                    Some(Value::BulkString(bytes)) if bytes != HYPERLOGLOG => Next::Value,
                    // Also where the beginning may not be read.
                    _ => Next::HyperLogLog,
                };
            }
            Next::HyperLogLog => match next().as_ref().and_then(number) {
                Some(size) => {
                    self.size = Some(size);
                    self.next = Next::Nothing;
                }
                None => self.learn_value(next()),
            },
            Next::Value => self.learn_value(next()),
        }
    }

    fn learn_value(&mut self, value: Option<Value>) {
        if let Some(Value::BulkString(bytes)) = value {
            self.value = findings::Value::read(&bytes);
        }
    }

    /// `None` if nothing is known of it.
    pub(super) fn into_key(self, keys: &Keys) -> Option<Key> {
        let long = self.size.is_some_and(|size| size > keys.bounds.value_bytes_max as f64);
        if keys.values && self.kind == Kind::String && long {
            keys.limits.reached(Limit::KeysValueBytes);
        }
        let known = self.size.is_some() || self.memory_bytes.is_some();
        known.then(|| Key {
            at: self.key.clone(),
            size: self.size,
            memory_bytes: self.memory_bytes,
            value: self.value,
        })
    }
}
