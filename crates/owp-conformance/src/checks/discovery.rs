//! Checks of discovery before registration.

use super::super::check_result::{CheckError, CheckResult, must};
use super::super::lab::Lab;
use super::checks;
use serde_json::{Value, json};

checks! {
    Extended "DISC-1" "`GET /.well-known/owp` returns protocol, versions, features and limits without a token." => tells_itself;
    Extended "DISC-2" "A server of OWP 1.0 also supports 0.1." => older_versions;
    Extended "DISC-3" "`features` is a list of names, each once." => features_are_names;
}

async fn said(lab: &Lab) -> CheckResult<Value> {
    let answer = lab.http.get("/.well-known/owp").send().await?;
    if answer.status == 404 {
        return Err(CheckError::Skip("the server has no discovery document, so it supports only 0.1".to_owned()));
    }
    answer.must_be(200)?;
    answer.must_json()
}

async fn tells_itself(lab: &Lab) -> CheckResult {
    let said = said(lab).await?;
    must(said["protocol"] == "owp", || format!("`protocol` is {}", said["protocol"]))?;
    must(said["versions"].is_array(), || format!("`versions` is {}", said["versions"]))?;
    must(said["features"].is_array(), || format!("`features` is {}", said["features"]))?;
    must(said["limits"].is_object(), || format!("`limits` is {}", said["limits"]))
}

async fn older_versions(lab: &Lab) -> CheckResult {
    let said = said(lab).await?;
    let speaks = |version: &str| said["versions"].as_array().is_some_and(|all| all.contains(&json!(version)));
    must(speaks("0.1") && speaks("1.0"), || format!("`versions` is {}", said["versions"]))
}

async fn features_are_names(lab: &Lab) -> CheckResult {
    let said = said(lab).await?;
    let features = said["features"].as_array().cloned().unwrap_or_default();
    let names: std::collections::BTreeSet<&str> = features.iter().filter_map(Value::as_str).collect();
    must(names.len() == features.len(), || format!("`features` is {}", said["features"]))
}
