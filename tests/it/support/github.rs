//! Settings of the sandbox GitHub as most suites start it.

use owp_sandbox::{FaultKind, SandboxConfig, generate_private_key};
use owp_testing::kept::kept;

/// The sandbox's defaults with this clock, in Unix ms, and one private key for all tests: making one takes longer than
/// most of them.
pub(crate) fn sandbox(now: impl Fn() -> i64 + Send + Sync + 'static) -> SandboxConfig {
    let private_key = kept("pkcs1-key", || generate_private_key().unwrap());
    SandboxConfig { private_key: Some(private_key), ..SandboxConfig::new(std::sync::Arc::new(now)) }
}

/// What GitHub may wrongly answer once; the slow answer comes after so many milliseconds.
pub(crate) fn wrong_answers(slow_ms: u64) -> [FaultKind; 9] {
    [
        FaultKind::ServerError { status: 502 },
        FaultKind::ServerError { status: 503 },
        FaultKind::Refused { status: 404 },
        FaultKind::Refused { status: 403 },
        FaultKind::BadCredentials,
        FaultKind::Reset,
        FaultKind::Truncated,
        FaultKind::Slow { ms: slow_ms },
        FaultKind::LostAnswer { as_502: false },
    ]
}
