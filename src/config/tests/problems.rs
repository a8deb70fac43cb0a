//! What is said about settings that are wrong.

use super::*;

/// What is said about a file, without the lines that say what to do.
fn problems_in(file: &str) -> Vec<String> {
    let message = Case::new().file(file).problems();
    let message = message.replace("~/.codex-connector/config.toml", "FILE");
    message.lines().filter(|line| !line.starts_with("next: ")).map(str::to_owned).collect()
}

#[test]
fn a_problem_says_where_what_why_and_what_next() {
    let case = Case::new()
        .file("[tasks]\nheartbeet_interval = '5s'\nheartbeat_interval = 30\n")
        .variable("CODEX_CONNECTOR_TASKS__ON_SERVER_EXIT", "stop")
        .set("task.keep_events=true");
    assert_eq!(
        case.problems(),
        r#"~/.codex-connector/config.toml: `tasks.heartbeet_interval` is no key; did you mean `tasks.heartbeat_interval`?
next: write `tasks.heartbeat_interval` instead, or take it out
~/.codex-connector/config.toml: `tasks.heartbeat_interval` is `30`, which has no unit; write it with one, such as `"30s"` or `"2m"`
next: correct `tasks.heartbeat_interval`, or take it out: it is `"30s"` then
environment variable CODEX_CONNECTOR_TASKS__ON_SERVER_EXIT: `tasks.on_server_exit` is `"stop"`; allowed: `interrupt`, `continue`
next: correct CODEX_CONNECTOR_TASKS__ON_SERVER_EXIT, or take it out: it is `"interrupt"` then
flag --set: `task.keep_events` is no key; did you mean `tasks.keep_events`?
next: write --set tasks.keep_events=… instead, or take it out"#
    );
}

#[test]
fn an_unknown_key_without_a_similar_one_lists_the_section() {
    let message = Case::new().file("colour = 'red'\n[index]\nxyzzy_xyzzy = 1\n").problems();
    assert!(message.contains("`colour` is no key\nnext: take it out; there are `data_dir`, `log_dir`, "), "{message}");
    assert!(message.contains("is no key\nnext: take it out; there are `index.entries`, `index.text`"), "{message}");
}

#[test]
fn a_key_with_too_many_parts_is_unknown_even_below_an_unknown_kind() {
    let deep = vec!["a"; 2_000].join("__");
    let case = Case::new()
        .file("[backends.x]\nkind = 'nope'\n")
        .variable(&format!("CODEX_CONNECTOR_BACKENDS__X__{deep}"), "1");
    assert!(
        case.problems().contains(".a.a.a` is no key\nnext: take it out; there are `backends.x.kind`"),
        "{}",
        case.problems()
    );
}

#[test]
fn each_invalid_value_is_answered_with_the_allowed_ones() {
    for (file, expected) in [
        ("log_level = 'loud'", r#"`log_level` is `"loud"`; allowed: `off`, `error`, `warn`, `info`, `debug`, `trace`"#),
        ("tasks = 5", "`tasks` is `5`; allowed: a table"),
        ("[[backends]]", "`backends` is `[{}]`; allowed: a table"),
        ("tasks.on_agent_exit = 1", "`tasks.on_agent_exit` is `1`; allowed: `kill`, `leave`"),
        ("tasks.keep_events = 'yes'", r#"`tasks.keep_events` is `"yes"`; allowed: `true`, `false`"#),
        (
            "tasks.default_sandbox = 'full'",
            r#"`tasks.default_sandbox` is `"full"`; allowed: `read-only`, `workspace-write`, `danger-full-access`"#,
        ),
        (
            "tasks.default_backend = 'cortex'",
            r#"`tasks.default_backend` is `"cortex"`; allowed: the name of a backend: `codex`"#,
        ),
        ("index.entries = 0", "`index.entries` is `0`; allowed: a whole number, at least 1"),
        ("limits.max_running = -1", "`limits.max_running` is `-1`; allowed: a whole number, at least 0"),
        ("retention.max_tasks = 'off'", r#"`retention.max_tasks` is `"off"`; allowed: a whole number, at least 0"#),
        (
            "retention.max_age = 30",
            r#"`retention.max_age` is `30`, which has no unit; write it with one, such as `"30s"` or `"2m"`"#,
        ),
        (
            "retention.max_bytes = '0MB'",
            r#"`retention.max_bytes` is `"0MB"`, which is too small; allowed: `"off"`, or more than nothing, such as `"500MB"` or `"1GiB"`"#,
        ),
        (
            "logs.max_bytes = 1000000",
            r#"`logs.max_bytes` is `1000000`, which has no unit; write it with one, such as `"500MB"` or `"1GiB"`, or `"off"`"#,
        ),
        (
            "logs.max_bytes = '1KB'",
            r#"`logs.max_bytes` is `"1KB"`, which is too small; allowed: `"off"`, or at least `"64KB"`"#,
        ),
        (
            "tools.extra = ['waits']",
            r#"`tools.extra` is `["waits"]`; allowed: a list of any of `wait`, `result`, `sessions`, `resume`"#,
        ),
        (
            "tools.extra = 'wait'",
            r#"`tools.extra` is `"wait"`; allowed: a list of any of `wait`, `result`, `sessions`, `resume`"#,
        ),
        ("index.text = -1", "`index.text` is `-1`; allowed: a whole number, at least 0"),
        (
            "tasks.heartbeat_interval = '0s'",
            r#"`tasks.heartbeat_interval` is `"0s"`, which is too short; allowed: more than nothing, such as `"30s"` or `"2m"`"#,
        ),
        (
            "data_dir = 'tasks'",
            r#"`data_dir` is `"tasks"`, which is a relative path; allowed: an absolute path, or one that begins with `~/`"#,
        ),
        (
            "log_dir = '~someone/logs'",
            r#"`log_dir` is `"~someone/logs"`, which is a relative path; allowed: an absolute path, or one that begins with `~/`"#,
        ),
    ] {
        assert_eq!(problems_in(file), [format!("FILE: {expected}")]);
    }
}

#[test]
fn an_invalid_backend_setting_is_found_before_any_task() {
    for (file, expected) in [
        ("[backends.codex]\nmodle = 'x'", "`backends.codex.modle` is no key; did you mean `backends.codex.model`?"),
        (
            "[backends.codex.env]\npas = ['A']",
            "`backends.codex.env.pas` is no key; did you mean `backends.codex.env.pass`?",
        ),
        (
            "[backends.codex]\nextra_args = 'a b'",
            r#"`backends.codex.extra_args` is `"a b"`; allowed: a list, such as `["a", "b"]`"#,
        ),
        (
            "[backends.codex]\nextra_args = ['a', 1]",
            r#"`backends.codex.extra_args` is `["a",1]`; allowed: a list, such as `["a", "b"]`"#,
        ),
        ("[backends.fast]\nkind = 'codx'", r#"`backends.fast.kind` is `"codx"`; allowed: `codex`, `plain`"#),
        (
            "[backends.codx]\nmodel = 'm'",
            "`backends.codx.kind` is missing; allowed: `codex`, `plain`; or did you mean `backends.codex`?",
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
fn a_fallback_without_a_section_is_reported_with_how_to_add_one() {
    let problems = problems_in("[backends.codex]\nfallback = ['plain', 'codex', 'Plain']");
    let [kind, itself, other] = problems.as_slice() else { panic!("{problems:?}") };
    let how = "; to add it, write a section [backends.plain] with `kind = \"plain\"`";
    assert!(kind.ends_with(&format!("`plain` is not another backend; `codex` is the only one{how}")), "{kind}");
    assert!(itself.ends_with("`codex` is not another backend; `codex` is the only one"), "{itself}");
    assert!(other.ends_with("`Plain` is not another backend; `codex` is the only one"), "{other}");
}

#[test]
fn a_problem_with_a_dedicated_flag_names_that_flag() {
    let mut case = Case::new();
    case.overrides.data_dir = Some("relative/x".into());
    let message = case.problems();
    assert!(message.contains("\nnext: correct --data-dir, or take it out"), "{message}");
}

#[test]
fn a_problem_names_the_layer_that_a_backends_setting_comes_from() {
    let case = Case::new()
        .file("[backends.p]\nkind = 'plain'\nprogram = 'good'\n")
        .variable("CODEX_CONNECTOR_BACKENDS__P__PROGRAM", "refused");
    let message = case.problems();
    assert!(
        message.starts_with("environment variable CODEX_CONNECTOR_BACKENDS__P__PROGRAM: `backends.p.program`"),
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
    assert_eq!(case.problems(), "~/.codex-connector/config.toml, byte 2: this is not UTF-8\nnext: write it in UTF-8");
}

#[test]
fn a_character_that_toml_forbids_is_named() {
    let message = problems_in("# a\u{1} comment");
    assert_eq!(message, ["FILE, line 1, column 4: not TOML, perhaps an invisible character"]);
}

#[test]
fn only_a_named_file_must_exist() {
    let mut case = Case::new();
    assert!(case.load().is_ok());
    case = case.variable("CODEX_CONNECTOR_CONFIG", "/nowhere");
    let message = case.problems();
    assert!(message.starts_with("cannot read /nowhere, named by environment variable CODEX_CONNECTOR_CONFIG: No such"));
    case.overrides.config_file = Some("/".into());
    let message = case.problems();
    assert!(message.starts_with("cannot read /, named by flag --config: not a regular file"), "{message}");

    let case = Case::new();
    fs::create_dir_all(case.path()).expect("the test's directory is writable");
    assert!(case.problems().starts_with("cannot read ~/.codex-connector/config.toml: not a regular file"));
}

#[test]
fn an_unknown_variable_is_a_problem_but_a_foreign_one_is_not() {
    let case = Case::new().variable("CODEX_CONNECTOR_TASKS_KEEP_EVENTS", "true").variable("CODEX_HOME", "/x");
    assert_eq!(
        case.problems(),
        "environment variable CODEX_CONNECTOR_TASKS_KEEP_EVENTS: `tasks_keep_events` is no key; \
         did you mean `tasks.keep_events`?\nnext: write CODEX_CONNECTOR_TASKS__KEEP_EVENTS instead, or take it out"
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
        Config::load(&case.overrides, &registry(), case.environment.iter().cloned()).expect("no setting is bad");
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
        "environment variable CODEX_CONNECTOR_LOG_LEVEL: this is not UTF-8",
        "flag --data-dir: this is not UTF-8",
        "flag --set: `tasks.keep_events` is no assignment",
    ] {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn without_a_home_directory_only_absolute_paths_are_accepted() {
    let mut case = Case::new().file("");
    case.environment = vec![("HOME".into(), "relative".into())];
    assert!(
        case.problems().starts_with("no home directory for the configuration file, `~/.codex-connector/config.toml`")
    );
    case.overrides.config_file = Some(case.path());
    assert!(case.problems().starts_with("no home directory for `data_dir`"));
    case.overrides.data_dir = Some("/data".into());
    assert_eq!(case.config().log_dir, Path::new("/data/logs"));
}

#[test]
fn a_home_directory_that_is_not_utf8_is_refused_where_it_is_needed() {
    use std::os::unix::ffi::OsStringExt;
    let mut case = Case::new().file("");
    case.environment = vec![("HOME".into(), std::ffi::OsString::from_vec(b"/home/m\xfcller".to_vec()))];
    case.overrides.config_file = Some(case.path());
    assert!(case.problems().contains("cannot be used for `data_dir`: its name is not UTF-8"), "{}", case.problems());
    case.overrides.data_dir = Some("/data".into());
    case.config();
}
