//! The layer table: which room may import which. Rooms that are not in it do not exist.

use super::{paths, source::SourceFile};

/// A room and the rooms it may import, besides itself. `docs/ARCHITECTURE.md` tells why.
const TABLE: &[(&str, &[&str])] = &[
    ("pool", &[]),
    ("config", &[]),
    ("clock", &[]),
    ("net", &[]),
    ("sandbox", &[]),
    ("conformance", &["config", "clock", "net"]),
    ("client", &["clock", "net"]),
    ("store", &["pool", "config", "clock"]),
    ("github", &["pool", "config", "clock", "net"]),
    ("engine", &["pool", "store", "github", "config", "clock"]),
    ("wire", &["pool", "config", "clock"]),
    ("http", &["engine", "wire", "pool", "config", "clock", "net"]),
    ("mcp", &["client", "wire", "config", "clock"]),
    (
        "cli",
        &[
            "pool",
            "store",
            "github",
            "engine",
            "wire",
            "http",
            "mcp",
            "client",
            "sandbox",
            "conformance",
            "config",
            "clock",
            "net",
        ],
    ),
];

fn may_import(room: &str) -> Option<&'static [&'static str]> {
    TABLE.iter().find(|(name, _)| *name == room).map(|(_, allowed)| *allowed)
}

/// Every path of a file in `src/` that its room's row forbids, and every way around the table.
pub fn violations(file: &SourceFile) -> Vec<String> {
    let Some(room) = file.room() else { return Vec::new() };
    let Some(allowed) = may_import(room) else {
        return vec![format!("{}: the room `{room}` is not in the layer table", file.path)];
    };
    let mut found = detours(file);
    for mention in paths::mentions(file.tokens(), &file.module(), &[]) {
        let why = match mention.path.first().map(String::as_str) {
            None | Some("*") => "takes the crate's root whole, which hides what is used".to_owned(),
            Some(target) if target == room || allowed.contains(&target) => continue,
            Some(target) if may_import(target).is_none() => format!("`{target}` is not in the layer table"),
            Some(target) => format!("`{room}` must not import `{target}`"),
        };
        found.push(format!("{}:{}: {}: {why}", file.path, mention.line, mention.text()));
    }
    found
}

/// Ways to bring another room's file in without naming a module. `#[path]` may name a file beside, for tests, or one of
/// the props all tests share, which are of no room.
fn detours(file: &SourceFile) -> Vec<String> {
    let squeezed: String = file.text.split_whitespace().collect();
    let elsewhere = squeezed
        .split("#[path=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|path| path.contains(['/', '\\']) && !is_prop(path))
        .map(|path| format!("{}: `#[path]` brings in {path} from elsewhere", file.path));
    let included =
        squeezed.contains("include!(").then(|| format!("{}: `include!` brings in code from elsewhere", file.path));
    elsewhere.chain(included).collect()
}

fn is_prop(path: &str) -> bool {
    let name = path.trim_start_matches("../").strip_prefix("tests/support/");
    name.is_some_and(|name| !name.contains(['/', '\\']))
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, TABLE, violations};

    fn found(path: &str, text: &str) -> String {
        violations(&SourceFile::new(path, text)).join("\n")
    }

    #[test]
    fn a_planted_import_is_caught_however_it_is_written() {
        for text in [
            "use crate::http::Page;",
            "use crate::{pool::Task, http::{Page, page}};",
            "use super::http;",
            "use super::super::http::Page;",
            "pub use crate::http as face;",
            "fn f() { crate::http::page(); }",
            "fn f(page: &owp::http::Page) {}",
            "fn f() { format!(\"{}\", crate::http::page()) }",
            "mod tests { use super::super::http::Page; }",
        ] {
            // `super` means another module in each place: the file that makes each of them reach `http`.
            let path = if text.contains("super::super") && !text.contains("mod tests") {
                "src/engine/claim.rs"
            } else {
                "src/engine/mod.rs"
            };
            let found = found(path, text);
            assert!(found.contains("`engine` must not import `http`"), "{text}: {found:?}");
            assert!(found.contains(&format!("{path}:1: crate::http")), "{text}: {found:?}");
        }
    }

    #[test]
    fn what_the_table_allows_passes() {
        assert_eq!(found("src/engine/mod.rs", "use crate::{clock::Clock, pool::Task, store, github::sign};"), "");
        assert_eq!(found("src/pool/lease.rs", "use super::ids::TaskId; use crate::pool::Task;"), "");
        assert_eq!(found("src/lib.rs", "pub mod http; use crate::http::Page;"), "");
        assert_eq!(found("src/cli/serve.rs", "use crate::{conformance, mcp, sandbox, http};"), "");
    }

    #[test]
    fn rooms_without_clock_and_config_stay_without_them() {
        for room in ["pool", "sandbox"] {
            for leaf in ["config", "clock"] {
                let found = found(&format!("src/{room}/mod.rs"), &format!("use crate::{leaf}::X;"));
                assert!(found.contains(&format!("`{room}` must not import `{leaf}`")), "{found:?}");
            }
        }
    }

    #[test]
    fn the_table_cannot_be_walked_around() {
        assert!(found("src/pool/mod.rs", "use crate::*;").contains("root whole"));
        assert!(found("src/pool/mod.rs", "use super::*;").contains("root whole"));
        assert!(found("src/pool/mod.rs", "use crate as all;").contains("root whole"));
        assert!(found("src/pool/a.rs", "use crate::{self as all};").contains("root whole"));
        assert!(found("src/pool/a.rs", "use crate::Store;").contains("`Store` is not in the layer table"));
        assert!(found("src/pool/a.rs", "#[path = \"../store/rows.rs\"] mod rows;").contains("#[path]"));
        assert!(
            found("src/pool/a.rs", "#[path = \"../../tests/support/../../src/store/a.rs\"] mod a;").contains("#[path]")
        );
        assert_eq!(found("src/pool/a.rs", "#[cfg(test)] #[path = \"../../tests/support/a.rs\"] mod a;"), "");
        assert_eq!(found("src/pool/labels.rs", "#[cfg(test)] #[path = \"labels_tests.rs\"] mod tests;"), "");
        assert_eq!(found("src/pool/labels_tests.rs", "use super::super::text; use super::*;"), "");
        assert!(found("src/pool/a.rs", "include!(\"../store/rows.rs\");").contains("include!"));
        assert!(found("src/attic/mod.rs", "").contains("not in the layer table"));
    }

    #[test]
    fn the_table_has_no_circles() {
        let mut settled: Vec<&str> = Vec::new();
        loop {
            let next = TABLE
                .iter()
                .find(|(name, allowed)| !settled.contains(name) && allowed.iter().all(|room| settled.contains(room)));
            let Some((name, _)) = next else { break };
            settled.push(name);
        }
        assert_eq!(
            settled.len(),
            TABLE.len(),
            "these rooms can be stacked: {settled:?}; the others import in a circle"
        );
    }
}
