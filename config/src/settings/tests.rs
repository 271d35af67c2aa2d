//! The settings as a person meets them: what is written, what comes of it, and what an error says.

use std::collections::BTreeSet;

use super::*;

fn load(local: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("local.toml");
    std::fs::write(&file, local).expect("writable");
    Settings::load_with(Some(&file), environment.iter().map(|(name, value)| (name.into(), value.into())))
}

fn error(local: &str, environment: &[(&str, &str)]) -> String {
    load(local, environment).expect_err("must be refused").to_string()
}

/// The example of a `[[source]]` that `default.toml` holds in a comment.
fn example_source() -> String {
    let (_, example) = DEFAULTS.split_once("# [[source]]\n").expect("an example");
    let lines = example.lines().map(|line| line.trim_start_matches("# "));
    std::iter::once("[[source]]").chain(lines).collect::<Vec<_>>().join("\n")
}

fn keys(table: &toml::Table) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for (section, value) in table {
        let entries = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for key in entries.iter().filter_map(toml::Value::as_table).flat_map(toml::Table::keys) {
            keys.insert(format!("{section}.{key}"));
        }
    }
    keys
}

#[test]
fn default_toml_and_the_structs_have_the_same_keys() {
    let text = format!("{DEFAULTS}\n{}", example_source());
    let written = keys(&text.parse().expect("valid TOML"));
    let settings = load(&example_source(), &[]).expect("the example is valid");
    let typed = keys(&settings.effective_toml().parse().expect("valid TOML"));
    assert_eq!(written, typed);
    let known: BTreeSet<_> = layers::known_keys().into_iter().filter(|key| key.contains('.')).collect();
    assert_eq!(written, known);
}

#[test]
fn defaults_are_the_documented_ones() {
    let settings = Settings::load_with(None, []).expect("the defaults are valid");
    assert_eq!(settings.server.http_address().to_string(), "127.0.0.1:8080");
    assert_eq!(settings.database.reader(), &settings.database.url);
    assert_eq!(settings.cache.budget_bytes, 256 << 20);
    assert!(settings.sources().is_empty());
}

#[test]
fn the_environment_lies_over_the_file_and_the_file_over_the_defaults() {
    let file = "[server]\nport = 1\ngrpc_port = 2";
    let settings = load(file, &[("CHERT__SERVER__PORT", "3"), ("HOME", "/"), ("CHERT_PG", "auto")]).expect("valid");
    assert_eq!((settings.server.port, settings.server.grpc_port), (3, 2));
    assert_eq!(settings.indexer.batch_size, 100);
}

#[test]
fn text_from_the_environment_is_taken_as_it_is() {
    let settings = load("", &[("CHERT__TELEMETRY__LOG_FILTER", "5"), ("CHERT__CHAIN__RPC_URL", "http://a:1/x?y=[1]")]);
    let settings = settings.expect("valid");
    assert_eq!(settings.telemetry.log_filter, "5");
    assert_eq!(settings.sources()[0].url.expose(), "http://a:1/x?y=[1]");
}

#[test]
fn sources_can_come_from_the_environment() {
    let list = r#"[{ name = "a", kind = "chert", url = "http://a" }]"#;
    let settings = load("", &[("CHERT__SOURCE", list)]).expect("valid");
    assert_eq!(settings.sources()[0].name.as_str(), "a");
}

#[test]
fn unknown_keys_are_named_with_their_place_and_the_nearest_known_one() {
    let text = error("[server]\nprot = 1", &[]);
    assert!(text.contains("`server.prot`") && text.contains("local.toml") && text.contains("`server.port`"), "{text}");
    let text = error("[sever]\nport = 1", &[]);
    assert!(text.contains("`sever`") && text.contains("`server`"), "{text}");
    let text = error("[server]\nbatch_size = 1", &[]);
    assert!(text.contains("`indexer.batch_size`"), "{text}");
    let text = error("", &[("CHERT__INDEXER__BATCHSIZE", "1")]);
    assert!(text.contains("CHERT__INDEXER__BATCHSIZE") && text.contains("`indexer.batch_size`"), "{text}");
    let text = error("[[source]]\nname = \"a\"\nkind = \"chert\"\nurl = \"http://a\"\nrequire = true", &[]);
    assert!(text.contains("`source.require`") && text.contains("`source.required`"), "{text}");
}

#[test]
fn bad_types_name_key_place_and_type() {
    let text = error("[server]\nport = \"eighty\"", &[]);
    assert!(text.contains("`server.port`") && text.contains("local.toml") && text.contains("65535"), "{text}");
    let text = error("", &[("CHERT__SERVER__PORT", "70000")]);
    assert!(text.contains("CHERT__SERVER__PORT") && text.contains("65535") && text.contains("70000"), "{text}");
    let text = error("indexer = 5", &[]);
    assert!(text.contains("`indexer`") && text.contains("a section"), "{text}");
    let text = error("[telemetry]\nlog_format = \"xml\"", &[]);
    assert!(text.contains("`telemetry.log_format`") && text.contains("auto, json, text"), "{text}");
    let text = error("[[source]]\nname = \"a\"\nkind = \"chert\"\nurl = \"http://a\"\nrequired = 1", &[]);
    assert!(text.contains("`source[0].required`") && text.contains("local.toml"), "{text}");
}

#[test]
fn values_out_of_bounds_are_refused() {
    let text = error("[indexer]\nbatch_size = 0", &[]);
    assert!(text.contains("`indexer.batch_size`") && text.contains("local.toml"), "{text}");
    assert!(error("[database]\nmin_connections = 101", &[]).contains("max_connections"));
    assert!(error("[database]\nurl = \"mysql://x\"", &[]).contains("`database.url`"));
    assert!(error("port = [", &[]).contains("local.toml"));
}

#[test]
fn sources_are_checked() {
    let source = |name: &str, rest: &str| format!("[[source]]\nname = \"{name}\"\nkind = \"chert\"\n{rest}\n");
    let url = "url = \"http://a\"";
    assert!(error(&source("A", url), &[]).contains("`source[0].name`"));
    assert!(error(&source("", url), &[]).contains("1 to 32"));
    assert!(error(&source(&"a".repeat(33), url), &[]).contains("1 to 32"));
    assert!(error(&source("a", "url = \"ftp://a\""), &[]).contains("http://"));
    assert!(error(&source("a", ""), &[]).contains("`source[0].url`"));
    assert!(error(&source("a", url).repeat(2), &[]).contains("two sources have the name \"a\""));
    let registry = format!("{url}\nidentities = \"registry\"");
    assert!(error(&source("a", &registry), &[]).contains("cannot be read yet"));
}

#[test]
fn a_clock_skew_is_a_number_of_seconds_and_0_allows_any_time() {
    let source = |line: &str| format!("[[source]]\nname = \"a\"\nkind = \"chert\"\nurl = \"http://a\"\n{line}\n");
    let limit = |line: &str| load(&source(line), &[]).expect("valid").sources()[0].max_clock_skew_secs.limit();
    let seconds = |seconds| Some(std::time::Duration::from_secs(seconds));
    assert_eq!(limit(""), seconds(7_200));
    assert_eq!(limit("max_clock_skew_secs = 1"), seconds(1));
    assert_eq!(limit("max_clock_skew_secs = 31622400"), seconds(31_622_400));
    assert_eq!(limit("max_clock_skew_secs = 0"), None);
    let shorthand = load("[chain]\nrpc_url = \"http://a\"", &[]).expect("valid");
    assert_eq!(shorthand.sources()[0].max_clock_skew_secs.limit(), seconds(7_200));
    for value in ["-1", "1.5", "\"2 h\"", "true", "31622401", "4294967296", "9223372036854775807"] {
        let text = error(&source(&format!("max_clock_skew_secs = {value}")), &[]);
        assert!(text.contains("`source[0].max_clock_skew_secs`") && text.contains("local.toml"), "{value}: {text}");
    }
    let written = load(&source("max_clock_skew_secs = 0"), &[]).expect("valid").effective_toml();
    assert!(written.contains("max_clock_skew_secs = 0"), "{written}");
    assert_eq!(load(&written, &[]).expect("valid").sources()[0].max_clock_skew_secs.limit(), None);
}

#[test]
fn the_shorthand_counts_only_without_sources() {
    let shorthand = "[chain]\nrpc_url = \"http://node:1\"\nsync_from_block = 7\n";
    let sources = load(shorthand, &[]).expect("valid").sources();
    assert_eq!((sources[0].name.as_str(), sources[0].sync_from_block, sources.len()), ("chert", 7, 1));
    let sources = load(&format!("{shorthand}{}", example_source()), &[]).expect("valid").sources();
    assert_eq!((sources[0].name.as_str(), sources.len()), ("main", 1));
}

#[test]
fn no_password_is_printed() {
    let url = "postgres://u:hush1@h/db?password=hush2&sslmode=disable";
    let node = "http://u:hush3@h/?api_key=hush4";
    let settings = load("", &[("CHERT__DATABASE__URL", url), ("CHERT__CHAIN__RPC_URL", node)]).expect("valid");
    let printed = format!("{} {settings:?} {}", settings.effective_toml(), settings.database.url);
    assert!(!printed.contains("hush"), "{printed}");
    assert!(printed.contains("postgres://u:***@h/db?password=***&sslmode=disable"), "{printed}");
    assert_eq!(settings.database.url.expose(), url);
    let text = error("", &[("CHERT__DATABASE__URL", "postgres://u:hu/sh@h:x/db")]);
    assert!(!text.contains("hu/sh"), "{text}");
}
