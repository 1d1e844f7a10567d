use expect_test::{Expect, expect};
use redis::Value;

use super::{Group, cluster_group, replication_groups, sentinel_group, zones};
use crate::{address::Address, cluster_nodes, info::Info};

/// Names and values as RESP2 has them.
fn entry(pairs: &[&str]) -> Value {
    Value::Array(pairs.iter().map(|text| Value::BulkString(text.as_bytes().to_vec())).collect())
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

fn check(groups: impl IntoIterator<Item = Group>, expected: &Expect) {
    let lines: Vec<_> =
        groups.into_iter().map(|group| group.to_json().to_string() + "\n").collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn each_node_of_a_cluster_has_its_labels() {
    let text = "\
e7d1 127.0.0.1:1@2,one.test myself,master - 0 0 1 connected 0-5460
07c3 [fd00::1]:3@4,two.test,availability-zone=eu-1a slave,fail e7d1 0 14 4 disconnected
";
    let told = list([
        entry(&["id", "e7d1", "port", "1", "availability-zone", "eu-1b"]),
        entry(&["id", "07c3", "port", "3", "availability-zone", "eu-1c"]),
        entry(&["id", "none", "port", "5"]),
    ]);
    let [slots, nodes] = ["slots", "nodes"].map(|name| Value::BulkString(name.into()));
    let zones = zones(&list([list([slots, list([]), nodes, told]), Value::Nil]));
    check(
        cluster_nodes::parse(text).iter().map(|node| cluster_group(node, &zones, false, true)),
        &expect![[r#"
            {"labels":{"__meta_valkey_availability_zone":"eu-1b","__meta_valkey_healthy":"true","__meta_valkey_hostname":"one.test","__meta_valkey_mode":"cluster","__meta_valkey_node_id":"e7d1","__meta_valkey_role":"primary","__meta_valkey_shard":"e7d1"},"targets":["rediss://127.0.0.1:1"]}
            {"labels":{"__meta_valkey_availability_zone":"eu-1a","__meta_valkey_healthy":"false","__meta_valkey_hostname":"two.test","__meta_valkey_mode":"cluster","__meta_valkey_node_id":"07c3","__meta_valkey_role":"replica","__meta_valkey_shard":"e7d1"},"targets":["rediss://[fd00::1]:3"]}
        "#]],
    );
}

#[test]
fn a_primary_names_its_replicas_and_a_replica_its_primary() {
    let address = Address::parse("redis://u:s3cret@own:1/3").expect("an address");
    let primary = "# Replication\nrole:master\nslave0:ip=10.0.0.2,port=2,state=online\n\
        slave1:ip=fd00::2,port=3,state=online\nslave2:port=4\n";
    check(
        replication_groups(&Info::parse(primary), &address),
        &expect![[r#"
            {"labels":{"__meta_valkey_mode":"standalone","__meta_valkey_role":"primary"},"targets":["redis://own:1"]}
            {"labels":{"__meta_valkey_mode":"standalone","__meta_valkey_role":"replica"},"targets":["redis://10.0.0.2:2"]}
            {"labels":{"__meta_valkey_mode":"standalone","__meta_valkey_role":"replica"},"targets":["redis://[fd00::2]:3"]}
        "#]],
    );
    let replica = "# Replication\nrole:slave\nmaster_host:10.0.0.1\nmaster_port:6379\n";
    check(
        replication_groups(&Info::parse(replica), &address),
        &expect![[r#"
            {"labels":{"__meta_valkey_mode":"standalone","__meta_valkey_role":"replica"},"targets":["redis://own:1"]}
            {"labels":{"__meta_valkey_mode":"standalone","__meta_valkey_role":"primary"},"targets":["redis://10.0.0.1:6379"]}
        "#]],
    );
}

#[test]
fn what_a_sentinel_watches_has_the_name_of_its_primary() {
    let good = entry(&["name", "m", "ip", "10.0.0.1", "port", "6379", "flags", "master"]);
    let down = entry(&["ip", "10.0.0.2", "port", "6379", "flags", "slave,s_down"]);
    let nowhere = entry(&["ip", "10.0.0.3", "port", "0", "flags", "slave"]);
    let groups = [(good, "primary"), (down, "replica"), (nowhere, "replica")];
    check(
        groups
            .iter()
            .filter_map(|(entry, role)| sentinel_group(entry, role, Some("m".to_owned()), false)),
        &expect![[r#"
            {"labels":{"__meta_valkey_healthy":"true","__meta_valkey_master_name":"m","__meta_valkey_mode":"sentinel","__meta_valkey_role":"primary"},"targets":["redis://10.0.0.1:6379"]}
            {"labels":{"__meta_valkey_healthy":"false","__meta_valkey_master_name":"m","__meta_valkey_mode":"sentinel","__meta_valkey_role":"replica"},"targets":["redis://10.0.0.2:6379"]}
        "#]],
    );
}
