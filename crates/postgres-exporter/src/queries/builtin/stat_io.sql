-- Bytes are a column of their own from version 18 on, and operations of one size before.
SELECT s.backend_type,
       s.object,
       s.context,
       s.reads,
       coalesce((row.doc ->> 'read_bytes')::numeric, s.reads * (row.doc ->> 'op_bytes')::numeric) AS read_bytes,
       s.read_time,
       s.writes,
       coalesce((row.doc ->> 'write_bytes')::numeric, s.writes * (row.doc ->> 'op_bytes')::numeric) AS write_bytes,
       s.write_time,
       s.writebacks,
       s.writeback_time,
       s.extends,
       coalesce((row.doc ->> 'extend_bytes')::numeric, s.extends * (row.doc ->> 'op_bytes')::numeric) AS extend_bytes,
       s.extend_time,
       s.hits,
       s.evictions,
       s.reuses,
       s.fsyncs,
       s.fsync_time
FROM pg_stat_io AS s
CROSS JOIN LATERAL (SELECT to_jsonb(s) AS doc) AS row
WHERE coalesce(s.reads, 0) + coalesce(s.writes, 0) + coalesce(s.extends, 0)
      + coalesce(s.hits, 0) + coalesce(s.fsyncs, 0) > 0
