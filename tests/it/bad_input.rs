//! What the user gets wrong on the command line and in the configuration: the whole message, the exit status, and that
//! nothing was changed.

use insta::assert_snapshot;

use super::env::{CONFIG, Env};

#[test]
fn nothing_of_that_name() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.publish("1.1.0");
    env.ok(&["deploy", "model@1.0.0"]);
    assert_snapshot!(env.refused(3, &["deploy", "modle"]), @r"
    error: no component `modle` in the records

    hint: published are `model`
    ");
    assert_snapshot!(env.refused(3, &["deploy", "model@9.9"]), @r"
    error: no version `9.9` of `model` in the records

    hint: the highest published are `1.1.0`, `1.0.0`
    ");
    assert_snapshot!(env.refused(3, &["deploy", "model@^2"]), @r"
    error: no published version matches `model@^2`

    hint: the highest published are `1.1.0`, `1.0.0`
    ");
    assert_snapshot!(env.refused(3, &["deploy", "model@sha256:0000000"]), @r"
    error: no published package answers to `model@sha256:0000000`

    hint: `deploy-tool record list model` shows the digests
    ");
    assert_snapshot!(env.refused(3, &["deploy", "model", "--at", "v0"]), @r"
    error: `v0` names no commit in `<dir>/records`: revspec 'v0' not found

    hint: give a commit, branch or tag that `git -C <dir>/records rev-parse` knows; fetch it first if it is on a remote
    ");
    assert_snapshot!(env.refused(3, &["record", "show", "modle"]), @r"
    error: no component `modle` in the records

    hint: published are `model`
    ");
    assert_snapshot!(env.refused(3, &["record", "list", "modle"]), @r"
    error: no version of `modle` is installed or recorded

    hint: run `deploy-tool version list` to see what there is
    ");
    assert_snapshot!(env.refused(3, &["version", "list", "modle"]), @r"
    error: no version of `modle` is installed or recorded

    hint: run `deploy-tool version list` to see what there is
    ");
    assert_snapshot!(env.refused(3, &["version", "switch", "model", "1.1.0"]), @r"
    error: model@1.1.0 is not installed on this root (installed: 1.0.0)

    hint: run `deploy-tool deploy model@1.1.0`
    ");
    assert_snapshot!(env.refused(3, &["version", "pin", "model", "1.1.0"]), @r"
    error: model@1.1.0 is not installed on this root (installed: 1.0.0)

    hint: run `deploy-tool deploy model@1.1.0`
    ");
    assert_snapshot!(env.refused(3, &["publish", "model@2.0.0"]), @r"
    error: model@2.0.0 is not in the store `<dir>/store`

    hint: run `deploy-tool pack --type model --version 2.0.0` first, or name the package file
    ");
    assert_snapshot!(env.refused(3, &["publish", "model@1.0.0", "--to", "nowhere"]), @r"
    error: no target `nowhere` is configured (there are: near, far)

    hint: add it under `publish.targets`, or choose another with `--to`
    ");
    assert_snapshot!(env.refused(3, &["publish", "./model-1.0.0.tar.gz"]), @r"
    error: cannot publish `<dir>/project/model-1.0.0.tar.gz`: there is no such file

    hint: name a package that `deploy-tool pack` wrote, or a packed version such as `model@1.0.1`
    ");
    assert_snapshot!(env.refused(3, &["rollback", "--to", "7"]), @r"
    error: there is no release 7 on this root (the current one is 1)

    hint: run `deploy-tool history` to see which there were
    ");
    assert_snapshot!(env.refused(3, &["rollback", "modle"]), @r"
    error: `modle` is not part of the current release

    hint: run `deploy-tool status` to see what is
    ");
}

#[test]
fn nothing_there_yet() {
    let env = Env::with_model();
    assert_snapshot!(env.refused(3, &["deploy", "model"]), @r"
    error: cannot find `model@latest`: nothing is published in the records repository `<dir>/records`

    hint: publish something first, or set `--records` to another repository
    ");
    assert_snapshot!(env.refused(3, &["status"]), @r"
    error: `<dir>/root` is not a deployment root: it has no `.deploy-tool/format`

    hint: name the root with `--root`, or make one with `deploy-tool deploy`
    ");
    assert_snapshot!(env.refused(3, &["rollback"]), @r"
    error: `<dir>/root` is not a deployment root: it has no `.deploy-tool/format`

    hint: name the root with `--root`, or make one with `deploy-tool deploy`
    ");
    assert_snapshot!(env.refused(3, &["version", "switch", "model", "1.0.0"]), @r"
    error: `<dir>/root` is not a deployment root: it has no `.deploy-tool/format`

    hint: name the root with `--root`, or make one with `deploy-tool deploy`
    ");
    assert_snapshot!(env.refused(2, &["pack", "--type", "config", "--version", "1"]), @r"
    error: cannot pack `config`: `<dir>/project/configs` is not a directory

    hint: name the directory, or set `components.config.source`
    ");
    env.write("project/.deploy-tool.yaml", "");
    assert_snapshot!(env.refused(3, &["deploy", "model"]), @r"
    error: nothing is published yet: there is no records repository `<dir>/project/.deploy-tool/records`

    hint: publish a version first, or name the repository with `--records`
    ");
    assert_snapshot!(env.refused(3, &["record", "list"]), @r"
    error: nothing is published yet: there is no records repository `<dir>/project/.deploy-tool/records`

    hint: publish a version first, or name the repository with `--records`
    ");
    assert_snapshot!(env.refused(2, &["ship"]), @r"
    error: there is nothing to ship in `<dir>/project`: no components are configured

    hint: run `deploy-tool init <dir>/project` and look at the file it writes
    ");
}

#[test]
fn versions_and_components_are_safe_names() {
    let env = Env::with_model();
    assert_snapshot!(env.refused(2, &["pack", "--type", "model", "--version", "../../etc"]), @r"
    error: invalid value '../../etc' for '--version <VERSION>': `/` is not allowed in a version

    For more information, try '--help'.
    ");
    assert_snapshot!(env.refused(2, &["pack", "--type", "../etc", "--version", "1.0.0"]), @r"
    error: invalid value '../etc' for '--type <TYPE>': `/` is not allowed in a name

    For more information, try '--help'.
    ");
    assert_snapshot!(env.refused(2, &["pack", "--type", "model", "--version", "latest"]), @r"
    error: invalid value 'latest' for '--version <VERSION>': `latest` is a reserved word, not a version

    For more information, try '--help'.
    ");
    assert_snapshot!(env.refused(2, &["publish", "model@../../etc"]), @r"
    error: cannot publish `model@../../etc`: `/` is not allowed in a version

    hint: name a packed version such as `model@1.0.1`, or the path of a package file
    ");
    assert_snapshot!(env.refused(2, &["deploy", "model@../../etc"]), @r"
    error: invalid value 'model@../../etc' for '[TYPE@VERSION]...': `/` is not allowed in a version

    For more information, try '--help'.
    ");
    assert_snapshot!(env.refused(2, &["version", "switch", "model", "../../etc"]), @r"
    error: invalid value '../../etc' for '<VERSION>': `/` is not allowed in a version

    For more information, try '--help'.
    ");
    assert_snapshot!(env.refused(2, &["version", "pin", "..", "1.0.0"]), @r"
    error: invalid value '..' for '<TYPE>': a name does not begin with `.`

    For more information, try '--help'.
    ");
    assert_snapshot!(env.refused(2, &["record", "show", "model@../../etc"]), @r"
    error: invalid value 'model@../../etc' for '<TYPE@VERSION>': `/` is not allowed in a version

    For more information, try '--help'.
    ");
}

#[test]
fn one_of_each_and_only_what_fits_together() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.publish("1.1.0");
    assert_snapshot!(env.refused(2, &["deploy", "model@1.0.0", "model@1.1.0"]), @r"
    error: two versions of `model` are named, and only one can be current

    hint: name each component once
    ");
    assert_snapshot!(env.refused(2, &["publish", "model"]), @r"
    error: cannot publish `model`: one version is needed, such as `model@1.0.1`

    hint: `deploy-tool store list` shows what is packed and not published
    ");
    assert_snapshot!(env.refused(2, &["publish", "model@^1"]), @r"
    error: cannot publish `model@^1`: one version is needed, such as `model@1.0.1`

    hint: `deploy-tool store list` shows what is packed and not published
    ");
    assert_snapshot!(env.refused(2, &["publish", "@1"]), @r"
    error: cannot publish `@1`: a name is not empty

    hint: name a packed version such as `model@1.0.1`, or the path of a package file
    ");
    assert_snapshot!(env.refused(5, &["init"]), @r"
    error: `<dir>/project/.deploy-tool.yaml` exists already

    hint: edit it, or remove it first
    ");
}

#[test]
fn the_clock_of_reproducible_builds() {
    let env = Env::with_model();
    let before = env.listing();
    let args = ["pack", "--type", "model", "--version", "1"];
    let output = env.command(&args).env("SOURCE_DATE_EPOCH", "yesterday").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    env.assert_unchanged(&before, &args);
    assert_snapshot!(String::from_utf8_lossy(&output.stderr), @r"
    error: `SOURCE_DATE_EPOCH` is `yesterday`, which is not a number of seconds after 1970

    hint: unset it, or set it to the time of the last commit: `git log -1 --format=%ct`
    ");
}

/// What every command says with this configuration.
fn with_config(text: &str) -> String {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.write("project/.deploy-tool.yaml", text);
    let said = env.refused(2, &["pack", "--type", "model", "--version", "2.0.0"]);
    for args in [&["deploy", "model"][..], &["publish", "model@1.0.0"], &["status"], &["store", "list"], &["ship"]] {
        assert_eq!(env.refused(2, args), said, "{args:?}");
    }
    said
}

#[test]
fn a_configuration_with_a_tab() {
    assert_snapshot!(with_config("version: 1\nproject:\n\tname: demo\n"), @r"
    error: the configuration is indented with a tab at `<dir>/project/.deploy-tool.yaml:3:1`

    hint: YAML is indented with spaces
    ");
}

#[test]
fn a_configuration_with_a_typo() {
    assert_snapshot!(with_config(&CONFIG.replace("publish:", "pubish:")), @r"
    error: unknown key `pubish` at `<dir>/project/.deploy-tool.yaml:7:1`: did you mean `publish`?

    hint: known keys here: `version`, `project`, `components`, `pack`, `records`, `publish`, `deploy`, `store`, `log`, `metrics`
    ");
    assert_snapshot!(with_config(&CONFIG.replace("source: ./models", "sorce: ./models")), @r"
    error: unknown key `components.model.sorce` at `<dir>/project/.deploy-tool.yaml:4:11`: did you mean `source`?

    hint: known keys here: `source`, `description`, `compression`, `mutable`, `depends`, `mtime`, `exclude`, `platform`, `mode`, `group`
    ");
    assert_snapshot!(with_config(&CONFIG.replace("[near, far]", "[near, fare]")), @r"
    error: `publish.default[1]` at `<dir>/project/.deploy-tool.yaml:8:19` names the target `fare`, which is not defined: did you mean `far`?

    hint: targets defined in `publish.targets`: `near`, `far`
    ");
}

#[test]
fn a_configuration_with_an_unset_variable() {
    assert_snapshot!(with_config(&CONFIG.replace("{root: ../root}", "\n  root: ${DEPLOY_ROOT}/root")), @r"
    error: `deploy.root` at `<dir>/project/.deploy-tool.yaml:13:9` uses the environment variable `DEPLOY_ROOT`, which is not set

    hint: set `DEPLOY_ROOT`, or give a default as in `${VAR:-default}`
    ");
    // Braces within braces are no YAML: the hint must name the way out, which is quotes.
    assert_snapshot!(with_config(&CONFIG.replace("../root", "${DEPLOY_ROOT}/root")), @r"
    error: cannot read the configuration at `<dir>/project/.deploy-tool.yaml:12:17`: while parsing a flow mapping, did not find expected ',' or '}'

    hint: `<dir>/project/.deploy-tool.yaml:12:17` is file, line and column; a value needs quotes if it begins with a special character, has `: ` in it, or has `${VAR}` in it inside `{…}` or `[…]`
    ");
    assert_snapshot!(with_config(&CONFIG.replace("../root", "\"${DEPLOY_ROOT}/root\"")), @r"
    error: `deploy.root` at `<dir>/project/.deploy-tool.yaml:12:16` uses the environment variable `DEPLOY_ROOT`, which is not set

    hint: set `DEPLOY_ROOT`, or give a default as in `${VAR:-default}`
    ");
}

#[test]
fn a_configuration_that_is_not_there() {
    let env = Env::with_model();
    assert_snapshot!(env.refused(2, &["status", "--config", "other.yaml"]), @r"
    error: there is no configuration file `<dir>/project/other.yaml`

    hint: name another with `--config`, or write one with `deploy-tool init`
    ");
}
