//! The command that is run for each unit: its template, where it is found, and how it is written for people.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A command line in which `{}` stands for the unit and `{#}` for its number.
#[derive(Clone, Debug)]
pub struct Template {
    words: Vec<Vec<Part>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Unit,
    Number,
}

/// Why a unit cannot be an argument.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "it has a NUL byte, which no argument can have: leave {{}} out, and CMD gets it on its standard input"
)]
pub struct NulInArgument;

impl Template {
    /// Reads a command line. `words` is the command and its arguments.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self {
            words: words.into_iter().map(parts).collect(),
        }
    }

    /// Whether the unit is an argument, so that the command's standard input stays empty.
    pub fn takes_argument(&self) -> bool {
        self.words.iter().flatten().any(|part| *part == Part::Unit)
    }

    /// The command, unless it depends on the unit.
    pub fn fixed_program(&self) -> Option<&OsStr> {
        match self.words.first()?.as_slice() {
            [Part::Text(text)] => Some(OsStr::from_bytes(text)),
            _ => None,
        }
    }

    /// The command line for one unit.
    ///
    /// # Errors
    /// If the unit stands in an argument and has a NUL byte.
    pub fn fill(&self, number: u64, unit: &[u8]) -> Result<Vec<OsString>, NulInArgument> {
        if self.takes_argument() && unit.contains(&0) {
            return Err(NulInArgument);
        }
        let fill_word = |word: &Vec<Part>| {
            let mut text = Vec::new();
            for part in word {
                match part {
                    Part::Text(literal) => text.extend_from_slice(literal),
                    Part::Unit => text.extend_from_slice(unit),
                    Part::Number => text.extend_from_slice(number.to_string().as_bytes()),
                }
            }
            OsString::from_vec(text)
        };
        Ok(self.words.iter().map(fill_word).collect())
    }
}

fn parts(word: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = Vec::new();
    let mut rest = word;
    while let Some(first) = rest.first() {
        let (part, length) = match rest {
            [b'{', b'}', ..] => (Part::Unit, 2),
            [b'{', b'#', b'}', ..] => (Part::Number, 3),
            _ => {
                text.push(*first);
                rest = &rest[1..];
                continue;
            }
        };
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(part);
        rest = &rest[length..];
    }
    if !text.is_empty() || parts.is_empty() {
        parts.push(Part::Text(text));
    }
    parts
}

/// A unit as it stands in an argument: a line without its line end.
pub fn as_argument(unit: &[u8]) -> &[u8] {
    unit.strip_suffix(b"\n").unwrap_or(unit)
}

/// Why a command cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum NotRunnable {
    /// There is none of that name.
    #[error("there is no command {0:?} here: check its name, and PATH")]
    NotFound(OsString),
    /// It is there, but is no program.
    #[error("{0:?} is not executable: chmod +x it, or run it with its interpreter")]
    NotExecutable(PathBuf),
}

/// Checks that a command can be found and run, as `execvp` would look for it.
///
/// # Errors
/// If it cannot.
pub fn find(program: &OsStr) -> Result<PathBuf, NotRunnable> {
    let executable = |path: &Path| {
        path.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    if program.as_bytes().contains(&b'/') {
        let path = PathBuf::from(program);
        return match () {
            () if executable(&path) => Ok(path),
            () if path.exists() => Err(NotRunnable::NotExecutable(path)),
            () => Err(NotRunnable::NotFound(program.into())),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let mut found = None;
    for directory in std::env::split_paths(&path) {
        let candidate = directory.join(program);
        if !program.is_empty() && executable(&candidate) {
            return Ok(candidate);
        }
        if candidate.is_file() {
            found = Some(candidate);
        }
    }
    Err(found.map_or_else(
        || NotRunnable::NotFound(program.into()),
        NotRunnable::NotExecutable,
    ))
}

/// A command line as one would type it in a shell.
pub fn quoted(words: &[OsString]) -> Vec<u8> {
    let mut line = Vec::new();
    for word in words {
        if !line.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(&quoted_word(word.as_bytes()));
    }
    line
}

fn quoted_word(word: &[u8]) -> Cow<'_, [u8]> {
    let plain = |byte: &u8| {
        byte.is_ascii_alphanumeric() || b"-_./:=@%+,{}#".contains(byte) || *byte >= 0x80
    };
    if !word.is_empty() && word.iter().all(plain) && word[0] != b'#' {
        return Cow::Borrowed(word);
    }
    let mut text = vec![b'\''];
    for byte in word {
        match byte {
            b'\'' => text.extend_from_slice(b"'\\''"),
            other => text.push(*other),
        }
    }
    text.push(b'\'');
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(words: &[&str]) -> Template {
        Template::new(words.iter().map(|word| word.as_bytes()))
    }

    #[test]
    fn the_unit_and_its_number_stand_anywhere_in_an_argument() {
        let template = template(&["cp", "{}", "to/{#}-{}.bak", "{", "", "#}"]);
        assert!(template.takes_argument());
        let words = template.fill(7, b"a \xff").unwrap();
        let expected: Vec<&[u8]> = vec![b"cp", b"a \xff", b"to/7-a \xff.bak", b"{", b"", b"#}"];
        assert_eq!(
            words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn a_template_without_the_unit_leaves_it_to_standard_input() {
        let template = template(&["sh", "-c", "echo {#}"]);
        assert!(!template.takes_argument());
        assert_eq!(template.fill(3, b"a\0b").unwrap()[2], "echo 3");
        assert_eq!(template.fixed_program(), Some(OsStr::new("sh")));
    }

    #[test]
    fn a_nul_cannot_be_in_an_argument() {
        assert_eq!(
            template(&["echo", "{}"]).fill(1, b"a\0b"),
            Err(NulInArgument)
        );
    }

    #[test]
    fn a_command_is_found_as_the_shell_would() {
        assert!(find(OsStr::new("sh")).unwrap().is_absolute());
        assert!(matches!(
            find(OsStr::new("no-such-command-here")),
            Err(NotRunnable::NotFound(_))
        ));
        assert!(matches!(
            find(OsStr::new("")),
            Err(NotRunnable::NotFound(_))
        ));
        assert!(matches!(
            find(OsStr::new("/etc/passwd")),
            Err(NotRunnable::NotExecutable(_))
        ));
        assert!(matches!(
            find(OsStr::new("/etc")),
            Err(NotRunnable::NotExecutable(_))
        ));
    }

    #[test]
    fn a_quoted_command_line_means_the_same_to_a_shell() {
        let words: Vec<OsString> = ["printf", "%s|", "a b", "it's", "", "$x", "plain-1.txt"]
            .map(Into::into)
            .to_vec();
        let line = OsString::from_vec(quoted(&words));
        let output = std::process::Command::new("sh")
            .arg("-c")
            .arg(line)
            .output()
            .unwrap();
        assert_eq!(output.stdout, b"a b|it's||$x|plain-1.txt|");
    }
}
