//! Responses stored under idempotency keys, and the ownership of reservations.

use super::*;
use crate::{KeptAnswer, Reserved};
use owp_pool::{Span, Timestamp};

async fn reserve(bench: &Bench) -> Timestamp {
    match bench.change(|tx| Box::pin(async move { tx.answers().reserve("scope", "body").await })).await {
        Reserved::Run(until) => until,
        other => panic!("not reserved: {other:?}"),
    }
}

async fn settle(bench: &Bench, until: Timestamp, text: &'static str) -> bool {
    let answer = KeptAnswer { status: 200, media_type: "application/json".into(), text: text.into() };
    bench.change(move |tx| Box::pin(async move { tx.answers().settle("scope", until, &answer).await })).await
}

on_both_engines! {
    async fn a_call_that_took_too_long_keeps_no_answer_and_frees_nobody_elses_key(bench) {
        let slow = reserve(bench).await;
        bench.advance(Span::secs(15));
        let quick = reserve(bench).await;
        assert!(!settle(bench, slow, "slow").await, "another request has taken over");
        bench.change(move |tx| Box::pin(async move { tx.answers().forget("scope", slow).await })).await;
        assert!(settle(bench, quick, "quick").await);
        assert!(!settle(bench, quick, "twice").await);
        let kept = bench.read(|tx| Box::pin(async move { tx.answers().get("scope").await })).await;
        assert_eq!(kept.map(|kept| kept.text).as_deref(), Some("quick"));
    }

    async fn a_call_whose_key_was_given_back_keeps_no_answer(bench) {
        let gone = reserve(bench).await;
        bench.change(move |tx| Box::pin(async move { tx.answers().forget("scope", gone).await })).await;
        assert!(!settle(bench, gone, "late").await);
        bench.advance(Span::secs(1));
        reserve(bench).await;
        assert!(!settle(bench, gone, "later").await, "the key was reserved again since");
    }

    async fn a_process_that_starts_alone_gives_back_what_was_never_answered_and_keeps_the_rest(bench) {
        let answered = reserve(bench).await;
        settle(bench, answered, "kept").await;
        bench.change(|tx| Box::pin(async move { tx.answers().reserve("other", "body").await })).await;
        bench.change(|tx| Box::pin(async move { tx.answers().release().await })).await;
        let again = bench.change(|tx| Box::pin(async move { tx.answers().reserve("other", "body").await })).await;
        assert!(matches!(again, Reserved::Run(_)), "{again:?}");
        let kept = bench.change(|tx| Box::pin(async move { tx.answers().reserve("scope", "body").await })).await;
        assert!(matches!(kept, Reserved::Answered(_)), "{kept:?}");
    }
}
