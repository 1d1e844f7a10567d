"""Orders arrive in PostgreSQL, some dozens a minute. Those older than a day are deleted."""

import random
from datetime import datetime, timezone

from airflow.sdk import dag, task

PRODUCTS = {"anchor": 84.0, "compass": 39.5, "lantern": 27.9, "rope": 12.25, "sail": 310.0}


@dag(
    schedule="* * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["lakehouse"],
    doc_md=__doc__,
)
def orders_ingest():
    @task
    def receive() -> int:
        from lake import database

        products = random.choices(list(PRODUCTS), k=random.randint(20, 60))
        rows = [(name, random.randint(1, 9), PRODUCTS[name]) for name in products]
        with database() as cursor:
            cursor.executemany("INSERT INTO orders (product, quantity, price) VALUES (%s, %s, %s)", rows)
            cursor.execute("DELETE FROM orders WHERE ordered_at < now() - interval '1 day'")
        return len(rows)

    receive()


orders_ingest()
