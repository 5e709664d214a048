//! Slots of the review budget (invariant 4).

use super::bench::{START, pull_row};
use super::*;
use crate::{PullRow, Scope, StoreError, Tx};
use owp_pool::gates::{CheckState, Checks};
use owp_pool::lease::EndReason;
use owp_pool::moves::Move;
use owp_pool::policy::{CountMode, Policy};
use owp_pool::pull::Signatures;
use owp_pool::slots::{Slots, Weight, weigh};
use owp_pool::task::TaskSpec;
use owp_pool::{Person, RepoId, Span, TaskId};

/// Counts pull requests (mode `pool`, with drafts), leases without one, and uncounted leases ended since the start.
async fn slots(bench: &Bench, repo: &RepoId) -> (i64, i64, i64) {
    let policy = Policy::managed();
    (pulls(bench, repo, &policy).await, leases(bench, repo, &policy).await, uncounted(bench, repo).await)
}

async fn weighed(bench: &Bench, repo: &RepoId, policy: &Policy) -> Slots {
    let (id, policy) = (repo.clone(), policy.clone());
    bench.read(move |tx| Box::pin(async move { weigh_in(tx, &id, &policy).await })).await
}

async fn weigh_in(tx: &mut Tx, id: &RepoId, policy: &Policy) -> Result<Slots, StoreError> {
    let (pulls, leases) = (tx.slots().pulls_in_play(id).await?, tx.slots().leases_in_play(id).await?);
    let agents = tx.slots().agents_in_play(id).await?;
    let page = tx.slots().of_page("", "~").await?.remove(id).unwrap_or_default();
    assert_eq!(
        format!("{pulls:?} {leases:?} {agents:?}"),
        format!("{:?} {:?} {:?}", page.pulls, page.leases, page.agents)
    );
    let others = (tx.slots().count_other_pulls(id, true).await?, tx.slots().count_other_pulls(id, false).await?);
    assert_eq!(others, (page.other_pulls, page.other_pulls - page.other_drafts));
    if !tx.repos().get(id).await?.unwrap().managed {
        let reviews = tx.slots().manual_reviews(id).await?;
        assert_eq!(format!("{reviews:?}"), format!("{:?}", page.reviews));
    }
    Ok(weigh(&pulls, &leases, &agents, policy, tx.now()))
}

async fn pulls(bench: &Bench, repo: &RepoId, policy: &Policy) -> i64 {
    let (id, drafts) = (repo.clone(), policy.count_drafts);
    let others = bench.read(move |tx| Box::pin(async move { tx.slots().count_other_pulls(&id, drafts).await })).await;
    let others = if policy.count == CountMode::All { others } else { 0 };
    i64::try_from(weighed(bench, repo, policy).await.counted.len()).unwrap() + others
}

async fn leases(bench: &Bench, repo: &RepoId, policy: &Policy) -> i64 {
    i64::try_from(weighed(bench, repo, policy).await.leases.len()).unwrap()
}

fn all() -> Policy {
    Policy { count: CountMode::All, ..Policy::managed() }
}

fn without_drafts() -> Policy {
    Policy { count_drafts: false, ..Policy::managed() }
}

async fn uncounted(bench: &Bench, repo: &RepoId) -> i64 {
    let id = repo.clone();
    bench.read(move |tx| Box::pin(async move { tx.slots().count_uncounted(&id, START).await })).await
}

async fn tasks(bench: &Bench, repo: &RepoId, n: i64) -> Vec<TaskId> {
    let mut tasks = Vec::new();
    for issue in 1..=n {
        tasks.push(bench.task(repo, issue, TaskSpec::default()).await);
    }
    tasks
}

async fn close_pull(bench: &Bench, repo: &RepoId, number: i64, merged: bool) {
    let id = repo.clone();
    bench
        .write(Scope::repo(repo), move |tx| {
            Box::pin(async move {
                let mut pull = tx.pulls().get(&id, number).await?.unwrap();
                (pull.facts.open, pull.facts.merged) = (false, merged);
                tx.pulls().save(&id, &pull).await
            })
        })
        .await
        .unwrap();
}

on_both_engines! {
    async fn a_whole_repository_is_asked_what_each_task_would_say(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let worker = bench.client_of(1, 99, 99).await;
        let all = tasks(bench, &repo, 3).await;
        bench.pull(&repo, 7, 1, false, &[&all[0], &all[1]]).await;
        bench.pull(&repo, 5, 2, false, &[&all[1]]).await;
        bench.pull(&repo, 4, 2, false, &[&all[2]]).await;
        close_pull(bench, &repo, 4, false).await;
        bench.grant(&all[2], &worker, 1).await;
        bench.step(&all[2], Move::Return(EndReason::Nacked)).await.unwrap();
        bench.grant(&all[0], &worker, 1).await;
        bench.step(&all[0], Move::Return(EndReason::Released)).await.unwrap();
        bench.read(move |tx| Box::pin(async move {
            let since = START - Span::hours(1);
            let (slots, declines) = (weigh_in(tx, &repo, &Policy::managed()).await?, tx.leases().declines_in(&repo, since).await?);
            assert_eq!((slots.answers.len(), declines.len()), (2, 2));
            for task in &all {
                let open = tx.pulls().of_task(task).await?.into_iter().filter(|pull| pull.facts.open);
                let answers = slots.answers.get(task).map_or(&[][..], Vec::as_slice).iter().map(|answer| answer.number);
                assert_eq!(open.map(|pull| pull.facts.number).collect::<Vec<_>>(), answers.collect::<Vec<_>>());
                let each = tx.leases().declines(task, since).await?;
                let here = declines.iter().filter(|(id, _, _)| id == task).map(|(_, w, at)| (w.clone(), *at));
                assert_eq!(each, here.collect::<Vec<_>>());
            }
            Ok(())
        })).await;
    }

    async fn an_untouched_repository_has_every_slot_free(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        tasks(bench, &repo, 3).await;
        assert_eq!(slots(bench, &repo).await, (0, 0, 0));
    }

    async fn a_linked_pull_request_takes_a_slot_whoever_wrote_it(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let task = tasks(bench, &repo, 1).await.remove(0);
        bench.pull(&repo, 1, 99, false, &[&task]).await;
        assert_eq!(slots(bench, &repo).await, (1, 0, 0));
    }

    async fn a_pull_request_by_one_of_the_pools_people_takes_a_slot_without_a_link(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        bench.client_of(1, 5, 2).await;
        bench.client_of(1, 5, 2).await;
        bench.pull(&repo, 1, 1, false, &[]).await;
        assert_eq!(slots(bench, &repo).await, (1, 0, 0), "two workers of one contributor do not make two");
    }

    async fn a_strangers_pull_request_counts_only_when_all_do(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        bench.client_of(1, 5, 2).await;
        // 11 starts with 1, but ids are compared as a whole.
        bench.pull(&repo, 1, 11, false, &[]).await;
        assert_eq!(slots(bench, &repo).await, (0, 0, 0));
        assert_eq!(pulls(bench, &repo, &all()).await, 1);
    }

    async fn a_pull_request_whose_author_is_gone_counts_by_its_link(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let task = tasks(bench, &repo, 1).await.remove(0);
        bench.pull(&repo, 1, 5, false, &[&task]).await;
        bench.pull(&repo, 2, 5, false, &[]).await;
        bench.meddle("UPDATE pulls SET author_id = NULL, author_login = NULL").await;
        assert_eq!(slots(bench, &repo).await, (1, 0, 0));
    }

    async fn closed_and_merged_pull_requests_give_their_slots_back(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let task = tasks(bench, &repo, 1).await.remove(0);
        for number in [1, 2, 3] {
            bench.pull(&repo, number, 5, false, &[&task]).await;
        }
        close_pull(bench, &repo, 1, false).await;
        close_pull(bench, &repo, 2, true).await;
        assert_eq!(slots(bench, &repo).await, (1, 0, 0));
        assert_eq!(pulls(bench, &repo, &all()).await, 1);
    }

    async fn a_pull_request_that_names_three_tasks_is_one_slot(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let worker = bench.client_of(1, 9, 9).await;
        let tasks = tasks(bench, &repo, 3).await;
        for task in &tasks {
            bench.grant(task, &worker, 1).await;
        }
        assert_eq!(slots(bench, &repo).await, (0, 3, 0));
        bench.pull(&repo, 1, 1, false, &tasks.iter().collect::<Vec<_>>()).await;
        assert_eq!(slots(bench, &repo).await, (1, 0, 0));
    }

    async fn a_lease_shares_the_slot_of_its_holders_pull_request_while_that_counts(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = tasks(bench, &repo, 1).await.remove(0);
        bench.grant(&task, &worker, 1).await;
        bench.pull(&repo, 1, 1, true, &[&task]).await;
        assert_eq!(slots(bench, &repo).await, (1, 0, 0), "a draft counts unless the policy says otherwise");
        assert_eq!((pulls(bench, &repo, &without_drafts()).await, leases(bench, &repo, &without_drafts()).await), (0, 1));
        close_pull(bench, &repo, 1, false).await;
        assert_eq!(slots(bench, &repo).await, (0, 1, 0));
    }

    async fn somebody_elses_pull_request_does_not_free_the_holders_slot(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = tasks(bench, &repo, 1).await.remove(0);
        bench.grant(&task, &worker, 1).await;
        bench.pull(&repo, 1, 2, false, &[&task]).await;
        assert_eq!(slots(bench, &repo).await, (1, 1, 0));
    }

    async fn the_holders_pull_request_for_another_task_does_not_free_this_ones_slot(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let tasks = tasks(bench, &repo, 2).await;
        bench.grant(&tasks[0], &worker, 1).await;
        bench.pull(&repo, 1, 1, false, &[&tasks[1]]).await;
        assert_eq!(slots(bench, &repo).await, (1, 1, 0));
    }

    async fn delivering_hands_the_slot_from_the_lease_to_the_pull_request(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = tasks(bench, &repo, 1).await.remove(0);
        bench.grant(&task, &worker, 1).await;
        bench.pull(&repo, 1, 1, false, &[&task]).await;
        bench.step(&task, Move::Deliver { pull: Some(1), author: None }).await.unwrap();
        assert_eq!(slots(bench, &repo).await, (1, 0, 0));
        close_pull(bench, &repo, 1, true).await;
        bench.step(&task, Move::Merge { pull: Some(1), author: None }).await.unwrap();
        assert_eq!(slots(bench, &repo).await, (0, 0, 0));
    }

    async fn a_lease_that_ended_without_a_pull_request_keeps_its_slot_until_a_later_count(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let worker = bench.client_of(1, 99, 99).await;
        for (task, reason) in tasks(bench, &repo, 9).await.iter().zip(EndReason::ALL) {
            bench.grant(task, &worker, 1).await;
            bench.step(task, Move::Return(reason)).await.unwrap();
        }
        // All end reasons but those whose slot a pull request took over in the same commit.
        let kept = EndReason::ALL.iter().filter(|reason| !reason.leaves_a_pull()).count();
        assert_eq!(slots(bench, &repo).await, (0, 0, i64::try_from(kept).unwrap()));
        let id = repo.clone();
        let later = bench.read(move |tx| Box::pin(async move { tx.slots().count_uncounted(&id, START + Span(1)).await })).await;
        assert_eq!(later, 0);
    }

    async fn a_pull_request_stays_set_aside_when_it_is_seen_again(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let task = tasks(bench, &repo, 1).await.remove(0);
        bench.pull(&repo, 1, 5, false, &[&task]).await;
        bench.pull(&repo, 2, 6, false, &[]).await;
        let id = repo.clone();
        bench.change(move |tx| Box::pin(async move {
            tx.pulls().set_ignored(&id, 1, true).await?;
            tx.pulls().set_ignored(&id, 2, true).await
        })).await;
        bench.pull(&repo, 1, 5, false, &[&task]).await;
        assert_eq!(weighed(bench, &repo, &all()).await.weights[&1], Weight::Ignored);
        assert_eq!(pulls(bench, &repo, &all()).await, 0, "one that names no task is set aside too");
        let id = repo.clone();
        bench.change(move |tx| Box::pin(async move { tx.pulls().set_ignored(&id, 1, false).await })).await;
        assert_eq!(pulls(bench, &repo, &all()).await, 1);
    }

    async fn a_merged_task_here_makes_its_author_no_newcomer(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let tasks = tasks(bench, &repo, 3).await;
        let worker = bench.client_of(1, 5, 2).await;
        for (number, task) in (1..).zip(&tasks[1..]) {
            bench.pull(&repo, number, 1, false, &[task]).await;
        }
        assert_eq!(slots(bench, &repo).await, (1, 0, 0));
        bench.grant(&tasks[0], &worker, 1).await;
        bench.step(&tasks[0], Move::Merge { pull: Some(9), author: Some(Person::GitHub(1)) }).await.unwrap();
        assert_eq!(pulls(bench, &repo, &Policy::managed()).await, 2);
    }

    async fn what_happens_in_another_repository_takes_no_slot_here(bench) {
        let (repo, other) = (bench.managed_repo(42, "acme/rocket").await, bench.managed_repo(43, "acme/comet").await);
        let worker = bench.client_of(1, 5, 2).await;
        let tasks = tasks(bench, &other, 2).await;
        bench.grant(&tasks[0], &worker, 1).await;
        bench.grant(&tasks[1], &worker, 1).await;
        bench.step(&tasks[1], Move::Return(EndReason::Released)).await.unwrap();
        bench.pull(&other, 1, 1, false, &[&tasks[1]]).await;
        assert_eq!(slots(bench, &repo).await, (0, 0, 0));
        assert_eq!(slots(bench, &other).await, (1, 1, 1));
    }

    async fn a_manual_repository_counts_its_tasks_under_review(bench) {
        let repo = bench.repo("acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let tasks = tasks(bench, &repo, 2).await;
        for task in &tasks {
            bench.grant(task, &worker, 1).await;
            bench.step(task, Move::Deliver { pull: None, author: None }).await.unwrap();
        }
        bench.step(&tasks[0], Move::Merge { pull: None, author: None }).await.unwrap();
        let id = repo.clone();
        let reviews = bench.read(move |tx| Box::pin(async move { tx.slots().manual_reviews(&id).await })).await;
        assert_eq!(reviews.len(), 1);
        assert_eq!((&reviews[0].0, reviews[0].1.until), (&tasks[1], None));
    }

    async fn a_link_from_the_text_goes_with_the_text_and_a_reported_one_stays(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let tasks = tasks(bench, &repo, 2).await;
        bench.pull(&repo, 1, 99, false, &[&tasks[0]]).await;
        let (id, named, reported) = (repo.clone(), tasks[0].clone(), tasks[1].clone());
        let (first, again, linked, pulls) = bench.write(Scope::repo(&repo), move |tx| Box::pin(async move {
            let first = tx.pulls().link(&id, 1, &reported, true).await?;
            let again = tx.pulls().link(&id, 1, &reported, false).await?;
            tx.pulls().unlink(&id, 1, &named).await?;
            tx.pulls().unlink(&id, 1, &reported).await?;
            let pulls = (tx.pulls().of_task(&named).await?.len(), tx.pulls().of_task(&reported).await?.len());
            Ok((first, again, tx.tasks().of_pull(&id, 1).await?, pulls))
        })).await.unwrap();
        assert_eq!((first, again, pulls), (true, false, (0, 1)));
        assert_eq!(linked.iter().map(|t| &t.id).collect::<Vec<_>>(), [&tasks[1]]);
    }

    async fn the_pull_requests_of_a_task_and_of_an_author_are_listed_by_number(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let task = tasks(bench, &repo, 1).await.remove(0);
        for number in [9, 3, 5] {
            bench.pull(&repo, number, 1, false, &[&task]).await;
        }
        close_pull(bench, &repo, 3, false).await;
        let (id, at) = (task.clone(), repo.clone());
        let (theirs, all, open) = bench.read(move |tx| Box::pin(async move {
            Ok((tx.pulls().open_by(&at, 1, 1).await?, tx.pulls().of_task(&id).await?, tx.pulls().open(&at).await?))
        })).await;
        assert_eq!(theirs.iter().map(|p| p.facts.number).collect::<Vec<_>>(), [5]);
        assert_eq!(all.iter().map(|p| (p.facts.number, p.facts.open)).collect::<Vec<_>>(), [(3, false), (5, true), (9, true)]);
        assert_eq!(open.iter().map(|p| p.facts.number).collect::<Vec<_>>(), [5, 9]);
    }

    async fn a_lease_shares_the_slot_of_its_holders_agent(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let worker = bench.client_of(1, 5, 2).await;
        let task = tasks(bench, &repo, 1).await.remove(0);
        bench.grant(&task, &worker, 1).await;
        bench.pull(&repo, 7, 99, false, &[&task]).await;
        let counted = async |agents: &[i64]| {
            let (id, agents) = (repo.clone(), agents.iter().map(|id| Person::GitHub(*id)).collect::<Vec<_>>());
            bench.change(move |tx| Box::pin(async move {
                tx.people().declare_agents(&Person::GitHub(1), &agents).await?;
                let slots = weigh_in(tx, &id, &Policy::managed()).await?;
                Ok((slots.leases.len(), slots.counted.len()))
            })).await
        };
        assert_eq!(counted(&[]).await, (1, 1));
        assert_eq!(counted(&[98, 99]).await, (0, 1));
        assert_eq!(counted(&[98]).await, (1, 1));
        counted(&[98, 99]).await;
        // A contributor who takes tasks is nobody's agent.
        bench.client_of(99, 5, 2).await;
        let id = repo.clone();
        let (leases, agents) = bench.change(move |tx| Box::pin(async move {
            let slots = weigh_in(tx, &id, &Policy::managed()).await?;
            Ok((slots.leases.len(), tx.people().agents_of(&[&Person::GitHub(1)]).await?))
        })).await;
        assert_eq!(leases, 1);
        assert!(agents.is_work_of(Some(98), &Person::GitHub(1)) && !agents.is_work_of(Some(99), &Person::GitHub(1)));
    }

    async fn what_is_known_of_a_commit_goes_with_a_push(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        let task = tasks(bench, &repo, 1).await.remove(0);
        bench.pull(&repo, 7, 1, false, &[&task]).await;
        let checks = Checks::Seen([("ci".to_owned(), CheckState::Passed)].into());
        let signatures = Signatures { commits: 2, verified: 1 };
        let (id, seen) = (repo.clone(), checks.clone());
        let pull = bench.change(move |tx| Box::pin(async move {
            tx.pulls().save_checks(&id, 7, "another", &Checks::Unreadable("late".into())).await?;
            tx.pulls().save_checks(&id, 7, "0123abcd", &seen).await?;
            tx.pulls().save_signatures(&id, 7, "0123abcd", signatures).await?;
            let pull = tx.pulls().get(&id, 7).await?.unwrap();
            // GitHub shows it again unchanged.
            tx.pulls().save(&id, &pull_row(7, 1, true)).await?;
            assert_eq!(tx.pulls().open_at(&id, "0123abcd").await?.len(), 1);
            assert_eq!(tx.pulls().get(&id, 7).await?.unwrap().facts.checks, pull.facts.checks);
            assert!(pull.reads_as(&pull_row(7, 1, false)) && !pull.reads_as(&pull_row(7, 1, true)));
            Ok(pull)
        })).await;
        assert_eq!((pull.facts.checks, pull.signatures), (checks, Some(signatures)));
        let id = repo.clone();
        let pushed = bench.change(move |tx| Box::pin(async move {
            let row = PullRow { head_sha: "4567cdef".into(), ..pull_row(7, 1, false) };
            tx.pulls().save(&id, &row).await?;
            assert!(tx.pulls().open_at(&id, "0123abcd").await?.is_empty());
            Ok(tx.pulls().get(&id, 7).await?.unwrap())
        })).await;
        assert_eq!((pushed.facts.checks, pushed.signatures), (Checks::Unknown, None));
    }

    async fn a_pull_request_survives_its_row(bench) {
        let repo = bench.managed_repo(42, "acme/rocket").await;
        for (open, merged) in [(true, false), (false, true), (false, false)] {
            let mut pull = pull_row(1, 5, true);
            (pull.facts.open, pull.facts.merged) = (open, merged);
            let (id, saved) = (repo.clone(), pull.clone());
            let stored = bench.change(move |tx| Box::pin(async move {
                tx.pulls().save(&id, &saved).await?;
                tx.pulls().get(&id, 1).await
            })).await;
            assert_eq!(stored, Some(pull));
        }
    }
}
