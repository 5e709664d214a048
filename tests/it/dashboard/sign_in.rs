//! Sign-in with GitHub over HTTP: who gets a session, and what happens when GitHub answers wrongly.

use crate::protocol::sse::meddle;
use crate::support::database::Db;
use crate::support::github::{sandbox, wrong_answers};
use crate::support::pool::{ADMIN, Pool, START};
use owp_base::clock::Clock;
use owp_engine::{GitHubSide, Settings, sign_in_url};
use owp_github::client::{Address, GitHub, GitHubConfig, SignIn};
use owp_sandbox::{Fault, FaultKind, FaultTarget, Role, Sandbox};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use secrecy::SecretString;
use serde_json::json;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

const REPO: &str = "acme/rocket";

/// A pool beside a sandbox GitHub with a maintainer and a stranger.
pub(super) struct Bench {
    pub(super) github: Sandbox,
    pub(super) pool: Pool,
}

impl Bench {
    pub(super) async fn new(timeout: Duration) -> Self {
        Self::with(timeout, Settings::default()).await
    }

    pub(super) async fn with(timeout: Duration, settings: Settings) -> Self {
        let github = Sandbox::start(sandbox(|| START)).await.unwrap();
        for login in ["mona", "ada"] {
            github.add_user(login);
        }
        github.add_repo(REPO).unwrap();
        github.add_collaborator(REPO, "mona", Role::Write).unwrap();
        github.install(&[REPO]).unwrap();
        let app_id = i64::try_from(github.app_id()).unwrap();
        let (api_url, clock) = (github.api_url(), Clock::manual(START));
        let (id, secret) = github.oauth_client();
        let address = Address { api_url: api_url.clone(), timeout, clock: clock.clone() };
        let sign_in = Some(SignIn::new(address, &id, SecretString::from(secret)).unwrap());
        let private_key_pem = SecretString::from(github.private_key_pem());
        let client = GitHub::new(GitHubConfig { api_url, app_id, private_key_pem, timeout, clock }).unwrap();
        let webhook_secrets = vec![SecretString::from(github.webhook_secret())];
        let side = GitHubSide { client, app_id, webhook_secrets, sign_in };
        let pool = Pool::start_as(Db::Sqlite, Some(side), Some(ADMIN), settings).await;
        github.set_webhook_url(&format!("{}/github/webhooks", pool.running.url()));
        github.set_callback_urls(&[sign_in_url(&pool.running.url())]);
        Self { github, pool }
    }

    /// Waits until the pool has found the repository on GitHub and counted its pull requests.
    pub(super) async fn until_served(&self) {
        for _ in 0..600 {
            let shown = self.pool.get(&format!("/v1/repos/{REPO}")).await;
            if shown.status == 200 && !shown.json()["budget"]["counted_at"].is_null() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the repository does not appear");
    }

    /// Waits until somebody holds a task, and returns its id.
    pub(super) async fn until_a_task_is_held(&self) -> String {
        for _ in 0..600 {
            let tasks = self.pool.get("/v1/tasks?state=leased").await.json()["tasks"].clone();
            if let Some(id) = tasks[0]["task_id"].as_str() {
                return id.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody gets a task");
    }

    /// Waits until strangers do not see the repository any more.
    pub(super) async fn until_hidden(&self) {
        for _ in 0..600 {
            if self.pool.get(&format!("/v1/repos/{REPO}")).await.status == 404 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the repository is still shown");
    }

    pub(super) fn browser(&self) -> Browser {
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Browser { client, pool: self.pool.running.url(), cookies: RefCell::default() }
    }
}

/// A browser: it keeps the pool's cookies, and sends them to the pool alone.
pub(super) struct Browser {
    client: reqwest::Client,
    pool: String,
    cookies: RefCell<BTreeMap<String, String>>,
}

/// A page, or a redirect.
pub(super) struct Shown {
    pub(super) status: u16,
    pub(super) location: String,
    pub(super) text: String,
}

impl Browser {
    async fn send(&self, request: reqwest::RequestBuilder, to_pool: bool) -> Shown {
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if to_pool { request.header(COOKIE, cookies.join("; ")) } else { request };
        let answer = request.header("accept", "text/html").send().await.unwrap();
        for set in answer.headers().get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            assert!(set.contains("HttpOnly") && set.contains("SameSite="), "{set}");
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        self.cookies.borrow_mut().retain(|_, value| !value.is_empty());
        let location = answer.headers().get(LOCATION).map_or("", |to| to.to_str().unwrap()).to_owned();
        Shown { status: answer.status().as_u16(), location, text: answer.text().await.unwrap() }
    }

    pub(super) async fn get(&self, path: &str) -> Shown {
        self.send(self.client.get(format!("{}{path}", self.pool)), true).await
    }

    /// Goes to GitHub and chooses who to be there; returns the address to which GitHub sends the browser back.
    pub(super) async fn at_github(&self, login: &str) -> String {
        let page = self.get("/signin/github").await.location;
        let asked = self.send(self.client.get(&page), false).await;
        assert!(asked.status == 200 && asked.text.contains(&format!("value=\"{login}\"")), "{}", asked.text);
        let url = reqwest::Url::parse(&page).unwrap();
        let mut form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        form.push(("login".to_owned(), login.to_owned()));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = "application/x-www-form-urlencoded";
        let post =
            self.client.post(url.join("/login/oauth/authorize").unwrap()).header("content-type", kind).body(body);
        let back = self.send(post, false).await.location;
        back.strip_prefix(&self.pool).expect("back to the pool").to_owned()
    }

    /// Sends a form of a page for another repository.
    async fn act_on(&self, repo: &str, page: &str, verb: &str) -> Shown {
        self.act_with(repo, page, verb, &[]).await
    }

    pub(super) async fn act(&self, page: &str, verb: &str, more: &[(&str, &str)]) -> Shown {
        self.act_with(REPO, page, verb, more).await
    }

    pub(super) async fn sign_in_as_operator(&self) {
        let kind = "application/x-www-form-urlencoded";
        let post = self.client.post(format!("{}/signin", self.pool)).header("content-type", kind);
        assert_eq!(self.send(post.body(format!("token={ADMIN}")), true).await.status, 303);
    }

    /// Signs in with GitHub.
    pub(super) async fn sign_in(&self, login: &str) {
        assert_eq!(self.get(&self.at_github(login).await).await.status, 303, "{login} signs in");
    }

    pub(super) async fn act_with(&self, repo: &str, page: &str, verb: &str, more: &[(&str, &str)]) -> Shown {
        let form = self.form_value(page).await;
        let fields = [&[("verb", verb), ("repo", repo), ("back", page)], more].concat();
        let done = self.send_act(&form, &fields).await;
        if done.status == 303 { self.get(&done.location).await } else { done }
    }

    /// Returns the value by which a form proves that a page of this session sent it; the sign-out has it, too.
    pub(super) async fn form_value(&self, page: &str) -> String {
        let shown = self.get(page).await.text;
        let value = shown.split("name=\"form\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        value.unwrap_or_default().to_owned()
    }

    /// Sends a form of this session.
    pub(super) async fn send_act(&self, form: &str, fields: &[(&str, &str)]) -> Shown {
        self.post("/act", &[&[("form", form)], fields].concat()).await
    }

    /// Sends a form to a page.
    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = "application/x-www-form-urlencoded";
        self.send(self.client.post(format!("{}{path}", self.pool)).header("content-type", kind).body(body), true).await
    }
}

#[tokio::test]
async fn a_maintainer_acts_where_github_lets_them_write_and_others_are_refused() {
    let bench = Bench::new(Duration::from_secs(5)).await;
    bench.until_served().await;
    let (page, mona, ada) = ("/repos/acme/rocket", bench.browser(), bench.browser());
    for (browser, login) in [(&mona, "mona"), (&ada, "ada")] {
        let back = browser.at_github(login).await;
        let done = browser.get(&back).await;
        assert_eq!((done.status, done.location.as_str()), (303, "/"), "{}", done.text);
        assert!(browser.get("/").await.text.contains(&format!("You are signed in as {login}.")));
        // The code works once, and the secrets of the sign-in are gone.
        assert_eq!(browser.get(&back).await.status, 403);
    }
    assert!(mona.get(page).await.text.contains("action=\"/act\""), "the page offers acts");
    assert!(!ada.get(page).await.text.contains("action=\"/act\""), "and to others it does not");

    let set = mona.act(page, "budget", &[("budget", "7")]).await.text;
    assert!(set.contains("The review budget is now 7."), "{set}");
    assert!(set.contains("7 slots taken"), "{set}");
    let refused = ada.act(page, "budget", &[("budget", "9")]).await.text;
    assert!(refused.contains("needs write access to this repository, which you do not have here"), "{refused}");
    mona.act(page, "trust", &[("login", "ada"), ("level", "2")]).await;
    let trusted = "<th scope=\"row\">ada</th><td>up to tier 2";
    assert!(mona.get(page).await.text.contains(trusted), "who may act sees whom the maintainers trust");
    assert!(!ada.get(page).await.text.contains("id=\"trust\""), "others do not");
    let operators = mona.act(page, "remove", &[]).await.text;
    assert!(operators.contains("Only the operator can do that."), "{operators}");
    let wrong = mona.act(page, "budget", &[("budget", "many")]).await.text;
    assert!(wrong.contains("must be a whole number from 0 to 1000"), "{wrong}");
    let events = bench.pool.get("/v1/events?kind=budget.set").await.ok();
    let by: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|e| e["data"]["by"].as_str().unwrap()).collect();
    assert_eq!(by, ["mona"], "the audit log names who did it");

    // Whoever loses the permission on GitHub loses it here.
    bench.github.remove_collaborator(REPO, "mona").unwrap();
    let lost = mona.act(page, "budget", &[("budget", "8")]).await.text;
    assert!(lost.contains("needs write access"), "{lost}");
}

#[tokio::test]
async fn nothing_of_a_private_repository_is_on_the_pages_of_others_than_the_operator() {
    let bench = Bench::new(Duration::from_secs(5)).await;
    bench.until_served().await;
    let pool = &bench.pool;
    let task = json!({ "repo": "acme/open", "title": "An open task" });
    pool.admin("repos", json!({ "repo": "acme/open", "max_open_prs": 5 })).await.ok();
    pool.admin("repos", json!({ "repo": "acme/secret", "max_open_prs": 5 })).await.ok();
    pool.admin("tasks", task).await.ok();
    let mut ids = Vec::new();
    for n in 0..2 {
        let task = json!({ "repo": "acme/secret", "title": format!("Hidden plan {n}"), "area": "vault" });
        ids.push(pool.admin("tasks", task).await.ok()["task_id"].as_str().unwrap().to_owned());
    }
    let worker = pool.worker(json!({ "capacity_points": 2, "max_concurrent_tasks": 2 })).await;
    assert_eq!(pool.work(&worker).await.len(), 2);
    let hide = "UPDATE repositories SET private = 1 WHERE name = 'acme/secret'";
    meddle(pool, hide).await;

    let (stranger, mona, operator) = (bench.browser(), bench.browser(), bench.browser());
    mona.get(&mona.at_github("mona").await).await;
    operator.sign_in_as_operator().await;
    let pages = ["/", "/tasks", "/tasks?repo=acme/secret", "/tasks?area=vault", "/leases", "/events", "/me"];
    let alone = ["/repos/acme/secret".to_owned(), format!("/tasks/{}", ids[0]), format!("/tasks/{}", ids[1])];
    let tells = |text: &str| text.contains("Hidden plan") || text.contains("acme/secret</a>");
    for browser in [&stranger, &mona] {
        for page in pages {
            let shown = browser.get(page).await;
            assert!(!tells(&shown.text), "{page}: {}", shown.text);
        }
        for page in &alone {
            assert_eq!(browser.get(page).await.status, 404, "{page}");
        }
    }
    let act = mona.act_on("acme/secret", "/repos/acme/open", "pause").await;
    let none = mona.act_on("acme/none", "/repos/acme/open", "pause").await;
    let named = |shown: &Shown| shown.text.replace("acme/secret", "REPO").replace("acme/none", "REPO");
    assert_eq!((act.status, named(&act)), (none.status, named(&none)), "nobody learns that it exists");
    for page in pages.iter().filter(|page| **page != "/me").map(|page| (*page).to_owned()).chain(alone) {
        let shown = operator.get(&page).await;
        assert!(shown.status == 200 && shown.text.contains("acme/secret"), "{page}: {}", shown.text);
    }
}

#[tokio::test]
async fn a_sign_in_belongs_to_one_browser() {
    let bench = Bench::new(Duration::from_secs(5)).await;
    let (mine, theirs) = (bench.browser(), bench.browser());
    let back = mine.at_github("mona").await;
    let stolen = theirs.get(&back).await;
    assert!(stolen.status == 403 && stolen.text.contains("was not begun in this browser"), "{}", stolen.text);
    let _begun = theirs.at_github("ada").await;
    assert_eq!(theirs.get(&back).await.status, 403, "the state is another browser's");
    let state = mine.at_github("mona").await.split("state=").nth(1).unwrap().to_owned();
    let declined = mine.get(&format!("/signin/github/done?error=access_denied&state={state}")).await;
    assert!(declined.status == 403 && declined.text.contains("you declined, or it refused"), "{}", declined.text);
    assert!(!theirs.get("/").await.text.contains("Sign out"));
}

#[tokio::test]
async fn when_github_answers_wrongly_once_nobody_is_signed_in_and_the_next_attempt_works() {
    let bench = Bench::new(Duration::from_secs(3)).await;
    let rejected = FaultKind::Scripted { body: json!({ "error": "bad_verification_code" }) };
    let wrong: Vec<FaultKind> = wrong_answers(8_000).into_iter().chain([rejected]).collect();
    for (method, path) in [("POST", "/login/oauth/access_token"), ("GET", "/user")] {
        for kind in wrong.clone() {
            let browser = bench.browser();
            let back = browser.at_github("ada").await;
            bench.github.fault(Fault::next(kind.clone()).on(method, path).victim(FaultTarget::Any));
            let failed = browser.get(&back).await;
            assert!([403, 503].contains(&failed.status), "{path} {kind:?}: {} {}", failed.status, failed.text);
            assert!(failed.text.contains("Sign in again"), "{path} {kind:?}: {}", failed.text);
            assert!(!browser.get("/").await.text.contains("Sign out"), "{path} {kind:?}");
            bench.github.clear_faults();
            let back = browser.at_github("ada").await;
            assert_eq!(browser.get(&back).await.status, 303, "{path} {kind:?}");
            assert!(browser.get("/").await.text.contains("Sign out"), "{path} {kind:?}");
        }
    }
}
