use std::fmt::Write as _;

use expect_test::expect;
use proptest::prelude::*;

use super::parse;

#[test]
fn lines_become_nodes() {
    let text = "\
07c37dfe 127.0.0.1:30004@31004,hostname4 slave e7d1 0 1426238317239 4 connected
e7d1 127.0.0.1:30001@31001 myself,master - 0 0 1 connected 0-5460 5463 [93-<-2928]
aa 127.0.0.1:7000@17000 master,fail - 0 0 1 disconnected
ab fd00::1:7000@17000 master - 0 0 1 connected
ac 10.0.0.9:7001@17001,h.test,availability-zone=eu-1a,shard-id=69bc master - 0 0 1 connected 100-1
ad 10.0.0.9:7002@17002,,tls-port=0,shard-id=69bc master,nofailover - 0 0 1 connected
07c37dfe
07c37dfe 127.0.0.1:30004,hostname4 slave
127.0.0.1:30005,hostname5
aa :0@0 master,noaddr - 0 0 1 disconnected
ae 10.0.0.9:0@17002 master - 0 0 1 connected
af []:7003@17003 master - 0 0 1 connected
";
    let mut shown = String::new();
    for node in parse(text) {
        let (ip, name) = (node.address(false, false), node.address(true, true).to_target());
        let role = if node.is_replica() { "replica" } else { "primary" };
        writeln!(
            shown,
            "{ip} {name} {role} of {:?} healthy {} slots {} zone {:?}",
            node.primary,
            node.is_healthy(),
            node.slots,
            node.zone
        )
        .expect("memory");
    }
    expect![[r#"
        127.0.0.1:30004 rediss://hostname4:30004 replica of Some("e7d1") healthy true slots 0 zone None
        127.0.0.1:30001 rediss://127.0.0.1:30001 primary of None healthy true slots 5462 zone None
        127.0.0.1:7000 rediss://127.0.0.1:7000 primary of None healthy false slots 0 zone None
        [fd00::1]:7000 rediss://[fd00::1]:7000 primary of None healthy true slots 0 zone None
        10.0.0.9:7001 rediss://h.test:7001 primary of None healthy true slots 0 zone Some("eu-1a")
        10.0.0.9:7002 rediss://10.0.0.9:7002 primary of None healthy true slots 0 zone None
    "#]]
    .assert_eq(&shown);
}

proptest! {
    #[test]
    fn property_any_text_is_read(text: String, line in "[a-f0-9]{0,4} [0-9.:@,a-z]{0,20}( [a-z,?-]{0,8}){0,9}") {
        let _nodes = parse(&text);
        for node in parse(&line) {
            prop_assert!(node.port > 0 && !node.ip.is_empty());
        }
    }
}
