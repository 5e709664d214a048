//! Which pool a command speaks to, and as whom: a flag, then the environment, then what registration kept, then the pool
//! on this machine. A token from the environment goes to a pool named there, or to the one on this machine: what
//! registration kept does not say whose it is.

use super::failure::{Failure, complain};
use super::print::warn_in_clear_text;
use super::profile::Profile;
use super::untrusted::visible_line;
use clap::Args;
use owp_client::{Client, Who};
use owp_config::{Environment, admin_token, listen_address, reachable, worker_token};
use std::io::IsTerminal;

/// How the pool is named and the answer printed; every command takes these.
#[derive(Debug, Clone, Args)]
pub(super) struct Asked {
    /// Where the pool is, such as https://pool.example.org
    #[arg(long, value_name = "URL", global = true)]
    pub server: Option<String>,
    /// Prints the answer as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

impl Asked {
    /// The pool, asked as its operator; says when the admin token can be read by others on its way.
    ///
    /// # Errors
    /// Without an admin token (exit code 4), or when the pool's address is none.
    pub(super) fn operator(&self, env: &Environment) -> Result<Client, Failure> {
        let base = self.named(env).map_or_else(|| on_this_machine(env), Ok)?;
        let token = admin_token(env)?.ok_or_else(|| {
            Failure::no_access("This command needs the admin token.")
                .next("Set OWP_ADMIN_TOKEN, or OWP_ADMIN_TOKEN_FILE to a file that holds it.")
        })?;
        let client = Client::new(&base, Who::Operator(token))?.on_delay(still_waiting);
        warn_in_clear_text(&client);
        Ok(client)
    }

    /// The pool, asked as nobody in particular.
    ///
    /// # Errors
    /// When the pool's address is none, or what registration kept cannot be read.
    pub(super) fn nobody(&self, env: &Environment, profile: &Profile) -> Result<Client, Failure> {
        let kept = || profile.server().map(str::to_owned);
        let base = self.named(env).or_else(kept).map_or_else(|| on_this_machine(env), Ok)?;
        Ok(Client::new(&base, Who::Nobody)?.on_delay(still_waiting))
    }

    /// As [`Self::nobody`]; what registration kept is only read when no pool is named.
    ///
    /// # Errors
    /// As [`Self::nobody`].
    pub(super) fn stranger(&self, env: &Environment) -> Result<Client, Failure> {
        match self.named(env) {
            Some(base) => Ok(Client::new(&base, Who::Nobody)?.on_delay(still_waiting)),
            None => self.nobody(env, &Profile::open(env)?),
        }
    }

    /// The pool, asked as the worker whose token the environment brings, else as the one that was registered there.
    ///
    /// # Errors
    /// Without a token for this pool (exit code 4), and as [`Self::nobody`].
    pub(super) fn worker(&self, env: &Environment) -> Result<Client, Failure> {
        if let Some(token) = worker_token(env)? {
            // It is not known to be a token of the pool that was registered with last, which would learn it.
            let base = self.named(env).map_or_else(|| on_this_machine(env), Ok)?;
            return Ok(Client::new(&base, Who::Worker(token))?.on_delay(still_waiting));
        }
        let profile = Profile::open(env)?;
        let client = self.nobody(env, &profile)?;
        let worker = profile.worker(client.base()).ok_or_else(|| {
            Failure::no_access(format!("No worker is registered with {} from here.", client.base())).next(format!(
                "`owp worker register --server {}` registers one; OWP_WORKER_TOKEN brings the token of one that is.",
                client.base()
            ))
        })?;
        // `owp worker token rotate` may replace the token while another command goes on. A worker that was registered
        // meanwhile is another one.
        let (env, base, id) = (env.clone(), client.base().to_owned(), worker.worker_id);
        let read = move || Profile::open(&env).ok()?.worker(&base).filter(|kept| kept.worker_id == id);
        Ok(client.as_who(Who::Worker(worker.token)).with_kept_token(move || Some(read()?.token)))
    }

    /// The pool, asked as the worker there is, else as nobody in particular: for what everybody may look at.
    ///
    /// # Errors
    /// As [`Self::nobody`].
    pub(super) fn anybody(&self, env: &Environment) -> Result<Client, Failure> {
        let profile = Profile::open(env)?;
        let client = self.nobody(env, &profile)?;
        let is_known = worker_token(env)?.is_some() || profile.worker(client.base()).is_some();
        if is_known { self.worker(env) } else { Ok(client) }
    }

    fn named(&self, env: &Environment) -> Option<String> {
        self.server.clone().or_else(|| env.get("OWP_SERVER"))
    }
}

/// Says on a terminal that the pool has not answered yet.
fn still_waiting(pool: &str) {
    if std::io::stderr().is_terminal() {
        complain(&format!("still waiting for {}; Ctrl-C stops", visible_line(pool)));
    }
}

fn on_this_machine(env: &Environment) -> Result<String, Failure> {
    let address = reachable(listen_address(env, None)?);
    if env.is_from_file("OWP_LISTEN") && !address.ip().is_loopback() {
        // Whoever wrote the file would be sent a token.
        return Err(Failure::asked_wrongly(format!("OWP_LISTEN in a file of this folder names {address}."))
            .next(format!("If that is the pool, say so: `--server http://{address}`, or OWP_SERVER.")));
    }
    Ok(format!("http://{address}"))
}
