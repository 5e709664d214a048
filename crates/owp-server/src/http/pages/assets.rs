//! Static files of the pages, embedded in the program. Their URL carries a digest of the content, so browsers may cache
//! them for ever; without the digest they are revalidated by ETag.

use super::reply::has_it;
use crate::http::problem::unknown_path;
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

macro_rules! asset {
    ($name:literal, $media_type:literal) => {
        asset!($name, $media_type, $name)
    };
    ($name:literal, $media_type:literal, $file:literal) => {
        Asset {
            name: $name,
            media_type: $media_type,
            text: include_str!(concat!("static/", $file)),
            digest: LazyLock::new(|| digest(include_str!(concat!("static/", $file)))),
        }
    };
}

static ASSETS: [Asset; 6] = [
    asset!("pages.css", "text/css; charset=utf-8"),
    asset!("pages.js", "text/javascript; charset=utf-8"),
    asset!("theme.js", "text/javascript; charset=utf-8"),
    asset!("charts.js", "text/javascript; charset=utf-8"),
    // uPlot, with its licence beside it.
    asset!("uplot.js", "text/javascript; charset=utf-8", "uplot/uplot.js"),
    asset!("uplot.css", "text/css; charset=utf-8", "uplot/uplot.css"),
];

fn digest(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..8])
}

/// Returns the current URL of a file.
pub(in crate::http) fn address(name: &str) -> String {
    let digest = ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.digest.as_str());
    format!("/static/{name}?v={digest}")
}

/// Serves a file, or 304 if the browser has it.
pub(in crate::http) async fn serve(
    name: Result<Path<String>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
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
            serve(Ok(Path("pages.css".to_owned())), address.parse().unwrap(), headers).await
        };
        let named = get(&address("pages.css"), None).await;
        assert_eq!(named.headers()[header::CACHE_CONTROL], FOR_EVER);
        let plain = get("/static/pages.css", None).await;
        assert_eq!(plain.headers()[header::CACHE_CONTROL], ASK_AGAIN);
        let etag = plain.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(get("/static/pages.css", Some(&format!("\"x\", {etag}"))).await.status(), 304);
        assert_eq!(get("/static/pages.css", Some("\"x\"")).await.status(), 200);
    }
}
