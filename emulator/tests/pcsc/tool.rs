//! Running a program to its end and judging what it said.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

/// No single call in this suite comes near it; it turns a hang into a failure.
const LIMIT_SECONDS: &str = "120";

/// A program with its arguments, ready to run.
pub(crate) struct Tool {
    command: Command,
    shown: String,
    input: Vec<u8>,
}

/// What a program printed and how it ended.
pub(crate) struct Outcome {
    shown: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    /// Standard output, then standard error.
    pub(crate) text: String,
}

impl Tool {
    pub(crate) fn new(program: &str) -> Self {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", LIMIT_SECONDS, program]);
        // The tools' words are compared, so they must speak English.
        command
            .env("LC_ALL", "C.UTF-8")
            .env_remove("LANGUAGE")
            .env("TERM", "dumb");
        Self {
            command,
            shown: program.into(),
            input: Vec::new(),
        }
    }

    /// Adds arguments that have no space inside, written as in a shell.
    pub(crate) fn words(self, words: &str) -> Self {
        self.args(words.split_whitespace())
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        for arg in args {
            self = self.arg(arg);
        }
        self
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.shown = format!("{} {}", self.shown, arg.as_ref().to_string_lossy());
        self.command.arg(arg);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn directory(mut self, path: impl Into<PathBuf>) -> Self {
        self.command.current_dir(path.into());
        self
    }

    /// What the program reads from standard input.
    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// Runs to the end and returns the outcome, good or bad.
    pub(crate) fn run(mut self) -> Outcome {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("coreutils' timeout starts");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let input = self.input;
        // A program may end without reading its input; that is its right, not an error.
        let writer = thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child
            .wait_with_output()
            .expect("the program can be waited for");
        drop(writer.join());
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Outcome {
            shown: self.shown,
            code: output.status.code(),
            stdout: output.stdout,
            text,
        }
    }

    /// Runs to the end and fails the test unless the program ends with success.
    pub(crate) fn ok(self) -> Outcome {
        let outcome = self.run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome
    }

    /// Runs to the end and fails the test if the program reports success.
    pub(crate) fn fails(self) -> Outcome {
        let outcome = self.run();
        // 124 and 137 are `timeout` speaking: a hang is not the refusal that is asked for.
        assert!(
            !matches!(outcome.code, None | Some(0 | 124 | 137)),
            "{outcome}"
        );
        outcome
    }
}

impl Outcome {
    pub(crate) fn has(self, expected: &str) -> Self {
        assert!(
            self.text.contains(expected),
            "expected {expected:?} from {self}"
        );
        self
    }

    pub(crate) fn lacks(self, unexpected: &str) -> Self {
        assert!(
            !self.text.contains(unexpected),
            "did not expect {unexpected:?} from {self}"
        );
        self
    }

    /// The rest of the first line that begins with `prefix`, white space trimmed.
    pub(crate) fn field(&self, prefix: &str) -> String {
        self.text
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(prefix))
            .unwrap_or_else(|| panic!("no line {prefix:?} from {self}"))
            .trim()
            .to_owned()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` (exit code {:?}):\n{}",
            self.shown, self.code, self.text
        )
    }
}
