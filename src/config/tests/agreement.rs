//! Checks that `config/default.toml`, `config/schema.json` and `config/examples/` agree with the code.

use figment::providers::{Format, Toml};

use super::*;

/// The kinds in the binary's `main`.
fn kinds_of_the_binary() -> Registry {
    let mut registry = Registry::default();
    registry.add::<connector_codex::Codex>();
    registry.add::<connector_command::Command>();
    registry.add::<connector_acp::Acp>();
    registry.add::<connector_claude::Claude>();
    registry.add::<connector_gemini::Gemini>();
    registry.add::<connector_opencode::OpenCode>();
    registry
}

#[test]
fn schema_json_matches_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/schema.json");
    let mut schema =
        serde_json::to_string_pretty(&schema(&kinds_of_the_binary())).expect("a JSON value can be written");
    schema.push('\n');
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &schema).expect("the repository is writable");
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == schema, "config/schema.json is stale: run the tests once with UPDATE_SCHEMA=1");
}

#[test]
fn every_key_has_a_comment_in_default_toml() {
    let comments = defaults::comments();
    let shape = shape::of(&kinds_of_the_binary(), &BTreeMap::from([("codex".into(), Some("codex".into()))]));
    let documented_in_common_sections = ["backends.codex.env.", "backends.codex.ceiling.", "backends.codex.workspace."];
    let keys = shape::keys(&shape);
    for key in keys.iter().filter(|key| !documented_in_common_sections.iter().any(|own| key.starts_with(own))) {
        let comment = comments.get(key).unwrap_or_else(|| panic!("`{key}` is not in default.toml"));
        assert!(
            comment.len() > 10 && comment.ends_with(['.', ':', '`', '"']),
            "`{key}`: the comment {comment:?} is not a sentence"
        );
    }
    for key in comments.keys().filter(|key| !key.starts_with("backends.")) {
        let path: Vec<_> = key.split('.').map(str::to_owned).collect();
        assert!(shape::find(&shape, &path).is_some(), "default.toml has the unknown key `{key}`");
    }
}

#[test]
fn the_schema_has_the_comment_and_the_default_of_each_key() {
    let schema = schema(&registry());
    let interval = &schema["properties"]["tasks"]["properties"]["heartbeat_interval"];
    assert_eq!(interval["description"], "The time between two heartbeats in a task's log.");
    assert_eq!((&interval["type"], &interval["default"]), (&json!("string"), &json!("30s")));
    let codex = &schema["properties"]["backends"]["properties"]["codex"]["properties"];
    assert_eq!(codex["kind"]["enum"], json!(["codex", "plain"]));
    assert_eq!(codex["env"]["properties"]["remove"]["type"], "array", "references are resolved");
    assert_eq!(codex["ceiling"]["properties"]["sandbox"]["enum"][0], "read-only");
    let rules = &schema["properties"]["backends"]["additionalProperties"]["allOf"];
    assert_eq!(rules[1]["then"]["properties"]["kind"]["const"], "plain");
    assert_eq!(rules[1]["then"]["properties"]["ceiling"]["properties"]["roots"]["type"], "array");
    assert!(!schema.to_string().contains("$ref") && !schema.to_string().contains("required\":[\"data_dir"));
}

#[test]
fn the_commented_out_examples_in_default_toml_are_valid() {
    let uncommented = defaults::TEXT.lines().map(|line| match line.strip_prefix('#') {
        Some(code) if !code.is_empty() && !code.starts_with(' ') => code,
        _ => line,
    });
    let fallback = "\n[backends.claude]\nkind = 'plain'\nprogram = 'claude'\n";
    let config = Case::new().file(uncommented.collect::<Vec<_>>().join("\n") + fallback).config();
    assert_eq!(settings(&config, "codex")["model"], "gpt-5.5");
}

/// A user who pastes it can still make calls without optional parameters.
#[test]
fn the_ceiling_in_the_readme_allows_its_own_defaults() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"))
        .expect("the repository has a README");
    let mut blocks = readme.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    let example = blocks.find(|block| block.contains("[ceiling]")).expect("the README has an example");
    let config = Case::new().file(example).config();
    let (sandbox, timeout) = (config.default_sandbox, config.policy.timeout);
    for (name, ceiling) in &config.ceilings {
        assert!(sandbox <= ceiling.sandbox, "{name}: {sandbox}");
        assert!(timeout.is_some() && timeout <= ceiling.timeout, "{name}: {timeout:?}");
    }
}

#[test]
fn every_example_loads_and_matches_the_schema() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let schema = schema(&kinds_of_the_binary());
    let mut loaded = 0;
    for example in fs::read_dir(examples).expect("the examples are in the repository") {
        let file = example.expect("the examples can be listed").path();
        let text = fs::read_to_string(&file).expect("an example can be read");
        let example: Value = Figment::from(Toml::string(&text)).extract().expect("an example is TOML");
        assert!(jsonschema::is_valid(&schema, &example), "{} does not match the schema", file.display());
        let case = Case::new().file(text);
        let config = Config::load(&case.overrides, &kinds_of_the_binary(), case.environment.into_iter());
        config.unwrap_or_else(|problems| panic!("{}: {problems}", file.display()));
        loaded += 1;
    }
    assert!(loaded >= 3, "only {loaded} examples were found");
}
