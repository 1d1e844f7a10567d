//! Chromium, driven as a person would use it, through `chromedriver`.
//!
//! `CHROMEDRIVER` names another binary.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

/// A window without a head, of a size of its own.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    /// The session's address.
    session: String,
}

impl Browser {
    /// Whether one can be started here.
    #[must_use]
    pub fn is_there() -> bool {
        Command::new(driver()).arg("--version").output().is_ok_and(|output| output.status.success())
    }

    /// Starts a browser with a profile that nobody used before.
    ///
    /// # Errors
    ///
    /// There is no `chromedriver`, or no Chromium.
    pub fn start() -> Result<Self> {
        let mut driver = Command::new(driver())
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver")?;
        let lines = BufReader::new(driver.stdout.take().context("its output")?).lines();
        let started = "started successfully on port ";
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| {
                Some(line.split_once(started)?.1.trim_end_matches('.').trim().to_owned())
            })
            .context("chromedriver names no port")?;
        // From here on, whatever fails ends the driver.
        let mut browser = Self { driver, session: format!("http://127.0.0.1:{port}/session") };
        let options = json!({"args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--hide-scrollbars",
        ]});
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let answer = browser.command("", &wanted)?;
        let id = answer["sessionId"].as_str().context("a session")?;
        browser.session = format!("{}/{id}", browser.session);
        Ok(browser)
    }

    /// Sets the size of what a page sees.
    ///
    /// # Errors
    ///
    /// The browser is gone.
    pub fn resize(&self, width: u64, height: u64) -> Result<()> {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        let command = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": size});
        self.command("/goog/cdp/execute", &command).map(drop)
    }

    /// Opens a page and waits until it is loaded.
    ///
    /// # Errors
    ///
    /// It cannot be reached.
    pub fn open(&self, address: &str) -> Result<()> {
        self.command("/url", &json!({"url": address})).map(drop)
    }

    /// Types into the element that a selector of CSS names.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn type_into(&self, selector: &str, text: &str) -> Result<()> {
        let by = json!({"using": "css selector", "value": selector});
        let element = self.command("/element", &by)?;
        let id = element.as_object().and_then(|ids| ids.values().next()).and_then(Value::as_str);
        let path = format!("/element/{}/value", id.context("an element")?);
        self.command(&path, &json!({"text": text})).map(drop)
    }

    /// Runs a script in the page; its `return` is the answer.
    ///
    /// # Errors
    ///
    /// It throws.
    pub fn script(&self, script: &str) -> Result<Value> {
        self.command("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// What the page looks like, as a PNG.
    ///
    /// # Errors
    ///
    /// The browser is gone.
    pub fn screenshot(&self) -> Result<Vec<u8>> {
        let command = json!({"cmd": "Page.captureScreenshot", "params": {"format": "png"}});
        let answer = self.command("/goog/cdp/execute", &command)?;
        Ok(BASE64_STANDARD.decode(answer["data"].as_str().context("a picture")?)?)
    }

    fn command(&self, path: &str, body: &Value) -> Result<Value> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(2)))
            .build()
            .into();
        let address = format!("{}{path}", self.session);
        let mut answer = agent
            .post(&address)
            .header("Content-Type", "application/json")
            .send(body.to_string())
            .with_context(|| address.clone())?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string()?;
        let mut json: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        ensure!(status.is_success(), "{path}: {}", json["value"]["message"]);
        Ok(json["value"].take())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The session's end closes the browser; the driver has to go in any case.
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        let _closed = agent.delete(&self.session).call();
        let _killed = self.driver.kill();
        let _waited = self.driver.wait();
    }
}

fn driver() -> String {
    env::var("CHROMEDRIVER").unwrap_or_else(|_unset| "chromedriver".to_owned())
}
