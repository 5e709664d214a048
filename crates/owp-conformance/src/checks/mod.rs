//! The checks, one file per chapter of the specification. A check tests only its own requirement and treats its
//! preconditions as given, so that a defect is reported in one place.

mod admin;
mod areas;
mod auth;
mod budget;
mod claims;
mod discovery;
mod events;
mod expiry;
mod idempotency;
mod leases;
mod lists;
mod offers;
mod operator;
mod presence;
mod problems;
mod profile;
mod registration;
mod renewals;
mod rules;
mod signs;
mod skills;
mod states;
mod status;
mod streams;
mod transport;
mod waiting;
mod work;

use super::{Check, Profile};

/// Declares the checks of a chapter: profile, optional feature, id, short requirement, and function.
macro_rules! checks {
    ($($profile:ident $([$feature:literal])? $id:literal $title:literal => $run:ident $(($alone:ident))?;)*) => {
        pub(super) const ALL: &[super::Check] = &[$(super::Check {
            id: $id,
            profile: super::Profile::$profile,
            feature: [$(Some($feature),)? None][0],
            title: $title,
            alone: false $(|| !stringify!($alone).is_empty())?,
            run: |lab| Box::pin($run(lab)),
        },)*];
    };
}
use checks;

/// Every chapter, in the specification's order.
pub(super) const ALL: &[&[Check]] = &[
    transport::ALL,
    auth::ALL,
    registration::ALL,
    presence::ALL,
    admin::ALL,
    work::ALL,
    skills::ALL,
    areas::ALL,
    budget::ALL,
    status::ALL,
    expiry::ALL,
    signs::ALL,
    discovery::ALL,
    problems::ALL,
    leases::ALL,
    offers::ALL,
    claims::ALL,
    waiting::ALL,
    profile::ALL,
    idempotency::ALL,
    lists::ALL,
    operator::ALL,
    events::ALL,
    streams::ALL,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_check_has_a_name_of_its_own_and_extended_ones_are_announced_by_a_feature() {
        let checks: Vec<&Check> = ALL.iter().flat_map(|group| group.iter()).collect();
        let names: BTreeSet<&str> = checks.iter().map(|check| check.id).collect();
        assert_eq!(names.len(), checks.len());
        for check in checks {
            let discovery = check.id.starts_with("DISC-");
            assert_eq!(check.profile == Profile::Core, check.feature.is_none() && !discovery, "{}", check.id);
            assert!(check.title.ends_with('.'), "{}: {}", check.id, check.title);
        }
    }
}
