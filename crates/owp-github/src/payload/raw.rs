//! GitHub's webhook JSON: only the fields in use, each of which may be missing or null.
//!
//! The parent module interprets them.

use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// Maximum length of a text. GitHub's longest texts are bodies of 65,536 characters, each of at most four bytes.
const TEXT_MAX_BYTES: usize = 4 * 65_536;

/// A text without NUL characters and of bounded length.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                let text = &text[..text.floor_char_boundary(TEXT_MAX_BYTES)];
                Ok(Text(text.chars().filter(|c| *c != '\0').collect()))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

/// The whole payload.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawDelivery {
    pub(super) action: Option<Text>,
    pub(super) changes: Option<RawChanges>,
    pub(super) check_run: Option<RawCheck>,
    pub(super) check_suite: Option<RawCheck>,
    pub(super) comment: Option<RawComment>,
    pub(super) context: Option<Text>,
    pub(super) installation: Option<RawInstallation>,
    pub(super) issue: Option<RawIssue>,
    pub(super) label: Option<RawLabel>,
    pub(super) number: Option<i64>,
    pub(super) pull_request: Option<RawPull>,
    pub(super) repositories: Option<Vec<RawRepository>>,
    pub(super) repositories_added: Option<Vec<RawRepository>>,
    pub(super) repositories_removed: Option<Vec<RawRepository>>,
    pub(super) repository: Option<RawRepository>,
    pub(super) sender: Option<RawUser>,
    pub(super) sha: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawChanges {
    pub(super) body: Option<RawChange>,
    pub(super) title: Option<RawChange>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawChange {
    pub(super) from: Option<Text>,
}

/// A check run, or a check suite, which has no name.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawCheck {
    pub(super) head_sha: Option<Text>,
    pub(super) name: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawComment {
    pub(super) id: Option<i64>,
    pub(super) body: Option<Text>,
    pub(super) created_at: Option<Text>,
    pub(super) updated_at: Option<Text>,
    pub(super) performed_via_github_app: Option<RawApp>,
    pub(super) user: Option<RawUser>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawApp {
    pub(super) id: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawInstallation {
    pub(super) id: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawIssue {
    pub(super) number: Option<i64>,
    pub(super) title: Option<Text>,
    pub(super) body: Option<Text>,
    pub(super) updated_at: Option<Text>,
    pub(super) labels: Option<Vec<RawLabel>>,
    /// Present, with any content, when the issue is a pull request.
    pub(super) pull_request: Option<de::IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawLabel {
    pub(super) name: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawPull {
    pub(super) number: Option<i64>,
    pub(super) state: Option<Text>,
    pub(super) merged: Option<bool>,
    pub(super) updated_at: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawRepository {
    pub(super) id: Option<i64>,
    pub(super) full_name: Option<Text>,
    pub(super) private: Option<bool>,
    pub(super) archived: Option<bool>,
    pub(super) default_branch: Option<Text>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawUser {
    pub(super) id: Option<i64>,
    pub(super) login: Option<Text>,
    #[serde(rename = "type")]
    pub(super) kind: Option<Text>,
}
