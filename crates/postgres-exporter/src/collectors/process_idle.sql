WITH idle AS (
    SELECT application_name, state, greatest(0, extract(epoch FROM now() - state_change)) AS seconds
    FROM pg_stat_activity
    WHERE state ~ '^idle'
)
SELECT application_name,
       state,
       sum(seconds::bigint) AS seconds_sum,
       count(*) AS seconds_count,
       count(*) FILTER (WHERE seconds <= 1) AS le_1,
       count(*) FILTER (WHERE seconds <= 2) AS le_2,
       count(*) FILTER (WHERE seconds <= 5) AS le_5,
       count(*) FILTER (WHERE seconds <= 15) AS le_15,
       count(*) FILTER (WHERE seconds <= 30) AS le_30,
       count(*) FILTER (WHERE seconds <= 60) AS le_60,
       count(*) FILTER (WHERE seconds <= 90) AS le_90,
       count(*) FILTER (WHERE seconds <= 120) AS le_120,
       count(*) FILTER (WHERE seconds <= 300) AS le_300
FROM idle
GROUP BY application_name, state
