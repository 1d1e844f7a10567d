//! Size of the RDB file, where server and exporter share a file system.

use std::{fs, path::Path};

use super::{Snapshot, config};
use crate::out::{Metric, Out};

const SIZE: Metric = Metric::gauge("rdb_current_size_bytes", "Current RDB file size in bytes");

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    if !snapshot.options.data.rdb_file_size {
        return;
    }
    let (Some(folder), Some(name)) =
        (config::get(snapshot, "dir"), config::get(snapshot, "dbfilename"))
    else {
        return;
    };
    // One look at a local file, the only thing that a collector asks of its own machine.
    if let Ok(metadata) = fs::metadata(Path::new(&*folder).join(&*name)) {
        out.value(&SIZE, metadata.len() as f64);
    }
}
