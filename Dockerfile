# syntax=docker/dockerfile:1
# OWP Pool in a container: one binary, one volume, no root.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock app-manifest.yml ./
COPY .cargo ./.cargo
# The manifest names what is in there, and cargo looks whether it is.
COPY benches ./benches
COPY crates ./crates
COPY src ./src
# What cargo has downloaded and built stays for the next build. The image has no use for the sandbox.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --no-default-features --bin owp \
    && cp target/release/owp /usr/local/bin/owp

FROM debian:bookworm-slim
# The certificates are what GitHub's (and a remote PostgreSQL's) identity is checked with.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin owp \
    && install -d -o owp -g owp -m 0700 /data
COPY --from=build /usr/local/bin/owp /usr/local/bin/owp
USER owp
WORKDIR /data
VOLUME /data
# Listening off loopback needs OWP_ADMIN_TOKEN (or OWP_ADMIN_TOKEN_FILE); the program says so when it is missing.
ENV OWP_LISTEN=0.0.0.0:8787 \
    OWP_DATABASE_URL=sqlite:/data/owp.db \
    OWP_LOG=json
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["owp", "healthcheck"]
ENTRYPOINT ["owp"]
CMD ["serve"]
