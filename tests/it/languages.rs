//! The program speaks English or Chinese: help, what is wrong with the arguments, errors with their hints, tables. What
//! machines read is the same in both.

use insta::assert_snapshot;
use serde_json::Value;

use super::env::{CONFIG, Env};

/// All that the program says with these variables and arguments, stdout before stderr.
fn said(env: &Env, variables: &[(&str, &str)], args: &[&str]) -> String {
    let mut command = env.command(args);
    command.env_remove("LC_ALL").env("SOURCE_DATE_EPOCH", "1700000000").envs(variables.iter().copied());
    let output = command.output().expect("the program runs");
    let text = [output.stdout, output.stderr].concat();
    env.shown(&String::from_utf8(text).expect("UTF-8"))
}

fn english(env: &Env, args: &[&str]) -> String {
    said(env, &[], &[&["--lang", "en"], args].concat())
}

fn chinese(env: &Env, args: &[&str]) -> String {
    said(env, &[], &[&["--lang", "zh"], args].concat())
}

/// A text with `<time>` for every time.
fn timeless(text: &str) -> String {
    let is_time = |word: &str| word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T';
    let mut out = text.to_owned();
    for (at, _) in text.char_indices() {
        if let Some(word) = text.get(at..at + 20).filter(|word| is_time(word)) {
            out = out.replace(word, "<time>");
        }
    }
    out
}

#[test]
fn help() {
    let env = Env::new();
    assert_snapshot!(english(&env, &["--help"]), @r"
    Ships machine-learning projects: packages by sha256, records in git, atomic deploys and rollbacks

    Usage: deploy-tool [OPTIONS] <COMMAND>

    Commands:
      init         Write a commented `.deploy-tool.yaml` from what is found in a directory
      pack         Pack a directory as one version of a component
      publish      Copy a package to its targets and commit its record to git
      deploy       Install versions and make them current, all or nothing
      ship         Pack, publish and deploy every component of a project
      rollback     Go back to the release before; no network, no unpacking
      undeploy     Take a component out of the current release; its versions stay installed until a
                   cleanup
      confirm      End the trial of the current release: it stays
      status       Show what is current, since when and from which record
      history      Show the releases this root has had, newest first
      version      List, switch, pin and clean up versions
      links        List, verify and repair links
      env          See and change which versions belong where
      record       Read the records in git, or make them anew
      store        List, verify and shrink the store of packages on this machine
      doctor       Say what is wrong, why it matters and what mends it [alias: health]
      metrics      Print what the root and the store are, and what it took, as Prometheus text
      report       Everything about the root on one page of HTML
      completions  Print the completion script of a shell
      man          Print a manual page, or write them all into a directory

    Options:
          --config <FILE>        The configuration file [default: `.deploy-tool.yaml` upward from here,
                                 then in the root, then `/etc/deploy-tool.yaml`]
          --root <DIR>           The deployment root [default: `deploy.root`, else `deployments` beside
                                 the configuration]
          --records <DIR>        The git repository that holds the records, a path or a URL [default:
                                 `records.repository`, else `.deploy-tool/records`]
          --store <DIR>          The store of packages on this machine [default: `store.path`, else
                                 `~/.cache/deploy-tool`]
          --wait <SPAN>          Wait so long, such as `30s`, for another command that changes the root;
                                 without it that is a conflict at once
          --lang <LANGUAGE>      The language of all words: `en` or `zh` [default: `DEPLOY_TOOL_LANG`,
                                 else the locale]
          --json                 Print one JSON document on stdout and nothing else there
      -q, --quiet                Print no notes, warnings or hints
      -v, --verbose              Say on stderr what is done as it is done, as log lines; of `doctor`,
                                 show what is as it should be, too
          --log-format <FORMAT>  Print log lines on stderr and nothing else there: `text`, or `json`,
                                 one object a line [possible values: text, json]
          --log-file <FILE>      Append log lines to this file, too [default: `log.file`]
          --no-progress          Draw no progress
          --color <WHEN>         When to use colour: `auto` is on a terminal, as `NO_COLOR`,
                                 `CLICOLOR_FORCE` and `TERM` say [default: auto] [possible values: auto,
                                 always, never]
      -h, --help                 Print help
      -V, --version              Print the version

    Examples:
      deploy-tool ship                              pack, publish and deploy the project in this
      directory
      deploy-tool pack --type model --version 1.0.1
      deploy-tool publish model@1.0.1
      deploy-tool deploy model@1.0.1 config@2.0.0   one transaction for both
      deploy-tool rollback                          back to the release before
    ");
    assert_snapshot!(chinese(&env, &["--help"]), @r"
    交付机器学习项目：包以 sha256 校验，记录存于 git，部署与回滚均为原子操作

    用法: deploy-tool [选项] <命令>

    命令:
      init         根据目录中的内容生成一份带注释的 `.deploy-tool.yaml`
      pack         将一个目录打包为组件的一个版本
      publish      将包复制到存储目标，并把记录提交到 git
      deploy       安装版本并使其成为当前版本，要么全部成功，要么什么都不改变
      ship         打包、发布并部署项目的所有组件
      rollback     回到上一个 release；不用网络，不用解包
      undeploy     将组件移出当前 release；其各版本仍保持安装，直到清理
      confirm      结束当前 release 的试运行：保留它
      status       显示当前版本、生效时间及所依据的记录
      history      显示此部署根目录有过的 release，最新的在前
      version      列出、切换、固定和清理版本
      links        列出、验证和修复链接
      env          查看和更改哪里应该使用哪些版本
      record       读取 git 中的记录，或重新生成记录
      store        列出、验证和缩减本机的包存储
      doctor       说明哪里有问题、为什么要紧、怎样修好 [别名：health]
      metrics      以 Prometheus 文本格式输出部署根目录与存储的状态及各项耗时
      report       将部署根目录的全部情况汇总成一个 HTML 页面
      completions  输出 shell 的补全脚本
      man          输出一页手册，或把全部手册页写入目录

    选项:
          --config <FILE>        配置文件 [默认：从当前目录向上查找 `.deploy-tool.yaml`，然后是部署根目录，最后是
                                 `/etc/deploy-tool.yaml`]
          --root <DIR>           部署根目录 [默认：`deploy.root`，否则为配置文件旁的 `deployments`]
          --records <DIR>        保存记录的 git 仓库，路径或 URL [默认：`records.repository`，否则为
                                 `.deploy-tool/records`]
          --store <DIR>          本机的包存储 [默认：`store.path`，否则为 `~/.cache/deploy-tool`]
          --wait <SPAN>          若另一个命令正在更改部署根目录，等待这么久，例如 `30s`；不指定则立即视为冲突
          --lang <LANGUAGE>      所有文字的语言：`en` 或 `zh` [默认：`DEPLOY_TOOL_LANG`，否则按系统区域设置]
          --json                 在 stdout 输出一个 JSON 文档，不输出其他内容
      -q, --quiet                不输出说明、警告和提示
      -v, --verbose              在 stderr 上以日志行的形式实时说明正在做什么；对于 `doctor`，也显示一切正常的项目
          --log-format <FORMAT>  在 stderr 上只输出日志行：`text`（文本）或 `json`（每行一个对象） [可选值：text, json]
          --log-file <FILE>      同时把日志行追加到该文件 [默认：`log.file`]
          --no-progress          不显示进度
          --color <WHEN>         何时使用颜色：`auto` 表示在终端上使用，并遵循 `NO_COLOR`、`CLICOLOR_FORCE` 和 `TERM`
                                 [默认：auto] [可选值：auto, always, never]
      -h, --help                 显示帮助
      -V, --version              显示版本

    示例：
      deploy-tool ship                              打包、发布并部署当前目录中的项目
      deploy-tool pack --type model --version 1.0.1
      deploy-tool publish model@1.0.1
      deploy-tool deploy model@1.0.1 config@2.0.0   两者在同一个事务中部署
      deploy-tool rollback                          回到上一个 release
    ");
}

#[test]
fn help_of_a_command() {
    let env = Env::new();
    assert_snapshot!(english(&env, &["deploy", "--help"]), @r"
    Install versions and make them current, all or nothing

    Usage: deploy-tool deploy [OPTIONS] [TYPE@VERSION]...

    Arguments:
      [TYPE@VERSION]...  What to deploy: `model@1.0.1`, `model` (the latest), `model@^1.0`,
                         `model@sha256:…`

    Options:
          --config <FILE>              The configuration file [default: `.deploy-tool.yaml` upward from
                                       here, then in the root, then `/etc/deploy-tool.yaml`]
          --dry-run                    Print what would be done and write nothing
          --env <NAME>                 Deploy what this environment names, with the packages it names:
                                       only what differs
          --root <DIR>                 The deployment root [default: `deploy.root`, else `deployments`
                                       beside the configuration]
          --prune                      Take components that the environment does not name out of the
                                       release; nothing is deleted
          --records <DIR>              The git repository that holds the records, a path or a URL
                                       [default: `records.repository`, else `.deploy-tool/records`]
          --resume                     End the hold that a switch, rollback or undeploy by hand has put
                                       the root on
          --store <DIR>                The store of packages on this machine [default: `store.path`,
                                       else `~/.cache/deploy-tool`]
          --wait <SPAN>                Wait so long, such as `30s`, for another command that changes the
                                       root; without it that is a conflict at once
          --watch <SPAN>               Go on and look at the branch every so often, such as `60s`; ends
                                       with SIGINT or SIGTERM
          --at <COMMIT>                Read the records as of this commit, branch or tag
          --lang <LANGUAGE>            The language of all words: `en` or `zh` [default:
                                       `DEPLOY_TOOL_LANG`, else the locale]
          --json                       Print one JSON document on stdout and nothing else there
          --record <FILE>              Deploy what this record file says, with its `manifest.json`
                                       beside it; may be given again
      -q, --quiet                      Print no notes, warnings or hints
          --url <URL>                  Fetch the package from this URL first, such as one that `record
                                       url` printed; what it has to be still says the record
          --confirm <SPAN>             Undo the deploy unless `deploy-tool confirm` comes in this time,
                                       such as `10m`; `0s` for no trial [default: `deploy.confirm`]
      -v, --verbose                    Say on stderr what is done as it is done, as log lines; of
                                       `doctor`, show what is as it should be, too
          --force                      Deploy versions too that are marked bad on this root
          --log-format <FORMAT>        Print log lines on stderr and nothing else there: `text`, or
                                       `json`, one object a line [possible values: text, json]
          --accept-rewrite <OLD..NEW>  Take a branch that was rewritten: the commit this root has seen
                                       and the one the branch is at
          --log-file <FILE>            Append log lines to this file, too [default: `log.file`]
          --no-progress                Draw no progress
          --repair                     Put back the files of the current versions, or of those that are
                                       named, that are not what was installed
          --color <WHEN>               When to use colour: `auto` is on a terminal, as `NO_COLOR`,
                                       `CLICOLOR_FORCE` and `TERM` say [default: auto] [possible values:
                                       auto, always, never]
      -h, --help                       Print help

    Examples:
      deploy-tool deploy model@1.0.1 config@2.0.0
      deploy-tool deploy model@^1.0 --dry-run
      deploy-tool deploy model@1.0.1 --at 4f2a91c        the record as of a commit
      deploy-tool deploy --record record.json           no git needed
      deploy-tool deploy --env prod --dry-run           what would bring the root to the environment
      deploy-tool deploy --env prod --watch 60s         follow the branch
    ");
    assert_snapshot!(chinese(&env, &["deploy", "--help"]), @r"
    安装版本并使其成为当前版本，要么全部成功，要么什么都不改变

    用法: deploy-tool deploy [选项] [TYPE@VERSION]...

    参数:
      [TYPE@VERSION]...  要部署的版本：`model@1.0.1`、`model`（最新版本）、`model@^1.0`、`model@sha256:…`

    选项:
          --config <FILE>              配置文件 [默认：从当前目录向上查找 `.deploy-tool.yaml`，然后是部署根目录，最后是
                                       `/etc/deploy-tool.yaml`]
          --dry-run                    只输出将要做的事，不写入任何内容
          --env <NAME>                 部署此环境所指定的版本和包：只处理有差异的部分
          --root <DIR>                 部署根目录 [默认：`deploy.root`，否则为配置文件旁的 `deployments`]
          --prune                      将环境未指定的组件移出 release；不删除任何内容
          --records <DIR>              保存记录的 git 仓库，路径或 URL [默认：`records.repository`，否则为
                                       `.deploy-tool/records`]
          --resume                     解除因手动切换、回滚或取消部署而对部署根目录产生的保持状态
          --store <DIR>                本机的包存储 [默认：`store.path`，否则为 `~/.cache/deploy-tool`]
          --wait <SPAN>                若另一个命令正在更改部署根目录，等待这么久，例如 `30s`；不指定则立即视为冲突
          --watch <SPAN>               持续运行，每隔这么久查看一次分支，例如 `60s`；收到 SIGINT 或 SIGTERM 时结束
          --at <COMMIT>                按此提交、分支或标签读取记录
          --lang <LANGUAGE>            所有文字的语言：`en` 或 `zh` [默认：`DEPLOY_TOOL_LANG`，否则按系统区域设置]
          --json                       在 stdout 输出一个 JSON 文档，不输出其他内容
          --record <FILE>              部署此记录文件所说的版本，其旁边须有 `manifest.json`；可重复使用
      -q, --quiet                      不输出说明、警告和提示
          --url <URL>                  优先从此 URL 获取包，例如 `record url` 输出的 URL；包应有的内容仍由记录决定
          --confirm <SPAN>             若在这段时间内（例如 `10m`）没有执行 `deploy-tool confirm`，则撤销部署；`0s` 表示不试运行
                                       [默认：`deploy.confirm`]
      -v, --verbose                    在 stderr 上以日志行的形式实时说明正在做什么；对于 `doctor`，也显示一切正常的项目
          --force                      也部署在此部署根目录上被标记为不良的版本
          --log-format <FORMAT>        在 stderr 上只输出日志行：`text`（文本）或 `json`（每行一个对象） [可选值：text, json]
          --accept-rewrite <OLD..NEW>  接受被改写过的分支：此部署根目录见过的提交，以及分支现在所在的提交
          --log-file <FILE>            同时把日志行追加到该文件 [默认：`log.file`]
          --no-progress                不显示进度
          --repair                     恢复当前版本（或所指定版本）中与安装时不一致的文件
          --color <WHEN>               何时使用颜色：`auto` 表示在终端上使用，并遵循 `NO_COLOR`、`CLICOLOR_FORCE` 和 `TERM`
                                       [默认：auto] [可选值：auto, always, never]
      -h, --help                       显示帮助

    示例：
      deploy-tool deploy model@1.0.1 config@2.0.0
      deploy-tool deploy model@^1.0 --dry-run
      deploy-tool deploy model@1.0.1 --at 4f2a91c        按某次提交中的记录
      deploy-tool deploy --record record.json           不需要 git
      deploy-tool deploy --env prod --dry-run           要使部署根目录与环境一致需要做什么
      deploy-tool deploy --env prod --watch 60s         跟随分支
    ");
}

#[test]
fn help_with_defaults_and_values_to_choose_from() {
    let env = Env::new();
    assert_snapshot!(chinese(&env, &["record", "check", "-h"]), @r#"
    在合并之前检查一个请求给记录带来什么

    用法: deploy-tool record check [选项] [BASE..HEAD]

    参数:
      [BASE..HEAD]  要检查的范围，写法与 git 相同；单独一个提交则整体检查 [默认：`records.branch`，否则为 `main`，加 `..HEAD`]

    选项:
          --config <FILE>        配置文件 [默认：从当前目录向上查找 `.deploy-tool.yaml`，然后是部署根目录，最后是
                                 `/etc/deploy-tool.yaml`]
          --fetch                同时获取包，检查每个位置的内容都与 git 所固定的一致
          --format <FORMAT>      输出文本、GitHub 注解，或供评论使用的 Markdown（`--json` 优先） [默认：text] [可选值：text,
                                 github, markdown]
          --root <DIR>           部署根目录 [默认：`deploy.root`，否则为配置文件旁的 `deployments`]
          --records <DIR>        保存记录的 git 仓库，路径或 URL [默认：`records.repository`，否则为
                                 `.deploy-tool/records`]
          --store <DIR>          本机的包存储 [默认：`store.path`，否则为 `~/.cache/deploy-tool`]
          --wait <SPAN>          若另一个命令正在更改部署根目录，等待这么久，例如 `30s`；不指定则立即视为冲突
          --lang <LANGUAGE>      所有文字的语言：`en` 或 `zh` [默认：`DEPLOY_TOOL_LANG`，否则按系统区域设置]
          --json                 在 stdout 输出一个 JSON 文档，不输出其他内容
      -q, --quiet                不输出说明、警告和提示
      -v, --verbose              在 stderr 上以日志行的形式实时说明正在做什么；对于 `doctor`，也显示一切正常的项目
          --log-format <FORMAT>  在 stderr 上只输出日志行：`text`（文本）或 `json`（每行一个对象） [可选值：text, json]
          --log-file <FILE>      同时把日志行追加到该文件 [默认：`log.file`]
          --no-progress          不显示进度
          --color <WHEN>         何时使用颜色：`auto` 表示在终端上使用，并遵循 `NO_COLOR`、`CLICOLOR_FORCE` 和 `TERM`
                                 [默认：auto] [可选值：auto, always, never]
      -h, --help                 显示帮助

    退出状态：0 没有错误（可能有警告），3 没有该提交，4 不得合并。

    示例：
      deploy-tool record check main..HEAD
      deploy-tool record check HEAD                       一个提交的全部内容
      deploy-tool record check "HEAD..$(git write-tree)"    已暂存的内容
      deploy-tool record check HEAD^1..HEAD --format github --fetch
    "#);
}

#[test]
fn wrong_arguments() {
    let env = Env::new();
    assert_snapshot!(english(&env, &["status", "--dep"]), @r"
    error: unexpected argument '--dep' found

      tip: a similar argument exists: '--deep'

    Usage: deploy-tool status --deep

    For more information, try '--help'.
    ");
    assert_snapshot!(chinese(&env, &["status", "--dep"]), @r"
    错误: 没有参数 '--dep'

      提示: 有相近的参数：'--deep'

    用法: deploy-tool status --deep

    更多信息请用 '--help'
    ");
    assert_snapshot!(english(&env, &["stauts"]), @r"
    error: unrecognized subcommand 'stauts'

      tip: a similar subcommand exists: 'status'

    Usage: deploy-tool [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(chinese(&env, &["stauts"]), @r"
    错误: 没有子命令 'stauts'

      提示: 有相近的子命令：'status'

    用法: deploy-tool [选项] <命令>

    更多信息请用 '--help'
    ");
    assert_snapshot!(english(&env, &["pack"]), @r"
    error: the following required arguments were not provided:
      --type <TYPE>
      --version <VERSION>

    Usage: deploy-tool pack --type <TYPE> --version <VERSION> [DIR]

    For more information, try '--help'.
    ");
    assert_snapshot!(chinese(&env, &["pack"]), @r"
    错误: 缺少以下必需的参数：
      --type <TYPE>
      --version <VERSION>

    用法: deploy-tool pack --type <TYPE> --version <VERSION> [DIR]

    更多信息请用 '--help'
    ");
    assert_snapshot!(english(&env, &["pack", "--type", "a/b", "--version", "1"]), @r"
    error: invalid value 'a/b' for '--type <TYPE>': `/` is not allowed in a name

    For more information, try '--help'.
    ");
    assert_snapshot!(chinese(&env, &["pack", "--type", "a/b", "--version", "1"]), @r"
    错误: '--type <TYPE>' 的值 'a/b' 无效：名称中不允许有 `/`

    更多信息请用 '--help'
    ");
    assert_snapshot!(chinese(&env, &["record", "check", "--format", "jsn"]), @r"
    错误: '--format <FORMAT>' 的值 'jsn' 无效
      [可选值：text, github, markdown]

    更多信息请用 '--help'
    ");
    assert_snapshot!(chinese(&env, &["history", "--all", "--verify"]), @r"
    错误: 参数 '--all' 不能与 '--verify' 一起使用

    用法: deploy-tool history --all

    更多信息请用 '--help'
    ");
    assert_snapshot!(chinese(&env, &["status", "--deep=yes"]), @r"
    错误: '--deep' 多出了值 'yes'

    用法: deploy-tool status --deep

    更多信息请用 '--help'
    ");
    assert_snapshot!(chinese(&env, &["status", "--deep", "--deep"]), @r"
    错误: 参数 '--deep' 不能重复使用

    用法: deploy-tool status [选项]

    更多信息请用 '--help'
    ");
    assert_snapshot!(chinese(&env, &["publish", "--sign", "x", "y", "z"]), @r"
    错误: 没有参数 'y'

    用法: deploy-tool publish [选项] <TYPE@VERSION|FILE>

    更多信息请用 '--help'
    ");
    assert_snapshot!(said(&env, &[], &["--lang", "tlh", "status"]), @r"
    error: invalid value 'tlh' for '--lang <LANGUAGE>': known are `en`, `zh`

    For more information, try '--help'.
    ");
}

#[test]
fn errors_with_hints() {
    let env = Env::with_model();
    assert_snapshot!(english(&env, &["deploy", "model"]), @r"
    error: cannot find `model@latest`: nothing is published in the records repository `<dir>/records`

    hint: publish something first, or set `--records` to another repository
    ");
    assert_snapshot!(chinese(&env, &["deploy", "model"]), @r"
    错误: 找不到 `model@latest`：记录仓库 `<dir>/records` 中没有发布任何内容

    提示: 先发布一些内容，或将 `--records` 设为另一个仓库
    ");
    assert_snapshot!(english(&env, &["pack", "--type", "config", "--version", "1"]), @r"
    error: cannot pack `config`: `<dir>/project/configs` is not a directory

    hint: name the directory, or set `components.config.source`
    ");
    assert_snapshot!(chinese(&env, &["pack", "--type", "config", "--version", "1"]), @r"
    错误: 无法打包 `config`：`<dir>/project/configs` 不是目录

    提示: 请指定目录，或设置 `components.config.source`
    ");
    env.write("project/.deploy-tool.yaml", CONFIG.replace("publish:", "pubish:"));
    assert_snapshot!(english(&env, &["status"]), @r"
    error: unknown key `pubish` at `<dir>/project/.deploy-tool.yaml:7:1`: did you mean `publish`?

    hint: known keys here: `version`, `project`, `components`, `pack`, `records`, `publish`, `deploy`, `store`, `log`, `metrics`
    ");
    assert_snapshot!(chinese(&env, &["status"]), @r"
    错误: `<dir>/project/.deploy-tool.yaml:7:1` 处有未知的键 `pubish`：是不是 `publish`？

    提示: 此处已知的键：`version`, `project`, `components`, `pack`, `records`, `publish`, `deploy`, `store`, `log`, `metrics`
    ");
    assert_snapshot!(english(&env, &["status", "--config", "other.yaml"]), @r"
    error: there is no configuration file `<dir>/project/other.yaml`

    hint: name another with `--config`, or write one with `deploy-tool init`
    ");
    assert_snapshot!(chinese(&env, &["status", "--config", "other.yaml"]), @r"
    错误: 没有配置文件 `<dir>/project/other.yaml`

    提示: 用 `--config` 指定另一个，或用 `deploy-tool init` 生成一份
    ");
}

#[test]
fn a_table() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let hostless = |text: &str| timeless(text).replace(&format!("mei@{host}"), "mei@<host>");
    assert_snapshot!(hostless(&english(&env, &["status"])), @r"
    release 1 of `<dir>/root`, since <time>, by mei@<host>
    COMPONENT  VERSION  SINCE                 PACKAGE           RECORD
    model      1.0.0    <time>  <hex>  <hex>
    ");
    assert_snapshot!(hostless(&chinese(&env, &["status"])), @r"
    `<dir>/root` 的 release 1，自 <time> 起，操作者 mei@<host>
    组件   版本   起始时间              包                记录
    model  1.0.0  <time>  <hex>  <hex>
    ");
}

#[test]
fn the_language_is_that_of_the_option_then_of_the_variables() {
    let env = Env::new();
    let error = |variables: &[(&str, &str)], args: &[&str]| {
        let text = said(&env, variables, &[args, &["rollback"]].concat());
        text.split(':').next().unwrap_or_default().to_owned()
    };
    let zh = ("LANG", "zh_CN.UTF-8");
    assert_eq!(error(&[], &[]), "error");
    assert_eq!(error(&[zh], &[]), "错误");
    assert_eq!(error(&[zh], &["--lang", "en"]), "error");
    assert_eq!(error(&[zh, ("LC_ALL", "C")], &[]), "error");
    assert_eq!(error(&[zh, ("LC_ALL", "")], &[]), "错误");
    assert_eq!(error(&[zh, ("LC_MESSAGES", "en_US.UTF-8")], &[]), "error");
    assert_eq!(error(&[("LC_ALL", "C"), ("DEPLOY_TOOL_LANG", "zh")], &[]), "错误");
    assert_eq!(error(&[("DEPLOY_TOOL_LANG", "zh")], &["--lang=en_US"]), "error");
    assert_eq!(error(&[zh], &["--nope"]), "错误");
    assert_eq!(error(&[], &["--nope", "--lang", "zh-CN"]), "错误");
}

/// The keys of a document and all that is no sentence in it.
fn without_sentences(mut document: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match name.as_str() {
                        "message" | "hint" => *value = Value::Null,
                        _ => walk(value),
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut document);
    document
}

#[test]
fn documents_are_the_same_but_for_their_sentences() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    let wrong: &[&[&str]] = &[&["rollback"], &["status", "--nope"], &["deploy", "model@9"]];
    let right: &[&[&str]] =
        &[&["status"], &["history", "--all"], &["version", "list"], &["links", "list"], &["doctor"]];
    for args in wrong.iter().chain(right) {
        let document = |language| {
            let ran = env.run(&[&["--lang", language, "--json"], *args].concat());
            (
                ran.status,
                serde_json::from_str::<Value>(&ran.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {ran:?}")),
            )
        };
        let ((status, english), (other, chinese)) = (document("en"), document("zh"));
        assert_eq!(status, other, "{args:?}");
        if wrong.contains(args) {
            assert_ne!(english, chinese, "{args:?}");
        }
        if *args != ["doctor"] {
            assert_eq!(without_sentences(english), without_sentences(chinese), "{args:?}");
        }
    }
}
