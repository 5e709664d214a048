//! `init-repo`, `pause`, `resume`, `revoke` and `trust`.

use crate::admin_cli::stage::{REPO, Stage};

#[test]
fn a_repository_is_made_and_set_again() {
    let pool = Stage::empty();
    insta::assert_snapshot!(pool.run(&["init-repo", REPO]), @r#"
    acme/rocket: at most 3 pull requests and leases open at once, one holder per area
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["init-repo", REPO, "--max-open-prs", "1", "--no-area-locks"]), @r#"
    acme/rocket: at most 1 pull request or lease open at once, any number of holders per area
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["init-repo", REPO, "--max-open-prs", "0"]), @r#"
    acme/rocket: hands out nothing (--max-open-prs 0), one holder per area
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["init-repo", REPO, "--json"]), @r#"
    {
      "ok": true,
      "repo": "acme/rocket",
      "schema_version": 1
    }
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["init-repo", "", "--max-open-prs", "101"]), @r#"
    ! error: invalid value '101' for '--max-open-prs <N>': must be a whole number from 0 to 100
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["init-repo", REPO, "--max-open-prs", "many"]), @r#"
    ! error: invalid value 'many' for '--max-open-prs <N>': must be a whole number from 0 to 100
    !
    ! For more information, try '--help'.
    exit 2
    "#);
}

#[test]
fn a_repository_is_paused_and_resumed() {
    let pool = Stage::start();
    insta::assert_snapshot!(pool.run(&["pause", REPO]), @r#"
    acme/rocket: nothing is handed out until `owp admin resume acme/rocket`
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["pause", REPO, "--for", "2h", "--reason", "a \u{1b}[31mrelease"]), @r#"
    acme/rocket: nothing is handed out until MOMENT
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["pause", REPO, "--for", "1d12h", "--json"]), @r#"
    {
      "ok": true,
      "paused_until": "TIME",
      "schema_version": 1
    }
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["pause", REPO, "--for", "soon"]), @r#"
    ! error: invalid value 'soon' for '--for <TIME>': must be a duration such as 30m, 2h or 1d12h
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["pause", REPO, "--for", "0s"]), @r#"
    ! error: invalid value '0s' for '--for <TIME>': must be a duration such as 30m, 2h or 1d12h
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["pause", "acme/nothing"]), @r#"
    ! owp admin pause: There is no repository acme/nothing in this pool.
    !   `owp admin state` lists the repositories; `owp admin init-repo OWNER/NAME` creates one.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["resume", REPO]), @r#"
    acme/rocket: work is handed out again
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["resume", REPO, "--json"]), @r#"
    {
      "ok": true,
      "schema_version": 1
    }
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["resume", "acme/nothing"]), @r#"
    ! owp admin resume: There is no repository acme/nothing in this pool.
    !   `owp admin state` lists the repositories; `owp admin init-repo OWNER/NAME` creates one.
    exit 1
    "#);
}

#[test]
fn a_task_is_withdrawn_and_put_back() {
    let pool = Stage::start();
    let task = pool.task("One", &[]);
    insta::assert_snapshot!(pool.run(&["close", &task, "--reason", "done elsewhere"]), @r#"
    t_… is closed and takes no slot any more; reopen it with `owp admin reopen t_…`
    exit 0
    "#);
    assert_eq!(pool.ready(), 0);
    insta::assert_snapshot!(pool.run(&["reopen", &task]), @r#"
    t_… is ready to be handed out
    exit 0
    "#);
    assert_eq!(pool.ready(), 1);
    insta::assert_snapshot!(pool.run(&["close", &task, "--json"]), @r#"
    {
      "ok": true,
      "schema_version": 1
    }
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["reopen", &task, "--json"]), @r#"
    {
      "ok": true,
      "schema_version": 1
    }
    exit 0
    "#);
    let (_, token) = pool.worker("ada", &[]);
    assert_eq!(pool.work(&token).len(), 1);
    insta::assert_snapshot!(pool.run(&["reopen", &task]), @r#"
    ! owp admin reopen: The task is leased; it cannot be reopened from there.
    !   `owp admin state` and `owp admin events` show the current state.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["close", "t_1"]), @r#"
    ! owp admin close: There is no task with this id.
    !   `owp admin tasks` and `owp admin workers` show ids.
    exit 1
    "#);
}

#[test]
fn a_lease_and_a_worker_are_taken_back() {
    let pool = Stage::start();
    pool.task("One", &[]);
    pool.task("Two", &[]);
    let (ada, token) = pool.worker("ada", &[]);
    let lease = pool.work(&token)[0]["lease_id"].as_str().unwrap().to_owned();
    insta::assert_snapshot!(pool.run(&["revoke", &lease, "--reason", "a mistake"]), @r#"
    l_… was revoked; its task can be handed out again
    exit 0
    "#);
    assert_eq!(pool.ready(), 1);
    insta::assert_snapshot!(pool.run(&["revoke", &ada]), @r#"
    w_… has no access any more; 1 lease ended
    exit 0
    "#);
    assert_eq!(pool.ready(), 2);
    let (bo, _) = pool.worker("bo", &[]);
    insta::assert_snapshot!(pool.run(&["revoke", &bo, "--json"]), @r#"
    {
      "leases_ended": 0,
      "ok": true,
      "schema_version": 1
    }
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["revoke", &lease]), @r#"
    ! owp admin revoke: The lease is over already. Nothing was changed.
    !   `owp admin state` and `owp admin events` show the current state.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["revoke", "l_1"]), @r#"
    ! owp admin revoke: There is no lease with this id.
    !   `owp admin tasks` and `owp admin workers` show ids.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["revoke", "w_1", "--json"]), @r#"
    {
      "error": {
        "because": [],
        "exit_code": 1,
        "message": "There is no worker with this id.",
        "next": "`owp admin tasks` and `owp admin workers` show ids.",
        "problem": {
          "detail": "There is no worker with this id.",
          "status": 404,
          "title": "There is no such worker",
          "type": "/problems/unknown-worker"
        }
      },
      "schema_version": 1
    }
    ! owp admin revoke: There is no worker with this id.
    !   `owp admin tasks` and `owp admin workers` show ids.
    exit 1
    "#);
    insta::assert_snapshot!(pool.run(&["revoke", "ada"]), @r#"
    ! owp admin revoke: ada is neither a lease nor a worker.
    !   A lease's id begins with l_ and a worker's with w_; `owp admin workers` and `owp admin events` show them.
    exit 2
    "#);
}

#[test]
fn somebody_is_trusted_or_banned() {
    let pool = Stage::start();
    insta::assert_snapshot!(pool.run(&["trust", REPO, "id:583231", "2"]), @r#"
    id:583231 has trust 2 in acme/rocket
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["trust", REPO, "id:583231", "-1"]), @r#"
    id:583231 is banned from acme/rocket
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["trust", REPO, "id:583231", "0", "--json"]), @r#"
    {
      "github_id": 583231,
      "level": 0,
      "login": null,
      "ok": true,
      "repo": "acme/rocket",
      "schema_version": 1
    }
    exit 0
    "#);
    insta::assert_snapshot!(pool.run(&["trust", REPO, "@octocat", "-1"]), @r#"
    ! owp admin trust: `login` cannot be used: nobody is known here under the login octocat; give `github_id`, which GET https://api.github.com/users/LOGIN tells.
    !   https://api.github.com/users/octocat shows the `id`; then run: owp admin trust acme/rocket id:NUMBER -1
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["trust", REPO, "octocat", "4"]), @r#"
    ! error: invalid value '4' for '<LEVEL>': must be a whole number from -1 to 3
    !
    ! For more information, try '--help'.
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["trust", REPO, "id:one", "1"]), @r#"
    ! owp admin trust: id:one is not a numeric id.
    !   https://api.github.com/users/LOGIN shows the `id` of a login.
    exit 2
    "#);
    insta::assert_snapshot!(pool.run(&["trust", "acme/nothing", "id:1", "1"]), @r#"
    ! owp admin trust: There is no repository acme/nothing in this pool.
    !   `owp admin state` lists the repositories; `owp admin init-repo OWNER/NAME` creates one.
    exit 1
    "#);
}
