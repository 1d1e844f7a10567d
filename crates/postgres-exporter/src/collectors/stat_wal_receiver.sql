-- Positions keep to the bits that a float holds exactly.
SELECT trim(both '''' FROM substring(conninfo FROM 'host=([^ ]*)')) AS upstream_host,
       slot_name,
       status,
       (receive_start_lsn - '0/0') % (2 ^ 52)::bigint AS receive_start_lsn,
       receive_start_tli,
       (flushed_lsn - '0/0') % (2 ^ 52)::bigint AS flushed_lsn,
       received_tli,
       extract(epoch FROM last_msg_send_time) AS last_msg_send_time,
       extract(epoch FROM last_msg_receipt_time) AS last_msg_receipt_time,
       (latest_end_lsn - '0/0') % (2 ^ 52)::bigint AS latest_end_lsn,
       extract(epoch FROM latest_end_time) AS latest_end_time,
       nullif(substring(slot_name FROM 'repmgr_slot_([0-9]*)'), '') AS upstream_node
FROM pg_stat_wal_receiver
