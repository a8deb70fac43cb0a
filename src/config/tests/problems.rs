//! Messages about invalid settings.

use super::*;

/// The problems in a file, without the lines with the next steps.
fn problems_in(file: &str) -> Vec<String> {
    let message = Case::new().file(file).problems();
    let message = message.replace("~/.codex-connector/config.toml", "FILE");
    message.lines().filter(|line| !line.starts_with("next: ")).map(str::to_owned).collect()
}

#[test]
fn a_problem_names_its_origin_its_reason_and_the_next_step() {
    let case = Case::new()
        .file("[tasks]\nheartbeet_interval = '5s'\nheartbeat_interval = 30\n")
        .variable("CODEX_CONNECTOR_TASKS__ON_SERVER_EXIT", "stop")
        .set("task.keep_events=true");
    assert_eq!(
        case.problems(),
        r#"~/.codex-connector/config.toml: unknown key `tasks.heartbeet_interval`; did you mean `tasks.heartbeat_interval`?
next: rename it to `tasks.heartbeat_interval`, or remove it
~/.codex-connector/config.toml: invalid value `30` for `tasks.heartbeat_interval`: missing unit; expected for example `"30s"` or `"2m"`
next: correct `tasks.heartbeat_interval`, or remove it to use the default (`"30s"`)
environment variable `CODEX_CONNECTOR_TASKS__ON_SERVER_EXIT`: invalid value `"stop"` for `tasks.on_server_exit`: expected one of `auto`, `interrupt`, `continue`
next: correct `CODEX_CONNECTOR_TASKS__ON_SERVER_EXIT`, or remove it to use the default (`"auto"`)
flag --set: unknown key `task.keep_events`; did you mean `tasks.keep_events`?
next: rename it to `tasks.keep_events`, or remove it"#
    );
}

#[test]
fn an_unknown_key_without_a_similar_one_lists_the_section() {
    let message = Case::new().file("colour = 'red'\n[index]\nxyzzy_xyzzy = 1\n").problems();
    assert!(
        message.contains("unknown key `colour`\nnext: remove it; valid keys: `data_dir`, `log_dir`, "),
        "{message}"
    );
    assert!(message.contains("_xyzzy`\nnext: remove it; valid keys: `index.entries`, `index.text`"), "{message}");
}

#[test]
fn a_quoted_value_is_answered_with_the_advice_to_remove_the_quotes() {
    let case = Case::new().set("logs.max_bytes=\"64KB\"");
    let message = case.problems();
    assert!(message.starts_with("flag --set: invalid value `\"64KB\"` for `logs.max_bytes`: "), "{message}");
    assert!(message.ends_with("\nnext: write the value of `--set logs.max_bytes=…` without quotes"), "{message}");
}

#[test]
fn a_key_with_too_many_parts_is_unknown_even_below_an_unknown_kind() {
    let deep = vec!["a"; 2_000].join("__");
    let case = Case::new()
        .file("[backends.x]\nkind = 'nope'\n")
        .variable(&format!("CODEX_CONNECTOR_BACKENDS__X__{deep}"), "1");
    assert!(case.problems().contains(".a.a.a`\nnext: remove it; valid keys: `backends.x.kind`"), "{}", case.problems());
}

#[test]
fn an_invalid_value_is_answered_with_the_expected_ones() {
    for (file, value, key, expected) in [
        (
            "log_level = 'loud'",
            r#""loud""#,
            "log_level",
            "expected one of `off`, `error`, `warn`, `info`, `debug`, `trace`",
        ),
        ("tasks = 5", "5", "tasks", "expected a table"),
        ("[[backends]]", "[{}]", "backends", "expected a table"),
        ("tasks.on_agent_exit = 1", "1", "tasks.on_agent_exit", "expected one of `kill`, `leave`"),
        ("tasks.keep_events = 'yes'", r#""yes""#, "tasks.keep_events", "expected `true` or `false`"),
        (
            "tasks.default_sandbox = 'full'",
            r#""full""#,
            "tasks.default_sandbox",
            "expected one of `read-only`, `workspace-write`, `danger-full-access`",
        ),
        (
            "tasks.default_backend = 'cortex'",
            r#""cortex""#,
            "tasks.default_backend",
            "expected the name of a backend: `codex`",
        ),
        ("index.entries = 0", "0", "index.entries", "expected a whole number, at least 1"),
        ("limits.max_running = -1", "-1", "limits.max_running", "expected a whole number, at least 0"),
        ("retention.max_tasks = 'off'", r#""off""#, "retention.max_tasks", "expected a whole number, at least 0"),
        (
            "retention.max_age = 30",
            "30",
            "retention.max_age",
            r#"missing unit; expected for example `"30s"` or `"2m"`"#,
        ),
        (
            "retention.max_bytes = '0MB'",
            r#""0MB""#,
            "retention.max_bytes",
            r#"must be larger than zero, such as `"500MB"` or `"1GiB"`, or `"off"` for no limit"#,
        ),
        (
            "logs.max_bytes = 1000000",
            "1000000",
            "logs.max_bytes",
            r#"missing unit; expected for example `"500MB"` or `"1GiB"`, or `"off"` for no limit"#,
        ),
        (
            "logs.max_bytes = '1KB'",
            r#""1KB""#,
            "logs.max_bytes",
            r#"must be at least `"64KB"`, or `"off"` for no limit"#,
        ),
        (
            "tools.extra = ['waits']",
            r#"["waits"]"#,
            "tools.extra",
            "expected a list of any of `wait`, `result`, `sessions`, `resume`, `diff`, `undo`, `apply`",
        ),
        (
            "tools.extra = 'wait'",
            r#""wait""#,
            "tools.extra",
            "expected a list of any of `wait`, `result`, `sessions`, `resume`, `diff`, `undo`, `apply`",
        ),
        ("index.text = -1", "-1", "index.text", "expected a whole number, at least 0"),
        (
            "tasks.heartbeat_interval = '0s'",
            r#""0s""#,
            "tasks.heartbeat_interval",
            r#"must be longer than zero, such as `"30s"` or `"2m"`"#,
        ),
        ("data_dir = 'tasks'", r#""tasks""#, "data_dir", "must be an absolute path or start with `~/`"),
        ("log_dir = '~someone/logs'", r#""~someone/logs""#, "log_dir", "must be an absolute path or start with `~/`"),
    ] {
        assert_eq!(problems_in(file), [format!("FILE: invalid value `{value}` for `{key}`: {expected}")]);
    }
}

#[test]
fn an_invalid_backend_setting_is_found_before_any_task() {
    for (file, expected) in [
        ("[backends.codex]\nmodle = 'x'", "unknown key `backends.codex.modle`; did you mean `backends.codex.model`?"),
        (
            "[backends.codex.env]\npas = ['A']",
            "unknown key `backends.codex.env.pas`; did you mean `backends.codex.env.pass`?",
        ),
        (
            "[backends.codex]\nextra_args = 'a b'",
            r#"invalid value `"a b"` for `backends.codex.extra_args`: expected a list, such as `["a", "b"]`"#,
        ),
        (
            "[backends.codex]\nextra_args = ['a', 1]",
            r#"invalid value `["a",1]` for `backends.codex.extra_args`: expected a list, such as `["a", "b"]`"#,
        ),
        (
            "[backends.fast]\nkind = 'codx'",
            r#"invalid value `"codx"` for `backends.fast.kind`: expected one of `codex`, `plain`; did you mean `codex`?"#,
        ),
        (
            "[backends.codx]\nmodel = 'm'",
            "missing key `backends.codx.kind`; expected one of `codex`, `plain`; or did you mean `backends.codex`?",
        ),
        ("[backends.p]\nkind = 'plain'", "`backends.p`: missing field `program`"),
        ("[backends.p]\nkind = 'plain'\nprogram = 'refused'", "`backends.p.program` is refused"),
        (
            "[backends.Bad]\nkind = 'codex'",
            "invalid backend name `Bad`: expected a lower-case letter, then up to 31 lower-case letters, digits, `-` or `_`",
        ),
    ] {
        assert_eq!(problems_in(file), [format!("FILE: {expected}")]);
    }
}

#[test]
fn a_fallback_without_a_section_is_rejected_and_the_message_says_how_to_add_one() {
    let problems = problems_in("[backends.codex]\nfallback = ['plain', 'codex', 'Plain']");
    let [kind, itself, other] = problems.as_slice() else { panic!("{problems:?}") };
    let how = "; to add it, write a section [backends.plain] with `kind = \"plain\"`";
    assert!(kind.ends_with(&format!(": unknown backend `plain`; `codex` is the only backend{how}")), "{kind}");
    assert!(itself.ends_with(": `codex` cannot be its own fallback; `codex` is the only backend"), "{itself}");
    assert!(other.ends_with(": unknown backend `Plain`; `codex` is the only backend"), "{other}");
}

#[test]
fn a_problem_with_a_dedicated_flag_names_that_flag() {
    let mut case = Case::new();
    case.overrides.data_dir = Some("relative/x".into());
    let message = case.problems();
    assert!(message.contains("\nnext: correct `--data-dir`, or remove it"), "{message}");
}

#[test]
fn a_problem_names_the_origin_of_a_backends_setting() {
    let case = Case::new()
        .file("[backends.p]\nkind = 'plain'\nprogram = 'good'\n")
        .variable("CODEX_CONNECTOR_BACKENDS__P__PROGRAM", "refused");
    let message = case.problems();
    assert!(
        message.starts_with("environment variable `CODEX_CONNECTOR_BACKENDS__P__PROGRAM`: `backends.p.program`"),
        "{message}"
    );
}

#[test]
fn no_secret_is_repeated() {
    for file in [
        "[backends.codex]\nenv = 'sk-secret'",
        "[backends.codex.env]\nset = 'sk-secret'",
        "[backends.codex.env]\nset = ['sk-secret']",
        "[backends.codex.env]\nset = {A = ['sk-secret']}",
        "[backends.codex.env]\nset = {A = {B = 'sk-secret'}}",
        "[backends.codex.env]\nsett = {A = 'sk-secret'}",
        "[backends.codex]\nmodle = 'x'\nenv = {set = {A = 'sk-secret'}}",
        "[backends.p]\nkind = 'plain'\nprogram = 'p'\nenv = {set = {A = 'sk-secret'}}",
        "[agent_env]\nset = {A = ['sk-secret']}",
        "[agent_env]\nset = { A = 'sk-secret }",
        "agent_env = 'sk-secret'",
    ] {
        let message = problems_in(file).join("\n");
        assert!(message.contains("FILE") && !message.contains("sk-"), "{message}");
    }
    let case = Case::new().variable("CODEX_CONNECTOR_BACKENDS__CODEX__ENV__SETT__A", "sk-secret");
    assert!(!case.problems().contains("sk-"));
}

#[test]
fn invalid_toml_is_reported_with_line_and_column() {
    assert_eq!(problems_in("[tasks\n"), ["FILE, line 1, column 7: invalid table header, expected `.`, `]`"]);
    assert_eq!(problems_in("\na = 'ä' b\n"), ["FILE, line 2, column 9: expected newline, `#`"]);
    assert_eq!(problems_in("a = 1\na = 2\n"), ["FILE, line 2, column 1: duplicate key `a` in document root"]);
    let case = Case::new().file([b'a', 0xff]);
    assert_eq!(case.problems(), "~/.codex-connector/config.toml, byte 2: not valid UTF-8\nnext: convert it to UTF-8");
}

#[test]
fn a_character_that_toml_forbids_is_reported() {
    let message = problems_in("# a\u{1} comment");
    assert_eq!(message, ["FILE, line 1, column 4: invalid TOML, perhaps an invisible character"]);
}

#[test]
fn only_a_named_file_must_exist() {
    let mut case = Case::new();
    assert!(case.load().is_ok());
    case = case.variable("CODEX_CONNECTOR_CONFIG", "/nowhere");
    let message = case.problems();
    assert_eq!(
        message,
        "/nowhere (from environment variable `CODEX_CONNECTOR_CONFIG`) does not exist\nnext: create it, or correct the path"
    );
    case.overrides.config_file = Some("/nonexistent".into());
    assert!(case.problems().starts_with("/nonexistent (from flag --config) does not exist\n"), "{}", case.problems());
    case.overrides.config_file = Some("/".into());
    let message = case.problems();
    assert!(message.starts_with("cannot read / (from flag --config): not a regular file"), "{message}");

    let case = Case::new();
    fs::create_dir_all(case.path()).expect("the test's directory is writable");
    assert!(case.problems().starts_with("cannot read ~/.codex-connector/config.toml: not a regular file"));
}

#[test]
fn an_unknown_variable_is_a_problem_but_a_foreign_one_is_not() {
    let case = Case::new().variable("CODEX_CONNECTOR_TASKS_KEEP_EVENTS", "true").variable("CODEX_HOME", "/x");
    assert_eq!(
        case.problems(),
        "environment variable `CODEX_CONNECTOR_TASKS_KEEP_EVENTS`: unknown key `tasks_keep_events`; \
         did you mean `tasks.keep_events`?\nnext: rename it to `CODEX_CONNECTOR_TASKS__KEEP_EVENTS`, or remove it"
    );
}

#[test]
fn variables_of_a_kubernetes_service_are_ignored_and_reported() {
    let of_a_service = [
        "CODEX_CONNECTOR_PORT",
        "CODEX_CONNECTOR_PORT_8080_TCP",
        "CODEX_CONNECTOR_PORT_8080_TCP_ADDR",
        "CODEX_CONNECTOR_SERVER_SERVICE_HOST",
        "CODEX_CONNECTOR_SERVICE_HOST",
        "CODEX_CONNECTOR_SERVICE_PORT",
        "CODEX_CONNECTOR_SERVICE_PORT_HTTP",
        "CODEX_CONNECTOR_VERSION",
    ];
    let case = of_a_service.iter().fold(Case::new(), |case, name| case.variable(name, "tcp://10.96.0.12:8080"));
    let config =
        Config::load(&case.overrides, &registry(), case.environment.iter().cloned()).expect("all settings are valid");
    assert_eq!(config.foreign_variables, of_a_service);
}

#[test]
fn a_misspelt_variable_is_still_a_problem() {
    for name in [
        "CODEX_CONNECTOR_TASK__KEEP_EVENTS",
        "CODEX_CONNECTOR_CEILING_SANDBOX",
        "CODEX_CONNECTOR_TASKS",
        "CODEX_CONNECTOR_LOG_LEVEL",
    ] {
        assert!(Case::new().variable(name, "7").problems().contains(name), "{name}");
    }
}

#[test]
fn values_that_are_not_text_and_invalid_assignments_are_refused() {
    use std::os::unix::ffi::OsStringExt;

    let mut case = Case::new().set("tasks.keep_events");
    case.environment.push(("CODEX_CONNECTOR_LOG_LEVEL".into(), OsString::from_vec(vec![0xff])));
    case.overrides.data_dir = Some(OsString::from_vec(vec![b'/', 0xff]).into());
    let message = case.problems();
    for expected in [
        "environment variable `CODEX_CONNECTOR_LOG_LEVEL`: not valid UTF-8",
        "flag --data-dir: not valid UTF-8",
        "invalid value for --set: expected KEY=VALUE, got `tasks.keep_events`",
    ] {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn without_a_home_directory_only_absolute_paths_are_accepted() {
    let mut case = Case::new().file("");
    case.environment = vec![("HOME".into(), "relative".into())];
    assert!(
        case.problems()
            .starts_with("cannot find the home directory for the configuration file, `~/.codex-connector/config.toml`")
    );
    case.overrides.config_file = Some(case.path());
    assert!(case.problems().starts_with("cannot find the home directory for `data_dir`"));
    case.overrides.data_dir = Some("/data".into());
    assert_eq!(case.config().log_dir, Path::new("/data/logs"));
}

#[test]
fn a_home_directory_that_is_not_utf8_is_rejected_where_it_is_needed() {
    use std::os::unix::ffi::OsStringExt;
    let mut case = Case::new().file("");
    case.environment = vec![("HOME".into(), std::ffi::OsString::from_vec(b"/home/m\xfcller".to_vec()))];
    case.overrides.config_file = Some(case.path());
    assert!(case.problems().contains(", for `data_dir`: its name is not valid UTF-8"), "{}", case.problems());
    case.overrides.data_dir = Some("/data".into());
    case.config();
}

#[test]
fn names_that_no_request_has_are_refused_for_the_http_server() {
    for (key, value) in [("allowed_origins", "foo"), ("allowed_hosts", "https://build.example/")] {
        let text = format!("[server.http]\n{key} = [\"{value}\"]\n");
        let problems = Case::new().file(&text).problems();
        assert!(problems.contains(&format!("server.http.{key}")) && problems.contains(value), "{problems}");
    }
    let valid =
        "[server.http]\nallowed_origins = [\"https://app.example\"]\nallowed_hosts = [\"build.example:8181\"]\n";
    Case::new().file(valid).config();
}
