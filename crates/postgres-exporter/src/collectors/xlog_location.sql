SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_xlog_replay_location() ELSE pg_current_xlog_location() END - '0/0')
       % (2 ^ 52)::bigint AS bytes
