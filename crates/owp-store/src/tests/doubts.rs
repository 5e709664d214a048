//! Doubts count answers by time of arrival, and belong to one thing of one repository.

use super::*;
use crate::Scope;
use owp_pool::Span;
use owp_pool::doubt::DoubtKind::{Issue, Pull, Repo};

on_both_engines! {
    async fn a_doubt_is_confirmed_after_three_answers_apart(bench) {
        let repo = bench.managed_repo(1, "acme/rocket").await;
        for (wait, answers) in [(0, 1), (1, 1), (18, 1), (1, 2), (19, 2), (20, 3)] {
            bench.advance(Span::secs(wait));
            let at = repo.clone();
            let doubt = bench
                .write(Scope::repo(&repo), move |tx| Box::pin(async move { tx.doubts().record(&at, Issue, 7).await }))
                .await
                .unwrap();
            assert_eq!((doubt.answers, doubt.is_confirmed()), (answers, answers == 3));
        }
    }

    async fn a_good_answer_ends_a_doubt_and_leaves_the_others(bench) {
        let repo = bench.managed_repo(1, "acme/rocket").await;
        let at = repo.clone();
        let left = bench
            .write(Scope::repo(&repo), move |tx| {
                Box::pin(async move {
                    tx.doubts().record(&at, Issue, 7).await?;
                    tx.doubts().record(&at, Pull, 7).await?;
                    tx.doubts().record(&at, Repo, 0).await?;
                    assert!(tx.doubts().clear(&at, Issue, 7).await?);
                    assert!(!tx.doubts().clear(&at, Issue, 7).await?);
                    tx.doubts().of_repo(&at).await
                })
            })
            .await
            .unwrap();
        assert_eq!(left.iter().map(|(kind, number, _)| (*kind, *number)).collect::<Vec<_>>(), [(Pull, 7), (Repo, 0)]);
    }
}
