"""Whether one Airflow process works: `health.py api-server|scheduler|dag-processor|worker`.

Exits 0 or 1, with a line that says why. It does not import Airflow: that would take seconds of CPU
at each check.
"""

import json
import os
import socket
import sys
import urllib.request

API = "http://airflow-api-server:8080/api/v2/monitor/health"


def status(url: str, component: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)[component]["status"]


def scheduler() -> str:
    """It answers 503, which is an exception here, when its heartbeat is old."""
    urllib.request.urlopen("http://localhost:8974/health", timeout=5).close()
    return "healthy"


def worker() -> str:
    from celery import Celery

    app = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"])
    name = f"celery@{socket.gethostname()}"
    answers = app.control.inspect(destination=[name], timeout=5).ping() or {}
    return "healthy" if name in answers else "no answer"


CHECKS = {
    "api-server": lambda: status("http://localhost:8080/api/v2/monitor/health", "metadatabase"),
    "scheduler": scheduler,
    # It has no page of its own: the API server reports the heartbeat that it wrote.
    "dag-processor": lambda: status(API, "dag_processor"),
    "worker": worker,
}


def main() -> int:
    try:
        seen = CHECKS[sys.argv[1]]()
    except Exception as error:
        seen = f"{type(error).__name__}: {error}"
    print(seen)
    return 0 if seen == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main())
