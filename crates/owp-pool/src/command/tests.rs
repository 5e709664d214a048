//! Tests of the command grammar, most of them with comments written to mislead it.

use super::*;

/// Summarises each command as line number and verb; errors by their kind.
fn found(body: &str) -> Vec<(usize, String)> {
    let kind = |parsed: &Result<Command, CommandError>| match parsed {
        Ok(command) => command.verb().to_string(),
        Err(CommandError::UnknownVerb { verb, .. }) => format!("unknown {verb}"),
        Err(CommandError::Missing { verb, .. }) => format!("missing {verb}"),
        Err(CommandError::Bad { verb, .. }) => format!("bad {verb}"),
        Err(CommandError::TooMany) => "too many".to_owned(),
    };
    parse_comment(body).iter().map(|line| (line.line, kind(&line.parsed))).collect()
}

fn one(line: &str) -> Result<Command, CommandError> {
    let mut commands = parse_comment(line);
    assert_eq!(commands.len(), 1, "{line}");
    commands.remove(0).parsed
}

fn problem(line: &str) -> String {
    one(line).expect_err(line).to_string()
}

#[track_caller]
fn assert_found(body: &str, expected: &[(usize, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(line, verb)| (*line, (*verb).to_owned())).collect();
    assert_eq!(found(body), expected, "{body}");
}

#[test]
fn a_command_is_found_wherever_a_paragraph_has_a_line_of_its_own_for_it() {
    assert_found("/owp claim", &[(1, "claim")]);
    assert_found("I would like this.\n/owp claim\nThanks!", &[(2, "claim")]);
    assert_found("Hi\n\n   /owp claim please, I have time today\n", &[(3, "claim")]);
    assert_found("<!-- a template's hint -->\n/owp claim", &[(2, "claim")]);
    assert_found("/owp join skills:rust\r\n\r\n/owp claim\r\n", &[(1, "join"), (3, "claim")]);
    assert_found("/owp join skills:rust\r/owp claim", &[(1, "join"), (2, "claim")]);
    assert_found("/owp claim\n-- \nSent from my phone", &[(1, "claim")]);
    assert_found("/owp claim\n---\nnext", &[(1, "claim")]);
    assert_found("> quote\n\n/owp claim", &[(3, "claim")]);
    assert_found("- item\n\n/owp claim", &[(3, "claim")]);
    assert_found("```\ncode\n```\n/owp claim", &[(4, "claim")]);
    assert_found("# Title\n/owp claim", &[(2, "claim")]);
}

#[test]
fn case_and_punctuation_do_not_matter() {
    for line in ["/OWP CLAIM", "/Owp Claim.", "/owp claim!", "/owp\tclaim", "/owp\u{a0}claim", "/owp   claim, please"] {
        assert_eq!(one(line), Ok(Command::Claim), "{line}");
    }
}

#[test]
fn the_bare_name_asks_for_help() {
    for line in ["/owp", "/OWP  ", "/owp help", "/owp help me"] {
        assert_eq!(one(line), Ok(Command::Help), "{line}");
    }
}

#[test]
fn what_only_resembles_the_name_is_not_ours() {
    for line in [
        "/owpclaim",
        "/owp-claim",
        "/owp/claim",
        "/owp: claim",
        "owp claim",
        "//owp claim",
        "/ owp claim",
        "\\/owp claim",
        "please /owp claim",
        "/\u{43e}wp claim",
        "/ow\u{440} claim",
        "\u{ff0f}owp claim",
        "/o\u{200b}wp claim",
        "\u{feff}/owp claim",
        "\t/owp claim",
        "/owp\u{0}claim",
        "/owp\u{200b}claim",
        "&#47;owp claim",
        "/ow",
    ] {
        assert_found(line, &[]);
    }
}

#[test]
fn code_is_not_a_command() {
    for body in [
        "```\n/owp claim\n```",
        "~~~\n/owp claim\n~~~",
        "```sh\n/owp claim\n",
        "~~~~\n```\n/owp claim\n```\n",
        "````\n```\n/owp claim\n```\n````",
        "    /owp claim",
        "text\n\n    /owp claim",
        "`/owp claim`",
        "see `\n/owp claim\n` there",
        "``a ` b\n/owp claim``",
        "a\n     /owp claim",
        "- ```\n  /owp claim\n  ```\n",
        "$$\n/owp claim\n$$",
    ] {
        assert!(!found(body).iter().any(|(_, verb)| verb == "claim"), "{body}");
    }
}

#[test]
fn an_unclosed_fence_hides_everything_below_and_nothing_above() {
    assert_found("/owp status\n```\n/owp claim\n\n/owp release", &[(1, "status")]);
}

#[test]
fn quotes_are_not_commands_nor_is_the_line_that_lazily_continues_one() {
    for body in [
        "> /owp claim",
        ">/owp claim",
        "> > /owp claim",
        "> text\n/owp claim",
        "> > a\n> b\n/owp claim",
        "> - a\n/owp claim",
        "> [!NOTE]\n> /owp claim",
        "   > a\n  /owp claim",
    ] {
        assert_found(body, &[]);
    }
}

#[test]
fn lists_tables_footnotes_links_and_emphasis_are_not_commands() {
    for body in [
        "- /owp claim",
        "* a\n/owp claim",
        "1. a\n   /owp claim",
        "- [ ] /owp claim",
        "- a\n\n  /owp claim",
        "/owp claim | b\n--- | ---\nx | y",
        "a | b\n--- | ---\n/owp claim | y",
        "[^1]: a\n/owp claim",
        "[^1]: a\n\n    /owp claim",
        "[see\n/owp claim](https://example.com)",
        "[a](https://example.com '\n/owp claim')",
        "[a]: https://example.com '\n/owp claim'",
        "![\n/owp claim](x.png)",
        "**bold\n/owp claim**",
        "~~gone\n/owp claim~~",
        "# /owp claim",
        "**/owp claim**",
    ] {
        assert_found(body, &[]);
    }
}

#[test]
fn html_is_not_a_command() {
    for body in [
        "<!-- /owp claim -->",
        "<!--\n/owp claim\n-->",
        "text <!--\n/owp claim\n--> text",
        "<!--\n\n/owp claim\n",
        "<!-- -- >\n\n/owp claim",
        "<div>\n/owp claim\n</div>",
        "<details>\n<summary>x</summary>\n\n/owp claim\n\n</details>",
        "<DETAILS open\n class='x>y'>\n\n/owp claim",
        "<blockquote>\n\n/owp claim\n\n</blockquote>",
        "<pre>\n\n/owp claim\n\n</pre>",
        "a <del>\n/owp claim\n</del>",
        "a <code>\n/owp claim</code>",
        "<p title=\"\n/owp claim\n\">",
        "a <a title='\n/owp claim\n'>b</a>",
        "<script>\n/owp claim\n</script>",
        "<?php\n/owp claim\n?>",
        "<![CDATA[\n/owp claim\n]]>",
        "1 < 2 <details>\n\n/owp claim",
    ] {
        assert_found(body, &[]);
    }
}

#[test]
fn html_that_has_ended_hides_nothing() {
    for (body, line) in [
        ("<details>\n\ntext\n\n</details>\n\n/owp claim", 7),
        ("<div><div></div></div>\n\n/owp claim", 3),
        ("<!-- <details> -->\n/owp claim", 2),
        ("a <br> b\n/owp claim", 2),
        ("A `<div>` and a Vec<String>\n/owp claim", 2),
        ("<p align=center>\n\n/owp claim", 3),
        ("> <details>\n\n/owp claim", 3),
        ("- <div>\n\n/owp claim", 3),
        ("<!-->\n/owp claim", 2),
        ("an unclosed <!-- mark\n\n/owp claim", 3),
        ("</details>\n\n/owp claim", 3),
    ] {
        assert_found(body, &[(line, "claim")]);
    }
}

#[test]
fn arguments_do_not_see_inline_html() {
    assert_eq!(one("/owp block <!-- x --> waits <b>for</b> #3"), Ok(Command::Block { reason: "waits for #3".into() }));
    assert_eq!(
        problem("/owp block <!-- nothing to see -->"),
        "`block` needs a reason. Write it as `/owp block reason`."
    );
    assert_eq!(one("/owp claim <!--\n/owp release\n-->"), Ok(Command::Claim));
}

#[test]
fn several_commands_are_read_in_order_up_to_the_limit() {
    assert_found("/owp status\n/owp why\n\n/owp claim", &[(1, "status"), (2, "why"), (4, "claim")]);
    let many = "/owp claim\n".repeat(500);
    let commands = parse_comment(&many);
    assert_eq!(commands.len(), MAX_COMMANDS + 1);
    assert!(commands[..MAX_COMMANDS].iter().all(|line| line.parsed == Ok(Command::Claim)));
    assert_eq!(commands[MAX_COMMANDS].parsed, Err(CommandError::TooMany));
}

#[test]
fn an_unknown_verb_is_answered_with_the_one_that_was_meant() {
    assert_eq!(problem("/owp cliam"), "There is no command `cliam`. Did you mean `claim`?");
    assert_eq!(problem("/owp \u{441}laim"), "There is no command `\u{441}laim`. Did you mean `claim`?");
    assert_eq!(problem("/owp frobnicate"), "There is no command `frobnicate`.");
    assert_eq!(problem("/owp `claim`"), "There is no command `'claim'`. Did you mean `claim`?");
    assert_eq!(problem("/owp ..."), "There is no command `...`.");
    let long = problem(&format!("/owp {}", "x".repeat(60_000)));
    assert!(long.len() < 200, "{}", long.len());
}

#[test]
fn hidden_characters_neither_make_nor_hide_a_command() {
    assert_eq!(one("/owp cl\u{200b}aim\u{0}"), Ok(Command::Claim));
    assert_found("/owp \u{202e}mialc", &[(1, "unknown mialc")]);
    let reason = one("/owp release a\u{202e}b\u{0}\u{e0041}c \u{7}");
    assert_eq!(reason, Ok(Command::Release { reason: Some("abc".into()) }));
}

#[test]
fn reasons_are_kept_short() {
    let Ok(Command::Release { reason: Some(reason) }) = one(&format!("/owp release {}", "long ".repeat(10_000))) else {
        panic!("a long reason is still a reason");
    };
    assert_eq!(reason.chars().count(), REASON_MAX_CHARS);
    assert_eq!(one("/owp release"), Ok(Command::Release { reason: None }));
}

#[test]
fn join_reads_its_pairs_in_any_order_and_spelling() {
    let skills = Some(vec!["rust".into(), "sql".into()]);
    let full = JoinProfile { skills, capacity: Some(5), concurrent: Some(2), ..JoinProfile::default() };
    for line in [
        "/owp join skills:rust,sql capacity:5 concurrent:2",
        "/owp join concurrent=2 capacity=5 skill=SQL,rust,sql",
        "/owp join skills: rust, sql capacity: 5 concurrent : 2",
        "/owp join Skills:rust ,sql, Capacity:5 Concurrent:2.",
    ] {
        assert_eq!(one(line), Ok(Command::Join(full.clone())), "{line}");
    }
    assert_eq!(one("/owp join"), Ok(Command::Join(JoinProfile::default())));
    let none = JoinProfile { skills: Some(vec![]), ..JoinProfile::default() };
    assert_eq!(one("/owp join skills:none"), Ok(Command::Join(none)));
    let scored = |reputation| Ok(Command::Join(JoinProfile { reputation: Some(reputation), ..JoinProfile::default() }));
    let agents = |logins: &[&str]| {
        let agents = Some(logins.iter().map(|login| (*login).to_owned()).collect());
        Ok(Command::Join(JoinProfile { agents, ..JoinProfile::default() }))
    };
    assert_eq!(one("/owp join agents:@copilot-swe-agent[bot],@other"), agents(&["copilot-swe-agent[bot]", "other"]));
    assert_eq!(one("/owp join Agents = @a , @b, @A."), agents(&["a", "b"]));
    assert_eq!(one("/owp join agent:none"), agents(&[]));
    assert_eq!(one("/owp join reputation:on"), scored(true));
    assert_eq!(one("/owp join Reputation = OFF."), scored(false));
}

#[test]
fn join_says_what_it_cannot_read() {
    for (line, what) in [
        ("/owp join capacity:0", "takes a capacity from 1 to 100, not `0`"),
        ("/owp join capacity:many", "not `many`"),
        ("/owp join concurrent:21", "from 1 to 20"),
        ("/owp join colour:red", "does not know `colour`"),
        ("/owp join skills:", "without a skill"),
        ("/owp join skills:a skills:b", "has `skills` twice"),
        ("/owp join please", "does not know `please`"),
        ("/owp join capacity:+5", "not `+5`"),
        ("/owp join reputation:high", "`reputation:on` or `reputation:off`, not `high`"),
        ("/owp join agents:", "without an account"),
        ("/owp join agents:copilot", "with an @, as in @octocat, not `copilot`"),
        ("/owp join agents:@a agents:@b", "has `agents` twice"),
        ("/owp join agents:@a,@b,@c,@d,@e,@f", "at most 5 agents"),
        ("/owp join reputation:on reputation:off", "has `reputation` twice"),
    ] {
        let said = problem(line);
        assert!(said.contains(what) && said.contains("Write it as `/owp join"), "{line}: {said}");
    }
    let crowd: Vec<_> = (0..40).map(|n| format!("s{n}")).collect();
    assert!(problem(&format!("/owp join skills:{}", crowd.join(","))).contains("at most 30"));
}

#[test]
fn maintainers_verbs_read_their_arguments() {
    let login = "octo-cat".to_owned();
    assert_eq!(one("/owp trust @octo-cat 1"), Ok(Command::Trust { login: login.clone(), level: 1 }));
    assert_eq!(one("/owp trust @octo-cat, 3, good work"), Ok(Command::Trust { login: login.clone(), level: 3 }));
    assert_eq!(one("/owp budget 0"), Ok(Command::Budget(BudgetChange::To(0))));
    assert_eq!(one("/owp budget 12 until the release"), Ok(Command::Budget(BudgetChange::To(12))));
    assert_eq!(one("/owp budget FILE"), Ok(Command::Budget(BudgetChange::File)));
    assert_eq!(one("/owp assign @octo-cat"), Ok(Command::Assign { login: login.clone() }));
    assert_eq!(one("/owp ban @octo-cat for spam"), Ok(Command::Ban { login: login.clone() }));
    assert_eq!(one("/owp ban @robot[bot]"), Ok(Command::Ban { login: "robot[bot]".into() }));
    let reason = |text: &str| Some(text.to_owned());
    let revoke = |login: &Option<String>, reason| Ok(Command::Revoke { login: login.clone(), reason });
    let (login, nobody) = (Some(login), None);
    assert_eq!(one("/owp revoke"), revoke(&nobody, None));
    assert_eq!(one("/owp revoke @octo-cat"), revoke(&login, None));
    assert_eq!(one("/owp revoke @octo-cat, silent since May"), revoke(&login, reason("silent since May")));
    assert_eq!(one("/owp revoke @octo-cat as @bo asked"), revoke(&login, reason("as @bo asked")));
    assert_eq!(one("/owp revoke inactive for weeks"), revoke(&nobody, reason("inactive for weeks")));
    assert_eq!(one("/owp approve looks fine"), Ok(Command::Approve));
}

#[test]
fn pause_tells_duration_from_reason() {
    for (line, secs, reason) in [
        ("/owp pause", None, None),
        ("/owp pause release week", None, Some("release week")),
        ("/owp pause 2h", Some(7_200), None),
        ("/owp pause for 3 days holiday", Some(259_200), Some("holiday")),
        ("/owp pause 1D12H: moving house", Some(129_600), Some("moving house")),
        ("/owp pause for good reasons", None, Some("for good reasons")),
    ] {
        assert_eq!(one(line), Ok(Command::Pause { secs, reason: reason.map(str::to_owned) }), "{line}");
    }
}

#[test]
fn what_a_maintainers_verb_cannot_read_is_said() {
    for (line, what) in [
        ("/owp trust", "needs a person"),
        ("/owp trust @a", "needs a level"),
        ("/owp trust @a 4", "from 0 to 3, not `4`"),
        ("/owp trust a 1", "with an @"),
        ("/owp trust @a @b 1", "not `@b`"),
        ("/owp trust @a 1 @b 2", "at a time"),
        ("/owp budget", "needs a number"),
        ("/owp budget -1", "from 0 to 100, not `-1`"),
        ("/owp budget 101", "not `101`"),
        ("/owp budget 1 2", "takes one number"),
        ("/owp budget \u{664}", "not `\u{664}`"),
        ("/owp assign @a @b", "one person at a time"),
        ("/owp assign @../x", "as a GitHub login"),
        ("/owp ban @", "as a GitHub login"),
        ("/owp revoke @@x", "as a GitHub login"),
        ("/owp revoke @a @b", "one person at a time"),
        ("/owp block", "needs a reason"),
        ("/owp link", "needs the code"),
        ("/owp pause 3 PRs are stuck", "as a duration"),
        ("/owp pause 0h", "from one minute"),
        ("/owp pause 9000d", "365 days"),
    ] {
        let said = problem(line);
        assert!(said.contains(what), "{line}: {said}");
    }
}

#[test]
fn a_link_code_may_be_pasted_with_the_marks_around_it() {
    for line in
        ["/owp link ABCD-EF12", "/owp link `ABCD-EF12`", "/owp link \"ABCD-EF12\".", "/owp link ABCD-EF12 thanks"]
    {
        assert_eq!(one(line), Ok(Command::Link { code: "ABCD-EF12".into() }), "{line}");
    }
    let said = problem(&format!("/owp link s3cret_{}", "x".repeat(90)));
    assert!(said.contains("cannot read that as a code") && !said.contains("s3cret"), "{said}");
}

#[test]
fn a_pull_request_is_set_aside_by_number_and_taken_back_with_off() {
    for (line, off) in [("/owp ignore #12", false), ("/owp ignore 12.", false), ("/owp ignore off #12", true)] {
        assert_eq!(one(line), Ok(Command::Ignore { pull: 12, off }), "{line}");
    }
    assert_eq!(one("/owp ignore #12 off topic, sorry"), Ok(Command::Ignore { pull: 12, off: false }));
    assert!(problem("/owp ignore").contains("needs a pull request, as in #12"));
    assert!(problem("/owp ignore off").contains("needs a pull request"));
    assert!(problem("/owp ignore #0").contains("not `#0`"));
    assert!(problem("/owp ignore @eve").contains("takes a pull request, as in #12"));
    assert!(problem("/owp ignore #1 #2").contains("one pull request at a time"));
}

#[test]
fn the_help_table_runs_nothing_when_the_bot_posts_it() {
    let table = verbs_markdown();
    assert_found(&table, &[]);
    for verb in Verb::ALL {
        assert!(table.contains(verb.help()), "{}", verb.name());
    }
}

#[test]
fn an_edit_runs_only_lines_that_are_new() {
    let verbs =
        |old, new| parse_edited(old, new).into_iter().map(|line| (line.line, line.parsed.unwrap())).collect::<Vec<_>>();
    assert_eq!(verbs("/owp claim", "/owp claim\n/owp status"), [(2, Command::Status)]);
    assert_eq!(verbs("/owp claim", "hello\n\n/owp claim"), []);
    assert_eq!(verbs("/owp claim", "/owp claim\n/owp claim"), []);
    assert_eq!(verbs("/owp claim", " /OWP  Claim\u{200b}\r\n"), []);
    assert_eq!(
        verbs("```\n/owp claim\n```", "/owp claim"),
        [],
        "taking the fence away does not run what was shown as code"
    );
    assert_eq!(verbs("/owp claim", "/owp release"), [(1, Command::Release { reason: None })]);
    assert_eq!(verbs("", "/owp claim"), [(1, Command::Claim)]);
    assert_eq!(verbs("/owp claim", ""), []);
}

#[test]
fn bodies_of_the_largest_size_are_read_to_their_end_whatever_they_hold() {
    let fill = |piece: &str| format!("/owp claim\n{}", piece.repeat((65_500 / piece.len()).max(1)));
    for piece in [
        "x",
        "> ",
        ">",
        "- ",
        "`",
        "```\n",
        "<",
        "<!--",
        "<div>",
        "</q><div>",
        "<a '",
        "<a \">",
        "[",
        "[a](",
        "*a ",
        "**a_",
        "~",
        "|",
        "a|b\n-|-\n",
        "&",
        "$",
        "$$",
        "\\",
        "\u{0}",
        "\u{202e}",
        "\r",
        "\n",
        "\n\n",
        "é",
        "😀",
        "/owp ",
        "/owp\n",
        "[^1]: ",
        "#",
        "1. ",
        "  - ",
        "[x]: <",
        "![",
    ] {
        let body = fill(piece);
        assert!(parse_comment(&body).len() <= MAX_COMMANDS + 1);
        let _ = parse_edited(&body, &fill("/owp status\n"));
    }
}

#[test]
fn a_body_no_comment_can_have_is_not_read() {
    assert_found(&format!("/owp claim\n{}", "x".repeat(4 * 65_536)), &[]);
}
