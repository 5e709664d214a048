//! Sign-in of people with GitHub, as the App's own OAuth client: the web application flow with state and PKCE. It asks for
//! no scope, and the token serves to read whose it is, once.
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app>

use super::http::Http;
use super::transport::Transport;
use super::{Address, GitHubError, UserRef};
use crate::manifest::web_origin;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use oauth2::basic::{BasicClient, BasicRequestTokenError};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, TokenResponse, TokenUrl,
};
use octocrab::OctoBody;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tower::Service;

/// Length limit of a code; GitHub's have 20 characters.
const CODE_MAX: usize = 100;
/// Size limit of a token response.
const RESPONSE_MAX: usize = 64 * 1024;

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// The App's OAuth client.
pub struct SignIn {
    address: Address,
    id: ClientId,
    secret: SecretString,
    web: Url,
}

/// Secrets of one sign-in, which the browser keeps until it returns.
#[derive(Debug, Clone)]
pub struct SignInSecrets {
    /// Value that GitHub returns; it ties the return to this browser.
    pub state: String,
    /// PKCE verifier, 43 to 128 characters; it ties the code to this sign-in.
    pub verifier: SecretString,
}

#[derive(Deserialize)]
struct RawRejection {
    error: String,
}

impl SignIn {
    /// Creates the client.
    ///
    /// # Errors
    /// [`GitHubError::Config`] when the API's address is invalid.
    pub fn new(address: Address, id: &str, secret: SecretString) -> Result<Self, GitHubError> {
        let origin = web_origin(&address.api_url)?;
        let web = Url::parse(&origin).map_err(|error| GitHubError::Config { message: error.to_string() })?;
        Ok(Self { address, id: ClientId::new(id.to_owned()), secret, web })
    }

    fn client(&self, back: &str) -> Result<Client, GitHubError> {
        let bad = |error: oauth2::url::ParseError| GitHubError::Config { message: error.to_string() };
        let at = |path: &str| self.web.join(path).map_err(bad);
        Ok(BasicClient::new(self.id.clone())
            .set_client_secret(ClientSecret::new(self.secret.expose_secret().to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::from_url(at("login/oauth/authorize")?))
            .set_token_uri(TokenUrl::from_url(at("login/oauth/access_token")?))
            .set_redirect_uri(RedirectUrl::new(back.to_owned()).map_err(bad)?))
    }

    /// Returns the page of GitHub to which the browser is sent. GitHub sends it back to `back`, which must be a callback
    /// URL of the App.
    ///
    /// # Errors
    /// [`GitHubError::Config`] when `back` is not a URL.
    pub fn page(&self, back: &str, secrets: &SignInSecrets) -> Result<String, GitHubError> {
        let verifier = PkceCodeVerifier::new(secrets.verifier.expose_secret().to_owned());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let state = CsrfToken::new(secrets.state.clone());
        let client = self.client(back)?;
        let (page, _) = client.authorize_url(|| state).set_pkce_challenge(challenge).url();
        Ok(page.into())
    }

    /// Exchanges the code with which GitHub sent the browser back, and returns whose it is. A code works once.
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when GitHub rejects the code.
    pub async fn finish(&self, back: &str, code: &str, secrets: &SignInSecrets) -> Result<UserRef, GitHubError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if code.is_empty() || code.len() > CODE_MAX || !code.chars().all(plain) {
            return Err(rejected("a code of this form"));
        }
        let transport = Transport::new(&self.address, self.web.clone())?;
        let send = |request| send(transport.clone(), request);
        let verifier = PkceCodeVerifier::new(secrets.verifier.expose_secret().to_owned());
        let client = self.client(back)?;
        let exchange = client.exchange_code(AuthorizationCode::new(code.to_owned())).set_pkce_verifier(verifier);
        let token = exchange.request_async(&send).await.map_err(failure)?;
        let token = SecretString::from(token.access_token().secret().clone());
        Http::new(&self.address)?.get("user", Some(&token), None).await?.json()
    }
}

fn rejected(what: &str) -> GitHubError {
    GitHubError::NotFound { what: what.to_owned() }
}

/// Maps an error of the exchange. GitHub answers a wrong code with 200 and an error in the body.
fn failure(error: BasicRequestTokenError<GitHubError>) -> GitHubError {
    use oauth2::RequestTokenError;
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(response) => {
            GitHubError::NotFound { what: format!("the sign-in ({})", response.error()) }
        }
        RequestTokenError::Parse(_, body) => match serde_json::from_slice::<RawRejection>(&body) {
            Ok(RawRejection { error }) => GitHubError::NotFound { what: format!("the sign-in ({error})") },
            Err(_) => GitHubError::Malformed { reason: "a sign-in without a token".to_owned() },
        },
        RequestTokenError::Other(reason) => GitHubError::Malformed { reason },
    }
}

async fn send(mut transport: Transport, request: HttpRequest) -> Result<HttpResponse, GitHubError> {
    let response = transport.call(request.map(|body| OctoBody::from(Bytes::from(body)))).await?;
    let (head, body) = response.into_parts();
    if head.status.is_server_error() {
        return Err(GitHubError::Unavailable { status: head.status.as_u16(), retry_at: None });
    }
    let lost = |error: Box<dyn std::error::Error + Send + Sync>| GitHubError::Lost { reason: error.to_string() };
    let body = Limited::new(body, RESPONSE_MAX).collect().await.map_err(lost)?.to_bytes();
    Ok(http::Response::from_parts(head, body.to_vec()))
}
