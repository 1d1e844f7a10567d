"""The quality gate: an order with a quantity below 1 fails the run, and is put aside.

`make fail-task` inserts such an order. The next run succeeds again.
"""

from datetime import datetime, timezone

from airflow.sdk import dag, task


@dag(
    schedule="* * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["lakehouse"],
    doc_md=__doc__,
)
def orders_check():
    @task
    def validate() -> None:
        from lake import database

        with database() as cursor:
            cursor.execute(
                "WITH bad AS (DELETE FROM orders WHERE quantity < 1 RETURNING *) "
                "INSERT INTO orders_rejected SELECT * FROM bad RETURNING id"
            )
            rejected = [row[0] for row in cursor.fetchall()]
        if rejected:
            raise ValueError(f"orders with a quantity below 1: {rejected}")

    validate()


orders_check()
