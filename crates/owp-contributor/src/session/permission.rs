//! What an agent may do: the contributor decides, or a mode chosen beforehand.

use crate::desk::{Desk, Event, Question};
use agent_client_protocol::v1::schema::{
    PermissionOption, PermissionOptionId, PermissionOptionKind, RequestPermissionOutcome, RequestPermissionRequest,
    RequestPermissionResponse, SelectedPermissionOutcome, ToolKind,
};
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The mode of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermissionMode {
    /// The contributor is asked; without a terminal, refused.
    Ask,
    /// Reading, searching and changing files of the worktree is allowed; the contributor is asked for the rest.
    Edits,
    /// Everything is allowed.
    All,
}

/// Decides about an agent's requests.
#[derive(Clone)]
pub(super) struct Guard {
    mode: PermissionMode,
    desk: Arc<dyn Desk>,
    /// Commands that were allowed in this session.
    commands: Arc<Mutex<HashSet<String>>>,
}

impl Guard {
    pub(super) fn new(mode: PermissionMode, desk: Arc<dyn Desk>) -> Self {
        Self { mode, desk, commands: Arc::default() }
    }

    /// Answers a permission request. Options are chosen by their kind, never by their place or name, and for once only.
    pub(super) async fn answer(&self, request: &RequestPermissionRequest, root: &Path) -> RequestPermissionResponse {
        let fields = &request.tool_call.fields;
        let title = fields.title.clone().unwrap_or_else(|| "an action without a title".to_owned());
        let kind = fields.kind.unwrap_or_default();
        let inside = fields.locations.iter().flatten().all(|place| place.path.starts_with(root));
        let is_edit = matches!(
            kind,
            ToolKind::Read | ToolKind::Search | ToolKind::Think | ToolKind::Edit | ToolKind::Delete | ToolKind::Move
        );
        let allowed = match self.mode {
            PermissionMode::All => true,
            PermissionMode::Edits if is_edit && inside => true,
            PermissionMode::Ask | PermissionMode::Edits => {
                self.ask(Question::Permission { title: title.clone(), kind: kind_name(kind) }, &title).await
            }
        };
        let wanted = if allowed {
            [PermissionOptionKind::AllowOnce, PermissionOptionKind::AllowAlways]
        } else {
            [PermissionOptionKind::RejectOnce, PermissionOptionKind::RejectAlways]
        };
        let outcome = wanted.iter().find_map(|kind| option(&request.options, *kind));
        RequestPermissionResponse::new(outcome.map_or(RequestPermissionOutcome::Cancelled, |id| {
            RequestPermissionOutcome::Selected(SelectedPermissionOutcome::new(id))
        }))
    }

    /// Decides whether a command may run. A command that was allowed is not asked for again in this session.
    pub(super) async fn command(&self, line: &str) -> bool {
        let known = || self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        if self.mode == PermissionMode::All || known().contains(line) {
            return true;
        }
        let question = Question::Permission { title: line.to_owned(), kind: kind_name(ToolKind::Execute) };
        let allowed = self.ask(question, line).await;
        if allowed {
            known().insert(line.to_owned());
        }
        allowed
    }

    async fn ask(&self, question: Question, what: &str) -> bool {
        let answer = self.desk.ask(question).await;
        if answer != Some(true) {
            let why = if answer.is_none() { "nobody can be asked" } else { "you refused" };
            self.desk.show(&Event::Refused(format!("{what}: {why}")));
        }
        answer == Some(true)
    }
}

fn option(options: &[PermissionOption], kind: PermissionOptionKind) -> Option<PermissionOptionId> {
    options.iter().find(|option| option.kind == kind).map(|option| option.option_id.clone())
}

fn kind_name(kind: ToolKind) -> &'static str {
    match kind {
        ToolKind::Read => "read",
        ToolKind::Edit => "edit",
        ToolKind::Delete => "delete",
        ToolKind::Move => "move",
        ToolKind::Search => "search",
        ToolKind::Execute => "run",
        ToolKind::Think => "think",
        ToolKind::Fetch => "fetch",
        ToolKind::SwitchMode => "switch its mode",
        _ => "do",
    }
}
