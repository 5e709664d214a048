//! Comments that were given up, for the operator: the list, and another try.

use crate::protocol::sse::meddle;
use crate::support::database::Db;
use crate::support::database::on_both;
use crate::support::pool::{Pool, REPO, Worker};
use serde_json::{Value, json};

on_both!(
    the_list_is_the_operators_and_paged,
    one_that_was_given_up_can_be_tried_again,
    the_overview_says_where_and_why_for_public_repositories_only,
);

/// Five comments that were given up, two of them in one moment, and one that waits.
async fn given_up(pool: &Pool) {
    pool.repo(json!({})).await;
    pool.admin("repos", json!({ "repo": "acme/attic" })).await.ok();
    meddle(
        pool,
        "INSERT INTO wanted_comments (repo_id, issue, key, body, version, state, due_at, created_at, error, died_at)
         SELECT r.id, l.issue, 'notes', 'Said on ' || l.issue, 1, l.state, 0, 0, l.error, l.died_at FROM repositories r,
         (SELECT 7 AS issue, 'dead' AS state, 'the issue is not there any more' AS error, 1000 AS died_at
          UNION ALL SELECT 8, 'dead', 'GitHub refused (403): locked <b>', 2000
          UNION ALL SELECT 9, 'pending', 'not yet', NULL) l
         WHERE r.name = 'acme/rocket' OR l.issue < 9",
    )
    .await;
    meddle(
        pool,
        "INSERT INTO wanted_comments (repo_id, issue, key, body, version, state, due_at, created_at, error, died_at)
         SELECT id, 5, 'reply:5', 'Said on 5', 1, 'dead', 0, 0, 'refused', 3000 FROM repositories WHERE name = 'acme/attic'",
    )
    .await;
}

async fn the_list_is_the_operators_and_paged(db: Db) {
    let pool = Pool::start(db).await;
    given_up(&pool).await;
    let whole = pool.admin("comments?state=dead", Value::Null).await.ok();
    let comments = whole["comments"].as_array().unwrap();
    let said = |comment: &Value| format!("{} {}", comment["repo"].as_str().unwrap(), comment["issue"]);
    let order: Vec<String> = comments.iter().map(said).collect();
    assert_eq!(order[0], "acme/attic 5");
    assert_eq!((order.len(), order[1..3].iter().filter(|place| place.ends_with(" 8")).count()), (5, 2), "{order:?}");
    let eighth = comments.iter().find(|comment| said(comment) == "acme/rocket 8").unwrap();
    let shown = json!({
        "repo": REPO, "issue": 8, "key": "notes", "why": "GitHub refused (403): locked <b>",
        "died_at": "1970-01-01T00:00:02Z", "body": "Said on 8",
    });
    assert_eq!((eighth, &whole["next_cursor"]), (&shown, &Value::Null));

    let (mut pages, mut cursor) = (Vec::new(), String::new());
    for size in [2, 2, 1] {
        let page = pool.admin(&format!("comments?limit=2{cursor}"), Value::Null).await.ok();
        assert_eq!(page["comments"].as_array().unwrap().len(), size, "{page}");
        pages.extend(page["comments"].as_array().unwrap().clone());
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    assert_eq!((&pages, cursor.as_str()), (comments, "&cursor="));
    for odd in ["state=sent", "cursor=x", "limit=0"] {
        pool.admin(&format!("comments?{odd}"), Value::Null).await.problem(422, "invalid-value");
    }
    let worker: Worker = pool.worker(json!({})).await;
    pool.as_worker(&worker, "GET", "/v1/admin/comments", Value::Null).await.problem(401, "unauthorized");
    pool.as_worker(&worker, "POST", "/v1/admin/comments/retry", json!({})).await.problem(401, "unauthorized");
}

async fn one_that_was_given_up_can_be_tried_again(db: Db) {
    let pool = Pool::start(db).await;
    given_up(&pool).await;
    let retry = |repo: &str, issue: Value, key: &str| {
        let body = json!({ "repo": repo, "issue": issue, "key": key });
        let pool = &pool;
        async move { pool.admin("comments/retry", body).await }
    };
    assert_eq!(retry("ACME/rocket", json!(8), "notes").await.ok(), json!({ "ok": true }));
    let left = pool.admin("comments", Value::Null).await.ok();
    assert_eq!(left["comments"].as_array().unwrap().len(), 4);
    for (issue, key) in [(8, "notes"), (9, "notes"), (7, "reply"), (70, "notes")] {
        let problem = retry(REPO, json!(issue), key).await.problem(409, "refused");
        assert!(problem["detail"].as_str().unwrap().contains("Nothing was changed"), "{problem}");
    }
    retry("acme/none", json!(8), "notes").await.problem(400, "unknown-repository");
    retry(REPO, json!(0), "notes").await.problem(422, "invalid-value");
    retry(REPO, json!(8), " ").await.problem(422, "invalid-value");
    let audit = pool.admin(&format!("audit?repo={REPO}"), Value::Null).await.text;
    let told: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let retried: Vec<&Value> = told.iter().filter(|line| line["kind"] == "comment.retried").collect();
    assert_eq!(retried.len(), 1, "{audit}");
    assert_eq!(retried[0]["payload"], json!({ "issue": 8, "key": "notes", "by": "operator" }));
}

async fn the_overview_says_where_and_why_for_public_repositories_only(db: Db) {
    let pool = Pool::start(db).await;
    assert!(!pool.page().await.text.contains("Comments given up"));
    given_up(&pool).await;
    meddle(&pool, "UPDATE repositories SET private = 1 WHERE name = 'acme/attic'").await;
    let page = pool.page().await.text;
    assert!(page.contains("acme/rocket</a> #7: the issue is not there any more."), "{page}");
    assert!(page.contains("acme/rocket</a> #8: GitHub refuses it; the operator can read in which words."), "{page}");
    assert!(!page.contains("(403)") && !page.contains("acme/attic"), "{page}");
}
