//! Every reply to a command.

use super::*;
use owp_pool::Rule;

fn at() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-21T03:09:00Z").unwrap()
}

fn refusals() -> Vec<Refusal> {
    vec![
        Refusal::new(Rule::AreaLock, "The area auth is taken.").with_holder(Some("grace")),
        Refusal::new(Rule::Budget, "Every review slot is taken.").with_limit(5, 5).with_retry(Some(at())),
    ]
}

fn budget() -> BudgetLine {
    let source = "limit from the policy file".to_owned();
    let taken_by = "2 open pull requests and 1 lease without a pull request".to_owned();
    BudgetLine { used: 3, limit: 5, taken_by, source, stopped: None }
}

#[test]
fn a_refused_claim_gives_every_reason_in_its_exact_words() {
    let body = refusal_reply("ada", &refusals());
    for refusal in refusals() {
        assert!(body.contains(&refusal.sentences()) && body.contains(&refusal.measure()));
    }
    insta::assert_snapshot!(body, @r#"
    @ada, you cannot claim this task now:

    - The area auth is taken. Held by grace. <sub>[area_lock]</sub>
    - Every review slot is taken. Try again after 21 Nov 2026, 03:09 UTC. <sub>now 5, limit 5 [budget]</sub>
    "#);
}

#[test]
fn a_refusal_is_settled_by_a_later_claim() {
    insta::assert_snapshot!(refusal_settled("ada"), @"@ada, your earlier claim was refused here; this task is yours now, see below.");
}

#[test]
fn status_tells_why_nobody_has_the_task_and_when_the_budget_is_full() {
    let idle = TaskStatus {
        state: "ready".to_owned(),
        held: Some("the text was edited after it was approved.".to_owned()),
        holder: None,
        until: None,
        reserved: Some(("grace".to_owned(), at())),
        pull: None,
        estimate: 1,
        priority: 50,
        tier: 0,
        skills: Vec::new(),
        area: None,
        budget: BudgetLine { used: 5, ..budget() },
    };
    let closed = BudgetLine { limit: 0, taken_by: String::new(), ..budget() };
    let delivered = TaskStatus {
        state: "pr_opened".to_owned(),
        held: None,
        reserved: None,
        pull: Some(34),
        budget: closed,
        ..idle.clone()
    };
    let told = [idle, delivered].map(|status| reply("ada", &[Outcome::Status(Box::new(status))]));
    insta::assert_snapshot!(told.join("\n~~~\n"), @r#"
    @ada, here is the task's status:

    - **Task:** `ready`. Reserved for grace until 21 Nov 2026, 03:09 UTC. Not offered: the text was edited after it was approved.
    - **Size:** estimate 1, priority 50, tier 0.
    - **Budget:** 5 of 5 review slots taken (2 open pull requests and 1 lease without a pull request; limit from the policy file). Nothing is handed out until one is free.
    ~~~
    @ada, here is the task's status:

    - **Task:** `pr_opened`, pull request #34.
    - **Size:** estimate 1, priority 50, tier 0.
    - **Budget:** 3 of 0 review slots taken (limit from the policy file). Nothing is handed out until a maintainer raises it; 3 are still under way.
    "#);
}

#[test]
fn status_tells_the_task_and_the_budget() {
    let status = TaskStatus {
        state: "leased".to_owned(),
        held: None,
        holder: Some("grace".to_owned()),
        until: Some(at()),
        reserved: None,
        pull: None,
        estimate: 3,
        priority: 80,
        tier: 1,
        skills: vec!["rust".to_owned(), "sql".to_owned()],
        area: Some("auth".to_owned()),
        budget: BudgetLine { stopped: Some("open pull requests are not counted yet.".to_owned()), ..budget() },
    };
    insta::assert_snapshot!(reply("ada", &[Outcome::Status(Box::new(status))]), @r#"
    @ada, here is the task's status:

    - **Task:** `leased`, held by grace until 21 Nov 2026, 03:09 UTC.
    - **Size:** estimate 3, priority 80, tier 1, skills `rust` `sql`, area `auth`.
    - **Budget:** 3 of 5 review slots taken (2 open pull requests and 1 lease without a pull request; limit from the policy file). Nothing is handed out now: open pull requests are not counted yet.
    "#);
}

#[test]
fn every_command_has_an_answer_of_its_own() {
    let answers = [
        Outcome::Granted { until: at() },
        Outcome::Delivered { pull: 34 },
        Outcome::Released,
        Outcome::Extended { until: at() },
        Outcome::Why(refusals()),
        Outcome::Why(Vec::new()),
        Outcome::Joined {
            skills: vec!["rust".to_owned(), "sql".to_owned()],
            capacity: 5,
            concurrent: 2,
            reputation: Some(true),
            agents: Some(vec!["copilot-swe-agent[bot]".to_owned()]),
        },
        Outcome::Joined { skills: Vec::new(), capacity: 5, concurrent: 2, reputation: None, agents: Some(vec![]) },
        Outcome::Joined { skills: Vec::new(), capacity: 1, concurrent: 1, reputation: Some(false), agents: None },
        Outcome::Linked { worker: "laptop".to_owned() },
        Outcome::LinkFailed { reason: "the code is more than 15 minutes old".to_owned() },
        Outcome::Unlinked { workers: vec!["laptop".to_owned()] },
        Outcome::Unlinked { workers: Vec::new() },
        Outcome::Trusted { login: "grace".to_owned(), tier: 2, was_banned: false },
        Outcome::Trusted { login: "grace".to_owned(), tier: 0, was_banned: true },
        Outcome::Approved,
        Outcome::BudgetSet(budget()),
        Outcome::PermissionMissing { verb: "budget".to_owned(), needed: "write".to_owned() },
        Outcome::UnknownVerb { verb: "cliam".to_owned(), suggestion: Some("claim".to_owned()) },
        Outcome::UnknownVerb { verb: "dance".to_owned(), suggestion: None },
        Outcome::BadArgument {
            problem: "a tier is 0 to 3, not 7".to_owned(),
            example: "/owp trust @octocat 1".to_owned(),
        },
        Outcome::Done("saved.".to_owned()),
        Outcome::Failed("GitHub cannot be reached.".to_owned()),
    ];
    let told: Vec<String> = answers.into_iter().map(|answer| reply("ada", &[answer])).collect();
    insta::assert_snapshot!(told.join("\n~~~\n"), @r#"
    @ada, this task is yours until 21 Nov 2026, 03:09 UTC.
    ~~~
    @ada, this task is yours, and #34 is delivered for it.
    ~~~
    @ada, you gave this task back. Thank you for letting us know.
    ~~~
    @ada, you now have until 21 Nov 2026, 03:09 UTC.
    ~~~
    @ada, these rules keep you from this task:

    - The area auth is taken. Held by grace. <sub>[area_lock]</sub>
    - Every review slot is taken. Try again after 21 Nov 2026, 03:09 UTC. <sub>now 5, limit 5 [budget]</sub>
    ~~~
    @ada, no rule keeps you from this task: comment `/owp claim` to take it.
    ~~~
    @ada, you are in. Skills: `rust`, `sql`; up to 5 points and 2 tasks at once. Comment `/owp claim` on an open task to take it. Your work is scored from now on; `/owp why` shows the score and its reasons where it matters. Pull requests by `copilot-swe-agent[bot]` for tasks you hold count as yours.
    ~~~
    @ada, you are in. Skills: none; up to 5 points and 2 tasks at once. Comment `/owp claim` on an open task to take it. No other account's pull requests count as yours.
    ~~~
    @ada, you are in. Skills: none; up to 1 point and 1 task at once. Comment `/owp claim` on an open task to take it. Your work is no longer scored.
    ~~~
    @ada, the worker `laptop` now works for you. If that was not you, comment `/owp unlink` at once.
    ~~~
    @ada, no worker was linked. The code is more than 15 minutes old.
    ~~~
    @ada, no longer linked to you: `laptop`.
    ~~~
    @ada, no worker is linked to you.
    ~~~
    @ada, grace is now trusted with tasks up to tier 2.
    ~~~
    @ada, grace is no longer banned, and trusted with tasks up to tier 0.
    ~~~
    @ada, this task is approved as it reads now.
    ~~~
    @ada, the review budget is now 5: 3 of 5 review slots taken (2 open pull requests and 1 lease without a pull request; limit from the policy file).
    ~~~
    @ada, `/owp budget` needs write access to this repository, which you do not have here.
    ~~~
    @ada, there is no command `/owp cliam`; did you mean `/owp claim`?
    ~~~
    @ada, there is no command `/owp dance`; `/owp help` lists all commands.
    ~~~
    @ada, a tier is 0 to 3, not 7. For example: `/owp trust @octocat 1`.
    ~~~
    @ada, saved.
    ~~~
    @ada, GitHub cannot be reached.
    "#);
}

#[test]
fn help_lists_the_commands_without_becoming_one() {
    let row = |usage: &str, help: &str| HelpRow { usage: usage.to_owned(), help: help.to_owned() };
    let rows = vec![
        row("/owp claim", "Take this task."),
        row("/owp release [reason]", "Give it back."),
        row("/owp budget N|file", "Set the review budget."),
    ];
    insta::assert_snapshot!(reply("ada", &[Outcome::Help(rows)]), @r#"
    @ada, these are the commands. Write one at the beginning of a line.

    | command | what it does |
    | --- | --- |
    | `/owp claim` | Take this task. |
    | `/owp release [reason]` | Give it back. |
    | `/owp budget N\|file` | Set the review budget. |
    "#);
}

#[test]
fn several_commands_get_one_reply() {
    let outcomes = [
        Outcome::Joined { skills: vec!["rust".to_owned()], capacity: 5, concurrent: 2, reputation: None, agents: None },
        Outcome::Refused(refusals()),
    ];
    insta::assert_snapshot!(reply("ada", &outcomes), @r#"
    @ada, in the order you wrote:

    **1.** You are in. Skills: `rust`; up to 5 points and 2 tasks at once. Comment `/owp claim` on an open task to take it.

    **2.** You cannot claim this task now:

    - The area auth is taken. Held by grace. <sub>[area_lock]</sub>
    - Every review slot is taken. Try again after 21 Nov 2026, 03:09 UTC. <sub>now 5, limit 5 [budget]</sub>
    "#);
}

#[test]
fn a_reply_is_bounded() {
    let outcomes: Vec<Outcome> = (0..MAX_OUTCOMES + 2).map(|_| Outcome::Approved).collect();
    let said = reply("ada", &outcomes);
    insta::assert_snapshot!(said.lines().skip(18).collect::<Vec<_>>().join("\n"), @r"
    **9.** This task is approved as it reads now.

    **10.** This task is approved as it reads now.

    … and 2 more.
    ");
}
