//! In Chinese the reasons inside of messages are Chinese too: of archives, indexes, deltas, records and state files. What a
//! library says in its own words is quoted behind a Chinese sentence, and nothing else is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::env::Env;
use super::fault_server::{Server, Way};
use super::ranges;
use super::raw_tar::{Raw, file, link, tar};

/// Two Latin words in a row that are no code, no path and no reference: what an English sentence has.
pub fn english(text: &str) -> Option<String> {
    let prose: Vec<&str> = text.split('`').step_by(2).collect();
    let is_word = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_ascii_alphabetic() || c == '\'');
    prose.iter().find_map(|part| {
        let words: Vec<&str> = part.split([' ', '\n']).map(|word| word.trim_matches([',', ';', ':'])).collect();
        words.windows(2).find(|pair| pair.iter().all(is_word)).map(|pair| pair.join(" "))
    })
}

/// Runs the program in Chinese, which must fail with this status; returns what it says, without `foreign`, which it must
/// quote at the end.
fn said(env: &Env, status: i32, args: &[&str], foreign: &str) -> String {
    let ran = env.run(&[args, &["--lang", "zh"]].concat());
    assert_eq!(ran.status, Some(status), "{args:?}: {ran:?}");
    let said = ran.stderr.split("\n\n").next().unwrap_or_default().to_owned();
    assert!(foreign.is_empty() || said.contains(&format!("：{foreign}")), "{said}");
    let said = if foreign.is_empty() { said } else { said.replace(foreign, "") };
    assert_eq!(english(&said), None, "{args:?}: {said}");
    said
}

#[test]
fn of_archives() {
    let env = Env::with_model();
    let with = |kind, mode, content| tar(&[Raw { kind, mode, content, ..file(b"x") }]);
    let mut checksum = tar(&[file(b"x")]);
    checksum[0] = b'y';
    let mut mode = tar(&[file(b"x")]);
    let mut header = ::tar::Header::from_byte_slice(&mode[..512]).clone();
    header.as_old_mut().mode = *b"rw-r--r-";
    header.set_cksum();
    mode[..512].copy_from_slice(header.as_bytes());
    let cases: [(&str, Vec<u8>); 9] = [
        ("它是设备", with(b'3', 0o644, b"")),
        ("它是未知类型（9）", with(b'9', 0o644, b"")),
        ("其头部格式错误（权限）", mode),
        ("其头部格式错误（不该有内容的条目带有内容）", tar(&[Raw { content: b"evil", ..link(b"x", b"y") }])),
        ("含 setuid 或 setgid", with(b'0', 0o4755, b"")),
        ("头部校验和错误", checksum),
        ("被截断", tar(&[file(b"x")])[..700].to_vec()),
        ("通向目录树之外", tar(&[link(b"x", b"../../etc")])),
        ("路径", tar(&[file(b"../x")])),
    ];
    for (words, archive) in cases {
        env.write("archive.tar", archive);
        let said = said(&env, 4, &["pack", "--index-only", "../archive.tar", "--type", "model", "--version", "1"], "");
        assert!(said.contains(words), "no {words} in {said}");
    }
}

/// A packed model whose index has these bytes, as its manifest says.
fn with_index(env: &Env, index: &[u8]) {
    env.write("project/dist/model-1.0.0.index.zst", index);
    let mut manifest: Value = serde_json::from_str(&env.read("project/dist/model-1.0.0.manifest.json")).expect("JSON");
    manifest["index"]["size"] = index.len().into();
    manifest["index"]["checksum"]["value"] = deploy_tool::model::Sha256::of(index).to_string().into();
    env.write("project/dist/model-1.0.0.manifest.json", serde_json::to_vec_pretty(&manifest).expect("JSON"));
}

#[test]
fn of_indexes_and_packages() {
    let env = Env::with_model();
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    let path = env.path("project/dist/model-1.0.0.index.zst");
    let index = fs::read(&path).expect("packed");
    // It may be one file with the store's, which nobody may write to.
    fs::remove_file(path).expect("removed");
    let text = String::from_utf8(zstd::decode_all(index.as_slice()).expect("zstd")).expect("UTF-8");
    let publish = ["publish", "dist/model-1.0.0.tar.gz"];
    let first = text.lines().next().expect("a line");
    let entries = first.split("\"entries\":").nth(1).and_then(|rest| rest.split([',', '}']).next()).expect("a number");
    let (entries, many) = (format!("\"entries\":{entries}"), "\"entries\":9000000");
    let cases: [(&str, String); 6] = [
        ("条目数为 9000000，最多允许", text.replacen(&entries, many, 1)),
        ("尚未列出全部条目和数据片", text.lines().next().map(|line| format!("{line}\n")).expect("a line")),
        ("其后却还有内容", format!("{text}{{}}\n")),
        ("`mode` 不是八进制数", text.replacen("\"mode\":\"0644\"", "\"mode\":\"rw\"", 1)),
        (
            "没有 `size` 或 `blake3`",
            text.replacen("\"size\":", "\"length\":", 2).replacen("\"length\":", "\"size\":", 1),
        ),
        ("索引的格式为 9", text.replacen("\"index\":1", "\"index\":9", 1)),
    ];
    for (words, text) in cases {
        with_index(&env, &zstd::encode_all(text.as_bytes(), 1).expect("zstd"));
        let said = said(&env, 4, &publish, "");
        assert!(said.contains(words), "no {words} in {said}");
    }
    with_index(&env, b"no zstd at all");
    assert!(said(&env, 4, &publish, "Unknown frame descriptor").contains("它不是 zstd，或被截断"));
    env.write("project/dist/model-1.0.0.index.zst", "other");
    assert!(said(&env, 4, &publish, "").contains("有 5 字节，sha256 为 "));
}

#[test]
fn of_records_and_state_files() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0"]);
    let record = "records/records/packages/model/1.0.0/record.json";
    let text = env.read(record);
    let commit = |text: &str| {
        env.write(record, text);
        env.git("records", &["commit", "-qam", "by hand"]);
    };
    commit(&text.replacen('{', "{\"schema\": 9,", 1));
    assert!(said(&env, 4, &["record", "show", "model@1.0.0"], "").contains("其模式为 9，比本程序所能读取的 1 新"));
    commit("{");
    said(&env, 4, &["record", "show", "model@1.0.0"], "EOF while parsing an object at line 1 column 1");
    commit(&text);
    let receipt = "root/.deploy-tool/receipts/model/1.0.0.json";
    let whole = env.read(receipt);
    env.write(receipt, "{");
    said(&env, 1, &["deploy", "model@1.0.0"], "EOF while parsing an object at line 1 column 1");
    env.write(receipt, whole);
    env.write("root/.deploy-tool/history.jsonl", "no history\n");
    let history = said(&env, 1, &["status"], "expected ident at line 1 column 2");
    assert!(history.contains("其中一行："), "{history}");
}

#[test]
fn of_lists_of_signers() {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.configure("deploy:", "deploy: {root: ../root, trust: {allowed_signers: signers}}");
    for (words, line) in [
        ("没有密钥", "mei@x"),
        ("引号没有闭合", "mei@x namespaces=\"file ssh-ed25519 AAAA"),
        ("不是时间", "mei@x valid-before=\"soon\" ssh-ed25519 AAAA"),
        ("的值没有加引号", "mei@x valid-before=20200101Z ssh-ed25519 AAAA"),
    ] {
        env.write("project/signers", format!("{line}\n"));
        let said = said(&env, 2, &["deploy", "model@1.0.0"], "");
        assert!(said.contains(words), "no {words} in {said}");
    }
}

#[test]
fn of_settings_of_targets() {
    let env = Env::with_model();
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    for (words, place) in [
        ("不是存储桶", "type: s3, bucket: 'a b', endpoint: 'http://127.0.0.1:1'"),
        ("不是帐户", "type: azure, account: 'a/b', container: c"),
        ("不是镜像仓库中的名称", "type: oci, registry: 127.0.0.1, repository: Upper"),
    ] {
        env.configure("far:", &format!("    far: {{{place}}}"));
        let said = said(&env, 2, &["publish", "model@1.0.0", "--to", "far"], "");
        assert!(said.contains(words), "no {words} in {said}");
    }
}

#[test]
fn of_lz4_frames() {
    let env = Env::with_model();
    let check = |descriptor: &[u8]| (twox_hash::XxHash32::oneshot(0, descriptor) >> 8) as u8;
    let frame = |flags, blocks, rest: &[u8]| {
        let head = [0x04, 0x22, 0x4d, 0x18, flags, blocks, check(&[flags, blocks])];
        [&head[..], rest].concat()
    };
    let wrong_header = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, !check(&[0x60, 0x70])];
    for (words, archive) in [
        ("帧的版本未知", frame(0x00, 0x70, &[])),
        ("块大小未知", frame(0x60, 0x10, &[])),
        ("帧头部的校验和错误", wrong_header.to_vec()),
        ("内容的校验和错误", frame(0x64, 0x70, &[0, 0, 0, 0, 1, 2, 3, 4])),
        ("有块大于帧头部所允许的", frame(0x60, 0x40, &[0xff, 0xff, 0xff, 0x7f])),
        ("有块的校验和错误", frame(0x70, 0x70, &[1, 0, 0, 0x80, b'x', 1, 2, 3, 4])),
    ] {
        env.write("archive.tar.lz4", archive);
        let said =
            said(&env, 4, &["pack", "--index-only", "../archive.tar.lz4", "--type", "model", "--version", "1"], "");
        assert!(said.contains(words), "no {words} in {said}");
    }
}

/// Targets whose answers make no sense, as `record check --fetch` tells of them.
#[test]
fn of_answers_of_targets() {
    let env = Env::with_model();
    env.publish("2.0.0");
    let server = ranges::server(&env);
    ranges::located(&env, &[("web", &server)]);
    let ways = [
        ("在途中被编码（`br`）", Way::Encoded("br")),
        ("它重定向到的不是 URL", Way::RedirectTo("http://[".to_owned())),
    ];
    for (words, way) in ways {
        server.misbehave(way, 1);
        let ran = env.run(&["record", "check", "HEAD", "--fetch", "--lang", "zh", "--store", "../fresh"]);
        let line = ran.stdout.lines().find(|line| line.contains(words));
        let line = line.unwrap_or_else(|| panic!("no {words}: {ran:?}"));
        assert_eq!(english(line), None, "{line}");
    }
}

#[test]
fn of_logins() {
    let env = Env::with_model();
    env.ok(&["pack", "--type", "model", "--version", "1.0.0"]);
    let server = Server::start(&[]);
    server.to_all();
    let host = format!("127.0.0.1:{}", server.port);
    let url = server.url("");
    env.configure("far:", &format!("    far: {{type: oci, registry: '{url}', repository: team/model}}"));
    for (words, config) in [
        ("第 1 行，第 1 列", "{".to_owned()),
        ("将 `a/b` 列为凭证助手", format!("{{\"credHelpers\": {{\"{host}\": \"a/b\"}}}}")),
        ("以状态 3 结束", format!("{{\"credHelpers\": {{\"{host}\": \"three\"}}}}")),
        ("没有给出登录信息", format!("{{\"credHelpers\": {{\"{host}\": \"none\"}}}}")),
    ] {
        env.write("home/.docker/config.json", config);
        for (name, script) in [("three", "cat >/dev/null; exit 3"), ("none", "cat >/dev/null; echo none")] {
            executable(&env, &format!("bin/docker-credential-{name}"), script);
        }
        server.misbehave(Way::Login("Basic realm=\"r\"", "Basic bm9ib2R5".to_owned()), usize::MAX);
        let said = with_own_programs(&env, 1, &["publish", "model@1.0.0", "--to", "far", "--lang", "zh"]);
        assert!(said.contains(words), "no {words} in {said}");
    }
}

#[test]
fn of_a_git_that_says_nothing() {
    let env = Env::with_model();
    executable(&env, "bin/git", "exit 1");
    env.configure("records:", "records: {repository: 'https://records.invalid/r.git'}");
    let said = with_own_programs(&env, 1, &["record", "list", "--lang", "zh"]);
    assert!(said.contains("git 什么也没说"), "{said}");
}

fn executable(env: &Env, name: &str, script: &str) {
    let path = env.write(name, format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
}

/// Runs the program with those of `bin` before others; what it says has no English in it.
fn with_own_programs(env: &Env, status: i32, args: &[&str]) -> String {
    let path = format!("{}:{}", env.path("bin").display(), std::env::var("PATH").expect("PATH"));
    let output = env.command(args).env("PATH", path).output().expect("it runs");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
    let said = said.split("\n\n").next().unwrap_or_default().to_owned();
    assert_eq!(english(&said), None, "{args:?}: {said}");
    said
}

#[test]
fn an_english_sentence_is_seen() {
    let found = english("错误: `/a b/c d` 不是 zip 文件：it is damaged");
    assert_eq!(found.as_deref(), Some("is damaged"));
    assert_eq!(english("拒绝 `the file` 的 tar 流，model@1.0.0 config@2"), None);
}
