//! Tests of registering an app from a manifest, as a browser does.

use super::*;

fn manifest(more: &Value) -> Value {
    let mut manifest = json!({
        "name": "My Pool", "url": "https://pool.example", "redirect_url": "https://pool.example/setup/done",
        "hook_attributes": { "url": "https://pool.example/github/webhooks" }, "public": false,
        "default_permissions": { "issues": "write", "checks": "read" }, "default_events": ["issues", "check_run"],
    });
    manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    manifest
}

impl Stage {
    /// Posts the form and returns the redirect target.
    async fn register(&self, page: &str, manifest: &Value) -> Result<String, u16> {
        let http = http_with(reqwest::redirect::Policy::none());
        let url = format!("{}{page}", self.sandbox.api_url());
        let form: String = form_urlencoded::byte_serialize(manifest.to_string().as_bytes()).collect();
        let request = http.post(url).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(format!("manifest={form}")).send().await.unwrap();
        let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        to.ok_or(answer.status().as_u16())
    }

    async fn exchange(&self, to: &str) -> (u16, Value) {
        let code = to.split("code=").nth(1).unwrap().split('&').next().unwrap();
        self.post("", &format!("/app-manifests/{code}/conversions"), Value::Null).await
    }
}

#[tokio::test]
async fn a_code_makes_the_app_once_and_the_app_is_the_boxs() {
    let stage = Stage::new().await;
    let to = stage.register("/settings/apps/new?state=a%20b", &manifest(&json!({}))).await.unwrap();
    assert!(to.starts_with("https://pool.example/setup/done?code=") && to.ends_with("&state=a+b"), "{to}");
    let old = stage.jwt(&json!({}));
    let (status, made) = stage.exchange(&to).await;
    assert_eq!((status, &made["slug"], &made["name"]), (201, &json!("my-pool"), &json!("My Pool")));
    assert_eq!(made["pem"], stage.sandbox.private_key_pem());
    assert_eq!(made["webhook_secret"], stage.sandbox.webhook_secret());
    assert_eq!(stage.exchange(&to).await.0, 404, "a code works once");
    assert_eq!(stage.get(&old, "/app").await.0, 401, "the old key is gone");
    let (_, app) = stage.get(&stage.jwt(&json!({})), "/app").await;
    assert_eq!(app["permissions"], json!({ "issues": "write", "checks": "read", "metadata": "read" }));
    assert_eq!(app["events"], json!(["issues", "check_run"]));
    assert_eq!(stage.sandbox.bot_login(), "my-pool[bot]");
    let (_, hook) = stage.get(&stage.jwt(&json!({})), "/app/hook/config").await;
    assert_eq!(hook["url"], "https://pool.example/github/webhooks");
}

#[tokio::test]
async fn a_code_ends_after_an_hour() {
    let stage = Stage::new().await;
    let page = "/organizations/acme/settings/apps/new";
    let to = stage.register(page, &manifest(&json!({}))).await.unwrap();
    stage.advance_secs(3_600);
    assert_eq!(stage.exchange(&to).await.0, 404);
    let to = stage.register(page, &manifest(&json!({}))).await.unwrap();
    stage.advance_secs(3_599);
    assert_eq!(stage.exchange(&to).await.1["owner"]["login"], "acme");
}

#[tokio::test]
async fn a_manifest_github_would_not_take_is_refused() {
    let stage = Stage::new().await;
    for bad in [
        json!({ "name": "" }),
        json!({ "name": "x".repeat(35) }),
        json!({ "url": null }),
        json!({ "redirect_url": "javascript:alert(1)" }),
        json!({ "hook_attributes": {} }),
        json!({ "default_permissions": { "issues": "much" } }),
        json!({ "default_permissions": { "wishes": "read" } }),
        json!({ "default_events": ["status"] }),
        json!({ "default_events": ["pull_request"] }),
    ] {
        assert_eq!(stage.register("/settings/apps/new", &manifest(&bad)).await, Err(422), "{bad}");
    }
    for page in ["/organizations/nobody/settings/apps/new", "/organizations/ada/settings/apps/new"] {
        assert_eq!(stage.register(page, &manifest(&json!({}))).await, Err(404), "{page}");
    }
}

#[tokio::test]
async fn answers_are_dated_by_the_boxs_clock() {
    let stage = Stage::new().await;
    stage.advance_secs(61);
    let answer = stage.send(Method::GET, "", "/rate_limit", Value::Null).await.unwrap();
    assert_eq!(answer.headers()["date"], "Thu, 01 Jan 2026 00:01:01 GMT");
}
