//! Tests of the client's credentials and of its token cache.

use crate::client::{
    GitHub, GitHubConfig, GitHubError,
    testing::{INSTALLATION, NOW, Reply, Server, key, repo},
};
use owp_base::clock::Clock;
use secrecy::SecretString;
use serde_json::json;
use std::time::Duration;

fn config(api_url: &str, pem: &str) -> GitHubConfig {
    GitHubConfig {
        api_url: api_url.to_owned(),
        app_id: 42,
        private_key_pem: SecretString::from(pem.to_owned()),
        timeout: Duration::from_secs(5),
        clock: Clock::manual(NOW),
    }
}

fn issue(number: i64) -> Reply {
    Reply::json(
        200,
        json!({"id": 1, "number": number, "title": "t", "state": "open", "updated_at": "2023-11-14T22:00:00Z"}),
    )
}

#[tokio::test]
async fn the_app_signs_a_short_jwt_that_its_public_key_verifies() {
    let server = Server::with_tokens(|_| Reply::json(200, json!({"id": 42, "slug": "owp-pool"}))).await;
    let app = server.github().app().await.unwrap();
    assert_eq!((app.id, app.bot_login.as_str()), (42, "owp-pool[bot]"));

    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    rules.validate_exp = false;
    let public = jsonwebtoken::DecodingKey::from_rsa_der(&key().1);
    let jwt = server.calls()[0].bearer.clone();
    let claims = jsonwebtoken::decode::<serde_json::Value>(&jwt, &public, &rules).unwrap().claims;
    assert_eq!(claims, json!({"iat": NOW / 1000 - 60, "exp": NOW / 1000 + 540, "iss": "42"}));
}

#[tokio::test]
async fn a_token_reaches_one_repository_and_only_what_its_purpose_needs() {
    let server = Server::with_tokens(|call| {
        if call.line.starts_with("POST") { Reply::json(201, super::writing::comment(5, "hi")) } else { issue(1) }
    })
    .await;
    let github = server.github();
    github.reader(INSTALLATION, repo()).issue(1).await.unwrap();
    github.commenter(INSTALLATION, repo()).create(1, "hi").await.unwrap();

    let bodies: Vec<_> = server.calls().into_iter().filter(|c| c.line.ends_with("tokens")).map(|c| c.body).collect();
    let read = json!({"issues": "read", "pull_requests": "read", "metadata": "read"});
    let write = json!({"issues": "write", "metadata": "read"});
    assert_eq!(bodies[0], json!({"repository_ids": [99], "permissions": read}));
    assert_eq!(bodies[1], json!({"repository_ids": [99], "permissions": write}));
}

#[tokio::test]
async fn ten_first_calls_at_once_mint_one_token() {
    let server = Server::with_tokens(|_| issue(1)).await;
    let reader = server.github().reader(INSTALLATION, repo());
    let calls = (0..10).map(|_| {
        let reader = reader.clone();
        async move { reader.issue(1).await }
    });
    for done in futures_util::future::join_all(calls).await {
        done.unwrap();
    }
    assert_eq!(server.minted(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_five_minutes_before_it_expires() {
    let server = Server::with_tokens(|_| issue(1)).await;
    let reader = server.github().reader(INSTALLATION, repo());
    reader.issue(1).await.unwrap();
    server.clock.advance_ms(54 * 60_000);
    reader.issue(1).await.unwrap();
    assert_eq!(server.minted(), 1);
    server.clock.advance_ms(60_000);
    reader.issue(1).await.unwrap();
    assert_eq!(server.minted(), 2);
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once_and_the_call_repeated() {
    let server = Server::with_tokens(|call| match call.bearer.as_str() {
        "ghs_1" => Reply::json(401, json!({"message": "Bad credentials"})),
        _ => issue(1),
    })
    .await;
    server.github().reader(INSTALLATION, repo()).issue(1).await.unwrap();
    assert_eq!((server.minted(), server.lines().len()), (2, 2));
}

#[tokio::test]
async fn a_token_that_is_never_accepted_is_not_tried_for_ever() {
    let server = Server::with_tokens(|_| Reply::json(401, json!({"message": "Bad credentials"}))).await;
    let error = server.github().reader(INSTALLATION, repo()).issue(1).await.unwrap_err();
    assert_eq!(error, GitHubError::Unauthorized { message: "Bad credentials".to_owned() });
    assert_eq!(server.lines().len(), 2);
}

#[tokio::test]
async fn a_suspended_or_vanished_installation_is_told_apart() {
    for (status, message) in [(403, "This installation has been suspended"), (404, "Not Found")] {
        let server = Server::start(Duration::ZERO, move |_| Reply::json(status, json!({"message": message}))).await;
        let error = server.github().commenter(INSTALLATION, repo()).create(1, "hi").await.unwrap_err();
        assert_eq!((error.is_suspended(), error.installation_gone()), (status == 403, status == 404));
        assert!(!error.outcome_unknown());
    }
}

#[test]
fn a_bad_key_or_address_is_refused_at_start_without_showing_the_key() {
    for pem in ["", "hunter2", "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----"] {
        let error = GitHub::new(config("https://api.github.com", pem)).unwrap_err();
        assert!(error.to_string().contains("private key is not an RSA key in PEM"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    for url in ["", "api.github.com", "ftp://x", "https://user:pw@host", "https://host/?a=b"] {
        let error = GitHub::new(config(url, &key().0)).unwrap_err();
        assert!(error.to_string().contains("API address"), "{url}: {error}");
    }
}

#[test]
fn a_key_from_an_environment_variable_may_spell_its_line_breaks() {
    GitHub::new(config("https://api.github.com", &key().0.replace('\n', "\\n"))).unwrap();
}

#[test]
fn nothing_that_can_be_printed_shows_the_key() {
    let cfg = config("https://api.github.com", &key().0);
    let secret = &key().0[60..90];
    assert!(!format!("{cfg:?}").contains(secret));
    assert!(!format!("{:?}", GitHub::new(cfg).unwrap()).contains(secret));
}

#[tokio::test]
async fn the_tokens_of_an_installation_that_is_gone_are_dropped() {
    let server = Server::with_tokens(|_| issue(1)).await;
    let github = server.github();
    let (here, there) = (github.reader(INSTALLATION, repo()), github.reader(INSTALLATION + 1, repo()));
    for reader in [&here, &there, &here] {
        reader.issue(1).await.unwrap();
    }
    assert_eq!(server.minted(), 2);
    github.forget(INSTALLATION).await;
    there.issue(1).await.unwrap();
    assert_eq!(server.minted(), 2, "another's stays");
    here.issue(1).await.unwrap();
    assert_eq!(server.minted(), 3);
}
