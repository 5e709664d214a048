//! Use cases: load, let the pool decide, commit.
