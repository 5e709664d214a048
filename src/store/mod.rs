//! SQL and row mapping on SQLite and PostgreSQL. Decides nothing.
