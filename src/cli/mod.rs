//! The command line: one file per subcommand, each a thin shell around the rooms below.
