//! Installations of the App and the permissions granted to them.

use super::error::StoreError;
use super::nouns::Installations;
use super::statement::query;
use super::tx::{json, json_text, statements};
use std::collections::BTreeMap;

statements! {
    PERMISSIONS_SET = "UPDATE installations SET permissions = $2 WHERE id = $1 AND permissions <> $2";
    RESYNC_OF = "UPDATE repositories SET sync_due_at = 0, compares_asked = compares_asked + 1
        WHERE installation_id = $1 AND managed = 1";
    PERMISSIONS_OF = "SELECT permissions FROM installations WHERE id = $1";
}

impl Installations<'_> {
    /// Records the permissions of an installation, such as `issues` → `write`. Returns true if they changed.
    pub async fn record_permissions(
        &mut self,
        installation: i64,
        granted: &BTreeMap<String, String>,
    ) -> Result<bool, StoreError> {
        let set = query(PERMISSIONS_SET).bind(installation).bind(json_text(granted)?);
        Ok(self.run(set).await? == 1)
    }

    /// Requests a fresh count and a reconciliation of every repository of an installation.
    pub async fn resync(&mut self, installation: i64) -> Result<(), StoreError> {
        self.run(query(RESYNC_OF).bind(installation)).await.map(drop)
    }

    /// Returns the permissions of an installation as GitHub last reported them; empty if they are unknown.
    pub async fn permissions(&mut self, installation: i64) -> Result<BTreeMap<String, String>, StoreError> {
        let Some(row) = self.one(query(PERMISSIONS_OF).bind(installation)).await? else {
            return Ok(BTreeMap::new());
        };
        let text: String = row.try_get("permissions")?;
        json("an installation's permissions", &text)
    }
}
