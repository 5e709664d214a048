//! Latency of a parked pull, from the arrival of a matching task to the response, over HTTP against the whole server.
//! Compared with a plain pull in the same run: `cargo bench --bench parked`, or `cargo bench --bench parked -- 5000` for
//! so many parked pulls. The limit is 100 ms.

use owp::cli::serve::{Running, ServeOptions, start};
use owp_base::clock::{Clock, Entropy};
use owp_config::IpRange;
use owp_engine::Settings;
use owp_store::{Store, StoreOptions};
use reqwest::Client;
use serde_json::{Value, json};
use std::env;
use std::time::{Duration, Instant};

const ADMIN: &str = "the-operators-token";
const REPO: &str = "acme/rocket";
/// Number of parked pulls unless an argument says otherwise, each for its own skill.
const PARKED: usize = 100;
const ROUNDS: usize = 300;
const BAR: Duration = Duration::from_millis(100);

#[tokio::main]
async fn main() {
    let pulls = env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(PARKED);
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(&format!("sqlite:{}", folder.path().join("owp.db").display())).await;
    let caller = Caller { client: Client::builder().no_proxy().build().expect("a client"), url: server.url() };
    caller.admin("repos", json!({ "repo": REPO, "max_open_prs": 100 })).await;
    let mut tokens = Vec::new();
    for n in 0..pulls {
        let body = json!({ "name": format!("client {n}"), "skills": [format!("skill{n}")], "max_concurrent_tasks": 1 });
        let answer = caller.post("/v1/workers/register", body).await;
        tokens.push(answer["token"].as_str().expect("a token").to_owned());
    }

    let mut plain = Vec::new();
    for round in 0..ROUNDS {
        let n = round % pulls;
        caller.admin("tasks", task(n)).await;
        let begin = Instant::now();
        let work = caller.work(&tokens[n]).await;
        plain.push(begin.elapsed());
        caller.give_back(&tokens[n], &work).await;
    }

    let mut waiting = Vec::new();
    for (n, token) in tokens.iter().enumerate() {
        waiting.push(Some(caller.park(n, token)));
        // The client and the server share the threads that make the connections.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut parked = Vec::new();
    for round in 0..ROUNDS {
        let n = (round * 37) % pulls;
        let pull = waiting[n].take().expect("the pull is parked");
        caller.admin("tasks", task(n)).await;
        // From here on any pull can get the task.
        let freed = Instant::now();
        let (answered, work) = pull.await.expect("the pull does not panic");
        parked.push(answered.saturating_duration_since(freed));
        assert_eq!(work["leases"].as_array().map(Vec::len), Some(1), "woken for nothing: {work}");
        caller.give_back(&tokens[n], &work).await;
        waiting[n] = Some(caller.park(n, &tokens[n]));
        // Wait until the pull is parked again; otherwise its response would be that of a plain pull.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let others = waiting.iter().flatten().filter(|pull| pull.is_finished()).count();

    let (plain, parked) = (sorted(plain), sorted(parked));
    println!("{pulls} pulls parked, {ROUNDS} rounds   median       p99       max");
    for (name, times) in [("plain pull", &plain), ("task there → parked answer", &parked)] {
        let (median, late, max) = (times[ROUNDS / 2], times[ROUNDS * 99 / 100], times[ROUNDS - 1]);
        println!("{name:<28}  {median:>9.2?} {late:>9.2?} {max:>9.2?}");
    }
    println!(
        "ratio of medians {:.2}; answered without need: {others}; bar {BAR:?} {}",
        parked[ROUNDS / 2].as_secs_f64() / plain[ROUNDS / 2].as_secs_f64(),
        if parked[ROUNDS - 1] <= BAR { "kept" } else { "MISSED" },
    );
}

async fn serve(url: &str) -> Running {
    let store = StoreOptions { url: url.to_owned(), clock: Clock::System, entropy: Entropy::system() };
    // One address may not have so many.
    let trusted_proxies = IpRange::parse_list("127.0.0.0/8").expect("a range");
    let options = ServeOptions {
        listen: "127.0.0.1:0".parse().expect("an address"),
        store: Store::open(store).await.expect("a store"),
        github: None,
        settings: Settings { rate_limit: None, trusted_proxies, ..Settings::default() },
        admin_token: Some(ADMIN.into()),
        demo: None,
    };
    start(options).await.expect("a server")
}

fn task(n: usize) -> Value {
    json!({ "repo": REPO, "title": "Parse dates", "required_skills": [format!("skill{n}")] })
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

#[derive(Clone)]
struct Caller {
    client: Client,
    url: String,
}

impl Caller {
    async fn admin(&self, path: &str, body: Value) -> Value {
        let call = self.client.post(format!("{}/v1/admin/{path}", self.url)).header("X-Admin-Token", ADMIN);
        answer(call.json(&body)).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        answer(self.client.post(format!("{}{path}", self.url)).json(&body)).await
    }

    async fn work(&self, token: &str) -> Value {
        answer(self.client.get(format!("{}/v1/work", self.url)).bearer_auth(token)).await
    }

    /// Parks a pull of the `n`-th worker. Returns the time of the response and its body.
    fn park(&self, n: usize, token: &str) -> tokio::task::JoinHandle<(Instant, Value)> {
        let (caller, token) = (self.clone(), token.to_owned());
        tokio::spawn(async move {
            let call = caller.client.get(format!("{}/v1/work?wait=60", caller.url)).bearer_auth(token);
            let address = format!("10.0.{}.{}", n / 250, n % 250);
            let work = answer(call.header("X-Forwarded-For", address)).await;
            (Instant::now(), work)
        })
    }

    /// Reports the leased task as merged, so that the worker has capacity again.
    async fn give_back(&self, token: &str, work: &Value) {
        let id = work["leases"][0]["task_id"].as_str().expect("a task");
        let call = self.client.post(format!("{}/v1/tasks/{id}/status", self.url)).bearer_auth(token);
        answer(call.json(&json!({ "status": "merged" }))).await;
    }
}

async fn answer(call: reqwest::RequestBuilder) -> Value {
    let answer = call.send().await.expect("a response");
    assert!(answer.status().is_success(), "{:?}", answer.text().await);
    answer.json().await.expect("JSON")
}
