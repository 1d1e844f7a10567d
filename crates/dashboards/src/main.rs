//! `dashboards FOLDER`: writes every dashboard into the folder.

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, Result};

fn main() -> Result<()> {
    let folder = env::args().nth(1).context("usage: dashboards FOLDER")?;
    for dashboard in dashboards::all() {
        let uid = dashboard["uid"].as_str().context("a uid")?;
        let file = PathBuf::from(&folder).join(format!("{uid}.json"));
        fs::write(&file, dashboards::text(&dashboard)?)
            .with_context(|| file.display().to_string())?;
    }
    Ok(())
}
