SELECT s.subname,
       count(s.pid) AS workers,
       min(extract(epoch FROM now() - s.last_msg_receipt_time)) AS message_age_seconds
FROM pg_stat_subscription AS s
GROUP BY s.subname
