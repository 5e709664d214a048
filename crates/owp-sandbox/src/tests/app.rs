//! Tests of the app's own calls: JWTs, installations, tokens, deliveries.

use super::*;

#[tokio::test]
async fn the_jwt_is_verified_for_real() {
    let stage = Stage::new().await;
    let now = stage.clock.load(Ordering::SeqCst) / 1_000;
    let (status, app) = stage.get(&stage.jwt(&json!({})), "/app").await;
    assert_eq!((status, &app["slug"], app["id"].as_u64()), (200, &json!("owp-pool"), Some(stage.sandbox.app_id())));
    let as_text = json!({ "iss": stage.sandbox.app_id().to_string() });
    assert_eq!(stage.get(&stage.jwt(&as_text), "/app").await.0, 200);
    for bad in
        [json!({ "exp": now + 700 }), json!({ "exp": now - 1 }), json!({ "iat": now + 90 }), json!({ "exp": null })]
    {
        assert_eq!(stage.get(&stage.jwt(&bad), "/app").await.0, 401, "{bad}");
    }
    assert_eq!(stage.get(&stage.jwt(&json!({ "iss": 1 })), "/app").await.0, 404);
    let other = Stage::with(|config| SandboxConfig { seed: 2, private_key: None, ..config }).await;
    assert_eq!(stage.get(&other.jwt(&json!({ "iss": stage.sandbox.app_id() })), "/app").await.0, 401, "another key");
    assert_eq!(stage.get(&stage.token("mona"), "/app").await.0, 401);
    let jwt = stage.jwt(&json!({}));
    assert_eq!(stage.get(&jwt, "/repos/acme/rocket/issues").await.0, 401, "a JWT is no access token");
}

#[tokio::test]
async fn tokens_are_narrowed_never_widened_and_end_after_an_hour() {
    let stage = Stage::new().await;
    let repo = stage.get("", "/repos/acme/rocket").await.1["id"].as_u64().unwrap();
    let ask = json!({ "repository_ids": [repo], "permissions": { "issues": "write" } });
    let path = format!("/app/installations/{}/access_tokens", stage.installation);
    let (status, minted) = stage.post(&stage.jwt(&json!({})), &path, ask).await;
    assert_eq!((status, &minted["permissions"]["issues"]), (201, &json!("write")));
    assert_eq!(minted["expires_at"], "2026-01-01T01:00:00Z");
    let token = minted["token"].as_str().unwrap();
    let (_, list) = stage.get(token, "/installation/repositories").await;
    assert_eq!((&list["total_count"], list["repositories"][0]["id"].as_u64()), (&json!(1), Some(repo)));
    for bad in [
        json!({ "permissions": { "issues": "admin" } }),
        json!({ "permissions": { "contents": "read" } }),
        json!({ "permissions": { "pull_requests": "write" } }),
        json!({ "repository_ids": [1] }),
        json!({ "repositories": ["docs"] }),
    ] {
        assert_eq!(stage.post(&stage.jwt(&json!({})), &path, bad.clone()).await.0, 422, "{bad}");
    }
    stage.advance_secs(3_599);
    assert_eq!(stage.get(token, "/repos/acme/rocket").await.0, 200);
    stage.advance_secs(1);
    assert_eq!(stage.get(token, "/repos/acme/rocket").await.0, 401);
}

#[tokio::test]
async fn a_suspended_installation_gets_no_tokens_and_its_tokens_stop() {
    let stage = Stage::new().await;
    let token = stage.mint(json!({})).await;
    stage.sandbox.suspend(stage.installation, true).unwrap();
    let path = format!("/app/installations/{}/access_tokens", stage.installation);
    assert_eq!(stage.post(&stage.jwt(&json!({})), &path, json!({})).await.0, 403);
    assert_eq!(stage.get(&token, "/repos/acme/rocket").await.0, 403);
    let (_, shown) = stage.get(&stage.jwt(&json!({})), &format!("/app/installations/{}", stage.installation)).await;
    assert_eq!(shown["suspended_at"], "2026-01-01T00:00:00Z");
    stage.sandbox.suspend(stage.installation, false).unwrap();
    assert_eq!(stage.get(&token, "/repos/acme/rocket").await.0, 200);
    stage.sandbox.uninstall(stage.installation).unwrap();
    assert_eq!(stage.get(&token, "/repos/acme/rocket").await.0, 401);
    assert_eq!(stage.post(&stage.jwt(&json!({})), &path, json!({})).await.0, 404);
}

#[tokio::test]
async fn installations_are_listed_in_pages() {
    let stage = Stage::new().await;
    for owner in ["one", "two"] {
        let name = format!("{owner}/repo");
        stage.sandbox.add_repo(&name).unwrap();
        stage.sandbox.install(&[&name]).unwrap();
    }
    let jwt = stage.jwt(&json!({}));
    let answer = stage.send(Method::GET, &jwt, "/app/installations?per_page=2", Value::Null).await.unwrap();
    let link = answer.headers()["link"].to_str().unwrap().to_owned();
    assert!(link.contains(&format!("<{}/app/installations?per_page=2&page=2>; rel=\"next\"", stage.sandbox.api_url())));
    let (_, second) = stage.get(&jwt, "/app/installations?per_page=2&page=2").await;
    assert_eq!(second.as_array().unwrap().len(), 1);
    let (_, found) = stage.get(&jwt, "/repos/acme/rocket/installation").await;
    assert_eq!(found["id"].as_u64(), Some(stage.installation));
}
