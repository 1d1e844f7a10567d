"""What arrived goes to SeaweedFS as CSV over S3, and comes back to PostgreSQL as revenue by product."""

import csv
import io
from datetime import datetime, timedelta, timezone

from airflow.sdk import dag, task


@dag(
    schedule="* * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["lakehouse"],
    doc_md=__doc__,
)
def orders_to_lake():
    @task
    def export() -> str | None:
        """Writes the orders that are not in the lake yet as one object, and returns its key."""
        from lake import BUCKET, PREFIX, database, object_store

        with database() as cursor:
            cursor.execute(
                "UPDATE orders SET exported_at = now() WHERE exported_at IS NULL AND quantity > 0 "
                "RETURNING id, product, quantity, price, ordered_at"
            )
            rows = cursor.fetchall()
            if not rows:
                return None
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(["id", "product", "quantity", "price", "ordered_at"])
            writer.writerows(rows)
            key = f"{PREFIX}{datetime.now(timezone.utc):%Y-%m-%d/%H%M%S}-{rows[0][0]}.csv"
            # Before the commit: a failed upload leaves the orders for the next run.
            object_store().put_object(Bucket=BUCKET, Key=key, Body=text.getvalue().encode())
        return key

    @task
    def summarize(key: str | None) -> None:
        """Reads the object back and adds it to the revenue; forgets objects older than an hour."""
        from lake import BUCKET, PREFIX, database, object_store

        store = object_store()
        if key:
            body = store.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
            totals = {}
            for order in csv.DictReader(io.StringIO(body)):
                count, amount = totals.get(order["product"], (0, 0))
                totals[order["product"]] = (count + 1, amount + int(order["quantity"]) * float(order["price"]))
            with database() as cursor:
                cursor.executemany(
                    "INSERT INTO revenue AS r (product, orders, amount) VALUES (%s, %s, %s) "
                    "ON CONFLICT (product) DO UPDATE SET orders = r.orders + excluded.orders, "
                    "amount = r.amount + excluded.amount, updated_at = now()",
                    [(product, count, amount) for product, (count, amount) in totals.items()],
                )
        limit = datetime.now(timezone.utc) - timedelta(hours=1)
        for kept in store.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX).get("Contents", []):
            if kept["LastModified"] < limit:
                store.delete_object(Bucket=BUCKET, Key=kept["Key"])

    summarize(export())


orders_to_lake()
