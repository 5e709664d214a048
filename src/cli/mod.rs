//! One file per subcommand; `serve` wires everything.
