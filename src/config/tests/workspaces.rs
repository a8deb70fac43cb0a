//! Settings of `[workspace]` as users write them, and their effect.

use super::*;
use crate::task::{Parallel, Snapshots, TreeUse, WorkspaceSpec};

fn workspace<'a>(config: &'a Config, backend: &str) -> &'a WorkspaceSpec {
    config.workspaces.get(&BackendName::new(backend).expect("the name is valid")).expect("the backend is configured")
}

#[test]
fn by_default_snapshots_are_taken_and_tasks_work_in_place() {
    let case = Case::new();
    let spec = case.config().workspace;
    assert_eq!((spec.snapshots, spec.tree, spec.parallel), (Snapshots::Auto, TreeUse::Never, Parallel::Warn));
    assert_eq!((spec.max_file, spec.trees_max_bytes, spec.symlink.len()), (10_000_000, None, 0));
    assert_eq!(spec.trees_dir, case.home.path().join(".local/state/codex-connector/trees"));
}

#[test]
fn a_backends_own_workspace_replaces_the_common_one_in_any_layer() {
    let case = Case::new()
        .file(
            "[workspace]\nsnapshots = 'off'\nparallel = 'queue'\nmax_file = 'off'\ntrees_max_bytes = '5GB'\n\
             symlink = ['node_modules', 'a/b']\n[backends.codex.workspace]\nsnapshots = 'auto'\n\
             [backends.fast]\nkind = 'codex'\nworkspace = {tree = 'never'}\n",
        )
        .variable("CODEX_CONNECTOR_WORKSPACE__TREE", "always")
        .variable("CODEX_CONNECTOR_BACKENDS__FAST__WORKSPACE__SNAPSHOTS", "auto");
    let config = case.config();
    let (codex, fast) = (workspace(&config, "codex"), workspace(&config, "fast"));
    assert_eq!((codex.snapshots, codex.tree), (Snapshots::Auto, TreeUse::Always));
    assert_eq!((fast.snapshots, fast.tree), (Snapshots::Auto, TreeUse::Never));
    assert_eq!((config.workspace.snapshots, config.workspace.tree), (Snapshots::Off, TreeUse::Always));
    for spec in [codex, fast, &config.workspace] {
        assert_eq!((spec.parallel, spec.max_file), (Parallel::Queue, u64::MAX));
        assert_eq!(spec.trees_max_bytes, Some(5_000_000_000));
        assert_eq!(spec.symlink, [PathBuf::from("node_modules"), PathBuf::from("a/b")]);
    }
    for backend in ["codex", "fast"] {
        assert!(settings(&config, backend).get("workspace").is_none(), "a kind never sees the workspace");
    }
}

#[test]
fn an_invalid_workspace_is_reported() {
    let plain = "[backends.p]\nkind = 'plain'\nprogram = 'p'\nworkspace";
    for (section, key) in [("workspace", "workspace"), (plain, "backends.p.workspace")] {
        for (rule, expected) in [
            ("snapshots = 'on'", r#"invalid value `"on"` for `KEY.snapshots`: expected one of `auto`, `off`"#),
            ("tree = true", "invalid value `true` for `KEY.tree`: expected one of `never`, `always`"),
            ("snapshot = 'off'", "unknown key `KEY.snapshot`; did you mean `KEY.snapshots`?"),
        ] {
            let expected = expected.replace("KEY", key);
            let message = Case::new().file(format!("{section} = {{{rule}}}\n")).problems();
            assert!(message.starts_with(&format!("~/.codex-connector/config.toml: {expected}")), "{message}");
            assert_eq!(message.lines().count(), 2, "the problem is reported once:\n{message}");
        }
    }
    let own = Case::new().file("[backends.codex.workspace]\nparallel = 'queue'\n").problems();
    assert!(own.contains("unknown key `backends.codex.workspace.parallel`"), "{own}");
    for path in ["/etc", "../x", "a/../b", ""] {
        let message = Case::new().file(format!("workspace.symlink = ['{path}']")).problems();
        assert!(message.contains(&format!("`{path}` must be a relative path without `..`")), "{message}");
    }
}

#[test]
fn worktrees_are_outside_the_data_directory() {
    for (data, trees) in [("/data", "/data/trees"), ("/data/tasks", "/data"), ("/data", "/data")] {
        let case = Case::new().set(&format!("data_dir={data}")).set(&format!("workspace.trees_dir={trees}"));
        let message = case.problems();
        assert!(message.contains("must be outside the directories for tasks and logs"), "{message}");
    }
    let logs = Case::new().set("log_dir=/logs").set("workspace.trees_dir=/logs/trees").problems();
    assert!(logs.contains("must be outside the directories for tasks and logs"), "{logs}");
    let relative = Case::new().set("workspace.trees_dir=trees").problems();
    assert!(relative.contains("must be an absolute path or start with `~/`"), "{relative}");
}

#[test]
fn the_default_directory_for_worktrees_is_never_a_problem() {
    let below_state = Case::new().set("data_dir=~/.local/state/codex-connector");
    let beside = below_state.home.path().join(".local/state/codex-connector-trees");
    assert_eq!(below_state.config().workspace.trees_dir, beside);
    let mut homeless = Case::new().file("").set("data_dir=/data");
    homeless.overrides.config_file = Some(homeless.path());
    homeless.environment.clear();
    assert_eq!(homeless.config().workspace.trees_dir, Path::new("/data-trees"));
}
