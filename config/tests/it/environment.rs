//! Variables that mean nothing are named. Each runs in a process of its own, because the environment is global.

use std::process::Command;

/// Runs one test of this program again, with another environment, and returns what it printed.
pub fn rerun(test: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture"]).envs(variables.iter().copied());
    command
}

/// Not a test of its own: the body that `nonsense_is_refused` runs with other variables.
#[tokio::test]
async fn report_database() {
    if std::env::var_os("CONFIG_TEST_CHILD").is_none() {
        return;
    }
    let database = config::postgres::testing::test_database("empty", async |_| Ok::<(), String>(())).await;
    assert!(database.name().starts_with("t_"));
}

fn refusal(name: &str, value: &str) -> String {
    let mut child = rerun("environment::report_database", &[("CONFIG_TEST_CHILD", "1")]);
    child.env_remove("DATABASE_URL").env_remove("TEST_PG").env(name, value);
    let output = child.output().expect("runs");
    assert!(!output.status.success());
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn nonsense_is_refused() {
    let text = refusal("CHERT_PG", "nonsense");
    assert!(text.contains("CHERT_PG is \"nonsense\"; it may be auto, system or fetch"), "{text}");
    let text = refusal("TEST_PG", "nonsense");
    assert!(text.contains("TEST_PG is \"nonsense\""), "{text}");
}

#[test]
fn a_container_without_an_engine_fails() {
    let mut child = rerun("environment::report_database", &[("CONFIG_TEST_CHILD", "1"), ("TEST_PG", "container")]);
    let output = child.env("DOCKER_HOST", "unix:///nonexistent/engine.sock").output().expect("runs");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success() && text.contains("TEST_PG=container, but there is no container"), "{text}");
}
