//! Content of the notes on an issue, and of the comments to authors whose pull requests answer a task they do not hold.

use crate::render::{Note, Takes};
use owp_pool::gates::UnmetGate;
use owp_pool::pull::{PullFacts, Verdict};
use owp_pool::slots::{Slots, Weight};
use owp_pool::task::Task;
use std::collections::BTreeMap;

/// A pull request that names the task.
#[derive(Debug, Clone)]
pub struct NotedPull {
    /// The facts the rules need.
    pub facts: PullFacts,
    /// Login of its author, or `ghost`.
    pub author: String,
    /// True when a machine account opened it.
    pub bot: bool,
    /// Its meaning for the task.
    pub verdict: Verdict,
}

impl NotedPull {
    /// Returns true for an open pull request that answers the task without a claim: its author learns what it takes.
    #[must_use]
    pub fn is_unclaimed(&self) -> bool {
        self.facts.open && matches!(self.verdict, Verdict::HeldByOther | Verdict::NobodyHolds)
    }
}

/// Input of [`notes_content`].
#[derive(Debug, Clone, Copy)]
pub struct NotesCase<'a> {
    /// The task.
    pub task: &'a Task,
    /// Problems with its labels, as sentences.
    pub problems: &'a [String],
    /// The label that offers an issue to the pool.
    pub ready_label: &'a str,
    /// Login of its last holder, where known.
    pub holder: Option<&'a str>,
    /// The pull requests that name it, oldest first.
    pub pulls: &'a [NotedPull],
    /// The repository's open work; needed when a pull request is unclaimed.
    pub slots: &'a Slots,
}

/// Notes of a task. A comment without notes says that everything is resolved, or is not posted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotesContent {
    /// Notes for the issue's own comment.
    pub issue: Vec<Note>,
    /// Notes to authors by GitHub id, with their logins. Each author gets one comment, because only a new comment
    /// notifies the people it mentions.
    pub authors: BTreeMap<i64, (String, Vec<Note>)>,
}

/// Decides the notes of a task: label problems, a hold, pull requests that wait. A finished task has none.
#[must_use]
pub fn notes_content(case: NotesCase<'_>) -> NotesContent {
    let mut content = NotesContent::default();
    if case.task.state.is_over() {
        return content;
    }
    content.issue.extend(case.problems.iter().cloned().map(Note::Other));
    if let Some(reason) = &case.task.hold {
        content.issue.push(Note::Held { reason: reason.clone(), ready_label: case.ready_label.to_owned() });
    }
    for pull in case.pulls.iter().filter(|pull| pull.facts.open) {
        let Some(note) = pull_note(case, pull) else { continue };
        // Neither bots nor deleted accounts read comments.
        match pull.facts.author.filter(|_| pull.is_unclaimed() && !pull.bot) {
            Some(id) => content.authors.entry(id).or_insert_with(|| (pull.author.clone(), Vec::new())).1.push(note),
            None => content.issue.push(note),
        }
    }
    content
}

fn pull_note(case: NotesCase<'_>, noted: &NotedPull) -> Option<Note> {
    let (pull, author, bot) = (noted.facts.number, noted.author.clone(), noted.bot);
    match &noted.verdict {
        Verdict::HeldByOther => {
            let holder = case.holder.unwrap_or("somebody else").to_owned();
            Some(Note::PullForHeldTask { pull, author, holder, bot, takes: takes(case, pull) })
        }
        Verdict::NobodyHolds => Some(Note::PullForFreeTask { pull, author, bot, takes: takes(case, pull) }),
        // While its author holds the task, the pull request's own comment says it.
        Verdict::Waits(unmet) if !case.task.state.is_held() => {
            Some(Note::PullWaits { pull, author, waits_for: unmet.iter().map(UnmetGate::requirement).collect() })
        }
        Verdict::Slipped(unmet) => {
            Some(Note::PullSlipped { pull, faults: unmet.iter().filter_map(UnmetGate::fault).collect() })
        }
        Verdict::Waits(_) | Verdict::Move(_) | Verdict::Nothing => None,
    }
}

fn takes(case: NotesCase<'_>, number: i64) -> Takes {
    let answers = case.slots.answers.get(&case.task.id).map_or(&[][..], Vec::as_slice);
    Takes {
        weight: case.slots.weights.get(&number).copied().unwrap_or(Weight::Unclaimed),
        slot: case.slots.counted.contains(&number),
        task: answers.iter().any(|answer| answer.number == number && answer.keeps),
    }
}

/// Content of a comment to an author whose pull requests need no note any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorSettled {
    /// The author's login, or `ghost`.
    pub login: String,
    /// The pull request of theirs that was merged, to thank for.
    pub merged: Option<i64>,
}

/// Decides the last text for the author with GitHub id `id`. A former holder is thanked in the lease comment already.
#[must_use]
pub fn author_settled(pulls: &[NotedPull], id: i64, was_holder: bool) -> AuthorSettled {
    let theirs = || pulls.iter().filter(|pull| pull.facts.author == Some(id));
    let merged = theirs().find(|pull| pull.facts.merged).filter(|_| !was_holder);
    AuthorSettled {
        login: theirs().next().map_or_else(|| "ghost".to_owned(), |pull| pull.author.clone()),
        merged: merged.map(|pull| pull.facts.number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::moves::Move;
    use owp_pool::slots::NamingPull;
    use owp_pool::task::{TaskSpec, TaskState};
    use owp_pool::{RepoId, TaskId, Timestamp};

    fn task(state: TaskState) -> Task {
        let new = Task::new(TaskId::new("t_1"), RepoId::new("r_1"), TaskSpec::default(), Timestamp(0));
        Task { state, ..new }
    }

    fn pull(number: i64, verdict: Verdict) -> NotedPull {
        let facts = PullFacts { number, author: Some(7), open: true, ..PullFacts::default() };
        NotedPull { facts, author: "bo".into(), bot: false, verdict }
    }

    fn decide(task: &Task, pulls: &[NotedPull], slots: &Slots) -> NotesContent {
        let problems = ["The label `tier:x` is no tier.".to_owned()];
        notes_content(NotesCase {
            task,
            problems: &problems,
            ready_label: "pool:ready",
            holder: Some("ada"),
            pulls,
            slots,
        })
    }

    /// Notes beside the one about the label: for the issue, and for the author.
    fn about(task: &Task, pull: NotedPull) -> (Vec<Note>, Vec<Note>) {
        let content = decide(task, &[pull], &Slots::default());
        let to_author = content.authors.into_values().flat_map(|(login, notes)| {
            assert_eq!(login, "bo");
            notes
        });
        (content.issue.into_iter().skip(1).collect(), to_author.collect())
    }

    #[test]
    fn each_open_pull_request_has_its_note_where_its_reader_looks() {
        use TaskState::{InProgress, PrOpened, Ready};
        let takes = Takes { weight: Weight::Unclaimed, slot: false, task: false };
        let author = || "bo".to_owned();
        let for_held = |bot| Note::PullForHeldTask { pull: 3, author: author(), holder: "ada".into(), bot, takes };
        let for_free = Note::PullForFreeTask { pull: 3, author: author(), bot: false, takes };
        let waits = Note::PullWaits { pull: 3, author: author(), waits_for: vec![UnmetGate::Draft.requirement()] };
        let slipped = Note::PullSlipped { pull: 3, faults: UnmetGate::Draft.fault().into_iter().collect() };
        let by_bot = NotedPull { bot: true, ..pull(3, Verdict::HeldByOther) };
        let by_ghost = PullFacts { author: None, ..pull(3, Verdict::NobodyHolds).facts };
        let by_ghost = NotedPull { facts: by_ghost, ..pull(3, Verdict::NobodyHolds) };
        let closed = PullFacts { open: false, ..pull(3, Verdict::NobodyHolds).facts };
        let closed = NotedPull { facts: closed, ..pull(3, Verdict::NobodyHolds) };
        // Columns: state, pull request, notes on the issue, notes to its author.
        let cases = [
            (InProgress, pull(3, Verdict::HeldByOther), vec![], vec![for_held(false)]),
            (InProgress, by_bot, vec![for_held(true)], vec![]),
            (Ready, pull(3, Verdict::NobodyHolds), vec![], vec![for_free.clone()]),
            (Ready, by_ghost, vec![for_free], vec![]),
            (Ready, closed, vec![], vec![]),
            (Ready, pull(3, Verdict::Waits(vec![UnmetGate::Draft])), vec![waits], vec![]),
            (InProgress, pull(3, Verdict::Waits(vec![UnmetGate::Draft])), vec![], vec![]),
            (PrOpened, pull(3, Verdict::Slipped(vec![UnmetGate::Draft])), vec![slipped], vec![]),
            (PrOpened, pull(3, Verdict::Nothing), vec![], vec![]),
            (InProgress, pull(3, Verdict::Move(Move::Start)), vec![], vec![]),
        ];
        for (state, pull, on_issue, to_author) in cases {
            let case = format!("{state}: {pull:?}");
            assert_eq!(about(&task(state), pull), (on_issue, to_author), "{case}");
        }
    }

    #[test]
    fn a_finished_task_has_no_notes_and_a_held_one_says_why() {
        for state in [TaskState::Merged, TaskState::Closed] {
            let pulls = [pull(3, Verdict::NobodyHolds)];
            assert_eq!(decide(&task(state), &pulls, &Slots::default()), NotesContent::default());
        }
        let held = Task { hold: Some("edited".into()), ..task(TaskState::Ready) };
        let content = decide(&held, &[], &Slots::default());
        let label = Note::Other("The label `tier:x` is no tier.".into());
        assert_eq!(content.issue, [label, Note::Held { reason: "edited".into(), ready_label: "pool:ready".into() }]);
    }

    #[test]
    fn an_author_learns_what_the_pull_request_takes() {
        let ready = task(TaskState::Ready);
        let answer = NamingPull { number: 3, login: "bo".into(), people: [].into(), counts: true, keeps: true };
        let slots = Slots {
            weights: [(3, Weight::Beyond)].into(),
            counted: [3].into(),
            answers: [(ready.id.clone(), vec![answer])].into(),
            ..Slots::default()
        };
        let content = decide(&ready, &[pull(3, Verdict::NobodyHolds), pull(4, Verdict::NobodyHolds)], &slots);
        let note = |number, weight, taken| Note::PullForFreeTask {
            pull: number,
            author: "bo".into(),
            bot: false,
            takes: Takes { weight, slot: taken, task: taken },
        };
        let notes = vec![note(3, Weight::Beyond, true), note(4, Weight::Unclaimed, false)];
        assert_eq!(content.authors, [(7, ("bo".to_owned(), notes))].into());
    }

    #[test]
    fn an_author_is_thanked_once() {
        let merged = PullFacts { open: false, merged: true, ..pull(4, Verdict::Nothing).facts };
        let pulls = [pull(3, Verdict::Nothing), NotedPull { facts: merged, ..pull(4, Verdict::Nothing) }];
        let settled = |login: &str, merged| AuthorSettled { login: login.to_owned(), merged };
        assert_eq!(author_settled(&pulls, 7, false), settled("bo", Some(4)));
        assert_eq!(author_settled(&pulls, 7, true), settled("bo", None), "the lease comment thanks the holder");
        assert_eq!(author_settled(&pulls, 8, false), settled("ghost", None));
    }
}
