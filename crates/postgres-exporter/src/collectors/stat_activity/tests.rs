//! Tests of `stat_activity`.

use expect_test::expect;

use super::{super::tests::check, write};

#[test]
fn a_state_which_nobody_is_in_is_zero_with_empty_labels() {
    check(
        "datname | state  | usename | application_name | backend_type   | wait_event_type | wait_event | count | max_tx_duration
         app     | active | monitor | psql             | client backend | -               | -          | 2     | 1.25
         app     | idle   | -       | -                | -              | -               | -          | 0     | 0
         app     | idle in transaction | u | ''        | client backend | Client          | ClientRead | 1     | 61.5",
        write,
        &expect![[r#"
            # HELP pg_stat_activity_count number of connections in this state
            # TYPE pg_stat_activity_count gauge
            pg_stat_activity_count{application_name="",backend_type="",datname="app",state="idle",usename="",wait_event="",wait_event_type=""} 0
            pg_stat_activity_count{application_name="",backend_type="client backend",datname="app",state="idle in transaction",usename="u",wait_event="ClientRead",wait_event_type="Client"} 1
            pg_stat_activity_count{application_name="psql",backend_type="client backend",datname="app",state="active",usename="monitor",wait_event="",wait_event_type=""} 2
            # HELP pg_stat_activity_max_tx_duration max duration in seconds any active transaction has been running
            # TYPE pg_stat_activity_max_tx_duration gauge
            pg_stat_activity_max_tx_duration{application_name="",backend_type="",datname="app",state="idle",usename="",wait_event="",wait_event_type=""} 0
            pg_stat_activity_max_tx_duration{application_name="",backend_type="client backend",datname="app",state="idle in transaction",usename="u",wait_event="ClientRead",wait_event_type="Client"} 61.5
            pg_stat_activity_max_tx_duration{application_name="psql",backend_type="client backend",datname="app",state="active",usename="monitor",wait_event="",wait_event_type=""} 1.25
        "#]],
    );
}
