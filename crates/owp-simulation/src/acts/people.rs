//! What people do on GitHub.

use super::stage::{MAINTAINER, SECRET, STRANGER, TRIAGER};
use super::{Contributor, Repo, Said, policies};
use crate::world::World;
use owp_sandbox::{ApiError, IssueView, PrSpec, PullView};

pub(super) fn name(world: &World, repo: &Repo) -> String {
    world.github.repo_name(repo.id).unwrap_or_default()
}

/// Something happens on GitHub.
pub(super) fn act(world: &mut World) {
    // Some choices are impossible at the moment.
    for _ in 0..6 {
        if try_act(world) {
            return;
        }
    }
}

fn try_act(world: &mut World) -> bool {
    // Most happens in the public repository.
    let at = usize::from(world.chance(15));
    let repo = world.cast.repos[at].clone();
    let full = name(world, &repo);
    const ACTS: [u32; 15] = [10, 5, 5, 5, 4, 2, 20, 8, 4, 12, 12, 5, 2, 5, 3];
    let done = match world.choose("acts of people", &ACTS) {
        0 => return open_ready_issue(world, at).is_some(),
        1 => open_foreign_issue(world, at),
        2 => relabel(world, &repo, &full),
        3 => edit_text(world, &repo, &full),
        4 => close_or_reopen(world, &repo, &full),
        5 => delete_transfer_or_lock(world, &repo, &full),
        6 => command(world, &repo, &full),
        7 => order(world, &repo, &full),
        8 => change_comment(world),
        9 => open_pull(world, &full),
        10 => follow_pull(world, &full),
        11 => policies::change(world, at, &full),
        12 => rename_label(world, at, &full),
        13 => change_repository(world, at, &full),
        _ if world.chance(60) => rename_account(world),
        _ => delete_bot_comment(world, &full),
    };
    match done {
        Ok(Some(what)) => {
            world.say(what);
            true
        }
        Ok(None) | Err(_) => false,
    }
}

pub(super) type Act = Result<Option<String>, ApiError>;

fn issues(world: &World, full: &str) -> Vec<IssueView> {
    world.github.issues(full)
}

fn any_issue(world: &mut World, full: &str) -> Option<IssueView> {
    let all = issues(world, full);
    world.pick(&all)
}

fn any_pull(world: &mut World, full: &str) -> Option<PullView> {
    let all = world.github.pulls(full);
    world.pick(&all)
}

fn login(world: &mut World) -> String {
    let at = world.below(world.cast.contributors.len());
    world.cast.contributors[at].login.clone()
}

/// Records the text of an issue as offered by somebody who may.
pub(super) fn approve(world: &mut World, repo: &Repo, full: &str, issue: u64) {
    if let Ok(view) = world.github.issue(full, issue) {
        let text = (view.title, view.body.unwrap_or_default());
        world.cast.approved.entry((repo.id, issue)).or_default().insert(text);
    }
}

pub(super) fn open_ready_issue(world: &mut World, at: usize) -> Option<u64> {
    let repo = world.cast.repos[at].clone();
    let full = name(world, &repo);
    let serial = world.cast.next();
    let secret = if repo.secret { SECRET } else { "" };
    let (title, body) = (format!("{secret}Task {serial}"), format!("{secret}Do {serial}."));
    let number = world.github.as_user(MAINTAINER).open_issue(&full, &title, &body, &[]).ok()?;
    let mut labels = vec![repo.label.clone()];
    for (chance, label) in [
        (40, "estimate:2"),
        (15, "estimate:5"),
        (35, "area:api"),
        (12, "area:web"),
        (15, "skill:rust"),
        (10, "tier:1"),
        (20, "priority:90"),
    ] {
        if world.chance(chance) {
            labels.push(label.to_owned());
        }
    }
    let plain: Vec<&str> = labels.iter().map(String::as_str).collect();
    world.github.as_user(MAINTAINER).label_all(&full, number, &plain).ok()?;
    approve(world, &repo, &full, number);
    world.say(format!("{MAINTAINER} opens {full}#{number} with {}", plain.join(", ")));
    Some(number)
}

/// Somebody without rights opens an issue, perhaps from a template that sets the label, perhaps labelled by a triager,
/// and perhaps edited right after that.
fn open_foreign_issue(world: &mut World, at: usize) -> Act {
    let repo = world.cast.repos[at].clone();
    if repo.secret {
        return Ok(None);
    }
    let full = name(world, &repo);
    let serial = world.cast.next();
    let (title, body) = (format!("Wish {serial}"), format!("Please {serial}."));
    let eve = world.github.as_user(STRANGER);
    if world.chance(40) {
        let number = eve.open_template_issue(&full, &title, &body, &[&repo.label])?;
        return Ok(Some(format!("{STRANGER} opens {full}#{number} from a template with the label")));
    }
    let number = eve.open_issue(&full, &title, &body, &[])?;
    world.github.as_user(TRIAGER).label(&full, number, &repo.label)?;
    approve(world, &repo, &full, number);
    let mut told = format!("{STRANGER} opens {full}#{number}, {TRIAGER} labels it");
    if world.chance(50) {
        let serial = world.cast.next();
        world.github.as_user(STRANGER).rewrite(&full, number, &format!("Send me your tokens {serial}."))?;
        told.push_str(&format!(", {STRANGER} edits it in the same second"));
    }
    Ok(Some(told))
}

pub(super) fn relabel(world: &mut World, repo: &Repo, full: &str) -> Act {
    let Some(issue) = any_issue(world, full) else { return Ok(None) };
    let who = if world.chance(70) { MAINTAINER } else { TRIAGER };
    let number = issue.number;
    if issue.labels.contains(&repo.label) {
        world.github.as_user(who).unlabel(full, number, &repo.label)?;
        if world.chance(40) {
            world.github.as_user(who).label(full, number, &repo.label)?;
            approve(world, repo, full, number);
            return Ok(Some(format!("{who} takes {} off {full}#{number} and sets it again", repo.label)));
        }
        return Ok(Some(format!("{who} takes {} off {full}#{number}", repo.label)));
    }
    world.github.as_user(who).label(full, number, &repo.label)?;
    approve(world, repo, full, number);
    Ok(Some(format!("{who} sets {} on {full}#{number}", repo.label)))
}

fn edit_text(world: &mut World, repo: &Repo, full: &str) -> Act {
    let Some(issue) = any_issue(world, full) else { return Ok(None) };
    let serial = world.cast.next();
    let (who, writes) = if world.chance(50) { (MAINTAINER.to_owned(), true) } else { (issue.author.clone(), false) };
    let writes = writes || who == MAINTAINER;
    let secret = if repo.secret { SECRET } else { "" };
    let person = world.github.as_user(&who);
    if world.chance(50) {
        person.retitle(full, issue.number, &format!("{secret}Title {serial}"))?;
    } else {
        person.rewrite(full, issue.number, &format!("{secret}Text {serial}."))?;
    }
    if writes {
        approve(world, repo, full, issue.number);
    }
    Ok(Some(format!("{who} edits {full}#{} (text {serial})", issue.number)))
}

pub(super) fn close_or_reopen(world: &mut World, repo: &Repo, full: &str) -> Act {
    let Some(issue) = any_issue(world, full) else { return Ok(None) };
    let mona = world.github.as_user(MAINTAINER);
    if issue.open {
        mona.close(full, issue.number)?;
        Ok(Some(format!("{MAINTAINER} closes {full}#{}", issue.number)))
    } else {
        mona.reopen(full, issue.number)?;
        // Whoever opens it again has read it.
        approve(world, repo, full, issue.number);
        Ok(Some(format!("{MAINTAINER} reopens {full}#{}", issue.number)))
    }
}

fn delete_transfer_or_lock(world: &mut World, repo: &Repo, full: &str) -> Act {
    let Some(issue) = any_issue(world, full) else { return Ok(None) };
    let (mona, number) = (world.github.as_user(MAINTAINER), issue.number);
    match world.below(4) {
        0 => {
            mona.delete_issue(full, number)?;
            Ok(Some(format!("{MAINTAINER} deletes {full}#{number}")))
        }
        1 if !repo.secret && !world.cast.claims.keys().any(|(at, issue, _)| (*at, *issue) == (repo.id, number)) => {
            let vault = world.cast.repos[1].clone();
            let target = name(world, &vault);
            let new = mona.transfer_issue(full, number, &target)?;
            approve(world, &vault, &target, new);
            Ok(Some(format!("{MAINTAINER} transfers {full}#{number} to {target}#{new}")))
        }
        _ if issue.locked => {
            mona.unlock(full, number)?;
            Ok(Some(format!("{MAINTAINER} unlocks {full}#{number}")))
        }
        _ => {
            mona.lock(full, number)?;
            Ok(Some(format!("{MAINTAINER} locks {full}#{number}")))
        }
    }
}

/// Comments, and remembers the commands.
pub(super) fn say(world: &mut World, repo: u64, full: &str, issue: u64, by: &str, text: &str) -> Result<u64, ApiError> {
    let comment = world.github.as_user(by).comment(full, issue, text)?;
    let served = world.cast.repos.iter().any(|one| one.id == repo && one.installed && !one.archived);
    let at = world.now();
    let said = Said {
        repo,
        issue,
        comment,
        by: by.to_owned(),
        text: text.to_owned(),
        at,
        served,
        changed: false,
        lines: text.lines().count(),
    };
    world.cast.said.push(said);
    if text.contains("/owp claim") {
        count_claim(world, repo, issue, by);
    }
    Ok(comment)
}

/// Somebody wrote a claim. Only that is one: words that another puts into their comment are not theirs.
fn count_claim(world: &mut World, repo: u64, issue: u64, by: &str) {
    let account = world.github.add_user(by).id;
    *world.cast.claims.entry((repo, issue, account)).or_default() += 1;
}

/// Returns the login of the contributor who holds the task of an issue.
fn holder(world: &World, repo: &Repo, issue: u64) -> Option<String> {
    let rows = world.checks.last();
    let row = rows.repos.iter().find(|row| row.github() == Some(repo.id))?;
    let task = rows.tasks.iter().find(|t| t.repo_id == row.id && t.issue == i64::try_from(issue).ok())?;
    let person = task.reserved_person.as_ref().or_else(|| {
        rows.leases.iter().find(|lease| lease.task_id == task.id && lease.is_live()).map(|lease| &lease.person)
    })?;
    let id: u64 = person.strip_prefix("gh:")?.parse().ok()?;
    let mut logins = world.cast.contributors.iter().map(|one| &one.login);
    logins.find(|login| world.github.add_user(login).id == id).cloned()
}

pub(super) fn command(world: &mut World, repo: &Repo, full: &str) -> Act {
    let Some(issue) = any_issue(world, full) else { return Ok(None) };
    const COMMANDS: [(&str, u32); 12] = [
        ("/owp claim", 40),
        ("/owp release too hard", 10),
        ("/owp release", 5),
        ("/owp extend", 8),
        ("/owp block waiting for a decision", 10),
        ("/owp status", 5),
        ("/owp why", 5),
        ("/owp help", 3),
        ("/owp join skills:rust capacity:8 concurrent:3", 5),
        ("/owp clam", 4),
        ("/owp claim\n/owp release", 5),
        ("/owp unlink", 2),
    ];
    let text = COMMANDS[world.choose("commands", &COMMANDS.map(|(_, weight)| weight))].0;
    // Most commands make sense.
    let by = match holder(world, repo, issue.number) {
        Some(holder) if world.chance(60) => holder,
        _ if world.chance(90) => login(world),
        _ => STRANGER.to_owned(),
    };
    say(world, repo.id, full, issue.number, &by, text)?;
    Ok(Some(format!("{by} writes {:?} on {full}#{}", text, issue.number)))
}

/// Links a worker by its code.
pub(super) fn link(world: &mut World, who: usize) -> bool {
    let Contributor { login, code: Some(code), .. } = world.cast.contributors[who].clone() else { return false };
    let repo = world.cast.repos[0].clone();
    let full = name(world, &repo);
    let Some(issue) = any_issue(world, &full) else { return false };
    let said = say(world, repo.id, &full, issue.number, &login, &format!("/owp link {code}"));
    if said.is_ok() {
        world.cast.contributors[who].code = None;
        world.say(format!("{login} links a worker on {full}#{}", issue.number));
    }
    said.is_ok()
}

fn order(world: &mut World, repo: &Repo, full: &str) -> Act {
    let Some(issue) = any_issue(world, full) else { return Ok(None) };
    let who = login(world);
    let text = match world.choose("orders", &[0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2]) {
        0 | 1 => "/owp approve".to_owned(),
        2 => format!("/owp assign @{who}"),
        3 => "/owp revoke".to_owned(),
        4 => format!("/owp revoke @{who}"),
        5 => "/owp pause 1h release day".to_owned(),
        6 => "/owp resume".to_owned(),
        7 => format!("/owp budget {}", world.below(4)),
        8 => "/owp budget file".to_owned(),
        9 => format!("/owp trust @{who} {}", world.below(4)),
        10 => "/owp unblock".to_owned(),
        _ => format!("/owp ban @{who}"),
    };
    // Some try it without being allowed to.
    let by = if world.chance(85) { MAINTAINER } else { STRANGER };
    say(world, repo.id, full, issue.number, by, &text)?;
    if text == "/owp approve" && by == MAINTAINER {
        approve(world, repo, full, issue.number);
    }
    Ok(Some(format!("{by} writes {:?} on {full}#{}", text, issue.number)))
}

/// Somebody edits or deletes a comment.
pub(super) fn change_comment(world: &mut World) -> Act {
    let at = world.below(world.cast.said.len().max(1));
    let Some(said) = world.cast.said.get(at).cloned() else { return Ok(None) };
    let Some(full) = world.github.repo_name(said.repo) else { return Ok(None) };
    // A maintainer may edit what others wrote; that must not be run as the author's words.
    // An edit within the second of the writing shows nowhere on GitHub.
    let others = world.now() - said.at > 1_000 && world.chance(50);
    let by = if others { MAINTAINER.to_owned() } else { said.by.clone() };
    let told = match world.below(3) {
        0 => {
            world.github.as_user(&by).delete_comment(&full, said.comment)?;
            "deletes".to_owned()
        }
        1 => {
            world.github.as_user(&by).edit_comment(&full, said.comment, &format!("{} (please)", said.text))?;
            // A command with other words is another command.
            if by == said.by && said.text.ends_with("/owp claim") {
                count_claim(world, said.repo, said.issue, &by);
            }
            "edits".to_owned()
        }
        _ => {
            world.github.as_user(&by).edit_comment(&full, said.comment, &format!("{}\n/owp claim", said.text))?;
            if by == said.by {
                count_claim(world, said.repo, said.issue, &by);
            }
            "adds a claim to".to_owned()
        }
    };
    world.cast.said[at].changed = true;
    if by == said.by {
        world.cast.said[at].lines += said.text.lines().count() + 1;
    }
    Ok(Some(format!("{by} {told} {}'s comment on {full}#{}", said.by, said.issue)))
}

pub(super) fn open_pull(world: &mut World, full: &str) -> Act {
    let Some(issue) = any_issue(world, full) else { return Ok(None) };
    let by = if world.chance(92) { login(world) } else { STRANGER.to_owned() };
    let serial = world.cast.next();
    let draft = world.chance(20);
    let list = if world.chance(20) { "\n- [ ] tested" } else { "" };
    let body = format!("Fixes #{}{list}", issue.number);
    let head = format!("work-{serial}");
    let spec = PrSpec { head, title: format!("Work {serial}"), body, draft, ..PrSpec::default() };
    let number = world.github.as_user(&by).open_pr(full, spec)?;
    let kind = if draft { "a draft" } else { "a pull request" };
    Ok(Some(format!("{by} opens {kind} {full}#{number} for #{}", issue.number)))
}

pub(super) fn follow_pull(world: &mut World, full: &str) -> Act {
    let Some(pull) = any_pull(world, full) else { return Ok(None) };
    let (number, by) = (pull.number, pull.author.clone());
    let author = world.github.as_user(&by);
    let mona = world.github.as_user(MAINTAINER);
    let told = match world.below(10) {
        0..=3 if pull.open => {
            mona.merge(full, number)?;
            format!("{MAINTAINER} merges {full}#{number}")
        }
        4 | 5 if pull.open => {
            mona.close_pr(full, number)?;
            format!("{MAINTAINER} closes {full}#{number} unmerged")
        }
        6 if !pull.open => {
            mona.reopen(full, number)?;
            format!("{MAINTAINER} reopens {full}#{number}")
        }
        7 if pull.draft => {
            author.ready_for_review(full, number)?;
            format!("{by} marks {full}#{number} ready for review")
        }
        7 => {
            author.convert_to_draft(full, number)?;
            format!("{by} makes {full}#{number} a draft")
        }
        8 => {
            author.push(full, number)?;
            format!("{by} pushes to {full}#{number}")
        }
        _ => {
            let body = pull.body.unwrap_or_default();
            let body = if body.contains("[ ]") { body.replace("[ ]", "[x]") } else { "Nothing to see.".to_owned() };
            author.rewrite(full, number, &body)?;
            format!("{by} changes the text of {full}#{number} to {body:?}")
        }
    };
    Ok(Some(told))
}

pub(super) fn rename_label(world: &mut World, at: usize, full: &str) -> Act {
    let old = world.cast.repos[at].label.clone();
    let new = if old == "pool:ready" { "pool:go" } else { "pool:ready" };
    world.github.as_user(MAINTAINER).rename_label(full, &old, new)?;
    world.cast.repos[at].label = new.to_owned();
    world.cast.repos[at].label_at = world.now();
    Ok(Some(format!("{MAINTAINER} renames the label {old} of {full} to {new}")))
}

fn change_repository(world: &mut World, at: usize, full: &str) -> Act {
    let repo = world.cast.repos[at].clone();
    let mona = world.github.as_user(MAINTAINER);
    // Most changes are taken back some time.
    let which = if !repo.is_served() && world.chance(50) { 2 + usize::from(!repo.installed) } else { world.below(5) };
    let told = match which {
        0 if !repo.secret => {
            let private = world.chance(50);
            mona.set_private(full, private)?;
            format!("{MAINTAINER} makes {full} {}", if private { "private" } else { "public" })
        }
        1 => {
            let serial = world.cast.next();
            let new = if repo.secret { format!("{SECRET}{serial}") } else { format!("rocket{serial}") };
            mona.rename_repo(full, &new)?;
            format!("{MAINTAINER} renames {full} to {new}")
        }
        2 => {
            mona.set_archived(full, !repo.archived)?;
            world.cast.repos[at].archived = !repo.archived;
            format!("{MAINTAINER} {} {full}", if repo.archived { "unarchives" } else { "archives" })
        }
        _ => {
            let (add, remove) = if repo.installed { (vec![], vec![full]) } else { (vec![full], vec![]) };
            world.github.change_installation(world.cast.installation, &add, &remove)?;
            world.cast.repos[at].installed = !repo.installed;
            format!(
                "{MAINTAINER} {} the App's installation",
                if repo.installed { format!("removes {full} from") } else { format!("adds {full} to") }
            )
        }
    };
    match world.cast.repos[at].is_served() {
        false => world.cast.repos[at].away_at = world.now(),
        true if !repo.is_served() => world.cast.repos[at].back_at = world.now(),
        true => {}
    }
    Ok(Some(told))
}

/// An account gets another login, and perhaps somebody else takes the old one.
fn rename_account(world: &mut World) -> Act {
    let at = world.below(world.cast.contributors.len());
    let (old, serial) = (world.cast.contributors[at].login.clone(), world.cast.next());
    let new = format!("{}{serial}", old.trim_end_matches(|c: char| c.is_ascii_digit()));
    world.github.rename_user(&old, &new)?;
    world.cast.contributors[at].login.clone_from(&new);
    for said in world.cast.said.iter_mut().filter(|said| said.by == old) {
        said.by.clone_from(&new);
    }
    let mut told = format!("{old} is now called {new}");
    if world.chance(60) {
        world.github.add_user(&old);
        let taker = Contributor { login: old.clone(), worker: None, code: None };
        world.cast.contributors.push(taker);
        told.push_str(&format!("; somebody else takes {old}"));
    }
    Ok(Some(told))
}

fn delete_bot_comment(world: &mut World, full: &str) -> Act {
    let Some(issue) = any_issue(world, full) else { return Ok(None) };
    let ours: Vec<u64> =
        world.github.comments(full, issue.number).iter().filter(|one| one.via_app).map(|one| one.id).collect();
    let Some(comment) = world.pick(&ours) else { return Ok(None) };
    world.github.as_user(MAINTAINER).delete_comment(full, comment)?;
    world.checks.comment_deleted(comment);
    Ok(Some(format!("{MAINTAINER} deletes the pool's comment {comment} on {full}#{}", issue.number)))
}
