//! `owp conformance` as people and build servers run it: exit codes, what it prints and writes, and what it never tells.

use crate::conformance::proxy::{Ask, Beyond, How, Proxy, Reply};
use crate::conformance::server::{ADMIN, Server};
use crate::support::database::Db;
use crate::support::program::{free_port, owp};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// A server that breaks two requirements of which nothing is random.
const BROKEN: How = How::Reply(|ask, reply, _| {
    if ask.is("GET /healthz") {
        reply.body = "<OK> & \u{1b}[31mred\u{7}".into();
    }
    if ask.is("GET /.well-known/owp") {
        reply.change(|said| said["versions"] = json!(["1.0"]));
    }
});
const ONLY: [&str; 2] = ["--only", "http-7,DISC,RATE"];

/// Runs the program with the right token, in a folder of its own.
async fn run(url: &str, args: &[&str]) -> Output {
    let mut command = owp(&["conformance", "--server", url]);
    command.args(args).env("OWP_ADMIN_TOKEN", ADMIN);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A text without what is different every time.
fn steady(text: &str, url: &str) -> String {
    let text = text.replace(url, "http://server");
    let words: Vec<&str> = text.split(' ').collect();
    let is_number = |word: &str| word.parse::<f64>().is_ok() && word.contains('.');
    let is_version = |word: &str| word == "1.0" || word == "0.1";
    let kept = words.iter().enumerate().map(|(at, word)| {
        let is_span = at > 0 && words[at - 1] == "in";
        if is_number(word) && (is_span || !is_version(word)) { "0.0" } else { *word }
    });
    kept.collect::<Vec<_>>().join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_read_a_line_for_every_check_and_what_it_comes_to() {
    let server = Server::start(Db::Sqlite, "off").await;
    let healthy = run(&server.url, &ONLY).await;
    assert_eq!((healthy.status.code(), text(&healthy.stderr)), (Some(0), String::new()));
    insta::assert_snapshot!(steady(&text(&healthy.stdout), &server.url), @r#"
    pass  HTTP-7      `GET /healthz` answers `{"ok": true}`.
    pass  DISC-1      `GET /.well-known/owp` returns protocol, versions, features and limits without a token.
    pass  DISC-2      A server of OWP 1.0 also supports 0.1.
    pass  DISC-3      `features` is a list of names, each once.
    skip  RATE-1      Too many requests are answered 429 with `Retry-After`.
          the server does not announce `rate_limits`

    http://server conforms: 4 passed, 0 failed, 0 in error, 1 skipped, in 0.0 s
    "#);
    let proxy = Proxy::before(&server.url, BROKEN).await;
    let broken = run(&proxy.url, &ONLY).await;
    assert_eq!((broken.status.code(), text(&broken.stderr)), (Some(1), String::new()));
    insta::assert_snapshot!(steady(&text(&broken.stdout), &proxy.url), @r#"
    fail  HTTP-7      `GET /healthz` answers `{"ok": true}`.
          GET /healthz must be answered in JSON, not with: <OK> & \u{1b}[31mred\u{7}
    pass  DISC-1      `GET /.well-known/owp` returns protocol, versions, features and limits without a token.
    fail  DISC-2      A server of OWP 1.0 also supports 0.1.
          `versions` is ["1.0"]
    pass  DISC-3      `features` is a list of names, each once.
    skip  RATE-1      Too many requests are answered 429 with `Retry-After`.
          the server does not announce `rate_limits`

    http://server does not conform: 2 passed, 2 failed, 0 in error, 1 skipped, in 0.0 s
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_read_json_and_build_servers_junit() {
    let server = Server::start(Db::Sqlite, "off").await;
    let proxy = Proxy::before(&server.url, BROKEN).await;
    let folder = tempfile::tempdir().unwrap();
    let (junit, html) = (folder.path().join("report.xml"), folder.path().join("report.html"));
    let files = ["--json", "--junit", junit.to_str().unwrap(), "--html", html.to_str().unwrap()];
    let ran = run(&proxy.url, &[&ONLY[..], &files].concat()).await;
    assert_eq!((ran.status.code(), text(&ran.stderr)), (Some(1), String::new()));
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let counts = ["conforms", "complete", "passed", "skipped", "failed", "errors"].map(|key| report[key].clone());
    assert_eq!(json!(counts), json!([false, true, 2, 1, 2, 0]));
    let checks: Vec<String> = report["checks"].as_array().unwrap().iter().map(verdict).collect();
    assert_eq!(
        checks,
        [
            "core HTTP-7 fail",
            "extended DISC-1 pass",
            "extended DISC-2 fail",
            "extended DISC-3 pass",
            "extended RATE-1 skip"
        ]
    );
    assert!(report["checks"][0]["transcript"][0]["answer"].as_str().unwrap().contains("<OK> & \u{1b}[31mred"));
    insta::assert_snapshot!(steady(&as_elements(&junit), &proxy.url), @r#"
    testsuites | name=owp conformance | ''
    testsuite | name=core | tests=1 | failures=1 | errors=0 | skipped=0 | ''
    testcase | classname=owp.core | name=HTTP-7: `GET /healthz` answers `{"ok": true}`. | ''
    failure | message=GET /healthz must be answered in JSON, not with: <OK> & [31mred | 'GET /healthz\n\n200\ncontent-type: application/json\ncache-control: no-stor
    testsuite | name=extended | tests=4 | failures=1 | errors=0 | skipped=1 | ''
    testcase | classname=owp.extended | name=DISC-1: `GET /.well-known/owp` returns protocol, versions, features and limits without a token. | ''
    testcase | classname=owp.extended | name=DISC-2: A server of OWP 1.0 also supports 0.1. | ''
    failure | message=`versions` is ["1.0"] | 'GET /.well-known/owp\n\n200\ncontent-type: application/json\ncache-control: no-store\n\n{"api":"/v1","features":["off
    testcase | classname=owp.extended | name=DISC-3: `features` is a list of names, each once. | ''
    testcase | classname=owp.extended | name=RATE-1: Too many requests are answered 429 with `Retry-After`. | ''
    skipped | message=the server does not announce `rate_limits` | ''
    "#);
    let page = std::fs::read_to_string(html).unwrap();
    let row = page.split("<tr id=\"HTTP-7\">").nth(1).and_then(|rest| rest.split("</tr>").next()).unwrap();
    insta::assert_snapshot!(row.escape_debug(), @r#"<td>HTTP-7</td><td class=\"status fail\">fail</td><td>`GET /healthz` answers `{&quot;ok&quot;: true}`.<p class=\"why fail\">GET /healthz must be answered in JSON, not with: &lt;OK&gt; &amp; \u{1b}[31mred\u{7}</p><details open><summary>Requests and responses</summary><pre>GET /healthz</pre><pre>200\ncontent-type: application/json\ncache-control: no-store\n\n&lt;OK&gt; &amp; \u{1b}[31mred\u{7}</pre></details></td>"#);
    assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("<script") && !page.contains("src="), "{page}");
}

fn verdict(check: &Value) -> String {
    let field = |name: &str| check[name].as_str().unwrap().to_owned();
    format!("{} {} {}", field("profile"), field("id"), field("status"))
}

/// The elements of a file of XML, as a reader of XML finds them.
fn as_elements(file: &Path) -> String {
    let script = "import sys, xml.etree.ElementTree as tree\n\
        for at in tree.parse(sys.argv[1]).iter():\n \
            words = [key + '=' + value for key, value in at.attrib.items() if key != 'time']\n \
            print(' | '.join([at.tag, *words, repr((at.text or '').strip())])[:160])";
    let ran = Command::new("python3").args(["-c", script]).arg(file).output().unwrap();
    assert!(ran.status.success(), "{}: {}", text(&ran.stderr), std::fs::read_to_string(file).unwrap());
    text(&ran.stdout)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_wrongly_is_2_no_access_4_and_no_server_1() {
    let server = Server::start(Db::Sqlite, "off").await;
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no/such/folder/report");
    let nowhere = nowhere.to_str().unwrap();
    let gone = format!("http://127.0.0.1:{}", free_port());
    for (url, args, code, says) in [
        (server.url.as_str(), &["--only", "HTTP-7,NONE"][..], 2, "No check has a name that begins with NONE"),
        (&server.url, &["--html", nowhere], 2, "cannot be written"),
        (&server.url, &["--junit", nowhere], 2, "cannot be written"),
        (&server.url, &["--lease-ttl", "soon"], 2, "--lease-ttl"),
        (&server.url, &["--admin-token", "another"], 4, "rejects the admin token"),
        (&gone, &[], 1, "Check that the server runs there."),
        ("ftp://127.0.0.1", &[], 2, "ftp://127.0.0.1"),
    ] {
        let ran = run(url, args).await;
        assert_eq!((ran.status.code(), text(&ran.stdout).as_str()), (Some(code), ""), "{args:?}: {ran:?}");
        assert!(text(&ran.stderr).contains(says), "{args:?}: {ran:?}");
    }
    for (args, code, says) in
        [(&["conformance"][..], 2, "--server"), (&["conformance", "--server", &gone], 4, "--admin-token")]
    {
        let ran = owp(args).output().unwrap();
        assert_eq!(ran.status.code(), Some(code), "{ran:?}");
        assert!(text(&ran.stderr).contains(says), "{ran:?}");
    }
    let ran = run(&server.url, &["--admin-token", "another", "--json"]).await;
    assert_eq!(serde_json::from_slice::<Value>(&ran.stdout).unwrap()["error"]["exit_code"], 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_run_says_so_and_fails() {
    let server = Server::start(Db::Sqlite, "off").await;
    let mut command = owp(&["conformance", "--server", &server.url]);
    let running = command.env("OWP_ADMIN_TOKEN", ADMIN).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    let ran = tokio::task::spawn_blocking(move || running.wait_with_output().unwrap()).await.unwrap();
    assert!(sent.success() && ran.status.code() == Some(1), "{ran:?}");
    assert!(text(&ran.stderr).contains("Interrupted") && !text(&ran.stdout).contains("conforms"), "{ran:?}");
}

#[test]
fn the_list_names_every_check_and_makes_none() {
    let ran = owp(&["conformance", "--list"]).output().unwrap();
    assert_eq!((ran.status.code(), text(&ran.stderr)), (Some(0), String::new()));
    let (listed, all) = (text(&ran.stdout), owp_conformance::all());
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, all.iter().map(|check| check.id).collect::<Vec<_>>());
    insta::assert_snapshot!(listed.lines().take(9).collect::<Vec<_>>().join("\n"), @r#"
    HTTP-1      Responses are JSON, and `Content-Type` says so.
    HTTP-2      An error is a JSON object with a `detail`.
    HTTP-3      A body that is not a JSON object is answered 422.
    HTTP-4      Unknown fields are ignored.
    HTTP-5      Optional fields accept null.
    HTTP-6      Numbers are whole numbers, not strings: anything else is answered 422.
    HTTP-7      `GET /healthz` answers `{"ok": true}`.
    HTTP-8      Of several errors, the first one of the list is answered.
    AUTH-1      A worker's calls without a token are answered 401.
    "#);
    let named = |name: &str| all.iter().filter(|check| check.is_named(name)).count();
    assert_eq!(["WORK", "WORK-1", "WORK-10", "WORK-", "W", "NONE"].map(named), [10, 1, 1, 10, 16, 0]);
    let ran = owp(&["conformance", "--list", "--json"]).output().unwrap();
    let listed: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let claim = listed["checks"].as_array().unwrap().iter().find(|check| check["id"] == "CLAIM-3").unwrap();
    insta::assert_snapshot!(claim, @r#"{"feature":"claims","id":"CLAIM-3","profile":"extended","title":"Claiming a held task returns the lease its holder has."}"#);
}

/// Gives out tokens and codes, and answers everything else with an error that repeats what it knows of the caller, so often
/// that wherever a text is cut it is cut within one.
async fn telltale(ask: Ask, beyond: Arc<Beyond>) -> Reply {
    let gives_out =
        ["/register", "/me/token", "/admin/repos", "/admin/tasks"].iter().any(|end| ask.path.ends_with(end));
    let link = ask.path.ends_with("/me/link") && beyond.memory.count(ask.token()) == 1;
    if gives_out || link || ask.path.starts_with("/.well-known") {
        let mut reply = beyond.ask(&ask).await;
        for secret in ["token", "code"].iter().filter_map(|field| reply.json()[*field].as_str().map(str::to_owned)) {
            beyond.memory.set(format!("secret {secret}"), true);
            if link {
                beyond.memory.set(format!("code {}", ask.token()), secret);
            }
        }
        reply.change(|body| body["server"] = json!(format!("opened by {ADMIN}")));
        return reply;
    }
    let code = beyond.memory.get(&format!("code {}", ask.token()));
    let known = [ask.token(), ask.header("x-admin-token"), code.as_str().unwrap_or_default(), &ask.query];
    let detail = format!("{}, {}", known.join(" "), "y".repeat(3_000));
    Reply::of(500, &json!({ "detail": detail, "known": vec![known; 40], "status": 500, "title": "", "type": "" }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_report_tells_a_secret_whatever_the_server_tells() {
    let server = Server::start(Db::Sqlite, "off").await;
    let proxy = Proxy::before(&server.url, How::Own(|ask, beyond| Box::pin(telltale(ask, beyond)))).await;
    let folder = tempfile::tempdir().unwrap();
    let (junit, html) = (folder.path().join("report.xml"), folder.path().join("report.html"));
    let (json, people) = (["--json", "--junit", junit.to_str().unwrap(), "--html", html.to_str().unwrap()], []);
    let ran = [run(&proxy.url, &json).await, run(&proxy.url, &people).await];
    assert!(ran.iter().all(|ran| ran.status.code() == Some(1)), "{ran:?}");
    let files = [junit, html].map(|file| std::fs::read_to_string(file).unwrap());
    let printed = ran.iter().flat_map(|ran| [text(&ran.stdout), text(&ran.stderr)]);
    let told: Vec<String> = printed.chain(files).collect();
    assert!(told.iter().filter(|report| report.contains("[secret]")).count() >= 3, "nothing was hidden");
    let mut secrets: Vec<String> = proxy.beyond.memory.all("secret ").into_iter().map(|(secret, _)| secret).collect();
    secrets.push(ADMIN.to_owned());
    assert!(secrets.len() > 100 && secrets.iter().any(|secret| secret.len() < 16), "{} secrets", secrets.len());
    for (secret, report) in secrets.iter().flat_map(|secret| told.iter().map(move |report| (secret, report))) {
        // Half of a secret is told as little as all of it.
        let part: String = secret.chars().take(14).collect();
        if let Some((before, after)) = report.split_once(&part) {
            let around = |text: &str| text.chars().take(200).collect::<String>();
            let before: String = before.chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
            panic!("a secret is told: {before}<{part}>{}", around(after));
        }
    }
}
