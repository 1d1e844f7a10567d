-- Workers which copy tables have no position of the whole.
SELECT s.subname,
       count(s.pid) AS workers,
       CASE WHEN count(s.last_msg_receipt_time) > 0
           THEN greatest(0, min(extract(epoch FROM now() - s.last_msg_receipt_time)))
       END AS message_age_seconds,
       max(extract(epoch FROM s.last_msg_receipt_time - s.last_msg_send_time))
           FILTER (WHERE s.relid IS NULL) AS message_delay_seconds,
       max(s.received_lsn - '0/0') FILTER (WHERE s.relid IS NULL) AS received_bytes,
       max(s.received_lsn - s.latest_end_lsn) FILTER (WHERE s.relid IS NULL) AS unreported_bytes
FROM pg_stat_subscription AS s
GROUP BY s.subname
