//! Airflow: its scheduler, its tasks, its DAGs.

use crate::{
    dashboard::Dashboard,
    panel::{NONE_IS_GOOD, Panel, SOME_IS_GOOD, stat, time_series},
};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard::new(
        "lakehouse-airflow",
        "Airflow",
        "Whether Airflow schedules, what its tasks and DAGs do, and how long they take and wait.",
    )
    .missing("Airflow has not sent this yet, or statsd-exporter is down")
    .alerts_of("statsd-exporter|airflow.*")
    .started("process_start_time_seconds{@}")
    .chosen_by("airflow_scheduler_heartbeat")
    .variable(
        "dag_id",
        "label_values(airflow_dagrun_duration_success_count{job=~\"$job\"}, dag_id)",
    )
    .row("Now", now())
    .row("Tasks", tasks())
    .row("DAG runs", runs())
    .row("Scheduler and DAG processor", scheduler())
}

fn now() -> Vec<Panel> {
    vec![
        stat("Scheduler heartbeat", "cps")
            .query("sum(rate(airflow_scheduler_heartbeat{@}[1m]))", "")
            .about("By second, over one minute. Zero: the scheduler does not schedule.")
            .steps(&[("red", None), ("green", Some(0.01))])
            .wide(6, 3),
        stat("DAG processor heartbeat", "cps")
            .query("sum(rate(airflow_dag_processor_heartbeat{@}[1m]))", "")
            .about("By second, over one minute. Zero: changed DAGs are not read.")
            .steps(&[("red", None), ("green", Some(0.01))])
            .wide(6, 3),
        stat("Failed tasks, 1 h", "short")
            .query("sum(increase(airflow_ti_failures{@}[1h]))", "")
            .about("Task instances that failed in the last hour.")
            .steps(NONE_IS_GOOD)
            .decimals(0)
            .runbook("AirflowTaskFailureHigh")
            .wide(6, 3),
        stat("Running tasks", "short")
            .query("sum(airflow_executor_running_tasks{@})", "")
            .about("What the executor runs now.")
            .wide(6, 3),
        stat("Queued tasks", "short")
            .query("sum(airflow_executor_queued_tasks{@})", "")
            .about("What waits in the broker for a worker.")
            .wide(6, 3),
        stat("Running DAG runs", "short")
            .query("sum(airflow_scheduler_dagruns_running{@})", "")
            .about("Runs that have begun and not ended (Airflow 3.2 and newer).")
            .missing("Airflow before 3.2 does not send it")
            .wide(6, 3),
        stat("DAGs", "short")
            .query("sum(airflow_dagbag_size{@})", "")
            .about("DAGs that the processor found in the last pass.")
            .steps(SOME_IS_GOOD)
            .wide(6, 3),
        stat("Import errors", "short")
            .query("sum(airflow_dag_processing_import_errors{@})", "")
            .about("Files that cannot be read as DAGs.")
            .steps(NONE_IS_GOOD)
            .wide(6, 3),
    ]
}

fn tasks() -> Vec<Panel> {
    vec![
        time_series("Tasks that ended", "ops")
            .query("sum(rate(airflow_ti_successes{@}[5m]))", "successes")
            .query("sum(rate(airflow_ti_failures{@}[5m]))", "failures")
            .about("Task instances by second, over five minutes.")
            .colour("successes", "green")
            .colour("failures", "red"),
        time_series("Executor", "short")
            .query("sum(airflow_executor_running_tasks{@})", "running")
            .query("sum(airflow_executor_queued_tasks{@})", "queued")
            .query("sum(airflow_executor_open_slots{@})", "open slots")
            .about("Queued tasks that do not become fewer while slots are open: no worker takes them."),
        time_series("Task duration", "s")
            .query(
                "sum by (dag_id, task_id) (rate(airflow_dag_task_duration_sum{@,dag_id=~\"$dag_id\"}[30m])) / sum by (dag_id, task_id) (rate(airflow_dag_task_duration_count{@,dag_id=~\"$dag_id\"}[30m]))",
                "{{dag_id}} {{task_id}}",
            )
            .about("Mean of the last thirty minutes.")
            .missing("No task of these DAGs has ended in the last thirty minutes"),
        time_series("Wait between scheduled and queued", "s")
            .query(
                "sum(rate(airflow_task_scheduled_duration_sum{@}[30m])) / sum(rate(airflow_task_scheduled_duration_count{@}[30m]))",
                "mean",
            )
            .query("max(airflow_task_scheduled_duration{@,quantile=\"0.99\"})", "p99")
            .about("How long a task that could run waited for the scheduler: mean of thirty minutes, 99th percentile of ten.")
            .missing("No task was scheduled in the last thirty minutes"),
        time_series("Pool slots", "short")
            .query("sum(airflow_pool_running_slots{@})", "running")
            .query("sum(airflow_pool_queued_slots{@})", "queued")
            .query("sum(airflow_pool_scheduled_slots{@})", "scheduled")
            .query("sum(airflow_pool_deferred_slots{@})", "deferred")
            .query("sum(airflow_pool_open_slots{@})", "open")
            .about("Slots of all pools. Tasks wait when none is open."),
        time_series("Starving tasks", "short")
            .query("sum(airflow_scheduler_tasks_starving{@})", "no slot in their pool")
            .query("sum(airflow_scheduler_tasks_executable{@})", "ready to run")
            .about("Tasks that could not be queued because their pool is full, and tasks that were."),
    ]
}

fn runs() -> Vec<Panel> {
    vec![
        time_series("DAG run duration", "s")
            .query(
                "airflow_dagrun_duration_success{@,dag_id!=\"\",dag_id=~\"$dag_id\",quantile=\"0.99\"}",
                "{{dag_id}} p99",
            )
            .query(
                "sum by (dag_id) (rate(airflow_dagrun_duration_success_sum{@,dag_id!=\"\",dag_id=~\"$dag_id\"}[30m])) / sum by (dag_id) (rate(airflow_dagrun_duration_success_count{@,dag_id!=\"\",dag_id=~\"$dag_id\"}[30m]))",
                "{{dag_id}} mean",
            )
            .about("Successful runs: 99th percentile of ten minutes, mean of thirty.")
            .missing("No run of these DAGs has succeeded yet"),
        time_series("DAG runs that ended, by 5 minutes", "short")
            .query(
                "sum by (dag_id) (increase(airflow_dagrun_duration_success_count{@,dag_id!=\"\",dag_id=~\"$dag_id\"}[5m]))",
                "{{dag_id}} succeeded",
            )
            .query(
                "sum by (dag_id) (increase(airflow_dagrun_duration_failed_count{@,dag_id!=\"\",dag_id=~\"$dag_id\"}[5m]))",
                "{{dag_id}} failed",
            )
            .about("A DAG that runs by the clock should not pause here.")
            .bars()
            .missing("No run of these DAGs has ended yet"),
        time_series("Delay of DAG runs", "s")
            .query("max(airflow_dagrun_schedule_delay{@,quantile=\"0.99\"})", "p99")
            .query(
                "sum(rate(airflow_dagrun_schedule_delay_sum{@}[30m])) / sum(rate(airflow_dagrun_schedule_delay_count{@}[30m]))",
                "mean",
            )
            .about("Between the time a run was due and the time it began.")
            .missing("No scheduled run has begun in the last thirty minutes"),
        time_series("Dependency check of DAG runs", "s")
            .query("max(airflow_dagrun_dependency_check{@,quantile=\"0.99\"})", "p99")
            .query(
                "sum(rate(airflow_dagrun_dependency_check_sum{@}[5m])) / sum(rate(airflow_dagrun_dependency_check_count{@}[5m]))",
                "mean",
            )
            .about("How long the scheduler takes to see what a run may start next."),
    ]
}

fn scheduler() -> Vec<Panel> {
    vec![
        time_series("Scheduler loop", "s")
            .query("max(airflow_scheduler_scheduler_loop_duration{@,quantile=\"0.99\"})", "p99")
            .query("max(airflow_scheduler_scheduler_loop_duration{@,quantile=\"0.5\"})", "p50")
            .query(
                "max(airflow_scheduler_critical_section_duration{@,quantile=\"0.99\"})",
                "critical section p99",
            )
            .about("One pass over all DAGs, and the part of it that holds the database's lock.")
            .wide(8, 8),
        time_series("DAG parsing", "s")
            .query("max(airflow_dag_processing_total_parse_time{@})", "all files, last pass")
            .query(
                "max(airflow_dag_processing_last_duration{@,quantile=\"0.99\"})",
                "slowest file, p99",
            )
            .about("A file that takes long delays all others.")
            .wide(8, 8),
        time_series("Files waiting for the DAG processor", "short")
            .query("sum(airflow_dag_processing_file_path_queue_size{@})", "files")
            .about("Should go back to zero between passes.")
            .wide(8, 8),
    ]
}
