//! The app's RSA key, generated or given, in GitHub's format (PKCS#1 PEM).
//!
//! Signing and verification are elsewhere; see `auth.rs`.

use crate::error::StartError;
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use data_encoding::BASE64;

/// Label of a PKCS#1 private key in PEM.
const LABEL: &str = "RSA PRIVATE KEY";

/// Generates a private key for [`SandboxConfig::private_key`](crate::SandboxConfig::private_key), in PKCS#1 PEM.
///
/// # Errors
/// Fails only when the crypto library does, which is not expected.
pub fn generate_private_key() -> Result<String, StartError> {
    AppKey::generate().map(|key| key.private_pem)
}

/// The app's private key, and the public key that verifies its tokens.
#[derive(Debug, Clone)]
pub(crate) struct AppKey {
    /// PEM with `BEGIN RSA PRIVATE KEY`, like GitHub's download.
    pub private_pem: String,
    /// The public key, PKCS#1 DER.
    pub public_der: Vec<u8>,
}

impl AppKey {
    /// Generates a 2048-bit key.
    ///
    /// # Errors
    /// Fails only when the crypto library does, which is not expected.
    pub(crate) fn generate() -> Result<Self, StartError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| StartError::Key("generation failed"))?;
        let pkcs8: Pkcs8V1Der<'static> = pair.as_der().map_err(|_| StartError::Key("encoding failed"))?;
        let pkcs1 = inner_key(pkcs8.as_ref()).ok_or(StartError::Key("unexpected PKCS#8 layout"))?;
        Ok(Self { private_pem: pem(LABEL, pkcs1), public_der: pair.public_key().as_ref().to_vec() })
    }

    /// Reads a key that [`AppKey::generate`] made.
    ///
    /// # Errors
    /// The text is not an RSA key in PKCS#1 PEM.
    pub(crate) fn from_pem(text: &str) -> Result<Self, StartError> {
        let unreadable = || StartError::Key("the given key is not PKCS#1 PEM");
        let base64: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
        let pkcs1 = BASE64.decode(base64.as_bytes()).map_err(|_| unreadable())?;
        let pair = KeyPair::from_der(&pkcs1).map_err(|_| unreadable())?;
        Ok(Self { private_pem: pem(LABEL, &pkcs1), public_der: pair.public_key().as_ref().to_vec() })
    }
}

/// Extracts the PKCS#1 key from a PKCS#8 one: `SEQUENCE { INTEGER, SEQUENCE, OCTET STRING }` (RFC 5208, section 5).
fn inner_key(pkcs8: &[u8]) -> Option<&[u8]> {
    let (_, body, _) = element(pkcs8, 0x30)?;
    let (_, _, rest) = element(body, 0x02)?;
    let (_, _, rest) = element(rest, 0x30)?;
    let (_, key, _) = element(rest, 0x04)?;
    Some(key)
}

/// Parses one DER element: its tag, its content and the remaining input.
fn element(input: &[u8], tag: u8) -> Option<(u8, &[u8], &[u8])> {
    let (&found, rest) = input.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        length = 0;
        for _ in 0..(first & 0x7f) {
            let (&byte, after) = rest.split_first()?;
            length = length.checked_mul(256)?.checked_add(usize::from(byte))?;
            rest = after;
        }
    }
    (rest.len() >= length).then(|| (found, &rest[..length], &rest[length..]))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII, so a cut at any byte is valid.
        let (line, after) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};

    #[test]
    fn the_private_key_signs_what_the_public_key_verifies() {
        let key = AppKey::generate().unwrap();
        assert!(key.private_pem.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
        let claims = serde_json::json!({ "exp": 4_000_000_000_u64, "iss": 7 });
        let signer = EncodingKey::from_rsa_pem(key.private_pem.as_bytes()).unwrap();
        let token = encode(&Header::new(Algorithm::RS256), &claims, &signer).unwrap();
        let verifier = DecodingKey::from_rsa_der(&key.public_der);
        let seen = decode::<serde_json::Value>(&token, &verifier, &Validation::new(Algorithm::RS256)).unwrap();
        assert_eq!(seen.claims, claims);
    }

    #[test]
    fn a_key_can_be_given_and_anything_else_is_refused() {
        let key = AppKey::generate().unwrap();
        let again = AppKey::from_pem(&key.private_pem).unwrap();
        assert_eq!((again.private_pem, again.public_der), (key.private_pem.clone(), key.public_der));
        for wrong in ["", "no key", &key.private_pem[..600]] {
            assert!(matches!(AppKey::from_pem(wrong), Err(StartError::Key(_))), "{wrong}");
        }
    }
}
