//! The project on disk: its settings, its append-only store, import and export.
