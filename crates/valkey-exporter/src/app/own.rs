//! Our own telemetry: connections to servers.

use std::sync::Arc;

use prometheus::{
    IntCounterVec, IntGauge, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use crate::{access::Access, framing::Excess};

/// Reads what [`Access`] counts when a page is made.
pub(super) struct Own {
    access: Arc<Access>,
    connections: IntGauge,
    replies_refused: IntCounterVec,
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
            replies_refused: IntCounterVec::new(
                Opts::new(
                    format!("{name}_replies_refused_total"),
                    "Batches of commands whose replies had more than they may have, by what.",
                ),
                &["reason"],
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
        for excess in Excess::ALL {
            let counter = self.replies_refused.with_label_values(&[excess.word()]);
            let count = self.access.replies_refused.count(excess);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
        [self.connections.collect(), self.replies_refused.collect()].concat()
    }
}
