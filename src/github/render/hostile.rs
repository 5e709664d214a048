//! No text from outside, wherever it lands, mentions, links, formats, commands or forges a key.

use super::*;
use crate::pool::{Refusal, Rule, Timestamp};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

/// Fragments that do something on GitHub, mixed with anything else.
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

/// Every body there is, with the same hostile text in every place that takes text from outside.
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
    };
    let ends = [
        LeaseEnd::Released { reason: some() },
        LeaseEnd::Revoked { by: some(), reason: some() },
        LeaseEnd::Nacked { reason: some() },
        LeaseEnd::Blocked { reason: text(), reserved_until: Some(until) },
    ];
    let mut bodies: Vec<String> =
        ends.into_iter().map(|end| lease_comment(&lease(Via::Comment, LeaseState::Ended(end)))).collect();
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
    bodies.push(notes_comment(&[
        Note::Label { label: text(), problem: text() },
        Note::Held { reason: text(), ready_label: text() },
        Note::PullForHeldTask { pull: 3, author: text(), holder: text(), bot: true },
        Note::PullForFreeTask { pull: 3, author: text(), bot: true },
        Note::PullWaits { pull: 3, author: text(), waits_for: vec![text()] },
        Note::PullSlipped { pull: 3, faults: vec![text()] },
        Note::Other(text()),
    ]));
    bodies.push(refusal_reply(
        "ada",
        &[Refusal::new(Rule::Skills, text()).with_limit(text(), text()).with_holder(some())],
    ));
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
        Outcome::Trusted { login: text(), tier: 1 },
        Outcome::BudgetSet(budget),
        Outcome::PermissionMissing { verb: text(), needed: text() },
        Outcome::UnknownVerb { verb: text(), suggestion: Some(text()) },
        Outcome::BadArgument { problem: text(), usage: text() },
        Outcome::Help(vec![HelpRow { usage: text(), help: text() }]),
        Outcome::Done(text()),
    ]
}

/// The text GitHub would look for mentions and references in: everything but code.
fn prose(body: &str) -> Vec<String> {
    let mut prose = vec![String::new()];
    for event in Parser::new_ext(body, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(text) => prose.last_mut().unwrap().push_str(&text),
            Event::Code(_) => prose.last_mut().unwrap().push('\u{FFFC}'),
            _ => prose.push(String::new()),
        }
    }
    prose
}

fn starts_at(text: &str, needle: &str, follow: impl Fn(char) -> bool) -> usize {
    let lower = text.to_lowercase();
    lower.match_indices(needle).filter(|(at, _)| lower[at + needle.len()..].chars().next().is_some_and(&follow)).count()
}

fn check(body: &str) -> Result<(), TestCaseError> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    for event in Parser::new_ext(body, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        let bad = match &event {
            Event::Html(_) | Event::InlineHtml(_) | Event::Rule | Event::FootnoteReference(_) => true,
            Event::Start(tag) => matches!(
                tag,
                Tag::Heading { .. }
                    | Tag::Link { .. }
                    | Tag::Image { .. }
                    | Tag::CodeBlock(_)
                    | Tag::BlockQuote(_)
                    | Tag::HtmlBlock
                    | Tag::Strikethrough
                    | Tag::Emphasis
            ),
            _ => false,
        };
        prop_assert!(!bad, "{event:?} in {body:?}");
    }
    for text in prose(body) {
        let mentions = starts_at(&text, "@", word);
        prop_assert!(mentions == starts_at(&text, "@ada", |c| c != 'm') && mentions <= 1, "mention in {text:?}");
        for digits in starts_of_references(&text) {
            prop_assert!(digits == "3", "reference #{digits} in {text:?}");
        }
        prop_assert!(!text.contains("://"), "link in {text:?}");
        prop_assert_eq!(starts_at(&text, "www.", char::is_alphanumeric), 0);
        prop_assert_eq!(starts_at(&text, "gh-", |c| c.is_ascii_digit()), 0);
    }
    for line in body.lines() {
        prop_assert!(!line.trim_start().to_lowercase().starts_with("/owp"), "command in {line:?}");
    }
    let misleads = body.contains(['\u{202E}', '\u{0}', '\r']);
    prop_assert!(!misleads, "{body:?}");
    Ok(())
}

fn starts_of_references(text: &str) -> Vec<String> {
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    text.split('#').skip(1).map(digits).filter(|digits| !digits.is_empty()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_text_does_nothing_in_any_comment(text in hostile()) {
        for body in bodies(&text) {
            check(&body)?;
            let sent = with_key("lease:l_1", &body);
            prop_assert_eq!(find_key(&sent), Some("lease:l_1"));
            prop_assert_eq!(sent.matches("-->").count(), 1);
            prop_assert_eq!(sent.matches("<!--").count(), 1);
            prop_assert!(sent.chars().count() <= MAX_COMMENT);
        }
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
        prop_assert_eq!(sent.lines().nth(2), Some("Hello."));
        prop_assert_eq!(sent.matches("-->").count(), 1);
    }
}

#[test]
fn the_longest_texts_still_fit() {
    for body in bodies(&"&<[*@#1 ".repeat(20_000)) {
        assert!(with_key("k", &body).chars().count() < MAX_COMMENT);
        assert!(!with_key("k", &body).contains("(shortened)"));
    }
}
