SELECT * FROM @schema:pg_buffercache@.pg_buffercache_summary()
