//! Git's smart HTTP as servers have it: nginx, fcgiwrap, `git http-backend`, and a login.

use std::fs;
use std::path::Path;

use super::{Process, directory, find, free_port, output, plain};

pub const USERNAME: &str = "mei";
pub const PASSWORD: &str = "correct-horse-battery-staple";

/// A server of the repositories in one directory, for [`USERNAME`] alone.
#[derive(Debug)]
pub struct SmartHttp {
    pub port: u16,
    _nginx: Process,
    _cgi: Process,
    _dir: tempfile::TempDir,
}

impl SmartHttp {
    /// Serves the repositories in `root`.
    pub fn serving(root: &Path) -> Option<Self> {
        let nginx = find("nginx", "Debian package `nginx-light`")?;
        let cgi = find("fcgiwrap", "Debian package `fcgiwrap`")?;
        let (dir, port) = (directory(), free_port());
        let here = dir.path().display();
        fs::create_dir(dir.path().join("tmp")).expect("made");
        let temporary: String = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"]
            .iter()
            .map(|name| format!("{name}_temp_path tmp/{name};\n"))
            .collect();
        fs::write(dir.path().join("users"), format!("{USERNAME}:{{PLAIN}}{PASSWORD}\n")).expect("written");
        fs::write(dir.path().join(".gitconfig"), "[safe]\n\tdirectory = *\n[http]\n\treceivepack = true\n")
            .expect("written");
        let core = output(plain("git", dir.path()).arg("--exec-path"));
        let config = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\nhttp {{\n{temporary}\
             access_log off;\n\
             client_max_body_size 100m;\n\
             server {{\n\
             listen 127.0.0.1:{port};\n\
             location /git/ {{\n\
             auth_basic records;\n\
             auth_basic_user_file users;\n\
             fastcgi_pass unix:{here}/cgi;\n\
             fastcgi_param SCRIPT_FILENAME {core}/git-http-backend;\n\
             fastcgi_param GIT_PROJECT_ROOT {root};\n\
             fastcgi_param GIT_HTTP_EXPORT_ALL 1;\n\
             fastcgi_param GIT_PROTOCOL $http_git_protocol;\n\
             fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;\n\
             fastcgi_param HOME {here};\n\
             fastcgi_param PATH /usr/local/bin:/usr/bin:/bin;\n\
             fastcgi_param REMOTE_USER $remote_user;\n\
             fastcgi_param REMOTE_ADDR $remote_addr;\n\
             fastcgi_param QUERY_STRING $query_string;\n\
             fastcgi_param REQUEST_METHOD $request_method;\n\
             fastcgi_param CONTENT_TYPE $content_type;\n\
             fastcgi_param CONTENT_LENGTH $content_length;\n\
             set $path $uri;\n\
             if ($uri ~ ^/git(/.*)$) {{ set $path $1; }}\n\
             fastcgi_param PATH_INFO $path;\n\
             }}\n}}\n}}\n",
            core = core.trim(),
            root = root.display(),
        );
        fs::write(dir.path().join("nginx.conf"), config).expect("written");
        let mut command = plain(cgi, dir.path());
        command.args(["-c", "4", "-s"]).arg(format!("unix:{here}/cgi"));
        let cgi = Process::start(&mut command, &dir.path().join("cgi-log"), &[]);
        cgi.until("its socket is there", || dir.path().join("cgi").exists());
        let mut command = plain(nginx, dir.path());
        command.arg("-e").arg("stderr").arg("-p").arg(dir.path()).args(["-c", "nginx.conf"]);
        let nginx = Process::start(&mut command, &dir.path().join("log"), &[port]);
        Some(Self { port, _nginx: nginx, _cgi: cgi, _dir: dir })
    }

    /// The URL of a repository of this name, through `port`, which may be a relay's.
    pub fn url(&self, port: u16, name: &str) -> String {
        format!("http://127.0.0.1:{port}/git/{name}")
    }
}
