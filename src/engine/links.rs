//! Link codes: what a person comments to prove that a worker is theirs. Only hashes are stored.

use super::Engine;
use super::contributors::secret_hash;
use super::error::{EngineError, Refused};
use super::facts;
use crate::clock::Entropy;
use crate::pool::{Span, Timestamp, WorkerId};
use crate::store::{Scope, StoreError, Tx};
use data_encoding::BASE32_NOPAD;
use secrecy::{ExposeSecret, SecretString};

/// How long a link code works.
const LINK_CODE_LIFE: Span = Span::minutes(15);
/// How many codes that ended are removed where one is made.
const ENDED_AT_ONCE: i64 = 20;

/// A code as its worker is told it, once.
#[derive(Debug)]
pub struct LinkCode {
    /// What the person comments as `/owp link CODE`.
    pub code: SecretString,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// A code nobody knows yet: twelve letters of five bits each, sixty bits.
pub(super) fn draw(entropy: &Entropy) -> SecretString {
    SecretString::from(BASE32_NOPAD.encode(&entropy.bytes::<8>())[..12].to_owned())
}

/// Makes a code work for a worker and a GitHub login. Says until when. Codes that ended are removed on the way, faster
/// than new ones come.
pub(super) async fn offer(
    tx: &mut Tx,
    worker: &WorkerId,
    handle: &str,
    code: &SecretString,
) -> Result<Timestamp, StoreError> {
    let until = tx.now() + LINK_CODE_LIFE;
    tx.forget_ended_codes(ENDED_AT_ONCE).await?;
    tx.insert_link_code(&secret_hash(code.expose_secret()), worker, handle.trim_start_matches('@'), until).await?;
    Ok(until)
}

impl Engine {
    /// Makes a code for a worker that is there already; its older codes stop working.
    ///
    /// # Errors
    /// A refusal, when the worker is linked.
    pub async fn link_code(&self, id: &WorkerId, handle: String) -> Result<LinkCode, EngineError> {
        let code = draw(self.store().entropy());
        let id = id.clone();
        // Under the worker's row, as `/owp link` is: of two calls at once one code is left, and none for a linked worker.
        self.store()
            .write(Scope::global().with_workers([id.clone()]), move |tx| {
                Box::pin(async move {
                    let worker = facts::known_worker(tx, &id).await?;
                    if worker.person.is_linked() {
                        return Err(already(worker.login.as_deref()).into());
                    }
                    tx.forget_link_codes(&id).await?;
                    let expires_at = offer(tx, &id, &handle, &code).await?;
                    Ok(LinkCode { code, expires_at })
                })
            })
            .await
    }
}

fn already(login: Option<&str>) -> Refused {
    let whom = login.map_or("somebody on GitHub".to_owned(), |login| format!("@{login}"));
    let how = "whoever that is comments `/owp unlink` on an issue of the pool first";
    Refused::because(format!("This worker is linked to {whom} already. To link it to another account, {how}."))
}
