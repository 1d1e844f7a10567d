//! What a person sees of an exporter, in Chromium: `CHROMIUM` names another binary of it.

use std::{collections::BTreeSet, env, fs::File, io::BufReader, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use e2e::Exporter;

/// The narrowest window that Chromium makes, and a desk's.
const WIDTHS: [u32; 2] = [500, 1_200];
const HEIGHT: u32 = 800;
/// `#e6522c`, the colour of the heading.
const HEADING: [u8; 3] = [0xe6, 0x52, 0x2c];

/// Rows of pixels, each red, green and blue.
type Picture = Vec<Vec<[u8; 3]>>;

fn screenshot(address: &str, width: u32, folder: &Path) -> Result<Picture> {
    let file = folder.join(format!("page-{width}.png"));
    let output = Command::new(env::var("CHROMIUM").unwrap_or("chromium".to_owned()))
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--hide-scrollbars", "--force-device-scale-factor=1"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--window-size={width},{HEIGHT}"))
        .arg(format!("--screenshot={}", file.display()))
        .arg(address)
        .output()
        .context("Chromium")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{error}");
    let file = File::open(&file).with_context(|| error.into_owned())?;
    let mut reader = png::Decoder::new(BufReader::new(file)).read_info()?;
    let mut bytes = vec![0; reader.output_buffer_size().context("a size")?];
    let info = reader.next_frame(&mut bytes)?;
    let samples = info.color_type.samples();
    ensure!(samples >= 3 && info.width == width, "{info:?}");
    let row =
        |row: &[u8]| row.chunks(samples).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    Ok(bytes.chunks(info.line_size).map(row).collect())
}

#[test]
fn landing_pages_are_readable_at_every_width() -> Result<()> {
    let down = [("DATA_SOURCE_NAME", "postgresql://u:p@127.0.0.1:1/db?sslmode=disable")];
    let subjects = [
        ("statsd-exporter", &["--statsd.listen-udp=127.0.0.1:0", "--statsd.listen-tcp="][..]),
        ("postgres-exporter", &[]),
        ("valkey-exporter", &[]),
    ];
    let folder = tempfile::tempdir()?;
    for (name, args) in subjects {
        let exporter = Exporter::start(name, args, &down)?;
        for width in WIDTHS {
            let picture =
                screenshot(&format!("http://{}/", exporter.address()), width, folder.path())?;
            let heading = &picture[1];
            // The heading spans the window: nothing is wider than it, and nothing pushes it aside.
            ensure!(
                heading.iter().all(|pixel| *pixel == HEADING),
                "{name} at {width}: {heading:?}"
            );
            let colours: BTreeSet<_> = picture.iter().flatten().collect();
            ensure!(colours.len() > 20, "{name} at {width}: no text, {} colours", colours.len());
            let white = picture.iter().flatten().filter(|pixel| **pixel == [255; 3]).count();
            ensure!(white * 2 > picture.len() * picture[0].len(), "{name} at {width}: cluttered");
        }
    }
    Ok(())
}
