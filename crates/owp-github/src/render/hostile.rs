//! Property tests: external text never mentions, links, formats, runs a command or forges a key, wherever it is placed.

use super::*;
use owp_pool::command::parse_comment;
use owp_pool::slots::Weight;
use owp_pool::{Refusal, Rule, Timestamp};
use owp_testing::hostile::{check_comment, corpus, prose};
use proptest::prelude::*;

/// Generates fragments that have an effect on GitHub, mixed with arbitrary text.
fn hostile() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        prop::sample::select(vec![
            "@octocat",
            "@org/team",
            "#1",
            "GH-1",
            "o/r#1",
            "https://x.example",
            "www.x.example",
            "-->",
            "<!--",
            "<!-- owp:key=x -->",
            "\n<!-- owp:key=x -->\n",
            "<img src=x>",
            "</details>",
            "\n/owp claim\n",
            "/OWP claim",
            "\n# h\n",
            "\n---\n",
            "\n===\n",
            "\n> q\n",
            "\n- l\n",
            "\n1. l\n",
            "\n    code\n",
            "```",
            "`",
            "**",
            "__",
            "_",
            "~~",
            "[a](b)",
            "![a](b)",
            "[a]: b",
            "[a_b]",
            "[a_b](c)",
            "|",
            "\\",
            "&#64;x",
            "&commat;x",
            "\u{202E}",
            "\u{0}",
            "\r\n",
            "\t",
            "\u{2028}",
            "\n\n",
            " ",
            "a",
            "1",
            ".",
            "-",
            "@",
            "#",
            "/owp",
            "gh",
            "www",
            "[^1]",
            "[!NOTE]",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    prop::collection::vec(fragment, 0..12).prop_map(|parts| parts.concat())
}

/// Renders every kind of body, with the same hostile text wherever external text is accepted.
fn bodies(text: &str) -> Vec<String> {
    let text = || text.to_owned();
    let some = || Some(text());
    let until = Timestamp(1_800_000_000_000);
    let contract = Contract { setup: some(), test: some(), lint: some() };
    let lease = |via, state| LeaseComment {
        login: "ada".to_owned(),
        via,
        issue: 12,
        branch: text(),
        contract: contract.clone(),
        state,
        held: false,
    };
    let ends = [
        LeaseEnd::Released { reason: some() },
        LeaseEnd::Revoked { by: some(), reason: some() },
        LeaseEnd::Nacked { reason: some() },
        LeaseEnd::Blocked { reason: text(), reserved_until: Some(until) },
    ];
    let mut bodies: Vec<String> =
        ends.into_iter().map(|end| lease_comment(&lease(Via::Comment, LeaseState::Ended(end)))).collect();
    // An invalid login mentions nobody; a valid one stands for a contributor who may be mentioned.
    let possible = |c: char| c.is_ascii_alphanumeric() || "-_[]".contains(c);
    let login = || if text().chars().all(possible) { "ada".to_owned() } else { text() };
    let ends = [LeaseEnd::Merged { pull: 3, user_id: 7 }, LeaseEnd::Expired { again_at: None }];
    bodies.extend(
        ends.into_iter()
            .map(|end| lease_comment(&LeaseComment { login: login(), ..lease(Via::Comment, LeaseState::Ended(end)) })),
    );
    let worker = Via::Worker { name: text() };
    bodies.push(lease_comment(&lease(worker.clone(), LeaseState::Active { until, at_most: Some(until) })));
    bodies.push(expiry_warning(&ExpiryWarning { login: "ada".to_owned(), via: worker, until }));
    bodies.push(pull_linked(&PullLinked {
        pull: 3,
        author: text(),
        holder: text(),
        waits_for: vec![text()],
        passed: None,
    }));
    let takes = Takes { weight: Weight::Unclaimed, slot: true, task: true };
    bodies.push(author_settled(&text(), Some(3)));
    bodies.push(pull_over(3, &text(), PullEnd::Merged));
    bodies.push(warning_settled(&text(), None));
    bodies.push(notes_comment(&[
        Note::Label { label: text(), problem: text() },
        Note::Held { reason: text(), ready_label: text() },
        Note::PullForHeldTask { pull: 3, author: text(), holder: text(), bot: true, takes },
        Note::PullForFreeTask { pull: 3, author: text(), bot: true, takes },
        Note::PullWaits { pull: 3, author: text(), waits_for: vec![text()] },
        Note::PullSlipped { pull: 3, faults: vec![text()] },
        Note::Other(text()),
    ]));
    bodies.push(policy_trouble(Some((&text(), true))));
    bodies.push(policy_trouble(Some((&text(), false))));
    bodies.push(refusal_reply(
        "ada",
        &[Refusal::new(Rule::Skills, text()).with_limit(text(), text()).with_holder(some())],
    ));
    // More entries than fit.
    bodies.push(notes_comment(&vec![Note::Other(text()); 40]));
    bodies.push(refusal_reply("ada", &vec![Refusal::new(Rule::Skills, text()).with_limit(text(), text()); 30]));
    bodies.push(policy_trouble(Some((&vec![text(); 30].join("\n"), true))));
    bodies.push(reply("ada", &outcomes(&text)));
    bodies.extend(outcomes(&text).into_iter().map(|outcome| reply("ada", &[outcome])));
    bodies
}

fn outcomes(text: &dyn Fn() -> String) -> Vec<Outcome> {
    let budget = BudgetLine { used: 1, limit: 2, taken_by: text(), source: text(), stopped: Some(text()) };
    let status = TaskStatus {
        state: text(),
        held: Some(text()),
        holder: Some(text()),
        until: None,
        reserved: Some((text(), Timestamp(0))),
        pull: None,
        estimate: 1,
        priority: 50,
        tier: 0,
        skills: vec![text()],
        area: Some(text()),
        budget: budget.clone(),
    };
    vec![
        Outcome::Refused(vec![Refusal::new(Rule::Tier, text())]),
        Outcome::Status(Box::new(status)),
        Outcome::Joined {
            skills: vec![text()],
            capacity: 5,
            concurrent: 2,
            reputation: None,
            agents: Some(vec![text()]),
        },
        Outcome::Linked { worker: text() },
        Outcome::LinkFailed { reason: text() },
        Outcome::Unlinked { workers: vec![text()] },
        Outcome::Trusted { login: text(), tier: 1, was_banned: false },
        Outcome::BudgetSet(budget),
        Outcome::PermissionMissing { verb: text(), needed: text() },
        Outcome::UnknownVerb { verb: text(), suggestion: Some(text()) },
        Outcome::BadArgument { problem: text(), example: text() },
        Outcome::Help(vec![HelpRow { usage: text(), help: text() }]),
        Outcome::Done(text()),
    ]
}

fn check(body: &str) -> Result<(), TestCaseError> {
    check_comment(body, &["ada"], &[3]).map_err(TestCaseError::fail)?;
    prop_assert_eq!(parse_comment(body), []);
    Ok(())
}

/// Checks a comment as it is sent.
fn check_sent(body: &str) -> Result<(), TestCaseError> {
    check(body)?;
    let sent = with_key("lease:l_1", body);
    prop_assert_eq!(find_key(&sent), Some("lease:l_1"));
    prop_assert_eq!(sent.matches("-->").count(), 1);
    prop_assert_eq!(sent.matches("<!--").count(), 1);
    prop_assert_eq!(parse_comment(&sent), []);
    prop_assert!(sent.chars().count() <= MAX_COMMENT);
    check(sent.trim_end().rsplit_once('\n').unwrap().0)
}

/// Checks all bodies folded into one comment. The separators between them are the pool's own.
fn check_folded(bodies: &[String]) -> Result<(), TestCaseError> {
    let said = |(n, body): (usize, &String)| CommentPart {
        key: format!("other:{n}"),
        body: body.clone(),
        at: Timestamp(1_800_000_000_000),
    };
    let (standing, answers) = bodies.split_at(bodies.len() / 2);
    let standing: Vec<CommentPart> = standing.iter().enumerate().map(said).collect();
    let answers: Vec<CommentPart> = answers.iter().enumerate().map(said).collect();
    let body = folded(&standing, &answers);
    prop_assert!(with_key("all", &body).chars().count() <= MAX_COMMENT);
    prop_assert!(!with_key("all", &body).contains("(shortened)"));
    for section in body.split("\n\n---\n\n") {
        check(section)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_text_does_nothing_in_any_comment(text in hostile()) {
        let bodies = bodies(&text);
        for body in &bodies {
            check_sent(body)?;
        }
        check_folded(&bodies)?;
    }

    #[test]
    fn text_is_shown_as_it_was_written(text in "[ -~]{0,80}") {
        let shown: String = prose(&safe_inline(&text)).concat().replace('\u{200B}', "");
        let wanted = text.split_whitespace().collect::<Vec<_>>().join(" ");
        prop_assert_eq!(shown, wanted);
    }

    #[test]
    fn a_text_of_many_lines_stays_paragraphs(text in hostile()) {
        check(&safe_text(&text).replace("@ada", "@ada "))?;
    }

    #[test]
    fn any_key_stays_hidden(key in any::<String>()) {
        let sent = with_key(&key, "Hello.");
        prop_assert_eq!(sent.lines().next(), Some("Hello."));
        prop_assert_eq!(sent.matches("-->").count(), 1);
    }
}

#[test]
fn no_text_of_the_corpus_does_anything_in_any_comment() {
    for (name, text) in corpus() {
        let bodies = bodies(&text);
        for body in &bodies {
            check_sent(body).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        check_folded(&bodies).unwrap_or_else(|error| panic!("{name}, folded: {error}"));
        check(&safe_text(&text)).unwrap_or_else(|error| panic!("{name}, in paragraphs: {error}"));
    }
}

#[test]
fn the_longest_texts_still_fit() {
    let mut shortened = 0;
    for body in bodies(&"&<[*@#1 ".repeat(20_000)) {
        let sent = with_key("k", &body);
        assert!(sent.chars().count() < MAX_COMMENT);
        shortened += usize::from(sent.contains("(shortened)"));
    }
    assert!(shortened <= 3, "only what has too many parts is shortened: {shortened}");
}
