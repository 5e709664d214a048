//! Settings of the sandbox GitHub as most suites start it.

use owp_sandbox::{SandboxConfig, generate_private_key};
use owp_testing::kept::kept;

/// The sandbox's defaults with this clock, in Unix ms, and one private key for all tests: making one takes longer than
/// most of them.
pub(crate) fn sandbox(now: impl Fn() -> i64 + Send + Sync + 'static) -> SandboxConfig {
    let private_key = kept("pkcs1-key", || generate_private_key().unwrap());
    SandboxConfig { private_key: Some(private_key), ..SandboxConfig::new(std::sync::Arc::new(now)) }
}
