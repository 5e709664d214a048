//! Responses with pages: cached for a moment, so that many readers cost what one does, and not sent again to a browser
//! that has them.

use super::session::{Reader, forget_told};
use crate::http::ApiState;
use crate::http::fresh::Fresh;
use crate::http::problem::Failure;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use data_encoding::HEXLOWER;
use lru::LruCache;
use maud::Markup;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Most pages that are cached; anybody can ask for any number of them.
const CACHED: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");
/// Usual lifetime of a cached page. Shorter than scripts wait after an event, so that they get a page that shows it.
const LASTS: Duration = Duration::from_millis(250);

/// A page to send.
#[derive(Debug, Clone)]
pub(super) struct Rendered {
    html: Arc<str>,
    etag: Arc<str>,
}

impl Rendered {
    pub(super) fn new(page: &Markup) -> Self {
        let html: Arc<str> = page.clone().into_string().into();
        // Weak, because the response may be compressed (RFC 9110, 8.8.3.3).
        let etag = format!("W/\"{}\"", HEXLOWER.encode(&Sha256::digest(html.as_bytes())[..12]));
        Self { html, etag: etag.into() }
    }
}

/// The cached pages by their keys.
pub(in crate::http) struct Cache(Mutex<LruCache<String, Arc<Fresh<Rendered>>>>);

impl Default for Cache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CACHED)))
    }
}

impl Cache {
    /// Returns the place of a page.
    fn place(&self, key: &str, lasts: Duration) -> Arc<Fresh<Rendered>> {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pages.get_or_insert(key.to_owned(), || Arc::new(Fresh::lasting(lasts))))
    }
}

/// A request for a page.
pub(in crate::http) struct Ask {
    known: HeaderMap,
    /// Lifetime of the page in the cache.
    lasts: Duration,
}

impl<S: Send + Sync> FromRequestParts<S> for Ask {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.headers.get(header::IF_NONE_MATCH).map(|tags| (header::IF_NONE_MATCH, tags.clone()));
        Ok(Self { known: known.into_iter().collect(), lasts: LASTS })
    }
}

impl Ask {
    /// Sets the lifetime of a page that costs more than others.
    pub(super) fn lasting(self, lasts: Duration) -> Self {
        Self { lasts, ..self }
    }

    /// Answers with the cached page, or renders it; leads to the sign-in if the pool wants one. The key names what the page
    /// shows: its path and the parameters that it knows, in one order. Pages for people who are signed in are not cached.
    pub(super) async fn answer(
        self,
        api: &ApiState,
        reader: &Reader,
        key: &str,
        render: impl Future<Output = Result<Rendered, Failure>>,
    ) -> Result<Response, Failure> {
        if reader.must_sign_in(api) {
            return Ok(Redirect::to("/signin").into_response());
        }
        let page = match reader.shared_variant() {
            None => render.await?,
            Some(variant) => {
                let place = api.pages.place(&format!("{key} {variant}"), self.lasts);
                place.get(api.engine.store().clock(), render).await?
            }
        };
        let mut response = if has_it(&self.known, &page.etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Html(page.html.to_string()).into_response()
        };
        // Browsers keep it, and ask each time whether it is still the same.
        let keep = if reader.is_anybody() { "no-cache" } else { "private, no-cache" };
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("Cookie"));
        let_forms_name_their_origin(&mut response);
        if reader.told.is_some() {
            forget_told(&mut response);
        }
        if let Ok(etag) = HeaderValue::try_from(&*page.etag) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        Ok(response)
    }
}

/// Lets browsers name the origin of a form, by which the pool knows where it comes from.
pub(super) fn let_forms_name_their_origin(response: &mut Response) {
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
}

/// Evaluates `If-None-Match` (RFC 9110, 13.1.2): a list of weak or strong tags, or a star.
pub(super) fn has_it(headers: &HeaderMap, etag: &str) -> bool {
    let Some(tags) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else { return false };
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    tags.split(',').map(str::trim).any(|tag| tag == "*" || opaque(tag) == opaque(etag))
}
