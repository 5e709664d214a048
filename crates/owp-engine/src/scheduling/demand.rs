//! What the workers that pull could take, and the choice among very many classes of tasks for them.

use owp_pool::Person;
use owp_pool::worker::{Load, Worker};
use owp_store::TaskClass;
use std::collections::{BTreeMap, BTreeSet};

/// Classes that are chosen for a worker in each tier: no worker can hold more leases, and its tiers are not known here.
const PER_TIER: usize = 20;

/// Upper bound on what a pulling worker could take, as of its first request. It only rules workers out early; admission
/// decides on the worker's current state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Its skills, sorted.
    pub skills: Vec<String>,
    /// Number of further leases it could hold.
    pub room: i64,
    /// Largest task it could hold, were it to hold nothing else (points).
    pub capacity: i64,
    /// The contributor behind it.
    pub person: Person,
}

impl Demand {
    /// Returns what a worker could take beside its load.
    pub(crate) fn of(worker: &Worker, load: Load) -> Self {
        let (skills, person) = (worker.skills.clone(), worker.person.clone());
        Self { skills, room: worker.free_leases(load), capacity: worker.capacity, person }
    }

    /// Returns true if it has all these skills.
    pub(crate) fn covers(&self, required: &[String]) -> bool {
        covers(&self.skills, required)
    }
}

fn covers(skills: &[String], required: &[String]) -> bool {
    required.iter().all(|skill| skills.binary_search(skill).is_ok())
}

/// Chooses classes that the demands could take, at most `most`. `classes` are in the order of their first tasks. The best
/// class for each demand comes first, then the second best, so that no demand leaves nothing for another.
pub(crate) fn choose<'d>(
    classes: Vec<TaskClass>,
    demands: impl Iterator<Item = &'d Demand>,
    most: usize,
) -> Vec<TaskClass> {
    // Many workers are alike.
    let mut kinds: BTreeMap<(&[String], i64), BTreeSet<i64>> = BTreeMap::new();
    for demand in demands.filter(|demand| demand.room > 0) {
        let users = kinds.entry((&demand.skills, demand.capacity)).or_default();
        if let Person::GitHub(id) = demand.person {
            users.insert(id);
        }
    }
    let mut found = vec![BTreeMap::<i64, usize>::new(); kinds.len()];
    let mut chosen: Vec<(usize, TaskClass)> = Vec::new();
    for class in classes {
        let TaskClass { spec, assigned_to, .. } = &class;
        let mut place = None;
        for (((skills, capacity), users), found) in kinds.iter().zip(&mut found) {
            let found = found.entry(spec.tier).or_default();
            let may = assigned_to.is_empty() || assigned_to.iter().any(|assignee| users.contains(&assignee.id));
            if *found < PER_TIER && spec.estimate <= *capacity && may && covers(skills, &spec.skills) {
                place = Some(place.map_or(*found, |best: usize| best.min(*found)));
                *found += 1;
            }
        }
        chosen.extend(place.map(|place| (place, class)));
    }
    chosen.sort_by_key(|(place, _)| *place);
    chosen.into_iter().map(|(_, class)| class).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::WorkerId;
    use owp_pool::task::{Assignee, TaskSpec};

    fn skills(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn demand(words: &[&str], capacity: i64, user: i64) -> Demand {
        Demand { skills: skills(words), room: 1, capacity, person: Person::GitHub(user) }
    }

    fn class(words: &[&str], estimate: i64, tier: i64, users: &[i64]) -> TaskClass {
        let spec = TaskSpec { skills: skills(words), estimate, tier, ..TaskSpec::default() };
        let assigned_to = users.iter().map(|id| Assignee { id: *id, login: format!("user{id}") }).collect();
        TaskClass { key: String::new(), spec, assigned_to }
    }

    #[test]
    fn a_demand_covers_what_it_has_every_skill_for() {
        let demand = demand(&["go", "rust", "sql"], 5, 1);
        for (required, covered) in [(&[][..], true), (&["rust"], true), (&["go", "sql"], true), (&["go", "zig"], false)]
        {
            assert_eq!(demand.covers(&skills(required)), covered, "{required:?}");
        }
    }

    #[test]
    fn only_classes_that_somebody_could_take_are_chosen() {
        let classes = vec![
            class(&["zig"], 1, 0, &[]),
            class(&["go"], 6, 0, &[]),
            class(&["go"], 5, 0, &[2]),
            class(&["go"], 4, 0, &[2, 1]),
            class(&["go"], 3, 3, &[]),
        ];
        let idle = Demand { room: 0, ..demand(&["zig"], 9, 2) };
        let unlinked = Demand { person: Person::Unlinked(WorkerId::new("w_1")), ..demand(&["go"], 3, 0) };
        let estimates = |demands: &[Demand]| {
            let chosen = choose(classes.clone(), demands.iter(), 9);
            chosen.iter().map(|class| class.spec.estimate).collect::<Vec<_>>()
        };
        assert_eq!(estimates(&[idle.clone(), demand(&["go"], 5, 1)]), [4, 3]);
        assert_eq!(estimates(&[idle, unlinked]), [3]);
    }

    #[test]
    fn nobody_is_left_without_classes_by_those_with_more_skills_or_by_a_tier_that_is_closed() {
        let many: Vec<String> = (0..200).map(|n| format!("s{n:03}")).collect();
        let own = |n: usize| class(&[many[n].as_str()], 1, 0, &[]);
        let closed = (0..200).map(|n| class(&[], 1 + n, 3, &[]));
        let classes = (0..200).map(own).chain(closed).chain([class(&["zig"], 1, 0, &[])]).collect();
        let able = Demand { skills: many.clone(), ..demand(&[], 500, 1) };
        let other = demand(&["zig"], 500, 2);
        let chosen = choose(classes, [&able, &other].into_iter(), 10);
        assert_eq!(chosen.len(), 10);
        assert!(chosen.iter().any(|class| class.spec.skills == skills(&["zig"])));
    }
}
