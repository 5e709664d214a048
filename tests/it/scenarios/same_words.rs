//! Every "no" reads the same wherever it is said: a refused claim and `/owp why` in comments, a refused claim, `why` and
//! `explain` over HTTP, the repository's page and its JSON. One story per rule, and a test that no rule is without one.

use crate::support::database::Db;
use crate::support::world::{REPO, World};
use owp_pool::{Refusal, Rule, Span, Timestamp};
use owp_sandbox::{Fault, FaultKind, Role};
use owp_server::http::{ApiState, router};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// A story per rule: sets the stage and gives the issue that ada and her client cannot have because of it.
macro_rules! a_story_per_rule {
    ($($rule:ident $faces:ident |$w:ident, $ada:ident| $body:block)*) => {
        const TOLD: &[&str] = &[$(stringify!($rule),)*];

        $(mod $rule {
            use super::*;

            async fn story(db: Db) {
                let $w = &World::new(db).await;
                let $ada = &Client::of("ada", $w).await;
                let issue: u64 = $body;
                $ada.is_told_the_same_everywhere($w, issue, stringify!($rule), Faces::$faces).await;
                $w.check_promises().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                Box::pin(story(Db::Sqlite)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                Box::pin(story(Db::Postgres)).await;
            }
        })*
    };
}

/// Faces on which a rule can apply: some rules concern workers, which commands in comments do not use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Faces {
    /// In comments and over HTTP.
    All,
    /// Over HTTP alone.
    Http,
    /// In comments alone.
    Comments,
    /// Over HTTP, in a repository whose own page is hidden.
    Secret,
}

a_story_per_rule! {
    task_state All |w, _ada| {
        let issue = w.task("Parse dates", &[]).await;
        w.say("bo", issue, "/owp claim").await;
        issue
    }
    approval All |w, _ada| {
        let issue = w.github.as_user("eve").open_template_issue(REPO, "Parse dates", "Please.", &["pool:ready"]).unwrap();
        w.settle().await;
        issue
    }
    reservation All |w, _ada| {
        let issue = w.task("Parse dates", &[]).await;
        w.say("mona", issue, "/owp assign @bo").await;
        issue
    }
    assigned All |w, _ada| {
        let issue = w.task("Parse dates", &[]).await;
        w.github.add_collaborator(REPO, "cy", Role::Write).unwrap();
        w.github.as_user("mona").assign(REPO, issue, &["cy"]).unwrap();
        w.settle().await;
        issue
    }
    open_pull All |w, _ada| {
        let issue = w.task("Parse dates", &[]).await;
        w.open_pr("eve", issue).await;
        issue
    }
    repo_active All |w, _ada| {
        let issue = w.task("Parse dates", &[]).await;
        w.say("mona", issue, "/owp pause 2h a release").await;
        issue
    }
    count_known All |w, _ada| {
        let issue = w.task("Parse dates", &[]).await;
        w.github.fault(Fault::next(FaultKind::ServerError { status: 502 }).on("GET", "/pulls").times(1_000));
        w.next_count().await;
        issue
    }
    budget All |w, _ada| {
        let (one, two) = (w.task("One", &[]).await, w.task("Two", &[]).await);
        w.say("mona", one, "/owp budget 1").await;
        w.say("bo", one, "/owp claim").await;
        two
    }
    area_lock All |w, _ada| {
        let (one, two) = (w.task("One", &["area:auth"]).await, w.task("Two", &["area:auth"]).await);
        w.say("bo", one, "/owp claim").await;
        two
    }
    worker_status Http |w, ada| {
        ada.post("/v1/workers/heartbeat", json!({ "status": "paused" })).await;
        w.task("Parse dates", &[]).await
    }
    linked Http |w, _ada| {
        let issue = w.task("Parse dates", &[]).await;
        w.say("ada", issue, "/owp unlink").await;
        issue
    }
    human Http |w, _ada| {
        let ada = w.github.add_user("ada");
        w.store()
            .write(owp_store::Scope::global(), move |tx| {
                Box::pin(async move { tx.people().record(ada.id.try_into().unwrap(), "ada", true).await.map(drop) })
            })
            .await
            .unwrap();
        w.task("Parse dates", &[]).await
    }
    visibility Secret |w, ada| {
        let issue = w.task("Parse dates", &[]).await;
        let id = w.task_of(issue).await.unwrap().id;
        ada.post(&format!("/v1/tasks/{id}/claim"), json!({})).await;
        ada.post(&format!("/v1/tasks/{id}/status"), json!({ "status": "blocked", "message": "waiting" })).await;
        w.github.as_user("mona").set_private(REPO, true).unwrap();
        w.next_count().await;
        issue
    }
    banned All |w, _ada| {
        let issue = w.task("Parse dates", &[]).await;
        w.say("mona", issue, "/owp ban @ada").await;
        issue
    }
    join_first Comments |w, _ada| {
        w.policy("claims: { join_first: true }").await;
        w.task("Parse dates", &[]).await
    }
    skills All |w, _ada| {
        w.task("Parse dates", &["skills:rust,sql"]).await
    }
    tier All |w, _ada| {
        w.task("Parse dates", &["tier:2"]).await
    }
    lane All |w, _ada| {
        w.policy("lanes: [{ for: { newcomers: true }, allow: { areas: [docs], estimate: 2 } }]").await;
        w.task("Parse dates", &["area:parser"]).await
    }
    capacity All |w, _ada| {
        w.task("Parse dates", &["estimate:8"]).await
    }
    concurrency All |w, ada| {
        w.seasoned("ada").await;
        let (one, two) = (w.task("One", &[]).await, w.task("Two", &[]).await);
        w.say("ada", one, "/owp join concurrent:1\n/owp claim").await;
        ada.patch("/v1/workers/me", json!({ "max_concurrent_tasks": 1 })).await;
        let id = w.task_of(two).await.unwrap().id;
        ada.post(&format!("/v1/tasks/{id}/claim"), json!({})).await;
        assert_eq!(w.live_leases(&[one, two]).await, 2);
        w.task("Three", &[]).await
    }
    person_cap All |w, _ada| {
        let one = w.task("One", &[]).await;
        w.say("ada", one, "/owp claim").await;
        w.task("Two", &[]).await
    }
    newcomers_total All |w, _ada| {
        for login in ["bo", "cy"] {
            let issue = w.task("Parse dates", &[]).await;
            w.say(login, issue, "/owp claim").await;
        }
        w.task("Parse times", &[]).await
    }
    cooldown All |w, _ada| {
        let issue = w.task("Parse dates", &[]).await;
        w.say("ada", issue, "/owp claim").await;
        w.advance(Span::days(3));
        w.settle().await;
        issue
    }
    declined Http |w, ada| {
        let issue = w.task("Parse dates", &[]).await;
        let id = w.task_of(issue).await.unwrap().id;
        let (_, held) = ada.post(&format!("/v1/tasks/{id}/claim"), json!({})).await;
        let contract = json!({ "closes": format!("Fixes #{issue}"), "branch": format!("owp/{issue}-parse-dates") });
        for (key, value) in contract.as_object().unwrap() {
            assert_eq!(held["contract"][key], *value, "{held}");
        }
        let lease = held["lease_id"].as_str().unwrap();
        ada.post(&format!("/v1/leases/{lease}/nack"), json!({ "reason": "not my language" })).await;
        w.next_count().await;
        issue
    }
}

#[test]
fn no_rule_is_without_a_story() {
    let rules: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    assert_eq!(TOLD, rules);
}

/// A client of somebody's, over HTTP.
struct Client {
    login: String,
    url: String,
    token: String,
    http: reqwest::Client,
}

impl Client {
    async fn of(login: &str, w: &World) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let faces = router(ApiState::new(w.engine.clone(), None)).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, faces).await.unwrap() });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut client = Self { login: login.to_owned(), url, token: String::new(), http };
        let body = json!({ "name": format!("{login}'s client"), "github_handle": login });
        let (_, registered) = client.post("/v1/workers/register", body).await;
        client.token = registered["token"].as_str().unwrap().to_owned();
        // Linking needs an issue of the pool.
        let opened = w.task("Say hello", &[]).await;
        w.say(login, opened, &format!("/owp link {}", registered["link"]["code"].as_str().unwrap())).await;
        w.github.as_user("mona").close(REPO, opened).unwrap();
        w.settle().await;
        client
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Value) -> (u16, Value) {
        let call = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token).json(&body);
        let answer = if self.token.is_empty() { call.header("Authorization", "") } else { call }.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(reqwest::Method::POST, path, body).await
    }

    async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(reqwest::Method::PATCH, path, body).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// Asks everywhere why the issue's task cannot be had, and compares.
    async fn is_told_the_same_everywhere(&self, w: &World, issue: u64, rule: &str, faces: Faces) {
        if faces == Faces::Comments {
            return self.is_told_in_comments(w, issue, rule).await;
        }
        let id = w.task_of(issue).await.unwrap().id;
        let (status, refused) = self.post(&format!("/v1/tasks/{id}/claim"), json!({})).await;
        assert_eq!(status, 409, "{refused}");
        let claim: Vec<Refusal> = refused["reasons"].as_array().unwrap().iter().map(refusal).collect();
        assert!(claim.iter().any(|refusal| refusal.rule.name() == rule), "{claim:?}");

        let why = self.get(&format!("/v1/tasks/{id}/why")).await;
        assert_eq!(broken(&why), claim);
        if w.state(issue).await == "ready" {
            let work = self.get("/v1/work?explain=1").await;
            let explained = work["explain"].as_array().unwrap().iter().find(|why| why["task_id"] == id.as_str());
            assert_eq!(broken(explained.expect("a ready task is explained")), claim);
        }
        if faces == Faces::Secret {
            return;
        }
        let everybodys = [Rule::RepoActive, Rule::CountKnown, Rule::Budget];
        let of_all: Vec<_> = claim.iter().filter(|refusal| everybodys.contains(&refusal.rule)).cloned().collect();
        let repo = self.get(&format!("/v1/repos/{REPO}")).await;
        let shown: Vec<Refusal> = repo["budget"]["reasons"].as_array().unwrap().iter().map(refusal).collect();
        assert_eq!(shown, of_all, "the repository says what holds for everybody, and nothing else");

        if faces == Faces::All {
            let said: Vec<String> =
                claim.iter().map(|no| format!("- {} <sub>{}</sub>", no.sentences(), no.measure())).collect();
            w.say(&self.login, issue, "/owp claim").await;
            assert_eq!(lines(&w.only(issue, "cannot claim this task now")), said, "{:#?}", w.ours(issue));
            w.say(&self.login, issue, "/owp why").await;
            assert_eq!(lines(&w.only(issue, "these rules keep you from this task")), said, "{:#?}", w.ours(issue));
        }
    }
}

impl Client {
    async fn is_told_in_comments(&self, w: &World, issue: u64, rule: &str) {
        w.say(&self.login, issue, "/owp claim").await;
        let said = lines(&w.only(issue, "cannot claim this task now"));
        assert!(said.iter().any(|line| line.ends_with(&format!("[{rule}]</sub>"))), "{said:?}");
        w.say(&self.login, issue, "/owp why").await;
        assert_eq!(lines(&w.only(issue, "these rules keep you from this task")), said);
    }
}

/// The list in a comment, as people read it.
fn lines(comment: &str) -> Vec<String> {
    comment.lines().filter(|line| line.starts_with("- ")).map(|line| line.replace('\\', "")).collect()
}

fn broken(why: &Value) -> Vec<Refusal> {
    let rules = why["rules"].as_array().unwrap();
    let names: Vec<&str> = rules.iter().map(|rule| rule["rule"].as_str().unwrap()).collect();
    assert_eq!(names, Rule::ALL.map(Rule::name), "every rule is named, whether it holds or not");
    rules.iter().filter(|rule| rule["holds"] == false).map(|rule| refusal(&rule["reason"])).collect()
}

/// A reason as JSON tells it, as the object it was made from.
fn refusal(reason: &Value) -> Refusal {
    let text = |key: &str| reason[key].as_str().map(str::to_owned);
    let name = reason["rule"].as_str().unwrap();
    Refusal {
        rule: Rule::ALL.into_iter().find(|rule| rule.name() == name).expect("a known rule"),
        message: text("message").unwrap(),
        value: text("value"),
        limit: text("limit"),
        holder: text("holder"),
        retry_at: text("retry_at").and_then(|at| Timestamp::parse_rfc3339(&at)),
    }
}
