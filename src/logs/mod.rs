//! Bytes in: the formats that logs and tables come in, templates and their masks, and text made safe to show.
