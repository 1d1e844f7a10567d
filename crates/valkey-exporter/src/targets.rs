//! `/scrape?target=…`: any server, and which password it is sent.

use std::sync::{Arc, atomic::Ordering};

use axum::http::StatusCode;
use metrics_server::{Refused, Scrape, ScrapeRequest, Scraping, http::Query};

use crate::{
    access::Access,
    address::{Address, Place},
    app::{Options, Shared},
    credentials::{Origin, host_matches},
    node::Node,
    scrape::Target,
};

/// Answers `/scrape`.
#[derive(Debug)]
pub struct Targets {
    access: Arc<Access>,
    shared: Arc<Shared>,
    /// Hosts that may be scraped; empty for every host.
    allowed_hosts: Vec<String>,
}

impl Targets {
    /// Targets which are scraped as `shared` says.
    pub fn new(access: &Arc<Access>, shared: &Arc<Shared>, allowed_hosts: Vec<String>) -> Self {
        Self { access: Arc::clone(access), shared: Arc::clone(shared), allowed_hosts }
    }

    /// The server that a query asks for.
    ///
    /// # Errors
    ///
    /// It names none, or none that is allowed.
    pub fn node(&self, query: &Query) -> Result<Node, Refused> {
        let get = |name| query.get(name).filter(|text| !text.is_empty());
        let text = get("target")
            .ok_or_else(|| Refused::bad_request("'target' parameter must be specified"))?;
        let address = Address::parse(text).map_err(|error| {
            Refused::bad_request(format!("Invalid 'target' parameter: {error}"))
        })?;
        if !self.allows(&address.place) {
            return Err(Refused {
                status: StatusCode::FORBIDDEN,
                message: "the target is not allowed: see --scrape.allowed-hosts".to_owned(),
            });
        }
        let server_name = get("tls_server_name").or_else(|| get("tls-server-name"));
        let server_name = server_name.map(str::to_owned);
        Ok(Node::new(address, Origin::Asked, server_name, &self.access))
    }

    fn allows(&self, place: &Place) -> bool {
        if self.allowed_hosts.is_empty() {
            return true;
        }
        let Place::Tcp { host, .. } = place else { return false };
        self.allowed_hosts.iter().any(|pattern| host_matches(pattern, host))
    }
}

impl Scrape for Targets {
    fn scrape<'a>(&'a self, request: &'a ScrapeRequest) -> Scraping<'a> {
        Box::pin(async move {
            let options = &self.shared.options;
            let asked = self.node(&request.query).map(Target::new).and_then(|target| {
                let data = options.data.for_request(&request.query).map_err(|error| {
                    Refused::bad_request(format!("Invalid list of keys: {error}"))
                })?;
                Ok((target, Arc::new(Options { data, ..Options::clone(options) })))
            });
            let (target, options) = asked.inspect_err(|_refused| {
                self.shared.request_errors.fetch_add(1, Ordering::Relaxed);
            })?;
            // Scrapes which ask for the same are one.
            let text = format!("{:?}", request.query);
            let (scraped, _outcome) = target.scrape(&options, &text, 0, request.deadline).await;
            Ok(scraped)
        })
    }
}
