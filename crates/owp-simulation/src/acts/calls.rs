//! Calls over HTTP: GitHub's deliveries, workers, readers without a token, and the operator.

use super::stage::SECRET;
use super::{Worker, people};
use crate::process::ADMIN;
use crate::world::{InFlight, World};
use bytes::Bytes;
use http::{Request, Response};
use owp_sandbox::WebhookRequest;
use serde_json::{Value, json};

/// Who calls, and what for.
#[derive(Debug, Clone)]
pub(crate) enum Ask {
    /// GitHub delivers.
    Deliver(Box<WebhookRequest>),
    /// A contributor registers a worker.
    Register(usize),
    /// A worker asks for work.
    Work(usize),
    /// A worker acts on a lease.
    Lease { who: usize, lease: String, act: &'static str },
    /// A worker claims a task.
    Claim { who: usize, task: String },
    /// A worker reports on a task.
    Report,
    /// A worker says that it lives.
    Heartbeat,
    /// A worker asks why it does not get a task.
    Why,
    /// Somebody without a token reads.
    Read,
    /// The operator reads the event feed.
    Events,
    /// The operator acts.
    Operate,
    /// The simulator wants to know.
    Check,
}

/// A call, as its caller could repeat it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) ask: Ask,
    method: &'static str,
    path: String,
    bearer: Option<String>,
    pub(crate) key: Option<String>,
    body: Option<Value>,
    /// True for a call that is made again because its answer was lost.
    repeated: bool,
}

impl Client {
    /// What everybody may read.
    pub(crate) const PUBLIC: [&str; 6] =
        ["/v1/tasks", "/v1/repos", "/v1/events", "/v1/events?from=now", "/", "/metrics"];

    /// Somebody without a token reads.
    pub(crate) fn read(path: &str) -> Self {
        Self::new(Ask::Read, "GET", path)
    }

    fn new(ask: Ask, method: &'static str, path: impl Into<String>) -> Self {
        Self { ask, method, path: path.into(), bearer: None, key: None, body: None, repeated: false }
    }

    /// The operator's reader of the feed asks for the next page.
    pub(crate) fn events(cursor: Option<&str>) -> Self {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        Self::new(Ask::Events, "GET", format!("/v1/events?limit=20{cursor}"))
    }

    /// A worker acts on a lease.
    fn on_lease(who: usize, lease: &str, act: &'static str) -> Self {
        let path = format!("/v1/leases/{lease}/{act}");
        Self::new(Ask::Lease { who, lease: lease.to_owned(), act }, "POST", path).with(json!({}))
    }

    /// A worker asks for work.
    pub(crate) fn work(worker: &Worker) -> Self {
        Self::new(Ask::Check, "GET", "/v1/work").by(worker)
    }

    /// A worker asks about a task.
    pub(crate) fn why(worker: &Worker, task: &str) -> Self {
        Self::new(Ask::Check, "GET", format!("/v1/tasks/{task}/why")).by(worker)
    }

    fn by(self, worker: &Worker) -> Self {
        Self { bearer: Some(worker.token.clone()), ..self }
    }

    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn once(self, key: String) -> Self {
        Self { key: Some(key), ..self }
    }

    fn request(&self) -> Request<Bytes> {
        let mut request = Request::builder().method(self.method).uri(&self.path);
        if let Ask::Deliver(letter) = &self.ask {
            for (name, value) in &letter.headers {
                request = request.header(name, value);
            }
            return request.body(Bytes::from(letter.body.clone())).expect("GitHub's headers are valid");
        }
        if let Some(bearer) = &self.bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", format!("\"{key}\""));
        }
        if matches!(self.ask, Ask::Operate | Ask::Events) {
            request = request.header("x-admin-token", ADMIN);
        }
        request = request.header("content-type", "application/json");
        let body = self.body.as_ref().map(ToString::to_string).unwrap_or_default();
        request.body(Bytes::from(body)).expect("the path is valid")
    }

    /// The same call, once more.
    pub(crate) fn again(&self) -> Self {
        Self { repeated: true, ..self.clone() }
    }

    pub(crate) fn told(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Sends a call to a process.
pub(crate) fn call(world: &mut World, at: usize, client: Client) {
    let request = client.request();
    world.call(at, client, request);
}

/// GitHub delivers a webhook to a process.
pub(crate) fn deliver(world: &mut World, at: usize, letter: WebhookRequest) {
    let webhook = &letter.webhook;
    let action = webhook.action.as_deref().unwrap_or_default();
    world.say(format!("GitHub → pool {at}: {} {action} ({})", webhook.event, webhook.guid));
    call(world, at, Client::new(Ask::Deliver(Box::new(letter)), "POST", "/github/webhooks"));
}

/// A contributor registers a worker.
pub(super) fn register(world: &mut World, who: usize, at: usize) {
    let login = world.cast.contributors[who].login.clone();
    let acks = world.chance(40);
    let skills = if world.chance(60) { json!(["rust"]) } else { json!([]) };
    let body = json!({
        "name": format!("{login}'s worker"), "github_handle": login, "skills": skills,
        "capacity_points": 3 + world.below(5), "max_concurrent_tasks": 1 + world.below(3),
        "capabilities": { "ack": acks },
    });
    world.say(format!("{login} registers a worker at pool {at}"));
    call(world, at, Client::new(Ask::Register(who), "POST", "/v1/workers/register").with(body));
}

/// Somebody calls the pool.
pub(super) fn act(world: &mut World) {
    let Some(at) = world.one_awake() else { return };
    if !world.cast.again.is_empty() && world.chance(60) {
        let client = world.cast.again.remove(0).again();
        world.say(format!("a client repeats {} at pool {at}", client.told()));
        return call(world, at, client);
    }
    let who = caller(world);
    let Some(worker) = world.cast.contributors[who].worker.clone() else {
        if world.cast.contributors[who].code.is_none() && world.chance(40) {
            register(world, who, at);
        } else {
            read(world, at);
        }
        return;
    };
    if world.cast.contributors[who].code.is_some() && world.chance(60) {
        people::link(world, who);
        return;
    }
    let client = match world.choose("calls", &[25, 22, 12, 14, 6, 4, 6, 6, 5]) {
        0 => {
            let wait = if world.chance(25) { "?wait=20" } else { "" };
            Some(Client::new(Ask::Work(who), "GET", format!("/v1/work{wait}")))
        }
        1 => act_on_lease(world, who, &worker),
        2 => any_task(world).map(|task| {
            let path = format!("/v1/tasks/{task}/claim");
            keyed(world, Client::new(Ask::Claim { who, task }, "POST", path).with(json!({})))
        }),
        3 => report(world, &worker),
        4 => Some(Client::new(Ask::Heartbeat, "POST", "/v1/workers/heartbeat").with(json!({ "status": "idle" }))),
        5 => any_task(world).map(|task| Client::new(Ask::Why, "GET", format!("/v1/tasks/{task}/why"))),
        6 => return operate(world, at),
        7 => Some(Client::events(world.cast.cursor.as_deref())),
        _ => None,
    };
    let Some(client) = client else { return read(world, at) };
    let client = if matches!(client.ask, Ask::Events) { client } else { client.by(&worker) };
    let login = &world.cast.contributors[who].login;
    world.say(format!("{login}'s worker → pool {at}: {}{}", client.told(), body_told(&client)));
    call(world, at, client);
}

/// Chooses a contributor, mostly one with a worker.
fn caller(world: &mut World) -> usize {
    let all = world.cast.contributors.len();
    let working: Vec<usize> = (0..all).filter(|at| world.cast.contributors[*at].worker.is_some()).collect();
    if world.chance(80) { world.pick(&working).unwrap_or(0) } else { world.below(all) }
}

/// Gives most calls a key under which they can be repeated.
fn keyed(world: &mut World, client: Client) -> Client {
    let serial = world.cast.next();
    if world.chance(70) { client.once(format!("key-{serial}")) } else { client }
}

/// Chooses a lease of a worker with its task: mostly one that is live, sometimes one from long ago.
fn any_lease(world: &mut World, worker: &Worker) -> Option<(String, String)> {
    let mine = |lease: &&crate::rows::LeaseRow| lease.worker_id == worker.id;
    let live = world.checks.last().live().filter(mine);
    let live: Vec<_> = live.map(|lease| (lease.id.clone(), lease.task_id.clone())).collect();
    let found = if world.chance(75) { world.pick(&live) } else { None };
    found.or_else(|| world.pick(&worker.leases))
}

/// Returns the contributor whose worker has a lease, and the worker.
fn holder(world: &World, lease: &crate::rows::LeaseRow) -> Option<(usize, Worker)> {
    let workers = world.cast.contributors.iter().map(|one| one.worker.as_ref());
    let mut known = workers.enumerate().filter_map(|(who, worker)| Some((who, worker?)));
    known.find(|(_, worker)| worker.id == lease.worker_id).map(|(who, worker)| (who, worker.clone()))
}

/// Remembers the key of a call that would end a lease.
fn remember_ender(world: &mut World, lease: &str, act: &str, key: String) {
    if matches!(act, "nack" | "release") {
        world.cast.enders.entry(lease.to_owned()).or_default().insert(key);
    }
}

fn act_on_lease(world: &mut World, who: usize, worker: &Worker) -> Option<Client> {
    let (lease, _) = any_lease(world, worker)?;
    const ACTS: [&str; 4] = ["ack", "nack", "renew", "release"];
    let act = ACTS[world.choose("acts on leases", &[3, 1, 3, 1])];
    let client = keyed(world, Client::on_lease(who, &lease, act));
    remember_ender(world, &lease, act, client.key.clone().unwrap_or_default());
    Some(client)
}

fn report(world: &mut World, worker: &Worker) -> Option<Client> {
    let lease = any_lease(world, worker);
    let task = lease.as_ref().map(|(_, task)| task.clone()).filter(|_| world.chance(80));
    let task = task.or_else(|| world.pick(&worker.tasks))?;
    const STATUSES: [&str; 4] = ["in_progress", "blocked", "pr_opened", "merged"];
    let status = STATUSES[world.choose("reports", &[4, 2, 2, 1])];
    let serial = world.cast.next();
    let mut body = json!({ "status": status, "message": format!("step {serial}") });
    if status == "pr_opened" {
        let number = 1 + world.below(12);
        body["artifact"] = json!({ "pr_url": format!("https://github.com/acme/rocket/pull/{number}") });
    }
    if let Some((lease, _)) = lease.filter(|(_, of)| *of == task)
        && world.chance(60)
    {
        body["lease_id"] = json!(lease);
    }
    let path = format!("/v1/tasks/{task}/status");
    Some(keyed(world, Client::new(Ask::Report, "POST", path).with(body)))
}

/// A worker asks for work.
pub(super) fn ask_for_work(world: &mut World, at: usize, who: usize, worker: &Worker) {
    let client = Client::new(Ask::Work(who), "GET", "/v1/work").by(worker);
    world.say(format!("{}'s worker → pool {at}: {}", world.cast.contributors[who].login, client.told()));
    call(world, at, client);
}

/// A worker's call about a lease that it holds, with a key.
pub(super) fn keyed_lease_act(world: &mut World) -> Option<Client> {
    let lease = world.live_lease()?;
    let (who, worker) = holder(world, &lease)?;
    const ACTS: [&str; 4] = ["nack", "release", "ack", "renew"];
    let act = ACTS[world.choose("acts repeated", &[3, 3, 1, 1])];
    let key = format!("key-{}", world.cast.next());
    remember_ender(world, &lease.id, act, key.clone());
    Some(Client::on_lease(who, &lease.id, act).by(&worker).once(key))
}

/// The worker of a lease renews it, or accepts it if it did not yet.
pub(super) fn renew(world: &mut World, at: usize, lease: &crate::rows::LeaseRow) {
    let Some((who, worker)) = holder(world, lease) else { return };
    let act = if lease.ack_by.is_none() { "renew" } else { "ack" };
    let client = Client::on_lease(who, &lease.id, act).by(&worker);
    let login = &world.cast.contributors[who].login;
    world.say(format!("{login}'s worker → pool {at}: {}", client.told()));
    if world.slots[at].process.is_some() {
        call(world, at, client);
    }
}

fn body_told(client: &Client) -> String {
    let body = client.body.as_ref().filter(|body| body.as_object().is_some_and(|body| !body.is_empty()));
    body.map(|body| format!(" {body}")).unwrap_or_default()
}

fn any_task(world: &mut World) -> Option<String> {
    let ready = world.chance(70);
    let tasks = world.checks.last().tasks.iter().filter(|task| !ready || task.state == "ready");
    let tasks: Vec<String> = tasks.map(|task| task.id.clone()).collect();
    world.pick(&tasks)
}

/// Somebody without a token reads something.
fn read(world: &mut World, at: usize) {
    let path = Client::PUBLIC[world.below(Client::PUBLIC.len())];
    world.say(format!("a stranger → pool {at}: GET {path}"));
    call(world, at, Client::read(path));
}

fn operate(world: &mut World, at: usize) {
    let repo = world.cast.repos[0].id;
    let name = world.github.repo_name(repo).unwrap_or_default();
    let client = match world.choose("operations", &[1, 1, 1, 1]) {
        0 => {
            let limit = world.below(4);
            Client::new(Ask::Operate, "POST", "/v1/admin/repos").with(json!({ "repo": name, "max_open_prs": limit }))
        }
        1 => Client::new(Ask::Operate, "POST", "/v1/admin/pause")
            .with(json!({ "repo": name, "reason": "maintenance", "duration": "30m" })),
        2 => Client::new(Ask::Operate, "POST", "/v1/admin/resume").with(json!({ "repo": name })),
        _ => {
            let leases = world.checks.live_leases();
            let Some(lease) = world.pick(&leases) else { return };
            Client::new(Ask::Operate, "POST", format!("/v1/admin/leases/{lease}/revoke"))
                .with(json!({ "reason": "by the operator" }))
        }
    };
    world.say(format!("the operator → pool {at}: {}{}", client.told(), body_told(&client)));
    call(world, at, client);
}

/// A process died before it answered; the caller may try again.
pub(crate) fn no_answer(world: &mut World, call: InFlight) {
    world.say(format!("no answer to {}", call.client.told()));
    match &call.client.ask {
        Ask::Deliver(letter) => world.github.record_failure(&letter.webhook, 0),
        Ask::Register(_) | Ask::Read | Ask::Events => {}
        _ if call.client.key.is_some() => world.cast.again.push(call.client),
        _ => {}
    }
}

/// A process answered.
pub(crate) fn answered(world: &mut World, id: u64, call: InFlight, response: &Response<Bytes>) {
    let status = response.status().as_u16();
    world.answer_seen = None;
    let text = String::from_utf8_lossy(response.body()).into_owned();
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let client = call.client;
    let why = body["type"].as_str().map(|kind| kind.trim_start_matches("/problems/").to_owned());
    if let Some(kind) = &why {
        world.coverage.note("problem types", kind.clone());
    }
    for reason in body["reasons"].as_array().into_iter().flatten() {
        world.coverage.note("refusals", reason["rule"].as_str().unwrap_or("?"));
    }
    let told = format!("  answer to {}: {status} {}", client.told(), why.as_deref().unwrap_or_default());
    // GitHub's deliveries and the simulator's own questions are answered as they should be, mostly.
    if status < 300 && matches!(client.ask, Ask::Deliver(_) | Ask::Check | Ask::Read | Ask::Events) {
        world.detail(told);
    } else {
        world.say(told);
    }
    if status == 500 {
        world.violate("panic", format!("{} was answered with 500: {text}", client.told()));
    }
    if let Some(key) = client.key.as_ref().filter(|_| status < 500 && why.as_deref() != Some("idempotency-key-in-use"))
    {
        let now = world.now();
        // The pool forgets answers after a day.
        let fresh = |at: i64| now - at < 82_800_000 && world.jumped_at < at;
        match world.cast.kept.get(key).filter(|(.., at)| fresh(*at)) {
            Some((before, said, _)) if (*before, said) != (status, &text) && status != 401 && status != 429 => {
                let found =
                    format!("{} was answered first with {before} {said}, then with {status} {text}", client.told());
                world.violate("one answer for one key", found);
            }
            Some(_) => {}
            None if status < 300 => drop(world.cast.kept.insert(key.clone(), (status, text.clone(), now))),
            None => {}
        }
    }
    // An answer can be lost on the way; then the caller repeats the call.
    if client.key.is_some() && !world.calm && world.chance(20) {
        world.say("  (the answer is lost on the way)");
        world.cast.again.push(client.clone());
    }
    understood(world, id, &client, (status, &text, &body));
    if status < 500 {
        world.answer_seen = Some(body);
    }
    if let Some(found) = world.checks.found.take() {
        world.violate(found.check, found.found);
    }
}

/// What the caller makes of the answer, and whether the answer was true.
fn understood(world: &mut World, id: u64, client: &Client, (status, text, body): (u16, &str, &Value)) {
    match &client.ask {
        Ask::Deliver(letter) if status >= 300 => {
            world.github.record_failure(&letter.webhook, status);
            if status != 503 {
                world.violate("deliveries", format!("a signed delivery was answered with {status}: {text}"));
            }
        }
        Ask::Deliver(letter) => {
            let now = world.now();
            world.cast.arrived.push((**letter).clone());
            world.checks.acknowledged(&letter.webhook.guid, &letter.webhook.event, now);
        }
        Ask::Register(who) if status == 200 => {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (id, token) = (text(&body["worker_id"]), text(&body["token"]));
            let contributor = &mut world.cast.contributors[*who];
            contributor.worker = Some(Worker { id, token, leases: Vec::new(), tasks: Vec::new() });
            contributor.code = body["link"]["code"].as_str().map(str::to_owned);
        }
        Ask::Work(who) if status == 200 => {
            world.checks.work_is_true(id, body);
            if let Some(worker) = &mut world.cast.contributors[*who].worker {
                for held in body["leases"].as_array().into_iter().flatten() {
                    let text = |key: &str| held[key].as_str().unwrap_or_default().to_owned();
                    worker.hears_of(text("lease_id"), text("task_id"));
                }
            }
        }
        Ask::Lease { lease, act, .. } if status == 409 && client.repeated => {
            // Nobody else tried to end it, so it was this call that did.
            let alone = world.cast.enders.get(lease).is_some_and(|keys| keys.len() == 1);
            let rows = world.checks.last();
            let ended = rows.leases.iter().find(|row| row.id == *lease).map_or("", |row| row.state.as_str());
            let by_comment = world.cast.said.iter().any(|said| said.text.contains("release"));
            let known = world.jumped_at == 0 && world.now() < crate::world::A_DAY;
            let is_in_use = body["type"].as_str().is_some_and(|kind| kind.ends_with("idempotency-key-in-use"));
            if known
                && alone
                && !by_comment
                && !is_in_use
                && matches!((*act, ended), ("nack", "nacked") | ("release", "released"))
            {
                let found = format!("{} took effect, and its repetition is refused: {text}", client.told());
                world.violate("one answer for one key", found);
            }
        }
        Ask::Lease { who, lease, act } if status == 200 && !client.repeated => {
            let worker = world.cast.contributors[*who].worker.as_ref().map(|worker| worker.id.clone());
            world.checks.lease_act_is_true(id, lease, act, worker.as_deref().unwrap_or_default());
        }
        Ask::Claim { who, task } if status == 200 => {
            let lease = body["lease_id"].as_str().unwrap_or_default().to_owned();
            world.checks.claim_is_true(&lease, task);
            if let Some(worker) = &mut world.cast.contributors[*who].worker {
                worker.hears_of(lease, task.clone());
            }
        }
        Ask::Read if text.contains(SECRET) => {
            let found = format!("{} shows somebody without a token the private repository: {text}", client.told());
            world.violate("privacy", found);
        }
        Ask::Events if status == 200 => read_events(world, body),
        Ask::Events if status == 410 => {
            world.cast.cursor = None;
            world.checks.forget_read();
        }
        _ => {}
    }
}

/// A reader of the feed sees each event of a chain once and in order.
fn read_events(world: &mut World, body: &Value) {
    for event in body["events"].as_array().into_iter().flatten() {
        let chain = event["repo"].as_str().unwrap_or("-").to_owned();
        let seq = event["seq"].as_i64().unwrap_or(0);
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        world.checks.event_read(&id, seq, &chain);
    }
    world.cast.cursor = body["next_cursor"].as_str().map(str::to_owned);
}
