# syntax=docker/dockerfile:1
# OWP Pool in a container: one binary, one volume, no root.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# Dependencies first, against an empty program, so that a change of our own code does not compile them again.
COPY Cargo.toml Cargo.lock ./
# The manifest names what is in there, and cargo looks whether it is.
COPY benches ./benches
RUN mkdir src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked --bin owp
COPY src ./src
COPY migrations ./migrations
COPY app-manifest.yml ./
# cargo compares times, and the copied files may be older than the empty program.
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --bin owp

FROM debian:bookworm-slim
# The certificates are what GitHub's (and a remote PostgreSQL's) identity is checked with.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin owp \
    && install -d -o owp -g owp -m 0700 /data
COPY --from=build /src/target/release/owp /usr/local/bin/owp
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
