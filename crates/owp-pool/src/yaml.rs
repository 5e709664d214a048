//! Bounded reading of YAML into a tree that records the line and column of every node. The meaning of keys is not known
//! here.
//!
//! Files are untrusted: their size, depth and number of nodes are bounded, and aliases cannot multiply their content.

use crate::command::nearest;
use crate::document::{Fault, FaultKind, Place};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{DuplicateKeyPolicy, Location, Options, Spanned, budget, options};
use std::fmt;

/// Bounds on a file.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Maximum size in bytes.
    pub bytes: usize,
    /// Maximum number of keys, values and lists together.
    pub nodes: usize,
    /// Maximum nesting depth.
    pub depth: usize,
    /// Maximum number of anchors, and of aliases that repeat them.
    pub aliases: usize,
}

impl Bounds {
    fn options(self, duplicate_keys: DuplicateKeyPolicy) -> Options {
        options! {
            budget: budget! {
                max_depth: self.depth, max_nodes: self.nodes, max_events: 4 * self.nodes, max_anchors: self.aliases,
                max_aliases: self.aliases, max_documents: 1, max_total_scalar_bytes: self.bytes,
            },
            duplicate_keys: duplicate_keys,
            with_snippet: false,
            strict_booleans: true,
        }
    }

    /// Rejects a text of more than the allowed number of bytes.
    pub fn check_size(self, bytes: usize) -> Result<(), Fault> {
        if bytes <= self.bytes {
            return Ok(());
        }
        let message = format!("The file has {bytes} bytes, more than the limit of {}.", self.bytes);
        Err(Fault { key: String::new(), message, place: None, kind: FaultKind::Plain })
    }
}

/// Reads a value of type `T` and rejects duplicate keys. `None` for an empty text.
///
/// # Errors
/// Returns the first fault, with its place.
pub fn read<T: DeserializeOwned>(text: &str, bounds: Bounds) -> Result<Option<T>, Fault> {
    bounds.check_size(text.len())?;
    let options = bounds.options(DuplicateKeyPolicy::Error);
    serde_saphyr::from_str_with_options::<Option<T>>(text, options).map_err(|error| fault_from(&error))
}

/// Maximum number of faults reported for one file.
const MAX_FAULTS: usize = 100;

/// Reads a value of type `T` and collects every fault: removes each faulty part and reads the rest again. Returns the
/// value that could be read, and the faults in the order they were found.
pub fn read_all<T: DeserializeOwned>(text: &str, bounds: Bounds) -> (Option<T>, Vec<Fault>) {
    let first = match read(text, bounds) {
        Ok(shape) => return (shape, Vec::new()),
        Err(fault) => fault,
    };
    let Ok(mut tree) = read_tree(text, bounds) else { return (None, vec![first]) };
    let mut faults = vec![first];
    loop {
        let at = faults.last().and_then(|fault| fault.place);
        if faults.len() == MAX_FAULTS || !at.is_some_and(|at| tree.remove_at(at)) {
            return (None, faults);
        }
        let rest = Reserialized::of(&tree, text);
        match read(&rest.text, bounds) {
            Ok(shape) => return (shape, faults),
            Err(fault) => faults.push(Fault { place: fault.place.and_then(|place| rest.place(place)), ..fault }),
        }
    }
}

/// A tree written as YAML again, one piece a line, with the origin of each piece.
#[derive(Default)]
struct Reserialized {
    text: String,
    places: Vec<Option<Place>>,
}

impl Reserialized {
    fn of(tree: &Node, file: &str) -> Self {
        let mut written = Self::default();
        written.node(tree, file);
        written
    }

    fn line(&mut self, piece: &str, place: Option<Place>) {
        self.text.push_str(piece);
        self.text.push('\n');
        self.places.push(place);
    }

    fn node(&mut self, node: &Node, file: &str) {
        match &node.content {
            Content::One(Value::String(text)) => self.line(&Value::from(text.as_str()).to_string(), node.place),
            Content::One(Value::Null) => self.line("null", node.place),
            // Keeps the original spelling: `007` is not `7`.
            Content::One(value) => {
                let plain = value.to_string();
                self.line(node.text(file).unwrap_or(&plain), node.place);
            }
            Content::List(items) => {
                self.line("[", node.place);
                for item in items {
                    self.node(item, file);
                    self.line(",", item.place);
                }
                self.line("]", node.place);
            }
            Content::Keys(keys) => {
                self.line("{", node.place);
                for (key, value) in keys {
                    self.line(&format!("{} :", Value::from(key.name.as_str())), key.place);
                    self.node(value, file);
                    self.line(",", value.place);
                }
                self.line("}", node.place);
            }
        }
    }

    /// Returns the original place of a line of this text.
    fn place(&self, at: Place) -> Option<Place> {
        let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
        self.places.get(line).copied().flatten()
    }
}

/// Reads any YAML as a tree; duplicate keys are kept.
///
/// # Errors
/// Returns a fault with its place when the text is not YAML or exceeds the bounds.
pub fn read_tree(text: &str, bounds: Bounds) -> Result<Node, Fault> {
    bounds.check_size(text.len())?;
    let options = bounds.options(DuplicateKeyPolicy::LastWins);
    let tree = serde_saphyr::from_str_with_options::<Spanned<Content>>(text, options);
    tree.map(Node::new).map_err(|error| fault_from(&error))
}

/// A node of the tree.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its place in the file.
    pub place: Option<Place>,
    /// Its content.
    pub content: Content,
    /// Its range in bytes.
    written: Option<std::ops::Range<usize>>,
}

/// Content of a node.
#[derive(Debug, Clone)]
pub enum Content {
    /// A string, a number, true, false or null.
    One(Value),
    /// A list.
    List(Vec<Node>),
    /// Keys with values, in file order, including duplicate keys.
    Keys(Vec<(Key, Node)>),
}

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// Its place in the file.
    pub place: Option<Place>,
}

impl Node {
    fn new(spanned: Spanned<Content>) -> Self {
        let at = spanned.referenced;
        let from = at.span().byte_offset().and_then(|from| usize::try_from(from).ok());
        let long = at.span().byte_len().and_then(|long| usize::try_from(long).ok());
        let written = from.zip(long).map(|(from, long)| from..from + long);
        Self { place: place(at), content: spanned.value, written }
    }

    /// Returns true for a null value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.content, Content::One(Value::Null))
    }

    /// Returns its text. A number or boolean without quotes keeps its spelling in `file`: `007` is not `7`.
    #[must_use]
    pub fn text<'a>(&'a self, file: &'a str) -> Option<&'a str> {
        match &self.content {
            Content::One(Value::String(text)) => Some(text),
            Content::One(Value::Null) | Content::List(_) | Content::Keys(_) => None,
            Content::One(_) => file.get(self.written.clone()?).map(str::trim),
        }
    }

    /// Converts the node to JSON; the last value of a duplicate key counts.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::One(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Keys(keys) => {
                Value::Object(keys.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect::<Map<_, _>>())
            }
        }
    }

    /// Removes the key, value or entry at a place; returns false when there is none.
    fn remove_at(&mut self, at: Place) -> bool {
        let here = |place: Option<Place>| place == Some(at);
        match &mut self.content {
            Content::One(_) => false,
            Content::List(items) => {
                let before = items.len();
                items.retain(|item| !here(item.place));
                items.len() < before || items.iter_mut().any(|item| item.remove_at(at))
            }
            Content::Keys(keys) => {
                let before = keys.len();
                keys.retain(|(key, value)| !here(key.place) && !here(value.place));
                keys.len() < before || keys.iter_mut().any(|(_, value)| value.remove_at(at))
            }
        }
    }

    /// Returns the place of the value of `key` (`leases.ttl`, `tasks.3.title`), or of the nearest existing key above
    /// it.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<Place> {
        let mut node = self;
        for name in key.split('.') {
            let child = match &node.content {
                Content::Keys(keys) => keys.iter().find(|(child, _)| child.name == name).map(|(_, child)| child),
                Content::List(items) => name.parse::<usize>().ok().and_then(|at| items.get(at)),
                Content::One(_) => None,
            };
            match child {
                Some(child) => node = child,
                None => break,
            }
        }
        node.place
    }
}

fn place(at: Location) -> Option<Place> {
    (at.line() > 0).then(|| Place { line: at.line(), column: at.column().max(1) })
}

fn fault_from(error: &serde_saphyr::Error) -> Fault {
    let place = error.location().and_then(place);
    let said = error.without_snippet().to_string();
    // The library's message repeats the place.
    let message = said.split(" at line ").next().unwrap_or(&said).split("\n").next().unwrap_or_default();
    let kind = if exceeded_bound(message).is_some_and(is_of_aliases) { FaultKind::Aliases } else { FaultKind::Plain };
    let message: String = reworded(message).chars().filter(|c| !c.is_control()).take(300).collect();
    Fault { key: String::new(), message, place, kind }
}

/// Returns the exceeded bound, by the library's name for it.
fn exceeded_bound(message: &str) -> Option<&str> {
    message.strip_prefix("budget breached: ")?.split([' ', '{']).next()
}

fn is_of_aliases(bound: &str) -> bool {
    bound.contains("Anchor") || bound.contains("Alias")
}

/// Rewords the library's messages for the authors of a file.
fn reworded(message: &str) -> String {
    if let Some(key) = message.strip_prefix("duplicate mapping key: ") {
        return format!("the key `{}` is repeated", key.split(',').next().unwrap_or(key));
    }
    if let Some(bound) = exceeded_bound(message) {
        return bound_message(bound).to_owned();
    }
    if let Some((what, known)) = unknown(message) {
        return what.message(&known);
    }
    match message {
        "expected mapping start" => "must be keys with values, as in `budget: { max_open_prs: 5 }`".to_owned(),
        "expected sequence start" => "must be a list, as in `[docs, tests]`".to_owned(),
        "invalid i64" => "must be a whole number".to_owned(),
        "invalid boolean (strict mode expects true/false)" => "must be true or false".to_owned(),
        other => other.to_owned(),
    }
}

/// An unknown key or value.
enum Unknown<'a> {
    Key(&'a str),
    Value(&'a str),
}

/// Splits a message into the unknown name and the known ones: ``unknown field `a`, expected one of b, c``.
fn unknown(message: &str) -> Option<(Unknown<'_>, Vec<&str>)> {
    let (what, known) = message.split_once(", expected ")?;
    let known = known.trim_start_matches("one of ").split(", ").map(|name| name.trim_matches('`')).collect();
    let named = |kind: &str| what.strip_prefix(kind)?.strip_prefix(" `")?.strip_suffix('`');
    let key = named("unknown field").map(Unknown::Key);
    Some((key.or_else(|| named("unknown variant").map(Unknown::Value))?, known))
}

impl Unknown<'_> {
    fn message(&self, known: &[&str]) -> String {
        let (name, what) = match self {
            Self::Key(name) => (name, format!("there is no key `{name}` here")),
            Self::Value(name) => (name, format!("`{name}` is not a value of this key")),
        };
        match nearest(name, known.iter().copied()) {
            Some(meant) => format!("{what}; did you mean `{meant}`?"),
            None => format!("{what}; expected one of {}", known.join(", ")),
        }
    }
}

/// Describes an exceeded bound, given the library's name for it.
fn bound_message(bound: &str) -> &'static str {
    match bound {
        "Documents" => "a second document begins here, but a file can have only one",
        "Depth" => "keys and lists are nested too deeply",
        name if is_of_aliases(name) => "there are too many anchors and aliases (`&name`, `*name`)",
        _ => "the file has too many keys and values",
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut keys = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let key = Key { place: place(key.referenced), name: key.value };
            keys.push((key, Node::new(map.next_value::<Spanned<Content>>()?)));
        }
        Ok(Content::Keys(keys))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Spanned<Content>>()? {
            items.push(Node::new(item));
        }
        Ok(Content::List(items))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::One(value.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Content, E> {
        Ok(Content::One(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Content, E> {
        Ok(Content::One(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Content, E> {
        let number = serde_json::Number::from_f64(number);
        number.map(|number| Content::One(number.into())).ok_or_else(|| E::custom("must be a finite number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content::One(text.into()))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::One(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { bytes: 10_000, nodes: 1_000, depth: 12, aliases: 0 };

    fn tree(text: &str) -> Node {
        read_tree(text, BOUNDS).unwrap()
    }

    #[test]
    fn a_tree_knows_where_everything_stands() {
        let node = tree("tasks:\n  - id: 007\n    title: \"x\"\n  - { id: true, n: 1.5 }\n");
        let place = |key: &str| node.find(key).map(|place| (place.line, place.column));
        assert_eq!(place("tasks.0.title"), Some((3, 12)));
        assert_eq!(place("tasks.1.n"), Some((4, 20)));
        assert_eq!(place("tasks.1.gone"), Some((4, 5)));
        assert_eq!(
            node.to_json(),
            serde_json::json!({ "tasks": [{ "id": 7.0, "title": "x" }, { "id": true, "n": 1.5 }] })
        );
    }

    #[test]
    fn what_is_not_in_quotes_is_a_text_as_it_is_written() {
        let file = "[007, 1.10, true, \"7\", yes, ~, 0x1F , é 9]";
        let Content::List(items) = tree(file).content else { panic!("a list") };
        let texts: Vec<_> = items.iter().map(|item| item.text(file)).collect();
        let expected =
            ["007", "1.10", "true", "7", "yes", "", "0x1F", "é 9"].map(|t| Some(t).filter(|t| !t.is_empty()));
        assert_eq!(texts, expected);
    }

    #[test]
    fn a_key_that_stands_twice_is_there_twice() {
        let Content::Keys(keys) = tree("a: 1\nb: 2\na: 3\n").content else { panic!("keys") };
        let names: Vec<_> = keys.iter().map(|(key, _)| (key.name.as_str(), key.place.unwrap().line)).collect();
        assert_eq!(names, [("a", 1), ("b", 2), ("a", 3)]);
    }

    #[test]
    fn nothing_is_null_and_aliases_are_not_followed_beyond_their_bound() {
        assert!(tree("").is_null() && tree("# nothing\n").is_null());
        assert!(read_tree("a: &a 1\nb: *a\n", BOUNDS).is_err());
        assert!(read_tree("a: .inf", BOUNDS).is_err());
    }
}
