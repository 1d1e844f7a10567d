"""Where the DAGs' data lives: tables in PostgreSQL, objects in SeaweedFS.

The addresses come from the Airflow connections `lake_db` and `lake_s3`. Both clients are used
directly rather than through Airflow's hooks, whose imports cost more CPU than the tasks themselves.
"""

from contextlib import contextmanager

import boto3
import psycopg2
from airflow.sdk import Connection
from botocore.config import Config

BUCKET = "lakehouse"
PREFIX = "orders/"


@contextmanager
def database():
    """A cursor in one transaction: committed at the end, rolled back by an exception."""
    connection = psycopg2.connect(Connection.get("lake_db").get_uri())
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def object_store():
    """An S3 client, and the bucket is there."""
    where = Connection.get("lake_s3")
    client = boto3.client(
        "s3",
        endpoint_url=f"{where.schema}://{where.host}:{where.port}",
        region_name="us-east-1",
        aws_access_key_id=where.login,
        aws_secret_access_key=where.password,
        config=Config(
            # Checksum trailers are more than SeaweedFS of some releases understands.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"},
            connect_timeout=5,
            read_timeout=20,
        ),
    )
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    return client
