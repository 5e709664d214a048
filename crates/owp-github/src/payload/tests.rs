//! Tests of payload parsing: real, unusual and invalid payloads.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(event: &str, payload: &Value) -> Result<Incoming, PayloadError> {
    read_delivery(event, Some("application/json"), payload.to_string().as_bytes())
}

fn comment_payload() -> Value {
    json!({
        "action": "created",
        "issue": { "number": 7, "state": "open", "labels": [] },
        "comment": {
            "id": 99, "body": "/owp claim", "created_at": "2026-11-21T03:09:00Z",
            "updated_at": "2026-11-21T03:10:00Z",
            "user": { "id": 583_231, "login": "octocat", "type": "User" }, "performed_via_github_app": null
        },
        "repository": { "id": 42, "full_name": "octo-org/repo", "private": false, "archived": false, "default_branch": "main" },
        "sender": { "id": 583_231, "login": "octocat", "type": "User" },
        "installation": { "id": 5, "node_id": "x" }
    })
}

#[test]
fn a_comment_is_read_with_its_author_and_place() {
    let incoming = read("issue_comment", &comment_payload()).unwrap();
    let octocat = UserRef { id: 583_231, login: "octocat".into(), is_bot: false };
    assert_eq!((incoming.installation_id, incoming.action.as_deref()), (Some(5), Some("created")));
    let repository = incoming.repository.unwrap();
    assert_eq!((repository.id, repository.full_name.as_str(), repository.private), (42, "octo-org/repo", false));
    assert_eq!(repository.default_branch.as_deref(), Some("main"));
    assert_eq!(incoming.sender, Some(octocat.clone()));
    assert_eq!(
        incoming.kind,
        Kind::IssueComment {
            issue_number: 7,
            on_pull: false,
            comment: CommentRef {
                id: 99,
                body: "/owp claim".into(),
                author: Some(octocat),
                via_app_id: None,
                created_at: Timestamp::parse_rfc3339("2026-11-21T03:09:00Z"),
                updated_at: Timestamp::parse_rfc3339("2026-11-21T03:10:00Z"),
            },
            action: CommentAction::Created,
            old_body: None,
        }
    );
}

#[test]
fn what_is_said_of_a_commit_hints_at_it_once_it_is_final() {
    let about = |event: &str, action: &str, what: Value| {
        let mut payload = comment_payload();
        payload["action"] = json!(action);
        payload.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        read(event, &payload).map(|incoming| incoming.kind)
    };
    let commit = |name: Option<&str>| Kind::Commit { sha: "abc".into(), name: name.map(str::to_owned) };
    let run = json!({ "check_run": { "head_sha": "abc", "name": "ci/test", "status": "completed" } });
    assert_eq!(about("check_run", "completed", run.clone()), Ok(commit(Some("ci/test"))));
    assert_eq!(about("check_run", "created", run), Ok(Kind::Other));
    let suite = json!({ "check_suite": { "head_sha": "abc", "conclusion": null } });
    assert_eq!(about("check_suite", "completed", suite), Ok(commit(None)));
    let status = json!({ "sha": "abc", "context": "ci/test", "state": "success" });
    assert_eq!(about("status", "", status), Ok(commit(Some("ci/test"))));
    assert!(matches!(about("status", "", json!({})), Err(PayloadError::Missing { field: "sha", .. })));
}

#[test]
fn a_comment_tells_pulls_bots_apps_and_vanished_authors_apart() {
    let mut payload = comment_payload();
    payload["issue"]["pull_request"] = json!({ "url": "x" });
    payload["comment"]["user"] = Value::Null;
    payload["comment"]["performed_via_github_app"] = json!({ "id": 77, "slug": "robot" });
    payload["sender"] = json!({ "id": 1, "login": "robot[bot]" });
    payload["changes"] = json!({ "body": { "from": "before" } });
    payload["action"] = json!("edited");
    let incoming = read("issue_comment", &payload).unwrap();
    assert!(incoming.sender.is_some_and(|sender| sender.is_bot));
    let Kind::IssueComment { on_pull, comment, action, old_body, .. } = incoming.kind else { panic!("a comment") };
    assert!(on_pull && comment.author.is_none());
    assert_eq!((comment.via_app_id, action, old_body.as_deref()), (Some(77), CommentAction::Edited, Some("before")));

    payload["sender"] = json!({ "id": 2, "login": "Copilot", "type": "Bot" });
    payload["comment"]["performed_via_github_app"] = json!({});
    payload["changes"] = json!({});
    let incoming = read("issue_comment", &payload).unwrap();
    assert!(incoming.sender.is_some_and(|sender| sender.is_bot));
    let Kind::IssueComment { comment, old_body, .. } = incoming.kind else { panic!("a comment") };
    assert_eq!(
        (comment.via_app_id, old_body),
        (Some(0), None),
        "an App without an id is an App, an edit elsewhere is no edit"
    );
}

#[test]
fn an_issue_event_names_the_label_and_what_an_edit_replaced() {
    let repository = json!({ "id": 42, "full_name": "o/r" });
    let labeled = json!({ "action": "labeled", "issue": { "number": 3 }, "label": { "name": "pool:ready" }, "repository": repository });
    let kind = read("issues", &labeled).unwrap().kind;
    assert_eq!(kind, Kind::Issue { number: 3, label: Some("pool:ready".into()), edit: None, said: None });
    let mut whole = labeled;
    whole["issue"] = json!({
        "number": 3, "title": "Parse dates", "body": null, "labels": [{ "name": "pool:ready" }],
        "updated_at": "2026-11-21T03:09:00Z",
    });
    let Kind::Issue { said, .. } = read("issues", &whole).unwrap().kind else { panic!("an issue") };
    let (title, labels) = ("Parse dates".to_owned(), vec!["pool:ready".to_owned()]);
    let at = Timestamp::parse_rfc3339("2026-11-21T03:09:00Z");
    assert_eq!(said.as_deref(), Some(&IssueSnapshot { title, body: String::new(), labels, at }));

    let edited = json!({
        "action": "edited", "issue": { "number": 3, "title": "new", "body": "text" }, "repository": repository,
        "changes": { "title": { "from": "old" } }
    });
    let kind = read("issues", &edited).unwrap().kind;
    let text = |title: &str| (title.to_owned(), "text".to_owned());
    let ((title, body), (old_title, old_body)) = (text("new"), text("old"));
    let edit = Edit { title, body, old_title, old_body, at: None };
    assert_eq!(kind, Kind::Issue { number: 3, label: None, edit: Some(Box::new(edit)), said: None });
}

#[test]
fn pull_requests_installations_and_repositories_are_hints_where_to_look() {
    let repository = json!({ "id": 42, "full_name": "o/r", "private": true });
    let pull = json!({ "action": "closed", "pull_request": { "number": 8, "merged": true }, "repository": repository });
    let said = PullSnapshot { closed: true, merged: true, updated_at: None };
    assert_eq!(read("pull_request", &pull).unwrap().kind, Kind::PullRequest { number: 8, said });
    let pull = json!({
        "action": "closed", "repository": repository,
        "pull_request": { "number": 8, "state": "closed", "merged": false, "updated_at": "1970-01-01T00:00:05Z" }
    });
    let said = PullSnapshot { closed: true, merged: false, updated_at: Some(Timestamp(5_000)) };
    assert_eq!(read("pull_request", &pull).unwrap().kind, Kind::PullRequest { number: 8, said });
    let pull = json!({ "action": "closed", "number": 9, "repository": repository });
    assert_eq!(
        read("pull_request", &pull).unwrap().kind,
        Kind::PullRequest { number: 9, said: PullSnapshot::default() }
    );

    for (text, action) in [
        ("created", InstallationAction::Created),
        ("deleted", InstallationAction::Deleted),
        ("suspend", InstallationAction::Suspend),
        ("unsuspend", InstallationAction::Unsuspend),
        ("new_permissions_accepted", InstallationAction::NewPermissionsAccepted),
        ("new", InstallationAction::Other),
    ] {
        let payload = json!({ "action": text, "installation": { "id": 5 }, "repositories": [repository, { "full_name": "no/id" }, {}] });
        let Kind::Installation { action: read_action, repositories } = read("installation", &payload).unwrap().kind
        else {
            panic!("{text}")
        };
        assert_eq!((read_action, repositories.len()), (action, 1), "{text}");
        assert!(repositories[0].private && repositories[0].default_branch.is_none());
    }
    let payload = json!({ "action": "added", "installation": { "id": 5 }, "repositories_added": [repository], "repositories_removed": null });
    let Kind::InstallationRepositories { added, removed } = read("installation_repositories", &payload).unwrap().kind
    else {
        panic!("lists")
    };
    assert_eq!((added.len(), removed.len()), (1, 0));

    let renamed = json!({ "action": "renamed", "repository": repository, "changes": { "repository": { "name": { "from": "x" } } } });
    assert_eq!(read("repository", &renamed).unwrap().kind, Kind::Repository { action: RepositoryAction::Renamed });
    assert_eq!(read("ping", &json!({ "zen": "Keep it logically awesome.", "hook_id": 1 })).unwrap().kind, Kind::Ping);
}

#[test]
fn a_repository_that_does_not_say_so_is_not_taken_for_public() {
    let payload =
        json!({ "action": "opened", "issue": { "number": 3 }, "repository": { "id": 42, "full_name": "o/r" } });
    assert!(read("issues", &payload).unwrap().repository.unwrap().private);
}

#[test]
fn a_form_carries_the_same_payload() {
    let form: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("hook", "1")
        .append_pair("payload", &comment_payload().to_string())
        .finish();
    for content_type in ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=utf-8"] {
        let incoming = read_delivery("issue_comment", Some(content_type), form.as_bytes()).unwrap();
        assert_eq!(incoming, read("issue_comment", &comment_payload()).unwrap());
        assert_eq!(read_delivery("ping", Some(content_type), b"other=1"), Err(PayloadError::NoPayload));
    }
    assert!(matches!(read_delivery("ping", None, form.as_bytes()), Err(PayloadError::NotJson(_))));
}

#[test]
fn events_without_use_for_us_are_other_whatever_they_hold() {
    for payload in
        [json!({}), json!({ "action": 3, "repository": "o/r", "sender": [1] }), json!({ "issue": { "number": "x" } })]
    {
        assert_eq!(read("some_new_event", &payload).unwrap().kind, Kind::Other, "{payload}");
    }
    let star = read("star", &json!({ "action": "created", "repository": { "id": 42, "full_name": "o/r" } })).unwrap();
    assert_eq!((star.kind, star.repository.map(|repo| repo.id)), (Kind::Other, Some(42)));
    assert_eq!(read("ping", &json!({ "repository": 3 })).unwrap().kind, Kind::Ping);
}

#[test]
fn what_an_event_cannot_do_without_is_named() {
    let missing = |event: &str, payload: &Value| match read(event, payload) {
        Err(PayloadError::Missing { field, .. }) => field,
        other => panic!("{event}: {other:?}"),
    };
    let mut payload = comment_payload();
    payload["comment"]["id"] = Value::Null;
    assert_eq!(missing("issue_comment", &payload), "comment.id");
    payload["comment"] = Value::Null;
    assert_eq!(missing("issue_comment", &payload), "comment");
    payload["issue"]["number"] = Value::Null;
    assert_eq!((missing("issue_comment", &payload), missing("issues", &payload)), ("issue.number", "issue.number"));
    assert_eq!(missing("pull_request", &payload), "pull_request.number");
    assert_eq!(missing("installation", &json!({ "action": "created" })), "installation.id");
    assert_eq!(
        missing("repository", &json!({ "action": "renamed", "repository": { "full_name": "o/r" } })),
        "repository.id"
    );
    let mut payload = comment_payload();
    payload["repository"] = Value::Null;
    assert_eq!(missing("issue_comment", &payload), "repository.id");
}

#[test]
fn a_body_that_is_not_an_object_or_not_of_githubs_shape_is_refused_without_quoting_it() {
    for body in [
        "",
        " ",
        "null",
        "[]",
        "[{}]",
        "\"{}\"",
        "{",
        "{}}",
        "{\"action\":\"a\u{0}b\"}",
        "{\"action\":\"\\ud800\"}",
        "{'a':1}",
    ] {
        let error = read_delivery("issues", None, body.as_bytes()).expect_err(body);
        assert!(matches!(error, PayloadError::NotJson(_)), "{body}: {error:?}");
    }
    assert!(matches!(read_delivery("issues", None, b"{\"action\":\"\xff\"}"), Err(PayloadError::NotJson(_))));
    let mut payload = comment_payload();
    payload["comment"]["id"] = json!("s3cret");
    let said = read("issue_comment", &payload).expect_err("an id is a number").to_string();
    assert!(said.contains("`issue_comment` has an unexpected shape (line 1") && !said.contains("s3cret"), "{said}");
}

#[test]
fn nul_characters_and_huge_texts_are_survived() {
    let mut payload = comment_payload();
    payload["comment"]["body"] = json!(format!("/owp claim\0\n{}", "é".repeat(3_000_000)));
    payload["sender"]["login"] = json!("x\0".repeat(1_000_000));
    let incoming = read("issue_comment", &payload).unwrap();
    assert_eq!(incoming.sender.unwrap().login, "x".repeat(SHORT_MAX_CHARS));
    let Kind::IssueComment { comment, .. } = incoming.kind else { panic!("a comment") };
    assert!(
        comment.body.starts_with("/owp claim\n") && comment.body.len() <= 4 * 65_536 && !comment.body.contains('\0')
    );
}

#[test]
fn nesting_without_end_is_refused_and_not_followed() {
    let deep = format!("{{\"issue\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
    assert!(read_delivery("issues", None, deep.as_bytes()).is_err());
    let deep = format!("{{\"unused\":{}}}", "[".repeat(200_000));
    assert!(matches!(read_delivery("star", None, deep.as_bytes()), Err(PayloadError::NotJson(_))));
}

/// Generates almost valid payloads: real ones with some values replaced.
fn nearly(payload: Value) -> impl Strategy<Value = Value> {
    let odd = prop_oneof![
        Just(Value::Null),
        Just(json!(true)),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{ "id": 1 }])),
        any::<i64>().prop_map(|n| json!(n)),
        Just(json!(u64::MAX)),
        Just(json!(1.5)),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("\0")),
        Just(json!("x".repeat(70_000))),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), odd), 0..4).prop_map(move |changes| {
        let mut payload = payload.clone();
        for (index, odd) in changes {
            let paths = paths_of(&payload, "");
            if let Some(place) = payload.pointer_mut(&paths[index.index(paths.len())]) {
                *place = odd;
            }
        }
        payload
    })
}

fn paths_of(value: &Value, at: &str) -> Vec<String> {
    let mut paths = vec![at.to_owned()];
    if let Value::Object(fields) = value {
        for (name, field) in fields {
            paths.extend(paths_of(field, &format!("{at}/{name}")));
        }
    }
    paths
}

const EVENTS: [&str; 9] = [
    "issues",
    "issue_comment",
    "pull_request",
    "installation",
    "installation_repositories",
    "repository",
    "ping",
    "star",
    "\0\u{202e}",
];

fn everything() -> Value {
    let mut payload = comment_payload();
    payload["changes"] = json!({ "body": { "from": "a" }, "title": { "from": "b" } });
    payload["label"] = json!({ "name": "pool:ready" });
    payload["number"] = json!(4);
    payload["pull_request"] = json!({ "number": 4 });
    payload["repositories"] = json!([payload["repository"]]);
    payload["repositories_added"] = json!([payload["repository"]]);
    payload["repositories_removed"] = json!([]);
    payload
}

/// Asserts that a database accepts every kept text and that lengths are bounded.
fn assert_storable(incoming: &Incoming) {
    // Debug output shows a NUL as `\0`. A literal backslash is shown doubled and does not count.
    let shown = format!("{incoming:?}").replace("\\\\", "");
    assert!(!shown.contains("\\0"), "{shown:.500}");
    assert!(incoming.event.chars().count() <= SHORT_MAX_CHARS);
    for short in [&incoming.action, &incoming.sender.as_ref().map(|user| user.login.clone())].into_iter().flatten() {
        assert!(short.chars().count() <= SHORT_MAX_CHARS);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(event in prop::sample::select(EVENTS.to_vec()), form: bool, body in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "\\{(\"(action|issue|number|comment|id|repository)\":|\\{|\\}|\\[|\\]|,|:|null|1|\"x\"| ){0,30}".prop_map(String::into_bytes),
        "(payload=|%7B|%7D|%22|&|=|a){0,30}".prop_map(String::into_bytes),
    ]) {
        let content_type = if form { "application/x-www-form-urlencoded" } else { "application/json" };
        if let Ok(incoming) = read_delivery(event, Some(content_type), &body) {
            assert_storable(&incoming);
        }
    }

    #[test]
    fn a_payload_with_odd_values_is_read_or_refused_clearly(event in prop::sample::select(EVENTS.to_vec()), payload in nearly(everything())) {
        match read(event, &payload) {
            Ok(incoming) => assert_storable(&incoming),
            Err(error) => {
                prop_assert!(!matches!(error, PayloadError::NoPayload));
                prop_assert!(error.to_string().len() < 200, "{}", error);
                prop_assert!(is_used(event) || !payload.is_object(), "an event without use is never refused: {}", error);
            }
        }
    }

    #[test]
    fn a_payload_cut_short_is_refused_and_never_half_read(cut: prop::sample::Index) {
        let whole = everything().to_string();
        let mut end = cut.index(whole.len());
        while !whole.is_char_boundary(end) {
            end -= 1;
        }
        let answer = read_delivery("issue_comment", None, &whole.as_bytes()[..end]);
        prop_assert!(matches!(answer, Err(PayloadError::NotJson(_))), "{:?}", answer);
    }

    #[test]
    fn json_and_form_say_the_same(event in prop::sample::select(EVENTS.to_vec()), payload in nearly(everything())) {
        let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
        prop_assert_eq!(read_delivery(event, Some("application/x-www-form-urlencoded"), form.as_bytes()), read(event, &payload));
    }
}
