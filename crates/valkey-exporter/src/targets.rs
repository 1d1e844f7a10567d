//! `/scrape?target=…`: any server, and which password it is sent.

use std::sync::{Arc, atomic::Ordering};

use metrics_server::{Refused, Scrape, ScrapeRequest, Scraping};

use crate::{
    address::{Address, Place},
    app::{Options, Shared},
    node::Node,
    password_file::PasswordFile,
    scrape::Target,
    secret::Secret,
};

/// Who we are, and to whom.
#[derive(Debug)]
pub struct Credentials {
    /// `--redis.user`.
    pub user: Option<String>,
    /// `--redis.password`.
    pub password: Option<Secret>,
    /// `--redis.password-file`.
    pub file: PasswordFile,
    /// Hosts that may be sent `password` by `/scrape`.
    pub hosts: Vec<String>,
}

impl Credentials {
    /// For an address of our own configuration: what stands in it, else the file, else the flags.
    pub fn node_for_address(&self, mut address: Address, client_name: bool) -> Node {
        let (user, lone) = match (address.user.take(), address.password.take()) {
            (None, Some(lone)) => (None, Some(lone)),
            (user, Some(password)) => return Node::new(address, user, Some(password), client_name),
            (user, None) => (user, None),
        };
        // `redis://exporter@host`: a user where the file knows one of that name, else a password.
        if let Some(lone) = lone {
            return match self.file.find(&address.place, Some(lone.expose())) {
                Some(password) => {
                    let user = lone.expose().to_owned();
                    Node::new(address, Some(user), Some(password.clone()), client_name)
                }
                None => Node::new(address, self.user.clone(), Some(lone), client_name),
            };
        }
        let user = user.or_else(|| self.user.clone());
        let password =
            self.file.find(&address.place, user.as_deref()).or(self.password.as_ref()).cloned();
        Node::new(address, user, password, client_name)
    }

    /// For an address that a scraper sent. A password in it is not used: it would stand in logs.
    fn node_for_target(&self, mut address: Address, client_name: bool) -> Node {
        let named = address.user.take();
        let lone = address.password.take().filter(|_| named.is_none());
        let user = named.or_else(|| lone.map(|lone| lone.expose().to_owned()));
        let user = user.or_else(|| self.user.clone());
        let default = self.password.as_ref().filter(|_| self.may_have_password(&address.place));
        let password = self.file.find(&address.place, user.as_deref()).or(default).cloned();
        Node::new(address, user, password, client_name)
    }

    fn may_have_password(&self, place: &Place) -> bool {
        let Place::Tcp { host, .. } = place else { return false };
        self.hosts.iter().any(|pattern| matches(pattern, host))
    }
}

/// `*` is every host, `*.example.com` every host below it.
fn matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.to_ascii_lowercase());
    match pattern.strip_prefix('*') {
        Some("") => true,
        Some(suffix) if suffix.starts_with('.') => host.ends_with(suffix),
        _ => pattern == host,
    }
}

/// Answers `/scrape`.
#[derive(Debug)]
pub struct Targets {
    credentials: Credentials,
    shared: Arc<Shared>,
}

impl Targets {
    /// Targets which are scraped as `shared` says.
    pub fn new(credentials: Credentials, shared: &Arc<Shared>) -> Self {
        Self { credentials, shared: Arc::clone(shared) }
    }

    fn target(&self, request: &ScrapeRequest) -> Result<Target, String> {
        let text = request.query.get("target").filter(|text| !text.is_empty());
        let text = text.ok_or("'target' parameter must be specified")?;
        let address =
            Address::parse(text).map_err(|error| format!("Invalid 'target' parameter: {error}"))?;
        let client_name = self.shared.options.set_client_name;
        Ok(Target::new(self.credentials.node_for_target(address, client_name)))
    }
}

impl Scrape for Targets {
    fn scrape<'a>(&'a self, request: &'a ScrapeRequest) -> Scraping<'a> {
        Box::pin(async move {
            let asked = self.target(request).and_then(|target| {
                let data = self.shared.options.data.for_request(&request.query);
                let data = data.map_err(|error| format!("Invalid list of keys: {error}"))?;
                Ok((target, Options { data, ..self.shared.options.clone() }))
            });
            let (target, options) = asked.map_err(|message| {
                self.shared.request_errors.fetch_add(1, Ordering::Relaxed);
                Refused::bad_request(message)
            })?;
            let (scraped, _outcome) = target.scrape(&options, 0, request.deadline).await;
            Ok(scraped)
        })
    }
}

#[cfg(test)]
mod tests;
