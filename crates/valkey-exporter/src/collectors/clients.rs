//! Paused clients (Valkey 8.1).

use super::Snapshot;
use crate::{
    info,
    out::{Metric, Out},
};

const PAUSED: Metric =
    Metric::gauge("clients_paused", "Whether commands of clients are held back, and why");
const PAUSED_TIMEOUT: Metric =
    Metric::gauge("clients_paused_timeout_seconds", "Time until held back commands go on");

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let get = |field| snapshot.info.get(field);
    let Some(reason) = get("paused_reason") else { return };
    let actions = get("paused_actions").unwrap_or_default();
    let paused = f64::from(u8::from(reason != "none"));
    out.family(&PAUSED).sample(&[("reason", reason), ("actions", actions)], paused);
    if let Some(milliseconds) = get("paused_timeout_milliseconds").and_then(info::number) {
        out.value(&PAUSED_TIMEOUT, milliseconds / 1e3);
    }
}
