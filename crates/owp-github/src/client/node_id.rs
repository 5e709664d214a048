//! Numeric ids in GraphQL's node ids of issue events.
//!
//! GraphQL has no numeric id of an event, and acts are ordered and recorded by it. GitHub's current node ids hold it: the
//! id `LE_lADODwFebM5HwC0kzwAAAAF_Roqs` in the example of
//! <https://docs.github.com/en/rest/issues/events#list-issue-events> is the MessagePack array
//! `[0, repository, issue, event]` in base64. GitHub calls node ids opaque, so nothing is assumed: a node id counts only
//! if it has exactly this form and names the repository and the issue that were asked about. For any other, the
//! caller asks the REST API.

use data_encoding::BASE64URL_NOPAD;

/// Returns the event's numeric id, if the node id is one of an event of this issue.
pub(super) fn event_id(node_id: &str, repository: i64, issue: i64) -> Option<i64> {
    let (kind, encoded) = node_id.split_once('_')?;
    if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).ok()?;
    let mut rest = bytes.strip_prefix(&[0x94])?;
    let mut parts = [0; 4];
    for part in &mut parts {
        (*part, rest) = integer(rest)?;
    }
    let [version, of_repository, of_issue, event] = parts;
    let names_issue = version == 0 && of_repository == repository && of_issue == issue;
    (rest.is_empty() && names_issue && event > 0).then_some(event)
}

/// Reads an unsigned integer: <https://github.com/msgpack/msgpack/blob/master/spec.md#int-format-family>.
fn integer(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let length = match first {
        0..=0x7f => return Some((i64::from(*first), rest)),
        0xcc => 1,
        0xcd => 2,
        0xce => 4,
        0xcf => 8,
        _ => return None,
    };
    let (digits, rest) = rest.split_at_checked(length)?;
    let value = digits.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    Some((i64::try_from(value).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Repository and issue of GitHub's documented example.
    const ROADMAP: i64 = 0x0F01_5E6C;
    const ISSUE: i64 = 0x47C0_2D24;

    #[test]
    fn the_documented_example_holds_its_numeric_id() {
        assert_eq!(event_id("LE_lADODwFebM5HwC0kzwAAAAF_Roqs", ROADMAP, ISSUE), Some(6_430_296_748));
        assert_eq!(event_id("LOE_lADODwFebM5HwC0kzwAAAAF_RoSA", ROADMAP, ISSUE), Some(6_430_295_168));
    }

    #[test]
    fn anything_else_has_none() {
        let good = "lADODwFebM5HwC0kzwAAAAF_Roqs";
        assert_eq!(event_id(&format!("LE_{good}"), ROADMAP + 1, ISSUE), None, "another repository");
        assert_eq!(event_id(&format!("LE_{good}"), ROADMAP, ISSUE + 1), None, "another issue");
        for wrong in [
            "",
            good,
            "LE_",
            "_lADODwFebM5HwC0kzwAAAAF_Roqs",
            "le_lADODwFebM5HwC0kzwAAAAF_Roqs",
            // The former form.
            "MDEyOkxhYmVsZWRFdmVudDI3MTkxNTk=",
            // One byte less, one byte more.
            "LE_lADODwFebM5HwC0kzwAAAAF_Rg",
            "LE_lADODwFebM5HwC0kzwAAAAF_RoqsAA",
            "LE_lADODwFebM5HwC0kzwAAAAF_Ro!!",
        ] {
            assert_eq!(event_id(wrong, ROADMAP, ISSUE), None, "{wrong}");
        }
        // Another number of parts, another version, a negative number, a number that is too large, zero.
        for bytes in [
            &[0x93, 0, 1, 2][..],
            &[0x95, 0, 1, 2, 3, 4],
            &[0x94, 1, 1, 2, 3],
            &[0x94, 0, 1, 2, 0xff],
            &[0x94, 0, 1, 2, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x94, 0, 1, 2, 0],
        ] {
            assert_eq!(event_id(&format!("LE_{}", BASE64URL_NOPAD.encode(bytes)), 1, 2), None, "{bytes:?}");
        }
        let small = format!("LE_{}", BASE64URL_NOPAD.encode(&[0x94, 0, 1, 2, 0xcd, 1, 0]));
        assert_eq!(event_id(&small, 1, 2), Some(256));
    }
}
