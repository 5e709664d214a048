//! The key hidden in every comment: by it the sender finds a comment again whose id was lost.
//!
//! The key proves nothing, since anybody can copy it; whether a comment is ours is told by its author.

/// GitHub takes 65,536 characters; we stay a little below.
pub const MAX_COMMENT: usize = 65_000;
const MAX_KEY: usize = 200;
const START: &str = "<!-- owp:key=";
const END: &str = " -->";

/// The body as it is sent: the hidden key on its first line, and not longer than GitHub takes.
///
/// Keys are made of letters, digits and `_ : . / -`; anything else becomes `_`, so that a key cannot end the comment
/// it hides in. A key made of these alone, without two hyphens in a row, is what [`find_key`] gives back.
#[must_use]
pub fn with_key(key: &str, body: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "_:./-".contains(c) { c } else { '_' };
    let key: String = key.chars().take(MAX_KEY).map(plain).collect::<String>().replace("--", "-_");
    let mut full = format!("{START}{key}{END}\n\n{}\n", body.trim_end());
    if full.chars().count() > MAX_COMMENT {
        full = full.chars().take(MAX_COMMENT - 20).collect();
        // Whole lines only: what is harmless in a line may be alive in a part of it.
        full.truncate(full.rfind('\n').unwrap_or(0));
        full.push_str("\n\n… (shortened)\n");
    }
    full
}

/// The key a body carries on its first line, if it does; keys anywhere else are somebody's text.
#[must_use]
pub fn find_key(body: &str) -> Option<&str> {
    let line = body.lines().next()?.trim_end();
    let key = line.strip_prefix(START)?.strip_suffix(END)?;
    (!key.is_empty() && !key.contains([' ', '<', '>'])).then_some(key)
}

/// What a comment that was written twice is edited into. It carries a key of its own, so that the first one's key
/// is found once.
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
        assert_eq!(body, "<!-- owp:key=lease:l_0abc -->\n\nHello.\n");
        assert_eq!(find_key(&body), Some("lease:l_0abc"));
        assert_eq!(find_key(&body.replace('\n', "\r\n")), Some("lease:l_0abc"));
    }

    #[test]
    fn only_the_first_line_counts() {
        assert_eq!(find_key("Hi\n<!-- owp:key=lease:l_0abc -->"), None);
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
        assert!(body.ends_with("… (shortened)\n"));
        assert_eq!(find_key(&body), Some("k"));
    }

    #[test]
    fn a_body_is_shortened_between_lines() {
        let body = with_key("k", &"- `@octocat` is code\n".repeat(10_000));
        assert!(body.ends_with("\n- `@octocat` is code\n\n… (shortened)\n"), "{}", &body[body.len() - 60..]);
    }

    #[test]
    fn a_late_duplicate_points_to_the_first() {
        insta::assert_snapshot!(duplicate_pointer(815), @r#"
        <!-- owp:key=duplicate-of:815 -->

        This was posted twice by accident; [the first comment](#issuecomment-815) is the one that is kept up to date.
        "#);
    }
}
