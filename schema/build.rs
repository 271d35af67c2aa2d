//! The migrations are built into the program, so a changed one is a changed program.

fn main() {
    println!("cargo::rerun-if-changed=../migrations");
}
