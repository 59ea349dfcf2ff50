//! Process groups and sessions: how nothing that was started is left behind.
//!
//! Each command runs in a process group of its own, so that it can be ended with its children. Each local
//! worker is the leader of a session of its own, so that the coordinator can end whatever is left in it, even
//! when the worker itself was killed. What makes itself a new session (`setsid`) leaves on purpose.

use rustix::process::{Pid, Signal};

/// Sends a signal to a process group. One that is gone is no error.
pub fn signal_group(group: Pid, signal: Signal) {
    let _ = rustix::process::kill_process_group(group, signal);
}

/// Sends a signal to all processes of a session and says how many there were.
///
/// Reads `/proc`; where there is none, only the leader's own process group is reached.
pub fn signal_session(session: Pid, signal: Signal) -> usize {
    let members = session_members(session);
    for member in &members {
        let _ = rustix::process::kill_process(*member, signal);
    }
    if members.is_empty() && !cfg!(target_os = "linux") {
        signal_group(session, signal);
    }
    members.len()
}

/// Kills everything else in the session that this process leads, if it leads one: nobody else put it there.
pub fn kill_session_mates() {
    let this = rustix::process::getpid();
    if rustix::process::getsid(None) == Ok(this) {
        for member in session_members(this)
            .into_iter()
            .filter(|member| *member != this)
        {
            let _ = rustix::process::kill_process(member, Signal::KILL);
        }
    }
}

/// The processes of a session that have not ended.
pub fn session_members(session: Pid) -> Vec<Pid> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut members = Vec::new();
    for entry in entries.flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
            .and_then(Pid::from_raw);
        let Some(pid) = pid else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        if session_of(&stat) == Some(session.as_raw_nonzero().get()) {
            members.push(pid);
        }
    }
    members
}

/// The session in a line of `/proc/PID/stat`, unless the process is a zombie.
fn session_of(stat: &str) -> Option<i32> {
    // The second field is the command's name in parentheses, in which anything may stand.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(2)?.parse().ok()
}

/// Makes this process the leader of a new session, out of the reach of its terminal's Ctrl-C.
pub fn lead_a_session() {
    // It fails only for the leader of a process group, which a started worker is not.
    let _ = rustix::process::setsid();
}

/// Has the kernel kill the command when the thread that starts it ends, however it ends (Linux).
#[cfg(target_os = "linux")]
pub fn die_with_starter(command: &mut tokio::process::Command) {
    let starter = rustix::process::getpid();
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // The starter may have ended before the line above.
        if rustix::process::getppid() == Some(starter) {
            Ok(())
        } else {
            Err(rustix::io::Errno::CHILD.into())
        }
    };
    // SAFETY: between fork and exec `prepare` makes two plain system calls on values that it owns; it does
    // not allocate, lock, or touch any memory that another thread could have held at the fork.
    unsafe { command.pre_exec(prepare) };
}

/// Nothing: only Linux has such an order.
#[cfg(not(target_os = "linux"))]
pub fn die_with_starter(_command: &mut tokio::process::Command) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_read_whatever_the_name_holds() {
        assert_eq!(session_of("12 (a) b (c)) S 1 12 34 0 -1"), Some(34));
        assert_eq!(session_of("12 (x) Z 1 12 34 0 -1"), None);
        assert_eq!(session_of("nonsense"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_a_member_of_its_session() {
        let session = rustix::process::getsid(None).unwrap();
        assert!(session_members(session).contains(&rustix::process::getpid()));
    }
}
