//! Parses a command line: the verb and its arguments.
//!
//! Words after the last argument are prose and ignored, unless they look like a second argument. Free text (a reason)
//! is stored on one line, bounded and without hidden characters; it stays untrusted.

use super::super::Span;
use super::super::labels::normalise_skill;
use super::super::pull::MAX_AGENTS;
use super::super::text::{is_hidden, tidy_line};
use super::suggest::nearest_verb;
use super::verbs::Verb;
use super::{BudgetChange, Command, CommandError, JoinProfile};
use std::collections::BTreeSet;

/// Maximum length of a stored reason, in characters.
pub const REASON_MAX_CHARS: usize = 500;
const QUOTED_MAX_CHARS: usize = 40;
const MAX_SKILLS: usize = 30;
const JOIN_KEYS: [&str; 7] = ["skills", "skill", "capacity", "concurrent", "reputation", "agents", "agent"];
const YEAR_SECS: i64 = 365 * 86_400;

type Parsed = Result<Command, CommandError>;

/// Parses one line that begins `/owp`, without checking that it is plain text.
///
/// # Errors
/// Returns an error for an unknown verb, or an argument that is missing or cannot be read.
pub fn parse_line(line: &str) -> Parsed {
    let line: String = line.chars().filter(|c| !is_hidden(*c)).collect();
    let line = line.trim();
    let rest = line.split_once(char::is_whitespace).map_or("", |(_, rest)| rest).trim();
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let name = word.trim_end_matches(['.', ',', ';', ':', '!', '?']).to_lowercase();
    if name.is_empty() {
        return if word.is_empty() { Ok(Command::Help) } else { Err(unknown(word)) };
    }
    let Some(verb) = Verb::from_name(&name) else { return Err(unknown(&name)) };
    arguments(verb, rest.trim())
}

fn arguments(verb: Verb, rest: &str) -> Parsed {
    Ok(match verb {
        Verb::Claim => Command::Claim,
        Verb::Status => Command::Status,
        Verb::Why => Command::Why,
        Verb::Extend => Command::Extend,
        Verb::Unlink => Command::Unlink,
        Verb::Approve => Command::Approve,
        Verb::Resume => Command::Resume,
        Verb::Unblock => Command::Unblock,
        Verb::Release => Command::Release { reason: reason(rest) },
        Verb::Block => Command::Block { reason: reason(rest).ok_or_else(|| missing(verb, "a reason"))? },
        Verb::Join => Command::Join(join(verb, rest)?),
        Verb::Link => Command::Link { code: code(verb, rest)? },
        Verb::Trust => trust(verb, rest)?,
        Verb::Budget => Command::Budget(budget(verb, rest)?),
        Verb::Assign => Command::Assign { login: login(verb, rest)? },
        Verb::Ignore => ignore(verb, rest)?,
        Verb::Ban => Command::Ban { login: login(verb, rest)? },
        Verb::Revoke => revoke(verb, rest)?,
        Verb::Pause => pause(verb, rest)?,
        Verb::Help => Command::Help,
    })
}

fn unknown(word: &str) -> CommandError {
    let verb = tidy_line(word, QUOTED_MAX_CHARS).replace('`', "'");
    CommandError::UnknownVerb { verb, did_you_mean: nearest_verb(word) }
}

fn missing(verb: Verb, what: &'static str) -> CommandError {
    CommandError::Missing { verb, what }
}

fn bad(verb: Verb, what: impl Into<String>) -> CommandError {
    CommandError::Bad { verb, what: what.into() }
}

/// Quotes untrusted text for an error message, between backticks.
fn quoted(text: &str) -> String {
    format!("`{}`", tidy_line(text, QUOTED_MAX_CHARS).replace('`', "'"))
}

fn reason(rest: &str) -> Option<String> {
    Some(tidy_line(rest, REASON_MAX_CHARS)).filter(|reason| !reason.is_empty())
}

/// Parses a number in ASCII digits within bounds; the error names the bounds.
fn number(verb: Verb, what: &str, text: &str, min: i64, max: i64) -> Result<i64, CommandError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let value = text.parse().ok().filter(|n| digits && (min..=max).contains(n));
    value.ok_or_else(|| bad(verb, format!("takes {what} from {min} to {max}, not {}", quoted(text))))
}

fn trimmed(word: &str) -> &str {
    word.trim_end_matches(['.', ',', ';', ':', '!', '?'])
}

/// Parses `@login`, and rejects a second one.
fn login(verb: Verb, rest: &str) -> Result<String, CommandError> {
    let mut words = rest.split_whitespace();
    let word = words.next().ok_or_else(|| missing(verb, "a person"))?;
    if words.any(|word| word.starts_with('@')) {
        return Err(bad(verb, "takes one person at a time"));
    }
    read_login(verb, word)
}

fn read_login(verb: Verb, word: &str) -> Result<String, CommandError> {
    let Some(login) = trimmed(word).strip_prefix('@') else {
        return Err(bad(verb, format!("takes a person with an @, as in @octocat, not {}", quoted(word))));
    };
    // Enterprise accounts contain an underscore; bots and apps end in `[bot]`.
    let name = login.strip_suffix("[bot]").unwrap_or(login);
    let fits = (1..=60).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !name.starts_with('-');
    fits.then(|| login.to_owned()).ok_or_else(|| bad(verb, format!("cannot read {} as a GitHub login", quoted(word))))
}

fn trust(verb: Verb, rest: &str) -> Parsed {
    let mut words = rest.split_whitespace();
    let person = words.next().ok_or_else(|| missing(verb, "a person"))?;
    let login = read_login(verb, person)?;
    let level = words.next().ok_or_else(|| missing(verb, "a level from 0 to 3"))?;
    let level = number(verb, "a level", trimmed(level), 0, 3)?;
    match words.next() {
        Some(word) if looks_like_an_argument(word) => Err(bad(verb, "takes one person and one level at a time")),
        _ => Ok(Command::Trust { login, level }),
    }
}

/// Parses an optional login, then the reason.
fn revoke(verb: Verb, rest: &str) -> Parsed {
    let Some((word, after)) = split_word(rest).filter(|(word, _)| word.starts_with('@')) else {
        return Ok(Command::Revoke { login: None, reason: reason(rest) });
    };
    if after.starts_with('@') {
        return Err(bad(verb, "takes one person at a time"));
    }
    Ok(Command::Revoke { login: Some(read_login(verb, word)?), reason: reason(after) })
}

fn budget(verb: Verb, rest: &str) -> Result<BudgetChange, CommandError> {
    let mut words = rest.split_whitespace();
    let word = trimmed(words.next().ok_or_else(|| missing(verb, "a number, or `file`"))?);
    if words.next().is_some_and(looks_like_an_argument) {
        return Err(bad(verb, "takes one number"));
    }
    if word.eq_ignore_ascii_case("file") {
        return Ok(BudgetChange::File);
    }
    number(verb, "`file` or a number", word, 0, 100).map(BudgetChange::To)
}

/// Parses `#12` or `off #12`; prose may follow.
fn ignore(verb: Verb, rest: &str) -> Parsed {
    let mut words = rest.split_whitespace().peekable();
    let off = words.next_if(|word| trimmed(word).eq_ignore_ascii_case("off")).is_some();
    let word = trimmed(words.next().ok_or_else(|| missing(verb, "a pull request, as in #12"))?);
    if words.next().is_some_and(|word| word.starts_with('#')) {
        return Err(bad(verb, "takes one pull request at a time"));
    }
    let number = word.strip_prefix('#').unwrap_or(word).parse().ok().filter(|number| *number > 0);
    let unread = || bad(verb, format!("takes a pull request, as in #12, not {}", quoted(word)));
    Ok(Command::Ignore { pull: number.ok_or_else(unread)?, off })
}

fn looks_like_an_argument(word: &str) -> bool {
    word.starts_with('@') || word.starts_with(|c: char| c.is_ascii_digit())
}

/// Parses a link code: letters, digits and dashes. Marks pasted around it are dropped.
fn code(verb: Verb, rest: &str) -> Result<String, CommandError> {
    let word = rest.split_whitespace().next().ok_or_else(|| missing(verb, "the code your worker showed"))?;
    let code = word.trim_matches(['`', '"', '\'', '<', '>', '*', '.', ',']);
    let fits = (4..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    // The error does not repeat the word: it may be a token pasted by mistake.
    fits.then(|| code.to_owned()).ok_or_else(|| bad(verb, "cannot read that as a code"))
}

/// Parses `skills:a,b capacity:5 …` in any order, with `=` for `:` and spaces around the marks.
fn join(verb: Verb, rest: &str) -> Result<JoinProfile, CommandError> {
    let mut profile = JoinProfile::default();
    for pair in pairs(rest) {
        let (key, value) = pair.split_once([':', '=']).unwrap_or((&pair, ""));
        let twice = || bad(verb, format!("has {} twice", quoted(key)));
        match key.to_lowercase().as_str() {
            "skills" | "skill" if profile.skills.is_some() => return Err(twice()),
            "capacity" if profile.capacity.is_some() => return Err(twice()),
            "concurrent" if profile.concurrent.is_some() => return Err(twice()),
            "reputation" if profile.reputation.is_some() => return Err(twice()),
            "agents" | "agent" if profile.agents.is_some() => return Err(twice()),
            "agents" | "agent" => profile.agents = Some(agents(verb, value)?),
            "skills" | "skill" => profile.skills = Some(skills(verb, value)?),
            "capacity" => profile.capacity = Some(number(verb, "a capacity", trimmed(value), 1, 100)?),
            "concurrent" => profile.concurrent = Some(number(verb, "a number of tasks", trimmed(value), 1, 20)?),
            "reputation" => profile.reputation = Some(on_or_off(verb, trimmed(value))?),
            _ => return Err(bad(verb, format!("does not know {}", quoted(key)))),
        }
    }
    Ok(profile)
}

/// Parses logins, each with its `@`.
fn agents(verb: Verb, value: &str) -> Result<Vec<String>, CommandError> {
    if trimmed(value).eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let mut agents: Vec<String> = Vec::new();
    for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let login = read_login(verb, part)?;
        if agents.iter().all(|known| !known.eq_ignore_ascii_case(&login)) {
            agents.push(login);
        }
    }
    match agents.len() {
        0 => Err(bad(verb, "has `agents:` without an account; `agents:none` takes all agents away")),
        n if n > MAX_AGENTS => Err(bad(verb, format!("takes at most {MAX_AGENTS} agents"))),
        _ => Ok(agents),
    }
}

fn on_or_off(verb: Verb, value: &str) -> Result<bool, CommandError> {
    match value.to_lowercase().as_str() {
        "on" | "yes" | "true" => Ok(true),
        "off" | "no" | "false" => Ok(false),
        _ => Err(bad(verb, format!("takes `reputation:on` or `reputation:off`, not {}", quoted(value)))),
    }
}

/// Splits into words and joins those that a mark at an edge connects: `skills: a, b` is one pair. A word that begins
/// with a key starts a new pair.
fn pairs(rest: &str) -> Vec<String> {
    let marks = [':', '=', ','];
    let mut pairs: Vec<String> = Vec::new();
    let begins_pair = |word: &str| {
        let key = word.split_once([':', '=']).map(|(key, _)| key.to_lowercase());
        key.is_some_and(|key| JOIN_KEYS.contains(&key.as_str()))
    };
    for word in rest.split_whitespace() {
        match pairs.last_mut() {
            Some(last) if !begins_pair(word) && (last.ends_with(marks) || word.starts_with(marks)) => {
                last.push_str(word);
            }
            _ => pairs.push(word.to_owned()),
        }
    }
    pairs
}

fn skills(verb: Verb, value: &str) -> Result<Vec<String>, CommandError> {
    if value.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let mut skills = BTreeSet::new();
    for part in value.split(',').filter(|part| !part.trim().is_empty()) {
        let skill = normalise_skill(part)
            .ok_or_else(|| bad(verb, format!("cannot keep {} as a skill: it is too long", quoted(part))))?;
        skills.insert(skill);
    }
    if skills.is_empty() {
        return Err(bad(verb, "has `skills:` without a skill; `skills:none` takes all skills away"));
    }
    if skills.len() > MAX_SKILLS {
        return Err(bad(verb, format!("takes at most {MAX_SKILLS} skills")));
    }
    Ok(skills.into_iter().collect())
}

/// Parses `2h`, `1d12h` or `for 3 days`, then the reason. Text that begins with a digit must be a duration: a typed
/// number does not mean a pause without end.
fn pause(verb: Verb, rest: &str) -> Parsed {
    let mut rest = rest;
    if let Some((first, after)) = split_word(rest)
        && first.eq_ignore_ascii_case("for")
        && after.starts_with(|c: char| c.is_ascii_digit())
    {
        rest = after;
    }
    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(Command::Pause { secs: None, reason: reason(rest) });
    }
    let (first, mut after) = split_word(rest).unwrap_or((rest, ""));
    let mut duration = trimmed(first).to_lowercase();
    if duration.bytes().all(|b| b.is_ascii_digit())
        && let Some((unit, later)) = split_word(after)
    {
        duration.push_str(&trimmed(unit).to_lowercase());
        after = later;
    }
    let secs = Span::parse(&duration)
        .map(|span| span.0 / 1000)
        .ok_or_else(|| bad(verb, format!("cannot read {} as a duration such as 30m, 2h or 3d", quoted(&duration))))?;
    if !(60..=YEAR_SECS).contains(&secs) {
        return Err(bad(verb, "takes a duration from one minute to 365 days"));
    }
    Ok(Command::Pause { secs: Some(secs), reason: reason(after) })
}

fn split_word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    Some(text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim_start())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::RequiredRole;

    #[test]
    fn the_table_and_the_parser_know_the_same_verbs() {
        for verb in Verb::ALL {
            let with = verb.usage().replace("[reason]", "").replace("[@user]", "").replace("[duration]", "");
            let with = with.replace("0..100|file", "7").replace("0..3", "2").replace("[off]", "");
            let command = parse_line(&with).unwrap_or_else(|error| panic!("{}: {error}", verb.name()));
            assert_eq!(command.verb(), verb);
            assert!(verb.usage().starts_with(&format!("/owp {}", verb.name())));
            assert_eq!(command.needs_write(), verb.required_role() == RequiredRole::Maintainer);
            assert!(verb.help().ends_with('.') && !verb.help().contains(['|', '\n']));
        }
    }
}
