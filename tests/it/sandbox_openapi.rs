//! Holds the sandbox against GitHub's own OpenAPI description: every call it offers is made for real, and status and
//! body of each answer are checked. A call that no step here makes fails the test, so none can be added unchecked.
//!
//! The description comes from npm (`@octokit/openapi`), installed under `tests/npm/`.

use crate::github_data::openapi::{compile, complaints, description};
use crate::support::github::sandbox;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use owp_sandbox::{PrSpec, Role, Sandbox};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600_000;

/// Calls that GitHub's description does not have.
const NOT_REST: [&str; 1] = ["/graphql"];

/// The box, the description, and which calls were held against it.
struct Bench {
    sandbox: Sandbox,
    description: Value,
    http: reqwest::Client,
    checked: BTreeSet<(String, String)>,
    problems: Vec<String>,
}

impl Bench {
    async fn new() -> Self {
        let sandbox = Sandbox::start(sandbox(|| NOW).with_checks()).await.unwrap();
        let http =
            reqwest::Client::builder().user_agent("bench").redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { sandbox, description: description(), http, checked: BTreeSet::new(), problems: Vec::new() }
    }

    fn jwt(&self) -> String {
        let claims = json!({ "iat": NOW / 1_000 - 60, "exp": NOW / 1_000 + 540, "iss": self.sandbox.app_id() });
        let key = EncodingKey::from_rsa_pem(self.sandbox.private_key_pem().as_bytes()).unwrap();
        encode(&Header::new(Algorithm::RS256), &claims, &key).unwrap()
    }

    fn token(&self, login: &str) -> String {
        self.sandbox.add_user(login).token
    }

    /// Makes a call, and checks that its status is the expected one and that status and body are as described.
    async fn call(&mut self, method: Method, token: &str, path: &str, body: Value, status: u16) -> Value {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.sandbox.api_url()));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let got = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(got, status, "{method} {path}: {text}");
        let route = self.sandbox.requests().last().unwrap().route.clone();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        self.check(&method, &route, status, &body, bytes.is_empty());
        if status < 300 {
            self.checked.insert((method.to_string(), route));
        }
        body
    }

    fn check(&mut self, method: &Method, route: &str, status: u16, body: &Value, empty: bool) {
        if NOT_REST.contains(&route) {
            return;
        }
        // The box's router wants one name for what stands in one place.
        let path = route.replace("{*path}", "{path}").replace("{*ref}", "{ref}");
        let path = path.replace("/commits/{ref}/pulls", "/commits/{commit_sha}/pulls");
        let name = format!("{method} {path} {status}");
        let operation = &self.description["paths"][&path][method.as_str().to_lowercase()];
        if operation.is_null() {
            self.problems.push(format!("{name}: GitHub has no such call"));
            return;
        }
        let mut response = &operation["responses"][status.to_string()];
        if let Some(pointer) = response["$ref"].as_str() {
            response = self.description.pointer(&pointer[1..]).unwrap();
        }
        if response.is_null() {
            self.problems.push(format!("{name}: GitHub describes no such status"));
            return;
        }
        let schema = &response["content"]["application/json"]["schema"];
        if schema.is_null() {
            if !empty && status < 300 && status != 202 {
                self.problems.push(format!("{name}: a body where GitHub has none"));
            }
            return;
        }
        let complaints = complaints(&self.description, schema, body);
        self.problems.extend(complaints.into_iter().map(|one| format!("{name}: {one}")));
    }

    async fn get(&mut self, token: &str, path: &str, status: u16) -> Value {
        self.call(Method::GET, token, path, Value::Null, status).await
    }

    async fn post(&mut self, token: &str, path: &str, body: Value, status: u16) -> Value {
        self.call(Method::POST, token, path, body, status).await
    }
}

const REPO: &str = "/repos/acme/rocket";

async fn issues(bench: &mut Bench, mona: &str, app: &str) {
    let issue = json!({ "title": "One", "body": "text", "labels": ["bug"], "assignees": ["ada"] });
    bench.post(mona, &format!("{REPO}/issues"), issue, 201).await;
    bench.post(mona, &format!("{REPO}/issues"), json!({}), 422).await;
    bench.get(app, &format!("{REPO}/issues?state=all"), 200).await;
    bench.get(app, &format!("{REPO}/issues/1"), 200).await;
    bench.get(app, &format!("{REPO}/issues/99"), 404).await;
    let edit = json!({ "title": "Uno", "body": "more", "state": "closed", "state_reason": "not_planned" });
    bench.call(Method::PATCH, mona, &format!("{REPO}/issues/1"), edit, 200).await;
    bench.call(Method::PATCH, mona, &format!("{REPO}/issues/1"), json!({ "state": "open" }), 200).await;
    bench.call(Method::PATCH, app, &format!("{REPO}/issues/1"), json!({ "title": "" }), 422).await;
    let labels = format!("{REPO}/issues/1/labels");
    bench.post(mona, &labels, json!({ "labels": ["a", "b"] }), 200).await;
    bench.call(Method::PUT, mona, &labels, json!({ "labels": ["a", "c"] }), 200).await;
    bench.get("", &labels, 200).await;
    bench.call(Method::DELETE, mona, &format!("{labels}/a"), Value::Null, 200).await;
    bench.call(Method::DELETE, mona, &format!("{labels}/zzz"), Value::Null, 404).await;
    bench.call(Method::DELETE, mona, &labels, Value::Null, 204).await;
    bench.post(mona, &format!("{REPO}/labels"), json!({ "name": "new", "color": "00ff00" }), 201).await;
    bench.get("", &format!("{REPO}/labels"), 200).await;
    bench.call(Method::PUT, mona, &format!("{REPO}/issues/1/lock"), json!({}), 204).await;
    bench.call(Method::DELETE, mona, &format!("{REPO}/issues/1/lock"), Value::Null, 204).await;
    bench.get(app, &format!("{REPO}/issues/1/events"), 200).await;
    bench.post(mona, &format!("{REPO}/issues"), json!({ "title": "Two", "body": "See #1." }), 201).await;
    let comments = format!("{REPO}/issues/1/comments");
    let comment = bench.post(app, &comments, json!({ "body": "hello" }), 201).await;
    bench.post(app, &comments, json!({ "body": "" }), 422).await;
    bench.post(app, &format!("{REPO}/issues/99/comments"), json!({ "body": "x" }), 404).await;
    bench.get(app, &comments, 200).await;
    let timeline = bench.get(app, &format!("{REPO}/issues/1/timeline"), 200).await;
    let tells = |event: &str| timeline.as_array().unwrap().iter().any(|one| one["event"] == event);
    assert!(tells("closed") && tells("commented") && tells("cross-referenced"));
    bench.get(app, &format!("{REPO}/issues/comments"), 200).await;
    let one = format!("{REPO}/issues/comments/{}", comment["id"]);
    bench.get(app, &one, 200).await;
    bench.call(Method::PATCH, app, &one, json!({ "body": "bye" }), 200).await;
    bench.call(Method::DELETE, app, &one, Value::Null, 204).await;
    bench.get(app, &one, 404).await;
}

async fn pulls(bench: &mut Bench, mona: &str, app: &str) {
    let ada = bench.token("ada");
    bench.post(&ada, &format!("{REPO}/forks"), json!({}), 202).await;
    let main = bench.get(&ada, "/repos/ada/rocket/git/ref/heads/main", 200).await;
    bench.get(&ada, "/repos/ada/rocket/git/ref/heads/none", 404).await;
    let branch = json!({ "ref": "refs/heads/fix", "sha": main["object"]["sha"] });
    bench.post(&ada, "/repos/ada/rocket/git/refs", branch.clone(), 201).await;
    bench.post(&ada, "/repos/ada/rocket/git/refs", branch, 422).await;
    let new = json!({ "title": "Fix", "head": "ada:fix", "base": "main", "body": "fixes #1", "draft": true });
    let pull = bench.post(&ada, &format!("{REPO}/pulls"), new, 201).await;
    bench.post(&ada, &format!("{REPO}/pulls"), json!({ "title": "Fix", "head": "ada:fix", "base": "main" }), 422).await;
    let number = pull["number"].as_u64().unwrap();
    let one = format!("{REPO}/pulls/{number}");
    bench.get(app, &format!("{REPO}/pulls?state=all"), 200).await;
    bench.get(app, &format!("{REPO}/issues?state=all"), 200).await;
    bench.get(app, &one, 200).await;
    bench.get(app, &format!("{REPO}/pulls/99"), 404).await;
    let sha = pull["head"]["sha"].as_str().unwrap();
    bench.get(app, &format!("{REPO}/commits/{sha}/pulls"), 200).await;
    bench.call(Method::PATCH, &ada, &one, json!({ "body": "Fixes #1.", "base": "next" }), 200).await;
    bench.call(Method::PUT, mona, &format!("{one}/merge"), json!({}), 405).await;
    let ready = format!(
        "mutation {{ markPullRequestReadyForReview(input: {{pullRequestId: {}}}) {{ clientMutationId }} }}",
        pull["node_id"]
    );
    bench.post(&ada, "/graphql", json!({ "query": ready }), 200).await;
    bench.get(app, &format!("{one}/merge"), 404).await;
    bench.call(Method::PUT, &ada, &format!("{one}/merge"), json!({}), 403).await;
    reviews(bench, mona, app, &one).await;
    bench.call(Method::PUT, mona, &format!("{one}/merge"), json!({ "sha": "0" }), 409).await;
    bench.call(Method::PUT, mona, &format!("{one}/merge"), json!({}), 200).await;
    bench.get(app, &format!("{one}/merge"), 204).await;
    bench.get(app, &one, 200).await;
    // A fork that is gone leaves a head without a repository.
    let spec = PrSpec { head: "more".into(), title: "More".into(), ..PrSpec::default() };
    let orphan = bench.sandbox.as_user("ada").open_pr("acme/rocket", spec).unwrap();
    bench.call(Method::DELETE, &ada, "/repos/ada/rocket", Value::Null, 204).await;
    assert_eq!(bench.get(app, &format!("{REPO}/pulls/{orphan}"), 200).await["head"]["repo"], Value::Null);
}

async fn reviews(bench: &mut Bench, mona: &str, app: &str, pull: &str) {
    let files = bench.get(app, &format!("{pull}/files"), 200).await;
    let note = json!({ "path": files[0]["filename"], "line": 1, "body": "Why?" });
    let (reviews, wants) = (format!("{pull}/reviews"), json!({ "event": "REQUEST_CHANGES", "comments": [note] }));
    bench.post(mona, &reviews, wants, 200).await;
    bench.post(mona, &reviews, json!({ "event": "APPROVE", "body": "Good." }), 200).await;
    bench.post(mona, &reviews, json!({ "event": "COMMENT" }), 422).await;
    assert_eq!(bench.get(app, &reviews, 200).await[0]["state"], "CHANGES_REQUESTED");
    assert_eq!(bench.get(app, &format!("{pull}/comments"), 200).await[0]["body"], "Why?");
}

async fn checks(bench: &mut Bench, app: &str) {
    let spec = PrSpec { head: "checked".into(), title: "Checked".into(), signed: true, ..PrSpec::default() };
    let mona = bench.sandbox.as_user("mona");
    let number = mona.open_pr("acme/rocket", spec).unwrap();
    mona.push("acme/rocket", number).unwrap();
    let sha = bench.sandbox.pull("acme/rocket", number).unwrap().head_sha;
    let (runs, status) = (format!("{REPO}/commits/{sha}/check-runs"), format!("{REPO}/commits/{sha}/status"));
    assert_eq!(bench.get(app, &runs, 200).await["total_count"], 0);
    assert_eq!(bench.get(app, &status, 200).await["state"], "pending");
    for (name, state, conclusion) in
        [("ci/test", "queued", None), ("ci/lint", "in_progress", None), ("ci/test", "completed", Some("failure"))]
    {
        bench.sandbox.set_check("acme/rocket", number, name, state, conclusion).unwrap();
    }
    bench.sandbox.set_status("acme/rocket", number, "legacy/build", "success").unwrap();
    assert_eq!(bench.get(app, &runs, 200).await["total_count"], 2);
    assert_eq!(bench.get(app, &status, 200).await["state"], "success");
    bench.get(app, &format!("{REPO}/commits/{}/status", "0".repeat(40)), 404).await;
    let commits = bench.get(app, &format!("{REPO}/pulls/{number}/commits"), 200).await;
    let verified = |place: usize| commits[place]["commit"]["verification"]["verified"].clone();
    assert_eq!((verified(0), verified(1)), (json!(true), json!(false)));
}

async fn teams(bench: &mut Bench, app: &str) {
    bench.sandbox.add_team_member("acme", "Core", "ada");
    bench.get(app, "/orgs/acme/teams/core/members", 200).await;
    bench.get(app, "/orgs/acme/teams/core/memberships/ada", 200).await;
    bench.get(app, "/orgs/acme/teams/core/memberships/bo", 404).await;
    bench.get(app, "/orgs/acme/teams/none/memberships/ada", 404).await;
}

/// Last of all: the box's app becomes another one.
async fn another_app(bench: &mut Bench) {
    let manifest = json!({
        "name": "OWP Pool", "url": "https://owp.example.org", "redirect_url": "https://owp.example.org/setup/done",
        "default_permissions": { "issues": "write" }, "default_events": ["issues"],
    });
    let page = format!("{}/settings/apps/new?state=abc", bench.sandbox.api_url());
    let form: String = form_urlencoded::byte_serialize(manifest.to_string().as_bytes()).collect();
    let request = bench.http.post(page).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(format!("manifest={form}")).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    let to = answer.headers()["location"].to_str().unwrap();
    let code = to.strip_prefix("https://owp.example.org/setup/done?code=").unwrap().trim_end_matches("&state=abc");
    let exchange = format!("/app-manifests/{code}/conversions");
    bench.post("", &exchange, Value::Null, 201).await;
    bench.post("", &exchange, Value::Null, 404).await;
    let jwt = bench.jwt();
    assert_eq!(bench.get(&jwt, "/app", 200).await["name"], "OWP Pool");
}

async fn repositories(bench: &mut Bench, mona: &str, app: &str) {
    bench.get(app, REPO, 200).await;
    bench.get(mona, REPO, 200).await;
    bench.get(app, "/repos/acme/none", 404).await;
    bench.call(Method::PATCH, mona, REPO, json!({ "default_branch": "trunk" }), 200).await;
    let file = format!("{REPO}/contents/.github/owp.yml");
    bench.get(app, &file, 404).await;
    bench.call(Method::PUT, mona, &file, json!({ "message": "policy", "content": "dmVyc2lvbjogMQo=" }), 201).await;
    let shown = bench.get(app, &file, 200).await;
    let change = json!({ "message": "again", "content": "dmVyc2lvbjogMgo=", "sha": shown["sha"] });
    bench.call(Method::PUT, mona, &file, change, 200).await;
    bench.call(Method::PUT, mona, &format!("{REPO}/collaborators/bo"), json!({ "permission": "triage" }), 204).await;
    bench.get(app, &format!("{REPO}/collaborators/bo/permission"), 200).await;
    bench.get(app, &format!("{REPO}/collaborators/nobody/permission"), 404).await;
    bench.call(Method::DELETE, mona, &format!("{REPO}/collaborators/bo"), Value::Null, 204).await;
    bench.get(mona, "/user", 200).await;
    bench.post(mona, "/user/repos", json!({ "name": "notes" }), 201).await;
    bench.post(mona, "/user/repos", json!({ "name": "notes" }), 422).await;
    bench.post("", "/user/repos", json!({ "name": "x" }), 401).await;
    bench.get("", "/user", 401).await;
    bench.get("", "/users/ada", 200).await;
    bench.get("", "/users/nobody", 404).await;
    let ada = bench.sandbox.add_user("ada").id;
    bench.get("", &format!("/user/{ada}"), 200).await;
    bench.get(app, "/rate_limit", 200).await;
}

async fn the_app(bench: &mut Bench, installation: u64) {
    let jwt = bench.jwt();
    bench.get(&jwt, "/app", 200).await;
    bench.get(&jwt, "/app/hook/config", 200).await;
    bench.call(Method::PATCH, &jwt, "/app/hook/config", json!({ "content_type": "json" }), 200).await;
    bench.sandbox.hold_deliveries();
    bench.sandbox.ping();
    bench.sandbox.as_user("mona").open_issue("acme/rocket", "Announced", "", &[]).unwrap();
    bench.sandbox.take_deliveries();
    let list = bench.get(&jwt, "/app/hook/deliveries", 200).await;
    let delivery = format!("/app/hook/deliveries/{}", list[0]["id"]);
    bench.get(&jwt, &delivery, 200).await;
    bench.post(&jwt, &format!("{delivery}/attempts"), Value::Null, 202).await;
    bench.get(&jwt, "/app/hook/deliveries?cursor=nonsense", 400).await;
    bench.get(&jwt, "/app/installations", 200).await;
    let one = format!("/app/installations/{installation}");
    bench.get(&jwt, &one, 200).await;
    bench.get(&jwt, "/app/installations/1", 404).await;
    bench.get(&jwt, &format!("{REPO}/installation"), 200).await;
    let tokens = format!("{one}/access_tokens");
    let ask = json!({ "repositories": ["rocket"], "permissions": { "issues": "write", "single_file": "read" } });
    let minted = bench.post(&jwt, &tokens, ask, 201).await;
    bench.post(&jwt, &tokens, json!({ "permissions": { "issues": "admin" } }), 422).await;
    bench.post("", &tokens, json!({}), 401).await;
    let token = minted["token"].as_str().unwrap();
    bench.get(token, "/installation/repositories", 200).await;
    bench.call(Method::DELETE, token, "/installation/token", Value::Null, 204).await;
    bench.get(token, "/installation/repositories", 401).await;
    bench.call(Method::PUT, &jwt, &format!("{one}/suspended"), Value::Null, 204).await;
    bench.get(&jwt, &one, 200).await;
    bench.post(&jwt, &tokens, json!({}), 403).await;
    bench.call(Method::DELETE, &jwt, &format!("{one}/suspended"), Value::Null, 204).await;
}

#[tokio::test]
async fn every_answer_is_as_github_describes_it() {
    let mut bench = Bench::new().await;
    bench.sandbox.add_repo("acme/rocket").unwrap();
    bench.sandbox.add_collaborator("acme/rocket", "mona", Role::Admin).unwrap();
    bench.sandbox.add_user("ada");
    bench.sandbox.add_user("bo");
    let installation = bench.sandbox.install(&["acme/rocket"]).unwrap();
    let everything = [
        ("issues", "write"),
        ("pull_requests", "read"),
        ("contents", "read"),
        ("metadata", "read"),
        ("single_file", "read"),
        ("checks", "read"),
        ("statuses", "read"),
        ("members", "read"),
    ];
    let everything = everything.map(|(name, level)| (name.to_owned(), level.to_owned()));
    bench.sandbox.grant(installation, everything.into()).unwrap();
    let (mona, jwt) = (bench.token("mona"), bench.jwt());
    let minted = bench.post(&jwt, &format!("/app/installations/{installation}/access_tokens"), json!({}), 201).await;
    let app = minted["token"].as_str().unwrap().to_owned();
    issues(&mut bench, &mona, &app).await;
    pulls(&mut bench, &mona, &app).await;
    checks(&mut bench, &app).await;
    teams(&mut bench, &app).await;
    repositories(&mut bench, &mona, &app).await;
    the_app(&mut bench, installation).await;
    let mona_deletes = bench.sandbox.as_user("mona");
    mona_deletes.delete_issue("acme/rocket", 1).unwrap();
    bench.get(&mona, &format!("{REPO}/issues/1"), 410).await;
    mona_deletes.rename_repo("acme/rocket", "ship").unwrap();
    bench.get(&mona, REPO, 301).await;
    bench.call(Method::DELETE, &bench.jwt(), &format!("/app/installations/{installation}"), Value::Null, 204).await;
    another_app(&mut bench).await;
    assert!(bench.problems.is_empty(), "{} problems:\n{}", bench.problems.len(), bench.problems.join("\n"));
    let offered = Sandbox::endpoints().into_iter().map(|(method, path)| (method.to_owned(), path.to_owned()));
    let unchecked: Vec<_> = offered.filter(|one| !bench.checked.contains(one)).collect();
    assert!(unchecked.is_empty(), "no step makes these calls: {unchecked:?}");
}

#[test]
fn the_check_notices_a_wrong_answer() {
    let description = description();
    let schema = json!({ "$ref": "#/components/schemas/simple-user" });
    let validator = compile(&description, &schema);
    let errors: Vec<String> = validator.iter_errors(&json!({ "login": 7 })).map(|error| error.to_string()).collect();
    assert!(errors.iter().any(|one| one.contains("not of type")), "{errors:?}");
    assert!(errors.iter().any(|one| one.contains("required property")), "{errors:?}");
    let nullable = compile(&description, &json!({ "$ref": "#/components/schemas/nullable-simple-user" }));
    assert!(nullable.is_valid(&Value::Null) && !validator.is_valid(&Value::Null));
}
