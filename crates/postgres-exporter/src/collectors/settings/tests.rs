//! Tests of `settings`.

use expect_test::expect;
use proptest::prelude::*;

use super::{super::tests::check, parameter, write};

#[test]
fn parameters_become_gauges_in_base_units() {
    check(
        "name | setting | unit | vartype
         max_connections | 100 | - | integer
         bgwriter_delay | 200 | ms | integer
         archive_timeout | 5 | min | integer
         log_rotation_age | 1440 | min | integer
         shared_buffers | 16384 | 8kB | integer
         wal_segment_size | 16777216 | B | integer
         max_wal_size | 1024 | MB | integer
         temp_file_limit | -1 | kB | integer
         log_file_mode | 0700 | - | integer
         seq_page_cost | 1.5 | - | real
         autovacuum | on | - | bool
         fsync | off | - | bool
         auto_explain.log_min_duration | -1 | ms | integer
         my-ext.x-y | 3 | '' | integer",
        |rows, out| write(rows, &[], out),
        &expect![[r#"
            # HELP pg_settings_archive_timeout_seconds Server Parameter: archive_timeout [Units converted to seconds.]
            # TYPE pg_settings_archive_timeout_seconds gauge
            pg_settings_archive_timeout_seconds 300
            # HELP pg_settings_auto_explain_log_min_duration_seconds Server Parameter: auto_explain.log_min_duration [Units converted to seconds.]
            # TYPE pg_settings_auto_explain_log_min_duration_seconds gauge
            pg_settings_auto_explain_log_min_duration_seconds -1
            # HELP pg_settings_autovacuum Server Parameter: autovacuum
            # TYPE pg_settings_autovacuum gauge
            pg_settings_autovacuum 1
            # HELP pg_settings_bgwriter_delay_seconds Server Parameter: bgwriter_delay [Units converted to seconds.]
            # TYPE pg_settings_bgwriter_delay_seconds gauge
            pg_settings_bgwriter_delay_seconds 0.2
            # HELP pg_settings_fsync Server Parameter: fsync
            # TYPE pg_settings_fsync gauge
            pg_settings_fsync 0
            # HELP pg_settings_log_file_mode Server Parameter: log_file_mode
            # TYPE pg_settings_log_file_mode gauge
            pg_settings_log_file_mode 700
            # HELP pg_settings_log_rotation_age_seconds Server Parameter: log_rotation_age [Units converted to seconds.]
            # TYPE pg_settings_log_rotation_age_seconds gauge
            pg_settings_log_rotation_age_seconds 86400
            # HELP pg_settings_max_connections Server Parameter: max_connections
            # TYPE pg_settings_max_connections gauge
            pg_settings_max_connections 100
            # HELP pg_settings_max_wal_size_bytes Server Parameter: max_wal_size [Units converted to bytes.]
            # TYPE pg_settings_max_wal_size_bytes gauge
            pg_settings_max_wal_size_bytes 1.073741824e+09
            # HELP pg_settings_my_ext_x_y Server Parameter: my-ext.x-y
            # TYPE pg_settings_my_ext_x_y gauge
            pg_settings_my_ext_x_y 3
            # HELP pg_settings_seq_page_cost Server Parameter: seq_page_cost
            # TYPE pg_settings_seq_page_cost gauge
            pg_settings_seq_page_cost 1.5
            # HELP pg_settings_shared_buffers_bytes Server Parameter: shared_buffers [Units converted to bytes.]
            # TYPE pg_settings_shared_buffers_bytes gauge
            pg_settings_shared_buffers_bytes 1.34217728e+08
            # HELP pg_settings_temp_file_limit_bytes Server Parameter: temp_file_limit [Units converted to bytes.]
            # TYPE pg_settings_temp_file_limit_bytes gauge
            pg_settings_temp_file_limit_bytes -1
            # HELP pg_settings_wal_segment_size_bytes Server Parameter: wal_segment_size [Units converted to bytes.]
            # TYPE pg_settings_wal_segment_size_bytes gauge
            pg_settings_wal_segment_size_bytes 1.6777216e+07
        "#]],
    );
}

#[test]
fn a_parameter_that_cannot_be_read_costs_itself_alone() {
    check(
        "name | setting | unit | vartype
         yugabyte | 1 | parsec | integer
         azure | many | - | integer
         null_value | - | - | integer
         - | 1 | - | integer
         max_connections | 100 | - | integer",
        |rows, out| write(rows, &[], out),
        &expect![[r#"
            # HELP pg_settings_max_connections Server Parameter: max_connections
            # TYPE pg_settings_max_connections gauge
            pg_settings_max_connections 100
        "#]],
    );
}

#[test]
fn a_unit_repeated_in_the_value_is_no_part_of_the_number() {
    let value = |setting, unit| parameter("x", setting, unit, "integer").map(|p| p.value);
    assert_eq!(value("16MB", "MB"), Some(16_777_216.0));
    assert_eq!(value("10ms", "ms"), Some(0.01));
    assert_eq!(value("60s", "s"), Some(60.0));
    assert_eq!(value("ms", "ms"), None);
}

#[test]
fn every_unit_of_every_block_size_is_known() {
    for (unit, bytes) in [
        ("B", 1.0),
        ("kB", 1024.0),
        ("1kB", 1024.0),
        ("64kB", 65_536.0),
        ("MB", 1_048_576.0),
        ("16MB", 16_777_216.0),
        ("GB", 1_073_741_824.0),
        ("TB", 1_099_511_627_776.0),
    ] {
        let read = parameter("x", "2", unit, "integer").unwrap();
        assert_eq!((read.family.as_str(), read.value), ("pg_settings_x_bytes", 2.0 * bytes));
    }
}

proptest! {
    #[test]
    fn property_nothing_panics(
        name in ".*", setting in ".*", unit in "[0-9]{0,30}[a-zA-Zé]{0,3}|.*", kind in "bool|real",
    ) {
        let _parameter = parameter(&name, &setting, &unit, &kind);
    }
}
