//! Removal of secrets from reports: tokens and link codes, wherever they occur.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Shorter texts could be ordinary words.
const SECRET_MIN_CHARS: usize = 8;
const HIDDEN: &str = "[secret]";

/// The known secrets, shared by clones.
#[derive(Debug, Clone, Default)]
pub(super) struct Secrets(Arc<Mutex<BTreeSet<String>>>);

impl Secrets {
    /// Adds a secret, unless it is too short.
    pub(super) fn learn(&self, secret: &str) {
        if secret.chars().count() >= SECRET_MIN_CHARS {
            self.learn_always(secret);
        }
    }

    /// Adds a secret of any length, also in the form it has inside a JSON string.
    pub(super) fn learn_always(&self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        let quoted = serde_json::Value::from(secret).to_string();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend([secret.to_owned(), quoted[1..quoted.len() - 1].to_owned()]);
    }

    /// Adds the secrets of a response: every field called `token` or `code`.
    pub(super) fn learn_from(&self, answer: &serde_json::Value) {
        match answer {
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str() {
                        Some(secret) if matches!(name.as_str(), "token" | "code") => self.learn(secret),
                        _ => self.learn_from(value),
                    }
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.learn_from(item)),
            _ => {}
        }
    }

    /// Returns the text with all known secrets replaced.
    pub(super) fn hide(&self, text: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The longest first: one secret may be a prefix of another.
        let mut known: Vec<&String> = known.iter().collect();
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        known.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_out_is_hidden_wherever_it_stands() {
        let secrets = Secrets::default();
        secrets.learn_from(
            &serde_json::json!({ "token": "owp_abcdefgh", "link": { "code": "ABCD-EFGH" }, "id": "w_12345678" }),
        );
        secrets.learn("owp_abcdefghij");
        let text = "Bearer owp_abcdefghij, owp_abcdefgh, /owp link ABCD-EFGH, w_12345678";
        assert_eq!(secrets.hide(text), "Bearer [secret], [secret], /owp link [secret], w_12345678");
    }

    #[test]
    fn the_admin_token_is_hidden_however_it_is_spelled() {
        let secrets = Secrets::default();
        secrets.learn_always("");
        secrets.learn_always("a\"b");
        assert_eq!(secrets.hide(r#"a"b and {"token":"a\"b"}"#), r#"[secret] and {"token":"[secret]"}"#);
    }

    #[test]
    fn a_short_word_is_no_secret() {
        let secrets = Secrets::default();
        secrets.learn("a");
        assert_eq!(secrets.hide("a banana"), "a banana");
    }
}
