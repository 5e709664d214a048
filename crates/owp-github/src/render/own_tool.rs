//! The one line that shows contributors how to let their own tool ask the pool for tasks.

use super::safe::code;

/// Appends the line to a comment for `login` if the pool's public address is known. `link_issue` is the issue that the
/// policy names for link codes.
#[must_use]
pub fn with_own_tool(body: String, server: Option<&str>, login: &str, link_issue: Option<i64>) -> String {
    let Some(server) = server else { return body };
    let register = code(&format!("owp worker register --server {server} --github {login}"));
    let place = link_issue.map_or_else(String::new, |issue| format!(" (post the code it prints on #{issue})"));
    format!("{body}\n\nOr let your tool take tasks: {register}{place}, then {}.", code("owp worker run"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_the_address_and_is_left_out_where_it_is_not_known() {
        insta::assert_snapshot!(with_own_tool("Hello.".into(), Some("https://owp.example.org"), "ada", None), @r"
        Hello.

        Or let your tool take tasks: `owp worker register --server https://owp.example.org --github ada`, then `owp worker run`.
        ");
        assert_eq!(with_own_tool("Hello.".into(), None, "ada", Some(12)), "Hello.");
        insta::assert_snapshot!(with_own_tool("Hello.".into(), Some("https://owp.example.org"), "ada", Some(12)), @r"
        Hello.

        Or let your tool take tasks: `owp worker register --server https://owp.example.org --github ada` (post the code it prints on #12), then `owp worker run`.
        ");
    }
}
