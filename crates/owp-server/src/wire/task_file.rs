//! Task files, from which the command line and the dashboard add tasks: parses one and reports every error with its
//! position. The types of the call validate the values; this module knows the file's keys and positions.

use super::admin::{RepoBody, TaskBody};
use super::read;
use owp_pool::document::{Fault, FaultKind, Place};
use owp_pool::yaml::{Bounds, Content, Key, Node, read_tree};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Fits ten thousand short tasks, or a thousand of several pages. Aliases are not allowed: with them a small file can
/// expand to a large one.
pub const BOUNDS: Bounds = Bounds { bytes: 4 * 1024 * 1024, nodes: 400_000, depth: 12, aliases: 0 };
/// A request body is limited to one mebibyte.
pub const TASK_MAX_BYTES: usize = 900 * 1024;

/// Help text: the format of a task file.
pub const FORMAT: &str = r#"A file of tasks:

  repo: acme/rocket            # made by `owp admin init-repo`
  tasks:
    - id: parse-dates          # yours, unique in the repository: makes the import repeatable
      title: Parse dates
      description: |           # this and the following keys are optional
        As people write them.
      estimate_points: 3       # 1 to 100; 1
      priority: 50             # 0 to 1000, larger first; 10
      required_skills: [rust]
      area: parser
      tier: 0                  # 0 to 3; 0
      x_ticket: ABC-7          # keys that begin with x_ are yours and are passed on

The whole file is checked before anything is sent. Tasks that are already in the pool do not change."#;

/// A task file without errors.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskFile {
    /// The repository that the tasks are for.
    pub repo: String,
    /// The tasks as `POST /v1/admin/tasks/bulk` takes them, each with an `external_id`.
    pub tasks: Vec<Value>,
}

/// A repository that is named beside the file and overrides the file's own.
#[derive(Debug, Clone, Copy)]
pub struct RepoOverride<'t> {
    /// The repository, if one is named.
    pub repo: Option<&'t str>,
    /// The option or field that names it, as errors call it.
    pub option: &'static str,
}

/// The expected type of a value.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Whole,
    Texts,
}

/// The keys of a task in the file, and the fields of the call.
const KEYS: [(&str, &str, Shape); 8] = [
    ("id", "external_id", Shape::Text),
    ("title", "title", Shape::Text),
    ("description", "description", Shape::Text),
    ("estimate_points", "estimate_points", Shape::Whole),
    ("priority", "priority", Shape::Whole),
    ("required_skills", "required_skills", Shape::Texts),
    ("area", "area", Shape::Text),
    ("tier", "tier", Shape::Whole),
];
/// Placeholder for an invalid repository, so that the tasks can still be checked.
const ANY_REPO: &str = "owner/name";

/// Parses a task file.
///
/// # Errors
/// All faults of the file, in the order of their positions.
pub fn load(text: &str, repo: RepoOverride<'_>) -> Result<TaskFile, Vec<Fault>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = read_tree(text, BOUNDS).map_err(|fault| vec![in_our_words(fault)])?;
    let mut reader = Reader { text, faults: Vec::new(), ids: HashMap::new() };
    let load = reader.file(&tree, repo);
    if reader.faults.is_empty() {
        return Ok(load);
    }
    reader.faults.sort_by_key(|fault| fault.place);
    Err(reader.faults)
}

fn in_our_words(fault: Fault) -> Fault {
    if fault.kind == FaultKind::Aliases {
        return Fault { message: "anchors and aliases (`&name`, `*name`) are not supported here".to_owned(), ..fault };
    }
    fault
}

struct Reader<'t> {
    text: &'t str,
    faults: Vec<Fault>,
    /// Position of the first use of each id.
    ids: HashMap<String, Option<Place>>,
}

impl Reader<'_> {
    fn note(&mut self, place: Option<Place>, key: impl Into<String>, message: impl Into<String>) {
        self.faults.push(Fault { key: key.into(), message: message.into(), place, kind: FaultKind::Plain });
    }

    fn file(&mut self, tree: &Node, repo: RepoOverride<'_>) -> TaskFile {
        let Content::Keys(keys) = &tree.content else {
            let what = if tree.is_null() { "the file is empty" } else { "this is not a task file" };
            self.note(tree.place, "", format!("{what}: it must hold `repo: owner/name` and a list `tasks:`"));
            return TaskFile { repo: String::new(), tasks: Vec::new() };
        };
        let mut found = self.once(keys, "");
        let own = found.remove("repo");
        let tasks = found.remove("tasks");
        for (name, (key, _)) in found {
            self.note(key.place, "", format!("unknown key `{name}`, expected `repo` and `tasks`"));
        }
        let repo = self.repo(tree, own.map(|(_, node)| node), repo);
        let tasks = match tasks.map(|(_, node)| node) {
            Some(Node { content: Content::List(items), .. }) if !items.is_empty() => {
                items.iter().enumerate().map(|(at, item)| self.task(at, item, &repo)).collect()
            }
            other => {
                let place = other.map_or(tree.place, |node| node.place);
                self.note(place, "tasks", "must be a list of tasks, each with an `id` and a `title`");
                Vec::new()
            }
        };
        TaskFile { repo, tasks }
    }

    /// Indexes the keys by name and reports duplicates.
    fn once<'n>(&mut self, keys: &'n [(Key, Node)], under: &str) -> Found<'n> {
        let mut found = Found::new();
        for (key, node) in keys {
            if let Some((first, _)) = found.get(key.name.as_str()) {
                let first: &Key = first;
                let line = first.place.map_or(0, |place| place.line);
                self.note(
                    key.place,
                    format!("{under}{}", key.name),
                    format!("is repeated; it is on line {line} already"),
                );
                continue;
            }
            found.insert(&key.name, (key, node));
        }
        found
    }

    /// Returns the target repository, or a valid placeholder.
    fn repo(&mut self, tree: &Node, own: Option<&Node>, other: RepoOverride<'_>) -> String {
        let (name, place) = match (other.repo, own) {
            (Some(name), _) => (Some(name), None),
            (None, Some(node)) => (node.text(self.text), node.place),
            (None, None) => {
                let missing = format!("is missing: name the repository of the tasks here or with {}", other.option);
                self.note(tree.place, "repo", missing);
                return ANY_REPO.to_owned();
            }
        };
        let Some(name) = name else {
            self.note(place, "repo", "must be a repository's name, owner/name");
            return ANY_REPO.to_owned();
        };
        match read::<RepoBody>(json!({ "repo": name }).to_string().as_bytes()) {
            Ok(repo) => repo.repo,
            Err(problem) => {
                for error in problem.errors {
                    self.note(place, if other.repo.is_some() { other.option } else { "repo" }, error.message);
                }
                ANY_REPO.to_owned()
            }
        }
    }

    /// Converts one task to the request body.
    fn task(&mut self, at: usize, item: &Node, repo: &str) -> Value {
        let under = format!("tasks[{at}].");
        let Content::Keys(keys) = &item.content else {
            self.note(item.place, format!("tasks[{at}]"), "must be a task, with an `id` and a `title`");
            return Value::Null;
        };
        let found = self.once(keys, &under);
        // Placeholders replace values with reported errors, so that the rest is checked too.
        let mut task = Map::from_iter([("title".to_owned(), json!("?")), ("external_id".to_owned(), json!("?"))]);
        for missing in ["id", "title"].iter().filter(|name| !found.contains_key(**name)) {
            self.note(item.place, format!("{under}{missing}"), "is missing");
        }
        for (name, (key, node)) in &found {
            if name.starts_with("x_") {
                task.insert((*name).to_owned(), node.to_json());
                continue;
            }
            let Some((_, sent, shape)) = KEYS.iter().find(|(known, ..)| known == name) else {
                let known = KEYS.map(|(known, ..)| known).join(", ");
                self.note(
                    key.place,
                    "",
                    format!("unknown key `{name}`, expected one of {known}, or one that begins with x_"),
                );
                continue;
            };
            if let Some(value) = self.value(&format!("{under}{name}"), node, *shape) {
                task.insert((*sent).to_owned(), value);
            }
        }
        self.twice(&under, found.get("id").map(|(_, node)| *node));
        self.bounds(&under, item, &task, repo);
        Value::Object(task)
    }

    /// Converts a value to JSON if its type is right; an optional one may be null.
    fn value(&mut self, key: &str, node: &Node, shape: Shape) -> Option<Value> {
        if node.is_null() {
            if key.ends_with(".id") || key.ends_with(".title") {
                self.note(node.place, key, "must not be empty");
            }
            return None;
        }
        let told = match shape {
            Shape::Text => node.text(self.text).map(Value::from).ok_or("must be a text"),
            Shape::Whole => match &node.content {
                Content::One(number) if number.is_i64() || number.is_u64() => Ok(number.clone()),
                _ => Err("must be a whole number, without quotes"),
            },
            Shape::Texts => match &node.content {
                Content::List(items) => {
                    let texts: Option<Vec<_>> = items.iter().map(|item| item.text(self.text)).collect();
                    texts.map(Value::from).ok_or("must be a list of texts, as in `[rust, sql]`")
                }
                _ => Err("must be a list, as in `[rust, sql]`"),
            },
        };
        told.map_err(|message| self.note(node.place, key, message)).ok()
    }

    /// Reports a duplicate id.
    fn twice(&mut self, under: &str, id: Option<&Node>) {
        let Some((node, id)) = id.and_then(|node| Some((node, node.text(self.text)?))) else { return };
        let first = self.ids.get(id).copied();
        match first {
            Some(first) => {
                let line = first.map_or(0, |place| place.line);
                let message = format!("is already the id of the task on line {line}; every task needs its own");
                self.note(node.place, format!("{under}id"), message);
            }
            None => drop(self.ids.insert(id.to_owned(), node.place)),
        }
    }

    /// Validates the values as the pool would.
    fn bounds(&mut self, under: &str, item: &Node, task: &Map<String, Value>, repo: &str) {
        let mut body = task.clone();
        body.insert("repo".to_owned(), repo.into());
        let body = Value::Object(body).to_string();
        if body.len() > TASK_MAX_BYTES {
            let message =
                format!("has {} KiB, and a task can have at most {} KiB", body.len() / 1024, TASK_MAX_BYTES / 1024);
            self.note(item.place, under.trim_end_matches('.'), message);
        }
        let Err(problem) = read::<TaskBody>(body.as_bytes()) else { return };
        if problem.errors.is_empty() {
            self.note(item.place, under.trim_end_matches('.'), problem.detail);
            return;
        }
        for error in problem.errors {
            let field = if error.field == "external_id" { "id" } else { &error.field };
            // The parser's path of `required_skills[2]` is `required_skills.2`.
            let place = item.find(&field.replace('[', ".").replace(']', ""));
            self.note(place, format!("{under}{field}"), error.message);
        }
    }
}

type Found<'n> = std::collections::BTreeMap<&'n str, (&'n Key, &'n Node)>;

#[cfg(test)]
#[path = "task_file_tests.rs"]
mod tests;
