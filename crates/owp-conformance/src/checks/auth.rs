//! Checks of authentication.

use super::super::check_result::CheckResult;
use super::super::lab::{Lab, encoded};
use super::checks;
use serde_json::json;

checks! {
    Core "AUTH-1" "A worker's calls without a token are answered 401." => no_token;
    Core "AUTH-2" "An unknown token is answered 401." => unknown_token;
    Core "AUTH-3" "Admin calls without the admin token, or with another, are answered 401." => admin_token;
    Core "AUTH-4" "Admin calls with a worker's token are answered 401." => worker_is_no_admin;
    Core "AUTH-5" "A token in the URL gives no access." => token_in_query;
}

/// Common names of query parameters that carry tokens.
const NAMES: [&str; 10] = [
    "token",
    "access_token",
    "auth_token",
    "bearer",
    "authorization",
    "auth",
    "api_key",
    "key",
    "admin_token",
    "x-admin-token",
];

async fn no_token(lab: &Lab) -> CheckResult {
    lab.http.get("/v1/work").send().await?.must_be(401)?;
    lab.http.post("/v1/workers/heartbeat", &json!({})).send().await?.must_be(401)?;
    lab.http.post("/v1/tasks/t_0/status", &json!({ "status": "in_progress" })).send().await?.must_be(401)
}

async fn unknown_token(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    let mut cut = worker.token.clone();
    cut.pop();
    // A secret without its last character is as sensitive as the secret.
    lab.http.secrets.learn(&cut);
    for token in [lab.unique_name("owp_nobody"), cut, format!("{}x", worker.token), worker.id.clone()] {
        lab.http.get("/v1/work").bearer(&token).send().await?.must_be(401)?;
    }
    Ok(())
}

async fn admin_token(lab: &Lab) -> CheckResult {
    let body = json!({ "repo": lab.unique_name("conformance/nobody") });
    let wrong = format!("{}x", lab.options.admin_token);
    for token in [None, Some(wrong.as_str())] {
        for call in [lab.http.get("/v1/admin/state"), lab.http.post("/v1/admin/repos", &body)] {
            let call = match token {
                None => call,
                Some(token) => call.header("X-Admin-Token", token),
            };
            call.send().await?.must_be(401)?;
        }
    }
    Ok(())
}

async fn worker_is_no_admin(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    lab.http.get("/v1/admin/state").bearer(&worker.token).send().await?.must_be(401)?;
    lab.http.get("/v1/admin/state").header("X-Admin-Token", &worker.token).send().await?.must_be(401)
}

async fn token_in_query(lab: &Lab) -> CheckResult {
    let worker = lab.worker(json!({})).await?;
    for (path, token) in [("/v1/work", &worker.token), ("/v1/admin/state", &lab.options.admin_token)] {
        for name in NAMES {
            lab.http.get(format!("{path}?{name}={}", encoded(token))).send().await?.must_be(401)?;
        }
    }
    Ok(())
}
