//! Tests of `pgbouncer`, with answers of version 1.18.

use expect_test::expect;
use metrics_server::{Format, Page};

use super::shows;
use crate::{instance::Facts, row::fixture::table};

const POOLS: &str = "\
database|user|cl_active|cl_waiting|cl_active_cancel_req|cl_waiting_cancel_req|sv_active|sv_active_cancel|sv_being_canceled|sv_idle|sv_used|sv_tested|sv_login|maxwait|maxwait_us|pool_mode
lakehouse|postgres|3|2|0|0|1|0|0|1|0|0|0|4|120|transaction
";
const STATS: &str = "\
database|total_xact_count|total_query_count|total_received|total_sent|total_xact_time|total_query_time|total_wait_time|avg_xact_count|avg_query_count|avg_recv|avg_sent|avg_xact_time|avg_query_time|avg_wait_time
lakehouse|1|2|14|108|8069|8000|15976|0|0|3|27|8069|8069|4064
";
const DATABASES: &str = "\
name|host|port|database|force_user|pool_size|min_pool_size|reserve_pool|pool_mode|max_connections|current_connections|paused|disabled
lakehouse|127.0.0.1|15499|lakehouse|postgres|20|0|0|-|0|1|0|0
";

#[test]
fn answers_of_the_console_are_read() {
    let mut page = Page::new();
    for query in shows() {
        let answer = match &*query.sql {
            "SHOW POOLS" => POOLS,
            "SHOW STATS" => STATS,
            "SHOW DATABASES" => DATABASES,
            other => panic!("{other}"),
        };
        query.write(&table(answer), &Facts::default(), &[], &mut page);
    }
    let text = page.into_text(Format::Text);
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    expect![[r#"
        pgbouncer_databases_current_connections{database="lakehouse",force_user="postgres",name="lakehouse",pool_mode=""} 1
        pgbouncer_databases_disabled{database="lakehouse",force_user="postgres",name="lakehouse",pool_mode=""} 0
        pgbouncer_databases_max_connections{database="lakehouse",force_user="postgres",name="lakehouse",pool_mode=""} 0
        pgbouncer_databases_paused{database="lakehouse",force_user="postgres",name="lakehouse",pool_mode=""} 0
        pgbouncer_databases_pool_size{database="lakehouse",force_user="postgres",name="lakehouse",pool_mode=""} 20
        pgbouncer_databases_reserve_pool{database="lakehouse",force_user="postgres",name="lakehouse",pool_mode=""} 0
        pgbouncer_pools_client_active_connections{database="lakehouse",user="postgres"} 3
        pgbouncer_pools_client_maxwait_seconds{database="lakehouse",user="postgres"} 4
        pgbouncer_pools_client_waiting_connections{database="lakehouse",user="postgres"} 2
        pgbouncer_pools_server_active_connections{database="lakehouse",user="postgres"} 1
        pgbouncer_pools_server_idle_connections{database="lakehouse",user="postgres"} 1
        pgbouncer_pools_server_login_connections{database="lakehouse",user="postgres"} 0
        pgbouncer_pools_server_testing_connections{database="lakehouse",user="postgres"} 0
        pgbouncer_pools_server_used_connections{database="lakehouse",user="postgres"} 0
        pgbouncer_stats_client_wait_seconds_total{database="lakehouse"} 0.015976
        pgbouncer_stats_queries_duration_seconds_total{database="lakehouse"} 0.008
        pgbouncer_stats_queries_pooled_total{database="lakehouse"} 2
        pgbouncer_stats_received_bytes_total{database="lakehouse"} 14
        pgbouncer_stats_sent_bytes_total{database="lakehouse"} 108
        pgbouncer_stats_server_in_transaction_seconds_total{database="lakehouse"} 0.008069
        pgbouncer_stats_sql_transactions_pooled_total{database="lakehouse"} 1"#]].assert_eq(&samples.join("\n"));
}
