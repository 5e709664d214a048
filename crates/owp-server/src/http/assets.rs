//! Static files of the pages, embedded in the program. Their URL carries a digest of the content, so browsers may cache
//! them for ever; without the digest they are revalidated by ETag.

use super::problem::unknown_path;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "public, no-cache";

struct Asset {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
    digest: LazyLock<String>,
}

static ASSETS: [Asset; 2] = [
    Asset {
        name: "status.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("static/status.css"),
        digest: LazyLock::new(|| digest(include_str!("static/status.css"))),
    },
    Asset {
        name: "status.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("static/status.js"),
        digest: LazyLock::new(|| digest(include_str!("static/status.js"))),
    },
];

fn digest(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..8])
}

/// Returns the current URL of a file.
pub(super) fn address(name: &str) -> String {
    let digest = ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.digest.as_str());
    format!("/static/{name}?v={digest}")
}

/// Serves a file, or 304 if the browser has it.
pub(super) async fn serve(name: Result<Path<String>, PathRejection>, uri: Uri, headers: HeaderMap) -> Response {
    let found = name.ok().and_then(|Path(name)| ASSETS.iter().find(|asset| asset.name == name));
    let Some(asset) = found else { return unknown_path(uri).await.into_response() };
    // Weak, because the response may be compressed: the same content, but other bytes (RFC 9110, 8.8.3.3).
    let etag = format!("W/\"{}\"", asset.digest.as_str());
    let named = uri.query().is_some_and(|query| query.strip_prefix("v=") == Some(asset.digest.as_str()));
    let mut response = if has_it(&headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, asset.media_type)], asset.text).into_response()
    };
    let keep = HeaderValue::from_static(if named { FOR_EVER } else { ASK_AGAIN });
    response.headers_mut().insert(header::CACHE_CONTROL, keep);
    if let Ok(etag) = HeaderValue::try_from(etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// Evaluates `If-None-Match` (RFC 9110, 13.1.2): a list of weak or strong tags, or a star.
fn has_it(headers: &HeaderMap, etag: &str) -> bool {
    let Some(tags) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else { return false };
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    tags.split(',').map(str::trim).any(|tag| tag == "*" || opaque(tag) == opaque(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_kept_for_ever_under_its_digest_and_asked_for_again_without() {
        let get = async |address: &str, tag: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(tag) = tag {
                headers.insert(header::IF_NONE_MATCH, HeaderValue::try_from(tag).unwrap());
            }
            serve(Ok(Path("status.css".to_owned())), address.parse().unwrap(), headers).await
        };
        let named = get(&address("status.css"), None).await;
        assert_eq!(named.headers()[header::CACHE_CONTROL], FOR_EVER);
        let plain = get("/static/status.css", None).await;
        assert_eq!(plain.headers()[header::CACHE_CONTROL], ASK_AGAIN);
        let etag = plain.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(get("/static/status.css", Some(&format!("\"x\", {etag}"))).await.status(), 304);
        assert_eq!(get("/static/status.css", Some("\"x\"")).await.status(), 200);
    }
}
