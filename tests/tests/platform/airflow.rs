//! What Airflow suffers from, done to the platform's: files it cannot read, tasks that fail, a database
//! that keeps it waiting, no room for its tasks.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{
    harm,
    provoke::{self, Fear, as_well, lasting, passing},
    stack::{self, PROMETHEUS, container},
};

/// One after the other: of tasks that wait for one thing nobody knows whether they wait for another.
///
/// The last two names are sent as Airflow would send them. It gives up on tasks after five minutes at
/// the earliest.
const LISTS: [&[Fear]; 4] = [
    &[
        lasting("AirflowSchedulerLoopSlow", lock_the_runs, harm::end_sessions),
        as_well("AirflowScheduleDelayHigh"),
    ],
    &[lasting("AirflowTasksStarving", leave_one_slot, give_slots_back)],
    &[lasting("AirflowExecutorSaturated", start_many_runs, start_few_runs)],
    &[
        lasting("AirflowImportErrors", add_bad_files, remove_bad_files),
        as_well("AirflowDagParsingSlow"),
        lasting("AirflowTaskFailureRatioHigh", forbid_the_lake, allow_the_lake),
        passing("AirflowTasksKilledExternally", send_killed),
        passing("AirflowTasksWithoutHeartbeat", send_without_heartbeat),
    ],
];

pub(crate) fn what_airflow_suffers_from_alerts_and_resolves() -> Result<()> {
    LISTS.iter().try_for_each(|fears| provoke::provoke_and_undo(PROMETHEUS, fears))
}

const PROCESSOR: &str = "airflow-dag-processor";

/// One that fails, and four that take long together: Airflow gives up on one after 30 seconds, and reads
/// none again within 30. It reads no file that does not name it and a DAG.
const BAD_FILES: [(&str, &str); 5] = [
    ("e2e_broken.py", "\"\"\"No DAG of Airflow.\"\"\"\nraise RuntimeError(\"e2e\")\n"),
    ("e2e_slow_1.py", SLOW),
    ("e2e_slow_2.py", SLOW),
    ("e2e_slow_3.py", SLOW),
    ("e2e_slow_4.py", SLOW),
];

const SLOW: &str = "\"\"\"No DAG of Airflow.\"\"\"\nimport time\n\ntime.sleep(25)\n";

/// Where they stand on this machine.
fn bad_files() -> Result<Vec<(PathBuf, &'static str)>> {
    let folder =
        r#"{{range .Mounts}}{{if eq .Destination "/opt/airflow/dags"}}{{.Source}}{{end}}{{end}}"#;
    let folder = PathBuf::from(stack::inspect(PROCESSOR, folder)?);
    Ok(BAD_FILES.into_iter().map(|(name, text)| (folder.join(name), text)).collect())
}

/// It looks for new files every five minutes, and when it starts.
fn add_bad_files() -> Result<()> {
    let files = bad_files()?;
    if files.iter().all(|(path, _)| path.exists()) {
        return Ok(());
    }
    for (path, text) in files {
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    restart_the_processor()
}

fn remove_bad_files() -> Result<()> {
    for (path, _) in bad_files()? {
        if path.exists() {
            fs::remove_file(path)?;
        }
    }
    restart_the_processor()
}

fn restart_the_processor() -> Result<()> {
    stack::docker(&["restart", "--time", "5", &container(PROCESSOR)]).map(drop)
}

/// With which nearly every task works.
fn forbid_the_lake() -> Result<()> {
    stack::sql("postgres", "ALTER ROLE lake NOLOGIN").map(drop)
}

fn allow_the_lake() -> Result<()> {
    stack::sql("postgres", "ALTER ROLE lake LOGIN").map(drop)
}

fn send_killed() -> Result<()> {
    harm::send("s.sendto(b'airflow.scheduler.tasks.killed_externally:1|c', to)")
}

fn send_without_heartbeat() -> Result<()> {
    harm::send("s.sendto(b'airflow.task_instances_without_heartbeats_killed:1|c', to)")
}

/// Twenty seconds at a time, until the session is ended: a round of the scheduler asks about runs several
/// times, and waits each time.
fn lock_the_runs() -> Result<()> {
    let held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'e2e'";
    if stack::sql("postgres", held)? != "0" {
        return Ok(());
    }
    let lock = "BEGIN; LOCK TABLE dag_run IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(20); COMMIT";
    harm::beside_postgres(&format!(
        "while psql -Xq -v ON_ERROR_STOP=1 -U postgres -d airflow -c '{lock}'; do :; done"
    ))
}

/// Of 128. The task that has it waits for a worker, and the others for the slot.
fn leave_one_slot() -> Result<()> {
    slots(1)?;
    harm::pause_the_worker()
}

fn give_slots_back() -> Result<()> {
    let given = slots(128);
    harm::start_the_worker().and(given)
}

fn slots(count: u32) -> Result<()> {
    stack::sql("airflow", &format!("UPDATE slot_pool SET slots = {count}")).map(drop)
}

/// Four tasks fill it. The limit of runs is what the DAG processor reads in a DAG's file, again and again.
fn start_many_runs() -> Result<()> {
    harm::pause_the_processor()?;
    runs(16)?;
    harm::pause_the_worker()
}

fn start_few_runs() -> Result<()> {
    let started = runs(1).and(harm::start_the_processor());
    harm::start_the_worker().and(started)
}

fn runs(most: u32) -> Result<()> {
    stack::sql("airflow", &format!("UPDATE dag SET max_active_runs = {most}")).map(drop)
}
