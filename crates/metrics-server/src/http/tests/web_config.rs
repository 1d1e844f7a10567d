//! Passwords, headers and rate limits over real connections.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{Answer, Running, bind, read, start};

struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn flag(&self) -> String {
        format!("--web.config.file={}", self.folder.path().join("web.yml").display())
    }

    fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("web.yml"), text).unwrap();
    }

    async fn start(&self, text: &str) -> Running {
        self.write(text);
        start(&[&self.flag(), "--web.enable-lifecycle"]).await
    }
}

fn user(name: &str, password: &str) -> String {
    format!("basic_auth_users:\n  {name}: {}\n", bcrypt::hash(password, 4).unwrap())
}

async fn as_user(running: &Running, path: &str, pair: &str) -> Answer {
    let pair = STANDARD.encode(pair);
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {pair}\r\n");
    running.request(&head).await
}

#[tokio::test]
async fn every_path_asks_for_the_password() {
    let site = Site::new();
    let running = site.start(&user("alice", "secret")).await;
    let paths = [
        "/",
        "/metrics",
        "/probe",
        "/health",
        "/health/live",
        "/health/ready",
        "/-/healthy",
        "/-/ready",
        "/-/reload",
        "/-/quit",
        "/nowhere",
    ];
    for path in paths {
        for method in ["GET", "HEAD", "POST", "PUT", "OPTIONS", "NONSENSE"] {
            let answer = running.request(&format!("{method} {path} HTTP/1.1\r\nHost: x\r\n")).await;
            assert_eq!(answer.status, 401, "{method} {path}");
        }
    }
    let answer = running.get("/metrics").await;
    assert!(answer.head.contains("\r\nwww-authenticate: basic\r\n"), "{}", answer.head);
    assert!(answer.head.contains("\r\ncontent-type: text/plain; charset=utf-8\r\n"));
    assert_eq!(answer.body, "Unauthorized\n");

    assert_eq!(as_user(&running, "/metrics", "alice:secret").await.status, 200);
    assert_eq!(as_user(&running, "/nowhere", "alice:secret").await.status, 404);
    for pair in ["alice:wrong", "mallory:secret", "alice", ""] {
        assert_eq!(as_user(&running, "/metrics", pair).await.status, 401, "{pair}");
    }
}

/// First the rate, then the headers, then the password.
#[tokio::test]
async fn a_request_is_checked_in_the_order_of_exporter_toolkit() {
    let site = Site::new();
    let text = format!(
        "{}http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-Content-Type-Options: \
         nosniff\n    Strict-Transport-Security: max-age=1\n    X-XSS-Protection: 1\n    \
         Content-Security-Policy: default-src 'self'\nrate_limit: {{interval: 1h, burst: 2}}\n",
        user("alice", "secret")
    );
    let running = site.start(&text).await;
    for (pair, status) in [("alice:secret", 200), ("alice:wrong", 401), ("alice:secret", 429)] {
        let answer = as_user(&running, "/metrics", pair).await;
        assert_eq!(answer.status, status);
        for header in [
            "x-frame-options: deny",
            "strict-transport-security: max-age=1",
            "x-xss-protection: 1",
            "content-security-policy: default-src 'self'",
        ] {
            let there = answer.head.contains(&format!("\r\n{header}\r\n"));
            assert_eq!(there, status != 429, "{header} {status}");
        }
        if status == 429 {
            assert_eq!(answer.body, "Too Many Requests\n");
            assert!(!answer.head.contains("www-authenticate"));
        }
    }
}

#[tokio::test]
async fn a_new_password_holds_for_the_next_request_of_an_open_connection() {
    let site = Site::new();
    let running = site.start(&user("alice", "old")).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let mut status = async |pair: &str| {
        let pair = STANDARD.encode(pair);
        let head = format!("HEAD / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {pair}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        String::from_utf8(answer[9..12].to_vec()).unwrap()
    };
    assert_eq!(status("alice:old").await, "200");
    site.write(&user("alice", "new"));
    let changed = timeout(Duration::from_secs(10), async {
        while status("alice:new").await != "200" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    changed.await.expect("a change is seen within a few seconds");
    assert_eq!(status("alice:old").await, "401");

    site.write("basic_auth_users: [");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(status("alice:new").await, "200", "a broken file changes nothing");
}

#[tokio::test]
async fn a_file_that_is_broken_at_start_is_one_clear_error() {
    let site = Site::new();
    site.write("tls_server_config:\n  cert_filse: x\n");
    let flag = site.flag();
    let error = bind(&read(&[&flag]).web).await.unwrap_err().to_string();
    let path = flag.split_once('=').unwrap().1;
    let expected = format!("cannot use {path}: tls_server_config: unknown field `cert_filse`");
    assert!(error.starts_with(&expected), "{error}");
    assert!(!error.contains('\n'));
}
