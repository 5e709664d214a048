//! Tables of the decisions on trust, acts and approval.

use super::opt_in::{self, OfferedText, OptIn};
use super::record::{self, Approval, Effect, First, Known, Offer, Record};
use super::text::{self, TextTrust};
use super::{
    Account, Act, ActKind, HOLD_EDITED, HOLD_EDITOR_UNKNOWN, IssueFacts, LABELLER_UNKNOWN, Lacks, LastEdit, SignedText,
    TextEdit,
};
use crate::fixtures::{NOW, task};
use crate::labels::LabelRules;
use crate::permission::Permission;
use crate::task::{IssueText, Task, TaskState};
use crate::{Span, Timestamp};

const SET_AT: Timestamp = NOW;
const LATER: Timestamp = Timestamp(NOW.0 + 60_000);
const EARLIER: Timestamp = Timestamp(NOW.0 - 60_000);

/// Ada reports issues and has no access, Tess has triage and Mia write permission.
fn ada() -> Account {
    Account { id: 1, login: "ada".into(), is_bot: false }
}

fn tess() -> Account {
    Account { id: 2, login: "tess".into(), is_bot: false }
}

fn mia() -> Account {
    Account { id: 3, login: "mia".into(), is_bot: false }
}

fn bot(login: &str) -> Account {
    Account { id: 9, login: login.into(), is_bot: true }
}

fn words(body: &str) -> IssueText {
    IssueText::of_issue("Teach the parser dates", body)
}

fn labels() -> LabelRules {
    LabelRules { bots: ["triage[bot]".to_owned()].into(), ..LabelRules::default() }
}

/// An issue by Ada with this text, when all permissions are known.
fn issue(body: &str) -> IssueFacts {
    let permissions = [(ada(), Permission::Read), (tess(), Permission::Triage), (mia(), Permission::Write)];
    IssueFacts {
        text: words(body),
        author: Some(ada()),
        updated_at: LATER,
        signed: None,
        edit: None,
        acts: None,
        last_edit: None,
        permissions: permissions.into(),
    }
}

fn signed(body: &str, at: Timestamp) -> Option<SignedText> {
    Some(SignedText { text: words(body), labels: vec!["Pool:Ready".into()], at: Some(at) })
}

fn edit(by: Account, before: &str, after: &str, at: Timestamp) -> Option<TextEdit> {
    Some(TextEdit { by, before: words(before), after: words(after), at: Some(at) })
}

fn act(id: i64, kind: ActKind, actor: Option<Account>, at: Timestamp) -> Act {
    Act { id, kind, actor, at }
}

fn labelled_by(actor: Option<Account>) -> Act {
    act(10, ActKind::Labelled("Pool:Ready".into()), actor, SET_AT)
}

fn edited_by(editor: Option<Account>, at: Timestamp) -> Option<LastEdit> {
    Some(LastEdit::At { at, editor })
}

/// A ready task whose approved text is "old".
fn known() -> (Task, Record) {
    let task = Task { title: words("old").title, description: "old".into(), ..task("t_1").task };
    (task, Record { opt_in_event: Some(10), approved_at: SET_AT, ..Record::default() })
}

fn never(body: &str, proven: bool) -> TextTrust {
    TextTrust::NeverApproved { text: words(body), proven }
}

#[test]
fn the_current_text_is_trusted_when_somebody_with_write_access_wrote_or_approved_it() {
    use TextTrust::{Confirmed, Trusted, Untrusted};
    let by_mia = |body: &str| IssueFacts { author: Some(mia()), ..issue(body) };
    let by_ghost = IssueFacts { author: None, ..issue("new") };
    let with_signed = |body: &str, said: &str, at| IssueFacts { signed: signed(said, at), ..issue(body) };
    let with_edit = |body: &str, edit| IssueFacts { edit, ..issue(body) };
    let mut unlabelled = with_signed("old", "first", SET_AT);
    unlabelled.signed.as_mut().unwrap().labels.clear();
    // Columns: case, issue, true while the recorded text is unproven, decision.
    let cases = [
        ("the approved text", issue("old"), false, Trusted),
        ("another text of a stranger's issue", issue("new"), false, Untrusted),
        ("another text of a maintainer's issue", by_mia("new"), false, Trusted),
        ("another text of a deleted account's issue", by_ghost, false, Untrusted),
        ("an edit by a maintainer", with_edit("new", edit(mia(), "old", "new", LATER)), false, Trusted),
        ("an edit by the author", with_edit("new", edit(ada(), "old", "new", LATER)), false, Untrusted),
        ("triage permission edits nothing", with_edit("new", edit(tess(), "old", "new", LATER)), false, Untrusted),
        ("an edit of an unapproved text", with_edit("new", edit(mia(), "x", "new", LATER)), false, Untrusted),
        ("a late payload confirms", with_signed("old", "old", SET_AT), true, Confirmed { trusted: false }),
        ("a late payload refutes", with_signed("old", "first", SET_AT), true, never("first", true)),
        ("a proven text needs no payload", with_signed("old", "first", SET_AT), false, Trusted),
        ("a payload of another time", with_signed("old", "first", LATER), true, Trusted),
        ("a payload without the label", unlabelled, true, Trusted),
        ("a late edit refutes", with_edit("old", edit(ada(), "first", "old", LATER)), true, never("first", false)),
        (
            "a late edit by a maintainer confirms",
            with_edit("old", edit(mia(), "first", "old", LATER)),
            true,
            Confirmed { trusted: true },
        ),
        (
            "another edit may have followed it",
            with_edit("new", edit(mia(), "first", "old", LATER)),
            true,
            Confirmed { trusted: false },
        ),
        ("an edit before the approval", with_edit("old", edit(ada(), "first", "old", EARLIER)), true, Trusted),
    ];
    for (case, issue, unproven, expected) in cases {
        let (task, record) = known();
        let record = Record { unproven, ..record };
        let decided = text::judge(&issue, Known { task: &task, record: &record }, &labels());
        assert_eq!(decided, Ok(expected), "{case}");
    }
}

#[test]
fn a_text_that_waits_for_approval_stays_untrusted() {
    let (task, record) = known();
    let waiting = Task { later: Some(words("new")), ..task.clone() };
    let by_mia = IssueFacts { author: Some(mia()), ..issue("new") };
    let decided = text::judge(&by_mia, Known { task: &waiting, record: &record }, &labels());
    assert_eq!(decided, Ok(TextTrust::Untrusted));
    let (unseen, record) = (Task { hold: Some(HOLD_EDITED.into()), ..task }, Record { unproven: true, ..record });
    let decided = text::judge(&issue("old"), Known { task: &unseen, record: &record }, &labels());
    assert_eq!(decided, Ok(TextTrust::Untrusted));
}

#[test]
fn a_decision_names_the_fact_it_lacks_and_asks_for_no_other() {
    let nothing = |body: &str| IssueFacts { permissions: [].into(), ..issue(body) };
    let (task, record) = known();
    let known = Known { task: &task, record: &record };
    let judge = |issue: &IssueFacts| opt_in::judge(issue, None, &labels());
    assert_eq!(text::judge(&nothing("old"), known, &labels()), Ok(TextTrust::Trusted), "nothing to look up");
    assert_eq!(text::judge(&nothing("new"), known, &labels()), Err(Lacks::Permission(ada())));
    let mut issue = nothing("new");
    assert_eq!(judge(&issue), Err(Lacks::Acts));
    issue.acts = Some(vec![labelled_by(Some(tess()))]);
    assert_eq!(judge(&issue), Err(Lacks::Permission(tess())));
    issue.permissions.insert(tess(), Permission::Triage);
    assert_eq!(judge(&issue), Err(Lacks::Permission(ada())));
    issue.permissions.insert(ada(), Permission::Read);
    assert_eq!(judge(&issue), Err(Lacks::LastEdit));
    issue.last_edit = edited_by(Some(mia()), LATER);
    assert_eq!(judge(&issue), Err(Lacks::Permission(mia())));
    issue.permissions.insert(mia(), Permission::Write);
    assert_eq!(judge(&issue).unwrap().unwrap().text, OfferedText::AsNow { proven: true });
}

#[test]
fn the_labeller_needs_triage_permission_and_a_bot_the_policys_trust() {
    let cases = [
        (Some(mia()), None),
        (Some(tess()), None),
        (Some(bot("triage[bot]")), None),
        (Some(bot("Triage[bot]")), None),
        (Some(ada()), Some("the label was set by ada, who has no triage permission here")),
        (Some(bot("other[bot]")), Some("the label was set by the bot other[bot]")),
        (None, Some("the account that set the label is gone")),
    ];
    for (labeller, hold) in cases {
        let acts = Some(vec![labelled_by(labeller.clone())]);
        let issue = IssueFacts { acts, last_edit: Some(LastEdit::Never), ..issue("old") };
        let act = opt_in::judge(&issue, None, &labels()).unwrap().unwrap();
        assert_eq!(act.hold.as_deref(), hold, "{labeller:?}");
    }
    let other = act(10, ActKind::Labelled("bug".into()), Some(mia()), SET_AT);
    assert_eq!(opt_in::judge(&IssueFacts { acts: Some(vec![other]), ..issue("old") }, None, &labels()), Ok(None));
}

#[test]
fn reopening_offers_an_issue_on_the_labellers_authority() {
    let judge = |actor: Option<Account>| {
        let reopened = act(11, ActKind::Reopened, actor, LATER);
        let acts = Some(vec![labelled_by(Some(mia())), reopened]);
        let issue = IssueFacts { acts, last_edit: Some(LastEdit::Never), ..issue("old") };
        let act = opt_in::judge(&issue, None, &labels()).unwrap().unwrap();
        assert_eq!((act.event, &act.hold), (11, &None));
        (act.approves, act.approved_at)
    };
    assert_eq!(judge(Some(tess())), (true, LATER));
    for actor in [Some(ada()), Some(bot("triage[bot]")), None] {
        assert_eq!(judge(actor), (false, SET_AT), "it offers only what was approved");
    }
    let before = act(9, ActKind::Reopened, Some(ada()), EARLIER);
    let acts = Some(vec![labelled_by(Some(mia())), before]);
    let issue = IssueFacts { acts, last_edit: Some(LastEdit::Never), ..issue("old") };
    assert_eq!(opt_in::judge(&issue, None, &labels()).unwrap().unwrap().event, 10, "the label came later");
}

#[test]
fn the_text_at_the_time_of_the_label_is_what_the_payload_or_else_the_last_edit_tells() {
    use OfferedText::{AsNow, Edited, Signed, Untold};
    let (proven, unproven) = (AsNow { proven: true }, AsNow { proven: false });
    let plain = |last_edit| IssueFacts { last_edit, ..issue("new") };
    let renamed = |by: Option<Account>, at| {
        let acts = Some(vec![labelled_by(Some(mia())), act(12, ActKind::Renamed, by, at)]);
        IssueFacts { acts, ..plain(Some(LastEdit::Never)) }
    };
    let hinted = |by| IssueFacts { edit: edit(by, "old", "new", LATER), ..plain(Some(LastEdit::Untold)) };
    let by_mia = IssueFacts { author: Some(mia()), ..plain(Some(LastEdit::Untold)) };
    let cases = [
        ("the payload shows this text", IssueFacts { signed: signed("new", SET_AT), ..plain(None) }, proven.clone()),
        (
            "the payload shows another",
            IssueFacts { signed: signed("old", SET_AT), ..plain(Some(LastEdit::Untold)) },
            Signed(words("old")),
        ),
        (
            "a payload of several labels set at once",
            IssueFacts { signed: signed("old", SET_AT - Span::secs(5)), ..plain(Some(LastEdit::Untold)) },
            Signed(words("old")),
        ),
        (
            "a payload of another act",
            IssueFacts { signed: signed("old", SET_AT - Span::secs(6)), ..plain(Some(LastEdit::Untold)) },
            Untold,
        ),
        ("a maintainer wrote it", by_mia, proven.clone()),
        ("never edited", plain(Some(LastEdit::Never)), unproven.clone()),
        ("edited before the label", plain(edited_by(Some(ada()), EARLIER)), unproven.clone()),
        ("edited in the same second", plain(edited_by(Some(ada()), SET_AT)), Edited),
        ("edited by a maintainer", plain(edited_by(Some(mia()), LATER)), proven.clone()),
        ("edited by a deleted account", plain(edited_by(None, LATER)), Edited),
        ("GitHub does not tell", plain(Some(LastEdit::Untold)), Untold),
        ("renamed by the author", renamed(Some(ada()), LATER), Edited),
        ("renamed by a deleted account", renamed(None, LATER), Edited),
        ("renamed by a maintainer", renamed(Some(mia()), LATER), unproven.clone()),
        ("renamed before the label", renamed(Some(ada()), EARLIER), unproven),
        ("a delivery names the maintainer", hinted(mia()), proven),
        ("a delivery names the author", hinted(ada()), Edited),
    ];
    for (case, mut issue, expected) in cases {
        issue.acts = issue.acts.or_else(|| Some(vec![labelled_by(Some(mia()))]));
        let act = opt_in::judge(&issue, None, &labels()).unwrap().unwrap();
        assert_eq!(act.text, expected, "{case}");
    }
}

fn opted_in(text: OfferedText) -> OptIn {
    OptIn { event: 11, hold: None, approves: true, approved_at: SET_AT, text, text_since: EARLIER }
}

#[test]
fn a_new_issue_is_held_unless_its_text_is_the_approved_one() {
    let now = || words("new");
    let stranger = OptIn { hold: Some("a stranger".into()), ..opted_in(OfferedText::Untold) };
    let cases = [
        (None, "new", Some(LABELLER_UNKNOWN), false),
        (Some(stranger), "new", Some("a stranger"), false),
        (Some(opted_in(OfferedText::AsNow { proven: true })), "new", None, false),
        (Some(opted_in(OfferedText::AsNow { proven: false })), "new", None, true),
        (Some(opted_in(OfferedText::Signed(words("old")))), "old", Some(HOLD_EDITED), false),
        (Some(opted_in(OfferedText::Edited)), "new", Some(HOLD_EDITED), true),
        (Some(opted_in(OfferedText::Untold)), "new", Some(HOLD_EDITOR_UNKNOWN), true),
    ];
    for (act, text, hold, unproven) in cases {
        let First { text: approved, later, hold: held, record } = record::first(act.as_ref(), now(), LATER, NOW);
        assert_eq!((&approved, held.as_deref(), record.unproven), (&words(text), hold, unproven), "{act:?}");
        assert_eq!(later, (text == "old").then(now), "{act:?}");
        assert_eq!(record.later_at, if act.is_some() { EARLIER } else { LATER });
    }
}

/// Applies an issue with the text "new" to a task; returns its text, the waiting text and the hold.
fn followed(task: Task, trust: &TextTrust, act: Option<&OptIn>) -> (String, Option<String>, Option<String>, Effect) {
    let (mut task, mut record) = (task, known().1);
    let offer = Offer { text: &words("new"), trust, opt_in: act, updated_at: LATER };
    let effect = record::follow(&mut task, &mut record, offer, NOW);
    (task.description, task.later.map(|later| later.description), task.hold, effect)
}

#[test]
fn a_task_keeps_its_approved_text_until_the_new_one_is_trusted() {
    let (ready, _) = known();
    let in_state = |state| Task { state, ..ready.clone() };
    let untrusted = TextTrust::Untrusted;
    let new = || Some("new".to_owned());
    let edited = Some(HOLD_EDITED.to_owned());
    let same = |ends_lease| Effect::Follows { anew: false, ends_lease };
    let cases = [
        ("trusted", ready.clone(), TextTrust::Trusted, ("new", None, None), same(false)),
        ("untrusted", ready.clone(), untrusted.clone(), ("old", new(), edited), same(false)),
        ("untrusted, held", in_state(TaskState::Leased), untrusted.clone(), ("old", new(), None), same(false)),
        (
            "waits for its first approval",
            Task { hold: Some("a stranger".into()), ..ready.clone() },
            untrusted,
            ("new", None, Some("a stranger".to_owned())),
            same(false),
        ),
        (
            "never approved, held",
            in_state(TaskState::InProgress),
            never("first", true),
            ("first", new(), None),
            same(true),
        ),
        ("merged", in_state(TaskState::Merged), TextTrust::Trusted, ("old", None, None), Effect::Rests),
    ];
    for (case, task, trust, (text, later, hold), effect) in cases {
        assert_eq!(followed(task, &trust, None), (text.to_owned(), later, hold, effect), "{case}");
    }
}

#[test]
fn each_act_is_judged_once_and_approves_the_text_that_its_actor_saw() {
    let (ready, _) = known();
    let untrusted = TextTrust::Untrusted;
    let proven = opted_in(OfferedText::AsNow { proven: true });
    let anew = Effect::Follows { anew: true, ends_lease: false };
    let again = Effect::Follows { anew: false, ends_lease: false };
    let held = |why: &str| (String::from("old"), Some("new".to_owned()), Some(why.to_owned()));
    let with = |(text, later, hold), effect| (text, later, hold, effect);
    let seen = ("new".to_owned(), None, None);
    assert_eq!(followed(ready.clone(), &untrusted, Some(&proven)), with(seen.clone(), anew.clone()));
    let judged = OptIn { event: 10, ..proven.clone() };
    assert_eq!(followed(ready.clone(), &untrusted, Some(&judged)), with(held(HOLD_EDITED), again.clone()));
    let told_late = Task { hold: Some(HOLD_EDITOR_UNKNOWN.into()), state: TaskState::Blocked, ..ready.clone() };
    assert_eq!(followed(told_late, &untrusted, Some(&judged)), with(seen, again));
    let saw_old = opted_in(OfferedText::Signed(words("old")));
    assert_eq!(followed(ready.clone(), &untrusted, Some(&saw_old)), with(held(HOLD_EDITED), anew.clone()));
    let untold = opted_in(OfferedText::Untold);
    assert_eq!(followed(ready.clone(), &untrusted, Some(&untold)), with(held(HOLD_EDITOR_UNKNOWN), anew.clone()));
    let stranger = OptIn { hold: Some("a stranger".into()), ..proven.clone() };
    assert_eq!(followed(ready.clone(), &untrusted, Some(&stranger)), with(held("a stranger"), anew.clone()));
    let reopened = OptIn { approves: false, ..proven };
    assert_eq!(followed(ready, &untrusted, Some(&reopened)), with(held(HOLD_EDITED), anew));
}

#[test]
fn a_comment_approves_the_text_that_its_author_could_see() {
    let (ready, record) = known();
    let held = Task { hold: Some(HOLD_EDITED.into()), later: Some(words("new")), ..ready.clone() };
    let noticed = Record { later_at: LATER, unproven: true, ..record };
    let approve = |task: &Task, said_at| {
        let (mut task, mut record) = (task.clone(), noticed.clone());
        let decided = record::approve(&mut task, &mut record, said_at);
        (decided, task.description, task.hold.is_some(), record.unproven)
    };
    assert_eq!(approve(&ready, LATER), (Approval::NothingWaits, "old".into(), false, true));
    assert_eq!(approve(&held, NOW), (Approval::MayBeUnseen, "old".into(), true, true));
    assert_eq!(approve(&held, LATER), (Approval::Approved, "new".into(), false, false));
}

#[test]
fn missing_information_is_asked_for_again_for_an_hour_with_growing_pauses() {
    let (ready, record) = known();
    let asks = |hold: &str, asked: i64, now: i64| {
        let task = Task { hold: Some(hold.into()), ..ready.clone() };
        let record = Record { asked_at: NOW + Span::secs(asked), ..record.clone() };
        Known { task: &task, record: &record }.asks_again(NOW + Span::secs(now))
    };
    assert!(!asks(HOLD_EDITOR_UNKNOWN, 0, 29) && asks(HOLD_EDITOR_UNKNOWN, 0, 30) && asks(LABELLER_UNKNOWN, 0, 30));
    assert!(!asks(HOLD_EDITOR_UNKNOWN, 300, 599) && asks(HOLD_EDITOR_UNKNOWN, 300, 600));
    assert!(!asks(HOLD_EDITOR_UNKNOWN, 0, 3_600), "after an hour it stays missing");
    assert!(!asks(HOLD_EDITED, 0, 30), "nothing is missing");
}
