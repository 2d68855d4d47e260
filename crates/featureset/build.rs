//! Rebuilds the crate when a file is added to the embedded folders, which the macro `include_dir!` alone does not notice.

fn main() {
    for folder in ["hazards", "proofs", "registry", "../../docs/costs", "../../docs/memory"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
