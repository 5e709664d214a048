//! Who reads a page, by the session in the browser's cookie; and the message about what was just done.

use crate::http::ApiState;
use crate::http::auth::same;
use crate::http::browser::cookie;
use crate::http::problem::Failure;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use owp_engine::{NewSession, ReadAccess, SignInSecrets, SignedIn, Told};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

/// Holds the session's secret.
const SESSION: &str = "owp_session";
/// Holds the secrets of a sign-in with GitHub until the browser returns.
const SIGN_IN: &str = "owp_signin";
const SIGN_IN_SECS: u32 = 600;
/// Holds the result of the last act until the next page shows it.
const TOLD: &str = "owp_told";
const TOLD_MAX_CHARS: usize = 800;
const TOLD_SECS: u32 = 60;
/// Header of requests by which scripts update a page.
const UPDATE: &str = "x-page-update";

/// The reader of a page.
#[derive(Debug, Default)]
pub(in crate::http) struct Reader {
    /// Who is signed in, if anybody.
    pub who: Option<SignedIn>,
    /// What they may read.
    pub access: ReadAccess,
    /// The secret of the session, also of one that has ended.
    secret: Option<String>,
    /// The result of the last act.
    pub told: Option<Told>,
}

/// Returns true if the browser sent the cookie of a session.
pub(in crate::http) fn has_session(headers: &HeaderMap) -> bool {
    cookie(headers, SESSION).is_some()
}

impl FromRequestParts<ApiState> for Reader {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, Failure> {
        let told = told(&parts.headers);
        let Some(secret) = cookie(&parts.headers, SESSION) else { return Ok(Self { told, ..Self::default() }) };
        let who = api.engine.sessions().find(secret, api.admin_token.as_deref()).await?;
        let access = api.engine.sessions().access_of(who.as_ref()).await?;
        Ok(Self { who, access, secret: Some(secret.to_owned()), told })
    }
}

impl Reader {
    /// Returns true for a browser without a session.
    pub(super) fn is_anybody(&self) -> bool {
        self.who.is_none() && self.told.is_none() && self.secret.is_none()
    }

    /// Returns the name of the variant of a page that this reader shares with others: there is one for everybody, and one
    /// that says that the session has ended. `None` if the page is for this reader alone.
    pub(super) fn shared_variant(&self) -> Option<&'static str> {
        match (&self.who, &self.told) {
            (None, None) => Some(if self.has_ended() { "ended" } else { "anybody" }),
            _ => None,
        }
    }

    /// Returns true if the browser has a session that ended.
    pub(super) fn has_ended(&self) -> bool {
        self.who.is_none() && self.secret.is_some()
    }

    /// Returns true if this pool shows its data only to people who are signed in, and this one is not.
    pub(in crate::http) fn must_sign_in(&self, api: &ApiState) -> bool {
        api.engine.settings().sign_in_required && self.who.is_none()
    }

    /// Returns true for the operator.
    pub(super) fn is_operator(&self) -> bool {
        self.who == Some(SignedIn::Operator)
    }

    /// Returns the secret of the session.
    pub(super) fn secret(&self) -> Option<&str> {
        self.secret.as_deref()
    }

    /// Returns true if the page should offer to act on a repository.
    pub(super) async fn may_act(&self, api: &ApiState, repo: &str) -> Result<bool, Failure> {
        match &self.who {
            Some(who) => Ok(api.engine.operator().offers_acts(who, repo).await?),
            None => Ok(false),
        }
    }

    /// Returns the value that proves that a form is from one of this session's pages.
    pub(super) fn form_token(&self) -> String {
        let secret = self.secret.as_deref().unwrap_or_default();
        HEXLOWER.encode(&Sha256::digest(format!("form {secret}").as_bytes())[..16])
    }

    /// Returns true if a form has that value.
    pub(super) fn has_sent(&self, form_token: &str) -> bool {
        self.secret.is_some() && same(form_token.as_bytes(), self.form_token().as_bytes())
    }
}

/// Returns the result to show. Scripts that update a page do not show it, so they leave it to the page that follows the
/// act: one may ask between the act's response and that page.
fn told(headers: &HeaderMap) -> Option<Told> {
    if headers.contains_key(UPDATE) {
        return None;
    }
    cookie(headers, TOLD).and_then(read_told)
}

/// Sets the cookie of a new session. `Lax`, so that links from GitHub find the reader signed in.
pub(super) fn begin(response: &mut Response, session: &NewSession, secure: bool) {
    let (secret, lasts) = (session.secret.expose_secret(), session.lasts.0 / 1_000);
    set(response, &format!("{SESSION}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lasts}{}", only_tls(secure)));
}

/// Removes the cookie of a session.
pub(super) fn end(response: &mut Response) {
    set(response, &format!("{SESSION}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"));
}

/// Keeps the secrets of a sign-in until GitHub sends the browser back.
pub(super) fn keep_sign_in(response: &mut Response, secrets: &SignInSecrets, secure: bool) {
    let value = format!("{}.{}", secrets.state, secrets.verifier.expose_secret());
    let tls = only_tls(secure);
    set(response, &format!("{SIGN_IN}={value}; Path=/signin; HttpOnly; SameSite=Lax; Max-Age={SIGN_IN_SECS}{tls}"));
}

/// Returns the secrets of the sign-in that this browser began.
pub(super) fn kept_sign_in(headers: &HeaderMap) -> Option<SignInSecrets> {
    let (state, verifier) = cookie(headers, SIGN_IN)?.split_once('.')?;
    let is_secret = |text: &str| (43..=128).contains(&text.len());
    let secrets = SignInSecrets { state: state.to_owned(), verifier: verifier.to_owned().into() };
    (is_secret(state) && is_secret(verifier)).then_some(secrets)
}

/// Removes the secrets of a sign-in that has ended.
pub(super) fn forget_sign_in(response: &mut Response) {
    set(response, &format!("{SIGN_IN}=; Path=/signin; HttpOnly; SameSite=Lax; Max-Age=0"));
}

/// Keeps a result for the next page.
pub(super) fn tell(response: &mut Response, told: &Told) {
    let words: String = told.words.chars().take(TOLD_MAX_CHARS).collect();
    let value = BASE64URL_NOPAD.encode(format!("{}{words}", if told.done { '+' } else { '-' }).as_bytes());
    set(response, &format!("{TOLD}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={TOLD_SECS}"));
}

/// Removes a result that was shown.
pub(super) fn forget_told(response: &mut Response) {
    set(response, &format!("{TOLD}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"));
}

fn read_told(value: &str) -> Option<Told> {
    let text = String::from_utf8(BASE64URL_NOPAD.decode(value.as_bytes()).ok()?).ok()?;
    let done = text.starts_with('+');
    text.strip_prefix(['+', '-']).map(|words| Told { done, words: words.chars().take(TOLD_MAX_CHARS).collect() })
}

/// Returns true if the browser reached the pool over TLS: it says so itself, or the public address does.
pub(super) fn is_secure(api: &ApiState, headers: &HeaderMap) -> bool {
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    let public = api.engine.settings().public_url.get();
    match origin.filter(|origin| *origin != "null") {
        Some(origin) => origin.starts_with("https://"),
        None => public.is_some_and(|address| address.starts_with("https://")),
    }
}

fn only_tls(secure: bool) -> &'static str {
    if secure { "; Secure" } else { "" }
}

fn set(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_belongs_to_its_session() {
        let reader = |secret: &str| Reader { secret: Some(secret.to_owned()), ..Reader::default() };
        let token = reader("one").form_token();
        assert!(reader("one").has_sent(&token));
        assert!(!reader("two").has_sent(&token) && !reader("one").has_sent(""));
        assert!(!Reader::default().has_sent(&Reader::default().form_token()), "without a session no form is valid");
    }

    #[test]
    fn a_result_survives_the_cookie_and_a_made_up_one_is_ignored() {
        let told = Told { done: false, words: "nö; <b>".to_owned() };
        let mut response = Response::default();
        tell(&mut response, &told);
        let set = response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        let value = set.strip_prefix("owp_told=").unwrap().split(';').next().unwrap();
        assert_eq!(read_told(value), Some(told));
        assert_eq!((read_told("%"), read_told("")), (None, None));
    }

    #[test]
    fn an_update_of_an_open_page_leaves_the_result_to_the_next_page() {
        let sent = Told { done: true, words: "Done.".to_owned() };
        let mut response = Response::default();
        tell(&mut response, &sent);
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, response.headers()[header::SET_COOKIE].clone());
        assert_eq!(told(&headers), Some(sent));
        headers.insert(UPDATE, HeaderValue::from_static("1"));
        assert_eq!(told(&headers), None);
    }
}
