//! A page as steps: what is typed into which terminal, and what it shows then.
//!
//! They are in the page's blocks ```` ```console terminal ````. The last bold words before a block name its terminal. A
//! line that begins with `$ ` is a command, with more lines of it after `> `; `^C` is that key; anything else is shown.

/// What is typed.
#[derive(Debug, PartialEq)]
pub enum Typed {
    Command(String),
    /// Ctrl-C, to the command that runs.
    Interrupt,
}

/// What one does and sees in a terminal.
#[derive(Debug)]
pub struct Step {
    pub terminal: String,
    /// The line of the page.
    pub line: usize,
    /// Nothing, if one only looks.
    pub typed: Option<Typed>,
    pub shown: Vec<String>,
    /// The command goes on: what comes next in this terminal is no new command.
    pub goes_on: bool,
}

/// The steps of a page, in its order.
pub fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut inside, mut begins) = (false, false);
    let mut terminal = "";
    for (line, text) in (1..).zip(page.lines()) {
        if text.starts_with("```") {
            inside = text == "```console terminal";
            begins = true;
            continue;
        }
        if !inside {
            // Of `a **b** c **d**`, what is at odd places is bold.
            let bold = text.split("**").skip(1).step_by(2).last();
            terminal = bold.unwrap_or(terminal);
            continue;
        }
        let typed = match text.strip_prefix("$ ") {
            Some(command) => Some(Typed::Command(command.to_owned())),
            None => (text == "^C").then_some(Typed::Interrupt),
        };
        if typed.is_some() || begins {
            steps.push(Step {
                terminal: terminal.to_lowercase(),
                line,
                typed,
                shown: Vec::new(),
                goes_on: false,
            });
        }
        begins = false;
        let step = steps.last_mut().unwrap();
        match (&mut step.typed, text.strip_prefix("> ")) {
            (Some(Typed::Command(command)), Some(more)) if step.shown.is_empty() => {
                command.push('\n');
                command.push_str(more);
            }
            _ if text.starts_with("$ ") || text == "^C" => {}
            _ => step.shown.push(text.to_owned()),
        }
    }
    for number in 0..steps.len() {
        let next = steps[number + 1..]
            .iter()
            .find(|next| next.terminal == steps[number].terminal);
        steps[number].goes_on =
            next.is_some_and(|next| !matches!(next.typed, Some(Typed::Command(_))));
    }
    steps
}

#[test]
fn a_page_is_read_as_it_is_meant() {
    let page = "\
In a **bakery**:\n```console terminal\n$ cat <<END\n> a > b\n> END\na > b\n$ work\nstarted\n```\n\
In **another terminal**:\n```console terminal\n$ look\n```\n```sh\n$ no\n```\n\
**Bakery** again:\n```console terminal\n^C\nended\n```\n";
    let read: Vec<_> = steps(page)
        .into_iter()
        .map(|step| {
            let typed = match step.typed {
                Some(Typed::Command(command)) => command,
                Some(Typed::Interrupt) => "^C".to_owned(),
                None => String::new(),
            };
            (step.terminal, typed, step.shown.join("|"), step.goes_on)
        })
        .collect();
    let step = |terminal: &str, typed: &str, shown: &str, goes_on| {
        (
            terminal.to_owned(),
            typed.to_owned(),
            shown.to_owned(),
            goes_on,
        )
    };
    assert_eq!(
        read,
        [
            step("bakery", "cat <<END\na > b\nEND", "a > b", false),
            step("bakery", "work", "started", true),
            step("another terminal", "look", "", false),
            step("bakery", "^C", "ended", false),
        ]
    );
}
