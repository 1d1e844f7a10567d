//! Certificates that the server has loaded (Valkey 9.1).

use super::Snapshot;
use crate::out::{Metric, Out};

const CERTIFICATE: Metric = Metric::plain("tls_certificate_info");

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let mut series = out.family(&CERTIFICATE);
    for (field, serial) in snapshot.info.section("TLS") {
        let name = field.strip_prefix("tls_").and_then(|rest| rest.strip_suffix("_cert_serial"));
        if let Some(name) = name {
            series.sample(&[("certificate", name), ("serial", serial)], 1.0);
        }
    }
}
