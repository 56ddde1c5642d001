//! `report`: the page as Chromium shows it, the data behind it, and what making it must not do.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::env::{Env, Ran};
use super::programs::has;

/// Two versions and an environment; the second one is current.
fn small() -> Env {
    let env = Env::with_model();
    env.publish("1.0.0");
    env.write("project/models/bert/config.json", "{\"layers\": 6}\n");
    env.publish("1.0.1");
    env.ok(&["env", "set", "model@1.0.0", "--env", "prod"]);
    // Not the store that publishing filled: something has to be fetched.
    env.ok(&["deploy", "model@1.0.0", "--store", "../cold"]);
    env.ok(&["deploy", "model@1.0.1", "--store", "../cold"]);
    env
}

/// Sixty releases of two components: new versions, old ones again, and every sixth a rollback.
fn busy() -> Env {
    let env = Env::with_model();
    env.write("project/configs/app.conf", "threshold = 0.5\n");
    for number in 0..20 {
        env.write("project/models/bert/config.json", format!("{{\"layers\": {number}}}\n"));
        env.publish(&format!("1.{number}.0"));
    }
    env.ok(&["pack", "--type", "config", "--version", "2"]);
    env.ok(&["publish", "config@2"]);
    env.ok(&["deploy", "model@1.0.0", "config@2"]);
    for number in 1..60 {
        match number % 6 {
            5 => env.ok(&["rollback"]),
            _ => env.ok(&["deploy", &format!("model@1.{}.0", (number * 7) % 20)]),
        };
    }
    env.ok(&["env", "set", "model@1.3.0", "--env", "prod"]);
    env
}

/// Runs Chromium on a file; what its console says comes on stderr.
fn chromium(env: &Env, args: &[&str], file: &Path) -> Ran {
    let profile = format!("--user-data-dir={}", env.path("chromium").display());
    let mut command = env.hermetic("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
    command.args(["--enable-logging=stderr", "--v=0", "--hide-scrollbars", &profile]);
    command.args(args).arg(format!("file://{}", file.display()));
    let ran = Ran::of(command.output().expect("chromium is installed: see NEEDED in .ci/run"));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    ran
}

/// What the console said.
fn console(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().filter(|line| line.contains("CONSOLE")).collect()
}

/// The report in a frame of this width, measured from outside: the page itself runs no script.
fn measured(env: &Env, page: &str, width: u32) -> Value {
    let escaped = page.replace('&', "&amp;").replace('"', "&quot;");
    let frame = format!(
        "<!DOCTYPE html><body style='margin:0'><iframe id=f width={width} height=900 style='border:0' srcdoc=\"{escaped}\">\
         </iframe><pre id=out></pre><script>onload = () => {{ const d = f.contentDocument; \
         out.textContent = JSON.stringify({{wide: d.documentElement.scrollWidth, sections: d.querySelectorAll('section').length, \
         svg: d.querySelectorAll('svg[role=img]').length, scripts: d.querySelectorAll('script').length, \
         rows: d.querySelectorAll('#timeline tbody tr').length, lang: d.documentElement.lang, \
         named: [...d.querySelectorAll('svg')].every(s => s.querySelector('title') && s.querySelector('desc')), \
         ink: getComputedStyle(d.body).color, paper: getComputedStyle(d.body).backgroundColor}}) }}</script></body>"
    );
    let file = env.write("frame.html", frame);
    let ran = chromium(env, &["--dump-dom"], &file);
    assert_eq!(console(&ran), Vec::<&str>::new());
    let out = ran.stdout.split("<pre id=\"out\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    serde_json::from_str(out.unwrap_or_default()).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
}

#[test]
fn sixty_deploys_in_chromium() {
    if !has("chromium", "chromium") {
        return;
    }
    let env = busy();
    let before = env.listing();
    let page = env.ok(&["report"]);
    env.assert_unchanged(&before, &["report"]);
    let file = env.write("report.html", &page);

    let shown = chromium(&env, &["--dump-dom"], &file);
    assert_eq!(console(&shown), Vec::<&str>::new());
    assert!(shown.stdout.contains("class=\"versions\""), "{shown:?}");

    for width in [360, 1280] {
        let seen = measured(&env, &page, width);
        assert_eq!(seen["wide"], width, "no wider than the screen: {seen}");
        let counts = ["sections", "svg", "scripts", "rows"].map(|name| seen[name].as_u64());
        assert_eq!(counts, [Some(7), Some(4), Some(0), Some(60)], "{seen}");
        assert_eq!((&seen["lang"], &seen["named"]), (&Value::from("en"), &Value::from(true)), "{seen}");
    }

    let pdf = env.path("report.pdf");
    chromium(&env, &[&format!("--print-to-pdf={}", pdf.display())], &file);
    assert!(fs::read(pdf).expect("printed").starts_with(b"%PDF-"));

    let light = env.path("light.png");
    let dark = env.path("dark.png");
    for (picture, scheme) in [(&light, "1"), (&dark, "0")] {
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        chromium(&env, &[&scheme, "--window-size=1280,2000", &format!("--screenshot={}", picture.display())], &file);
    }
    assert_ne!(fs::read(light).expect("drawn"), fs::read(dark).expect("drawn"), "dark is drawn otherwise");
}

#[test]
fn an_error_on_the_console_would_be_seen() {
    if !has("chromium", "chromium") {
        return;
    }
    let env = Env::new();
    let file =
        env.write("wrong.html", "<!DOCTYPE html><title>x</title><script>throw new Error('thrown here')</script>");
    let ran = chromium(&env, &["--dump-dom"], &file);
    assert!(console(&ran).iter().any(|line| line.contains("thrown here")), "{ran:?}");
}

#[test]
fn the_page_is_valid_html() {
    if !has("tidy", "tidy") {
        return;
    }
    let env = small();
    let file = env.write("report.html", env.ok(&["report"]));
    // What it does not know, such as `aria-label`, is only warned of.
    let ran = Ran::of(env.hermetic("tidy").args(["-q", "-e"]).arg(&file).output().expect("tidy is installed"));
    assert!(ran.status < Some(2), "{ran:?}");
}

/// The words of the page, a line each, without what is another time otherwise.
fn words(env: &Env, page: &str) -> String {
    let body = page.split("</style>").nth(1).expect("a body");
    let mut text = String::new();
    for part in body.split('<').skip(1) {
        let words = part.split_once('>').map_or("", |(_, words)| words);
        if !words.trim().is_empty() {
            text += words.trim();
            text.push('\n');
        }
    }
    let text = env.shown(&text);
    let mut masked = text;
    for (pattern, with) in [
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(Z| UTC)", "<time>"),
        (r"[0-9.]+ (ms|s|min)\b", "<span>"),
        (r"[0-9.]+ (B|KiB|MiB|GiB|TiB)\b", "<size>"),
        (r"mei@[^\s,:，；]+", "mei@<host>"),
        (r"(?m)^[0-9.]+$", "<number>"),
    ] {
        masked = regex_lite::Regex::new(pattern).expect("a pattern").replace_all(&masked, with).into_owned();
    }
    // How many marks an axis has depends on how long the deploys took.
    let mut lines: Vec<&str> = masked.lines().collect();
    lines.dedup();
    lines.join("\n")
}

#[test]
fn both_languages() {
    let env = small();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../fixtures/report");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        let english = env.ok(&["report", "--lang", "en"]);
        assert!(english.contains("<html lang=\"en\">"));
        insta::assert_snapshot!("english", words(&env, &english));
        let chinese = env.ok(&["report", "--lang", "zh"]);
        assert!(chinese.contains("<html lang=\"zh-CN\">"));
        insta::assert_snapshot!("chinese", words(&env, &chinese));
    });
}

#[test]
fn what_comes_from_outside_is_text() {
    let env = Env::with_model();
    let odd = "root/<script>alert(1)</script>&\"'";
    env.publish("1.0.0");
    env.ok(&["deploy", "model@1.0.0", "--root", &env.path(odd).display().to_string()]);
    let root = env.path(odd).display().to_string();
    let history = env.path(odd).join(".deploy-tool/history.jsonl");
    let text = fs::read_to_string(&history).expect("read");
    let by = format!("\"by\":\"{}\"", "</title><script>alert(2)</script>");
    let at = text.find("\"by\":\"").expect("named");
    let end = at + 6 + text[at + 6..].find('"').expect("closed") + 1;
    fs::write(&history, format!("{}{by}{}", &text[..at], &text[end..])).expect("written");
    let page = env.ok(&["report", "--root", &root]);
    assert!(!page.contains("<script"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("&lt;script&gt;alert(2)"), "{page}");
    let file = env.write("report.html", &page);
    if has("chromium", "chromium") {
        assert_eq!(console(&chromium(&env, &["--dump-dom"], &file)), Vec::<&str>::new());
    }
}

#[test]
fn what_is_not_there_or_broken_is_said() {
    let env = Env::with_model();
    let fresh = env.ok(&["report"]);
    assert!(fresh.contains("nothing was ever deployed to it") && !env.path("root").exists(), "{fresh}");
    let document = env.json(&["report"]);
    assert_eq!(
        (&document["status"]["release"], &document["failures"]),
        (&Value::Null, &Value::from(Vec::<Value>::new()))
    );

    let env = small();
    let document = env.json(&["report"]);
    assert_eq!(document["releases"].as_array().map(Vec::len), Some(2));
    let work = &document["releases"][0]["work"]["components"]["model"];
    assert!(work["sources"]["near"].as_u64() > Some(0) || work["sources"]["far"].as_u64() > Some(0), "{document}");
    assert_eq!(document["space"]["versions"].as_array().map(Vec::len), Some(2));
    env.write("root/.deploy-tool/history.jsonl", "no history\n");
    let page = env.ok(&["report"]);
    assert!(page.contains("cannot be read") && page.contains("history.jsonl"), "{page}");
    let failures = env.json(&["report"])["failures"].clone();
    assert!(
        failures.as_array().is_some_and(|all| all.iter().any(|failure| failure["part"] == "releases")),
        "{failures}"
    );
    let _ = fs::remove_dir_all(env.path("records"));
    assert!(env.ok(&["report"]).contains("The records name no environments"));
}

#[test]
fn the_page_goes_to_a_file_all_at_once() {
    let env = small();
    let file = env.path("out.html");
    fs::write(&file, "old").expect("written");
    let said = env.ok(&["report", "--output", "../out.html"]);
    assert!(said.starts_with("wrote ") && env.read("out.html").ends_with("</html>\n"), "{said}");
    assert!(env.json(&["report", "--output", "../out.html"])["releases"].is_array());
    env.fails(1, &["report", "--output", "../nowhere/out.html"]);
}
