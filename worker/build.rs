//! Rebuilds the crate when a template folder appears or goes: the folders are embedded, and nothing
//! else in the source names them.

fn main() {
    println!("cargo::rerun-if-changed=templates");
}
