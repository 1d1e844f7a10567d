//! Real servers, each in a container of its own.
//!
//! Images come from `POSTGRES_TEST_IMAGE`, `PGBOUNCER_TEST_IMAGE`, `VALKEY_TEST_IMAGE` and
//! `SEAWEEDFS_TEST_IMAGE`.

use std::{
    env, fmt,
    future::Future,
    net::{SocketAddr, TcpListener},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use testcontainers::{
    ContainerAsync, GenericImage, ImageExt as _,
    core::{ExecCommand, IntoContainerPort as _, Mount, WaitFor},
    runners::AsyncRunner as _,
};
use tokio_postgres::{Client, NoTls};

use crate::{Exporter, repository};

/// Percent-encoded in a DSN: `mon:it/or@1`.
pub const MONITOR_PASSWORD: &str = "mon:it/or@1";
/// The same, encoded.
pub const MONITOR_PASSWORD_ENCODED: &str = "mon%3Ait%2For%401";
/// The `maxmemory` of a [`Valkey`].
pub const VALKEY_MAXMEMORY_BYTES: f64 = 64.0 * 1024.0 * 1024.0;

/// The image of PostgreSQL where the environment names none.
const POSTGRES: &str = "postgres:18.6";

/// What is different about a [`Postgres`].
#[derive(Debug, Default)]
pub struct Setup<'a> {
    /// Arguments of the server: `-c`, `name=value`.
    pub arguments: &'a [&'a str],
    /// A shell's script, run as root in the place of the server, which it has to start by
    /// `docker-entrypoint.sh postgres "$@"`.
    pub script: Option<&'a str>,
    /// Variables of the container.
    pub environment: &'a [(&'a str, &'a str)],
    /// Files in it, which everybody may read.
    pub files: Vec<(&'a str, Vec<u8>)>,
    /// Further mounts.
    pub mounts: Vec<Mount>,
    /// Another image.
    pub image: Option<&'a str>,
}

/// A PostgreSQL server set up as the platform's: the same scripts, the same role for the exporter.
pub struct Postgres {
    /// Its container, which ends with this handle.
    pub container: ContainerAsync<GenericImage>,
    /// Its port on the loopback address.
    pub port: u16,
}

impl Postgres {
    /// Starts a server and waits until it serves.
    ///
    /// # Errors
    ///
    /// There is no engine, no image, or no answer within a minute.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// As [`start`](Self::start), with arguments of the server: `-c`, `name=value`.
    ///
    /// # Errors
    ///
    /// There is no engine, no image, or no answer within a minute.
    pub async fn start_with(arguments: &[&str]) -> Result<Self> {
        Self::start_as(Setup { arguments, ..Setup::default() }).await
    }

    /// As [`start`](Self::start), with what `setup` says.
    ///
    /// # Errors
    ///
    /// There is no engine, no image, or no answer within a minute.
    pub async fn start_as(setup: Setup<'_>) -> Result<Self> {
        let port = free_port()?;
        let scripts = repository().join("deploy/postgres/init");
        let mount = Mount::bind_mount(scripts.to_string_lossy(), "/docker-entrypoint-initdb.d");
        let program = match setup.script {
            Some(script) => vec!["bash", "-c", script, "postgres"],
            None => vec!["postgres"],
        };
        let image = setup.image.map_or_else(|| image("POSTGRES_TEST_IMAGE", POSTGRES), named);
        let mut request = image
            .with_wait_for(WaitFor::Nothing)
            .with_mapped_port(port, 5432.tcp())
            .with_mount(mount)
            .with_env_var("POSTGRES_USER", "postgres")
            .with_env_var("POSTGRES_PASSWORD", "owner")
            .with_env_var("POSTGRES_DB", "lakehouse")
            .with_env_var("AIRFLOW_DB_PASSWORD", "airflow")
            .with_env_var("LAKE_DB_PASSWORD", "lake")
            .with_env_var("MONITOR_DB_PASSWORD", MONITOR_PASSWORD)
            .with_cmd(program.iter().chain(setup.arguments).copied())
            .with_startup_timeout(Duration::from_mins(2));
        for (name, value) in setup.environment {
            request = request.with_env_var(*name, *value);
        }
        for (path, content) in setup.files {
            request = request.with_copy_to(path, content);
        }
        for mount in setup.mounts {
            request = request.with_mount(mount);
        }
        let server = Self { container: request.start().await?, port };
        soon("PostgreSQL serves", || async { server.client().await.map(drop) }).await?;
        Ok(server)
    }

    /// Runs a shell's script in its container, as root.
    ///
    /// # Errors
    ///
    /// It fails; the error has what it wrote.
    pub async fn run(&self, script: &str, arguments: &[&str]) -> Result<String> {
        let command = ["bash", "-c", script, "script"];
        let command = command.into_iter().chain(arguments.iter().copied());
        let mut result = self.container.exec(ExecCommand::new(command)).await?;
        let out = String::from_utf8_lossy(&result.stdout_to_vec().await?).into_owned();
        let errors = result.stderr_to_vec().await?;
        let code = result.exit_code().await?;
        ensure!(code == Some(0), "{code:?}: {out}{}", String::from_utf8_lossy(&errors));
        Ok(out)
    }

    /// A session of the owner.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub async fn client(&self) -> Result<Client> {
        let dsn = format!(
            "host=127.0.0.1 port={} user=postgres password=owner dbname=lakehouse connect_timeout=2",
            self.port
        );
        let (client, connection) = tokio_postgres::connect(&dsn, NoTls).await?;
        tokio::spawn(connection);
        client.simple_query("SELECT 1").await?;
        Ok(client)
    }

    /// A standby of the server, with a slot called `standby` and arguments of its own.
    ///
    /// # Errors
    ///
    /// There is no engine, no image, or no answer within a minute.
    pub async fn standby(&self, arguments: &[&str]) -> Result<Self> {
        let owner = self.client().await?;
        owner
            .batch_execute(
                "COPY (SELECT 'host replication all all trust') TO PROGRAM 'cat >> \"$PGDATA/pg_hba.conf\"'",
            )
            .await?;
        owner.batch_execute("SELECT pg_reload_conf()").await?;
        let port = free_port()?;
        let address = owner.query_one("SELECT host(inet_server_addr())", &[]).await?;
        let primary: String = address.get(0);
        let arguments = arguments.join(" ");
        let script = format!(
            "mkdir -p /standby && chown postgres:postgres /standby && chmod 700 /standby && \
             exec setpriv --reuid postgres --regid postgres --init-groups sh -c \
             'pg_basebackup -h {primary} -U postgres -D /standby -R -C -S standby -c fast && \
              exec postgres -D /standby {arguments}'"
        );
        let container = image("POSTGRES_TEST_IMAGE", POSTGRES)
            .with_wait_for(WaitFor::Nothing)
            .with_mapped_port(port, 5432.tcp())
            .with_cmd(["bash", "-c", &script])
            .with_startup_timeout(Duration::from_mins(2))
            .start()
            .await?;
        let server = Self { container, port };
        soon("the standby serves", || async { server.client().await.map(drop) }).await?;
        Ok(server)
    }

    /// How an exporter reaches the server, as the role which may read statistics.
    #[must_use]
    pub fn dsn(&self) -> String {
        format!(
            "postgresql://monitor:{MONITOR_PASSWORD_ENCODED}@127.0.0.1:{}/lakehouse?sslmode=disable",
            self.port
        )
    }

    /// An exporter which watches the server.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn exporter(&self, args: &[&str]) -> Result<Exporter> {
        Exporter::start("postgres-exporter", args, &[("DATA_SOURCE_NAME", &self.dsn())])
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("port", &self.port).finish_non_exhaustive()
    }
}

/// A `PgBouncer` before a [`Postgres`], in transaction mode, in the network of this machine.
pub struct PgBouncer {
    /// Its container, which ends with this handle.
    pub container: ContainerAsync<GenericImage>,
    /// Its port on the loopback address.
    pub port: u16,
}

impl PgBouncer {
    /// Starts it with pools of `pool_size` connections and waits until it listens. It knows the role of
    /// the exporter, and `watch` (password `watch`), which may ask its console.
    ///
    /// # Errors
    ///
    /// There is no engine, no image, or it refuses its configuration.
    pub async fn start(server: &Postgres, pool_size: u32) -> Result<Self> {
        let port = free_port()?;
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\n\
             auth_file = /etc/pgbouncer/userlist.txt\npool_mode = transaction\n\
             default_pool_size = {pool_size}\nserver_login_retry = 1\nstats_users = watch\n",
            server.port
        );
        let users = format!("\"monitor\" \"{MONITOR_PASSWORD}\"\n\"watch\" \"watch\"\n");
        let container = image("PGBOUNCER_TEST_IMAGE", "edoburu/pgbouncer:v1.24.1-p1")
            .with_wait_for(WaitFor::Nothing)
            .with_network("host")
            .with_copy_to("/etc/pgbouncer/pgbouncer.ini", settings.into_bytes())
            .with_copy_to("/etc/pgbouncer/userlist.txt", users.into_bytes())
            .start()
            .await?;
        let pooler = Self { container, port };
        soon("PgBouncer serves", || async { pooler.client().await.map(drop) }).await?;
        Ok(pooler)
    }

    /// How an exporter reaches the server through it.
    #[must_use]
    pub fn dsn(&self) -> String {
        format!(
            "postgresql://monitor:{MONITOR_PASSWORD_ENCODED}@127.0.0.1:{}/lakehouse?sslmode=disable",
            self.port
        )
    }

    /// How an exporter reaches its console.
    #[must_use]
    pub fn console_dsn(&self) -> String {
        format!("postgresql://watch:watch@127.0.0.1:{}/pgbouncer?sslmode=disable", self.port)
    }

    /// A session of the exporter's role through it.
    ///
    /// # Errors
    ///
    /// It, or the server behind it, does not answer.
    pub async fn client(&self) -> Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.dsn(), NoTls).await?;
        tokio::spawn(connection);
        client.simple_query("SELECT 1").await?;
        Ok(client)
    }
}

impl fmt::Debug for PgBouncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgBouncer").field("port", &self.port).finish_non_exhaustive()
    }
}

/// A Valkey server with a memory limit.
pub struct Valkey {
    /// Its container, which ends with this handle.
    pub container: ContainerAsync<GenericImage>,
    /// Its port on the loopback address.
    pub port: u16,
}

impl Valkey {
    /// Starts a server and waits until it serves.
    ///
    /// # Errors
    ///
    /// There is no engine, no image, or no answer within a minute.
    pub async fn start() -> Result<Self> {
        let port = free_port()?;
        let container = image("VALKEY_TEST_IMAGE", "valkey/valkey:9.1.3-alpine")
            .with_wait_for(WaitFor::Nothing)
            .with_mapped_port(port, 6379.tcp())
            .with_cmd(["valkey-server", "--maxmemory", "64mb", "--protected-mode", "no"])
            .start()
            .await?;
        let server = Self { container, port };
        soon("Valkey serves", || async {
            let mut connection = server.connect().await?;
            Ok(redis::cmd("PING").exec_async(&mut connection).await?)
        })
        .await?;
        Ok(server)
    }

    /// Starts a server in the network of this machine, on a free port of the loopback address, with
    /// `folder` as `/shared` and these flags beside; a file of settings stands in front of them.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(folder: &Path, flags: &[&str]) -> Result<Self> {
        let port = free_port()?;
        let own = port.to_string();
        let (file, flags) = match flags.split_first() {
            Some((file, flags)) if !file.starts_with('-') => (Some(*file), flags),
            _ => (None, flags),
        };
        let fixed = ["--bind", "127.0.0.1", "--port", own.as_str()];
        let line = ["valkey-server"].into_iter().chain(file).chain(fixed);
        let container = image("VALKEY_TEST_IMAGE", "valkey/valkey:9.1.3-alpine")
            .with_wait_for(WaitFor::Nothing)
            .with_network("host")
            .with_mount(Mount::bind_mount(folder.to_string_lossy(), "/shared"))
            .with_cmd(line.chain(flags.iter().copied()))
            .start()
            .await?;
        let server = Self { container, port };
        soon("Valkey listens", || async {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
            Ok(())
        })
        .await?;
        Ok(server)
    }

    /// A connection of its own.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub async fn connect(&self) -> Result<redis::aio::MultiplexedConnection> {
        let client = redis::Client::open(self.address())?;
        Ok(client.get_multiplexed_async_connection().await?)
    }

    /// How an exporter reaches the server.
    #[must_use]
    pub fn address(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// An exporter which watches the server.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn exporter(&self, args: &[&str]) -> Result<Exporter> {
        Exporter::start("valkey-exporter", args, &[("REDIS_ADDR", &self.address())])
    }
}

impl fmt::Debug for Valkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Valkey").field("port", &self.port).finish_non_exhaustive()
    }
}

/// A SeaweedFS server with all roles in one process.
pub struct Seaweedfs {
    /// Its container, which ends with this handle.
    pub container: ContainerAsync<GenericImage>,
    /// Where the filer takes files.
    pub filer: String,
    /// Where the metrics of all roles are.
    pub metrics: String,
}

impl Seaweedfs {
    /// Starts a server; the filer takes some seconds more.
    ///
    /// # Errors
    ///
    /// There is no engine or no image.
    pub async fn start() -> Result<Self> {
        let (metrics, filer) = (free_port()?, free_port()?);
        let container = image("SEAWEEDFS_TEST_IMAGE", "chrislusf/seaweedfs:4.44")
            .with_wait_for(WaitFor::Nothing)
            .with_mapped_port(metrics, 9324.tcp())
            .with_mapped_port(filer, 8888.tcp())
            .with_cmd([
                "server",
                "-ip=127.0.0.1",
                "-ip.bind=0.0.0.0",
                "-dir=/data",
                "-filer",
                "-metricsPort=9324",
                "-volume.max=7",
                "-master.volumeSizeLimitMB=32",
                "-master.volumePreallocate=false",
                "-master.defaultReplication=000",
            ])
            .start()
            .await?;
        let address = |port: u16| format!("http://127.0.0.1:{port}");
        Ok(Self { container, filer: address(filer), metrics: address(metrics) })
    }
}

impl fmt::Debug for Seaweedfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seaweedfs").field("filer", &self.filer).finish_non_exhaustive()
    }
}

/// A Prometheus in the network of this machine, so that it reaches what listens on loopback.
pub struct Prometheus {
    /// Its container, which ends with this handle.
    pub container: ContainerAsync<GenericImage>,
    /// Where it answers queries.
    pub address: String,
}

impl Prometheus {
    /// Starts the image named by `variable` with a configuration and waits until it is ready.
    ///
    /// # Errors
    ///
    /// There is no engine, no image, or it refuses its configuration.
    pub async fn start(
        variable: &str,
        default: &str,
        config: &Path,
        flags: &[&str],
    ) -> Result<Self> {
        let port = free_port()?;
        let listen = format!("--web.listen-address=127.0.0.1:{port}");
        let fixed = [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            listen.as_str(),
        ];
        let mount = Mount::bind_mount(config.to_string_lossy(), "/etc/prometheus/prometheus.yml");
        let container = image(variable, default)
            .with_wait_for(WaitFor::Nothing)
            .with_network("host")
            .with_mount(mount)
            .with_cmd(fixed.iter().chain(flags).copied())
            .start()
            .await?;
        let server = Self { container, address: format!("http://127.0.0.1:{port}") };
        soon("Prometheus is ready", || async {
            let status = crate::get(&format!("{}/-/ready", server.address))?.status;
            anyhow::ensure!(status == 200, "{status}");
            Ok(())
        })
        .await?;
        Ok(server)
    }
}

impl fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prometheus").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Our own image of statsd-exporter with no more memory than a small container has, in the network of
/// this machine.
pub struct Statsd {
    /// Its container, which ends with this handle.
    pub container: ContainerAsync<GenericImage>,
    /// Where its pages are.
    pub address: String,
    /// Where it listens for datagrams.
    pub udp: SocketAddr,
}

impl Statsd {
    /// Starts the image that `deploy/images/build` makes, within `memory_bytes`.
    ///
    /// # Errors
    ///
    /// There is no engine, or no image.
    pub async fn start(memory_bytes: i64) -> Result<Self> {
        let (port, udp) = (free_port()?, SocketAddr::from(([127, 0, 0, 1], free_port()?)));
        let container = image("STATSD_EXPORTER_TEST_IMAGE", "lakehouse/statsd-exporter:dev")
            .with_wait_for(WaitFor::Nothing)
            .with_network("host")
            .with_host_config_modifier(move |host| {
                host.memory = Some(memory_bytes);
                host.memory_swap = Some(memory_bytes);
            })
            .with_cmd([
                format!("--web.listen-address=127.0.0.1:{port}"),
                format!("--statsd.listen-udp={udp}"),
                "--statsd.listen-tcp=".to_owned(),
            ])
            .start()
            .await?;
        let server = Self { container, address: format!("http://127.0.0.1:{port}"), udp };
        soon("statsd-exporter is ready", || async {
            let status = crate::get(&format!("{}/-/ready", server.address))?.status;
            anyhow::ensure!(status == 200, "{status}");
            Ok(())
        })
        .await?;
        Ok(server)
    }
}

impl fmt::Debug for Statsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statsd").field("address", &self.address).finish_non_exhaustive()
    }
}

fn image(variable: &str, default: &str) -> GenericImage {
    named(&env::var(variable).unwrap_or_else(|_unset| default.to_owned()))
}

fn named(name: &str) -> GenericImage {
    let (name, tag) = name.rsplit_once(':').unwrap_or((name, "latest"));
    GenericImage::new(name, tag)
}

/// A port which stays the same when a container is stopped and started again.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Tries an asynchronous `attempt` for a minute.
#[expect(clippy::disallowed_methods, reason = "tests wait for other programs")]
async fn soon<F: Future<Output = Result<()>>>(what: &str, attempt: impl Fn() -> F) -> Result<()> {
    let start = Instant::now();
    loop {
        match attempt().await {
            Ok(()) => return Ok(()),
            Err(error) if start.elapsed() > Duration::from_mins(1) => {
                return Err(error.context(what.to_owned()));
            }
            Err(_not_yet) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}
