//! The key hidden in every comment. The sender uses it to find a comment again after its id was lost.
//!
//! The key proves nothing, since anybody can copy it; only the author proves that a comment is the pool's.

/// Maximum length of a comment, in characters. GitHub's own limit is 65,536.
pub const MAX_COMMENT: usize = 65_000;
const MAX_KEY: usize = 200;
const START: &str = "<!-- owp:key=";
const END: &str = " -->";
/// Ends a shortened text.
const SHORTENED: &str = "\n\n… (shortened)";

/// Builds the final body: the text, shortened if necessary to fit GitHub's limit, then the hidden key on the last line.
/// The key comes last because notification mails show the first line.
///
/// Keys consist of letters, digits and `_ : . / -`. Any other character becomes `_`, so that a key cannot end the HTML
/// comment around it. [`find_key`] returns such a key unchanged, unless it contains two hyphens in a row.
#[must_use]
pub fn with_key(key: &str, body: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_:./-".contains(c) { c } else { '_' };
    let key: String = key.chars().take(MAX_KEY).map(plain).collect::<String>().replace("--", "-_");
    let hidden = format!("{START}{key}{END}");
    let space = MAX_COMMENT - hidden.chars().count() - 3;
    let mut text = body.trim_end().to_owned();
    if text.chars().count() > space {
        text = text.chars().take(space - SHORTENED.chars().count()).collect();
        // Cut between lines only: text that is harmless as a line may have an effect when cut.
        text.truncate(text.rfind('\n').unwrap_or(0));
        text.push_str(SHORTENED);
    }
    format!("{text}\n\n{hidden}\n")
}

/// Returns the key on the last line of a body, or on the first, where earlier versions put it. Keys elsewhere are user
/// text.
#[must_use]
pub fn find_key(body: &str) -> Option<&str> {
    let last = body.trim_end().lines().next_back()?;
    key_in(last).or_else(|| key_in(body.lines().next()?))
}

fn key_in(line: &str) -> Option<&str> {
    let key = line.trim_end().strip_prefix(START)?.strip_suffix(END)?;
    (!key.is_empty() && !key.contains([' ', '<', '>'])).then_some(key)
}

/// Builds the text that replaces a duplicate comment. It has a key of its own, so that the original key remains unique.
#[must_use]
pub fn duplicate_pointer(first_comment_id: i64) -> String {
    let body = format!(
        "This was posted twice by accident; [the first comment](#issuecomment-{first_comment_id}) is the one that is kept up to date."
    );
    with_key(&format!("duplicate-of:{first_comment_id}"), &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_again() {
        let body = with_key("lease:l_0abc", "Hello.\n\n");
        assert_eq!(body, "Hello.\n\n<!-- owp:key=lease:l_0abc -->\n");
        assert_eq!(find_key(&body), Some("lease:l_0abc"));
        assert_eq!(find_key(&body.replace('\n', "\r\n")), Some("lease:l_0abc"));
    }

    #[test]
    fn only_the_last_line_counts_and_the_first_of_older_comments() {
        assert_eq!(find_key("<!-- owp:key=lease:l_0abc -->\n\nHello.\n"), Some("lease:l_0abc"));
        assert_eq!(find_key("Hi\n<!-- owp:key=lease:l_0abc -->\nthere"), None);
        assert_eq!(find_key("> <!-- owp:key=lease:l_0abc -->"), None);
        assert_eq!(find_key("<!-- owp:key= -->"), None);
        assert_eq!(find_key(""), None);
    }

    #[test]
    fn a_hostile_key_cannot_end_its_hiding_place() {
        let body = with_key("a --> <b>\n@x--", "Hello.");
        assert_eq!(body.matches("-->").count(), 1);
        assert_eq!(find_key(&body), Some("a_-____b___x-_"));
    }

    #[test]
    fn even_an_enormous_body_fits() {
        let body = with_key("k", &"é".repeat(200_000));
        assert!(body.chars().count() <= MAX_COMMENT);
        assert!(body.ends_with("… (shortened)\n\n<!-- owp:key=k -->\n"));
        assert_eq!(find_key(&body), Some("k"));
    }

    #[test]
    fn a_body_is_shortened_between_lines() {
        let body = with_key("k", &"- `@octocat` is code\n".repeat(10_000));
        assert!(body.contains("\n- `@octocat` is code\n\n… (shortened)\n"), "{}", &body[body.len() - 60..]);
    }

    #[test]
    fn a_late_duplicate_points_to_the_first() {
        insta::assert_snapshot!(duplicate_pointer(815), @r#"
        This was posted twice by accident; [the first comment](#issuecomment-815) is the one that is kept up to date.

        <!-- owp:key=duplicate-of:815 -->
        "#);
    }
}
