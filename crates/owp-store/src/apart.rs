//! SQL of the reasons that set a task apart: one condition for each [`Apart`], joined when the store is compiled.

use super::leases::given_back;
use owp_pool::planner::Apart;

/// Joins a constant slice of strings into one constant string.
macro_rules! join {
    ($parts:expr) => {{
        const TEXT: [u8; $crate::apart::length($parts)] = $crate::apart::bytes($parts);
        $crate::apart::text(&TEXT)
    }};
}
pub(super) use join;

/// Returns the condition on a row `t` of `tasks`. `$2` is the current time; `$5` is the time before which refusals are
/// forgotten.
const fn condition(reason: Apart) -> &'static str {
    match reason {
        Apart::Reserved => "t.reserved_until > $2",
        Apart::Answered => {
            "EXISTS (SELECT 1 FROM pull_links k JOIN pulls p ON p.repo_id = k.repo_id AND p.number = k.number
                WHERE k.task_id = t.id AND p.state = 'open')"
        }
        Apart::Declined => concat!(
            "EXISTS (SELECT 1 FROM leases l WHERE l.task_id = t.id AND l.ended_at > $5 AND ",
            given_back!(),
            ")"
        ),
        Apart::Barred => "EXISTS (SELECT 1 FROM task_bars b WHERE b.task_id = t.id AND b.until > $2)",
    }
}

const PARTS: [&str; 3 * Apart::ALL.len()] = {
    let mut parts = [""; 3 * Apart::ALL.len()];
    let mut at = 0;
    while at < Apart::ALL.len() {
        parts[3 * at] = "WHEN ";
        parts[3 * at + 1] = condition(Apart::ALL[at]);
        parts[3 * at + 2] = " THEN 0 ";
        at += 1;
    }
    parts
};

/// The branches of a `CASE` that is 0 for a task set apart.
pub(super) const WHEN_APART: &str = join!(&PARTS);

/// Returns the length of the joined parts, for [`join`].
pub(super) const fn length(parts: &[&str]) -> usize {
    let (mut sum, mut part) = (0, 0);
    while part < parts.len() {
        sum += parts[part].len();
        part += 1;
    }
    sum
}

/// Returns the bytes of the joined parts, for [`join`].
pub(super) const fn bytes<const LENGTH: usize>(parts: &[&str]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let (mut filled, mut part) = (0, 0);
    while part < parts.len() {
        let (from, mut at) = (parts[part].as_bytes(), 0);
        while at < from.len() {
            bytes[filled] = from[at];
            (filled, at) = (filled + 1, at + 1);
        }
        part += 1;
    }
    bytes
}

/// Returns the bytes as text, for [`join`].
pub(super) const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("a part is not text"),
    }
}
