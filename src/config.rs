//! What the program was told at start: flags, environment, `env.local` or `.env`.
