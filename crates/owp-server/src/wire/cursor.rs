//! Pagination cursors. They are opaque to clients and bound to a list and its filters: a made-up cursor, or one of
//! another list, is rejected.

use super::problem::{FieldError, Problem};
use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

const MARK_BYTES: usize = 8;
/// Fits the longest name (200 letters of four bytes each) and a mark.
const CURSOR_MAX_BYTES: usize = 2_048;

/// Builds a cursor of `list` (its name and filters) that continues after `after`.
#[must_use]
pub fn write(list: &str, after: &str) -> String {
    let mut bytes = mark(list, after).to_vec();
    bytes.extend_from_slice(after.as_bytes());
    BASE64URL_NOPAD.encode(&bytes)
}

/// Returns the position at which `list` continues. Without a cursor it is the start, the empty text.
///
/// # Errors
/// A problem (422) for a cursor of another list.
pub fn read(list: &str, cursor: Option<&str>) -> Result<String, Box<Problem>> {
    let Some(cursor) = cursor else { return Ok(String::new()) };
    let bytes = Some(cursor).filter(|text| text.len() <= CURSOR_MAX_BYTES);
    let bytes = bytes.and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
    let after = bytes.as_deref().and_then(|bytes| {
        let (front, after) = bytes.split_at_checked(MARK_BYTES)?;
        let after = std::str::from_utf8(after).ok()?;
        // The mark is not secret: anyone can forge one, even for NUL, which PostgreSQL rejects in text.
        (front == mark(list, after) && !after.contains('\0')).then(|| after.to_owned())
    });
    after.ok_or_else(|| {
        Box::new(Problem::invalid(vec![FieldError {
            field: "cursor".to_owned(),
            message: "must be the `next_cursor` of a page of this list with these filters".to_owned(),
        }]))
    })
}

fn mark(list: &str, after: &str) -> [u8; MARK_BYTES] {
    let digest = Sha256::digest(format!("owp cursor\n{list}\n{after}").as_bytes());
    let mut mark = [0; MARK_BYTES];
    mark.copy_from_slice(&digest[..MARK_BYTES]);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_on_where_it_was_written_and_nowhere_else() {
        let cursor = write("tasks state=ready", "t_5");
        assert_eq!(read("tasks state=ready", Some(&cursor)).unwrap(), "t_5");
        assert_eq!(read("tasks state=ready", None).unwrap(), "");
        let long = "🚀".repeat(200);
        assert_eq!(read("repos", Some(&write("repos", &long))).unwrap(), long, "the longest name there can be");
        for (list, cursor) in [
            ("tasks state=leased", cursor.as_str()),
            ("tasks state=ready", "dF81"),
            ("tasks state=ready", ""),
            ("tasks state=ready", "not base64!"),
            ("tasks state=ready", &cursor[1..]),
            ("tasks state=ready", &"A".repeat(5_000)),
            ("tasks state=ready", &write("tasks state=ready", "t_5\0")),
        ] {
            assert_eq!(read(list, Some(cursor)).unwrap_err().errors[0].field, "cursor", "{list} {cursor}");
        }
    }
}
