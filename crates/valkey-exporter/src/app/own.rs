//! Our own telemetry: connections to servers.

use std::sync::{Arc, atomic::Ordering};

use prometheus::{
    IntCounter, IntGauge,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use crate::access::Access;

/// Reads what [`Access`] counts when a page is made.
pub(super) struct Own {
    access: Arc<Access>,
    connections: IntGauge,
    replies_refused: IntCounter,
}

impl Own {
    /// `name` begins the names.
    pub(super) fn new(name: &str, access: &Arc<Access>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            access: Arc::clone(access),
            connections: IntGauge::new(
                format!("{name}_server_connections"),
                "Connections to servers which are open, kept ones too.",
            )?,
            replies_refused: IntCounter::new(
                format!("{name}_replies_refused_total"),
                "Batches of commands whose replies were longer than --scrape.max-reply-bytes.",
            )?,
        })
    }
}

impl Collector for Own {
    fn desc(&self) -> Vec<&Desc> {
        [self.connections.desc(), self.replies_refused.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.connections.set(i64::try_from(self.access.connections()).unwrap_or(i64::MAX));
        let refused = self.access.replies_refused.load(Ordering::Relaxed);
        self.replies_refused.inc_by(refused.saturating_sub(self.replies_refused.get()));
        [self.connections.collect(), self.replies_refused.collect()].concat()
    }
}
