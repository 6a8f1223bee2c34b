//! Letters by post: into the file store when they leave, and from there into batches for printing.

pub mod batch;
mod bundle;
pub mod tray;
