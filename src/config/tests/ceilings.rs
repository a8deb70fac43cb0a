//! Ceilings as users write them, and the resulting rules.

use super::*;

fn ceiling<'a>(config: &'a Config, backend: &str) -> &'a Ceiling {
    config.ceilings.get(&BackendName::new(backend).expect("the name is valid")).expect("the backend is configured")
}

#[test]
fn there_is_no_ceiling_by_default() {
    let config = Case::new().config();
    let default = ceiling(&config, "codex").clone();
    assert_eq!(Ceiling { origins: BTreeMap::new(), ..default }, Ceiling::default());
}

#[test]
fn a_backends_own_rule_replaces_the_common_one_in_any_layer() {
    let case = Case::new()
        .file(
            "[ceiling]\nsandbox = 'read-only'\ntimeout = '1h'\nroots = ['/srv', '~/work']\n\
             [backends.codex.ceiling]\nsandbox = 'workspace-write'\nmodels = ['gpt-5*', 'o3']\n\
             [backends.fast]\nkind = 'codex'\nceiling = {timeout = 'off', roots = []}\n",
        )
        .variable("CODEX_CONNECTOR_CEILING__SANDBOX", "danger-full-access")
        .variable("CODEX_CONNECTOR_BACKENDS__FAST__CEILING__MODELS", "['m']");
    let config = case.config();
    let codex = ceiling(&config, "codex");
    assert_eq!(codex.sandbox, Sandbox::WorkspaceWrite);
    assert_eq!(codex.timeout, Some(Duration::from_secs(3600)));
    assert_eq!(codex.roots, [PathBuf::from("/srv"), case.home.path().join("work")]);
    assert!(codex.models.iter().any(|model| model.matches("gpt-5.5")));
    let fast = ceiling(&config, "fast");
    assert_eq!((fast.sandbox, fast.timeout, fast.roots.len()), (Sandbox::DangerFullAccess, None, 0));
    assert_eq!(fast.models[0].0, "m");
    for backend in ["codex", "fast"] {
        assert!(settings(&config, backend).get("ceiling").is_none(), "a kind never sees the ceiling");
    }
}

#[test]
fn each_rule_records_its_origin() {
    let case = Case::new()
        .file("[ceiling]\nsandbox = 'read-only'\n[backends.codex.ceiling]\ntimeout = '1h'\n")
        .variable("CODEX_CONNECTOR_CEILING__MODELS", "['m']");
    let config = case.config();
    let origins = &ceiling(&config, "codex").origins;
    let origin = |key: &str| (origins[key].key.as_str(), origins[key].place.clone());
    assert_eq!(origin("sandbox"), ("ceiling.sandbox", case.path().display().to_string()));
    assert_eq!(origin("timeout"), ("backends.codex.ceiling.timeout", case.path().display().to_string()));
    assert_eq!(origin("models"), ("ceiling.models", "environment variable `CODEX_CONNECTOR_CEILING__MODELS`".into()));
    assert_eq!(origin("roots"), ("ceiling.roots", "the built-in default.toml".into()));
}

#[test]
fn an_invalid_ceiling_is_reported_in_any_layer() {
    let plain = "[backends.p]\nkind = 'plain'\nprogram = 'p'\nceiling";
    for (section, key) in [("ceiling", "ceiling"), (plain, "backends.p.ceiling")] {
        for (rule, expected) in [
            (
                "sandbox = 'full'",
                r#"invalid value `"full"` for `KEY.sandbox`: expected one of `read-only`, `workspace-write`, `danger-full-access`"#,
            ),
            ("sandbx = 'read-only'", "unknown key `KEY.sandbx`; did you mean `KEY.sandbox`?"),
            ("roots = '/srv'", r#"invalid value `"/srv"` for `KEY.roots`: expected a list, such as `["a", "b"]`"#),
            (
                "roots = ['/srv', 'src']",
                r#"invalid value `["/srv","src"]` for `KEY.roots`: `src` must be an absolute path or start with `~/`"#,
            ),
            (
                "timeout = 30",
                r#"invalid value `30` for `KEY.timeout`: missing unit; expected for example `"30s"` or `"2m"`"#,
            ),
            ("models = [5]", r#"invalid value `[5]` for `KEY.models`: expected a list, such as `["a", "b"]`"#),
        ] {
            let expected = expected.replace("KEY", key);
            let another = "[backends.fast]\nkind = 'codex'\n";
            let case = Case::new().file(format!("{section} = {{{rule}}}\n{another}"));
            let message = case.problems();
            assert!(message.starts_with(&format!("~/.codex-connector/config.toml: {expected}\nnext: ")), "{message}");
            assert_eq!(message.lines().count(), 2, "the problem is reported once:\n{message}");
        }
    }
}

#[test]
fn a_root_below_home_requires_a_home_directory() {
    let mut case = Case::new().file("").set("ceiling.roots=['~/work']").set("data_dir=/data");
    case.overrides.config_file = Some(case.path());
    case.environment.clear();
    assert!(case.problems().starts_with("cannot find the home directory for `ceiling.roots`"), "{}", case.problems());
}
