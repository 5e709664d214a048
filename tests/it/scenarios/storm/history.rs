//! A plausible history of a busy repository, from a seed: what maintainers and contributors do, wave by wave. Nothing in
//! it depends on who is heard first, so that it has one outcome however its deliveries travel.

use crate::support::world::{REPO, World};
use owp_sandbox::PrSpec;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

pub(super) const PEOPLE: [&str; 12] = ["ada", "bo", "cy", "eve", "fay", "gus", "hal", "ida", "jo", "kit", "lea", "max"];
pub(super) const MAINTAINER: &str = "mona";

/// One act of a person. Issues are numbered from 0 in the order in which they are opened.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Open {
        labels: Vec<&'static str>,
    },
    Label(usize, &'static str),
    Unlabel(usize, &'static str),
    Say {
        who: &'static str,
        issue: usize,
        text: String,
    },
    Close(usize),
    Reopen(usize),
    Retitle(usize),
    OpenPull {
        who: &'static str,
        issue: usize,
        draft: bool,
    },
    Ready {
        who: &'static str,
        issue: usize,
    },
    Push {
        who: &'static str,
        issue: usize,
    },
    Merge(usize),
    ClosePull(usize),
    /// Somebody writes something that asks for nothing, on the issue or its pull request, and perhaps mends it.
    Chat {
        who: &'static str,
        issue: usize,
        text: &'static str,
        on_pull: bool,
        mended: bool,
    },
}

/// Acts between two reconciliations. No two acts of a wave concern the same issue, except chat.
pub(super) type Wave = Vec<Act>;

/// Talk, some of which looks like commands and is none.
const TALK: [&str; 8] = [
    "I looked into this a little. The parser keeps the state in two places.",
    "> /owp claim\n\nWhat does this do?",
    "Try this:\n\n```\n/owp claim\n/owp release\n```",
    "    /owp claim\n\nIndented, so only shown.",
    "I would `/owp claim` this if I had the time. :+1:",
    "<!-- /owp claim -->\nNothing to see.",
    "Thanks @mona! Fixes #1, I think?",
    "Any news?\r\n\r\nNo hurry.",
];

/// The life of one issue after it was opened: its acts, one a wave.
fn life(kind: usize, issue: usize, who: &'static str, other: &'static str) -> (Vec<&'static str>, Vec<Vec<Act>>) {
    let say = |who: &'static str, text: &str| vec![Act::Say { who, issue, text: text.to_owned() }];
    let claim = |who| say(who, "Let me.\n\n/owp claim");
    let pull = |who, draft| vec![Act::OpenPull { who, issue, draft }];
    let merge = || vec![Act::Merge(issue)];
    let good = vec!["pool:ready", "estimate:2", "skills:rust"];
    let acts = match kind {
        0 => {
            let ready = vec![Act::Push { who, issue }, Act::Ready { who, issue }];
            vec![claim(who), pull(who, true), ready, vec![Act::Push { who, issue }], merge()]
        }
        1 => vec![claim(who), say(who, "/owp release no time after all"), claim(other), pull(other, false), merge()],
        2 => {
            vec![claim(who), pull(who, false), vec![Act::ClosePull(issue)], claim(who), pull(who, false), merge()]
        }
        3 => {
            let mend = vec![Act::Unlabel(issue, "size:huge"), Act::Label(issue, "size:S")];
            return (vec!["pool:ready", "size:huge"], vec![mend, claim(who), pull(who, false), merge()]);
        }
        4 => {
            let (off, on) = (vec![Act::Unlabel(issue, "pool:ready")], vec![Act::Label(issue, "pool:ready")]);
            vec![off, on, claim(who), pull(who, false)]
        }
        5 => vec![
            claim(who),
            vec![Act::Close(issue)],
            vec![Act::Reopen(issue)],
            claim(other),
            pull(other, false),
            merge(),
        ],
        6 => vec![claim(who), claim(other), say(who, "/owp release it is all yours"), claim(other)],
        7 => vec![pull(other, false), vec![], merge()],
        8 => vec![vec![Act::Retitle(issue)], claim(who), say(who, "/owp extend"), pull(who, false), merge()],
        9 => vec![say(who, "/owp help"), vec![], claim(who)],
        10 => vec![
            claim(who),
            say(who, "/owp block the parser is being rewritten"),
            say(MAINTAINER, "/owp unblock"),
            claim(who),
            pull(who, false),
            merge(),
        ],
        11 => vec![vec![Act::Label(issue, "priority:high")], vec![Act::Close(issue)]],
        12 => vec![claim(who), say(MAINTAINER, &format!("/owp revoke @{who}")), claim(other)],
        _ => vec![],
    };
    (good, acts)
}

/// Every wave of a history of so many issues, with so much talk.
pub(super) fn waves(seed: u64, issues: usize, talk: usize) -> Vec<Wave> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut waves: Vec<Wave> = vec![(0..issues).map(|_| Act::Open { labels: vec![] }).collect()];
    for (issue, act) in (0..issues).zip(waves[0].iter_mut().collect::<Vec<_>>()) {
        let (who, other) = (PEOPLE[issue % PEOPLE.len()], PEOPLE[(issue + 5) % PEOPLE.len()]);
        let (labels, _) = life(issue % 14, issue, who, other);
        *act = Act::Open { labels };
    }
    // Everybody says what they can do before anybody claims.
    let all_of_them = PEOPLE.iter().enumerate().map(|(n, who)| Act::Say {
        who,
        issue: n,
        text: "/owp join skills:rust capacity:100 concurrent:20".to_owned(),
    });
    waves.push(all_of_them.collect());
    for issue in 0..issues {
        let (who, other) = (PEOPLE[issue % PEOPLE.len()], PEOPLE[(issue + 5) % PEOPLE.len()]);
        let begins = 2 + rng.random_range(0..5);
        for (step, acts) in life(issue % 14, issue, who, other).1.into_iter().enumerate() {
            while waves.len() <= begins + step {
                waves.push(Wave::new());
            }
            waves[begins + step].extend(acts);
        }
    }
    let last = waves.len();
    for n in 0..talk {
        let act = Act::Chat {
            who: PEOPLE.choose(&mut rng).copied().unwrap_or(MAINTAINER),
            issue: rng.random_range(0..issues),
            text: TALK.choose(&mut rng).copied().unwrap_or_default(),
            on_pull: rng.random_bool(0.2),
            mended: rng.random_bool(0.15),
        };
        // After the first wave, when every issue is there; among the other acts, not behind them.
        let wave = &mut waves[1 + n % (last - 1)];
        let place = rng.random_range(0..=wave.len());
        wave.insert(place, act);
    }
    waves
}

/// The numbers GitHub gave: issues, and the latest pull request for each.
#[derive(Default)]
pub(super) struct Numbers {
    pub issues: Vec<u64>,
    pub pulls: Vec<Option<u64>>,
}

impl Numbers {
    /// Does it, on GitHub.
    pub(super) fn play(&mut self, w: &World, act: &Act) {
        let mona = w.github.as_user(MAINTAINER);
        let number = |issue: &usize| self.issues[*issue];
        let pull = |issue: &usize| self.pulls[*issue].unwrap();
        match act {
            Act::Open { labels } => {
                let title = format!("Task {} of many", self.issues.len());
                self.issues.push(mona.open_issue(REPO, &title, "Please.", labels).unwrap());
                self.pulls.push(None);
            }
            Act::Label(issue, label) => mona.label(REPO, number(issue), label).unwrap(),
            Act::Unlabel(issue, label) => mona.unlabel(REPO, number(issue), label).unwrap(),
            Act::Say { who, issue, text } => drop(w.github.as_user(who).comment(REPO, number(issue), text).unwrap()),
            Act::Close(issue) => mona.close(REPO, number(issue)).unwrap(),
            Act::Reopen(issue) => mona.reopen(REPO, number(issue)).unwrap(),
            Act::Retitle(issue) => mona.retitle(REPO, number(issue), &format!("Task {issue}, said better")).unwrap(),
            Act::OpenPull { who, issue, draft } => {
                let head = format!("work-{issue}-{}", self.pulls[*issue].unwrap_or(0));
                let body = format!("Fixes #{}", number(issue));
                let spec = PrSpec { head, title: format!("Work on {issue}"), body, draft: *draft, ..PrSpec::default() };
                self.pulls[*issue] = Some(w.github.as_user(who).open_pr(REPO, spec).unwrap());
            }
            Act::Ready { who, issue } => w.github.as_user(who).ready_for_review(REPO, pull(issue)).unwrap(),
            Act::Push { who, issue } => drop(w.github.as_user(who).push(REPO, pull(issue)).unwrap()),
            Act::Merge(issue) => drop(mona.merge(REPO, pull(issue)).unwrap()),
            Act::ClosePull(issue) => mona.close_pr(REPO, pull(issue)).unwrap(),
            Act::Chat { who, issue, text, on_pull, mended } => {
                let person = w.github.as_user(who);
                let thread = self.pulls[*issue].filter(|_| *on_pull).unwrap_or_else(|| number(issue));
                let comment = person.comment(REPO, thread, text).unwrap();
                if *mended {
                    person.edit_comment(REPO, comment, &format!("{text}\n\n(Mended.)")).unwrap();
                }
            }
        }
    }
}
