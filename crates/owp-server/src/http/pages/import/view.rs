//! What the page of the import shows: the form, the faults of a file, and the preview of its tasks.

use super::{Checked, Draft};
use crate::http::pages::layout::plain_page;
use crate::http::pages::parts::{self, counted, prose, some};
use crate::http::pages::reply::let_forms_name_their_origin;
use crate::http::pages::session::{self, Reader};
use crate::wire::admin::NewTask;
use crate::wire::task_file::FORMAT;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use owp_pool::document::Fault;
use owp_pool::text::tidy_line;

/// Most tasks and faults that the page lists.
const ROWS: usize = 200;
/// Longest text of the file in a list.
const WORDS_MAX_CHARS: usize = 160;

/// Says what went wrong.
pub(super) fn wrong(why: &str) -> Markup {
    html! { p.wrong role="alert" { (prose(why)) } }
}

/// Lists the faults of a file, each with its line.
pub(super) fn fault_list(faults: &[Fault], text: &str) -> Markup {
    let lines: Vec<&str> = text.lines().collect();
    let line_of = |fault: &Fault| {
        fault.place.and_then(|place| lines.get(usize::try_from(place.line).ok()?.checked_sub(1)?).copied())
    };
    html! {
        section aria-labelledby="faults" {
            div role="alert" { h2 id="faults" { (some(faults.len(), "fault", "faults")) "; nothing was added" } }
            ol.faults {
                @for fault in faults.iter().take(ROWS) {
                    li {
                        (prose(&tidy_line(&fault.to_string(), 2 * WORDS_MAX_CHARS)))
                        @if let Some(line) = line_of(fault).map(str::trim_end).filter(|line| !line.is_empty()) {
                            pre { (shortened(line)) }
                        }
                    }
                }
            }
            @if faults.len() > ROWS { p.note { "These are the first " (ROWS) "." } }
        }
    }
}

/// Shortens a line, and keeps its indentation.
fn shortened(line: &str) -> String {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let short: String = line.chars().take(WORDS_MAX_CHARS).map(visible).collect();
    if short.len() < line.len() { format!("{short}…") } else { short }
}

/// Renders what would be added, and the button that adds it.
pub(super) fn preview(checked: &Checked, draft: &Draft, reader: &Reader) -> Markup {
    let fresh = checked.fresh().count();
    let there = checked.tasks.len() - fresh;
    let label = format!("Add {}", some(fresh, "task", "tasks"));
    html! {
        section aria-labelledby="preview" {
            h2 id="preview" { "Preview" }
            p.lead role="status" {
                @if fresh == 0 { "There is nothing to add to " (parts::repo_link(&checked.repo)) ": " }
                @else { b { (some(fresh, "new task", "new tasks")) } " for " (parts::repo_link(&checked.repo)) "; " }
                @if there == 0 { "none is there already." }
                @else if there == 1 { "1 task is there already and does not change." }
                @else { (there) " tasks are there already and do not change." }
            }
            @if fresh > 0 {
                (table(checked))
                @if fresh > ROWS { p.note { "These are the first " (ROWS) " of " (fresh) "." } }
                form.task-file method="post" action="/import" {
                    input type="hidden" name="form" value=(reader.form_token());
                    input type="hidden" name="repo" value=(draft.repo);
                    input type="hidden" name="text" value=(draft.text);
                    input type="hidden" name="do" value="add";
                    button type="submit" { (label) }
                }
            }
        }
    }
}

fn table(checked: &Checked) -> Markup {
    html! {
        table.cards.tasks-preview role="table" {
            thead role="rowgroup" {
                tr role="row" {
                    @for column in ["Task", "Estimate", "Priority", "Skills", "Area", "Tier"] {
                        th scope="col" role="columnheader" { (column) }
                    }
                }
            }
            tbody role="rowgroup" { @for task in checked.fresh().take(ROWS) { (row(task)) } }
        }
    }
}

fn row(task: &NewTask) -> Markup {
    let spec = &task.spec;
    html! {
        tr role="row" {
            th scope="row" role="rowheader" {
                (tidy_line(&task.title, WORDS_MAX_CHARS))
                @if let Some(id) = &task.external_id { span.kind { (tidy_line(id, WORDS_MAX_CHARS)) } }
            }
            td role="cell" data-label="Estimate" { (counted(spec.estimate, "point", "points")) }
            td role="cell" data-label="Priority" { (spec.priority) }
            td role="cell" data-label="Skills" { @if spec.skills.is_empty() { "–" } @else { (spec.skills.join(", ")) } }
            td role="cell" data-label="Area" { (spec.area.as_deref().unwrap_or("–")) }
            td role="cell" data-label="Tier" { (spec.tier) }
        }
    }
}

/// Builds the page: what was found, and the form with what the reader entered.
pub(super) fn page(reader: &Reader, status: StatusCode, draft: &Draft, found: &Markup) -> Response {
    let body = html! {
        main {
            p.note { a href="/operations" { "Operations" } }
            (found)
            form.task-file method="post" action="/import" {
                input type="hidden" name="form" value=(reader.form_token());
                label for="repo" { "Repository" }
                p.note #repo-note { "A manual repository, as in " code { "acme/rocket" } ". Leave it empty to use the one that the file names." }
                input #repo type="text" name="repo" value=(draft.repo) maxlength="200" autocomplete="off" aria-describedby="repo-note";
                label for="text" { "Task file" }
                // A browser drops the first line end.
                textarea #text name="text" rows="20" spellcheck="false" required { "\n" (draft.text) }
                button type="submit" { "Preview" }
                p.note { "Nothing is added before you have seen what would be." }
            }
            details.format {
                summary { "Format of a task file" }
                pre tabindex="0" { (FORMAT) }
            }
        }
    };
    let mut response = (status, Html(plain_page("Import tasks", reader, &body).into_string())).into_response();
    let_forms_name_their_origin(&mut response);
    if reader.told.is_some() {
        session::forget_told(&mut response);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::operator::BulkBody;
    use crate::wire::task_file::{RepoOverride, load};
    use serde_json::json;

    fn checked(text: &str, known: &[&str]) -> Checked {
        let file = load(text, RepoOverride { repo: None, option: "the field Repository" }).unwrap();
        let body = json!({ "repo": file.repo, "tasks": file.tasks }).to_string();
        let tasks = crate::wire::read::<BulkBody>(body.as_bytes()).unwrap().tasks;
        Checked { repo: file.repo, tasks, known: known.iter().map(|id| (*id).to_owned()).collect() }
    }

    const TWO: &str = "repo: acme/x\ntasks:\n  - { id: a, title: <b>One, required_skills: [rust, sql], area: core }\n  \
                       - { id: b, title: Two, estimate_points: 3, tier: 2 }\n";

    #[test]
    fn the_preview_shows_what_is_new_and_counts_what_is_there() {
        let shown = |known: &[&str]| preview(&checked(TWO, known), &Draft::default(), &Reader::default()).into_string();
        let both = shown(&[]);
        assert!(both.contains("&lt;b&gt;One") && both.contains("rust, sql") && both.contains(">core<"), "{both}");
        assert!(both.contains("2 new tasks") && both.contains(">Add 2 tasks<"), "{both}");
        assert!(both.contains("1 point<") && both.contains("3 points<"), "{both}");
        let one = shown(&["a"]);
        assert!(!one.contains("One") && one.contains("1 task is there already and does not change."), "{one}");
        assert!(one.contains(">Add 1 task<"), "{one}");
        let none = shown(&["a", "b"]);
        assert!(none.contains("There is nothing to add to") && !none.contains("<button"), "{none}");
    }

    #[test]
    fn faults_are_listed_with_their_lines_and_never_run() {
        let text = "repo: acme/x\ntasks:\n  - { id: a, title: t, tier: 9 }\n  - { id: b, <script>: 1 }\n";
        let faults = load(text, RepoOverride { repo: None, option: "the field Repository" }).unwrap_err();
        let shown = fault_list(&faults, text).into_string();
        assert!(shown.contains("3 faults; nothing was added"), "{shown}");
        assert!(shown.contains("line 3, column 30: <code>tasks[0].tier</code> must be"), "{shown}");
        assert!(
            shown.contains("<pre>  - { id: b, &lt;script&gt;: 1 }</pre>") && !shown.contains("<script>"),
            "{shown}"
        );
    }

    #[test]
    fn a_long_line_is_shortened_and_keeps_its_indentation() {
        assert_eq!(shortened("  - \u{1b}a"), "  -  a");
        assert_eq!(shortened(&"é".repeat(500)).chars().count(), WORDS_MAX_CHARS + 1);
    }
}
