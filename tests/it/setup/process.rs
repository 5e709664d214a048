//! Setup of the real binary: the token is in its log, and the next start finds the App.

use crate::setup::browser::Browser;
use crate::support::github::sandbox;
use crate::support::program::{free_port, owp};
use owp_base::clock::Clock;
use owp_sandbox::Sandbox;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

struct Served {
    child: Child,
    log: std::path::PathBuf,
}

impl Served {
    fn start(folder: &Path, port: u16, api: &str) -> Self {
        let log = folder.join("log");
        let listen = format!("127.0.0.1:{port}");
        let child = owp(&["serve", "--listen", &listen, "--database", "sqlite:here.db"])
            .env("GITHUB_API_URL", api)
            .env("OWP_LOG_FILTER", "trace")
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Returns the rest of the log line after these words.
    fn says(&self, words: &str) -> String {
        let began = Instant::now();
        loop {
            let log = fs::read_to_string(&self.log).unwrap();
            if let Some(rest) = log.split(words).nth(1).filter(|rest| rest.contains('\n')) {
                return rest.lines().next().unwrap().to_owned();
            }
            assert!(began.elapsed() < Duration::from_secs(30), "not said: {words}\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_is_in_the_log_and_the_next_start_finds_the_app() {
    let github = Sandbox::start(sandbox(|| Clock::System.now_ms())).await.unwrap();
    github.add_user("olga");
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let first = Served::start(folder.path(), port, &github.api_url());
    let token = first.says("enter the setup token ");
    assert!(token.len() >= 26 && token.bytes().all(|b| b.is_ascii_alphanumeric()), "{token}");
    let browser = Browser::new();
    let fields = [("token", token.as_str()), ("address", url.as_str()), ("owner", "personal")];
    let page = browser.post(&format!("{url}/setup"), &fields).await;
    let (action, hidden) = page.form();
    let back = browser.post(&action, &[("manifest", &hidden["manifest"])]).await.location.unwrap();
    let done = browser.get(&back).await;
    assert!(done.status == 200 && done.text.contains("owp-github-app.json"), "{}", done.text);
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let log = fs::read_to_string(&first.log).unwrap();
    for secret in [code, &github.webhook_secret(), "PRIVATE KEY"] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
    drop(first);

    let second = Served::start(folder.path(), port, &github.api_url());
    let found = second.says(&format!("GitHub App {} at ", github.app_id()));
    assert!(found.ends_with("from owp-github-app.json"), "{found}");
    second.says("listening on ");
    assert!(!fs::read_to_string(&second.log).unwrap().contains("setup token"));
    drop(second);

    let file = folder.path().join("owp-github-app.json");
    let refused = |api: &str| {
        let mut command = owp(&["serve", "--listen", "127.0.0.1:0"]);
        let output = command.env("GITHUB_API_URL", api).current_dir(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = refused("https://github.example/api/v3");
    assert!(code == Some(2) && said.contains("was registered at"), "{said}");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let (code, said) = refused(&github.api_url());
    assert!(code == Some(2) && said.contains("chmod 600"), "{said}");
}
