//! Hostile texts, where people write them: titles, bodies, labels, reasons, pull requests, names of workers. The texts are
//! kept as they are; the comments that tell of them do nothing but tell.

use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::world::{REPO, World};
use owp_engine::Registration;
use owp_github::render::find_key;
use owp_pool::Span;
use owp_pool::command::parse_comment;
use owp_pool::worker::Capabilities;
use owp_sandbox::PrSpec;
use owp_store::Extra;
use owp_testing::hostile::{check_comment, corpus};
use secrecy::ExposeSecret;
use serde_json::json;
use std::collections::BTreeSet;

on_both!(hostile_texts_are_kept_and_do_nothing, in_quiet_mode_neither);

/// Numbers below are written in the corpus.
const FILLERS: usize = 130;

/// An issue that carries one of the texts everywhere.
struct Case {
    name: &'static str,
    issue: u64,
    title: String,
    body: String,
    /// The text where only one line fits.
    line: String,
}

/// Every text is opened as an issue; a third of them live a whole life on each database, the last third in quiet mode.
async fn hostile_texts_are_kept_and_do_nothing(db: Db) {
    let w = World::new(db).await;
    live_through(&w, "normal", if db == Db::Sqlite { 0 } else { 1 }).await;
}

async fn in_quiet_mode_neither(db: Db) {
    let w = World::new(db).await;
    live_through(&w, "quiet", 2).await;
}

async fn live_through(w: &World, mode: &str, third: usize) {
    let mona = w.github.as_user("mona");
    let rules = json!({
        "budget": { "max_open_prs": 100 },
        "claims": { "per_worker": 20, "newcomers": 20, "newcomers_total": 20 },
        "comments": mode,
    });
    w.engine.policies().set_policy(REPO, Some(serde_json::from_value(rules).unwrap())).await.unwrap();
    for n in 0..FILLERS {
        mona.open_issue(REPO, &format!("Filler {n}"), "", &[]).unwrap();
    }
    w.github.take_deliveries();

    let cases = open_cases(w, if mode == "quiet" { Some(third) } else { None });
    rest(w).await;
    for case in &cases {
        let task = w.task_of(case.issue).await.unwrap_or_else(|| panic!("{}: no task", case.name));
        let kept = |text: &str| text.replace('\0', "");
        assert_eq!((task.title, task.description), (kept(&case.title), kept(&case.body)), "{}", case.name);
    }
    let all = cases.iter().collect::<Vec<_>>();
    let cases: Vec<&Case> = match mode {
        "quiet" => all.clone(),
        _ => all.iter().copied().skip(third).step_by(3).collect(),
    };
    for case in &cases {
        mona.comment(REPO, case.issue, &format!("/owp claim\n/owp block {}", case.line)).unwrap();
        w.advance(PACE);
    }
    rest(w).await;
    for case in &cases {
        mona.comment(REPO, case.issue, &format!("/owp pause 1h {}", case.line)).unwrap();
        w.github.as_user("eve").comment(REPO, case.issue, "/owp claim").unwrap();
        w.advance(PACE);
    }
    rest(w).await;
    mona.comment(REPO, cases[0].issue, "/owp resume").unwrap();
    for case in &cases {
        let words = format!("/owp unblock\n/owp claim\n/owp release {}\n/owp {}", case.line, case.line);
        mona.comment(REPO, case.issue, &words).unwrap();
        w.advance(PACE);
    }
    rest(w).await;
    for case in &cases {
        assert_eq!(w.state(case.issue).await, "ready", "{}: only what was commanded was done", case.name);
    }
    let mut pulls = Vec::new();
    for (n, case) in cases.iter().enumerate() {
        let body = format!("Fixes #{}\n\n{}", case.issue, case.body.chars().take(60_000).collect::<String>());
        // What git refuses in a branch's name cannot come from GitHub.
        let possible = |c: &char| !c.is_control() && !" ~^:?*[\\".contains(*c);
        let head = format!("{}-{n}", case.title.chars().filter(possible).collect::<String>());
        let spec = PrSpec { head, title: case.title.clone(), body, ..PrSpec::default() };
        pulls.push(w.github.as_user("bo").open_pr(REPO, spec).unwrap());
    }
    rest(w).await;
    for case in &cases {
        let code = register(w, &case.line).await;
        w.github.as_user("cy").comment(REPO, case.issue, &format!("/owp link {code}")).unwrap();
        w.advance(PACE);
    }
    rest(w).await;
    check(w, &all, &pulls);
    w.check_promises().await;
}

fn open_cases(w: &World, third: Option<usize>) -> Vec<Case> {
    let mona = w.github.as_user("mona");
    let mut cases = Vec::new();
    let texts = corpus().into_iter().enumerate().filter(|(n, _)| third.is_none_or(|third| n % 3 == third));
    for (_, (name, text)) in texts {
        let title = match text.trim().is_empty() {
            true => "A blank title is refused by GitHub".to_owned(),
            false => text.chars().take(200).collect(),
        };
        let line: String = text.replace(['\n', '\r', '\0'], " ").chars().take(120).collect();
        let issue = mona.open_issue(REPO, &title, &text, &[]).unwrap();
        let label = format!("estimate:{}", line.chars().take(40).collect::<String>());
        mona.label_all(REPO, issue, &["pool:ready", &label]).unwrap();
        cases.push(Case { name, issue, title, body: text, line });
    }
    cases
}

/// The time between two comments of one person: more commands in a minute would not be run.
const PACE: Span = Span::secs(20);

/// Comes to rest, in an hour that has room for what comes next.
async fn rest(w: &World) {
    w.settle().await;
    w.advance(Span::minutes(61));
    w.settle().await;
}

/// A worker called `name` for cy; its code.
async fn register(w: &World, name: &str) -> String {
    let registration = Registration {
        name: name.to_owned(),
        github_handle: Some("cy".to_owned()),
        skills: vec![],
        capacity: 1,
        max_concurrent: 1,
        capabilities: Capabilities::default(),
        extra: Extra::new(),
    };
    w.engine.workers().register(registration).await.unwrap().link.unwrap().code.expose_secret().to_owned()
}

fn check(w: &World, cases: &[&Case], pulls: &[u64]) {
    let (mut keys, mut comments) = (BTreeSet::new(), 0);
    for case in cases {
        for body in w.ours(case.issue) {
            comments += 1;
            let key = find_key(&body).unwrap_or_else(|| panic!("{}: no key in {body:?}", case.name));
            keys.insert(key.split(':').next().unwrap().to_owned());
            assert_eq!((body.matches("<!--").count(), body.matches("-->").count()), (1, 1), "{}: {body:?}", case.name);
            assert!(body.chars().count() <= 65_536, "{}", case.name);
            assert_eq!(parse_comment(&body), [], "{}: {body:?}", case.name);
            let words = body.trim_end().rsplit_once('\n').unwrap().0;
            for section in words.split("\n\n---\n\n") {
                check_comment(section, &["mona", "eve", "cy", "bo"], pulls)
                    .unwrap_or_else(|error| panic!("{}: {error}", case.name));
            }
        }
    }
    println!("{comments} comments, of the kinds {keys:?}");
    assert!(comments >= cases.len(), "{comments}");
    assert!(keys.contains("all") || ["lease", "notes", "refusal", "reply"].iter().all(|kind| keys.contains(*kind)));
}
