//! Policy files of the histories.

use super::people::Act;
use super::stage::MAINTAINER;
use crate::world::World;

/// Policy files: the text, whether it is valid, and the budget it sets.
const POLICIES: [(&str, bool, Option<i64>); 12] = [
    (
        "version: 1\nbudget: { max_open_prs: 2 }\nclaims: { per_worker: 3, newcomers: 3, newcomers_total: 6, cooldown: 0s }\n",
        true,
        Some(2),
    ),
    (
        "version: 1\nbudget: { max_open_prs: 1 }\nclaims: { per_worker: 3, newcomers: 3, newcomers_total: 6, cooldown: 0s }\n",
        true,
        Some(1),
    ),
    (
        "version: 1\nbudget: { max_open_prs: 3 }\nclaims: { per_worker: 4, newcomers: 2, newcomers_total: 4, cooldown: 1h }\n",
        true,
        Some(3),
    ),
    (
        "version: 1\nbudget: { max_open_prs: 2 }\nleases: { ttl: 30m, claim_ttl: 2h, max_lifetime: 4h }\nclaims: { newcomers: 2, newcomers_total: 4 }\n",
        true,
        Some(2),
    ),
    (
        "version: 1\nbudget: { max_open_prs: 2, count: all }\nclaims: { newcomers: 2, newcomers_total: 4, cooldown: 0s }\n",
        true,
        Some(2),
    ),
    (
        "version: 1\nbudget: { max_open_prs: 2, drafts: false }\ngates: { checklist: true }\nclaims: { newcomers: 3, newcomers_total: 6 }\n",
        true,
        Some(2),
    ),
    (
        "version: 1\nbudget: { max_open_prs: 3 }\narea_locks: { until: merged }\nclaims: { newcomers: 3, newcomers_total: 6, cooldown: 0s }\n",
        true,
        Some(3),
    ),
    (
        "version: 1\nbudget: { max_open_prs: 2 }\ncomments: quiet\nclaims: { newcomers: 2, newcomers_total: 4, cooldown: 0s }\n",
        true,
        Some(2),
    ),
    ("version: 1\nbudget: { max_open_prs: 0 }\n", true, Some(0)),
    ("version: 1\nbudgt: { max_open_prs: 9 }\n", false, None),
    ("version: 1\nbudget: { max_open_prs: [9 }\n", false, None),
    ("version: 1\nlabels: { ready: \"pool:redy\" }\n", true, None),
];
/// The first so many hand something out.
const USEFUL: usize = 8;

/// Returns a policy that hands something out, and its budget.
pub(super) fn useful(world: &mut World) -> (&'static str, Option<i64>) {
    let (text, _, budget) = POLICIES[world.below(USEFUL)];
    (text, budget)
}

/// A maintainer writes another policy, or makes a mistake in it.
pub(super) fn change(world: &mut World, at: usize, full: &str) -> Act {
    let which = if world.chance(70) { world.below(USEFUL) } else { world.below(POLICIES.len()) };
    let (text, valid, budget) = POLICIES[which];
    world.github.as_user(MAINTAINER).put_file(full, ".github/owp.yml", text)?;
    world.cast.repos[at].policy = Some((valid, budget));
    Ok(Some(format!("{MAINTAINER} writes the policy of {full}: {text:?}")))
}
