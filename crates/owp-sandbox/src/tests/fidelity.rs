//! Tests of details of GitHub's behaviour that a stand-in easily misses.

use super::*;
use crate::PrSpec;

const TOKENS: &str = "/app/installations/{id}/access_tokens";

#[tokio::test]
async fn a_token_that_is_given_back_ends_and_no_other_of_the_installation() {
    let stage = Stage::new().await;
    let (kept, spent) = (stage.mint(json!({})).await, stage.mint(json!({})).await);
    assert_eq!(stage.call(Method::DELETE, &spent, "/installation/token", Value::Null).await.0, 204);
    assert_eq!(stage.get(&spent, "/installation/repositories").await.0, 401);
    assert_eq!(stage.get(&kept, "/installation/repositories").await.0, 200);
    assert_eq!(stage.call(Method::DELETE, &stage.token("mona"), "/installation/token", Value::Null).await.0, 401);
}

#[tokio::test]
async fn each_kind_of_credential_opens_its_own_calls() {
    let stage = Stage::new().await;
    let (jwt, token, mona) = (stage.jwt(&json!({})), stage.mint(json!({})).await, stage.token("mona"));
    let tokens = TOKENS.replace("{id}", &stage.installation.to_string());
    for (who, path) in [
        (&jwt, "/repos/acme/rocket"),
        (&jwt, "/repos/acme/rocket/issues"),
        (&jwt, "/user"),
        (&jwt, "/installation/repositories"),
        (&mona, "/repos/acme/rocket/installation"),
        (&token, "/repos/acme/rocket/installation"),
        (&mona, "/app"),
    ] {
        assert_eq!(stage.get(who, path).await.0, 401, "{path}");
    }
    assert_eq!(stage.post(&token, &tokens, json!({})).await.0, 401);
    assert_eq!(stage.post(&mona, &tokens, json!({})).await.0, 401);
    assert_eq!(stage.post(&jwt, &tokens, json!({})).await.0, 201);
}

#[tokio::test]
async fn what_no_permission_of_the_app_allows_is_refused_and_not_missing() {
    let stage = Stage::new().await;
    let (token, release) = (stage.mint(json!({})).await, json!({ "tag_name": "v1" }));
    assert_eq!(stage.post(&token, "/repos/acme/rocket/releases", release.clone()).await.0, 403);
    assert_eq!(stage.post("", "/repos/acme/rocket/releases", release.clone()).await.0, 401);
    assert_eq!(stage.post(&token, "/repos/acme/docs/releases", release).await.0, 404, "outside the installation");
    assert_eq!(stage.post(&token, "/repos/acme/rocket/nonsense", json!({})).await.0, 404);
}

#[tokio::test]
async fn a_timeline_tells_events_comments_and_mentions_in_their_order() {
    let stage = Stage::new().await;
    let (mona, ada) = (stage.sandbox.as_user("mona"), stage.sandbox.as_user("ada"));
    let issue = mona.open_issue(ROCKET, "One", "", &["bug"]).unwrap();
    stage.advance_secs(1);
    ada.comment(ROCKET, issue, "mine").unwrap();
    stage.advance_secs(1);
    let spec = PrSpec { head: "fix".into(), title: "Fix".into(), body: format!("See #{issue}"), ..PrSpec::default() };
    let pull = ada.open_pr(ROCKET, spec).unwrap();
    mona.open_issue("acme/docs", "Elsewhere", &format!("as acme/rocket#{issue}"), &[]).unwrap();
    mona.open_issue(ROCKET, "Nothing", &format!("`#{issue}` is code"), &[]).unwrap();
    let path = format!("/repos/acme/rocket/issues/{issue}/timeline");
    let (_, entries) = stage.get("", &path).await;
    let kinds: Vec<&str> = entries.as_array().unwrap().iter().map(|one| one["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["labeled", "commented", "cross-referenced", "cross-referenced"]);
    assert_eq!(entries[2]["source"]["issue"]["number"].as_u64(), Some(pull));
    assert!(entries[2]["source"]["issue"]["pull_request"].is_object());
    assert_eq!(entries[3]["source"]["issue"]["repository"]["full_name"], "acme/docs");
    mona.set_private("acme/docs", true).unwrap();
    let (_, entries) = stage.get("", &path).await;
    assert_eq!(entries.as_array().unwrap().len(), 3, "a private place is not told of");
}

#[tokio::test]
async fn a_pull_request_needs_a_branch_that_is_there() {
    let stage = Stage::new().await;
    let (mona, ada) = (stage.token("mona"), stage.token("ada"));
    let open = |head: &str| json!({ "title": "Fix", "head": head, "base": "main" });
    let (status, refused) = stage.post(&mona, "/repos/acme/rocket/pulls", open("none")).await;
    assert_eq!((status, &refused["errors"][0]["field"]), (422, &json!("head")));
    assert_eq!(stage.post(&ada, "/repos/acme/rocket/pulls", open("ada:fix")).await.0, 422, "there is no fork either");
    assert_eq!(stage.get("", "/repos/ada/rocket").await.0, 404, "and none springs into being");

    let (_, main) = stage.get(&mona, "/repos/acme/rocket/git/ref/heads/main").await;
    let make = |name: &str, sha: &Value| json!({ "ref": name, "sha": sha });
    let refs = "/repos/acme/rocket/git/refs";
    assert_eq!(stage.post(&mona, refs, make("refs/heads/fix", &json!("0".repeat(40)))).await.0, 422);
    assert_eq!(stage.post(&ada, refs, make("refs/heads/fix", &main["object"]["sha"])).await.0, 403);
    assert_eq!(stage.post(&mona, refs, make("fix", &main["object"]["sha"])).await.0, 422);
    assert_eq!(stage.post(&mona, refs, make("refs/heads/fix", &main["object"]["sha"])).await.0, 201);
    assert_eq!(stage.post(&mona, refs, make("refs/heads/fix", &main["object"]["sha"])).await.0, 422, "once");
    let (status, pull) = stage.post(&mona, "/repos/acme/rocket/pulls", open("fix")).await;
    assert_eq!((status, &pull["head"]["sha"]), (201, &main["object"]["sha"]));
    let number = pull["number"].as_u64().unwrap();
    let pushed = stage.sandbox.as_user("mona").push(ROCKET, number).unwrap();
    let (_, moved) = stage.get(&mona, "/repos/acme/rocket/git/ref/heads/fix").await;
    assert_eq!(moved["object"]["sha"], json!(pushed));
    assert_eq!(stage.get(&mona, "/repos/acme/rocket/git/ref/heads/none").await.0, 404);
    let file = json!({ "message": "m", "content": "", "branch": "none" });
    assert_eq!(stage.call(Method::PUT, &mona, "/repos/acme/rocket/contents/a.txt", file).await.0, 404);
}

#[tokio::test]
async fn a_draft_is_not_made_by_an_edit() {
    let stage = Stage::new().await;
    let spec = PrSpec { head: "fix".into(), title: "Fix".into(), ..PrSpec::default() };
    let number = stage.sandbox.as_user("ada").open_pr(ROCKET, spec).unwrap();
    let path = format!("/repos/acme/rocket/pulls/{number}");
    let (status, edited) = stage.call(Method::PATCH, &stage.token("ada"), &path, json!({ "draft": true })).await;
    assert_eq!((status, &edited["draft"]), (200, &json!(false)), "GitHub converts by GraphQL alone");
}

#[tokio::test]
async fn a_commit_knows_its_pull_requests() {
    let stage = Stage::new().await;
    let ada = stage.sandbox.as_user("ada");
    let spec = PrSpec { head: "fix".into(), title: "Fix".into(), ..PrSpec::default() };
    let number = ada.open_pr(ROCKET, spec).unwrap();
    let sha = ada.push(ROCKET, number).unwrap();
    let (_, pulls) = stage.get("", &format!("/repos/acme/rocket/commits/{sha}/pulls")).await;
    assert_eq!(pulls[0]["number"].as_u64(), Some(number));
    let (status, none) = stage.get("", &format!("/repos/acme/rocket/commits/{}/pulls", "0".repeat(40))).await;
    assert_eq!((status, none), (200, json!([])));
}

#[tokio::test]
async fn a_request_without_a_user_agent_is_refused() {
    let stage = Stage::new().await;
    let bare = reqwest::Client::new();
    let url = format!("{}/repos/acme/rocket", stage.sandbox.api_url());
    let answer = bare.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("User-Agent"));
    assert_eq!(bare.get(&url).header("user-agent", "story").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn answers_to_the_app_name_the_permissions_that_open_a_call() {
    let stage = Stage::new().await;
    let token = stage.mint(json!({})).await;
    let named = |token: String, path: &'static str| {
        let stage = &stage;
        async move {
            let answer = stage.send(Method::GET, &token, path, Value::Null).await.unwrap();
            answer.headers().get("x-accepted-github-permissions").map(|value| value.to_str().unwrap().to_owned())
        }
    };
    assert_eq!(named(token.clone(), "/repos/acme/rocket").await.as_deref(), Some("metadata=read"));
    assert_eq!(named(token, "/repos/acme/rocket/pulls").await.as_deref(), Some("pull_requests=read"));
    assert_eq!(named(stage.token("mona"), "/repos/acme/rocket").await, None);
}

#[tokio::test]
async fn without_credentials_sixty_requests_an_hour_are_answered() {
    let stage = Stage::new().await;
    for _ in 0..60 {
        assert_eq!(stage.get("", "/users/ada").await.0, 200);
    }
    assert_eq!(stage.get("", "/users/ada").await.0, 403);
    let (status, left) = stage.get("", "/rate_limit").await;
    assert_eq!((status, &left["rate"]["limit"]), (200, &json!(60)), "asking what is left costs nothing");
    assert_eq!(stage.get(&stage.token("ada"), "/users/ada").await.0, 200);
}

#[tokio::test]
async fn a_person_makes_a_repository_of_their_own() {
    let stage = Stage::new().await;
    let ada = stage.token("ada");
    let (status, made) = stage.post(&ada, "/user/repos", json!({ "name": "notes", "private": true })).await;
    assert_eq!((status, &made["full_name"], &made["private"]), (201, &json!("ada/notes"), &json!(true)));
    assert_eq!(stage.post(&ada, "/user/repos", json!({ "name": "notes" })).await.0, 422);
    assert_eq!(stage.post(&ada, "/user/repos", json!({})).await.0, 422);
    assert_eq!(stage.post("", "/user/repos", json!({ "name": "x" })).await.0, 401);
    assert_eq!(stage.post(&stage.mint(json!({})).await, "/user/repos", json!({ "name": "x" })).await.0, 403);
}
