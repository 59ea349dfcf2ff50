//! A real browser without a window, driven over the `WebDriver` protocol by Chromium's own driver.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::{Value, json};

use super::{request, send, wait_for};

const DRIVER: &str = "chromedriver";

pub struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    folder: PathBuf,
}

impl Browser {
    /// Starts one, or says why there is none. `name` tells it from those of other tests.
    pub fn start(name: &str) -> Option<Self> {
        let driver = Command::new(DRIVER)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = match driver {
            Ok(driver) => driver,
            Err(error) => {
                eprintln!("skipped: no browser, for `{DRIVER}` cannot be started: {error}");
                return None;
            }
        };
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port: u16 = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, port) = line.split_once("successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            })
            .expect("the driver says where it listens");
        // It must not block on what nobody reads.
        thread::spawn(move || lines.for_each(drop));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("browser-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut browser = Self {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
            folder,
        };
        let profile = format!("--user-data-dir={}", browser.folder.display());
        let options = json!({ "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--no-first-run", "--window-size=1400,1000", profile,
        ]});
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" },
        }}});
        let answer = browser.call("POST", "", &wanted);
        let message = answer["message"].as_str().unwrap_or_default();
        if message.contains("cannot find") || message.contains("no chrome binary") {
            eprintln!("skipped: no browser, for `{DRIVER}` finds none: {message}");
            return None;
        }
        let session = answer["sessionId"].as_str();
        browser.session = format!("/{}", session.unwrap_or_else(|| panic!("{answer}")));
        Some(browser)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/session{}{path}", self.session);
        let body = if method == "POST" {
            body.to_string()
        } else {
            String::new()
        };
        let request = request(method, &path, &self.address.to_string(), &body);
        let answer = send(self.address, request.as_bytes()).expect("the driver answers");
        let mut answer: Value = serde_json::from_str(&answer.body).unwrap();
        answer["value"].take()
    }

    pub fn open(&self, url: &str) {
        let answer = self.call("POST", "/url", &json!({ "url": url }));
        assert!(answer.is_null(), "{answer}");
    }

    /// The value of an expression in the page.
    pub fn value(&self, expression: &str) -> Value {
        let script = format!("return {expression};");
        let body = json!({ "script": script, "args": [] });
        let value = self.call("POST", "/execute/sync", &body);
        assert!(value.get("stacktrace").is_none(), "{expression}: {value}");
        value
    }

    pub fn text(&self, selector: &str) -> String {
        let expression = format!("document.querySelector({}).textContent", json!(selector));
        self.value(&expression)
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The names of the nodes that a selector finds, in alphabetical order.
    pub fn names(&self, selector: &str) -> Vec<String> {
        let expression = format!(
            "[...document.querySelectorAll({})].map(node => node.dataset.name).sort()",
            json!(selector)
        );
        serde_json::from_value(self.value(&expression)).unwrap()
    }

    pub fn wait_until(&self, expression: &str) {
        wait_for(expression, || {
            (self.value(expression) == json!(true)).then_some(())
        });
    }

    /// Clicks where the element is, as a person does.
    pub fn click(&self, selector: &str) {
        let wanted = json!({ "using": "css selector", "value": selector });
        let found = self.call("POST", "/element", &wanted);
        let element = found.as_object().and_then(|found| found.values().next());
        let element = element
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{selector}: {found}"));
        let answer = self.call("POST", &format!("/element/{element}/click"), &json!({}));
        assert!(answer.is_null(), "{answer}");
    }

    /// What the browser complains of: errors of the script, and whatever the page's policy forbids.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().unwrap_or_else(|| panic!("{log}"));
        entries.iter().map(ToString::to_string).collect()
    }

    /// Keeps a picture of the page in the folder of the tests, for people to look at.
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let picture = self.call("GET", "/screenshot", &Value::Null);
        let bytes = base64(picture.as_str().unwrap());
        assert!(bytes.starts_with(b"\x89PNG"));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Ends the browser, which the driver alone knows.
            let request = request(
                "DELETE",
                &format!("/session{}", self.session),
                "localhost",
                "",
            );
            let _ = send(self.address, request.as_bytes());
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn base64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.bytes().take_while(|letter| *letter != b'=') {
        let value = LETTERS.iter().position(|known| *known == letter).unwrap();
        bits = bits << 6 | u32::try_from(value).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}
