//! The pool's tools for the agent of a task: a server for this task and no other.

use super::stage::{ISSUE, PLAIN, Stage};
use serde_json::json;

#[test]
fn an_agent_reports_its_own_task_as_blocked_and_reaches_no_other() {
    let stage = Stage::new(PLAIN);
    let task = stage.task_id(ISSUE);
    let blocked = json!({ "task": task, "status": "blocked", "message": "Which number comes first?" });
    let other = json!({ "task": "t_another", "status": "blocked", "message": "Not mine." });
    stage.script(&json!([[
        { "tool_of_pool": ["show_task", { "task": task }] },
        { "tool_of_pool": ["report_progress", other] },
        { "tool_of_pool": ["release_task", { "task": task }] },
        { "tool_of_pool": ["report_progress", blocked] },
        { "say": "I cannot go on." },
    ]]));
    let done = stage.work(&["--yes", "--rounds", "0"]);
    let calls = stage.learned("tool_of_pool");
    assert_eq!(calls.len(), 4, "{}", done.all());
    for call in &calls {
        assert_eq!((&call["tools"], &call["code"]), (&json!(["show_task", "why", "report_progress"]), &json!(0)));
    }
    let shown = &calls[0]["result"]["structuredContent"];
    assert_eq!((&shown["issue"], shown["rules"]["branch"].is_string()), (&json!(ISSUE), true), "{shown}");
    assert_eq!(calls[1]["result"]["isError"], true, "{}", calls[1]);
    assert!(calls[2]["result"]["error"]["message"].is_string(), "{}", calls[2]);
    assert_eq!(calls[3]["result"]["structuredContent"]["state"], "blocked", "{}", calls[3]);
    let told = stage.task(ISSUE);
    assert_eq!((&told["state"], &told["blocked_because"]), (&json!("blocked"), &json!("Which number comes first?")));
    assert!(stage.pulls().is_empty(), "{}", done.all());

    let offered = &stage.learned("servers")[0][0];
    let socket = offered["args"][2].as_str().unwrap();
    assert_eq!(offered["args"], json!(["mcp", "--session", socket]));
    assert!(!offered.to_string().contains("owp_"), "no token is offered: {offered}");
    assert!(!std::path::Path::new(socket).exists(), "the server ended with the work");
}
