//! Whether a line that came is that of the page. What differs from run to run may: times and dates, and the names and
//! numbers of processes, which must then be the same wherever the page has them the same.

use std::collections::HashMap;

/// What the page's processes are in this run: `desk:4242` is `host:77`, and so `4242` is `77`.
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<String, String>);

impl Names {
    /// Whether `seen` is the page's line `shown`. If so, it gives the page's processes in it their names.
    pub fn is(&mut self, shown: &str, seen: &str) -> bool {
        let (shown, seen) = (timeless(shown), timeless(seen));
        let mut names = self.clone();
        let is_it = shown.len() == seen.len()
            && shown
                .iter()
                .zip(&seen)
                .all(|(shown, seen)| shown == seen || names.is_process(shown, seen));
        if is_it {
            *self = names;
        }
        is_it
    }

    fn is_process(&mut self, shown: &str, seen: &str) -> bool {
        let (Some(shown), Some(seen)) = (process(shown), process(seen)) else {
            return false;
        };
        for (shown, seen) in [(shown.0, seen.0), (shown.1, seen.1)] {
            let known = self.0.entry(shown.to_owned());
            if known.or_insert_with(|| seen.to_owned()) != seen {
                return false;
            }
        }
        true
    }

    /// A command of the page as it is in this run.
    ///
    /// # Panics
    /// If it would kill a process that the page has not shown.
    pub fn translated(&self, command: &str) -> String {
        let Some(rest) = command.strip_prefix("kill ") else {
            return command.to_owned();
        };
        let words = rest.split(' ').map(|word| {
            let is_process = word.bytes().all(|byte| byte.is_ascii_digit());
            match self.0.get(word) {
                Some(seen) => seen.as_str(),
                None if is_process => panic!("no process {word} was seen"),
                None => word,
            }
        });
        format!("kill {}", words.collect::<Vec<_>>().join(" "))
    }
}

/// Of `host:4242`, or `host:4242)`, the whole without what follows it, and the number.
fn process(word: &str) -> Option<(&str, &str)> {
    let word = word.trim_end_matches([')', ',', ':']);
    let (host, number) = word.rsplit_once(':')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let is_address = host.contains(['.', '[']);
    (is_number && !is_address).then_some((word, number))
}

/// The words of a line, of whatever width are the gaps between them; `TIME` for each time, `DATE` for each date.
fn timeless(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let bare = word.trim_end_matches([';', ',', ':', ')']);
        let end = &word[bare.len()..];
        let is_unit = matches!(bare, "ms" | "s" | "min" | "h");
        match words.last_mut() {
            Some(last) if is_unit && is_number(last) => {
                *last = format!("TIME{end}");
                // `1 min 20 s` is one.
                if let [.., before, last] = &mut words[..]
                    && before == "TIME"
                {
                    before.clone_from(last);
                    words.pop();
                }
            }
            _ if is_date(bare) => words.push(format!("DATE{end}")),
            _ => words.push(word.to_owned()),
        }
    }
    words
}

fn is_number(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn is_date(word: &str) -> bool {
    word.len() == 10
        && word.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[test]
fn what_differs_from_run_to_run_may_differ_and_nothing_else() {
    let mut names = Names::default();
    assert!(names.is("worker desk:42 joined", "worker vm:77  joined"));
    assert!(names.is("1  worker desk:42  1.2 s", "1 worker vm:77 80 ms"));
    assert!(!names.is("worker desk:42 left", "worker vm:78 left"));
    assert!(names.is("after 3 s; the input", "after 1 min 3 s; the input"));
    assert!(!names.is("after 3 s; the input", "after 3 s"));
    assert!(!names.is("2 done", "3 done"));
    assert!(!names.is("at 127.0.0.1:1", "at 127.0.0.1:2"));
    assert!(names.is("good until 2027-11-29:", "good until 2028-01-02:"));
    assert_eq!(names.translated("kill -9 42"), "kill -9 77");
    assert_eq!(names.translated("echo 42"), "echo 42");
}

#[test]
#[should_panic(expected = "no process 42 was seen")]
fn no_process_is_killed_that_the_page_has_not_shown() {
    let _ = Names::default().translated("kill -9 42");
}
