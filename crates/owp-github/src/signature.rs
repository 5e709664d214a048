//! Verifies that a delivery comes from GitHub: an HMAC-SHA256 over the raw body, keyed with the webhook secret.
//!
//! See <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>. The check uses the bytes as
//! received; nothing is parsed before it succeeds.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";
const SCHEME: &str = "sha256=";
const DIGEST_BYTES: usize = 32;

/// A rejected signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No webhook secret is configured, so nothing can be verified.
    #[error("no webhook secret is configured")]
    NoSecret,
    /// The delivery carries no signature.
    #[error("the delivery carries no X-Hub-Signature-256")]
    Missing,
    /// The header is not `sha256=` and 64 hexadecimal digits.
    #[error("X-Hub-Signature-256 is not `sha256=` and 64 hexadecimal digits")]
    Malformed,
    /// The signature was made with another secret or over another body.
    #[error("the signature does not match the body")]
    Mismatch,
}

/// Verifies a signature against every secret (two are valid during a rotation), in constant time for each. An empty
/// secret is ignored: anybody could sign with it.
///
/// # Errors
/// Fails when no secret is configured, the header is missing or malformed, or no secret matches.
pub fn verify(secrets: &[SecretString], body: &[u8], header: Option<&str>) -> Result<(), SignatureError> {
    if secrets.iter().all(|secret| secret.expose_secret().is_empty()) {
        return Err(SignatureError::NoSecret);
    }
    let hex = header.ok_or(SignatureError::Missing)?.trim().strip_prefix(SCHEME).ok_or(SignatureError::Malformed)?;
    let claimed = data_encoding::HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(|_| SignatureError::Malformed)?;
    if claimed.len() != DIGEST_BYTES {
        return Err(SignatureError::Malformed);
    }
    // All secrets are tried, so that the timing does not reveal the matching one.
    let matched = secrets.iter().filter(|secret| !secret.expose_secret().is_empty()).fold(false, |matched, secret| {
        let here = keyed(secret).is_some_and(|mac| mac.chain_update(body).verify_slice(&claimed).is_ok());
        matched | here
    });
    if matched { Ok(()) } else { Err(SignatureError::Mismatch) }
}

/// Returns the header value that GitHub would send for this body.
#[must_use]
pub fn sign(secret: &SecretString, body: &[u8]) -> String {
    let digest = keyed(secret).map(|mac| mac.chain_update(body).finalize().into_bytes());
    format!("{SCHEME}{}", data_encoding::HEXLOWER.encode(digest.as_deref().unwrap_or_default()))
}

/// Creates the HMAC. It accepts keys of any length, so the result is never `None`.
fn keyed(secret: &SecretString) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(secret.expose_secret().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"Hello, World!";
    const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn secrets(texts: &[&str]) -> Vec<SecretString> {
        texts.iter().map(|text| SecretString::from(*text)).collect()
    }

    #[test]
    fn githubs_own_example_verifies_and_is_what_we_sign() {
        let known = secrets(&["It's a Secret to Everybody"]);
        assert_eq!(verify(&known, BODY, Some(SIGNATURE)), Ok(()));
        assert_eq!(verify(&known, BODY, Some(&SIGNATURE.to_uppercase().replace("SHA256", "sha256"))), Ok(()));
        assert_eq!(sign(&known[0], BODY), SIGNATURE);
    }

    #[test]
    fn while_secrets_rotate_either_is_good() {
        for order in [["old", "new"], ["new", "old"]] {
            let signature = sign(&secrets(&["new"])[0], BODY);
            assert_eq!(verify(&secrets(&order), BODY, Some(&signature)), Ok(()));
        }
    }

    #[test]
    fn another_body_or_another_secret_does_not_match() {
        let known = secrets(&["It's a Secret to Everybody"]);
        assert_eq!(verify(&known, b"Hello, World?", Some(SIGNATURE)), Err(SignatureError::Mismatch));
        assert_eq!(verify(&known, b"", Some(SIGNATURE)), Err(SignatureError::Mismatch));
        assert_eq!(verify(&secrets(&["a", "b"]), BODY, Some(SIGNATURE)), Err(SignatureError::Mismatch));
    }

    #[test]
    fn without_a_secret_nothing_is_believed_and_an_empty_one_is_none() {
        let forged = sign(&SecretString::from(""), BODY);
        assert_eq!(verify(&[], BODY, Some(SIGNATURE)), Err(SignatureError::NoSecret));
        assert_eq!(verify(&secrets(&["", ""]), BODY, Some(&forged)), Err(SignatureError::NoSecret));
        assert_eq!(verify(&secrets(&["", "real"]), BODY, Some(&forged)), Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_missing_or_misshapen_header_is_named() {
        let known = secrets(&["s"]);
        assert_eq!(verify(&known, BODY, None), Err(SignatureError::Missing));
        for header in [
            "",
            "sha256=",
            "sha1=757107ea",
            &SIGNATURE[7..],
            &SIGNATURE[..70],
            &format!("{SIGNATURE}00"),
            "sha256=zz",
            "sha256=é",
        ] {
            assert_eq!(verify(&known, BODY, Some(header)), Err(SignatureError::Malformed), "{header}");
        }
    }
}
