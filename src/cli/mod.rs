//! One file per subcommand; `serve` wires everything.

pub mod sandbox;
