//! Finding servers: the nodes of a cluster, what a Sentinel watches, the replicas of a primary; as
//! `redis_exporter` answers, and as Prometheus' HTTP service discovery wants it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{RawQuery, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use metrics_server::http::{Query, text};
use redis::Value;
use serde_json::{Value as Json, json};

use crate::{
    address::{Address, Place},
    cluster_nodes::{self, ClusterNode},
    command::{self, Answers, Command, Failure, items},
    info::{self, Info},
    node::Node,
    scrape,
    targets::Targets,
};

/// What discovery needs to know.
pub(crate) struct Discovery {
    /// The server of `--redis.addr`.
    pub(crate) own: Option<Arc<Node>>,
    /// Who may be asked for by `target=`; `None` where only our own server is asked.
    pub(crate) targets: Option<Arc<Targets>>,
    /// `--is-cluster`.
    pub(crate) is_cluster: bool,
    /// `--cluster-discover-hostnames`.
    pub(crate) hostnames: bool,
    /// Longest time for an answer.
    pub(crate) time_limit: Duration,
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").field("own", &self.own).finish_non_exhaustive()
    }
}

/// `/discover-cluster-nodes` and `/discover`.
pub(crate) fn routes(discovery: Discovery) -> Router {
    Router::new()
        .route("/discover-cluster-nodes", get(discover_cluster_nodes))
        .route("/discover", get(discover))
        .with_state(Arc::new(discovery))
}

/// All nodes in one group, failed ones too, as `redis_exporter` does.
async fn discover_cluster_nodes(
    State(discovery): State<Arc<Discovery>>,
    RawQuery(query): RawQuery,
) -> Response {
    if !discovery.is_cluster {
        return text(
            StatusCode::BAD_REQUEST,
            "The discovery endpoint is only available on a redis cluster: see --is-cluster\n",
        );
    }
    let found = discovery.nodes(query.as_deref().unwrap_or_default()).await;
    found.map_or_else(Problem::into_response, |(node, answer, _zones)| {
        let tls = node.address().tls;
        let targets: Vec<_> = cluster_nodes::parse(&answer)
            .iter()
            .map(|node| node.address(discovery.hostnames, tls).to_target())
            .collect();
        json_response(&json!([{ "targets": targets, "labels": {} }]))
    })
}

/// A group for each server, with what is known of it in labels for relabelling.
async fn discover(State(discovery): State<Arc<Discovery>>, RawQuery(query): RawQuery) -> Response {
    let groups = discovery.groups(query.as_deref().unwrap_or_default()).await;
    groups.map_or_else(Problem::into_response, |groups| {
        let groups: Vec<_> = groups.iter().map(Group::to_json).collect();
        json_response(&Json::Array(groups))
    })
}

fn json_response(value: &Json) -> Response {
    let json = HeaderValue::from_static("application/json");
    (StatusCode::OK, [(header::CONTENT_TYPE, json)], value.to_string()).into_response()
}

/// Why there is no answer.
#[derive(Debug)]
struct Problem(StatusCode, String);

impl Problem {
    fn into_response(self) -> Response {
        text(self.0, format!("{}\n", self.1))
    }

    fn of(failure: &Failure) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, failure.to_string())
    }
}

/// One server and what is known of it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Group {
    address: Address,
    labels: BTreeMap<&'static str, String>,
}

impl Group {
    fn new(address: Address, role: &str) -> Self {
        Self { address, labels: BTreeMap::new() }.with("role", role)
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.labels.insert(name, value.to_owned());
        self
    }

    fn to_json(&self) -> Json {
        let labels: serde_json::Map<_, _> = self
            .labels
            .iter()
            .map(|(name, value)| (format!("__meta_valkey_{name}"), Json::from(value.as_str())))
            .collect();
        json!({ "targets": [self.address.to_target()], "labels": labels })
    }
}

impl Discovery {
    fn node(&self, query: &str) -> Result<Arc<Node>, Problem> {
        let query = Query::parse(query);
        let named = query.get("target").is_some_and(|target| !target.is_empty());
        match (&self.targets, &self.own) {
            (Some(targets), _) if named => targets
                .node(&query)
                .map(Arc::new)
                .map_err(|refused| Problem(refused.status, refused.message)),
            (_, Some(own)) if !named => Ok(Arc::clone(own)),
            (None, _) if named => {
                Err(Problem(StatusCode::FORBIDDEN, "only our own server is asked".to_owned()))
            }
            _ => Err(Problem(
                StatusCode::BAD_REQUEST,
                "'target' parameter must be specified".to_owned(),
            )),
        }
    }

    async fn ask(&self, node: &Node, commands: Vec<Command>) -> Result<Answers, Problem> {
        #[expect(clippy::disallowed_methods, reason = "an answer has a time limit")]
        let deadline = std::time::Instant::now() + self.time_limit;
        scrape::ask_once(node, commands, deadline).await.map_err(|failure| Problem::of(&failure))
    }

    /// Who was asked, the text of `CLUSTER NODES`, and the zones that `CLUSTER SHARDS` tells.
    async fn nodes(&self, query: &str) -> Result<(Arc<Node>, String, Zones), Problem> {
        let node = self.node(query)?;
        let [nodes, shards] = ["CLUSTER NODES", "CLUSTER SHARDS"].map(Command::new);
        let answers = self.ask(&node, vec![nodes.clone(), shards.clone()]).await?;
        let zones = answers.get(&shards).map(zones).unwrap_or_default();
        match answers.text(&nodes) {
            Some(text) => Ok((node, text.into_owned(), zones)),
            None => Err(Problem::of(&reason(&answers, &nodes))),
        }
    }

    /// Every server that the one which is asked knows of, itself too.
    async fn groups(&self, query: &str) -> Result<Vec<Group>, Problem> {
        let node = self.node(query)?;
        let information = Command::new("INFO");
        let answers = self.ask(&node, vec![information.clone()]).await?;
        let Some(text) = answers.text(&information) else {
            return Err(Problem::of(&reason(&answers, &information)));
        };
        let info = Info::parse(&text);
        if info.has_section("Sentinel") {
            self.watched(&node).await
        } else if info.get("cluster_enabled") == Some("1") {
            let (node, answer, zones) = self.nodes(query).await?;
            let tls = node.address().tls;
            let nodes = cluster_nodes::parse(&answer);
            Ok(nodes.iter().map(|node| cluster_group(node, &zones, self.hostnames, tls)).collect())
        } else {
            Ok(replication_groups(&info, node.address()))
        }
    }

    /// What a Sentinel watches: primaries, their replicas, and the other Sentinels.
    async fn watched(&self, node: &Node) -> Result<Vec<Group>, Problem> {
        let masters = Command::new("SENTINEL MASTERS");
        let answers = self.ask(node, vec![masters.clone()]).await?;
        let list = answers.get(&masters).ok_or_else(|| Problem::of(&reason(&answers, &masters)))?;
        let names: Vec<_> =
            items(list).iter().filter_map(|master| value_of(master, "name")).collect();
        let asked = |name: &String| {
            ["REPLICAS", "SENTINELS"].map(|what| Command::new("SENTINEL").arg(what).arg(name))
        };
        let more = self.ask(node, names.iter().flat_map(asked).collect()).await?;
        let tls = node.address().tls;
        let mut groups = vec![Group::new(plain(node.address()), "sentinel")];
        for master in items(list) {
            groups.extend(sentinel_group(master, "primary", value_of(master, "name"), tls));
        }
        for name in &names {
            let [replicas, sentinels] = asked(name);
            for (command, role) in [(replicas, "replica"), (sentinels, "sentinel")] {
                let found = more.get(&command).map(items).unwrap_or_default().iter();
                groups.extend(
                    found.filter_map(|one| sentinel_group(one, role, Some(name.clone()), tls)),
                );
            }
        }
        Ok(groups)
    }
}

fn reason(answers: &Answers, command: &Command) -> Failure {
    let failure = answers.outcome(command).and_then(|answer| answer.as_ref().err()).cloned();
    failure.unwrap_or_else(|| Failure::Refused("the answer cannot be used".to_owned()))
}

/// Without who we are.
fn plain(address: &Address) -> Address {
    Address { user: None, password: None, database: 0, ..address.clone() }
}

/// Availability zones by the id of a node.
type Zones = BTreeMap<String, String>;

/// Reads `CLUSTER SHARDS`; a server tells the zones of all nodes there, and of itself in `INFO`.
fn zones(shards: &Value) -> Zones {
    let mut zones = Zones::new();
    for shard in items(shards) {
        let pairs = command::pairs(shard);
        let nodes = pairs.iter().find(|(name, _)| name == "nodes").map(|(_, nodes)| items(nodes));
        for node in nodes.unwrap_or_default() {
            if let (Some(id), Some(zone)) =
                (value_of(node, "id"), value_of(node, "availability-zone"))
            {
                zones.insert(id, zone);
            }
        }
    }
    zones
}

fn cluster_group(node: &ClusterNode<'_>, zones: &Zones, hostnames: bool, tls: bool) -> Group {
    let zone = node.zone.or_else(|| zones.get(node.id).map(String::as_str));
    let role = if node.is_replica() { "replica" } else { "primary" };
    Group::new(node.address(hostnames, tls), role)
        .with("mode", "cluster")
        .with("node_id", node.id)
        .with("shard", node.primary.unwrap_or(node.id))
        .with("healthy", if node.is_healthy() { "true" } else { "false" })
        .with("hostname", node.hostname.unwrap_or_default())
        .with("availability_zone", zone.unwrap_or_default())
}

/// A value of a Sentinel's list of names and values.
fn value_of(entry: &Value, name: &str) -> Option<String> {
    let pairs = command::pairs(entry);
    let (_, value) = pairs.iter().find(|(known, _)| known == name)?;
    Some(command::text(value)?.into_owned())
}

fn sentinel_group(entry: &Value, role: &str, master: Option<String>, tls: bool) -> Option<Group> {
    let host = value_of(entry, "ip").filter(|host| !host.is_empty())?;
    let port = value_of(entry, "port")?.parse().ok().filter(|port| *port > 0)?;
    let place = Place::Tcp { host, port };
    let flags = value_of(entry, "flags").unwrap_or_default();
    let ill = ["s_down", "o_down", "disconnected"].iter().any(|flag| flags.contains(flag));
    let address = Address { place, tls, database: 0, user: None, password: None };
    Some(
        Group::new(address, role)
            .with("mode", "sentinel")
            .with("master_name", &master.unwrap_or_default())
            .with("healthy", if ill { "false" } else { "true" }),
    )
}

/// A server on its own, with its replicas or its primary.
fn replication_groups(info: &Info<'_>, address: &Address) -> Vec<Group> {
    let get = |field| info.get(field);
    let replica = get("role") == Some("slave");
    let own = Group::new(plain(address), if replica { "replica" } else { "primary" });
    let mut groups = vec![own.with("mode", "standalone")];
    let tls = address.tls;
    let other = |host: &str, port: &str, role: &str| {
        let port = port.parse().ok().filter(|port| *port > 0)?;
        let place = Place::Tcp { host: host.to_owned(), port };
        let address = Address { place, tls, database: 0, user: None, password: None };
        Some(Group::new(address, role).with("mode", "standalone"))
    };
    if let (true, Some(host), Some(port)) = (replica, get("master_host"), get("master_port")) {
        groups.extend(other(host, port, "primary"));
    }
    for (field, value) in info.section("Replication") {
        if info::index(field, "slave").is_some()
            && let Some(items) = info::items(value)
            && let (Some(ip), Some(port)) = (items.get("ip"), items.get("port"))
        {
            groups.extend(other(ip, port, "replica"));
        }
    }
    groups
}

#[cfg(test)]
mod tests;
