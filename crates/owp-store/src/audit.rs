//! Exported event chains: each event with its salt, digest and hash, so that anybody can verify the chain.

use super::columns::columns;
use super::error::StoreError;
use super::events::{EventRow, event_row, verify_link};
use super::nouns::Audit;
use super::statement::query;
use super::tx::statements;
use owp_pool::Timestamp;

statements! {
    CHAIN_PAGE = concat!("SELECT ", columns!(events, "e."), ", r.name AS repo_name FROM events e LEFT JOIN repositories r ON r.id = e.chain
        WHERE e.chain = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3");
    CHAIN_SEALED = "SELECT seq, hash FROM chains WHERE chain = $1";
    // The key of the table.
    CHAIN_EVENT_AT = "SELECT at FROM events WHERE chain = $1 AND seq = $2";
}

/// One event of a chain, and the result of its verification.
#[derive(Debug, Clone)]
pub struct AuditRow {
    /// The event.
    pub event: EventRow,
    /// The salt of the digest.
    pub salt: String,
    /// The salted digest of the payload.
    pub digest: String,
    /// The hash that links it to the previous event.
    pub hash: String,
    /// True if position, digest and hash are correct.
    pub intact: bool,
}

impl Audit<'_> {
    /// Returns the next events of a chain after position `after`, whose hash is `previous`.
    pub async fn page(
        &mut self,
        chain: &str,
        after: i64,
        previous: &str,
        limit: i64,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let rows = self.all(query(CHAIN_PAGE).bind(chain).bind(after).bind(limit)).await?;
        let (mut previous, mut index) = (previous.to_owned(), usize::try_from(after).unwrap_or(0));
        let mut page = Vec::with_capacity(rows.len());
        for row in &rows {
            let intact = verify_link(chain, index, row, &previous).is_ok();
            let hash: String = row.try_get("hash")?;
            let event = event_row(row)?;
            index = usize::try_from(event.seq).unwrap_or(index);
            page.push(AuditRow { salt: row.try_get("salt")?, digest: row.try_get("digest")?, hash, intact, event });
            previous.clone_from(&page[page.len() - 1].hash);
        }
        Ok(page)
    }

    /// Returns the head of a chain: its last position and hash.
    pub async fn head(&mut self, chain: &str) -> Result<(i64, String), StoreError> {
        let row = self.one(query(CHAIN_SEALED).bind(chain)).await?;
        row.map_or_else(|| Ok((0, String::new())), |row| Ok((row.try_get("seq")?, row.try_get("hash")?)))
    }

    /// Returns the time of an event of a chain; `None` if it was removed as history or never existed.
    pub async fn time_of(&mut self, chain: &str, seq: i64) -> Result<Option<Timestamp>, StoreError> {
        let row = self.one(query(CHAIN_EVENT_AT).bind(chain).bind(seq)).await?;
        row.map(|row| row.try_get("at").map(Timestamp)).transpose()
    }
}
