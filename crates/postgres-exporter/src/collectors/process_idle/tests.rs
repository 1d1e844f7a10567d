//! Tests of `process_idle`.

use expect_test::expect;

use super::{super::tests::check, write};

#[test]
fn every_group_has_its_histogram() {
    check(
        "application_name | state | seconds_sum | seconds_count | le_1 | le_2 | le_5 | le_15 | le_30 | le_60 | le_90 | le_120 | le_300
         psql | idle | 70 | 2 | 0 | 1 | 1 | 1 | 1 | 1 | 2 | 2 | 2
         -    | idle in transaction | 900 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0",
        write,
        &expect![[r##"
            # HELP pg_process_idle_seconds Idle time of server processes
            # TYPE pg_process_idle_seconds histogram
            pg_process_idle_seconds_bucket{application_name="psql",state="idle",le="1"} 0
            pg_process_idle_seconds_bucket{application_name="psql",state="idle",le="2"} 1
            pg_process_idle_seconds_bucket{application_name="psql",state="idle",le="5"} 1
            pg_process_idle_seconds_bucket{application_name="psql",state="idle",le="15"} 1
            pg_process_idle_seconds_bucket{application_name="psql",state="idle",le="30"} 1
            pg_process_idle_seconds_bucket{application_name="psql",state="idle",le="60"} 1
            pg_process_idle_seconds_bucket{application_name="psql",state="idle",le="90"} 2
            pg_process_idle_seconds_bucket{application_name="psql",state="idle",le="120"} 2
            pg_process_idle_seconds_bucket{application_name="psql",state="idle",le="300"} 2
            pg_process_idle_seconds_bucket{application_name="psql",state="idle",le="+Inf"} 2
            pg_process_idle_seconds_sum{application_name="psql",state="idle"} 70
            pg_process_idle_seconds_count{application_name="psql",state="idle"} 2
            pg_process_idle_seconds_bucket{application_name="unknown",state="idle in transaction",le="1"} 0
            pg_process_idle_seconds_bucket{application_name="unknown",state="idle in transaction",le="2"} 0
            pg_process_idle_seconds_bucket{application_name="unknown",state="idle in transaction",le="5"} 0
            pg_process_idle_seconds_bucket{application_name="unknown",state="idle in transaction",le="15"} 0
            pg_process_idle_seconds_bucket{application_name="unknown",state="idle in transaction",le="30"} 0
            pg_process_idle_seconds_bucket{application_name="unknown",state="idle in transaction",le="60"} 0
            pg_process_idle_seconds_bucket{application_name="unknown",state="idle in transaction",le="90"} 0
            pg_process_idle_seconds_bucket{application_name="unknown",state="idle in transaction",le="120"} 0
            pg_process_idle_seconds_bucket{application_name="unknown",state="idle in transaction",le="300"} 0
            pg_process_idle_seconds_bucket{application_name="unknown",state="idle in transaction",le="+Inf"} 1
            pg_process_idle_seconds_sum{application_name="unknown",state="idle in transaction"} 900
            pg_process_idle_seconds_count{application_name="unknown",state="idle in transaction"} 1
        "##]],
    );
    check("application_name | state", write, &expect![""]);
}
