//! A headless Chromium that a test drives through its debugging pipe: JSON messages, each followed by a NUL.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use tailscale_featureset::process::on_path;

/// A page of a browser. Dropping it ends the browser.
pub(crate) struct Browser {
    child: Child,
    input: RefCell<File>,
    messages: Receiver<Value>,
    /// Messages that are not answers.
    events: RefCell<Vec<Value>>,
    session: RefCell<Option<String>>,
    last: Cell<u64>,
    _profile: tempfile::TempDir,
}

/// Returns the name of an installed Chromium.
pub(crate) fn installed() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| on_path(name).is_some())
}

impl Browser {
    /// Starts a browser with an empty page.
    pub(crate) fn start(program: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        for name in ["in", "out"] {
            mknodat(CWD, profile.path().join(name), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        }
        let mut command = Command::new("sh");
        // The browser reads from descriptor 3 and writes to 4.
        command.args(["-c", "exec \"$0\" \"$@\" 3<in 4>out", program]);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.arg(format!("--user-data-dir={}", profile.path().join("profile").display()));
        command.args(["--remote-debugging-pipe", "about:blank"]).current_dir(profile.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let input = File::options().write(true).open(profile.path().join("in")).unwrap();
        let output = File::open(profile.path().join("out")).unwrap();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { break };
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let browser = Self {
            child,
            input: RefCell::new(input),
            messages,
            events: RefCell::default(),
            session: RefCell::default(),
            last: Cell::new(0),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        *browser.session.borrow_mut() = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method of the protocol and returns its result.
    pub(crate) fn call(&self, method: &str, parameters: Value) -> Value {
        let id = self.last.get() + 1;
        self.last.set(id);
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &*self.session.borrow() {
            message["sessionId"] = session.as_str().into();
        }
        let mut input = self.input.borrow_mut();
        input.write_all(message.to_string().as_bytes()).and_then(|()| input.write_all(&[0])).unwrap();
        loop {
            let message = self.next(method);
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.borrow_mut().push(message);
        }
    }

    fn next(&self, waiting_for: &str) -> Value {
        let received = self.messages.recv_timeout(Duration::from_secs(300));
        received.unwrap_or_else(|error| panic!("the browser does not answer {waiting_for}: {error}"))
    }

    /// Opens a page and waits until it has loaded.
    pub(crate) fn open(&self, page: &Path, fragment: &str) {
        let is_load = |message: &Value| message["method"] == "Page.loadEventFired";
        self.call("Page.navigate", json!({ "url": "about:blank" }));
        self.evaluate("0");
        self.events.borrow_mut().retain(|message| !is_load(message));
        self.call("Page.navigate", json!({ "url": format!("file://{}{fragment}", page.display()) }));
        while !self.events.borrow().iter().any(is_load) {
            let message = self.next("the page loads");
            self.events.borrow_mut().push(message);
        }
    }

    /// Evaluates an expression, waits for a promise, and returns the value.
    pub(crate) fn evaluate(&self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.call("Runtime.evaluate", parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// Presses and releases a key, such as `Enter`.
    pub(crate) fn press(&self, key: &str) {
        let (code, text) = match key {
            " " => ("Space", " "),
            "Enter" => ("Enter", "\r"),
            other => (other, ""),
        };
        let number = match key {
            " " => 32,
            "Enter" => 13,
            "Tab" => 9,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            other => panic!("no code of the key {other}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = text.into();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Clicks the middle of an element.
    pub(crate) fn click(&self, selector: &str) {
        let script = format!(
            "(() => {{ const node = document.querySelector({}); node.scrollIntoView({{ block: 'center' }}); \
             const box = node.getBoundingClientRect(); return [box.left + box.width / 2, box.top + box.height / 2]; }})()",
            json!(selector)
        );
        let at = self.evaluate(&script);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Chooses a value of a select element, as a person does.
    pub(crate) fn choose(&self, id: &str, value: &str) {
        self.evaluate(&format!(
            "(() => {{ const node = document.getElementById({}); node.value = {}; \
             node.dispatchEvent(new Event('change', {{ bubbles: true }})); }})()",
            json!(id),
            json!(value)
        ));
    }

    /// Sets the size of the window and the color scheme.
    pub(crate) fn display(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Returns everything that was logged, thrown or requested, except files and data in URLs.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.evaluate("0");
        let events = self.events.borrow();
        let complaint = |event: &Value| {
            let text = event["params"].to_string();
            match event["method"].as_str()? {
                "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded" => Some(text),
                "Network.requestWillBeSent" => {
                    let url = event["params"]["request"]["url"].as_str()?;
                    let is_own = url.starts_with("file://") || url.starts_with("data:") || url == "about:blank";
                    (!is_own).then_some(text)
                }
                _ => None,
            }
        };
        events.iter().filter_map(complaint).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
