//! Goes through a page as a reader does.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    page::{Step, Typed, steps},
    seen::Names,
    terminal::Running,
};

/// Time for anything that should happen soon.
const SOON: Duration = Duration::from_mins(1);

/// Where commands are run.
pub struct Place {
    /// A directory for this page alone, which goes with it.
    directory: PathBuf,
    /// The command in which each runs, if any.
    pub wrap: Vec<String>,
    /// Commands with this in them are not run.
    pub skipped: Option<&'static str>,
}

impl Place {
    pub fn here(name: &str) -> Self {
        let name = format!("handover-walk-{name}-{}", std::process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        Self {
            directory,
            wrap: Vec::new(),
            skipped: None,
        }
    }

    fn command(&self, command: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_handover"));
        let mut path = program.parent().unwrap().as_os_str().to_owned();
        path.push(":");
        path.push(env::var_os("PATH").unwrap());
        // A wrap may change the directory.
        let mut words = self.wrap.clone();
        words.extend(["env".into(), "-C".into()]);
        let mut typed = Command::new(&words[0]);
        typed
            .args(&words[1..])
            .arg(&self.directory)
            .args(["bash", "-c", command])
            .env("PATH", path);
        for name in ["HANDOVER_TOKEN", "HANDOVER_REPORTS"] {
            typed.env_remove(name);
        }
        typed
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Waits until a fact holds; false if it does not in time.
fn comes_true(mut fact: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + SOON;
    loop {
        if fact() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Does each step of the page.
pub fn walk(page: &str, place: &Place) {
    let mut walk = Walk {
        place,
        terminals: HashMap::new(),
        names: Names::default(),
    };
    let steps = steps(page);
    assert!(steps.len() >= 10, "only {} steps were found", steps.len());
    for step in &steps {
        walk.step(step);
    }
}

struct Walk<'a> {
    place: &'a Place,
    terminals: HashMap<String, Running>,
    names: Names,
}

impl Walk<'_> {
    fn step(&mut self, step: &Step) {
        let terminal = &step.terminal;
        match &step.typed {
            Some(Typed::Command(command)) => {
                if self
                    .place
                    .skipped
                    .is_some_and(|part| command.contains(part))
                {
                    return println!("skipped: {command}");
                }
                println!("{terminal}$ {command}");
                let command = self.names.translated(command);
                if command.contains("handover control") && command.ends_with("status") {
                    return self.look(step, &command);
                }
                let running = Running::start(self.place.command(&command));
                self.terminals.insert(terminal.clone(), running);
            }
            Some(Typed::Interrupt) => self.terminals[terminal].interrupt(),
            None => {}
        }
        let running = self.terminals.get_mut(terminal).unwrap();
        for shown in &step.shown {
            let mut come = None;
            let names = &mut self.names;
            let is_there = comes_true(|| {
                // Before the lines are looked at: then it is all of them.
                let has_ended = running.has_ended();
                come = running.see(|seen| names.is(shown, seen));
                come.is_some() || has_ended
            });
            assert!(
                is_there && come.is_some(),
                "line {}: {shown:?} does not come in {terminal}, which shows:\n{}",
                step.line,
                running.all()
            );
        }
        if !step.goes_on {
            assert!(
                comes_true(|| running.has_ended()),
                "line {}: it does not end in {terminal}, which shows:\n{}",
                step.line,
                running.all()
            );
            let more = running.unseen();
            assert!(more.is_empty(), "line {}: and {more:?}", step.line);
        }
    }

    /// Looks at a run until it is as the page shows it.
    fn look(&mut self, step: &Step, command: &str) {
        let mut all = String::new();
        let is_so = comes_true(|| {
            let mut running = Running::start(self.place.command(command));
            if !comes_true(|| running.has_ended()) {
                return false;
            }
            all = running.all();
            let lines = running.unseen();
            // What is not yet as it is shown gives no process its name.
            let mut names = self.names.clone();
            let is_so = lines.len() == step.shown.len()
                && lines
                    .iter()
                    .zip(&step.shown)
                    .all(|(seen, shown)| names.is(shown, seen));
            if is_so {
                self.names = names;
            }
            is_so
        });
        assert!(is_so, "line {}: it shows:\n{all}", step.line);
    }
}
