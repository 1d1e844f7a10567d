//! What is feared of SeaweedFS and cannot be done to the platform's, which is one of everything: three
//! masters, two volume servers and a filer beside it, in a network of their own that can be cut.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::eventually_within;

use crate::{
    beside::{self, Beside, at, host},
    harm,
    provoke::{self, Fear, lasting, passing},
    stack::{self, PREFIX},
    storage::ADDRESS,
};

/// A leader is elected within some seconds, and a volume server takes as long to find it.
const LIMIT: Duration = Duration::from_mins(2);

const MASTERS: [&str; 3] = ["master-1", "master-2", "master-3"];
const MASTER_LIST: &str = "master-1:9333,master-2:9333,master-3:9333";

/// How full a disk is says a volume server once a minute.
const SHORTER: &[(&str, &str)] = &[("[6h]", "[3m]"), ("[15m]", "[2m]")];

/// One after the other: there is one leader at a time, or two, or none. A volume that was read-only counts
/// as one that lacks a copy for as long as its master leads.
const LISTS: [&[Fear]; 5] = [
    &[
        lasting("SeaweedFSUnderReplicated", stop_a_volume_server, start_the_volume_server),
        passing("SeaweedFSS3ErrorsHigh", write_in_vain),
    ],
    &[
        lasting("SeaweedFSVolumesReadOnly", mark_read_only, mark_writable),
        lasting("SeaweedFSDiskFillsUp", fill_most_of_the_disk, free_the_disk),
        lasting("SeaweedFSVolumeSlotsExhausted", grow, shrink),
        passing("SeaweedFSVolumeServerSlow", write_slowly),
    ],
    &[passing("SeaweedFSLeaderFlapping", elect_again_and_again)],
    &[lasting("SeaweedFSMultipleLeaders", cut_off_the_leader, let_it_come_back)],
    &[lasting("SeaweedFSMasterNoLeader", stop_most_masters, start_all_masters)],
];

/// The masters' own network, and what is on it.
struct Cluster {
    servers: Beside,
    _network: Network,
}

/// A network which ends with its handle, once nobody is on it.
struct Network;

impl Network {
    fn name() -> String {
        format!("{PREFIX}-beside")
    }

    fn create() -> Result<Self> {
        // What an interrupted run may have left.
        drop(Self);
        stack::docker(&["network", "create", &Self::name()])?;
        Ok(Self)
    }

    /// Has a server answer to `name` on it.
    fn join(name: &str) -> Result<()> {
        stack::docker(&["network", "connect", "--alias", name, &Self::name(), &host(name)])
            .map(drop)
    }

    fn leave(name: &str) -> Result<()> {
        stack::docker(&["network", "disconnect", &Self::name(), &host(name)]).map(drop)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // One that is gone already needs no removal.
        let _removed = stack::docker(&["network", "rm", &Self::name()]);
    }
}

impl Cluster {
    fn start() -> Result<Self> {
        let mut own = Self { _network: Network::create()?, servers: Beside::new()? };
        for name in MASTERS {
            own.run(
                name,
                &[],
                &format!(
                    "master -ip={name} -peers={MASTER_LIST} -metricsPort=9324 -electionTimeout=2s \
                     -volumePreallocate=false -volumeSizeLimitMB=32 -defaultReplication=001"
                ),
            )?;
        }
        for (name, disk) in [("volume-1", "/data:size=100m,mode=1777"), ("volume-2", "/nothing")] {
            own.run(
                name,
                &["--tmpfs", disk],
                &format!(
                    "volume -ip={name} -port=8080 -mserver={MASTER_LIST} -dir=/data -max=7 \
                     -metricsPort=9325 -preStopSeconds=1"
                ),
            )?;
        }
        own.run(
            "filer",
            &["--env", "WEED_LEVELDB2_ENABLED=true", "--env", "WEED_LEVELDB2_DIR=/data/filer"],
            &format!("filer -ip=filer -master={MASTER_LIST} -metricsPort=9326 -s3"),
        )?;
        eventually_within(LIMIT, "there are volumes", || {
            let answer = ask_a_master("dir/assign")?;
            ensure!(answer.contains("fid"), "{answer}");
            Ok(())
        })?;
        let volumes = ["volume-1", "volume-2"].map(|name| at(name, 9325));
        own.servers.watch(
            &["seaweedfs"],
            SHORTER,
            &[
                ("seaweedfs-master", &MASTERS.map(|name| at(name, 9324))),
                ("seaweedfs-volume", &volumes),
                ("seaweedfs-filer", &[at("filer", 9326)]),
            ],
        )?;
        Ok(own)
    }

    fn run(&mut self, name: &str, options: &[&str], command: &str) -> Result<()> {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        arguments.push("-ip.bind=0.0.0.0");
        self.servers.run("seaweedfs-master", name, options, &arguments)?;
        Network::join(name)
    }
}

pub(crate) fn what_a_larger_seaweedfs_fears_alerts_and_resolves() -> Result<()> {
    let _cluster = Cluster::start()?;
    LISTS.iter().try_for_each(|fears| provoke::provoke_and_undo(ADDRESS, fears))
}

/// Any of them that runs asks the leader.
fn ask_a_master(path: &str) -> Result<String> {
    let address = format!("http://127.0.0.1:9333/{path}");
    beside::exec(MASTERS[0], &["wget", "-q", "-O", "-", &address])
}

fn leads(name: &str) -> bool {
    let status = "http://127.0.0.1:9333/cluster/status";
    beside::exec(name, &["wget", "-q", "-T", "2", "-O", "-", status])
        .is_ok_and(|status| status.contains(r#""IsLeader":true"#))
}

/// Who says that it leads, by its page; whoever is asked by somebody else says so in its metrics too.
fn leaders() -> Vec<&'static str> {
    MASTERS.into_iter().filter(|name| leads(name)).collect()
}

/// Who leads and is not that one.
fn leader_beside(other: &str) -> Result<&'static str> {
    eventually_within(LIMIT, "somebody leads", || {
        leaders().into_iter().find(|name| *name != other).context("nobody")
    })
}

/// Runs commands of SeaweedFS' own shell, against these masters.
fn shell(masters: &str, commands: &[&str]) -> Result<String> {
    let commands = commands.join("; sleep 1; echo ");
    let script =
        format!("(echo {commands}; sleep 1) | weed shell -master={masters} -filer=filer:8888 2>&1");
    beside::exec("filer", &["sh", "-c", &script])
}

fn mark(how: &str) -> Result<()> {
    let mark = format!("volume.mark -node volume-1:8080 -volumeId 1 {how}");
    let said = shell(MASTER_LIST, &["lock", &mark, "unlock"])?;
    ensure!(!said.contains("error"), "{said}");
    Ok(())
}

fn mark_read_only() -> Result<()> {
    mark("-readonly")
}

fn mark_writable() -> Result<()> {
    mark("-writable")
}

/// To three quarters of what `Cluster::start` gives it, which is far from being full.
fn fill_most_of_the_disk() -> Result<()> {
    let fill = ["dd", "if=/dev/zero", "of=/data/e2e-filler", "bs=1000000", "count=78"];
    beside::exec("volume-1", &fill).map(drop)
}

fn free_the_disk() -> Result<()> {
    beside::exec("volume-1", &["rm", "-f", "/data/e2e-filler"]).map(drop)
}

/// The seventh volume of seven.
fn grow() -> Result<()> {
    if !shell(MASTER_LIST, &["collection.list"])?.contains("e2e-full") {
        ask_a_master("vol/grow?count=1&collection=e2e-full&replication=001")?;
    }
    Ok(())
}

fn shrink() -> Result<()> {
    ask_a_master("col/delete?collection=e2e-full").map(drop)
}

/// A request takes as long as its sender does.
fn write_slowly() -> Result<()> {
    harm::python(&format!(
        "import socket, threading, time\n\
         def write():\n \
         s = socket.create_connection(('{}', 8080))\n \
         s.sendall(b'POST /2,01637037d6 HTTP/1.1\\r\\nHost: e2e\\r\\nContent-Length: 2\\r\\n\\r\\nx')\n \
         time.sleep(3); s.sendall(b'x'); s.recv(1)\n\
         for _ in range(5): threading.Thread(target=write).start()",
        host("volume-1")
    ))
}

fn stop_a_volume_server() -> Result<()> {
    stop("volume-2")
}

fn start_the_volume_server() -> Result<()> {
    start("volume-2")
}

fn stop(name: &str) -> Result<()> {
    stack::docker(&["stop", "--time", "2", &host(name)]).map(drop)
}

fn start(name: &str) -> Result<()> {
    stack::docker(&["start", &host(name)]).map(drop)
}

/// Objects with a second copy, for which there is no place. Each is tried for ten seconds.
fn write_in_vain() -> Result<()> {
    harm::python(&format!(
        "import threading, urllib.request\n\
         def write(name):\n \
         to = urllib.request.Request('http://{}:8333/e2e' + name, b'x' * 100, method='PUT')\n \
         try: urllib.request.urlopen(to, timeout=30)\n \
         except OSError: pass\n\
         write('')\n\
         for i in range(30): threading.Thread(target=write, args=('/%d' % i,)).start()",
        host("filer")
    ))
}

/// Whoever leads stands still for longer than the others wait.
fn elect_again_and_again() -> Result<()> {
    for _ in 0..7 {
        let leader = leader_beside("")?;
        harm::pause(&format!("{}-{leader}", beside::BESIDE))?;
        let next = leader_beside(leader);
        harm::unpause(&format!("{}-{leader}", beside::BESIDE))?;
        next?;
    }
    Ok(())
}

/// It goes on to say that it leads, since nobody tells it otherwise. The other one says so once somebody
/// has asked it.
fn cut_off_the_leader() -> Result<()> {
    if let [leader] = leaders()[..] {
        Network::leave(leader)?;
    }
    eventually_within(LIMIT, "two lead", || {
        ensure!(leaders().len() == 2, "{:?}", leaders());
        Ok(())
    })?;
    shell(MASTER_LIST, &["cluster.ps"]).map(drop)
}

fn let_it_come_back() -> Result<()> {
    for name in MASTERS {
        // One that is on it already is an error.
        let _joined = Network::join(name);
    }
    eventually_within(LIMIT, "one leads", || {
        ensure!(leaders().len() == 1, "{:?}", leaders());
        Ok(())
    })?;
    shell(MASTER_LIST, &["cluster.ps"]).map(drop)
}

/// The leader and one more: a leader that is alone would go on to say that it leads.
fn stop_most_masters() -> Result<()> {
    let Some(leader) = leaders().into_iter().next() else { return Ok(()) };
    let other = MASTERS.into_iter().find(|name| *name != leader).context("another one")?;
    stop(leader)?;
    stop(other)
}

fn start_all_masters() -> Result<()> {
    MASTERS.into_iter().try_for_each(start)?;
    leader_beside("")?;
    shell(MASTER_LIST, &["cluster.ps"]).map(drop)
}
