//! Bugs that can be planted, to check that the simulation finds them.
//!
//! A plant is a mistake that somebody could make. The code around it asks [`is_planted`] and, if so, makes the mistake.
//! Without the feature `active` the answer is a constant `false`, and the compiler removes the mistake.

#[cfg(feature = "active")]
use std::cell::Cell;

/// Declares the plants: variant, name on the command line, the mistake in one sentence.
macro_rules! plants {
    ($($(#[$doc:meta])* $plant:ident = $name:literal, $mistake:literal;)*) => {
        /// A bug that can be planted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Plant {
            $(#[doc = $mistake] $plant,)*
        }

        impl Plant {
            /// Every plant.
            pub const ALL: &[Self] = &[$(Self::$plant,)*];

            /// Returns its name on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$plant => $name,)* }
            }

            /// Returns the mistake, as a sentence.
            #[must_use]
            pub const fn mistake(self) -> &'static str {
                match self { $(Self::$plant => $mistake,)* }
            }

            /// Returns the plant with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|plant| plant.name() == name)
            }
        }
    };
}

plants! {
    RefusalBelievedAtOnce = "refusal-believed-at-once", "A comment that GitHub refuses once is given up.";
    HiddenRepositoryBuriesComment = "hidden-repository-buries-comment", "Comments are given up while the App cannot read their repository.";
    MissingCommentBelievedAtOnce = "missing-comment-believed-at-once", "A late command is dropped because GitHub once does not show its comment.";
    LateMarkHidesTheJump = "late-mark-hides-the-jump", "A sign of life that is recorded late hides that the clock was set back meanwhile.";
    CreateWaitsForItsToken = "create-waits-for-its-token", "A sender marks its create before it has a token, and may create the comment long after that.";
    LateJudgementIsApplied = "late-judgement-is-applied", "The judgement of an issue's text is applied although the task changed, or came to be, meanwhile.";
    LateRemovalIsBelieved = "late-removal-is-believed", "A removal is applied although GitHub lists the repository: it came late, and the repository is back.";
    DeliveredGrantEndsThePull = "delivered-grant-ends-the-pull", "A worker is not filled up after a grant that its pull request delivers at once.";
    BudgetIgnoresLeases = "budget-ignores-leases", "The review budget counts open pull requests, but no leases.";
    EndedLeasesAreForgotten = "ended-leases-are-forgotten", "A lease that ended since the last count takes no slot, although a pull request may have come of it.";
    OldCountIsBelieved = "old-count-is-believed", "A count of open pull requests is believed however old it is, and after a failure.";
    RestartKeepsOldCounts = "restart-keeps-old-counts", "After a restart the counts from before are believed.";
    PlanIsNotCheckedAgain = "plan-is-not-checked-again", "A planned grant is committed without checking the rules again under the repository's lock.";
    ExpiryIgnoresRenewals = "expiry-ignores-renewals", "A lease found overdue is ended even if it was renewed meanwhile.";
    NothingExpires = "nothing-expires", "Overdue leases are not ended.";
    RenewalsHaveNoEnd = "renewals-have-no-end", "Renewals prolong a lease beyond its maximum lifetime.";
    EndedLeaseIsAccepted = "ended-lease-is-accepted", "The id of a lease that has ended is accepted in calls.";
    EpochsStandStill = "epochs-stand-still", "A grant does not raise the task's epoch.";
    RenewDropsTheArea = "renew-drops-the-area", "A renewal releases the area lock of the lease.";
    AreaStaysLocked = "area-stays-locked", "The area stays locked when the lease ends.";
    EndsHaveNoEvent = "ends-have-no-event", "The end of a lease writes no audit event.";
    LostCommentIsRepeated = "lost-comment-is-repeated", "A comment whose response was lost is created again without looking for the first.";
    MovedCommentIsRepeated = "moved-comment-is-repeated", "A comment that a transferred issue brought along is written a second time.";
    EmptySearchIsBelieved = "empty-search-is-believed", "A lost comment is created again after one list that leaves it out.";
    FailedLookClearsTheDoubt = "failed-look-clears-the-doubt", "When the search for a lost comment fails, the comment is created again.";
    FrozenSenderCreatesAgain = "frozen-sender-creates-again", "A sender that freezes after its take creates a comment that another has created meanwhile.";
    SendersDoNotTakeTurns = "senders-do-not-take-turns", "Two senders write comments of one installation at the same time.";
    DeliveryEndsAfterItsEffect = "delivery-ends-after-its-effect", "A delivery is marked as done in a transaction after that of its effect.";
    CommandsRunAgain = "commands-run-again", "A command runs again when its delivery arrives under another id.";
    EditRunsAsAuthor = "edit-runs-as-author", "A command that somebody adds to another's comment runs as the author's.";
    LostCommandsStayLost = "lost-commands-stay-lost", "Commands whose delivery was lost are not looked for.";
    OneAnswerIsBelieved = "one-answer-is-believed", "A single `not found` is taken for a deletion.";
    MissingPullIsClosedAtOnce = "missing-pull-is-closed-at-once", "A pull request that GitHub once does not show counts as closed.";
    LeftPullsStayOpen = "left-pulls-stay-open", "Pull requests that left the list of open ones are not looked up.";
    MissingRepositoryStaysAway = "missing-repository-stays-away", "A repository that GitHub did not show for a while is not asked for again.";
    WithdrawnTasksStayAway = "withdrawn-tasks-stay-away", "A task that left the pool does not come back with its label.";
    EditsAreTrusted = "edits-are-trusted", "A text that a stranger edits after the approval is handed out.";
    ClockSetBackIsIgnored = "clock-set-back-is-ignored", "Due times stay in the future after the clock was set back.";
    ApprovalRuleForgotten = "approval-rule-forgotten", "Tasks that wait for a maintainer are handed out.";
    ReservationRuleForgotten = "reservation-rule-forgotten", "Reserved tasks are handed out to others.";
    BanRuleForgotten = "ban-rule-forgotten", "Banned contributors get tasks.";
    SkillRuleForgotten = "skill-rule-forgotten", "Workers get tasks whose skills they lack.";
    TierRuleForgotten = "tier-rule-forgotten", "Contributors get tasks that need more trust.";
    CapacityRuleForgotten = "capacity-rule-forgotten", "Workers get more points than their capacity.";
    ConcurrencyRuleForgotten = "concurrency-rule-forgotten", "Workers hold more tasks than they asked for.";
    PauseRuleForgotten = "pause-rule-forgotten", "Tasks are handed out in repositories that are paused or not served.";
    TaskListShowsPrivate = "task-list-shows-private", "The public list of tasks shows private repositories.";
    FeedShowsPrivate = "feed-shows-private", "The public event feed shows private repositories.";
    CursorSkips = "cursor-skips", "A page of the event feed skips an event.";
    FeedHeadStaysBehind = "feed-head-stays-behind", "Numbers of the event feed are given outside of the lock, so that one is given twice.";
    MergesAreNotCounted = "merges-are-not-counted", "A merged task is not counted for its contributor.";
    AnswerIsKeptLater = "answer-is-kept-later", "The response of a call with an idempotency key is not committed with its effect.";
}

#[cfg(feature = "active")]
thread_local! {
    static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) };
}

/// Plants a bug in everything that runs on this thread, or none.
#[cfg(feature = "active")]
pub fn plant(plant: Option<Plant>) {
    PLANTED.set(plant);
}

/// Returns true if this bug is planted on this thread.
#[cfg(feature = "active")]
#[must_use]
pub fn is_planted(plant: Plant) -> bool {
    PLANTED.get() == Some(plant)
}

/// Returns false: this build has no plants.
#[cfg(not(feature = "active"))]
#[must_use]
#[inline(always)]
pub const fn is_planted(_: Plant) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::Plant;
    use std::collections::BTreeSet;

    #[test]
    fn every_plant_has_a_name_of_its_own_and_says_what_is_wrong() {
        let names: BTreeSet<_> = Plant::ALL.iter().map(|plant| plant.name()).collect();
        assert_eq!(names.len(), Plant::ALL.len());
        for plant in Plant::ALL {
            assert_eq!(Plant::from_name(plant.name()), Some(*plant));
            assert!(plant.mistake().ends_with('.'), "{}", plant.name());
        }
    }
}
