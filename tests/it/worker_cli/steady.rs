//! Takes out of a text what differs from run to run: ids, times, codes.

/// The text with `t_…` for ids, `TIME`, `LEFT`, `CODE` and `SECS`.
pub(crate) fn steady(text: &str) -> String {
    let mut steady = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_alphanumeric() || matches!(c, '_' | ':' | '-') {
            word.push(c);
        } else {
            steady.push_str(&known(&word, &steady));
            word.clear();
            steady.push(c);
        }
    }
    steady.pop();
    without_dates(&steady)
}

fn known(word: &str, before: &str) -> String {
    if let Some(word) = word.strip_suffix(':') {
        return known(word, before) + ":";
    }
    let all = |text: &str, fits: fn(char) -> bool| !text.is_empty() && text.chars().all(fits);
    let id = ["t_", "w_", "l_"].into_iter().find(|prefix| word.len() == 28 && word.starts_with(prefix));
    match id {
        Some(prefix) => format!("{prefix}…"),
        None if word.len() == 20 && word.ends_with('Z') && word.chars().nth(10) == Some('T') => "TIME".to_owned(),
        None if before.ends_with("/owp link ")
            || before.ends_with("owp worker confirm ")
            || before.ends_with("\"code\": \"") =>
        {
            "CODE".to_owned()
        }
        None if before.ends_with("_in_secs\": ") && all(word, |c| c.is_ascii_digit()) => "SECS".to_owned(),
        None if before.ends_with("_in_secs\":") && all(word, |c| c.is_ascii_digit()) => "SECS".to_owned(),
        // A lease of half an hour, a moment after it was granted.
        None if word == "30m" || (word.len() == 6 && word.starts_with("29m")) => "LEFT".to_owned(),
        None => word.to_owned(),
    }
}

/// `21 Nov 2026, 03:09 UTC` is four words and `UTC`.
fn without_dates(text: &str) -> String {
    let mut steady = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(" UTC") {
        let date = rest[..at].rsplitn(5, ' ').nth(4).map_or(0, |front| front.len() + 1);
        let start = rest[..date].len();
        steady.push_str(&rest[..start]);
        steady.push_str("TIME");
        rest = &rest[at + " UTC".len()..];
    }
    steady + rest
}

#[test]
fn what_changes_is_taken_out_and_the_rest_stays() {
    let id = "06gvt4td4ho01e4l6bkpnd07j4";
    let text = format!(
        "t_{id} is yours until 21 Nov 2026, 03:09 UTC, {{\"lease_expires_in_secs\": 1799}} 29m58s /owp link AB2 t_x"
    );
    assert_eq!(steady(&text), "t_… is yours until TIME, {\"lease_expires_in_secs\": SECS} LEFT /owp link CODE t_x");
    assert_eq!(steady(&format!("l_{id}: no")), "l_…: no");
    assert_eq!(steady("at 2026-11-21T03:09:00Z."), "at TIME.");
}
