//! Who the server is: `instance_info`, `server_info`.

use super::Snapshot;
use crate::{
    info,
    out::{Metric, Out},
};

const INSTANCE: Metric = Metric::plain("instance_info");
const SERVER: Metric =
    Metric::gauge("server_info", "Name, mode and availability zone of a server that tells them");

const LISTENER: Metric =
    Metric::gauge("listener_info", "Where the server listens, and by which transport");

/// Labels which are there for every server, empty where it does not have the field.
const LABELS: [&str; 9] = [
    "role",
    "redis_version",
    "redis_build_id",
    "os",
    "maxmemory_policy",
    "tcp_port",
    "run_id",
    "process_id",
    "master_replid",
];

/// Labels of servers which have the field.
const VALKEY_LABELS: [&str; 2] = ["valkey_version", "valkey_release_stage"];

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let get = |field| snapshot.info.get(field);
    // Valkey 8 calls the field `server_mode`.
    let mode = get("redis_mode").or_else(|| get("server_mode"));
    let always = LABELS.iter().map(|field| (*field, get(field).unwrap_or_default()));
    let valkey = VALKEY_LABELS.iter().filter_map(|field| Some((*field, get(field)?)));
    let mode = ("redis_mode", mode.unwrap_or_default());
    let labels: Vec<_> = always.chain(valkey).chain([mode]).collect();
    out.family(&INSTANCE).sample(&labels, 1.0);

    if let Some(name) = get("server_name") {
        let labels = [
            ("server_name", name),
            ("server_mode", mode.1),
            ("availability_zone", get("availability_zone").unwrap_or_default()),
        ];
        out.family(&SERVER).sample(&labels, 1.0);
    }
    for (field, value) in snapshot.info.section("Server") {
        if info::index(field, "listener").is_some() {
            write_listener(value, out);
        }
    }
}

/// `name=rdma,bind=192.168.1.5,bind=…,port=6379`.
fn write_listener(value: &str, out: &mut Out<'_>) {
    let all = |wanted: &str| {
        let parts = value.split(',').filter_map(|part| part.split_once('='));
        let found: Vec<_> =
            parts.filter(|(name, _)| *name == wanted).map(|(_, value)| value).collect();
        found.join(",")
    };
    let [name, bind, port] = ["name", "bind", "port"].map(all);
    if !name.is_empty() {
        let labels = [("name", &*name), ("bind", &*bind), ("port", &*port)];
        out.family(&LISTENER).sample(&labels, 1.0);
    }
}
