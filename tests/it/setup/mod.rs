//! Setup, as a browser goes through it: the real server beside a box, from the form to a delivery that is accepted.

mod browser;
mod process;
mod stage;

use browser::Browser;
use stage::{REPO, Stage};
use std::os::unix::fs::PermissionsExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_form_to_a_task_without_a_restart() {
    let stage = Stage::new().await;
    let form = stage.browser.get(&stage.url("/setup")).await;
    assert!(form.status == 200 && form.text.contains("name=\"token\""), "{}", form.text);
    assert!(form.policy.contains("form-action 'self';") && !form.text.contains("<script"), "{}", form.policy);
    assert!(form.text.contains(&format!("value=\"{}\"", stage.running.url())), "the address is filled in");

    let click = stage.begin(&[]).await;
    assert!(click.policy.contains(&format!("form-action 'self' {};", stage.github.api_url())), "{}", click.policy);
    let cookie = click.set_cookie.clone().unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/setup"),
        "{cookie}"
    );
    let back = stage.register(&click).await;
    let done = stage.browser.get(&back).await;
    assert_eq!(done.status, 200, "{}", done.text);
    let install = format!("{}/apps/owp-pool/installations/new", stage.github.api_url());
    assert!(done.text.contains(&format!("href=\"{install}\"")), "{}", done.text);
    assert!(done.set_cookie.unwrap().contains("Max-Age=0"));

    let mode = std::fs::metadata(&stage.file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&stage.file).unwrap()).unwrap();
    assert_eq!(kept["app_id"].as_u64(), Some(stage.github.app_id()));
    assert_eq!(kept["private_key"], stage.github.private_key_pem());
    assert!(!done.text.contains(&stage.github.webhook_secret()), "the page holds no secret");

    assert_eq!(kept["public_url"], stage.running.url(), "where the next start finds it");

    for path in ["/setup", "/setup/done?code=a&state=b"] {
        assert_eq!(stage.browser.get(&stage.url(path)).await.status, 404, "{path}");
    }
    assert_eq!(stage.begin(&[]).await.status, 404);

    // GitHub's deliveries go where the manifest said, signed with the new secret, and are acted on.
    stage.github.install(&[REPO]).unwrap();
    let mona = stage.github.as_user("mona");
    let issue = mona.open_issue(REPO, "Fuel gauge sticks", "", &[]).unwrap();
    mona.label(REPO, issue, "pool:ready").unwrap();
    stage
        .until("a task", async || stage.browser.get(&stage.url("/v1/tasks")).await.text.contains("Fuel gauge sticks"))
        .await;
    let deliveries = stage.github.deliveries();
    assert!(!deliveries.is_empty() && deliveries.iter().all(|one| one.code == 202), "{deliveries:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_app_asks_for_is_the_manifest_and_what_was_ticked() {
    let stage = Stage::new().await;
    let fields = [("owner", "organization"), ("organization", "acme"), ("checks", "on"), ("teams", "on")];
    let page = stage.begin(&fields).await;
    let (action, posted) = page.form();
    assert!(action.starts_with(&format!("{}/organizations/acme/settings/apps/new?state=", stage.github.api_url())));
    let manifest: serde_json::Value = serde_json::from_str(&posted["manifest"]).unwrap();
    assert_eq!(manifest["public"], false);
    assert_eq!(manifest["hook_attributes"]["url"], stage.url("/github/webhooks"));
    for (name, level) in [("checks", "read"), ("statuses", "read"), ("members", "read"), ("issues", "write")] {
        assert_eq!(manifest["default_permissions"][name], level, "{name}");
    }
    let back = stage.register(&page).await;
    assert_eq!(stage.browser.get(&back).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_opens_one_browser_and_a_wrong_one_opens_none() {
    let stage = Stage::new().await;
    let began = std::time::Instant::now();
    let wrong = stage.begin(&[("token", "a-guess")]).await;
    assert!(wrong.status == 403 && wrong.text.contains("owp serve") && wrong.set_cookie.is_none(), "{}", wrong.text);
    assert!(wrong.text.contains("role=\"alert\"") && !wrong.text.contains("a-guess"), "{}", wrong.text);
    assert!(began.elapsed().as_millis() >= 1_000, "a guess costs a second");
    assert_eq!(stage.begin(&[("token", "")]).await.status, 403);

    assert_eq!(stage.begin(&[]).await.status, 200);
    let other = Browser::new();
    let used = stage.begin_in(&other, &[]).await;
    assert!(used.status == 403 && used.text.contains("has been used"), "{}", used.text);

    // The browser that has the session goes on without the token.
    let form = stage.browser.get(&stage.url("/setup")).await;
    assert!(form.status == 200 && !form.text.contains("name=\"token\""), "{}", form.text);
    let page = stage.begin(&[("token", "")]).await;
    let back = stage.register(&page).await;
    assert_eq!(stage.browser.get(&back).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_another_page_sends_is_not_taken() {
    let stage = Stage::new().await;
    assert_eq!(stage.begin(&[]).await.status, 200, "the browser has a session");
    let fields = [("address", "https://evil.example.org"), ("owner", "personal")];
    let sent = stage.browser.post_from("http://evil.example.org", &stage.url("/setup"), &fields).await;
    assert!(sent.status == 422 && sent.text.contains("another page"), "{}", sent.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_counts_once_in_the_browser_that_asked_and_with_its_state() {
    let stage = Stage::new().await;
    let first = stage.register(&stage.begin(&[]).await).await;
    let back = stage.register(&stage.begin(&[]).await).await;
    assert_eq!(stage.browser.get(&first).await.status, 403, "a newer registration was begun");
    let forged = back.split("&state=").next().unwrap();
    for state in ["", "&state=forged"] {
        assert_eq!(stage.browser.get(&format!("{forged}{state}")).await.status, 403, "{state}");
    }
    assert_eq!(Browser::new().get(&back).await.status, 403, "another browser");
    assert!(!stage.file.exists());
    assert_eq!(stage.browser.get(&back).await.status, 200);
    let conversions =
        |stage: &Stage| stage.github.requests().iter().filter(|r| r.route.contains("conversions")).count();
    assert_eq!(conversions(&stage), 1, "GitHub was asked for what belonged here, and for nothing else");
    assert_eq!(stage.browser.get(&back).await.status, 404, "it is set up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_github_does_not_know_ends_nothing() {
    let stage = Stage::new().await;
    let back = stage.register(&stage.begin(&[]).await).await;
    let stolen = back.replace("code=", "code=x");
    let failed = stage.browser.get(&stolen).await;
    assert!(failed.status == 502 && failed.text.contains("did not hand over the App"), "{}", failed.text);
    assert_eq!(stage.browser.get(&back).await.status, 403, "the state was used up");
    let page = stage.begin(&[("token", "")]).await;
    let back = stage.register(&page).await;
    assert_eq!(stage.browser.get(&back).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_hour_it_is_too_late() {
    let stage = Stage::new().await;
    let back = stage.register(&stage.begin(&[]).await).await;
    stage.clock.advance_ms(60 * 60 * 1_000);
    assert_eq!(stage.browser.get(&back).await.status, 403);
    assert!(!stage.file.exists());
    let late = stage.begin(&[]).await;
    assert!(late.status == 403 && late.text.contains("restart the pool"), "{}", late.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_work_is_said_before_anything_is_registered() {
    let stage = Stage::with_file("no/such/folder/app.json").await;
    for address in ["owp.example.org", "ftp://owp.example.org", "https://owp.example.org/path", "https://a b"] {
        let again = stage.begin(&[("address", address)]).await;
        assert!(again.status == 422 && again.text.contains("role=\"alert\""), "{address}: {}", again.text);
    }
    let again = stage.begin(&[("owner", "organization"), ("organization", "../x\"")]).await;
    assert!(again.status == 422 && again.text.contains("../x&quot;"), "{}", again.text);
    let nowhere = stage.begin(&[]).await;
    assert!(nowhere.status == 503 && nowhere.text.contains("OWP_CREDENTIALS_FILE"), "{}", nowhere.text);
    std::fs::create_dir_all(stage.file.parent().unwrap()).unwrap();
    assert_eq!(stage.begin(&[]).await.status, 200, "the token is still good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_browser_comes_back_where_it_is_and_deliveries_go_to_the_public_address() {
    let stage = Stage::new().await;
    let page = stage.begin(&[("address", "https://owp.example.org/")]).await;
    let manifest: serde_json::Value = serde_json::from_str(&page.form().1["manifest"]).unwrap();
    assert_eq!(manifest["hook_attributes"]["url"], "https://owp.example.org/github/webhooks");
    assert_eq!(manifest["url"], "https://owp.example.org");
    assert_eq!(manifest["redirect_url"], stage.url("/setup/done"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_wrong_token_the_form_is_still_filled() {
    let stage = Stage::new().await;
    let fields = [
        ("token", "a-guess"),
        ("address", "https://owp.example.org"),
        ("owner", "organization"),
        ("organization", "acme"),
        ("teams", "on"),
    ];
    let wrong = stage.begin(&fields).await;
    for kept in [
        "value=\"https://owp.example.org\"",
        "value=\"acme\"",
        "value=\"organization\" checked",
        "name=\"teams\" checked",
    ] {
        assert!(wrong.text.contains(kept), "{kept}: {}", wrong.text);
    }
    assert!(!wrong.text.contains("name=\"checks\" checked"), "{}", wrong.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_github_cannot_reach_is_warned_of_with_the_name_of_a_tunnel() {
    let stage = Stage::of_public_github().await;
    let form = stage.browser.get(&stage.url("/setup")).await;
    assert!(form.text.contains("cloudflared"), "this machine's own address is filled in: {}", form.text);
    for blocked in ["http://127.0.0.1:8787", "https://192.168.1.7", "https://pool.local"] {
        let page = stage.begin(&[("address", blocked)]).await;
        let warned = page.text.contains("GitHub cannot reach this address") && page.text.contains("ngrok");
        assert!(page.status == 200 && warned, "{blocked}: {}", page.text);
    }
    let clear = stage.begin(&[("address", "http://owp.example.org")]).await;
    assert!(clear.text.contains("speaks TLS"), "{}", clear.text);
    let fine = stage.begin(&[("address", "https://owp.example.org")]).await;
    assert!(fine.status == 200 && !fine.text.contains("role=\"alert\""), "{}", fine.text);
}
