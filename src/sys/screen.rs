//! The progress line: whoever ends the process while it stands on the screen gets a clean line back.
#![allow(unsafe_code, reason = "a signal handler can be installed in no other way")]

use std::mem::{MaybeUninit, zeroed};
use std::ptr::{null, null_mut};

/// To the first column, and erase to the end of the line.
pub const CLEAR: &str = "\r\x1b[K";

/// What a person, a terminal that goes away, and a service manager send.
const ENDING: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// From now on a signal that ends the process first clears the line on stderr. It still ends the process at once and by that signal, so
/// that a shell sees what happened. A signal that is ignored stays ignored.
pub fn clear_when_interrupted() {
    for signal in ENDING {
        let mut before = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: the pointers are null or to memory of the right type that outlives the calls; `before` is read only when the kernel
        // has filled it. A zeroed sigaction is an empty mask without flags. The handler calls only what POSIX allows in one, and the kernel
        // passes it the one argument that its type declares.
        unsafe {
            if libc::sigaction(signal, null(), before.as_mut_ptr()) != 0 || before.assume_init_ref().sa_sigaction == libc::SIG_IGN {
                continue;
            }
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = end as *const () as libc::sighandler_t;
            // The second time, which is the one that `end` raises itself, the default holds again.
            action.sa_flags = libc::SA_RESETHAND;
            // A failure leaves the default, which ends the process too.
            libc::sigaction(signal, &raw const action, null_mut());
        }
    }
}

extern "C" fn end(signal: libc::c_int) {
    // SAFETY: write and raise are async-signal-safe, and the bytes are static.
    unsafe {
        libc::write(libc::STDERR_FILENO, CLEAR.as_ptr().cast(), CLEAR.len());
        libc::raise(signal);
    }
}
