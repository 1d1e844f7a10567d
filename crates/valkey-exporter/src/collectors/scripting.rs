//! Scripting engines, which are modules since Valkey 9.1.

use super::Snapshot;
use crate::{
    info,
    out::{Metric, Out},
};

const ENGINE: Metric = Metric::plain("scripting_engine_info");
const USED: Metric = Metric::plain("scripting_engine_memory_used_bytes");
const OVERHEAD: Metric = Metric::plain("scripting_engine_memory_overhead_bytes");

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    for (field, value) in snapshot.info.section("Scripting Engines") {
        if info::index(field, "engine_").is_some() {
            write_engine(value, out);
        }
    }
}

/// Nothing of a line which is not complete.
fn write_engine(value: &str, out: &mut Out<'_>) -> Option<()> {
    let items = info::items(value)?;
    let labels = [
        ("engine", items.get("name")?),
        ("module", items.get("module")?),
        ("abi_version", items.get("abi_version")?),
    ];
    let bytes = |name| items.number(name).filter(|bytes| *bytes >= 0.0);
    let (used, overhead) = (bytes("used_memory")?, bytes("memory_overhead")?);
    out.family(&ENGINE).sample(&labels, 1.0);
    out.family(&USED).sample(&labels, used);
    out.family(&OVERHEAD).sample(&labels, overhead);
    Some(())
}
