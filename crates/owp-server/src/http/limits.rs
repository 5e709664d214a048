//! Rate limits per token and per address: token buckets with steady refill. Health, metrics and the webhook endpoint
//! are exempt. Buckets are per process; each replica has its own.

use super::ApiState;
use super::auth::token;
use super::problem::{Failure, later};
use crate::wire::ProblemKind;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use owp_config::{IpRange, RateLimit};
use owp_pool::Span;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const LEFT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// Factor between the limits of an address and of a token: many clients may share an address.
const ADDRESS_SHARE: u32 = 10;
/// Number of buckets above which full ones are removed; a full bucket equals a missing one. Removing the least recently
/// used one instead would let a flood of made-up tokens refill an empty bucket.
const BUCKETS_MANY: usize = 20_000;
const FREE: [&str; 4] = ["/healthz", "/livez", "/readyz", "/metrics"];

/// The server's buckets.
pub(super) struct Limiter {
    limit: RateLimit,
    proxies: Vec<IpRange>,
    buckets: Mutex<HashMap<[u8; 16], Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    calls: f64,
    filled_at: Duration,
}

/// The result of taking a call from a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Taken {
    name: &'static str,
    limit: RateLimit,
    /// Remaining whole calls.
    left: u32,
    /// Seconds until the bucket is full.
    full_in: f64,
    /// Seconds until the next call, if none is left.
    wait: Option<f64>,
}

impl Limiter {
    pub(super) fn new(limit: RateLimit, proxies: Vec<IpRange>) -> Self {
        Self { limit, proxies, buckets: Mutex::new(HashMap::new()) }
    }

    fn take(&self, name: &'static str, who: &[u8], limit: RateLimit, now: Duration) -> Taken {
        let mut key = [0; 16];
        let digest = Sha256::digest([name.as_bytes(), b"\n", who].concat());
        key.copy_from_slice(&digest[..16]);
        let (rate, most) = (f64::from(limit.per_second), f64::from(limit.burst));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MANY && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| now.saturating_sub(bucket.filled_at).as_secs_f64() * rate < most);
            if buckets.len() >= BUCKETS_MANY * 5 {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { calls: most, filled_at: now });
        let passed = now.saturating_sub(bucket.filled_at).as_secs_f64();
        let calls = passed.mul_add(rate, bucket.calls).min(most);
        let wait = (calls < 1.0).then(|| (1.0 - calls) / rate);
        let calls = if wait.is_some() { calls } else { calls - 1.0 };
        *bucket = Bucket { calls, filled_at: now };
        Taken { name, limit, left: whole(calls), full_in: (most - calls) / rate, wait }
    }

    /// Takes a call from its buckets: the address's, then the token's. The first empty one decides.
    fn check(&self, headers: &HeaderMap, extensions: &Extensions, now: Duration) -> Option<Taken> {
        let address = sender(&self.proxies, headers, extensions);
        let of_address = address.map(|address| {
            let limit = self.limit;
            let share = RateLimit {
                per_second: limit.per_second.saturating_mul(ADDRESS_SHARE),
                burst: limit.burst.saturating_mul(ADDRESS_SHARE),
            };
            self.take("address", &neighbourhood(address), share, now)
        });
        if of_address.is_some_and(|taken| taken.wait.is_some()) {
            return of_address;
        }
        // Counts every credential sent: otherwise a made-up one would move the call to a bucket of its own.
        let bearer = headers.get(AUTHORIZATION).map(|raw| token(headers).map_or(raw.as_bytes(), str::as_bytes));
        let mut taken = of_address;
        for token in [headers.get("x-admin-token").map(HeaderValue::as_bytes), bearer].into_iter().flatten() {
            taken = Some(self.take("token", token, self.limit, now));
            if taken.is_some_and(|taken| taken.wait.is_some()) {
                break;
            }
        }
        taken
    }
}

impl ApiState {
    /// Returns the client address of a request.
    pub(super) fn address(&self, parts: &Parts) -> Option<IpAddr> {
        sender(&self.engine.settings().trusted_proxies, &parts.headers, &parts.extensions)
    }

    /// Returns the key that requests of one client share, see [`neighbourhood`].
    pub(super) fn neighbourhood(&self, parts: &Parts) -> Option<Vec<u8>> {
        self.address(parts).map(neighbourhood)
    }
}

/// Returns true if this address is a trusted proxy.
pub(super) fn is_trusted(proxies: &[IpRange], address: IpAddr) -> bool {
    proxies.iter().any(|range| range.contains(address))
}

fn sender(proxies: &[IpRange], headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(client(proxies, peer.ip(), headers))
}

/// Determines the client's address. If a trusted proxy sent the request, it is the last address in `X-Forwarded-For`
/// that is not a trusted proxy; otherwise the peer. Proxies append on the right, so the header is read from there; what
/// is left of an invalid entry was written by the client.
fn client(proxies: &[IpRange], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let trusted = |address| is_trusted(proxies, address);
    if !trusted(peer) {
        return peer.to_canonical();
    }
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().map(|line| line.to_str().unwrap_or("?")).collect();
    let told = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let addresses = told.map_while(|address| address.trim().parse::<IpAddr>().ok());
    let mut nearest = peer;
    for address in addresses {
        nearest = address;
        if !trusted(address) {
            break;
        }
    }
    nearest.to_canonical()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a burst, which is a u32")]
fn whole(calls: f64) -> u32 {
    calls.max(0.0) as u32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a bucket, rounded up")]
fn round_up(secs: f64) -> u64 {
    secs.ceil().max(1.0) as u64
}

/// Returns the key of a client: an IPv4 address, or a /64 of IPv6. A dual-stack socket shows all IPv4 addresses in one
/// /64, although they are different clients.
pub(super) fn neighbourhood(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[..8].to_vec(),
    }
}

/// Enforces the rate limits and reports the remaining quota (draft-ietf-httpapi-ratelimit-headers).
pub(super) async fn check(State(api): State<ApiState>, request: Request, next: Next) -> Response {
    let Some(limiter) = api.limiter.as_ref().filter(|_| !FREE.contains(&request.uri().path())) else {
        return next.run(request).await;
    };
    let Some(taken) = limiter.check(request.headers(), request.extensions(), api.engine.store().clock().steady())
    else {
        return next.run(request).await;
    };
    let mut response = match taken.wait {
        None => next.run(request).await,
        Some(secs) => {
            let words = format!(
                "More calls came than one {} may make: {} per second, {} at once.",
                taken.name, taken.limit.per_second, taken.limit.burst
            );
            let wait = i64::try_from(round_up(secs)).unwrap_or(i64::MAX);
            later(Failure::new(ProblemKind::RateLimited, words), Span::secs(wait))
        }
    };
    let window = taken.limit.burst.div_ceil(taken.limit.per_second);
    let policy = format!("\"{}\";q={};w={window}", taken.name, taken.limit.burst);
    let left = format!("\"{}\";r={};t={}", taken.name, taken.left, round_up(taken.full_in));
    for (name, value) in [(POLICY, policy), (LEFT, left)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(proxies: &str) -> Limiter {
        Limiter::new(RateLimit { per_second: 2, burst: 4 }, IpRange::parse_list(proxies).unwrap())
    }

    fn bearer(token: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::try_from(token).unwrap())])
    }

    #[test]
    fn a_token_may_make_its_burst_and_then_what_is_refilled() {
        let (limiter, begin) = (limiter(""), Duration::from_secs(7));
        let call = |token: &str, ms: u64| {
            limiter.check(&bearer(token), &Extensions::new(), begin + Duration::from_millis(ms)).unwrap()
        };
        let lefts: Vec<u32> = (0..4).map(|_| call("Bearer a", 0).left).collect();
        assert_eq!(lefts, [3, 2, 1, 0]);
        let held_back = call("Bearer a", 100);
        assert!(held_back.wait.is_some_and(|secs| (0.39..0.41).contains(&secs)), "{held_back:?}");
        assert_eq!(round_up(0.4), 1, "rounded up");
        assert_eq!(call("Bearer b", 100).wait, None, "every token has its own");
        assert_eq!(call("Bearer a", 600).wait, None);
        assert_eq!(call("Bearer a", 60_000).left, 3, "never more than the burst");
    }

    #[test]
    fn a_token_has_one_bucket_however_it_is_spelled_and_whatever_is_sent_beside_it() {
        let (limiter, now) = (limiter(""), Duration::from_secs(7));
        let mut waits = 0;
        for n in 0..6 {
            let mut headers = bearer(["Bearer a", "bearer  a "][n % 2]);
            headers.insert("x-admin-token", HeaderValue::try_from(format!("guess {n}")).unwrap());
            waits += usize::from(limiter.check(&headers, &Extensions::new(), now).unwrap().wait.is_some());
        }
        assert_eq!(waits, 2, "a burst of 4");
    }

    #[test]
    fn an_address_may_make_ten_times_as_many_whatever_tokens_it_sends() {
        let (limiter, now) = (limiter(""), Duration::from_secs(7));
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 5_000))));
        let waits = (0..41).filter(|n| {
            let taken = limiter.check(&bearer(&format!("Bearer {n}")), &extensions, now).unwrap();
            taken.wait.is_some() && taken.name == "address"
        });
        assert_eq!(waits.count(), 1);
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_about_an_address() {
        let limiter = limiter("10.0.0.0/8");
        let forwarded = HeaderMap::from_iter([(
            HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_static("1.1.1.1, 2.2.2.2, 10.0.0.9"),
        )]);
        let client = |peer: &str, headers: &HeaderMap| {
            super::client(&limiter.proxies, peer.parse().unwrap(), headers).to_string()
        };
        assert_eq!(client("10.0.0.1", &forwarded), "2.2.2.2", "what the client wrote itself is not believed");
        assert_eq!(client("3.3.3.3", &forwarded), "3.3.3.3");
        let odd = |text: &'static str| {
            HeaderMap::from_iter([(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_static(text))])
        };
        assert_eq!(client("10.0.0.1", &odd("1.1.1.1, x, 2.2.2.2")), "2.2.2.2", "not even behind what is no address");
        assert_eq!(client("10.0.0.1", &odd("1.1.1.1, x")), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &HeaderMap::new()), "10.0.0.1");
        assert_eq!(neighbourhood("2001:db8::1".parse().unwrap()), neighbourhood("2001:db8::2".parse().unwrap()));
    }
}
