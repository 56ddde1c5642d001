//! In Chinese the reasons inside of messages are Chinese too: of archives, indexes, deltas, records and state files. What a
//! library says in its own words is quoted behind a Chinese sentence, and nothing else is.

use std::fs;

use serde_json::Value;

use super::env::Env;
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
    let index = fs::read(env.path("project/dist/model-1.0.0.index.zst")).expect("packed");
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
fn an_english_sentence_is_seen() {
    let found = english("错误: `/a b/c d` 不是 zip 文件：it is damaged");
    assert_eq!(found.as_deref(), Some("is damaged"));
    assert_eq!(english("拒绝 `the file` 的 tar 流，model@1.0.0 config@2"), None);
}
