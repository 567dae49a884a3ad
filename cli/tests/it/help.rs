//! Help, versions and completion.

use crate::program::Program;

#[test]
fn help_shows_examples() {
    let said = Program::new().run(["--help"]);
    assert_eq!(said.code, 0);
    for part in ["Examples:", "longshore apply -f table.yaml", "--data-dir", "never from a manifest"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
}

#[test]
fn every_shell_has_a_completion() {
    for shell in ["bash", "zsh", "fish"] {
        let said = Program::new().run(["completion", shell]);
        assert_eq!(said.code, 0);
        assert!(said.out.contains("longshore"), "{shell}");
    }
}

#[test]
fn wrong_usage_ends_with_2() {
    assert_eq!(Program::new().run(["apply"]).code, 2);
    assert_eq!(Program::new().run(["get", "pods"]).code, 2);
}
