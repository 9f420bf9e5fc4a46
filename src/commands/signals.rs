//! Ctrl-C and its relatives: once is a request to stop, twice is an end at once.

use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cli::TalkArgs;
use crate::commands::Exit;
use crate::commands::console::say;
use crate::commands::progress::Bar;

/// Turns `stop` true at the first signal, and ends the program at the second one. Agents see their input close then,
/// and stop what they started.
///
/// Listens from a thread of its own, because the program also has to end while it writes a large table.
pub(super) fn listen(stop: watch::Sender<bool>, talk: TalkArgs, bar: Bar) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        let hangup = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, hangup)
    };
    let heard = async move {
        let (interrupt, terminate, hangup) = &mut signals;
        for again in [false, true] {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = async { match hangup {
                    Some(hangup) => drop(hangup.recv().await),
                    None => std::future::pending().await,
                } } => {}
            }
            if again {
                std::process::exit(Exit::Interrupted as i32);
            }
            bar.suspended(|| {
                let what = "the running trial is abandoned, what is done is kept";
                say(&talk, &format!("stopping: {what} (again to stop at once)"));
            });
            // Nobody is left to be told when the run has ended by itself.
            let _ = stop.send(true);
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(heard))?;
    Ok(())
}

/// Whether somebody (`nohup`) asked for hangups to be ignored. To listen for them would undo that.
fn hangup_is_ignored() -> bool {
    let mut before = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    #[expect(unsafe_code, reason = "there is no safe way to ask for the disposition of a signal")]
    // SAFETY: a null new action changes nothing, and the old one is written to memory of its own type, for which
    // zeros are valid too.
    let before = unsafe {
        libc::sigaction(libc::SIGHUP, std::ptr::null(), before.as_mut_ptr());
        before.assume_init()
    };
    before.sa_sigaction == libc::SIG_IGN
}
